//! The times of this module: timeouts, pauses and limits.

use core::time::Duration;

// === readings of the socket table ===

/// The shortest pause between two readings: the end of a delivery is seen within milliseconds.
pub(super) const SHORTEST_READING_PAUSE: Duration = Duration::from_millis(5);
/// The longest: with tens of thousands of sockets, a reading takes milliseconds itself.
pub(super) const LONGEST_READING_PAUSE: Duration = Duration::from_millis(100);
/// How often a long wait asks whether it may go on.
pub(super) const ASK: Duration = Duration::from_secs(1);

// === telemetry ===

/// Timeout for a question to Envoy's admin interface, which answers within a millisecond unless its main thread is busy.
pub(super) const TELEMETRY: Duration = Duration::from_millis(250);
/// For how long the agent trusts that Envoy has no loggers and tracers. A shorter task ends without a question; beside a longer one, which
/// may have seen another configuration of the mesh, milliseconds do not matter.
pub(super) const TRUSTED: Duration = Duration::from_mins(1);
/// How late Envoy's timers can be on a busy node.
pub(super) const LATE_FLUSH: Duration = Duration::from_millis(100);
/// The first pause between two questions whether a flush is under way. The pauses double.
pub(super) const FIRST_EXPORT_PAUSE: Duration = Duration::from_millis(5);
/// The longest of these pauses.
pub(super) const LONGEST_EXPORT_PAUSE: Duration = Duration::from_millis(50);
/// The pause is at least this many times as long as an answer takes.
pub(super) const PAUSES_PER_ANSWER: u32 = 10;
/// The time for a flush if Envoy does not tell whether one is under way: for a connection with mutual TLS to a server nearby.
pub(super) const EXPORT: Duration = Duration::from_millis(100);

// === readiness ===

/// The time for a connect within the pod, which the kernel accepts or refuses within microseconds.
pub(super) const CONNECT: Duration = Duration::from_millis(100);
/// The time for a response. While Envoy starts, its main thread can be busy with its configuration.
pub(super) const RESPONSE: Duration = Duration::from_secs(2);
/// The first pause between two questions. A proxy needs one to several seconds to start, so this delays the task by a twentieth.
pub(super) const FIRST_READY_PAUSE: Duration = Duration::from_millis(50);
/// The pauses double up to this one.
pub(super) const LONGEST_READY_PAUSE: Duration = Duration::from_secs(1);
