//! What becomes of the helpers once the task has ended: those that a request or a signal ends are asked to end, and those that end by
//! themselves are waited for. Only then the proxy is drained, because what they send last goes through it.

use core::time::Duration;

use drain::duration;
use drain::time::Instant;
use log::{info, warn};
use pod::stat::Stat;

use crate::options::helpers::{Endpoint, QuitSignal};
use crate::options::{Options, PROXY};
use crate::os::World;
use crate::os::call;
use crate::os::http::{Problem, Request};
use crate::os::world::{Process, Source};
use crate::shutdown::Helper;

/// The time for one request: a helper answers within milliseconds.
const REQUEST: Duration = Duration::from_secs(2);
/// After this time a helper listens, and handles signals, on a busy node, too. The task can be shorter than that.
const START: Duration = Duration::from_secs(5);
/// For how long after the task a helper is waited for that has not started yet: kubelet starts one container after the other.
const APPEARANCE: Duration = Duration::from_secs(10);
/// Between two looks at a listener, whose end wakes nobody.
const LOOK: Duration = Duration::from_millis(50);
/// What a request without a container is for.
const NAMELESS: &str = "a helper";

/// A helper whose end is awaited.
#[derive(Debug)]
struct Awaited<P> {
    helper: Helper,
    end: End<P>,
}

/// What shows the end of a helper.
#[derive(Debug)]
enum End<P> {
    /// The end of its first process.
    Process(P),
    /// Nobody listens there any more.
    Listener(Endpoint),
}

/// The time between the end of the task and the drain, in which helpers are seen off.
struct Farewell<'a, W, F> {
    world: &'a W,
    options: &'a Options,
    /// When the task ended.
    began: Instant,
    /// The container of the agent, which is no helper.
    own: Option<String>,
    /// Whether a container with this name was seen before, so that it has ended if it does not run.
    was_seen: F,
}

/// Ends the helpers and waits for their end. Returns what became of them. If SIGTERM comes, nobody is waited for any more: kubelet ends them itself.
/// `was_seen`: whether a container with this name was seen before.
#[must_use]
pub fn see_off<W: World>(world: &W, options: &Options, was_seen: impl Fn(&str) -> bool) -> Vec<Helper> {
    let own = world.container(world.own_pid()).map(|container| container.name);
    Farewell { world, options, began: world.now(), own, was_seen }.run()
}

// === impl Farewell ===

