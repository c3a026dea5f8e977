//! The rescue without a container of its own: Envoy's admin interface by a port-forward, driven by the same machine that the agent and the
//! filter have. The command must stay until the end, because nobody else goes on.

use core::time::Duration;
use std::collections::VecDeque;

use drain::admin::{Answer, Call, Callee, Failure};
use drain::clusters::ClusterReader;
use drain::limits::Limits;
use drain::machine::{Effect, Event, Machine, Reason, State};
use drain::time;
use drain::wire::{Action, Completion};
use k8s_openapi::api::core::v1::Pod;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::attempt::Outcome;
use super::forwarded::{Forwarded, NOT_SEEN};
use super::qualify::qualify;
use crate::cluster::{Ask, Cluster, Problem, Target};
use crate::pod::{Container, Facts, Part, names};

/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest answer that is read: that of ten thousand clusters has 35 MB.
const LONGEST: usize = 64 << 20;
/// A rescue by port-forward.
#[derive(Clone, Debug)]
pub struct Forward {
    target: Target,
    completion: Completion,
    force: bool,
    settle: Duration,
    /// How often kubelet had started the proxy again.
    restarts: i32,
    /// Why no container was added, if that was tried.
    instead_of: Option<String>,
}

/// A drain at work.
struct Drive<'c> {
    cluster: &'c Cluster,
    rescue: Forward,
    begun: Instant,
    machine: Machine,
    /// Whether the pod has answered once.
    is_reached: bool,
    route: Option<&'static str>,
}

// === impl Forward ===

impl Forward {
    /// How long Envoy's count must stay 0, unless the user says otherwise. The kernel may hold megabytes that Envoy has written, and they are
    /// lost with the pod's network. It is the longest time that the machine's configuration allows.
    pub const SETTLE: Duration = *Limits::SETTLES.end();

    /// Reads the pod again and looks again. Nothing is changed yet. The error says why not.
    pub async fn begin(cluster: &Cluster, seen: &Pod, settle: Duration, force: bool) -> Result<Self, String> {
        let target = Target::of(seen);
        let again = cluster.same_pod(&target.namespace, &target.pod, &target.uid).await.map_err(|error| error.line)?;
        let pod = again.ok_or_else(|| Problem::Gone.line())?;
        let facts = Facts::of(&pod);
        qualify(&facts, force)?;
        let end = facts.with(Part::Main).last().and_then(|main| Some((main.name.to_owned(), main.end()?.exit_code)));
        let completion = Completion {
            container: end.as_ref().map(|(name, _)| name.clone()),
            exit_code: end.and_then(|(_, code)| u8::try_from(code).ok()),
            signal: None,
            action: Action::Quit,
            unsent: None,
            ended_at_ms: None,
            drain_timeout_ms: None,
            stall_timeout_ms: None,
        };
        let restarts = facts.proxy_container().map_or(0, |proxy| proxy.restarts);
        Ok(Self { target, completion, force, settle, restarts, instead_of: None })
    }

    /// It is done because no container may be added.
    #[must_use]
    pub fn instead_of(self, why: String) -> Self {
        Self { instead_of: Some(why), ..self }
    }

    /// The name of the pod.
    #[must_use]
    pub fn pod(&self) -> &str {
        &self.target.pod
    }

    /// Drains the proxy and ends it. At `until` it stops where it is: what is not drained then is not ended.
    pub async fn run(self, cluster: &Cluster, until: Instant) -> Outcome {
        let limits = Limits { settle: self.settle, ..Limits::default() };
        let machine = Machine::new(limits, time::Instant::default());
        Drive { cluster, rescue: self, begun: Instant::now(), machine, is_reached: false, route: None }.run(until).await
    }
}

// === impl Drive ===

