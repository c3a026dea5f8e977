//! Reads a JSON object field by field and collects every mistake, so that a person can correct all of them at once.
//!
//! `serde_json` checks the syntax and cuts the object into pieces ([`RawValue`]); each piece is then read as the type that its field
//! has. A derived `Deserialize` would stop at the first mistake.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::duration;

/// One thing that is wrong with an input: which field, with what value, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    field: String,
    problem: String,
}

/// The fields of one JSON object. Ask for each field by name, then call [`Fields::finish`], which reports the unknown ones.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    /// In the order of the document. There are few, so a search from the start is fast enough, and a map would be 4 KB of the module.
    pieces: Vec<(String, &'a RawValue)>,
    known: Vec<&'static str>,
    mistakes: Vec<Mistake>,
}

/// An object, cut into the text of each field, and the names that occur more than once.
struct Pieces<'a> {
    pieces: Vec<(String, &'a RawValue)>,
    repeated: Vec<String>,
}

struct PiecesVisitor;

/// Checks that `text` is exactly one JSON document.
///
/// # Errors
/// If it is not: one mistake, with the reason of `serde_json`.
pub fn document(text: &[u8]) -> Result<&RawValue, Vec<Mistake>> {
    from_json(text).map_err(|error| vec![Mistake::new("", format!("not JSON: {error}"))])
}

/// Reads `text` as a `T`. All JSON is read here as `str`: for bytes the module would contain `serde_json`'s reader a second time.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_str(core::str::from_utf8(text).map_err(serde_json::Error::custom)?)
}

// === impl Mistake ===

impl Mistake {
    /// `field` is a path with dots, empty for the document itself; `problem` continues the sentence that it begins.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

impl core::error::Error for Mistake {}

// === impl Pieces ===

impl<'a> Deserialize<'a> for Pieces<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PiecesVisitor)
    }
}

impl<'a> Visitor<'a> for PiecesVisitor {
    type Value = Pieces<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Pieces<'a>, A::Error> {
        let (mut pieces, mut repeated) = (Vec::<(String, &RawValue)>::new(), Vec::new());
        while let Some((name, piece)) = map.next_entry::<String, &RawValue>()? {
            if pieces.iter().any(|(known, _)| *known == name) {
                repeated.push(name);
            } else {
                pieces.push((name, piece));
            }
        }
        Ok(Pieces { pieces, repeated })
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The fields of a whole document.
    #[must_use]
    pub fn of(document: &'a RawValue) -> Self {
        Self::at(String::new(), document)
    }

    fn at(path: String, value: &'a RawValue) -> Self {
        let mut fields = Self { path, pieces: Vec::new(), known: Vec::new(), mistakes: Vec::new() };
        match serde_json::from_str(value.get()) {
            Ok(Pieces { pieces, repeated }) => {
                fields.pieces = pieces;
                for name in repeated {
                    fields.refuse(&name, "is there twice: must be there once");
                }
            }
            // Of the pieces only the names have been decoded so far.
            Err(error) if value.get().starts_with('{') => fields.refuse_itself(&format!("not JSON: {error}")),
            Err(_) => fields.refuse_itself(&format!("{} is not allowed: must be a JSON object", shown(value))),
        }
        fields
    }

    /// A string.
    pub fn string(&mut self, name: &'static str) -> Option<String> {
        self.read(name, "a string", Some)
    }

    /// A list of strings.
    pub fn strings(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.read(name, "a list of strings", Some)
    }

