use drain::time::Instant;
use pod::delivery::Held;
use pod::pidfd::Exit;
use pod::ports;

use super::*;
use crate::shutdown::TaskEnd;
use crate::shutdown::attempts::Route;
use crate::testing::{Script, options};

/// Whether the proxy of `world` is here after the task has ended at time 0, and when that is known, in milliseconds.
fn is_here_in(world: &Script, patience: Patience) -> (bool, u64) {
    is_here_with("watch", world, patience)
}

/// The same with the command line `line`.
fn is_here_with(line: &str, world: &Script, patience: Patience) -> (bool, u64) {
    let (options, task) = (options(line), TaskEnd::reported(Some("base"), Exit::Code(0), world.now()));
    let context = Context { world, options: &options, task: &task, patience, grace: Some(options.grace_period) };
    let here = is_here(&context, &mut Sidecar::new(world, &options, None), &Attempts::default(), None);
    (here, world.elapsed())
}

/// Checks that a proxy that has started at 2,000 ms was found soon after that.
fn is_found_soon((here, at): (bool, u64)) {
    assert!(here && (2_000..2_250).contains(&at), "{at}");
}

/// A pod whose proxy starts at `start`.
fn starts_at(start: u64) -> Script {
    Script { listeners: vec![(ports::OUTBOUND, start..u64::MAX)], is_captured: true, ..Script::default() }
}

#[test]
fn a_proxy_that_runs_is_here_at_once() {
    assert_eq!(is_here_in(&starts_at(0), Patience::Endless), (true, 0));
}

#[test]
fn an_envoy_that_is_starting_gets_time_to_listen() {
    let starts = |listens: u64| Script { processes: vec![(20, "pilot-agent", 0..u64::MAX)], ..starts_at(listens) };
    for patience in [Patience::Endless, Patience::Once] {
        assert_eq!(is_here_in(&starts(800), patience), (true, 800));
    }
    assert_eq!(
        is_here_in(&starts(u64::MAX), Patience::Endless),
        (true, 10_000),
        "an Envoy that never listens is ended by pilot-agent"
    );
}

#[test]
fn watch_waits_for_a_proxy_that_has_not_started() {
    is_found_soon(is_here_in(&starts_at(2_000), Patience::Endless));
    let (here, at) = is_here_in(&starts_at(u64::MAX), Patience::Endless);
    assert!(!here && (300_000..301_000).contains(&at), "after five minutes it does not start: {at}");
    assert_eq!(is_here_in(&starts_at(2_000), Patience::Once), (false, 0), "another program waits for the agent");
    let deleted = Script { sigterm: Some(1_000), ..starts_at(2_000) };
    let (here, at) = is_here_in(&deleted, Patience::Endless);
    assert!(!here && at < 1_200, "kubelet starts nothing in a deleted pod: {at}");
}

#[test]
fn without_captured_traffic_there_is_no_proxy_to_wait_for() {
    let (here, at) = is_here_in(&Script { is_captured: false, ..starts_at(2_000) }, Patience::Endless);
    assert!(!here && at < 1_000, "{at}");
}

#[test]
fn a_classic_proxy_that_was_told_is_waited_for_whatever_is_captured() {
    let limited = || Script { is_captured: false, ..starts_at(2_000) };
    is_found_soon(is_here_with("watch --proxy classic", &limited(), Patience::Endless));
    is_found_soon(is_here_with("exec --proxy classic -- true", &limited(), Patience::Once));
    let (here, at) = is_here_with("watch --proxy native", &limited(), Patience::Endless);
    assert!(!here && at < 1_000, "kubelet ends a native one, and it starts before the task: {at}");
}

#[test]
fn a_native_agent_waits_even_if_nothing_was_told() {
    let limited = |sigterm| Script { is_captured: false, sigterm, ..starts_at(2_000) };
    let line = "watch --placement native";
    is_found_soon(is_here_with(line, &limited(None), Patience::Endless));
    let (here, at) = is_here_with(line, &limited(Some(1_000)), Patience::Endless);
    assert!(!here && at < 1_500, "kubelet ends it with the pod: {at}");
}

/// Whether a proxy that has ended at time 0 is here again, with `policy`, if it starts at `start` and `attempts` were made.
fn is_here_again(policy: &str, start: u64, attempts: &Attempts) -> bool {
    is_here_again_in(&starts_at(start), policy, attempts)
}