impl Drive<'_> {
    async fn run(mut self, until: Instant) -> Outcome {
        let first = Event::Signal(self.rescue.completion.clone());
        let mut effects = VecDeque::from(self.machine.on(first, self.now()));
        loop {
            while let Some(Effect { id, call }) = effects.pop_front() {
                let answer = match self.call(call).await {
                    Ok(answer) => answer,
                    Err(problem) => return self.stopped(&problem).await,
                };
                debug!("{} {}: {answer:?}", call.method(), call.path());
                effects.extend(self.machine.on(Event::Answer(id, answer), self.now()));
            }
            if self.machine.state() == State::Quitting && self.is_gone().await {
                return self.outcome(true, None);
            }
            if Instant::now() >= until {
                let trouble = match self.machine.state() {
                    State::Quitting => "Envoy was told to end, and has not ended yet",
                    State::Serving | State::Draining | State::Drained => {
                        "not ended: Envoy still had requests in flight, or could not be asked. A longer --timeout may help"
                    }
                };
                return self.outcome(false, Some(trouble.to_owned()));
            }
            let wake = self.machine.next_wake().map_or(PAUSE, |at| at.since(self.now()).min(PAUSE));
            sleep(wake).await;
            effects.extend(self.machine.on(Event::Tick, self.now()));
        }
    }

    /// The machine counts from the beginning of the drain.
    fn now(&self) -> time::Instant {
        time::Instant::at(self.begun.elapsed())
    }

    /// Makes a call. A problem is an answer to the machine, unless nothing more can be done.
    async fn call(&mut self, call: Call) -> Result<Answer, Problem> {
        let (port, route) = match call.callee() {
            Callee::Admin => (names::ADMIN_PORT, "admin"),
            Callee::PilotAgent => (names::STATUS_SERVER_PORT, "pilot-agent"),
        };
        let quits = matches!(call, Call::Quit | Call::PilotAgentQuit);
        let ask = Ask { port, method: call.method(), path: call.path(), timeout: call.timeout(), longest: LONGEST };
        let force = self.rescue.force;
        let may = |pod: &Pod| qualify(&Facts::of(pod), force).map(drop);
        let (mut reader, mut count) = (ClusterReader::new(&[]), Vec::new());
        let keep = |piece: &[u8]| match call {
            Call::Clusters => reader.read(piece),
            Call::CountClusters => count.extend_from_slice(piece),
            Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => {}
        };
        let result = self.cluster.ask_pod(&self.rescue.target, &ask, may, keep).await;
        self.is_reached |= result.is_ok();
        let answer = match result {
            Ok(status) => match call {
                Call::Clusters if status == 200 => reader.finish(),
                Call::CountClusters => Answer::of_cluster_count(status, &count),
                _ => Answer::of_status(status),
            },
            // Who has told Envoy to end finds no pod, or no proxy that runs.
            Err(Problem::Gone | Problem::Changed(_)) if self.route.is_some() => Answer::Failed(Failure::NotSent),
            Err(problem @ (Problem::Gone | Problem::Changed(_))) => return Err(problem),
            // Once there was a way, there may be one again.
            Err(problem @ Problem::Cluster(_)) if !self.is_reached => return Err(problem),
            Err(Problem::Cluster(error)) => {
                debug!("{error}");
                Answer::Failed(Failure::NotSent)
            }
            Err(Problem::NotSent(why)) => {
                debug!("{why}");
                Answer::Failed(Failure::NotSent)
            }
            Err(Problem::NoAnswer(why)) => {
                debug!("{why}");
                Answer::Failed(Failure::NoAnswer)
            }
        };
        // Envoy may end before its answer has come here.
        if quits && matches!(answer, Answer::Done | Answer::Failed(Failure::NoAnswer)) {
            self.route = Some(route);
        }
        Ok(answer)
    }

    /// Whether the proxy has ended. An answer that fails tells nothing.
    async fn is_gone(&self) -> bool {
        let Target { namespace, pod, uid } = &self.rescue.target;
        match self.cluster.same_pod(namespace, pod, uid).await {
            Ok(None) => true,
            Ok(Some(pod)) => {
                let facts = Facts::of(&pod);
                let runs = |proxy: &Container<'_>| proxy.is_running() && proxy.restarts == self.rescue.restarts;
                facts.is_over() || !facts.proxy_container().is_some_and(runs)
            }
            Err(_) => false,
        }
    }

    /// The end of a drain that cannot go on.
    async fn stopped(self, problem: &Problem) -> Outcome {
        // A proxy that has ended by itself meanwhile is no trouble.
        if matches!(problem, Problem::Gone | Problem::Changed(_)) && self.is_gone().await {
            return self.outcome(true, None);
        }
        let first = self.rescue.instead_of.as_ref().map(|why| format!("{why}; ")).unwrap_or_default();
        let other = if matches!(problem, Problem::Cluster(_)) {
            ". docs/rescue.md has the way for who may only use pods/exec"
        } else {
            ""
        };
        self.outcome(false, Some(format!("not ended: {first}{}{other}", problem.line())))
    }

    fn outcome(&self, is_gone: bool, trouble: Option<String>) -> Outcome {
        let left = self.machine.left();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let forwarded = Forwarded {
            route: self.route,
            drain_ms: left.map(|(_, took)| milliseconds(took)),
            in_flight: self.machine.in_flight(),
            settle_ms: milliseconds(self.rescue.settle),
            limit: left.and_then(|(reason, _)| Reason::limit(reason)),
            not_seen: NOT_SEEN,
        };
        Outcome::by_forward(&self.rescue.target, is_gone, forwarded, trouble)
    }
}
