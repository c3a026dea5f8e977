use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A machine in virtual time, with the calls that it wants to be made.
struct Rig {
    machine: Machine,
    now: Instant,
    asked: Vec<Effect>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let now = Instant::at(Duration::from_secs(1_000));
        Self { machine: Machine::new(limits, now), now, asked: Vec::new() }
    }

    fn on(&mut self, event: Event) {
        let effects = self.machine.on(event, self.now);
        self.asked.extend(effects);
    }

    fn signal(&mut self, action: Action, unsent: Option<Unsent>) {
        self.on(Event::Signal(completion(action, unsent)));
    }

    /// Answers the oldest unanswered `call` as soon as it is made.
    fn answer(&mut self, call: Call, answer: Answer) {
        self.answer_when(call, answer, 1_000);
    }

    /// The same, for a call that is made within `ms`.
    fn answer_when(&mut self, call: Call, answer: Answer, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(wake) = self.machine.next_wake().filter(|wake| *wake <= end && !self.has_asked(call)) {
            self.now = wake.max(self.now);
            self.on(Event::Tick);
        }
        let place = self.asked.iter().position(|effect| effect.call == call).unwrap_or_else(|| panic!("{call:?} was not asked"));
        let effect = self.asked.remove(place);
        self.on(Event::Answer(effect.id, answer));
    }

    fn has_asked(&self, call: Call) -> bool {
        self.asked.iter().any(|effect| effect.call == call)
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
        self.on(Event::Tick);
    }

    /// Lets time pass from wake-up to wake-up, at most `ms`, and answers nothing.
    fn sleep(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(wake) = self.machine.next_wake().filter(|wake| *wake <= end) {
            self.now = wake.max(self.now + Duration::from_millis(1));
            self.on(Event::Tick);
        }
        self.now = end;
        self.on(Event::Tick);
    }

    /// Lets time pass while the agent repeats its report every second.
    fn sleep_beside(&mut self, unsent: Unsent, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.sleep(milliseconds(end.since(self.now)).min(1_000));
            if self.now < end {
                self.signal(Action::Quit, Some(unsent));
            }
        }
    }

    fn log(&mut self) -> Vec<String> {
        self.machine.take_transitions().iter().map(ToString::to_string).collect()
    }
}

fn completion(action: Action, unsent: Option<Unsent>) -> Completion {
    Completion {
        container: Some("base".to_owned()),
        exit_code: Some(0),
        signal: None,
        action,
        unsent,
        ended_at_ms: None,
        drain_timeout_ms: None,
        stall_timeout_ms: None,
    }
}

fn facts(connections: u32, bytes: u64, downstream: u32) -> Unsent {
    Unsent { connections, bytes, downstream: Some(downstream), buffers: 0 }
}

#[test]
fn while_serving_there_is_no_timer_and_no_call() {
    let mut rig = Rig::new();
    rig.pass(1_000_000);
    assert_eq!(rig.machine.state(), State::Serving);
    assert_eq!(rig.machine.next_wake(), None);
    assert_eq!(rig.asked, []);
}

#[test]
fn a_completion_drains_inbound_and_does_not_touch_outbound() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(1, 5_000, 1)));
    assert_eq!(rig.machine.state(), State::Draining);
    let calls: Vec<Call> = rig.asked.iter().map(|effect| effect.call).collect();
    assert_eq!(calls, [Call::FailHealthcheck, Call::DrainListeners]);
}

#[test]
fn one_idle_reading_is_not_enough_and_two_are() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(2);
    assert_eq!(rig.machine.state(), State::Draining);
    rig.pass(2);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Quitting);
    assert!(rig.has_asked(Call::Quit));
    assert_eq!(
        rig.log(),
        [
            "serving => draining: base has ended (exit code 0), action quit",
            "draining => quitting: everything is delivered after 4 ms"
        ]
    );
}

#[test]
fn two_idle_readings_too_close_together_count_as_one() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(1);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Draining);
}

#[test]
fn a_busy_reading_between_two_idle_ones_starts_again() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(2);
    rig.signal(Action::Quit, Some(facts(1, 10, 1)));
    rig.pass(2);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Draining);
}

#[test]
fn envoy_gives_the_second_reading_if_the_agent_does_not() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.sleep(20);
    rig.answer(Call::CountClusters, Answer::ClusterCount(8));
    rig.answer(Call::Clusters, Answer::InFlight(0));
    assert_eq!(rig.machine.state(), State::Quitting);
}

