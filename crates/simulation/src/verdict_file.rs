//! The file for the agent's verdict, as kubelet makes one for each container that it starts.

use std::env::temp_dir;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::thread;

use serde_json::Value;

/// The file of this thread's pod.
pub(crate) fn path() -> PathBuf {
    let thread: String = format!("{:?}", thread::current().id()).chars().filter(char::is_ascii_digit).collect();
    temp_dir().join(format!("exeunt-simulation-{}-{thread}", process::id()))
}

/// The verdict in it, if the agent has written one.
pub(crate) fn read() -> Option<Value> {
    serde_json::from_slice(&fs::read(path()).ok()?).ok()
}

/// Removes it: a container that starts again gets a new one.
pub(crate) fn remove() {
    // There is none if no agent has written a verdict.
    let _ = fs::remove_file(path());
}
