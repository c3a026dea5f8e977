//! What an agent finds in its folder after a restart: a file that it, or anybody who mounts the volume, has written.
#![no_main]

use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;

// The agent is a program and no library; this file of it stands alone, but for its log.
#[path = "../../agent/src/memory.rs"]
mod memory;

mod log {
    pub(crate) fn line(text: &str) {
        panic!("{text}");
    }
}

use memory::Memory;

fuzz_target!(|data: &[u8]| {
    let folder = folder();
    let memory = Memory::new(Some(folder.clone()));
    fs::write(folder.join("main-base"), data).expect("the folder is ours");
    if let Some(trace) = memory.recall("base") {
        memory.remember("base", trace);
        assert_eq!(memory.recall("base"), Some(trace));
    }
    assert!(!memory.is_done(), "another file says that");
    assert_eq!(memory.recall("other"), None);
    memory.done();
    assert!(memory.is_done());
    fs::remove_file(folder.join("done")).expect("it is ours, too");
});

/// A folder in memory, one for each process.
fn folder() -> PathBuf {
    let folder = PathBuf::from(format!("/dev/shm/exeunt-fuzz-{}", std::process::id()));
    let _ = fs::create_dir_all(&folder);
    folder
}
