use pod::ports;

use super::*;
use crate::testing::{Script, options};

const ALWAYS: core::ops::Range<u64> = 0..u64::MAX;

fn sidecar(world: &Script) -> Sidecar<'_, Script> {
    Sidecar::new(world, &options("watch"), None)
}

/// The state in one word.
fn state(sidecar: &Sidecar<'_, Script>) -> &'static str {
    match sidecar.state() {
        State::NotYet => "not yet",
        State::Running(Known::Listeners) => "running",
        State::Running(Known::PilotAgent(_)) => "pilot-agent",
        State::Running(Known::Envoy(_)) => "envoy",
        State::Gone => "gone",
        State::Ztunnel => "ztunnel",
    }
}

#[test]
fn a_proxy_starts_runs_and_ends() {
    let listeners = vec![(ports::OUTBOUND, 200..900)];
    let world =
        Script { listeners, processes: vec![(10, "pilot-agent", 50..1_000), (20, "envoy", 100..900)], ..Script::default() };
    let mut sidecar = sidecar(&world);
    let mut find_at = |at| {
        world.pass_until(at);
        sidecar.find();
        sidecar.hold_process();
        state(&sidecar)
    };
    assert_eq!([0, 60, 150, 300].map(&mut find_at), ["not yet", "pilot-agent", "envoy", "envoy"]);
    assert!(!sidecar.wait(Duration::from_millis(500)), "it runs at 800 ms");
    assert!(sidecar.wait(Duration::from_mins(1)));
    assert_eq!((state(&sidecar), world.elapsed()), ("gone", 900), "its end is seen at once");
}

#[test]
fn without_a_process_two_readings_without_a_listener_are_the_end() {
    let world = Script { listeners: vec![(ports::OUTBOUND, 0..10), (ports::OUTBOUND, 20..30)], ..Script::default() };
    let mut sidecar = sidecar(&world);
    let mut look_at = |at| {
        world.pass_until(at);
        sidecar.look();
        sidecar.has_ended()
    };
    assert_eq!([0, 15, 25, 35].map(&mut look_at), [false; 4], "one reading can miss a listener");
    assert!(look_at(40));
    assert_eq!(state(&sidecar), "gone");
}

#[test]
fn a_proxy_that_crashed_and_listens_again_runs() {
    let world = Script { listeners: vec![(ports::OUTBOUND, 0..10), (ports::OUTBOUND, 50..60)], ..Script::default() };
    let mut sidecar = sidecar(&world);
    let mut find_at = |at| {
        world.pass_until(at);
        sidecar.find();
        state(&sidecar)
    };
    assert_eq!([0, 20, 30, 55].map(&mut find_at), ["running", "running", "gone", "running"]);
}

#[test]
fn a_proxy_that_an_earlier_run_has_seen_is_gone_if_it_is_not_there() {
    let world = Script { listeners: vec![(ports::OUTBOUND, 50..60)], ..Script::default() };
    let mut sidecar = sidecar(&world).seen_before(true);
    assert!(!sidecar.is_here());
    assert_eq!(state(&sidecar), "gone");
    world.pass_until(55);
    assert!(sidecar.is_here(), "kubelet has restarted it");
}

#[test]
fn ztunnel_has_no_process_in_the_pod_and_ends_with_its_listeners() {
    let world = Script {
        listeners: vec![(ports::OUTBOUND, 0..100), (ports::HBONE, 0..100)],
        processes: vec![(20, "envoy", ALWAYS)],
        ..Script::default()
    };
    let mut sidecar = sidecar(&world);
    assert!(sidecar.is_here() && sidecar.is_ztunnel());
    sidecar.hold_process();
    assert_eq!(state(&sidecar), "ztunnel", "a process called envoy is the task's own");
    for at in [110, 120] {
        world.pass_until(at);
        sidecar.look();
    }
    assert!(sidecar.has_ended() && sidecar.is_ztunnel(), "it is still known what it was");
}

#[test]
fn of_several_processes_called_envoy_none_is_held() {
    let world = Script {
        listeners: vec![(ports::OUTBOUND, ALWAYS)],
        processes: vec![(20, "envoy", ALWAYS), (21, "envoy", ALWAYS)],
        ..Script::default()
    };
    let mut sidecar = sidecar(&world);
    sidecar.find();
    sidecar.hold_process();
    assert_eq!((state(&sidecar), sidecar.has_envoy()), ("running", false));
}

#[test]
fn a_given_process_is_the_proxy() {
    let world = Script { processes: vec![(20, "envoy", 0..100)], ..Script::default() };
    let mut sidecar = Sidecar::new(&world, &options("watch --proxy-pid 20"), None);
    assert!(sidecar.is_here() && sidecar.has_envoy() && !sidecar.is_in_a_pod());
    world.pass_until(100);
    assert!(!sidecar.is_here());
    assert_eq!(state(&sidecar), "gone");
}

#[test]
fn a_long_wait_asks_every_second_whether_it_may_go_on() {
    let world = Script { processes: vec![(20, "envoy", ALWAYS)], ..Script::default() };
    let mut sidecar = sidecar(&world);
    sidecar.find();
    sidecar.hold_process();
    let ended = sidecar.wait_long(Duration::from_mins(1), || world.elapsed() < 3_500);
    assert_eq!((ended, world.elapsed()), (false, 4_000));
    assert!(!sidecar.wait_long(Duration::from_millis(300), || true));
    assert_eq!(world.elapsed(), 4_300);
}

#[test]
fn the_end_of_a_process_is_not_the_end_of_a_restarted_proxy() {
    let world = Script {
        listeners: vec![(ports::OUTBOUND, 0..100), (ports::OUTBOUND, 200..900)],
        processes: vec![(20, "envoy", 0..100), (21, "envoy", 150..900)],
        ..Script::default()
    };
    let mut sidecar = sidecar(&world);
    sidecar.find();
    sidecar.hold_process();
    world.pass_until(300);
    sidecar.find();
    assert!(!sidecar.has_ended(), "process 20 has ended, and process 21 listens");
    sidecar.hold_process();
    assert_eq!(state(&sidecar), "envoy");
    assert!(sidecar.wait(Duration::from_mins(1)));
    assert_eq!(world.elapsed(), 900);
}

#[test]
fn an_envoy_after_a_process_that_had_ztunnels_ports_is_an_envoy() {
    let world = Script {
        listeners: vec![(ports::OUTBOUND, ALWAYS), (ports::HBONE, 0..50), (ports::HEALTH, 100..u64::MAX)],
        ..Script::default()
    };
    let mut sidecar = sidecar(&world);
    assert!(sidecar.is_here() && sidecar.is_ztunnel());
    world.pass_until(110);
    assert!(sidecar.is_here() && !sidecar.is_ztunnel());
    assert_eq!(state(&sidecar), "running");
}