impl<W: World, F: Fn(&str) -> bool> Farewell<'_, W, F> {
    fn run(&self) -> Vec<Helper> {
        let helpers = &self.options.helpers;
        // One that is the task was waited for.
        let is_task =
            |endpoint: &Endpoint| endpoint.container.as_ref().is_some_and(|name| self.options.containers.contains(name));
        let requests = helpers.requests().filter(|endpoint| !is_task(endpoint));
        let mut awaited: Vec<_> = requests.filter_map(|endpoint| self.request(endpoint)).collect();
        awaited.extend(helpers.signals.iter().filter_map(|signal| self.send(signal)));
        awaited.extend(helpers.also_wait.iter().filter_map(|name| {
            let helper = Helper { container: Some(name.clone()), asked: None, ended: None };
            Some(Awaited { helper, end: End::Process(self.first_process(name)?) })
        }));
        self.wait(awaited)
    }

    /// Sends the request, if its container runs or was not given. `None` if there is nothing to wait for.
    fn request(&self, endpoint: Endpoint) -> Option<Awaited<W::Process>> {
        let process = match &endpoint.container {
            Some(name) => Some(self.first_process(name)?),
            None => None,
        };
        let name = endpoint.container.as_deref().unwrap_or(NAMELESS);
        let Endpoint { method, at, path, .. } = &endpoint;
        let ask = || call::exchange(self.world, *at, &Request { method, path, headers: &[], timeout: REQUEST }, &mut |_| {});
        let mut answer = ask();
        // It may just be starting.
        while matches!(answer, Err(Problem::NotSent(_))) && self.wait_for_start(process.as_ref(), LOOK) {
            answer = ask();
        }
        match answer {
            Ok(head) if (200..300).contains(&head.status) => info!("{endpoint} asks {name} to end"),
            // It can end before it has answered.
            Err(Problem::NoAnswer(_)) => info!("{endpoint} asks {name} to end; there is no answer"),
            Ok(head) => {
                warn!("{endpoint} does not end {name}: the answer is {}", head.status);
                return None;
            }
            Err(problem) => {
                warn!("{endpoint} does not end {name}: {problem}");
                return None;
            }
        }
        let helper = Helper { container: endpoint.container.clone(), asked: Some(endpoint.to_string()), ended: None };
        Some(Awaited { helper, end: process.map_or(End::Listener(endpoint), End::Process) })
    }

    /// Sends the signal, if the container runs. `None` if there is nothing to wait for.
    fn send(&self, signal: &QuitSignal) -> Option<Awaited<W::Process>> {
        let QuitSignal { container, name, number } = signal;
        let process = self.first_process(container)?;
        // A program that does not handle the signal yet would end by it, and its pod would fail.
        while self.wait_for_start(Some(&process), START) {}
        if let Err(why) = process.signal(*number) {
            warn!(
                "SIG{name} was not sent to {container}: {why}; give both containers the same runAsUser, or use --quit-endpoint"
            );
            return None;
        }
        info!("SIG{name} was sent to {container}");
        let helper = Helper { container: Some(container.clone()), asked: Some(format!("SIG{name}")), ended: None };
        Some(Awaited { helper, end: End::Process(process) })
    }

    /// The first process of `container`. Kubelet may not have started it yet: then it is waited for, if the pod is known to have it.
    fn first_process(&self, container: &str) -> Option<W::Process> {
        if self.own.as_deref() == Some(container) {
            return None;
        }
        let is_given = self.options.helpers.has(container) || self.options.regular.iter().any(|name| name == container);
        let may_come = is_given && !(self.was_seen)(container);
        loop {
            if let Some(instance) = self.world.instance_of(container, None) {
                return self.world.open(instance.root.pid);
            }
            let left = self.left(APPEARANCE);
            if !may_come || left.is_zero() || self.has_sigterm() {
                return None;
            }
            self.world.wait_start(&[], Some(left.min(LOOK)));
        }
    }

    /// Waits for `pause` at most, if the helper, or without one the agent, has not run for [`START`] yet. Returns whether it waited.
    fn wait_for_start(&self, process: Option<&W::Process>, pause: Duration) -> bool {
        let pid = process.map_or_else(|| self.world.own_pid(), Process::pid);
        let age = self.world.processes().iter().find(|known| known.pid == pid).map_or(START, |known| age(self.world, known));
        let left = START.saturating_sub(age).min(pause).min(self.left(START));
        let has_ended = || process.is_some_and(|process| process.wait(Duration::ZERO));
        if left.is_zero() || has_ended() || self.has_sigterm() {
            return false;
        }
        self.world.wait_any(process.as_slice(), Some(left));
        true
    }

    /// Waits for the end of all, until the limit for all helpers is over.
    fn wait(&self, mut awaited: Vec<Awaited<W::Process>>) -> Vec<Helper> {
        let timeout = self.options.helpers.timeout;
        loop {
            for one in awaited.iter_mut().filter(|one| one.helper.ended.is_none()) {
                let has_ended = match &one.end {
                    End::Process(process) => process.wait(Duration::ZERO),
                    End::Listener(endpoint) => !call::listens(self.world, endpoint.at, LOOK),
                };
                if has_ended {
                    one.helper.ended = Some(self.world.now().since(self.began));
                    info!("{} has ended", one.helper.container.as_deref().unwrap_or(NAMELESS));
                }
            }
            let runs = || awaited.iter().filter(|one| one.helper.ended.is_none());
            let (left, has_sigterm) = (self.left(timeout), self.has_sigterm());
            if runs().next().is_none() || left.is_zero() || has_sigterm {
                let over = || format!("--helper-timeout {} is over", duration::display(timeout));
                for one in runs() {
                    let name = one.helper.container.as_deref().unwrap_or(NAMELESS);
                    let why = if has_sigterm { "SIGTERM has come".to_owned() } else { over() };
                    warn!("{name} still runs, and is not waited for any more: {why}");
                }
                return awaited.into_iter().map(|one| one.helper).collect();
            }
            let processes: Vec<_> =
                runs().filter_map(|one| if let End::Process(process) = &one.end { Some(process) } else { None }).collect();
            let is_unwatched = processes.len() < runs().count() || processes.iter().any(|process| !process.wakes());
            self.world.wait_any(&processes, Some(if is_unwatched { left.min(LOOK) } else { left }));
        }
    }

    /// What is left of `time` since the end of the task, and of the limit for all helpers.
    fn left(&self, time: Duration) -> Duration {
        time.min(self.options.helpers.timeout).saturating_sub(self.world.now().since(self.began))
    }

    /// Whether SIGTERM has come and can be kubelet's. A signal that the pod outlives was no deletion.
    fn has_sigterm(&self) -> bool {
        let sigterm = self.world.terminated_at(Source::Kernel);
        sigterm.is_some_and(|at| self.world.now().since(at) < self.options.grace_period)
    }
}

