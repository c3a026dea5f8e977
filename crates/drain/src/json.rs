//! JSON (RFC 8259), as much of it as the wire and the plugin configuration need.
//!
//! A general library is a third of the module that every pod pulls: its floating-point tables alone are 10 KB. This reader keeps a
//! number as its text, is bounded in depth, and is held against `serde_json` by the property tests.

use core::fmt;

/// No document of ours is deeper than three; the bound keeps hostile ones off the stack.
const MAX_DEPTH: u32 = 16;

/// A JSON value. A number stays the text it was, so that a message can show it as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text, unescaped.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object, in the order in which it was written.
    Object(Vec<(String, Value)>),
}

/// Where and why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    /// The offset in bytes.
    pub at: usize,
    /// What is wrong there, as a clause.
    pub why: &'static str,
}

/// Writes one JSON object, field by field, in order.
#[derive(Debug)]
pub struct ObjectWriter {
    text: String,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

// === impl Value ===

impl Value {
    /// Reads `text` as exactly one document.
    pub fn parse(text: &[u8]) -> Result<Self, NotJson> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.peek().is_some() { Err(reader.wrong("more than one value")) } else { Ok(value) }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number that is not negative, if it is one and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(digits) = self { digits.parse().ok() } else { None }
    }

    /// The list's values, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// The object's fields, if it is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&[(String, Self)]> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// Whether it is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    fn write(&self, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(true) => to.push_str("true"),
            Self::Bool(false) => to.push_str("false"),
            Self::Number(digits) => to.push_str(digits),
            Self::Text(text) => write_text(text, to),
            Self::List(values) => {
                to.push('[');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        to.push(',');
                    }
                    value.write(to);
                }
                to.push(']');
            }
            Self::Object(fields) => {
                let mut object = ObjectWriter::default();
                for (name, value) in fields {
                    value.write(object.field(name));
                }
                to.push_str(&object.finish());
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

// === impl NotJson ===

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.why, self.at)
    }
}

impl core::error::Error for NotJson {}

// === impl ObjectWriter ===

impl Default for ObjectWriter {
    fn default() -> Self {
        Self { text: String::from("{") }
    }
}

impl ObjectWriter {
    /// A text, or `null`.
    #[must_use]
    pub fn text(mut self, name: &str, value: Option<&str>) -> Self {
        let to = self.field(name);
        match value {
            Some(value) => write_text(value, to),
            None => to.push_str("null"),
        }
        self
    }

    /// A whole number, or `null`.
    #[must_use]
    pub fn number(mut self, name: &str, value: Option<u64>) -> Self {
        let to = self.field(name);
        match value {
            Some(value) => to.push_str(&value.to_string()),
            None => to.push_str("null"),
        }
        self
    }

    /// Something that is JSON already, or `null`.
    #[must_use]
    pub fn json(mut self, name: &str, value: Option<&str>) -> Self {
        self.field(name).push_str(value.unwrap_or("null"));
        self
    }

    /// The object.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn field(&mut self, name: &str) -> &mut String {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_text(name, &mut self.text);
        self.text.push(':');
        &mut self.text
    }
}

/// Writes `text` in quotes. Only what RFC 8259 §7 demands is escaped.
fn write_text(text: &str, to: &mut String) {
    to.push('"');
    for character in text.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\u{0}'..='\u{1f}' => {
                let code = u32::from(character);
                to.push_str("\\u00");
                for digit in [code / 16, code % 16] {
                    to.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            _ => to.push(character),
        }
    }
    to.push('"');
}

// === impl Reader ===

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn wrong(&self, why: &'static str) -> NotJson {
        NotJson { at: self.at, why }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip_digits(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > start
    }

    fn value(&mut self, depth: u32) -> Result<Value, NotJson> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.skip_space();
        match self.peek() {
            None => Err(self.wrong("the end of the text")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Text(self.quoted()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(_) => Err(self.wrong("not a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, NotJson> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.wrong("not a value"))
        }
    }

    fn number(&mut self) -> Result<Value, NotJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let first = self.at;
        if !self.skip_digits() || (leading_zero && self.at > first + 1) {
            return Err(self.wrong("not a number"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.skip_digits() {
                return Err(self.wrong("not a number"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.skip_digits() {
                return Err(self.wrong("not a number"));
            }
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        Ok(Value::Number(digits.iter().copied().map(char::from).collect()))
    }

    fn list(&mut self, depth: u32) -> Result<Value, NotJson> {
        let mut values = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.skip_space();
            match self.next() {
                Some(b',') => {}
                Some(b']') => return Ok(Value::List(values)),
                _ => return Err(self.wrong("neither a comma nor the end of a list")),
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, NotJson> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("not a field's name"));
            }
            let name = self.quoted()?;
            self.skip_space();
            if self.next() != Some(b':') {
                return Err(self.wrong("no colon after a field's name"));
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(self.wrong("a field that was there before"));
            }
            fields.push((name, self.value(depth + 1)?));
            self.skip_space();
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(Value::Object(fields)),
                _ => return Err(self.wrong("neither a comma nor the end of an object")),
            }
        }
    }

    fn quoted(&mut self) -> Result<String, NotJson> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                None => return Err(self.wrong("a text without an end")),
                Some(b'"') => break,
                Some(b'\\') => {
                    let character = self.escaped()?;
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(0..=0x1f) => return Err(self.wrong("a control character in a text")),
                Some(byte) => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).map_err(|_| self.wrong("a text that is not UTF-8"))
    }

    fn escaped(&mut self) -> Result<char, NotJson> {
        match self.next() {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => self.unicode(),
            _ => Err(self.wrong("an unknown escape")),
        }
    }

    fn unicode(&mut self) -> Result<char, NotJson> {
        let mut code = self.four_digits()?;
        // A surrogate pair: RFC 8259 §7.
        if (0xd800..0xdc00).contains(&code) {
            if (self.next(), self.next()) != (Some(b'\\'), Some(b'u')) {
                return Err(self.wrong("half a character"));
            }
            let low = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.wrong("half a character"));
            }
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        char::from_u32(code).ok_or_else(|| self.wrong("half a character"))
    }

    fn four_digits(&mut self) -> Result<u32, NotJson> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.wrong("an unknown escape"))?;
        }
        Ok(code)
    }
}
