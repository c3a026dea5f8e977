use pod::pidfd::Exit;
use pod::ports;

use super::*;
use crate::shutdown::{Patience, TaskEnd};
use crate::testing::{Script, options};

/// The verdict on the proxy of `world` if the task ends at `end`, in milliseconds. The agent has found the proxy before.
fn verdict(world: &Script, line: &str, patience: Patience, end: u64) -> Verdict {
    let options = options(line);
    let mut sidecar = Sidecar::new(world, &options, None);
    sidecar.find();
    sidecar.hold_process();
    // The agent sees at once when the process of the proxy ends.
    sidecar.wait(Duration::from_millis(end));
    world.pass_until(end);
    let task = TaskEnd::reported(Some("base"), Exit::Code(0), world.now());
    run(&Context { world, options: &options, task: &task, patience, grace: Some(options.grace_period) }, sidecar)
}

/// A proxy that listens and has a process until `end`, and that no call reaches.
fn proxy_until(end: u64) -> Script {
    let (listeners, processes) = (vec![(ports::OUTBOUND, 0..end)], vec![(20, "envoy", 0..end)]);
    Script { listeners, processes, is_captured: true, ..Script::default() }
}

#[test]
fn a_pod_without_a_proxy_has_nothing_to_end() {
    let verdict = verdict(&Script::default(), "watch", Patience::Endless, 0);
    assert_eq!((verdict.proxy, verdict.attempts.routes().count(), verdict.undelivered), (ProxyOutcome::None, 0, Loss::default()));
    assert!(verdict.decided.ends_with("; no proxy was found"), "{}", verdict.decided);
}

#[test]
fn a_proxy_that_ended_while_the_task_ran_is_gone_without_an_attempt() {
    let verdict = verdict(&proxy_until(500), "watch", Patience::Endless, 1_000);
    assert_eq!((verdict.proxy, verdict.attempts.routes().count()), (ProxyOutcome::Gone, 0));
    let clauses = "; known by its process, while the task ran; it had ended 500 ms before the task";
    assert!(verdict.decided.ends_with(clauses), "{}", verdict.decided);
    assert_eq!((verdict.drain, verdict.undelivered.at_least), (None, true), "what it held when it ended was not counted");
}

#[test]
fn a_proxy_that_an_earlier_run_of_the_agent_saw_can_have_ended_at_any_time() {
    let (world, options) = (Script::default(), options("watch"));
    let task = TaskEnd::reported(Some("base"), Exit::Code(0), world.now());
    let context = Context { world: &world, options: &options, task: &task, patience: Patience::Endless, grace: None };
    let verdict = run(&context, Sidecar::new(&world, &options, None).seen_before(true));
    assert_eq!((verdict.proxy, verdict.drain, verdict.undelivered.at_least), (ProxyOutcome::Gone, None, true));
    assert!(verdict.decided.ends_with("; it had ended before the agent looked"), "{}", verdict.decided);
}

#[test]
fn a_proxy_that_ends_by_itself_during_the_drain_has_lost_at_least_what_was_counted() {
    let verdict = verdict(&proxy_until(1_200), "watch", Patience::Endless, 1_000);
    assert_eq!((verdict.proxy, verdict.drain), (ProxyOutcome::Gone, Some(Duration::from_millis(200))));
    assert_eq!(verdict.undelivered, Loss { at_least: true, ..Loss::default() });
}

#[test]
fn a_proxy_that_was_started_again_while_the_task_ran_is_drained() {
    let world = Script {
        listeners: vec![(ports::OUTBOUND, 0..500), (ports::OUTBOUND, 2_000..u64::MAX)],
        processes: vec![(20, "envoy", 0..500), (21, "envoy", 1_500..u64::MAX)],
        is_captured: true,
        ..Script::default()
    };
    let verdict = verdict(&world, "complete --action drain", Patience::Once, 5_000);
    assert_eq!(verdict.proxy, ProxyOutcome::Left, "the handle of process 20 is not the proxy's any more");
    assert!(verdict.undelivered.at_least, "what process 20 held is lost");
    assert!(verdict.decided.contains(", and was started again"), "{}", verdict.decided);
}

#[test]
fn watch_tries_until_the_proxy_has_ended() {
    let world = proxy_until(100_000);
    let verdict = verdict(&world, "watch --restart-policy Never", Patience::Endless, 1_000);
    assert_eq!((verdict.proxy, verdict.attempts.success(), world.elapsed()), (ProxyOutcome::Gone, None, 100_000));
    assert_eq!(verdict.drain.unwrap().as_secs(), 99, "its end is seen at once, even in a pause of the ladder");
    let expected = "filter 127.0.0.1:15190: refused, filter [::1]:15190: refused, filter 192.0.2.190:15190: refused, \
                    admin 127.0.0.1:15000: refused, pilot-agent 127.0.0.1:15020: refused, SIGTERM to pilot-agent: ";
    assert!(verdict.attempts.to_string().starts_with(expected), "{}", verdict.attempts);
}

#[test]
fn without_a_filter_on_loopback_the_other_ways_begin_within_50_ms() {
    let ends = |is_captured| {
        let world = Script { is_captured, ..proxy_until(u64::MAX) };
        verdict(&world, "complete", Patience::Once, 0);
        world.elapsed()
    };
    assert!(ends(false) - ends(true) <= 50, "{} ms, where Istio captures nothing", ends(false));
}

#[test]
fn where_envoy_answers_without_the_plugin_no_other_address_is_tried() {
    let world = Script { is_captured: false, filter: Some(String::new()), ..proxy_until(u64::MAX) };
    let verdict = verdict(&world, "complete", Patience::Once, 0);
    let expected = "filter 127.0.0.1:15190: not the filter's answer (404), filter [::1]:15190: refused, \
                    filter 192.0.2.190:15190: Envoy has no filter, ";
    assert!(verdict.attempts.to_string().starts_with(expected), "{}", verdict.attempts);
}

#[test]
fn complete_tries_once_and_reports_a_proxy_that_stays() {
    let world = proxy_until(u64::MAX);
    let verdict = verdict(&world, "complete", Patience::Once, 0);
    assert_eq!(verdict.proxy, ProxyOutcome::Stays);
    assert!(world.elapsed() < 60_000, "{} ms", world.elapsed());
}

#[test]
fn a_native_proxy_that_cannot_be_drained_is_left_to_kubelet() {
    let world = proxy_until(u64::MAX);
    let verdict = verdict(&world, "complete --action drain", Patience::Once, 0);
    assert_eq!((verdict.proxy, verdict.action), (ProxyOutcome::Left, Action::Drain));
    let quits = verdict.attempts.routes().filter(|(route, _)| route.to_string().contains("pilot-agent")).count();
    assert_eq!(quits, 0, "Envoy is never asked to quit: {}", verdict.attempts);
}

#[test]
fn after_sigterm_the_agent_leaves_within_the_grace_period() {
    let world = Script { sigterm: Some(5_000), ..proxy_until(u64::MAX) };
    let verdict = verdict(&world, "watch --grace-period 30s", Patience::Endless, 1_000);
    assert_eq!(verdict.proxy, ProxyOutcome::Stays);
    assert!((33_000..35_000).contains(&world.elapsed()), "{} ms", world.elapsed());
}
