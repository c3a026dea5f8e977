//! `watch`: runs beside the main containers and sleeps until they have ended.

mod sigterm;

use core::time::Duration;

use drain::duration;
use drain::time::Instant;
use log::{info, warn};
use pod::pidfd::Exit;

use self::sigterm::{AfterSigterm, after_sigterm, is_deletion, is_final};
use super::{company, preflight};
use crate::options::{Form, Options, PROXY, Placement};
use crate::os::world::Source as Answer;
use crate::os::{Linux, World, sys};
use crate::proxy::telemetry::spans;
use crate::proxy::{Known, Sidecar, State, readiness, recognition};
use crate::shutdown::{Context, Helper, Patience, ProxyOutcome, TaskEnd, Verdict, report_running, sequence, verdict};
use crate::task::{Containers, Source, StateDir, Waited, helpers, memory, same_user};

/// The first pause between two looks for the proxy. The pauses double.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// The longest pause.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// The pause while Envoy can start at any moment: spans that it makes before the agent has spoken to it stay in its buffer for seconds.
const EARLY_LOOK: Duration = Duration::from_millis(50);
/// For how long to look so often. An Envoy starts within a few seconds.
const EARLY: Duration = Duration::from_secs(30);
/// For how long to look: the image of the proxy may have to be pulled. Later the agent still finds it once the task has ended.
const LOOKING: Duration = Duration::from_mins(5);
/// How long after the end of all main containers that were seen Envoy may take to name them, while it runs. One more can still start.
const NAMELESS: Duration = Duration::from_mins(10);
/// How long the proxy of a task that has ended can take to start: its image may have to be pulled.
const LONGEST_START: Duration = Duration::from_mins(5);
/// A pause after which a process of root is the task, and no longer the runtime that starts it.
const RUNTIME: Duration = Duration::from_secs(1);

/// How often the agent writes a new verdict while the task still runs after SIGTERM.
const NEXT_REPORT: Duration = Duration::from_secs(1);

/// Waits for the end of the task, and shuts the proxy down then. It never fails: if the agent failed, kubelet would count the pod as failed.
pub(super) fn run(options: &Options) {
    sys::ignore_interrupt();
    let world = Linux::new();
    // First of all: what is created before that is not counted exactly.
    world.count_creations();
    let termination = world.block_termination();
    let options = &preflight::without_itself(&world, options);
    // Beside the processes of the node, and for an agent that is a regular container, there is only one source: a short task must not end
    // while the agent asks.
    let asks = options.pid.is_none() && options.placement != Some(Placement::Regular);
    let proxy_first = asks && Sidecar::new(&world, options, None).is_here();
    if company::is_missing(&world, options) {
        return;
    }
    let was_told = options.is_native();
    let options = &if asks { recognition::pod(&world, termination, options) } else { options.clone() };
    if !was_told && company::is_missing(&world, options) {
        return;
    }
    let options = &preflight::with_possible_helpers(&world, options);
    let refusals = preflight::refusals(&world, options);
    if recognition::is_alone(&world, options) && options.form.form == Form::Unknown && termination.has_come() {
        info!("SIGTERM before istio-proxy was seen; leaving");
    } else if !refusals.is_empty() {
        verdict::refuse(&refusals, options);
    } else if options.form.form == Form::Absent {
        info!("the injector has added no proxy to this pod, so there is nothing to end");
    } else {
        return see_out(&world, options, proxy_first);
    }
    stay(&world, options);
}

/// Waits for SIGTERM in a native sidecar, which kubelet would restart.
fn stay<W: World>(world: &W, options: &Options) {
    if options.is_native() {
        wait_for_termination(world);
    }
}

/// Sleeps until SIGTERM has come. Returns when that was.
fn wait_for_termination<W: World>(world: &W) -> Instant {
    loop {
        match world.terminated_at(Answer::LastAnswer) {
            Some(at) => return at,
            None => world.wait_any(&[], None),
        }
    }
}

/// From the start of the main containers to the end of the agent, in a pod that the agent can serve. `proxy_first`: the proxy ran when the agent
/// started.
pub fn see_out<W: World>(world: &W, options: &Options, proxy_first: bool) {
    match Source::of(options) {
        Source::Kubelet => wait_for_kubelet(world, options, proxy_first),
        Source::Processes => watch_processes(world, options),
    }
    stay(world, options);
}

