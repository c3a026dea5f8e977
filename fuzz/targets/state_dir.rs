//! A file of the agent's state folder, which everyone who mounts the volume can write.
#![no_main]

use std::fs;
use std::path::PathBuf;

use agent::task::StateDir;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let folder = folder();
    let state_dir = StateDir::new(Some(folder.clone()));
    fs::write(folder.join("main-base"), data).expect("the folder is writable");
    if let Some(history) = state_dir.recall("base") {
        // To see the same again is no news.
        state_dir.record("base", &history.last);
        assert_eq!(state_dir.recall("base"), Some(history));
    }
    assert!(!state_dir.is_done(), "another file says that");
    assert_eq!(state_dir.recall("other"), None);
    state_dir.record_done();
    assert!(state_dir.is_done());
    fs::remove_file(folder.join("done")).expect("the agent has made it");
});

/// A folder in memory, one for each process.
fn folder() -> PathBuf {
    let folder = PathBuf::from(format!("/dev/shm/exeunt-fuzz-{}", std::process::id()));
    let _ = fs::create_dir_all(&folder);
    folder
}
