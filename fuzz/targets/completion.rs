//! The completion, as the filter reads it from the header or from the body.
#![no_main]

use drain::limits::Limits;
use drain::wire::{Action, Completion, MAX_BODY};
use exeunt_fuzz::{check_names, check_refusal};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    // The filter refuses a longer one without reading it.
    let data = &data[..data.len().min(MAX_BODY)];
    match Completion::parse(data) {
        Ok(completion) => {
            check_document(&completion, data);
            let text = completion.to_json();
            assert!(text.len() <= MAX_BODY, "what was accepted could not be sent");
            assert_eq!(Completion::parse(text.as_bytes()).as_ref(), Ok(&completion), "{text}");
            assert!(completion.container.as_ref().is_none_or(|name| (1..=63).contains(&name.len())));
            assert!(completion.exit_code.is_none() || completion.signal.is_none());
            assert!(completion.signal.is_none_or(|signal| (1..=64).contains(&signal)));
            let limits = Limits::default().with(&completion);
            assert!(Limits::TIMEOUTS.contains(&limits.drain_timeout) && Limits::TIMEOUTS.contains(&limits.stall_timeout));
            // A repetition changes nothing, and no later signal cancels a drain.
            assert_eq!(completion.clone().after(&completion), completion);
            let later = Completion { action: Action::Quit, ..completion.clone() };
            assert_eq!(later.after(&completion).action, completion.action);
        }
        Err(mistakes) => check_refusal(&mistakes, data),
    }
});

/// Compares what was read with the tree that `serde_json` makes of the same text.
fn check_document(completion: &Completion, data: &[u8]) {
    let document: Value = serde_json::from_slice(data).expect("it was read as JSON");
    let names = ["container", "exitCode", "signal", "action", "unsent", "endedAtMs", "drainTimeoutMs", "stallTimeoutMs"];
    check_names(&document, &names);
    assert_eq!(document["container"].as_str(), completion.container.as_deref());
    assert_eq!(document["endedAtMs"].as_u64(), completion.ended_at_ms);
    assert_eq!(document["drainTimeoutMs"].as_u64(), completion.drain_timeout_ms);
    assert_eq!(document["stallTimeoutMs"].as_u64(), completion.stall_timeout_ms);
    assert_eq!(document["action"], completion.action.name());
    assert_eq!(document["exitCode"].as_u64(), completion.exit_code.map(u64::from));
    assert_eq!(document["signal"].as_u64(), completion.signal.map(u64::from));
    let unsent = &document["unsent"];
    assert_eq!(unsent["bytes"].as_u64(), completion.unsent.map(|unsent| unsent.bytes));
    assert_eq!(unsent["connections"].as_u64(), completion.unsent.map(|unsent| u64::from(unsent.connections)));
    assert_eq!(unsent["downstream"].as_u64(), completion.unsent.and_then(|unsent| unsent.downstream).map(u64::from));
    if completion.unsent.is_some() {
        check_names(unsent, &["connections", "bytes", "downstream"]);
    }
}