    /// One of the named `choices`.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        self.read(name, &format!("one of {}", names.join(", ")), |text: String| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        })
    }

    /// A whole number in `range`.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(name, &allowed, |number| range.contains(&number).then_some(number))
    }

    /// A duration in `range`, as [`duration::parse`] reads it.
    pub fn duration(&mut self, name: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (start, end) = (duration::display(*range.start()), duration::display(*range.end()));
        let allowed = format!("a duration with a unit, from \"{start}\" to \"{end}\"");
        self.read(name, &allowed, |text: String| duration::parse(&text).ok().filter(|length| range.contains(length)))
    }

    /// The fields of the object under `name`, read by `inner`.
    pub fn object<T>(&mut self, name: &'static str, inner: impl FnOnce(&mut Fields<'a>) -> T) -> Option<T> {
        let value = self.present(name)?;
        let mut fields = Fields::at(self.path_of(name), value);
        let result = inner(&mut fields);
        self.mistakes.append(&mut fields.into_mistakes());
        Some(result)
    }

    /// Reports that the required field `name` is missing.
    pub fn missing(&mut self, name: &'static str, allowed: &str) {
        // If the field is there with a wrong type, its reader has reported that.
        if self.present(name).is_none() {
            self.refuse(name, &format!("is missing: must be {allowed}"));
        }
    }

    /// Reports a mistake in `name` that its type alone does not show.
    pub fn refuse(&mut self, name: &str, problem: &str) {
        let path = self.path_of(name);
        self.mistakes.push(Mistake::new(path, problem));
    }

    /// Reports a mistake of the object as a whole.
    fn refuse_itself(&mut self, problem: &str) {
        self.mistakes.push(Mistake::new(self.path.clone(), problem));
    }

    /// The value built from these fields.
    ///
    /// # Errors
    /// Every mistake in them, including fields that were not asked for.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        let mistakes = self.into_mistakes();
        if mistakes.is_empty() { Ok(value) } else { Err(mistakes) }
    }

    fn into_mistakes(mut self) -> Vec<Mistake> {
        let known = self.known.join(", ");
        for (name, _) in &core::mem::take(&mut self.pieces) {
            if !self.known.contains(&name.as_str()) {
                self.refuse(name, &format!("is not a known field: must be one of {known}"));
            }
        }
        self.mistakes
    }

    /// Reads the field `name` as the JSON type `T`, and passes it to `accept`. If one of them refuses it, that is a mistake.
    fn read<T: Deserialize<'a>, U>(
        &mut self,
        name: &'static str,
        allowed: &str,
        accept: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        let value = self.present(name)?;
        let accepted = serde_json::from_str(value.get()).ok().and_then(accept);
        if accepted.is_none() {
            self.refuse(name, &format!("{} is not allowed: must be {allowed}", shown(value)));
        }
        accepted
    }

    /// The value under `name`; `null` counts as absent, as in the objects of Kubernetes.
    fn present(&mut self, name: &'static str) -> Option<&'a RawValue> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.pieces.iter().find(|(known, _)| known == name).map(|(_, value)| *value).filter(|value| value.get() != "null")
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// A value as it was written, for a message: in one line, and cut where it is long.
fn shown(value: &RawValue) -> String {
    const LONGEST: usize = 60;
    // JSON allows line breaks only between tokens, where they mean nothing.
    let mut text = value.get().chars().filter(|character| !character.is_control());
    let mut shown: String = text.by_ref().take(LONGEST).collect();
    if text.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn mistakes(text: &str) -> Vec<String> {
        let read = |text: &str| -> Result<(), Vec<Mistake>> {
            let mut fields = Fields::of(document(text.as_bytes())?);
            fields.string("text");
            fields.number("number", 1..=9);
            fields.object("inner", |inner| inner.strings("list"));
            fields.finish(())
        };
        read(text).map_or_else(|mistakes| mistakes.iter().map(ToString::to_string).collect(), |()| Vec::new())
    }

    #[test]
    fn a_value_is_shown_as_it_was_written() {
        let table = [
            (r#"{"number": 1.50}"#, "number: 1.50 is not allowed: must be a whole number from 1 to 9"),
            (r#"{"number": 1e999}"#, "number: 1e999 is not allowed: must be a whole number from 1 to 9"),
            (r#"{"number": -0}"#, "number: -0 is not allowed: must be a whole number from 1 to 9"),
            (
                r#"{"number": 18446744073709551616}"#,
                "number: 18446744073709551616 is not allowed: must be a whole number from 1 to 9",
            ),
            ("{\"text\": [1,\r\n\t2]}", "text: [1,2] is not allowed: must be a string"),
            (r#"{"text": "\ud83d"}"#, r#"text: "\ud83d" is not allowed: must be a string"#),
            (r#"{"inner": {"list": ["a", 1]}}"#, r#"inner.list: ["a", 1] is not allowed: must be a list of strings"#),
        ];
        for (text, mistake) in table {
            assert_eq!(mistakes(text), [mistake], "{text}");
        }
        let long = format!("{{\"text\": [\"{}\"]}}", "x".repeat(1_000));
        assert_eq!(mistakes(&long), [format!("text: [\"{}… is not allowed: must be a string", "x".repeat(58))]);
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_beside_all_other_mistakes() {
        assert_eq!(
            mistakes(r#"{"text": "a", "text": "b", "inner": {"list": [], "li\u0073t": []}, "number": 10, "other": 1}"#),
            [
                "text: is there twice: must be there once",
                "number: 10 is not allowed: must be a whole number from 1 to 9",
                "inner.list: is there twice: must be there once",
                "other: is not a known field: must be one of text, number, inner",
            ]
        );
    }

    #[test]
    fn null_counts_as_absent() {
        assert_eq!(mistakes(r#"{"text": null, "number":null , "inner": null}"#), [""; 0]);
    }

    #[test]
    fn what_is_not_one_json_document_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "{}x",
            "{} {}",
            "{'a': 1}",
            "{\"a\": 1,}",
            "{\"a\": 01}",
            "nul",
            "{\"a\": \"\t\"}",
            "{a: 1}",
            r#"{"\ud83d": 1}"#,
        ] {
            let mistakes = mistakes(text);
            assert!(matches!(&mistakes[..], [mistake] if mistake.starts_with("not JSON: ")), "{text:?}: {mistakes:?}");
        }
        assert!(document(b"{\"a\": \"\xff\"}").is_err(), "not UTF-8");
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        for text in ["[".repeat(100_000), format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "{\"text\":".repeat(100_000)]
        {
            assert_eq!(mistakes(&text).len(), 1);
            assert_eq!(mistakes(&format!("{{\"text\":{text}}}")).len(), 1);
        }
    }
}
