//! What several targets need.

use drain::fields::Mistake;
use serde_json::Value;

/// A message that is longer than this per byte of what it is about would be a way to fill a log, or a pod's memory.
const LONGEST_PER_BYTE: usize = 96;
/// What a message says beside what it is about.
const LONGEST_BESIDE: usize = 1_024;

/// Holds what every refusal owes to its reader: it says something, line by line, and not without end.
///
/// # Panics
/// Where it does not.
pub fn check_refusal(mistakes: &[Mistake], input: &[u8]) {
    assert!(!mistakes.is_empty(), "refused without a reason");
    let mut length = 0;
    for mistake in mistakes {
        let text = mistake.to_string();
        assert!(!text.is_empty(), "a mistake without words");
        length += text.len();
    }
    assert!(length <= LONGEST_BESIDE + LONGEST_PER_BYTE * input.len(), "{length} bytes of mistakes in {} of input", input.len());
}

/// Takes the first byte of `data` for a number from 1 to 256, as the length of pieces.
#[must_use]
pub fn piece_and_rest(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first) + 1, rest))
}

/// Holds that `document` is an object with no other names than these.
///
/// # Panics
/// Where it is not.
pub fn check_names(document: &Value, names: &[&str]) {
    let fields = document.as_object().expect("an object");
    assert!(fields.keys().all(|name| names.contains(&name.as_str())), "{document} has been taken");
}
