//! Inserts a key into a mapping, or an entry into a list, in front of what is there.

use serde_json::Value;
use serde_saphyr::Location;

use super::tree::Node;

/// A text, and where it goes.
pub(super) struct Insertion {
    at: Location,
    /// The lines of a block, without the indentation of the place.
    lines: Vec<String>,
    /// The same for a place that is written in one line: `{…}` or `[…]`.
    inline: String,
    /// The first entry of a list. If the list is a block, the place is the dash in front of it.
    first: Option<Location>,
}

// === impl Insertion ===

impl Insertion {
    /// A key with its value, in front of the first key of the mapping that begins at `at`. `block` is the same as a block.
    pub(super) fn key(at: Location, key: &str, value: &Value, block: &str) -> Self {
        let inline = format!("{}: {value}", Value::from(key));
        Self { at, lines: lines(block), inline, first: None }
    }

    /// An entry, in front of the first one of a list. `block` is the same as a block, with its dash.
    pub(super) fn entry(list: Location, items: &[Node], value: &Value, block: &str) -> Self {
        Self { at: list, lines: lines(block), inline: value.to_string(), first: items.first().map(|first| first.at) }
    }

    /// The text with all of them.
    pub(super) fn all_into(text: &str, mut all: Vec<Self>) -> String {
        // From the end, so that no insertion moves the place of another one.
        all.sort_by_key(|one| core::cmp::Reverse((one.at.line(), one.at.column())));
        let mut new = text.to_owned();
        for one in all {
            one.put_into(&mut new);
        }
        new
    }

    fn put_into(&self, text: &mut String) {
        let Some((_, at)) = offsets(text, self.at) else { return };
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(['{', '[']) {
            let is_empty = rest.get(1..).unwrap_or_default().trim_start().starts_with(['}', ']']);
            text.insert_str(at + 1, &format!("{}{}", self.inline, if is_empty { "" } else { ", " }));
            return;
        }
        let Some((start, mut at)) = offsets(text, self.first.unwrap_or(self.at)) else { return };
        if self.first.is_some() {
            let Some(dash) = text.get(start..at).and_then(|before| before.trim_end().strip_suffix('-')) else { return };
            at = start + dash.len();
        }
        let before = text.get(start..at).unwrap_or_default();
        let indent = " ".repeat(before.chars().count());
        if before.trim().is_empty() {
            let lines = self.lines.iter().map(|line| format!("{before}{line}\n")).collect::<Vec<_>>().concat();
            text.insert_str(above_comments(text, start), &lines);
        } else {
            // The place is behind a dash: what was first there moves to a line of its own.
            text.insert_str(at, &format!("{}\n{indent}", self.lines.join(&format!("\n{indent}"))));
        }
    }
}

fn lines(block: &str) -> Vec<String> {
    block.lines().map(str::to_owned).collect()
}

/// The first byte of the line, and that of the place.
fn offsets(text: &str, at: Location) -> Option<(usize, usize)> {
    let (line, column) = (usize::try_from(at.line()).ok()?, usize::try_from(at.column()).ok()?);
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(start..)?;
    let column: usize = rest.chars().take(column.checked_sub(1)?).map(char::len_utf8).sum();
    Some((start, start + column))
}

/// The start of the comments that stand directly above a line: they belong to what is there.
fn above_comments(text: &str, mut start: usize) -> usize {
    while let Some(above) = text.get(..start).and_then(|above| above.strip_suffix('\n')) {
        let line = above.rfind('\n').map_or(0, |end| end + 1);
        if !above.get(line..).unwrap_or_default().trim_start().starts_with('#') {
            break;
        }
        start = line;
    }
    start
}

/// An error of the parser, on one line.
pub(super) fn one_line(error: &serde_saphyr::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
