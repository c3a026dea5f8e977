//! The files of the agent's state folder, which everyone who mounts the volume can write.
#![no_main]

use std::fs;
use std::path::PathBuf;

use agent::task::StateDir;
use agent::task::state_dir::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((file, data)) = data.split_first() else { return };
    match file % 3 {
        0 => container(data),
        1 => proxy(data),
        _ => sandbox(data),
    }
});

/// The records of a container.
fn container(data: &[u8]) {
    let folder = folder();
    let state_dir = StateDir::new(Some(folder.clone()));
    fs::write(folder.join("main-base"), data).expect("the folder is writable");
    if let Some(history) = state_dir.recall("base") {
        // To see the same again is no news.
        state_dir.record("base", &history.last);
        assert_eq!(state_dir.recall("base"), Some(history));
        assert_eq!(state_dir.containers(), ["base"]);
    }
    assert!(!state_dir.is_done(), "another file says that");
    assert_eq!(state_dir.recall("other"), None);
    state_dir.record_done();
    assert!(state_dir.is_done());
    fs::remove_file(folder.join("done")).expect("the agent has made it");
    fs::remove_file(folder.join("main-base")).expect("it is there");
}

/// The records of the proxy.
fn proxy(data: &[u8]) {
    let folder = folder();
    fs::write(folder.join("proxy"), data).expect("the folder is writable");
    let state_dir = StateDir::new(Some(folder.clone()));
    assert!(state_dir.has_seen_proxy());
    assert!(state_dir.proxy().is_none_or(|instance| !instance.is_empty() && !instance.contains('\n')));
    state_dir.record_proxy(Some("5b1c0f9e"));
    assert_eq!(state_dir.proxy().as_deref(), Some("5b1c0f9e"));
    fs::remove_file(folder.join("proxy")).expect("it is there");
}

/// The record of the sandbox. Whatever it says, what has ended for good stays ended.
fn sandbox(data: &[u8]) {
    let folder = folder();
    fs::write(folder.join("main-ended"), "ended 1 5b1c0f9e code 0\n").expect("the folder is writable");
    fs::write(folder.join("sandbox"), data).expect("the folder is writable");
    let state_dir = StateDir::new(Some(folder.clone()));
    assert!(state_dir.recall("ended").is_some_and(|history| matches!(history.last.event, Event::Ended(_))));
    drop(state_dir);
    // A record of this sandbox is found again.
    fs::write(folder.join("main-seen"), "seen 0 5b1c0f9e\n").expect("the folder is writable");
    assert!(StateDir::new(Some(folder.clone())).recall("seen").is_some());
    for name in ["main-ended", "main-seen", "sandbox"] {
        fs::remove_file(folder.join(name)).expect("it is there");
    }
}

/// A folder in memory, one for each process.
fn folder() -> PathBuf {
    let folder = PathBuf::from(format!("/dev/shm/exeunt-fuzz-{}", std::process::id()));
    let _ = fs::create_dir_all(&folder);
    folder
}
