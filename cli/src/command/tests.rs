//! What the tests of the verbs share: recorded pods, and a clock that stands.

use std::path::PathBuf;

use jiff::Timestamp;

use super::saved::Saved;

/// Later than every recorded pod.
pub(super) fn now() -> Timestamp {
    "2026-11-28T09:30:00Z".parse().unwrap()
}

/// The recorded pod of that name, in `cli/tests/pods`.
pub(super) fn recorded(name: &str) -> Saved {
    Saved::read(&PathBuf::from(format!("{}/tests/pods/{name}.json", env!("CARGO_MANIFEST_DIR")))).unwrap()
}

/// The snapshots are beside those of the other tests.
pub(super) fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings
}