/// Sleeps until kubelet tells the end of the task, then drains the proxy, which kubelet ends once the agent has left.
fn wait_for_kubelet<W: World>(world: &W, options: &Options, proxy_first: bool) {
    if !proxy_first {
        warn!("istio-proxy started after the agent: {ORDER}");
    }
    // No main container has started, because kubelet starts the agent first.
    let options = &Options { spans: spans::send_at_once(world, options, true), ..options.clone() };
    info!("waiting for SIGTERM, which kubelet sends when the task has ended");
    let task = TaskEnd::by_kubelet(wait_for_termination(world));
    let sidecar = Sidecar::new(world, options, None).seen_before(true);
    let context = Context { world, options, task: &task, patience: Patience::Endless, grace: Some(options.grace_period) };
    let mut verdict = sequence::run(&context, sidecar);
    if !proxy_first && verdict.attempts.routes().next().is_none() {
        warn!("istio-proxy ended before the agent got SIGTERM: {ORDER}");
        verdict.advice = Some(ORDER.to_owned());
    }
    verdict.publish(&task, options);
}

/// What to do about a wrong order: kubelet ends native sidecars in the reverse order of their list.
const ORDER: &str =
    "list the agent behind istio-proxy in initContainers, or kubelet ends istio-proxy first, with what it still holds";

/// Sleeps until the processes of the main containers have ended for good, then shuts the proxy down. If only SIGTERM told their end, and the pod
/// has outlived that, the task may still start or run, so all of it is done again.
fn watch_processes<W: World>(world: &W, options: &Options) {
    let state_dir = &StateDir::new(options.state_dir.clone());
    let holds = options.pid.is_some() || memory::holds(world, options, state_dir);
    if holds && memory::is_done(world, options, state_dir) {
        info!("an earlier run of the agent has shut the proxy down");
        return;
    }
    let mut containers = Containers::new(world, options, state_dir);
    let mut had_proxy = state_dir.has_seen_proxy();
    while let Some(proxy) = see_end(world, options, &mut containers, state_dir, had_proxy) {
        had_proxy |= proxy != ProxyOutcome::None;
        containers.outlive_sigterm();
    }
}

/// Sleeps until `containers` have ended for good, then shuts the proxy down. Returns what became of the proxy if only SIGTERM told the end, and the
/// pod has outlived that. `had_proxy`: the agent has seen the proxy before.
fn see_end<W: World>(
    world: &W,
    options: &Options,
    containers: &mut Containers<'_, W>,
    state_dir: &StateDir,
    had_proxy: bool,
) -> Option<ProxyOutcome> {
    let mut options = options.clone();
    let mut look_at = world.now();
    let waited = containers.wait_seen(|none_seen| {
        if options.spans.is_none() && world.now() >= look_at {
            options.spans = spans::send_at_once(world, &options, none_seen);
            look_at = world.now() + EARLY_LOOK;
        }
    });
    let mut sidecar = Sidecar::new(world, &options, containers.uid()).seen_before(had_proxy);
    let waited = match waited {
        Waited::Running => attach(world, &mut options, &mut sidecar, containers, state_dir),
        other => other,
    };
    if waited == Waited::Leave {
        return None;
    }

    let only_sigterm = containers.is_terminated();
    // What the helpers send last goes through the proxy, too. A task that may still run keeps them.
    let mut helpers = if only_sigterm { Vec::new() } else { helpers::see_off(world, &options, |name| containers.has_seen(name)) };
    let at = world.now();
    let task_end = |(name, exit): (Option<&str>, Exit), evidence: &str, helpers: &[Helper]| TaskEnd {
        container: name.map(ToOwned::to_owned),
        exit,
        evidence: evidence.to_owned(),
        at,
        helpers: helpers.to_vec(),
        only_sigterm,
    };
    let task = task_end(containers.primary(), containers.evidence(), &helpers);
    let options = &recognition::form(world, &options);
    if has_lost_proxy(world, options, &mut sidecar, containers) {
        sidecar = sidecar.seen_before(true);
    }
    let context = Context { world, options, task: &task, patience: Patience::Endless, grace: None };
    let mut earlier: Option<Verdict> = None;
    loop {
        let verdict = sequence::run(&context, sidecar);
        let verdict = match earlier.take() {
            Some(earlier) => earlier.followed_by(verdict),
            None => verdict,
        };
        // The end of a task that only SIGTERM tells is a matter of the next run, if there is one.
        if is_final(verdict.proxy, world.terminated_at(Answer::LastAnswer).is_some()) && !only_sigterm {
            state_dir.record_done();
        }
        containers.update_exit_status();
        if !only_sigterm {
            helpers = helpers::with_those_left(world, options, helpers);
        }
        verdict.publish(&task_end(containers.primary(), containers.evidence(), &helpers), options);
        if !only_sigterm || verdict.proxy == ProxyOutcome::Gone {
            return None;
        }
        match after_sigterm(world, options) {
            AfterSigterm::Outlived => return Some(verdict.proxy),
            AfterSigterm::Leave => return None,
            // Its last bytes are still on the way.
            AfterSigterm::ProxyEnded => {
                earlier = Some(verdict);
                sidecar = Sidecar::new(world, options, None).seen_before(true);
            }
        }
    }
}