/// For how long a process runs.
fn age(world: &impl World, process: &Stat) -> Duration {
    // A tick of `/proc` is a hundredth of a second on every machine.
    world.now().since_zero().saturating_sub(Duration::from_millis(process.start.saturating_mul(10)))
}

/// `seen_off` with the other containers that run, because they hold the pod. The log names them, and since when they run. If
/// Envoy has not told which containers are regular ones, native sidecars are among them, which kubelet ends.
#[must_use]
pub fn with_those_left<W: World>(world: &W, options: &Options, mut seen_off: Vec<Helper>) -> Vec<Helper> {
    let own = world.container(world.own_pid());
    let roots = world.processes().into_iter().filter(|process| process.parent == 0 && process.state != b'Z');
    let mut runs: Vec<_> =
        roots.filter_map(|root| Some((world.container(root.pid).filter(|it| Some(it) != own.as_ref())?.name, root))).collect();
    // What `kubectl exec` starts has the same parent. The first process is the oldest.
    runs.sort_by(|(one, first), (other, second)| (one, first.start).cmp(&(other, second.start)));
    runs.dedup_by(|(one, _), (other, _)| one == other);
    let is_known = !options.regular.is_empty();
    for (name, root) in runs.into_iter().filter(|(name, _)| name != PROXY && (!is_known || options.regular.contains(name))) {
        let holds = if is_known { "and keeps the pod" } else { "and keeps the pod if it is a regular container" };
        warn!("{name} still runs, for {} s, {holds}: --quit-endpoint or --quit-signal ends it", age(world, &root).as_secs());
        if seen_off.iter().all(|helper| helper.container.as_ref() != Some(&name)) {
            seen_off.push(Helper { container: Some(name), asked: None, ended: None });
        }
    }
    seen_off
}

#[cfg(test)]
mod tests {
    use pod::pidfd::Exit;

    use super::*;
    use crate::testing::{Script, options};

    /// When the task ends, in milliseconds: a helper that runs from the beginning on has started by then.
    const END: u64 = 10_000;

    /// A pod in which `cache`, a helper, runs for so long after the task, and where the paths that begin with `/quit` answer.
    fn pod(runs_on: u64) -> Script {
        started(0, runs_on)
    }

    /// The same, if it has started at `start`.
    fn started(start: u64, runs_on: u64) -> Script {
        let world = Script {
            processes: vec![(7, "cache", start..END.saturating_add(runs_on))],
            roots: vec![(7, "cache", "instance", Exit::Code(0))],
            admin: vec![("/quit", 0..u64::MAX, String::new())],
            ..Script::default()
        };
        world.pass_until(END);
        world
    }

    /// What becomes of the helpers that `given` names, and how long that takes, in milliseconds.
    fn seen_off(world: &Script, given: &str) -> (Vec<Helper>, u64) {
        let helpers = see_off(world, &options(&format!("watch --admin-port 9901 {given}")), |name| name != "late");
        (helpers, world.elapsed() - END)
    }

    fn cache(asked: Option<&str>, ended: Option<u64>) -> Vec<Helper> {
        let asked = asked.map(ToOwned::to_owned);
        vec![Helper { container: Some("cache".to_owned()), asked, ended: ended.map(Duration::from_millis) }]
    }

    #[test]
    fn a_helper_that_takes_the_request_is_waited_for() {
        let world = pod(500);
        let (helpers, took) = seen_off(&world, "--quit-endpoint cache=http://127.0.0.1:15000/quit");
        assert_eq!((helpers, took), (cache(Some("POST http://127.0.0.1:15000/quit"), Some(500)), 500));
        assert_eq!(*world.asked.borrow(), [(END, "POST /quit".to_owned())]);
    }

    #[test]
    fn a_helper_that_refuses_the_request_or_has_ended_costs_no_time() {
        for (given, asked) in [
            ("cache=http://127.0.0.1:15000/other", 1),
            ("cache=http://127.0.0.1:9091/quit", 0),
            ("http://127.0.0.1:9091/quit", 0),
            ("other=http://127.0.0.1:15000/quit", 0),
        ] {
            let world = pod(500);
            assert_eq!(seen_off(&world, &format!("--quit-endpoint {given}")), (Vec::new(), 0), "{given}");
            assert_eq!(world.asked.borrow().len(), asked, "{given}");
        }
    }

