//! Below the picture: what its numbers mean, the drain, and what the picture cannot show.

use jiff::Timestamp;

use super::model::{Instant, Source, Timeline};
use super::svg::{LEFT, LINE_COLUMNS, WIDTH, number};
use super::words;
use super::xml::Xml;

/// Two marks that are nearer than this, in pixels, are one.
const APART: f64 = 17.0;
/// So many marks have a line; the page and `-o json` have all.
const MARKS: usize = 24;
/// The height of a line.
const LINE: f64 = 19.0;
/// Columns of the text of a mark.
const COLUMNS: usize = 104;

/// What the numbers of the picture mean.
#[derive(Debug)]
pub(super) struct Legend {
    marks: Vec<Mark>,
    left_out: usize,
}

/// One number.
#[derive(Debug)]
struct Mark {
    x: f64,
    lines: Vec<String>,
}

// === impl Legend ===

impl Legend {
    pub(super) fn of(timeline: &Timeline, x: impl Fn(Timestamp) -> f64) -> Self {
        let mut marks: Vec<Mark> = Vec::new();
        let mut left_out = 0;
        let marked = timeline.instants.iter().filter(|instant| instant.is_marked).collect::<Vec<_>>();
        for (group, at) in marked.chunk_by(|a, b| a.at == b.at).filter_map(|group| Some((group, x(group.first()?.at)))) {
            let line = line(timeline, group);
            let is_full = marks.iter().map(|mark| mark.lines.len()).sum::<usize>() >= MARKS;
            match marks.last_mut() {
                _ if is_full => left_out += group.len(),
                Some(last) if at - last.x < APART => last.lines.extend(line),
                _ => marks.push(Mark { x: at, lines: line.into_iter().collect() }),
            }
        }
        Self { marks, left_out }
    }

    /// The circles with the numbers.
    pub(super) fn marks(&self, xml: &mut Xml, y: f64) {
        for (place, mark) in self.marks.iter().enumerate() {
            let x = number(mark.x);
            xml.empty("circle", &[("class", "mark"), ("cx", &x), ("cy", &number(y)), ("r", "8")]);
            label(xml, (mark.x, y + 4.0), "text small", "middle", &(place + 1).to_string());
        }
    }

    /// Where it begins, and how high the picture is with it.
    pub(super) fn place(&self, top: f64, timeline: &Timeline) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "there are few lines")]
        let lines = self.text(timeline).len() as f64;
        (top + LINE, top + LINE * (lines + 1.0) + 8.0)
    }

    pub(super) fn draw(&self, xml: &mut Xml, top: f64, timeline: &Timeline) {
        let (left, rule) = (number(LEFT), number(top - LINE + 2.0));
        let right = number(WIDTH - LEFT);
        xml.empty("line", &[("class", "rule"), ("x1", &left), ("y1", &rule), ("x2", &right), ("y2", &rule)]);
        let mut y = top;
        for (head, kind, text) in self.text(timeline) {
            label(xml, (LEFT, y), "text name", "start", &head);
            let x = if kind == "text" { LEFT + 28.0 } else { LEFT };
            label(xml, (x, y), kind, "start", &text);
            y += LINE;
        }
    }

    /// Each line: what stands before it, its class, and its text.
    fn text(&self, timeline: &Timeline) -> Vec<(String, &'static str, String)> {
        let mut text = Vec::new();
        for (place, mark) in self.marks.iter().enumerate() {
            for (number, line) in mark.lines.iter().enumerate() {
                let head = if number == 0 { (place + 1).to_string() } else { String::new() };
                text.push((head, "text", words::shortened(line, COLUMNS, '…')));
            }
        }
        if self.left_out > 0 {
            text.push((String::new(), "text", format!("and {} more: -o json has all of them", self.left_out)));
        }
        let mut muted = |line: &str| {
            let lines = words::lines(line, LINE_COLUMNS).into_iter();
            text.extend(lines.map(|line| (String::new(), "muted small", words::shortened(&line, LINE_COLUMNS, '…'))));
        };
        if let Some(drain) = &timeline.drain {
            muted(&format!("Drain: {}.", words::drain(drain)));
        }
        let others = timeline.instants.iter().filter(|instant| instant.source != Source::Pod).count();
        if others > 0 {
            muted(&format!("The points on the pod's line are Events. {others} Events and lines of logs: --html lists them."));
        }
        timeline.notes.iter().for_each(|note| muted(note));
        timeline.unknown.iter().for_each(|line| muted(&format!("Not known: {line}")));
        muted("kubectl exeunt timeline");
        text
    }
}

/// The line of instants that have the same time.
fn line(timeline: &Timeline, group: &[&Instant]) -> Option<String> {
    let first = group.first()?;
    let what = group.iter().map(|instant| instant.text.as_str()).collect::<Vec<_>>().join("; ");
    Some(format!("{}  {}  {what}", words::after(timeline.from?, first), words::clock(first)))
}

/// A text at a place.
pub(super) fn label(xml: &mut Xml, (x, y): (f64, f64), kind: &str, anchor: &str, text: &str) {
    if !text.is_empty() {
        xml.leaf("text", &[("class", kind), ("x", &number(x)), ("y", &number(y)), ("text-anchor", anchor)], text);
    }
}
