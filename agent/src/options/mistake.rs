//! A mistake on the command line or in the environment, and what the agent does instead.

use core::fmt;

/// The longest part of a text that is shown, in characters.
const LONGEST: usize = 60;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The flag, the variable or the word, as it was written. Empty if `problem` names it.
    written: String,
    problem: String,
    instead: String,
}

/// What an option takes from one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading<T> {
    /// The value that it stands for.
    Allowed(T),
    /// It is not allowed. This value is the nearest that is, with its text.
    Nearest(T, String),
    /// It is not allowed, and nothing is near.
    NotAllowed,
}

// === impl Mistake ===

impl Mistake {
    /// `problem` and `instead` are clauses.
    pub(super) fn new(written: &str, problem: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { written: shown(written), problem: problem.into(), instead: instead.into() }
    }

    /// The mistake and what stands in its place, for an agent that goes on.
    #[must_use]
    pub fn warning(&self) -> String {
        format!("{self}; {}", self.instead)
    }
}

/// The mistake alone, for an agent that refuses it.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.written.is_empty() {
            write!(f, "{}: ", self.written)?;
        }
        f.write_str(&self.problem)
    }
}

// === impl Reading ===

impl<T> From<Option<T>> for Reading<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NotAllowed, Self::Allowed)
    }
}

/// A text for a message: in one line, and cut where it is long.
pub(super) fn shown(text: &str) -> String {
    let mut printable = text.chars().filter(|character| !character.is_control());
    let mut shown: String = printable.by_ref().take(LONGEST).collect();
    if printable.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The one of `known` that `word` is probably a misspelling of: at most `letters` differ, and no other is as near.
pub(super) fn misspelt<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, letters: usize) -> Option<&'a str> {
    // Of two that are equally near, the one of the same length: letters were swapped.
    let far = |name: &str| (distance(word, name), word.len().abs_diff(name.len()));
    let mut near: Vec<_> = known.into_iter().map(|name| (far(name), name)).filter(|(far, _)| far.0 <= letters).collect();
    near.sort_unstable();
    match *near.as_slice() {
        [(first, name), (second, _), ..] if first < second => Some(name),
        [(_, name)] => Some(name),
        _ => None,
    }
}

/// How many letters must be changed, added or removed to make `other` of `one` (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.bytes().enumerate() {
        let mut left = place + 1;
        let mut row = vec![left];
        for (known, pair) in other.bytes().zip(above.windows(2)) {
            let [diagonal, up] = *pair else { continue };
            left = (diagonal + usize::from(letter != known)).min(left + 1).min(up + 1);
            row.push(left);
        }
        above = row;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_near_to_one_only() {
        let verbs = ["watch", "exec", "wait", "complete"];
        for (word, meant) in [("wacth", "watch"), ("exce", "exec"), ("complet", "complete"), ("watt", "wait")] {
            assert_eq!(misspelt(word, verbs, 2), Some(meant), "{word}");
        }
        for word in ["look", "sleep", ""] {
            assert_eq!(misspelt(word, verbs, 2), None, "{word}");
        }
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("abc", "abc")), (3, 3, 0));
    }

    #[test]
    fn a_long_text_is_shown_cut_and_in_one_line() {
        let long = "x".repeat(1_000);
        assert_eq!(shown(&format!("a\n{long}")), format!("a{}…", "x".repeat(59)));
        assert_eq!(shown("short"), "short");
    }
}
