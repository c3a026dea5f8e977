//! Reads the fields of a JSON object and collects every mistake, so that a person mends all of them at once.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::duration;
use crate::json::Value;

/// One thing that is wrong with an input: which field, with what value, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    field: String,
    problem: String,
}

/// The fields of one JSON object. Ask for each field by name, then call [`Fields::finish`], which names the unknown ones.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    object: Option<&'a [(String, Value)]>,
    known: Vec<&'static str>,
    mistakes: Vec<Mistake>,
}

// === impl Mistake ===

impl Mistake {
    /// `field` is a dotted path, empty for the document itself; `problem` is a sentence's second half.
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

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The fields of a whole document.
    #[must_use]
    pub fn of(document: &'a Value) -> Self {
        Self::at(String::new(), document)
    }

    fn at(path: String, value: &'a Value) -> Self {
        let object = value.as_object();
        let mut fields = Self { path, object, known: Vec::new(), mistakes: Vec::new() };
        if object.is_none() {
            let problem = format!("{} is not allowed: must be a JSON object", shown(value));
            fields.mistakes.push(Mistake::new(fields.path.clone(), problem));
        }
        fields
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.read(name, "a text", Value::as_text)
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<&'a str>> {
        self.read(name, "a list of texts", |value| value.as_list()?.iter().map(Value::as_text).collect())
    }

    /// One of the named `choices`.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        self.read(name, &format!("one of {}", names.join(", ")), |value| {
            let text = value.as_text()?;
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        })
    }

    /// A whole number in `range`.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(name, &allowed, |value| value.as_u64().filter(|number| range.contains(number)))
    }

    /// A duration in `range`, as [`duration::parse`] reads it.
    pub fn duration(&mut self, name: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (start, end) = (duration::display(*range.start()), duration::display(*range.end()));
        let allowed = format!("a duration with a unit, from \"{start}\" to \"{end}\"");
        self.read(name, &allowed, |value| duration::parse(value.as_text()?).ok().filter(|length| range.contains(length)))
    }

    /// The fields of the object under `name`, read by `inner`.
    pub fn object<T>(&mut self, name: &'static str, inner: impl FnOnce(&mut Fields<'a>) -> T) -> Option<T> {
        let value = self.present(name)?;
        let mut fields = Fields::at(self.path_of(name), value);
        let result = inner(&mut fields);
        self.mistakes.append(&mut fields.into_mistakes());
        Some(result)
    }

    /// Reports that the required field `name` is missing. For fields that only together make a whole.
    pub fn missing(&mut self, name: &'static str, allowed: &str) {
        // A field of the wrong type was reported when it was read.
        if self.present(name).is_none() {
            self.refuse(name, &format!("is missing: must be {allowed}"));
        }
    }

    /// Reports a mistake of `name` that only shows beside other fields.
    pub fn refuse(&mut self, name: &'static str, problem: &str) {
        let path = self.path_of(name);
        self.mistakes.push(Mistake::new(path, problem));
    }

    /// The value built from these fields, or every mistake in them.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        let mistakes = self.into_mistakes();
        if mistakes.is_empty() { Ok(value) } else { Err(mistakes) }
    }

    /// As [`Fields::finish`], but fields nobody has asked for are passed over.
    pub fn finish_open<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        if self.mistakes.is_empty() { Ok(value) } else { Err(self.mistakes) }
    }

    fn into_mistakes(mut self) -> Vec<Mistake> {
        let known = self.known.join(", ");
        for (name, _) in self.object.unwrap_or_default() {
            if !self.known.contains(&name.as_str()) {
                let path = self.path_of(name);
                self.mistakes.push(Mistake::new(path, format!("is not a known field: must be one of {known}")));
            }
        }
        self.mistakes
    }

    fn read<T>(&mut self, name: &'static str, allowed: &str, parse: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.present(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.refuse(name, &format!("{} is not allowed: must be {allowed}", shown(value)));
        }
        parsed
    }

    /// The value under `name`; `null` counts as absent, as in Kubernetes' own objects.
    fn present(&mut self, name: &'static str) -> Option<&'a Value> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.object?.iter().find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// A value as it stands in a message: cut, so that a line stays a line.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
