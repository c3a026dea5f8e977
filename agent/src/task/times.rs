//! The times of this module: timeouts, pauses and limits.

use core::time::Duration;

// === the processes of the main containers ===

/// How often the agent looks for a main container that may be starting. Even the process of `true` lives for 40 ms. A look that finds no new
/// process id takes three system calls.
pub(super) const LOOK: Duration = Duration::from_millis(10);
/// The same while kubelet has created no container for a while. A creation ends the pause, so it only bounds how late a mistake is found.
pub(super) const SLOW_LOOK: Duration = Duration::from_secs(5);
/// How long after its creation a container can start. It takes 0.2 s, on an overloaded node seven.
pub(super) const STARTING: Duration = Duration::from_secs(30);
/// The longest pause between two looks for what shows that kubelet has restarted all containers.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// How long a container that was named may be missing while others run, before the agent names those. Kubelet starts the containers of a pod
/// one after the other.
pub(super) const WRONG_NAME: Duration = Duration::from_secs(5);
/// Without pidfd: how often the agent looks in `/proc` whether a process still exists.
pub(super) const LOOK_WITHOUT_PIDFD: Duration = Duration::from_millis(100);
/// How long to wait for the exit status, which the kernel has once the runtime has reaped the process. That takes 2 ms, longer on a busy
/// node. Where the status is only for the verdict, it is not worth more.
pub(super) const REAPING: Duration = Duration::from_millis(20);
/// The same where the restart depends on it: an unknown status costs kubelet's back-off of ten seconds and more.
pub(super) const REAPING_TO_DECIDE: Duration = Duration::from_secs(1);

// === restarts by kubelet ===

/// Kubelet's back-off before the second restart. It doubles before each further one; the first restart comes at once (Kubernetes,
/// `pkg/kubelet/kubelet.go`, `backOffPeriod`).
pub(super) const BACK_OFF: Duration = Duration::from_secs(10);
/// The longest back-off (`MaxContainerBackOff`).
pub(super) const MAX_BACK_OFF: Duration = Duration::from_mins(5);
// === a task that was never seen ===

/// How often what the agent has seen is weighed.
pub(super) const WEIGHING: Duration = Duration::from_millis(250);
/// After this time without another creation, a container that has certainly been started counts as missed: the next look would have found it.
pub(super) const SETTLED: Duration = Duration::from_secs(1);
/// After this time without another creation, the runtime has not refused the last one: kubelet repeats a refused creation after 10 to 15 s
/// (Kubernetes, `pkg/kubelet/pod_workers.go`, `completeWork`).
pub(super) const NOT_REFUSED: Duration = Duration::from_secs(30);

/// The first pause between two judgements. The pauses double: each judgement looks at every process and asks Envoy.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause between two judgements.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// After this time without a proxy, none comes that was there before, and hardly one whose image is still being pulled.
pub(super) const NO_PROXY: Duration = Duration::from_mins(10);
/// After this time no image is still being pulled. Where kubelet ends the proxy, only the agent's own container keeps the pod.
pub(super) const LONGEST_PULL: Duration = Duration::from_mins(30);
/// Timeout for a call to Envoy.
pub(super) const ENVOY_CALL: Duration = Duration::from_secs(2);
/// The pause before Envoy is asked again, if it has not answered.
pub(super) const ENVOY_PAUSE: Duration = Duration::from_secs(1);
/// Timeout for a call to the filter, which responds within a millisecond if it is there.
pub(super) const FILTER_CALL: Duration = Duration::from_millis(100);
