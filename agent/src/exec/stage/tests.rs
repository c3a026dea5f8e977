use super::*;
use crate::options::RestartPolicy;
use crate::testing::options;

const GRACE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const SIGUSR1: i32 = 10;
const SIGKILLED: Exit = Exit::Signal(9);

fn stages(not_ready: NotReady, policy: RestartPolicy) -> Stages {
    let line = format!("exec --restart-policy {} -- true", policy.name());
    Stages { not_ready, grace: GRACE, ..Stages::begin(&options(&line), "main".to_owned()) }
}

/// The stages of a command that runs.
fn running() -> Stages {
    let mut stages = stages(NotReady::GoOn, RestartPolicy::Never);
    assert_eq!(stages.on(Event::Helper(Exit::Code(0)), Instant::now()), [Effect::Start]);
    stages
}

#[test]
fn the_command_starts_once_the_proxy_is_ready_and_its_exit_code_is_kept() {
    for (exit, code) in
        [(Exit::Code(0), 0), (Exit::Code(3), 3), (Exit::Code(255), 255), (SIGKILLED, 137), (Exit::Signal(15), 143)]
    {
        let (mut stages, now) = (running(), Instant::now());
        assert_eq!(stages.on(Event::Ended(exit), now), [Effect::ShutDown(exit, GRACE)]);
        assert_eq!(stages.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(code)]);
    }
}

#[test]
fn the_exit_code_is_the_commands_whatever_happens_to_the_helper() {
    for exit in [Exit::Code(69), Exit::Signal(6), SIGKILLED, Exit::Unknown] {
        let (mut stages, now) = (running(), Instant::now());
        stages.on(Event::Ended(Exit::Code(7)), now);
        assert_eq!(stages.on(Event::Helper(exit), now).last(), Some(&Effect::Leave(7)), "{exit:?}");
    }
}

#[test]
fn not_ready_decides_whether_the_command_starts() {
    let (not_ready, now) = (Event::Helper(Exit::Code(EX_UNAVAILABLE)), Instant::now());
    assert_eq!(stages(NotReady::GoOn, RestartPolicy::Never).on(not_ready, now), [Effect::Start]);
    let mut strict = stages(NotReady::Fail, RestartPolicy::Never);
    assert_eq!(strict.on(not_ready, now), [Effect::ShutDown(Exit::Code(69), GRACE)]);
    assert_eq!(strict.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(69)]);
}

#[test]
fn the_command_starts_if_the_helper_fails() {
    let effects = stages(NotReady::Fail, RestartPolicy::Never).on(Event::Helper(SIGKILLED), Instant::now());
    assert_eq!(effects.last(), Some(&Effect::Start));
}

#[test]
fn a_signal_to_end_while_waiting_ends_exec_without_the_command() {
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        let (mut stages, now) = (stages(NotReady::GoOn, RestartPolicy::Never), Instant::now());
        let effects = stages.on(Event::Signal(signal), now);
        assert_eq!(effects.first(), Some(&Effect::Cancel));
        assert!(!effects.contains(&Effect::Start), "{effects:?}");
        assert_eq!(stages.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(128 + number(signal))]);
    }
}

#[test]
fn other_signals_wait_for_the_command() {
    let (mut stages, now) = (stages(NotReady::GoOn, RestartPolicy::Never), Instant::now());
    for signal in [SIGUSR1, SIGCONT, 12, SIGUSR1] {
        assert!(stages.on(Event::Signal(signal), now).is_empty());
    }
    let expected = [Effect::Start, Effect::Forward(SIGUSR1), Effect::Forward(12)];
    assert_eq!(stages.on(Event::Helper(Exit::Code(0)), now), expected);
}

#[test]
fn every_signal_reaches_the_command() {
    let mut stages = running();
    for signal in (1..=64).filter(|signal| *signal != SIGCONT) {
        assert_eq!(stages.on(Event::Signal(signal), Instant::now()), [Effect::Forward(signal)]);
    }
    assert_eq!(stages.on(Event::Signal(SIGCONT), Instant::now()), [Effect::Continue]);
}