/// Whether kubelet has started the classic proxy, and nothing of it runs: under `Never` kubelet does not start it again, and an agent that is a
/// regular container would keep the pod for nothing. Waits until that is known, or the proxy runs, or cannot come any more.
fn has_lost_proxy<W: World>(
    world: &W,
    options: &Options,
    sidecar: &mut Sidecar<'_, W>,
    containers: &mut Containers<'_, W>,
) -> bool {
    let is_missing = |sidecar: &mut Sidecar<'_, W>| !sidecar.is_here() && matches!(sidecar.state(), State::NotYet);
    // A signal that the pod has outlived tells nothing.
    let has_sigterm = || {
        let sigterm = world.terminated_at(Answer::Kernel);
        sigterm.is_some_and(|at| world.now().since(at) < options.grace_period)
    };
    if containers.were_never_named() && !has_sigterm() && is_missing(sidecar) {
        // An Envoy that names the containers was waited for already, and for longer.
        return true;
    }
    let keeps_the_pod = !options.is_native() && options.pid.is_none();
    if !keeps_the_pod
        || options.form.form != Form::Classic
        || options.restarts.may_restart_others()
        || world.creations().is_none()
    {
        return false;
    }
    if !is_missing(sidecar) {
        return false;
    }
    info!("{}, and no proxy has started yet; waiting for one", options.form.reason());
    let start = world.now();
    while is_missing(sidecar) && !has_sigterm() {
        if containers.have_lost_proxy() {
            info!("kubelet has started istio-proxy, and it does not run: it could not start, or has ended at once");
            return true;
        }
        if world.now().since(start) >= LONGEST_START {
            info!("istio-proxy has not started within {}", duration::display(LONGEST_START));
            return true;
        }
        world.wait_start(&[], Some(FIRST_LOOK));
    }
    false
}

/// What the log says when the proxy ends before the task.
const PROXY_GONE: &str = "the proxy has ended, and the task still runs";

/// Gets a handle of the proxy's process and the names of the main containers while the task runs, then sleeps until the task has ended. If
/// the proxy was seen and is not there when the task ends, it has ended. If it was never seen, it may still start.
fn attach<W: World>(
    world: &W,
    options: &mut Options,
    sidecar: &mut Sidecar<'_, W>,
    containers: &mut Containers<'_, W>,
    state_dir: &StateDir,
) -> Waited {
    let (mut pause, start) = (FIRST_LOOK, world.now());
    let mut pauses_until = start + pause;
    let mut all_ended: Option<Instant> = None;
    // Whether the log has the end of the proxy.
    let mut is_told_gone = false;
    loop {
        sidecar.find();
        // It can also end between two sleeps.
        if matches!(sidecar.state(), State::Gone) && !is_told_gone {
            info!("{PROXY_GONE}");
        }
        is_told_gone = matches!(sidecar.state(), State::Gone);
        sidecar.hold_process();
        if sidecar.has_envoy() {
            state_dir.record_proxy(world.instance_of(PROXY, None).map(|proxy| proxy.id).as_deref());
        }
        if sidecar.has_envoy() || matches!(sidecar.state(), State::Running(Known::Listeners)) {
            // Now, because between the end of the task and the signal every millisecond counts.
            *options = recognition::watched(world, options, containers.are_known() && containers.know_their_order());
            containers.learn(&options.regular);
            options.spans = options.spans.or_else(|| spans::send_at_once(world, options, false));
        }
        let uid = containers.uid();
        sidecar.set_task_uid(uid);
        let may_be_the_runtimes = uid == Some(0) && pause < RUNTIME;
        warn_of_same_user(world, options, pause >= RUNTIME);
        let is_late = world.now().since(start) >= LOOKING;
        // An Envoy that has just started does not answer yet.
        let is_told = options.spans.is_some() || options.telemetry_timeout.is_zero();
        let is_attached = containers.are_known() && (sidecar.has_envoy() && is_told && !may_be_the_runtimes || is_late);
        let left = pauses_until.since(world.now());
        let is_early = !is_told && world.now().since(start) < EARLY;
        let left = if is_early { left.min(EARLY_LOOK) } else { left };
        match wait_beside(world, options, sidecar, containers, (!is_attached).then_some(left)) {
            Waited::TimeUp => {}
            Waited::Interrupted => {
                info!("{PROXY_GONE}");
                is_told_gone = true;
                // The next one knows nothing of it.
                options.spans = None;
                pause = FIRST_LOOK;
                pauses_until = world.now() + pause;
                continue;
            }
            ended => return ended,
        }
        if world.now() < pauses_until {
            continue;
        }
        pause = (pause * 2).min(LAST_LOOK);
        pauses_until = world.now() + pause;
        all_ended = containers.have_all_seen_ended().then(|| all_ended.unwrap_or(world.now()));
        if let Some(at) = all_ended.filter(|_| !containers.are_known()) {
            // Only an Envoy names the containers.
            let has_none = matches!(sidecar.state(), State::Gone | State::Ztunnel);
            let is_proxy_to_come = !has_none && readiness::has_proxy(world, sidecar, options);
            if !is_proxy_to_come || world.now().since(at) >= options.late_start.max(NAMELESS) {
                containers.take_those_seen();
            } else if containers.is_asked_to_leave() {
                containers.await_no_other();
            }
        }
    }
}

