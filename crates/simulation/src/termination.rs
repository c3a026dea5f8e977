//! SIGTERM to the agent, as the world sends it.

use core::time::Duration;

use crate::world;

/// As the agent's own: kept of the grace period for the verdict.
pub(crate) const MARGIN: Duration = Duration::from_secs(2);

/// The signal.
#[derive(Debug)]
pub(crate) struct Termination;

// === impl Termination ===

impl Termination {
    /// Whether it has come.
    pub(crate) fn has_come(&self) -> bool {
        self.grace_left().is_some()
    }

    /// As the agent's own; here nothing goes unnoticed.
    pub(crate) fn noticed_grace_left(&self) -> Option<Duration> {
        self.grace_left()
    }

    /// What is left of the grace period; `None` while it does not run.
    pub(crate) fn grace_left(&self) -> Option<Duration> {
        world::with(|world| {
            let came = world.terminated_at().filter(|came| *came <= world.now())?;
            Some((came + world.grace().saturating_sub(MARGIN)).since(world.now()))
        })
    }
}