    #[test]
    fn a_helper_that_is_still_starting_gets_the_time_for_it() {
        let starts = || started(END - 1_000, 60_000);
        let listens_late = seen_off(&starts(), "--quit-endpoint cache=http://127.0.0.1:9091/quit");
        assert_eq!(listens_late, (Vec::new(), 4_000), "it listens after five seconds, or never");
        assert_eq!(seen_off(&starts(), "--quit-signal cache=TERM"), (Vec::new(), 4_000));
        assert_eq!(seen_off(&started(END - 1_000, 300), "--quit-signal cache=TERM"), (Vec::new(), 300), "it has ended");
    }

    #[test]
    fn a_helper_that_was_never_seen_may_still_start() {
        let with_name = |start| Script { roots: vec![(7, "late", "instance", Exit::Code(0))], ..started(start, 9_000) };
        let (helpers, took) = seen_off(&with_name(END + 4_000), "--also-wait late");
        assert_eq!((helpers.len(), took), (1, 9_000), "it starts, and is waited for");
        assert_eq!(seen_off(&with_name(END + 60_000), "--also-wait late"), (Vec::new(), 10_000), "but not for ever");
    }

    #[test]
    fn a_helper_that_ends_by_itself_is_waited_for_but_not_for_ever() {
        assert_eq!(seen_off(&pod(2_000), "--also-wait cache"), (cache(None, Some(2_000)), 2_000));
        assert_eq!(seen_off(&pod(u64::MAX), "--also-wait cache"), (cache(None, None), 60_000));
        assert_eq!(seen_off(&pod(2_000), "--also-wait cache --helper-timeout 1s"), (cache(None, None), 1_000));
        assert_eq!(seen_off(&pod(2_000), "--also-wait cache --helper-timeout 0"), (cache(None, None), 0));
    }

    #[test]
    fn nobody_is_waited_for_after_sigterm() {
        let world = Script { sigterm: Some(END + 700), ..pod(2_000) };
        assert_eq!(seen_off(&world, "--also-wait cache"), (cache(None, None), 700));
    }

    #[test]
    fn a_sigterm_that_the_pod_has_outlived_tells_nothing() {
        let world = Script { sigterm: Some(0), ..pod(2_000) };
        assert_eq!(seen_off(&world, "--also-wait cache --grace-period 5s"), (cache(None, Some(2_000)), 2_000));
    }

    #[test]
    fn the_agent_is_no_helper_of_its_own() {
        let world = Script { own: Some(7), ..pod(u64::MAX) };
        assert_eq!(seen_off(&world, "--also-wait cache --quit-signal cache=KILL"), (Vec::new(), 0));
    }

    #[test]
    fn a_signal_that_may_not_be_sent_costs_no_time() {
        assert_eq!(seen_off(&pod(500), "--quit-signal cache=TERM"), (Vec::new(), 0));
    }

    #[test]
    fn a_known_helper_without_its_listener_costs_no_time() {
        let world = Script { roots: vec![(7, "vault-agent", "instance", Exit::Code(0))], ..pod(u64::MAX) };
        assert_eq!(seen_off(&world, ""), (Vec::new(), 0));
    }

    #[test]
    fn without_helpers_nothing_is_asked_and_nothing_takes_time() {
        let world = pod(500);
        assert_eq!(seen_off(&world, ""), (Vec::new(), 0));
        assert!(world.asked.borrow().is_empty());
    }

    #[test]
    fn what_still_runs_is_told_but_not_the_proxy() {
        let mut world = pod(u64::MAX);
        world.processes.push((8, "pilot-agent", 0..u64::MAX));
        world.roots.push((8, PROXY, "instance", Exit::Code(0)));
        let told = |regular: &[&str], seen_off| {
            let regular = regular.iter().map(|name| (*name).to_owned()).collect();
            with_those_left(&world, &Options { regular, ..options("watch") }, seen_off)
        };
        assert_eq!(told(&[], Vec::new()), cache(None, None));
        assert_eq!(told(&["base", "cache"], Vec::new()), cache(None, None));
        assert_eq!(told(&["base"], Vec::new()), Vec::new(), "it is a native sidecar");
        let asked = cache(Some("SIGTERM"), None);
        assert_eq!(told(&[], asked.clone()), asked, "it is told once");
    }
}
