//! Checks and helpers for several targets.

use std::io::{self, Read};

use drain::fields::Mistake;
use serde_json::Value;

/// The longest message for each byte of input. Longer ones could be used to fill a log or a pod's memory.
const LONGEST_PER_BYTE: usize = 96;
/// The longest message, without what depends on the input.
const LONGEST_BESIDE: usize = 1_024;

/// Checks that a refusal has a reason, that no mistake is without words, and that the messages are not too long.
///
/// # Panics
/// If one of these is not true.
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

/// Reads the first byte of `data` as the length of pieces, from 1 to 256.
#[must_use]
pub fn piece_and_rest(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first) + 1, rest))
}

/// Gives a text in pieces, as the kernel gives a file.
#[derive(Debug)]
pub struct Pieces<'a> {
    text: &'a [u8],
    piece: usize,
}

impl<'a> Pieces<'a> {
    /// `text` in pieces of at most `piece` bytes.
    #[must_use]
    pub const fn new(text: &'a [u8], piece: usize) -> Self {
        Self { text, piece }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.piece.min(into.len());
        let mut piece = self.text.get(..length).unwrap_or(self.text);
        let length = piece.read(into)?;
        self.text = &self.text[length..];
        Ok(length)
    }
}

/// Checks that `document` is an object with no other names than these.
///
/// # Panics
/// If it is not.
pub fn check_names(document: &Value, names: &[&str]) {
    let fields = document.as_object().expect("an object");
    assert!(fields.keys().all(|name| names.contains(&name.as_str())), "{document} was accepted");
}