#[test]
fn while_the_kernel_holds_bytes_envoy_is_not_asked() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(1, 5_000, 1)));
    rig.sleep_beside(facts(1, 5_000, 1), 10_000);
    assert!(!rig.has_asked(Call::CountClusters) && !rig.has_asked(Call::Clusters));
    assert_eq!(rig.machine.state(), State::Draining);
}

#[test]
fn a_request_of_a_helper_container_counts() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 1)));
    rig.answer(Call::CountClusters, Answer::ClusterCount(8));
    for _ in 0..100 {
        rig.answer(Call::Clusters, Answer::InFlight(1));
        assert_eq!(rig.machine.state(), State::Draining);
    }
    rig.answer(Call::Clusters, Answer::InFlight(0));
    rig.answer(Call::Clusters, Answer::InFlight(0));
    assert_eq!(rig.machine.state(), State::Quitting);
}

#[test]
fn envoys_own_streams_do_not_count_if_no_process_has_a_connection() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.sleep(20);
    rig.answer(Call::CountClusters, Answer::ClusterCount(8));
    rig.answer(Call::Clusters, Answer::InFlight(1));
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Quitting);
}

#[test]
fn without_facts_envoys_count_is_the_only_evidence_and_cannot_show_a_stall() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, None);
    rig.answer(Call::CountClusters, Answer::ClusterCount(8));
    let end = rig.now + Duration::from_mins(1);
    while rig.now < end {
        rig.answer(Call::Clusters, Answer::InFlight(1));
    }
    assert_eq!(rig.machine.state(), State::Draining);
}

#[test]
fn too_many_clusters_are_not_asked() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 3)));
    rig.answer(Call::CountClusters, Answer::ClusterCount(10_000));
    rig.sleep(900);
    assert!(!rig.has_asked(Call::Clusters));
    assert_eq!(rig.machine.state(), State::Draining, "one reading of the agent is not enough");
    rig.signal(Action::Quit, Some(facts(0, 0, 3)));
    assert_eq!(rig.machine.state(), State::Quitting);
}

#[test]
fn a_receiver_that_reads_nothing_is_given_up_after_the_stall_timeout() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(1, 5_000, 1)));
    rig.sleep_beside(facts(1, 5_000, 1), 14_999);
    assert_eq!(rig.machine.state(), State::Draining);
    rig.sleep(1);
    assert_eq!(rig.machine.state(), State::Quitting);
    let last = rig.log().pop().unwrap_or_default();
    let why = "no byte has moved for the stall timeout after 15000 ms, undelivered: 5000 bytes in 1 connections, \
               requests in flight: unknown";
    assert_eq!(last, format!("draining => quitting: {why}"));
}

/// Facts of a kernel that holds nothing, while Envoy may buffer telemetry.
fn buffered() -> Unsent {
    Unsent { buffers: 1, ..facts(0, 0, 0) }
}

#[test]
fn telemetry_that_envoy_buffers_is_waited_for_and_then_two_idle_readings_end_the_drain() {
    for (action, end) in [(Action::Quit, State::Quitting), (Action::Drain, State::Drained)] {
        let mut rig = Rig::new();
        for _ in 0..5 {
            rig.signal(action, Some(buffered()));
            rig.sleep(200);
            assert_eq!(rig.machine.state(), State::Draining);
        }
        rig.signal(action, Some(facts(0, 0, 0)));
        assert_eq!(rig.machine.state(), State::Draining, "the last flush may be inside Envoy");
        rig.pass(4);
        rig.signal(action, Some(facts(0, 0, 0)));
        assert_eq!(rig.machine.state(), end);
        assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Delivered));
    }
}

#[test]
fn buffered_telemetry_is_no_stall_but_its_reporter_can_fall_silent() {
    let mut rig = Rig::new();
    rig.on(Event::Signal(Completion { stall_timeout_ms: Some(1_000), ..completion(Action::Quit, Some(buffered())) }));
    rig.sleep_beside(buffered(), 5_000);
    assert_eq!(rig.machine.state(), State::Draining, "the agent says when it is flushed");
    rig.sleep(60_000);
    assert_eq!(rig.machine.state(), State::Quitting, "the agent was killed");
}

#[test]
fn telemetry_does_not_outlast_the_drain_timeout() {
    let mut rig = Rig::new();
    rig.on(Event::Signal(Completion { drain_timeout_ms: Some(3_000), ..completion(Action::Quit, Some(buffered())) }));
    rig.sleep_beside(buffered(), 3_000);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::DeadlinePassed));
}

