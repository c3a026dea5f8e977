//! What may be printed. A process of the pod chooses its name, its answers and the names of its files. If these were printed as they are, it
//! could steer the reader's terminal, hide what follows, or begin a line of its own that looks like a verdict.

use core::fmt::{self, Write};
use std::panic::PanicHookInfo;

/// Appends to a text what is written to it, with every character that is not printed as itself in the form `\u001b`. JSON has the same form, so
/// that JSON stays JSON and means the same.
#[derive(Debug)]
pub struct Printable<'a>(pub &'a mut String);

/// `text`, as [`Printable`] writes it.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    // Writing to a String cannot fail.
    let _ = Printable(&mut printed).write_str(text);
    printed
}

/// The place and the message of a panic, in one line.
#[must_use]
pub fn of_panic(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("without a message");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    printable(&format!("panicked at {place}: {message}"))
}

/// Whether `character` controls a terminal, ends a line, or changes how the characters around it are shown.
const fn is_hidden(character: char) -> bool {
    matches!(character,
        // The control characters C0, DEL and C1.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // The direction of the text: marks, embeddings, overrides and isolates.
        | '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Characters without a width, other marks of formatting, and the byte order mark.
        | '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        // The separators of lines and paragraphs.
        | '\u{2028}' | '\u{2029}'
        // Tags, which no terminal shows.
        | '\u{e0000}'..='\u{e007f}')
}

// === impl Printable ===

impl Write for Printable<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if is_hidden(character) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(self.0, "\\u{unit:04x}")?;
                }
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_steers_a_terminal_or_hides_is_shown_as_its_number() {
        assert_eq!(printable("plain, é, 任务, \\u001b"), "plain, é, 任务, \\u001b");
        assert_eq!(printable("\x1b[2J\r\n\0"), "\\u001b[2J\\u000d\\u000a\\u0000");
        assert_eq!(printable("\x7f\u{85}\u{9b}"), "\\u007f\\u0085\\u009b");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{200b}\u{feff}\u{2028}"), "a\\u202eb\\u2066c\\u200b\\ufeff\\u2028");
        assert_eq!(printable("\u{e0041}\u{ad}\u{206a}\u{fff9}"), "\\udb40\\udc41\\u00ad\\u206a\\ufff9");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_the_next_time_nothing_changes(text: String) {
            let printed = printable(&text);
            prop_assert!(!printed.chars().any(is_hidden), "{printed:?}");
            prop_assert_eq!(printable(&printed), printed);
        }

        #[test]
        fn json_stays_json_and_means_the_same(text: String, name in "[\\x00-\\x1f\u{7f}-\u{9f}\u{200b}-\u{2069}\u{e0000}-\u{e007f}a-z\"\\\\]{0,20}") {
            let value = Value::from_iter([(name, Value::from(text))]);
            let printed = printable(&value.to_string());
            prop_assert_eq!(serde_json::from_str::<Value>(&printed).ok(), Some(value));
        }
    }
}
