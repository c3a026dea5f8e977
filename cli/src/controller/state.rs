//! What the controller says of itself: whether it is ready, and the lines of its log.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::output::{print, safe};

/// What `/readyz` tells.
#[derive(Debug, Default)]
pub(super) struct State {
    is_ready: AtomicBool,
}

// === impl State ===

impl State {
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    pub(super) fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Relaxed);
    }
}

/// One line of the log.
pub(super) fn say(line: &str) {
    print(&format!("{}\n", safe(line)));
}