#[test]
fn for_a_receiver_that_reads_slowly_the_drain_goes_on_until_the_deadline() {
    let mut rig = Rig::new();
    for second in 0..299 {
        rig.signal(Action::Quit, Some(facts(1, 5_000 - second, 1)));
        rig.sleep(1_000);
        assert_eq!(rig.machine.state(), State::Draining, "after {second} s");
    }
    rig.sleep(1_000);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::DeadlinePassed));
    assert_eq!(rig.machine.undelivered().bytes, 5_000 - 298);
}

#[test]
fn a_suspended_process_is_not_a_stall() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(2, 5_000, 1)));
    // Envoy blocks for longer than the stall timeout. The first event after that is the overdue tick.
    rig.now = rig.now + Limits::STALL_TIMEOUT + Duration::from_secs(3);
    rig.on(Event::Tick);
    assert_eq!(rig.machine.state(), State::Draining);
    rig.signal(Action::Quit, Some(facts(2, 5_000, 1)));
    rig.sleep_beside(facts(2, 5_000, 1), 15_000);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Stalled), "after that time a stall is one");
}

#[test]
fn a_late_call_takes_only_the_unwatched_time_out_of_a_stall() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(2, 5_000, 1)));
    rig.sleep_beside(facts(2, 5_000, 1), 14_000);
    // Envoy blocks for five seconds, of which half a second is no news.
    rig.pass(5_000);
    rig.signal(Action::Quit, Some(facts(2, 5_000, 1)));
    rig.sleep(499);
    assert_eq!(rig.machine.state(), State::Draining);
    rig.sleep(1);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Stalled), "not another 15 s");
}

#[test]
fn calls_that_are_always_late_do_not_keep_a_stalled_drain() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(2, 5_000, 1)));
    for _ in 0..30 {
        rig.pass(800);
        rig.signal(Action::Quit, Some(facts(2, 5_000, 1)));
    }
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Stalled));
}

#[test]
fn the_limits_of_a_completion_count_instead_of_the_configured_ones() {
    let held = Some(facts(1, 5_000, 1));
    let told = Completion { drain_timeout_ms: Some(600_000), stall_timeout_ms: Some(2_000), ..completion(Action::Quit, held) };
    let mut rig = Rig::new();
    rig.on(Event::Signal(told));
    rig.signal(Action::Quit, held);
    let status = rig.machine.status(rig.now);
    assert_eq!((status.drain_timeout_ms, status.stall_timeout_ms), (Some(600_000), Some(2_000)), "a later signal without limits");
    assert_eq!((status.deadline_ms, status.limit), (Some(600_000), None));
    rig.sleep_beside(facts(1, 5_000, 1), 2_000);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Stalled));
    assert_eq!(rig.machine.status(rig.now).limit.as_deref(), Some("stall-timeout"));
}

#[test]
fn without_limits_in_the_completion_the_status_tells_the_configured_ones() {
    let configured = Limits { drain_timeout: Duration::from_secs(10), ..Limits::default() };
    let mut rig = Rig::with(configured);
    assert_eq!(rig.machine.status(rig.now).drain_timeout_ms, Some(10_000));
    let mut bytes = 5_000;
    rig.signal(Action::Drain, Some(facts(1, bytes, 1)));
    for _ in 0..11 {
        rig.sleep(1_000);
        bytes -= 1;
        rig.signal(Action::Drain, Some(facts(1, bytes, 1)));
    }
    let snapshot =
        Snapshot::parse(rig.machine.snapshot(rig.now).to_json().as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    assert_eq!(snapshot.status(Duration::ZERO, &configured).limit.as_deref(), Some("drain-timeout"), "every worker tells it");
    let resumed = Machine::resume(configured, &snapshot, Duration::ZERO, rig.now);
    assert_eq!(resumed.left(), rig.machine.left());
}

#[test]
fn a_resumed_machine_keeps_the_limits_of_the_completion() {
    let mut rig = Rig::new();
    let told = Completion { drain_timeout_ms: Some(20_000), ..completion(Action::Quit, Some(facts(1, 5_000, 1))) };
    rig.on(Event::Signal(told));
    let resumed = Machine::resume(Limits::default(), &rig.machine.snapshot(rig.now), Duration::from_secs(5), rig.now);
    assert_eq!(resumed.status(rig.now).deadline_ms, Some(15_000));
}

#[test]
fn without_the_agent_envoys_count_remains_and_cannot_show_a_stall() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(1, 5_000, 1)));
    rig.answer_when(Call::CountClusters, Answer::ClusterCount(8), 6_000);
    let end = rig.now + Duration::from_mins(1);
    while rig.now < end {
        rig.answer(Call::Clusters, Answer::InFlight(1));
        assert_eq!(rig.machine.state(), State::Draining, "bytes may move without being seen");
    }
    rig.answer(Call::Clusters, Answer::InFlight(0));
    rig.answer(Call::Clusters, Answer::InFlight(0));
    assert_eq!(rig.machine.state(), State::Draining, "Envoy has no more data, but the kernel may, and it needs time to send it");
    rig.sleep(15_000);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Delivered));
}