/// Says once, in the log and in the verdict, if a container runs as the agent's user.
fn warn_of_same_user<W: World>(world: &W, options: &mut Options, has_started: bool) {
    // With the process of the task given, this is no pod.
    let found = if options.pid.is_none() { same_user::warning(world, has_started) } else { None };
    if let Some(warning) = found.filter(|warning| !options.warnings.contains(warning)) {
        warn!("{warning}");
        options.warnings.push(warning);
    }
}

/// Sleeps as [`Containers::wait`] does, and does meanwhile what cannot wait for the end of the task: it is interrupted when the process of the
/// proxy ends, which kubelet may start again, and from SIGTERM on it keeps a verdict in kubelet's file until the grace period is over.
fn wait_beside<W: World>(
    world: &W,
    options: &Options,
    sidecar: &mut Sidecar<'_, W>,
    containers: &mut Containers<'_, W>,
    limit: Option<Duration>,
) -> Waited {
    let end = limit.map(|limit| world.now() + limit);
    loop {
        let sigterm = world.terminated_at(Answer::LastAnswer);
        let reports = sigterm.is_some_and(|at| world.now().since(at) < options.grace_period);
        if reports {
            report_running(world, options, sidecar, containers.primary().0);
            // If the signal is kubelet's, kubelet ends the proxy too, and restarts nothing. Somebody else's signal ends no proxy.
            if containers.await_a_restart() && sigterm.is_some_and(|at| is_deletion(sidecar, at, options.is_native())) {
                info!("the pod is being deleted: kubelet restarts nothing any more");
                containers.await_no_restart();
            }
        }
        let left = end.map(|end| end.since(world.now()));
        let limit = left.into_iter().chain(reports.then_some(NEXT_REPORT)).min();
        match containers.wait_beside(limit, sidecar.state().process(), sigterm) {
            // It is time for the next report.
            Waited::TimeUp if left.is_none_or(|left| left > NEXT_REPORT) => {}
            Waited::Interrupted if !sidecar.process_has_ended() => {}
            waited => return waited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, options};

    #[test]
    fn a_proxy_that_has_not_come_while_its_names_were_waited_for_is_not_waited_for_again() {
        let (world, state_dir) = (Script::default(), StateDir::new(None));
        let options = options("watch --proxy classic");
        let mut sidecar = Sidecar::new(&world, &options, None);
        let mut containers = Containers::new(&world, &options, &state_dir);
        assert!(!has_lost_proxy(&world, &options, &mut sidecar, &mut containers));
        containers.take_those_seen();
        assert!(has_lost_proxy(&world, &options, &mut sidecar, &mut containers));
        let here = Script { listeners: vec![(pod::ports::OUTBOUND, 0..9)], ..Script::default() };
        let (mut sidecar, mut containers) = (Sidecar::new(&here, &options, None), Containers::new(&here, &options, &state_dir));
        containers.take_those_seen();
        assert!(!has_lost_proxy(&here, &options, &mut sidecar, &mut containers));
    }
}
