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
/// Between the lines of the instants and the notes.
const GAP: f64 = 7.0;
/// Where the columns of a line end or begin.
const AFTER: f64 = LEFT + 84.0;
const CLOCK: f64 = LEFT + 98.0;
const WHAT: f64 = LEFT + 170.0;
/// Columns of the text of a mark.
const COLUMNS: usize = 92;

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
    lines: Vec<Line>,
}

/// What has happened at one time: how long after the begin, the time of day, and what.
type Line = [String; 3];

/// A line below the picture.
enum Text {
    /// With the number of a mark, or without one if it shares that of the line above.
    Instant(Option<usize>, Line),
    /// A note.
    Note(String),
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
        (top + LINE, top + LINE * (lines + 1.0) + GAP + 6.0)
    }

    pub(super) fn draw(&self, xml: &mut Xml, top: f64, timeline: &Timeline) {
        let (left, rule) = (number(LEFT), number(top - LINE + 2.0));
        let right = number(WIDTH - LEFT);
        xml.empty("line", &[("class", "rule"), ("x1", &left), ("y1", &rule), ("x2", &right), ("y2", &rule)]);
        let mut y = top;
        let mut was_instant = false;
        for text in self.text(timeline) {
            match text {
                Text::Instant(number, [after, clock, what]) => {
                    let number = number.map(|number| number.to_string()).unwrap_or_default();
                    label(xml, (LEFT, y), "text name", "start", &number);
                    label(xml, (AFTER, y), "muted", "end", &after);
                    label(xml, (CLOCK, y), "muted", "start", &clock);
                    label(xml, (WHAT, y), "text", "start", &what);
                    was_instant = true;
                }
                Text::Note(note) => {
                    y += if was_instant { GAP } else { 0.0 };
                    label(xml, (LEFT, y), "muted small", "start", &note);
                    was_instant = false;
                }
            }
            y += LINE;
        }
    }

    fn text(&self, timeline: &Timeline) -> Vec<Text> {
        let mut text = Vec::new();
        for (place, mark) in self.marks.iter().enumerate() {
            for (number, [after, clock, what]) in mark.lines.iter().enumerate() {
                let line = [after.clone(), clock.clone(), words::shortened(what, COLUMNS, '…')];
                text.push(Text::Instant((number == 0).then_some(place + 1), line));
            }
        }
        if self.left_out > 0 {
            let more = format!("and {} more: -o json has all of them", self.left_out);
            text.push(Text::Instant(None, [String::new(), String::new(), more]));
        }
        let mut note = |note: &str| {
            let lines = words::lines(note, LINE_COLUMNS).into_iter();
            text.extend(lines.map(|line| Text::Note(words::shortened(&line, LINE_COLUMNS, '…'))));
        };
        if let Some(drain) = &timeline.drain {
            note(&format!("Drain: {}.", words::drain(drain)));
        }
        if timeline.instants.iter().any(|instant| instant.source != Source::Pod) {
            note("Points on the line of the pod are Events. The page (--html) lists them, and lines of the logs.");
        }
        timeline.notes.iter().for_each(|line| note(line));
        timeline.unknown.iter().for_each(|line| note(&format!("Not known: {line}")));
        note("Drawn by kubectl exeunt timeline.");
        text
    }
}

/// The line of instants that have the same time.
fn line(timeline: &Timeline, group: &[&Instant]) -> Option<Line> {
    let first = group.first()?;
    let what = group.iter().map(|instant| instant.text.as_str()).collect::<Vec<_>>().join("; ");
    Some([words::after(timeline.from?, first), words::clock(first), what])
}

/// A text at a place.
pub(super) fn label(xml: &mut Xml, (x, y): (f64, f64), kind: &str, anchor: &str, text: &str) {
    if !text.is_empty() {
        xml.leaf("text", &[("class", kind), ("x", &number(x)), ("y", &number(y)), ("text-anchor", anchor)], text);
    }
}
