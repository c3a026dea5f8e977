//! The drain machine under any sequence of events, as a hostile pod could send them: it goes back only for a new end under `drain`, never
//! makes calls without end, and never quits after it was told to drain only.
#![no_main]

use core::time::Duration;

use drain::admin::{Answer, Call, CallId, Failure};
use drain::limits::Limits;
use drain::machine::{Event, Machine, State};
use drain::time::Instant;
use drain::wire::{Action, Completion, Unsent};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The sequence ends where the bytes end.
    let _ = run(&mut Unstructured::new(data));
});

fn run(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut now = Instant::at(Duration::ZERO);
    let mut machine = Machine::new(Limits { may_quit: bytes.arbitrary()?, ..Limits::default() }, now);
    let (mut told_to_drain, mut calls) = (false, 0u32);
    while !bytes.is_empty() {
        now = now + Duration::from_millis(bytes.int_in_range(0..=20_000)?);
        let event = event(bytes, calls)?;
        told_to_drain |= matches!(&event, Event::Signal(completion) if completion.action == Action::Drain);
        let new_end = matches!(&event, Event::Signal(Completion { action: Action::Drain, ended_at_ms: Some(_), .. }));
        let before = machine.state();
        let effects = machine.on(event, now);
        calls += u32::try_from(effects.len()).unwrap_or(u32::MAX);
        assert!(effects.len() <= 3, "{effects:?}");
        let quits = effects.iter().any(|effect| matches!(effect.call, Call::Quit | Call::PilotAgentQuit));
        assert!(!(quits && told_to_drain));
        let after = machine.state();
        let back = (before, after) == (State::Quitting, State::Drained)
            || new_end && (before, after) == (State::Drained, State::Draining);
        assert!(place(after) >= place(before) || back, "{before:?} => {after:?}");
        assert!(machine.next_wake().is_none_or(|wake| wake > now), "it would be woken without end: {after:?}");
        let _ = (machine.status(now), machine.take_transitions());
    }
    Ok(())
}

fn place(state: State) -> Option<usize> {
    State::ALL.iter().position(|known| *known == state)
}

fn event(bytes: &mut Unstructured<'_>, calls: u32) -> Result<Event> {
    Ok(match bytes.int_in_range(0..=8)? {
        0..=2 => Event::Tick,
        3..=5 => Event::Signal(Completion {
            container: Some("base".to_owned()),
            exit_code: bytes.arbitrary()?,
            signal: None,
            action: if bytes.ratio(1, 8)? { Action::Drain } else { Action::Quit },
            unsent: if bytes.arbitrary()? { Some(unsent(bytes)?) } else { None },
            ended_at_ms: if bytes.ratio(1, 4)? { Some(bytes.int_in_range(0..=3)?) } else { None },
            drain_timeout_ms: if bytes.ratio(1, 4)? { Some(bytes.int_in_range(1..=86_400_000)?) } else { None },
            stall_timeout_ms: if bytes.ratio(1, 4)? { Some(bytes.int_in_range(1..=86_400_000)?) } else { None },
        }),
        // Also for calls that were never made, or were answered before.
        _ => Event::Answer(CallId(bytes.int_in_range(0..=calls.saturating_add(1))?), answer(bytes)?),
    })
}

fn unsent(bytes: &mut Unstructured<'_>) -> Result<Unsent> {
    Ok(match bytes.int_in_range(0..=2)? {
        0 => Unsent { connections: 0, bytes: 0, downstream: Some(0), buffers: u32::from(bytes.arbitrary::<bool>()?) },
        1 => Unsent { connections: 0, bytes: 0, downstream: bytes.arbitrary()?, buffers: 0 },
        _ => Unsent {
            connections: bytes.arbitrary()?,
            bytes: bytes.arbitrary()?,
            downstream: bytes.arbitrary()?,
            buffers: bytes.arbitrary()?,
        },
    })
}

fn answer(bytes: &mut Unstructured<'_>) -> Result<Answer> {
    Ok(match bytes.int_in_range(0..=6)? {
        0 => Answer::Done,
        1 => Answer::ClusterCount(bytes.arbitrary()?),
        2 => Answer::InFlight(0),
        3 => Answer::InFlight(bytes.arbitrary()?),
        4 => Answer::Failed(Failure::NotSent),
        5 => Answer::Failed(Failure::NoAnswer),
        _ => Answer::Failed(Failure::Status(bytes.arbitrary()?)),
    })
}
