//! The times of this module: timeouts, pauses and limits.

use core::time::Duration;

// === whether there is a proxy ===

/// How long to wait for a proxy that has not started: kubelet starts it next, unless its image has to be pulled.
pub(super) const START: Duration = Duration::from_mins(5);
/// How long to wait for the listeners of an Envoy whose process runs. It takes a second, and longer on a busy node.
pub(super) const LISTEN: Duration = Duration::from_secs(10);
/// How long to wait for the restart of a proxy that ended by itself: kubelet's first restart comes within a second.
pub(super) const RESTART: Duration = Duration::from_secs(3);
/// The filter ends Envoy this soon after the report that completes its evidence, on a busy node, too.
pub(super) const DECISION: Duration = Duration::from_secs(1);
/// A proxy that works ends this soon after everything is delivered: it takes 20 ms.
pub(super) const PROMPT: Duration = Duration::from_millis(500);
/// Between two looks for it, at first. Later a tenth of the time so far: a proxy takes a second and more to start.
pub(super) const LOOK: Duration = Duration::from_millis(10);
/// The longest pause between two looks.
pub(super) const LONGEST_LOOK: Duration = Duration::from_millis(500);

// === the ladder ===

/// The first pause before the ladder is climbed again. The pauses double: what is in the way may pass.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: a pod that could end stays no longer than this.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

// === the grace period ===

/// Kept of the grace period for the verdict: kubelet's SIGKILL leaves no time for one.
pub const MARGIN: Duration = Duration::from_secs(2);
/// Timeout for a call to another process in the pod once the grace period is over.
pub(super) const LAST_CALL: Duration = Duration::from_millis(100);

// === reports of readings ===

/// Between reports of progress: much shorter than the stall timeout, much longer than a report takes.
pub(super) const PROGRESS: Duration = Duration::from_millis(250);
/// Between reports of the same reading: a worker of Envoy that takes over the drain uses only reports that it got itself, and an agent
/// that reports nothing for five seconds counts as dead.
pub(super) const REPEAT: Duration = Duration::from_secs(1);

// === the filter ===

/// Timeout for a call. The filter responds within a millisecond, unless its worker is throttled.
pub(super) const FILTER_CALL: Duration = Duration::from_secs(2);
/// How often the agent asks the filter for its status: a filter that crashes after its response must not cost the whole drain timeout.
pub(super) const CHECK: Duration = Duration::from_secs(1);
/// The first pause while the status is all that the agent waits for: a filter decides within milliseconds. The pauses double.
pub(super) const EAGER_CHECK: Duration = Duration::from_millis(5);
/// The longest of these pauses.
pub(super) const LONGEST_EAGER_CHECK: Duration = Duration::from_millis(50);
/// The time for a connect to an address outside of loopback. If Istio captures it, the kernel of the pod accepts or refuses it at once. If not,
/// nobody answers.
pub(super) const CAPTURED_CONNECT: Duration = Duration::from_millis(50);
/// Timeout for the question whether a filter can be reached.
pub(super) const REACH: Duration = Duration::from_millis(250);
/// The pause after a failed call. While Envoy shuts down, it refuses connections for about 20 ms.
pub(super) const RETRY: Duration = Duration::from_millis(250);
/// How long the filter has for ending Envoy, after its limits.
pub(super) const FILTER_QUIT: Duration = Duration::from_secs(5);
/// Timeout for the question whether a silent filter responds again.
pub(super) const SILENT_CALL: Duration = Duration::from_millis(250);
/// How often the agent asks that: often enough that the filter gets a new reading before its stall timeout.
pub(super) const SILENT_CHECK: Duration = Duration::from_secs(2);

// === Envoy's admin interface and pilot-agent ===

/// How long the calls to quit have. Before Istio 1.26, pilot-agent drains for 5 s first; three times that covers a pod that has raised it.
pub(super) const QUIT: Duration = Duration::from_secs(15);
/// The same if no process has accepted a call to quit: each was tried several times, and another route may help.
pub(super) const REFUSED_QUIT: Duration = Duration::from_secs(2);
/// The same if the grace period is over: an Envoy that works ends within 20 ms.
pub(super) const LAST_QUIT: Duration = Duration::from_millis(500);
/// If Envoy does not respond to a call in time, the agent makes only calls to quit for this long: each of the other calls would cost two
/// seconds while Envoy hangs.
pub(super) const HUNG: Duration = Duration::from_secs(5);
/// After SIGTERM, pilot-agent drains for `terminationDrainDuration`, by default 5 s, and with `EXIT_ON_ZERO_ACTIVE_CONNECTIONS` as long as
/// there are connections.
pub(super) const TERMINATE: Duration = Duration::from_secs(15);

// === the last bytes ===

/// How long to wait if no bytes are left and only a FIN is not acknowledged: time for several retransmissions (0.2 s, doubling). To wait
/// longer is useless: an idle connection to a machine that is gone would cost the whole stall timeout.
pub(super) const FIN: Duration = Duration::from_secs(1);
