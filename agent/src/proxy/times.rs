//! The times of this module: timeouts, pauses and limits.

use core::time::Duration;

// === readings of the socket table ===

/// The shortest pause between two readings: the end of a delivery is seen within milliseconds.
pub(super) const SHORTEST_READING_PAUSE: Duration = Duration::from_millis(5);
/// The longest: with tens of thousands of sockets, a reading takes milliseconds itself.
pub(super) const LONGEST_READING_PAUSE: Duration = Duration::from_millis(100);
/// How often a long wait asks whether it may go on.
pub(super) const ASK: Duration = Duration::from_secs(1);

// === readiness ===

/// The time for a connect within the pod, which the kernel accepts or refuses within microseconds.
pub(super) const CONNECT: Duration = Duration::from_millis(100);
/// The time for a response. While Envoy starts, its main thread can be busy with its configuration.
pub(super) const RESPONSE: Duration = Duration::from_secs(2);
/// The first pause between two questions. A proxy needs one to several seconds to start, so this delays the task by a twentieth.
pub(super) const FIRST_READY_PAUSE: Duration = Duration::from_millis(50);
/// The pauses double up to this one.
pub(super) const LONGEST_READY_PAUSE: Duration = Duration::from_secs(1);
