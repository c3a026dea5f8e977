//! The signal as the filter takes it, from the header or from the body: both are read by the same function.
#![no_main]

use drain::wire::{Action, Completion, MAX_BODY};
use exeunt_fuzz::check_refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The filter refuses a longer one unread.
    let data = &data[..data.len().min(MAX_BODY)];
    match Completion::parse(data) {
        Ok(completion) => {
            let text = completion.to_json();
            assert!(text.len() <= MAX_BODY, "what was taken could not be sent");
            assert_eq!(Completion::parse(text.as_bytes()).as_ref(), Ok(&completion), "{text}");
            assert!((1..=63).contains(&completion.container.len()));
            assert!(completion.exit_code.is_none() || completion.signal.is_none());
            assert!(completion.signal.is_none_or(|signal| (1..=64).contains(&signal)));
            // A repetition changes nothing, and no later signal takes a drain back.
            assert_eq!(completion.clone().after(&completion), completion);
            let later = Completion { action: Action::Quit, ..completion.clone() };
            assert_eq!(later.after(&completion).action, completion.action);
        }
        Err(mistakes) => check_refusal(&mistakes, data),
    }
});