/// The same in `world`.
fn is_here_again_in(world: &Script, policy: &str, attempts: &Attempts) -> bool {
    let options = options(&format!("watch --restart-policy {policy}"));
    let task = TaskEnd::reported(Some("base"), Exit::Code(0), world.now());
    let context =
        Context { world, options: &options, task: &task, patience: Patience::Endless, grace: Some(options.grace_period) };
    let mut sidecar = Sidecar::new(world, &options, None);
    let here = is_here(&context, &mut sidecar, attempts, Some(&Outcome::Gone));
    assert_eq!(matches!(sidecar.state(), State::Running(_)), here, "the new proxy takes the place of the old one");
    here
}

#[test]
fn under_on_failure_kubelet_restarts_a_proxy_that_ended_by_itself() {
    let none = Attempts::default();
    assert!(is_here_again("OnFailure", 1_000, &none));
    assert!(!is_here_again("OnFailure", 4_000, &none), "kubelet restarts it within a second");
    assert!(!is_here_again("Never", 1_000, &none));
}

#[test]
fn a_pilot_agent_that_ends_after_its_envoy_is_no_new_proxy() {
    for (lingers, again) in [(2_000, false), (u64::MAX, false), (0, false)] {
        let processes = vec![(20, "envoy", 0..0), (10, "pilot-agent", 0..lingers)];
        let world = Script { processes, ..Script::default() };
        assert_eq!(is_here_again_in(&world, "OnFailure", &Attempts::default()), again, "{lingers}");
    }
    let restarted = vec![(10, "pilot-agent", 0..500), (30, "pilot-agent", 1_000..u64::MAX)];
    let world = Script { processes: restarted, ..Script::default() };
    assert!(is_here_again_in(&world, "OnFailure", &Attempts::default()), "another process");
}

#[test]
fn a_proxy_that_ended_in_order_is_not_restarted() {
    let at = Route::Terminate;
    let mut attempts = Attempts::default();
    attempts.record(at, Outcome::Gone);
    attempts.report(Some(Held { connections: 1, bytes: 90, ..Held::default() }), Instant::default());
    assert!(is_here_again("OnFailure", 1_000, &attempts), "with undelivered data it ended by itself");
    attempts.report(Some(Held::default()), Instant::default());
    assert!(!is_here_again("OnFailure", 1_000, &attempts));
}

#[test]
fn a_proxy_that_crashed_after_the_decision_is_restarted() {
    let mut attempts = Attempts::default();
    attempts.record(Route::Terminate, Outcome::Gone);
    attempts.report(Some(Held::default()), Instant::default());
    let again = |exit, ended: u64| {
        let mut world = starts_at(ended + 1_000);
        world.processes.push((20, "envoy", 0..ended));
        world.roots.push((20, "istio-proxy", "aa", exit));
        let options = options("watch --restart-policy OnFailure");
        let task = TaskEnd::reported(Some("base"), Exit::Code(0), world.now());
        let context = Context { world: &world, options: &options, task: &task, patience: Patience::Endless, grace: None };
        let mut sidecar = Sidecar::new(&world, &options, None);
        sidecar.find();
        sidecar.hold_process();
        world.pass_until(ended);
        assert!(sidecar.has_ended());
        is_here(&context, &mut sidecar, &attempts, Some(&Outcome::Gone))
    };
    assert!(again(Exit::Signal(11), 20) && again(Exit::Code(1), 20), "the kernel tells it");
    assert!(!again(Exit::Code(0), 20) && !again(Exit::Code(0), 900), "the call to quit has ended it");
    assert!(!again(Exit::Unknown, 20));
    assert!(again(Exit::Unknown, 900), "it should have ended long ago");
}

#[test]
fn an_agent_that_kubelet_kills_while_it_waits_for_a_proxy_has_written_a_verdict() {
    let world = Script { sigterm: Some(1_000), ..starts_at(2_000) };
    let file = std::env::temp_dir().join(format!("exeunt-waits-{}", std::process::id()));
    let options = options(&format!("watch --placement regular --proxy classic --termination-log {}", file.display()));
    let task = TaskEnd::reported(Some("base"), Exit::Code(0), world.now());
    let context = Context { world: &world, options: &options, task: &task, patience: Patience::Endless, grace: None };
    let here = is_here(&context, &mut Sidecar::new(&world, &options, None), &Attempts::default(), None);
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    assert!(here, "SIGTERM is no limit for it");
    assert!(written.contains("\"proxy\":\"draining\""), "{written}");
}