#[test]
fn without_any_evidence_the_drain_ends_after_the_stall_timeout() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, None);
    for _ in 0..4 {
        rig.sleep(1_000);
        rig.answer(Call::CountClusters, Answer::Failed(Failure::Status(503)));
    }
    rig.sleep(10_000);
    assert_eq!(rig.machine.state(), State::Draining);
    rig.sleep(6_000);
    assert_eq!(rig.machine.left().map(|(reason, _)| reason), Some(Reason::Blind));
}

#[test]
fn drain_never_quits_and_ends_in_drained() {
    let mut rig = Rig::new();
    rig.signal(Action::Drain, Some(facts(0, 0, 0)));
    rig.pass(4);
    rig.signal(Action::Drain, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Drained);
    rig.sleep(1_000_000);
    assert!(!rig.has_asked(Call::Quit) && !rig.has_asked(Call::PilotAgentQuit));
    assert_eq!(rig.machine.next_wake(), None);
}

#[test]
fn drain_outranks_quit_whichever_comes_first() {
    for (first, second) in [(Action::Drain, Action::Quit), (Action::Quit, Action::Drain)] {
        let mut rig = Rig::new();
        rig.signal(first, Some(facts(1, 1, 1)));
        rig.signal(second, Some(facts(0, 0, 0)));
        rig.pass(4);
        rig.signal(Action::Quit, Some(facts(0, 0, 0)));
        assert_eq!(rig.machine.state(), State::Drained, "{first:?}, then {second:?}");
    }
}

#[test]
fn a_drain_that_comes_while_quitting_stops_the_repetitions() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(4);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.signal(Action::Drain, None);
    assert_eq!(rig.machine.state(), State::Drained);
    rig.asked.clear();
    rig.sleep(100_000);
    assert_eq!(rig.asked, []);
}

#[test]
fn quit_never_leaves_envoy_running() {
    let mut rig = Rig::with(Limits { may_quit: false, ..Limits::default() });
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(4);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Drained);
    assert!(!rig.has_asked(Call::Quit));
}

#[test]
fn a_refused_quit_goes_to_pilot_agent_and_is_repeated() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(4);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.answer(Call::Quit, Answer::Failed(Failure::NotSent));
    rig.answer(Call::PilotAgentQuit, Answer::Failed(Failure::Status(500)));
    for _ in 0..20 {
        rig.sleep(5_000);
        let next = rig.asked.pop().unwrap_or_else(|| panic!("it has given up"));
        rig.on(Event::Answer(next.id, Answer::Failed(Failure::NoAnswer)));
    }
    assert_eq!(rig.machine.state(), State::Quitting);
}

#[test]
fn late_and_unknown_answers_change_nothing() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, None);
    rig.answer(Call::CountClusters, Answer::ClusterCount(8));
    let late = rig.asked.iter().find(|effect| effect.call == Call::Clusters).copied();
    rig.sleep(6_000);
    let late = late.unwrap_or_else(|| panic!("/clusters was not asked"));
    rig.on(Event::Answer(late.id, Answer::InFlight(0)));
    rig.on(Event::Answer(CallId(4_711), Answer::InFlight(0)));
    assert_eq!(rig.machine.in_flight(), None);
    assert_eq!(rig.machine.state(), State::Draining);
}

#[test]
fn the_first_container_keeps_its_name_and_missing_facts_do_not_replace_known_ones() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(2, 9, 2)));
    rig.on(Event::Signal(Completion { container: Some("other".to_owned()), ..completion(Action::Quit, None) }));
    let status = rig.machine.status(rig.now);
    assert_eq!(status.container.as_deref(), Some("base"));
    assert_eq!(status.unsent, Some(facts(2, 9, 2)));
}