#[test]
fn exec_stops_with_its_command() {
    assert_eq!(running().on(Event::Stopped, Instant::now()), [Effect::Stop]);
}

#[test]
fn after_a_command_that_cannot_be_started_the_proxy_is_shut_down() {
    let (mut stages, now) = (running(), Instant::now());
    assert_eq!(stages.on(Event::NotStarted(127), now), [Effect::ShutDown(Exit::Code(127), GRACE)]);
    assert_eq!(stages.on(Event::Helper(Exit::Code(0)), now), [Effect::Leave(127)]);
}

#[test]
fn a_command_that_failed_under_on_failure_is_not_a_completion() {
    let now = Instant::now();
    for (exit, effect) in [
        (Exit::Code(1), Effect::Leave(1)),
        (SIGKILLED, Effect::Leave(137)),
        (Exit::Code(0), Effect::ShutDown(Exit::Code(0), GRACE)),
    ] {
        let mut stages = stages(NotReady::GoOn, RestartPolicy::OnFailure);
        stages.on(Event::Helper(Exit::Code(0)), now);
        assert_eq!(stages.on(Event::Ended(exit), now), [effect]);
    }
}

#[test]
fn what_follows_an_exit_code_can_be_told_for_the_container_itself() {
    let rules = r#"--restart-rules main=[{"action":"Restart","exitCodes":{"operator":"In","values":[42]}}]"#;
    let now = Instant::now();
    for (line, code, restarted) in
        [(rules, 42, true), (rules, 1, false), ("--restart-policy main=Always", 0, true), ("--restart-policy auto", 1, false)]
    {
        let mut stages = Stages::begin(&options(&format!("exec {line} -- true")), "main".to_owned());
        stages.on(Event::Helper(Exit::Code(0)), now);
        let expected = if restarted { Effect::Leave(code) } else { Effect::ShutDown(Exit::Code(code), GRACE) };
        assert_eq!(stages.on(Event::Ended(Exit::Code(code)), now), [expected], "{line}: {code}");
    }
}

#[test]
fn the_grace_period_begins_with_the_first_sigterm_and_limits_the_drain() {
    let (mut stages, now) = (running(), Instant::now());
    stages.on(Event::Signal(SIGTERM), now);
    stages.on(Event::Signal(SIGTERM), now + 2 * SECOND);
    assert_eq!(stages.deadline(), None, "the command can use all of it");
    let effects = stages.on(Event::Ended(Exit::Code(0)), now + 10 * SECOND);
    assert_eq!(effects, [Effect::ShutDown(Exit::Code(0), 20 * SECOND), Effect::Hurry]);
    assert_eq!(stages.deadline(), Some(now + 29 * SECOND));
    let effects = stages.on(Event::TimeUp, now + 29 * SECOND);
    assert_eq!((effects.first(), effects.last()), (Some(&Effect::Cancel), Some(&Effect::Leave(0))));
}

#[test]
fn a_sigterm_that_the_pod_has_outlived_limits_nothing() {
    let (mut stages, now) = (running(), Instant::now());
    stages.on(Event::Signal(SIGTERM), now);
    assert_eq!(stages.on(Event::Ended(Exit::Code(0)), now + 2 * GRACE), [Effect::ShutDown(Exit::Code(0), GRACE)]);
    assert_eq!(stages.deadline(), None);
}

#[test]
fn during_the_drain_sigterm_reaches_the_helper_and_ctrl_z_is_ignored() {
    let (mut stages, now) = (running(), Instant::now());
    stages.on(Event::Ended(Exit::Code(0)), now);
    assert!(stages.on(Event::Signal(SIGTSTP), now).is_empty());
    assert_eq!(stages.on(Event::Signal(SIGTERM), now), [Effect::Hurry]);
    assert_eq!(stages.deadline(), Some(now + 29 * SECOND));
}
