use super::*;

const GRACE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const SIGUSR1: i32 = 10;
const SIGKILLED: Exit = Exit::Signal(9);

fn order(not_ready: NotReady, policy: RestartPolicy) -> Stages {
    Stages { stage: Stage::Waiting, not_ready, policy, grace: GRACE, asked: None, early: Vec::new() }
}

/// An order whose command runs.
fn running() -> Stages {
    let mut order = order(NotReady::GoOn, RestartPolicy::Never);
    assert_eq!(order.on(Event::Helper(Exit::Code(0)), Instant::now()), [Effect::Start]);
    order
}

#[test]
fn the_command_starts_once_the_proxy_is_ready_and_its_end_is_ours() {
    for (exit, code) in
        [(Exit::Code(0), 0), (Exit::Code(3), 3), (Exit::Code(255), 255), (SIGKILLED, 137), (Exit::Signal(15), 143)]
    {
        let (mut order, now) = (running(), Instant::now());
        assert_eq!(order.on(Event::Ended(exit), now), [Effect::ShutDown(exit, GRACE)]);
        assert_eq!(order.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(code)]);
    }
}

#[test]
fn whatever_becomes_of_our_own_part_the_code_is_the_commands() {
    for exit in [Exit::Code(69), Exit::Signal(6), SIGKILLED, Exit::Unknown] {
        let (mut order, now) = (running(), Instant::now());
        order.on(Event::Ended(Exit::Code(7)), now);
        assert_eq!(order.on(Event::Helper(exit), now).last(), Some(&Effect::Leave(7)), "{exit:?}");
    }
}

#[test]
fn a_proxy_that_is_not_ready_in_time_is_what_was_asked_for() {
    let (not_ready, now) = (Event::Helper(Exit::Code(EX_UNAVAILABLE)), Instant::now());
    assert_eq!(order(NotReady::GoOn, RestartPolicy::Never).on(not_ready, now), [Effect::Start]);
    let mut strict = order(NotReady::Fail, RestartPolicy::Never);
    assert_eq!(strict.on(not_ready, now), [Effect::ShutDown(Exit::Code(69), GRACE)]);
    assert_eq!(strict.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(69)]);
}

#[test]
fn a_helper_that_fails_while_it_waits_never_costs_the_task() {
    let effects = order(NotReady::Fail, RestartPolicy::Never).on(Event::Helper(SIGKILLED), Instant::now());
    assert_eq!(effects.last(), Some(&Effect::Start));
}

#[test]
fn a_signal_to_end_while_waiting_ends_us_without_the_command() {
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        let (mut order, now) = (order(NotReady::GoOn, RestartPolicy::Never), Instant::now());
        let effects = order.on(Event::Signal(signal), now);
        assert_eq!(effects.first(), Some(&Effect::Cancel));
        assert!(!effects.contains(&Effect::Start), "{effects:?}");
        assert_eq!(order.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(128 + number(signal))]);
    }
}

#[test]
fn other_signals_wait_for_the_command() {
    let (mut order, now) = (order(NotReady::GoOn, RestartPolicy::Never), Instant::now());
    for signal in [SIGUSR1, SIGCONT, 12, SIGUSR1] {
        assert!(order.on(Event::Signal(signal), now).is_empty());
    }
    let expected = [Effect::Start, Effect::Forward(SIGUSR1), Effect::Forward(12)];
    assert_eq!(order.on(Event::Helper(Exit::Code(0)), now), expected);
}

#[test]
fn every_signal_reaches_the_command() {
    let mut order = running();
    for signal in (1..=64).filter(|signal| *signal != SIGCONT) {
        assert_eq!(order.on(Event::Signal(signal), Instant::now()), [Effect::Forward(signal)]);
    }
    assert_eq!(order.on(Event::Signal(SIGCONT), Instant::now()), [Effect::Continue]);
}

#[test]
fn a_command_that_stops_stops_us() {
    assert_eq!(running().on(Event::Stopped, Instant::now()), [Effect::Stop]);
}

#[test]
fn the_proxy_is_seen_out_after_a_command_that_cannot_be_started() {
    let (mut order, now) = (running(), Instant::now());
    assert_eq!(order.on(Event::NotStarted(127), now), [Effect::ShutDown(Exit::Code(127), GRACE)]);
    assert_eq!(order.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(127)]);
}

#[test]
fn failed_main_under_on_failure_is_not_completed() {
    let now = Instant::now();
    for (exit, effect) in [
        (Exit::Code(1), Effect::Leave(1)),
        (SIGKILLED, Effect::Leave(137)),
        (Exit::Code(0), Effect::ShutDown(Exit::Code(0), GRACE)),
    ] {
        let mut order = order(NotReady::GoOn, RestartPolicy::OnFailure);
        order.on(Event::Helper(Exit::Code(0)), now);
        assert_eq!(order.on(Event::Ended(exit), now), [effect]);
    }
}

#[test]
fn the_grace_period_begins_with_the_first_sigterm_and_bounds_the_drain() {
    let (mut order, now) = (running(), Instant::now());
    order.on(Event::Signal(SIGTERM), now);
    order.on(Event::Signal(SIGTERM), now + 2 * SECOND);
    assert_eq!(order.deadline(), None, "the command has all of it");
    let effects = order.on(Event::Ended(Exit::Code(0)), now + 10 * SECOND);
    assert_eq!(effects, [Effect::ShutDown(Exit::Code(0), 20 * SECOND), Effect::Hurry]);
    assert_eq!(order.deadline(), Some(now + 29 * SECOND));
    let effects = order.on(Event::TimeUp, now + 29 * SECOND);
    assert_eq!((effects.first(), effects.last()), (Some(&Effect::Cancel), Some(&Effect::Leave(0))));
}

#[test]
fn a_sigterm_that_the_pod_has_outlived_bounds_nothing() {
    let (mut order, now) = (running(), Instant::now());
    order.on(Event::Signal(SIGTERM), now);
    assert_eq!(order.on(Event::Ended(Exit::Code(0)), now + 2 * GRACE), [Effect::ShutDown(Exit::Code(0), GRACE)]);
    assert_eq!(order.deadline(), None);
}

#[test]
fn during_the_drain_sigterm_makes_the_helper_hurry_and_ctrl_z_holds_nothing_up() {
    let (mut order, now) = (running(), Instant::now());
    order.on(Event::Ended(Exit::Code(0)), now);
    assert!(order.on(Event::Signal(SIGTSTP), now).is_empty());
    assert_eq!(order.on(Event::Signal(SIGTERM), now), [Effect::Hurry]);
    assert_eq!(order.deadline(), Some(now + 29 * SECOND));
}
