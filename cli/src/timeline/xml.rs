//! Writes elements, so that no foreign text becomes one.

use core::fmt::Write as _;

use crate::output::safe;

/// A text of elements, each on a line of its own.
#[derive(Debug, Default)]
pub(super) struct Xml {
    text: String,
    open: Vec<&'static str>,
}

/// An attribute.
pub(super) type Attribute<'a> = (&'a str, &'a str);

// === impl Xml ===

impl Xml {
    /// Begins an element that holds others.
    pub(super) fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.begin(tag, attributes);
        self.text.push_str(">\n");
        self.open.push(tag);
    }

    /// Ends it.
    pub(super) fn close(&mut self) {
        if let Some(tag) = self.open.pop() {
            let _ = writeln!(self.text, "{}</{tag}>", "  ".repeat(self.open.len()));
        }
    }

    /// An element without anything in it.
    pub(super) fn empty(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.begin(tag, attributes);
        self.text.push_str(" />\n");
    }

    /// An element that holds text.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.begin(tag, attributes);
        let _ = writeln!(self.text, ">{}</{tag}>", escaped(text));
    }

    /// Text of our own that holds elements already.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// All of it.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn begin(&mut self, tag: &str, attributes: &[Attribute<'_>]) {
        let _ = write!(self.text, "{}<{tag}", "  ".repeat(self.open.len()));
        for (name, value) in attributes {
            let _ = write!(self.text, " {name}=\"{}\"", escaped(value));
        }
    }
}

/// `text` as XML and HTML may have it: neither sign nor character that means something there.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in safe(text).chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no sign for these, not even an escaped one.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_an_element() {
        let mut xml = Xml::default();
        xml.leaf("a", &[("b", "\"/><script>")], "</a>&\u{0}\u{ffff}\u{1b}");
        let wanted = "<a b=\"&quot;/&gt;&lt;script&gt;\">&lt;/a&gt;&amp;\\u{0}\u{fffd}\\u{1b}</a>\n";
        assert_eq!(xml.finish(), wanted);
    }
}