#[test]
fn a_resumed_machine_keeps_its_limits_and_makes_its_calls_again() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(1, 5, 1)));
    rig.sleep(10_000);
    rig.signal(Action::Quit, Some(facts(1, 4, 1)));
    let text = rig.machine.snapshot(rig.now).to_json();
    let snapshot = Snapshot::parse(text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));

    let later = rig.now + Duration::from_secs(5);
    let mut resumed = Machine::resume(Limits::default(), &snapshot, Duration::from_secs(5), later);
    assert_eq!(resumed.state(), State::Draining);
    assert_eq!(resumed.undelivered().bytes, 4);
    assert_eq!(resumed.status(later).deadline_ms, Some(285_000));
    let calls = resumed.on(Event::Tick, later);
    assert!(calls.iter().any(|effect| effect.call == Call::DrainListeners));
    for second in 1..=15 {
        let now = later + Duration::from_secs(second);
        while let Some(wake) = resumed.next_wake().filter(|wake| *wake <= now && resumed.state() == State::Draining) {
            resumed.on(Event::Tick, wake);
        }
        resumed.on(Event::Signal(completion(Action::Quit, Some(facts(1, 4, 1)))), now);
    }
    assert_eq!(resumed.state(), State::Quitting);
}

#[test]
fn a_resumed_machine_does_not_trust_an_old_idle_reading() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    let snapshot = rig.machine.snapshot(rig.now);
    rig.now = rig.now + Duration::from_millis(500);
    rig.machine = Machine::resume(Limits::default(), &snapshot, Duration::from_millis(500), rig.now);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Draining);
}

#[test]
fn a_proxy_that_stays_goes_on_serving_inbound_requests() {
    let mut rig = Rig::new();
    rig.signal(Action::Drain, Some(facts(1, 5_000, 1)));
    assert_eq!(rig.asked, [], "the task may go on after all");
}

#[test]
fn under_drain_a_new_end_starts_a_new_drain_and_new_facts_do_not() {
    let mut rig = Rig::new();
    let end = |ended_at_ms, unsent| {
        Event::Signal(Completion { container: None, ended_at_ms: Some(ended_at_ms), ..completion(Action::Drain, Some(unsent)) })
    };
    for _ in 0..2 {
        rig.on(end(1_000, facts(0, 0, 0)));
        rig.pass(4);
    }
    assert_eq!(rig.machine.state(), State::Drained);
    rig.sleep(400_000);
    rig.on(end(1_000, facts(1, 7, 1)));
    assert_eq!(rig.machine.state(), State::Drained, "the same end");

    rig.on(end(401_000, facts(1, 7, 1)));
    assert_eq!(rig.machine.state(), State::Draining, "the task went on, and has ended now");
    assert_eq!(rig.machine.status(rig.now).deadline_ms, Some(300_000), "with all of its time");
    rig.on(end(1_000, facts(1, 6, 1)));
    assert_eq!(rig.machine.status(rig.now).unsent, Some(facts(1, 6, 1)), "an older report is only a report");
    for _ in 0..2 {
        rig.on(end(401_000, facts(0, 0, 0)));
        rig.pass(4);
    }
    assert_eq!(rig.machine.state(), State::Drained);
}

#[test]
fn a_new_end_does_not_undo_a_quit() {
    let mut rig = Rig::new();
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    rig.pass(4);
    rig.signal(Action::Quit, Some(facts(0, 0, 0)));
    assert_eq!(rig.machine.state(), State::Quitting);
    rig.on(Event::Signal(Completion { ended_at_ms: Some(9), ..completion(Action::Quit, Some(facts(1, 1, 1))) }));
    assert_eq!(rig.machine.state(), State::Quitting);
}

#[test]
fn the_answer_to_a_new_end_is_draining_before_the_machine_has_handled_it() {
    let mut rig = Rig::new();
    let end = |at| Completion { ended_at_ms: Some(at), ..completion(Action::Drain, Some(facts(0, 0, 0))) };
    for _ in 0..2 {
        rig.on(Event::Signal(end(1)));
        rig.pass(4);
    }
    let snapshot = rig.machine.snapshot(rig.now);
    assert_eq!(snapshot.clone().with(end(1)).state(), State::Drained);
    assert_eq!(snapshot.with(end(2)).state(), State::Draining);
}

#[test]
fn the_last_limit_of_the_process_counts_and_never_exceeds_the_drain_timeout() {
    let mut rig = Rig::new();
    rig.signal(Action::Drain, Some(facts(1, 5, 1)));
    let seconds = |seconds| Duration::from_secs(seconds);
    let deadline = |rig: &Rig| rig.machine.status(rig.now).deadline_ms;
    rig.machine.leave_within(seconds(28), rig.now);
    assert_eq!(deadline(&rig), Some(28_000));
    rig.sleep(8_000);
    rig.machine.leave_within(seconds(28), rig.now);
    assert_eq!(deadline(&rig), Some(28_000), "a second SIGTERM begins another grace period");
    rig.machine.leave_within(seconds(1_000), rig.now);
    assert_eq!(deadline(&rig), Some(292_000));
}
