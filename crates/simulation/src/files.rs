//! The files of the agent: the one for its verdict, which kubelet makes anew for each container that it starts, and the folder for its
//! state, which lives as long as the pod.

use std::env::temp_dir;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::thread;

use serde_json::Value;

/// The folder of this thread's pod.
fn folder() -> PathBuf {
    let thread: String = format!("{:?}", thread::current().id()).chars().filter(char::is_ascii_digit).collect();
    temp_dir().join(format!("exeunt-simulation-{}-{thread}", process::id()))
}

/// The file for the verdict.
pub(crate) fn verdict() -> PathBuf {
    folder().join("verdict")
}

/// The folder for the state.
pub(crate) fn state_dir() -> PathBuf {
    folder().join("state")
}

/// Whether an agent has recorded that its work is done.
pub(crate) fn is_done() -> bool {
    state_dir().join("done").exists()
}

/// The verdict, if the agent has written one.
pub(crate) fn read_verdict() -> Option<Value> {
    serde_json::from_slice(&fs::read(verdict()).ok()?).ok()
}

/// Removes the verdict: a container that starts again gets a new file.
pub(crate) fn remove_verdict() {
    // There is none if no agent has written it.
    let _ = fs::remove_file(verdict());
}

/// The folders of a new pod. An agent without them has no verdict, which is a wrong.
pub(crate) fn begin() {
    end();
    let _ = fs::create_dir_all(state_dir());
}

/// Removes all files.
pub(crate) fn end() {
    // There are none before the first pod.
    let _ = fs::remove_dir_all(folder());
}
