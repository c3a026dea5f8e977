//! The picture with characters, as wide as the terminal: a line for each container, an axis, and what has happened.

use core::fmt::Write as _;

use anstyle::{AnsiColor, Color, Style};
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use super::model::{Instant, Lane, Outcome, Source, Timeline};
use super::scale::Scale;
use super::words;
use crate::output::safe;
use crate::pod::Part;

/// A narrower picture shows nothing.
const NARROWEST: usize = 60;
/// The widest name of a container that is shown whole.
const NAME: usize = 24;
/// Columns of the roles; `ephemeral` is the longest.
const ROLE: usize = 9;
/// Columns of what a container does now, at most, in a narrow terminal.
const RIGHT: usize = 30;
/// So many instants are listed; `-o json` has all of them.
const INSTANTS: usize = 60;

/// The characters of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    bar: char,
    earlier: char,
    kept: char,
    failed: char,
    cut: char,
    mark: char,
    line: char,
    tick: char,
    ellipsis: char,
    is_ascii: bool,
}

/// Blocks and lines.
pub const UNICODE: Signs = Signs {
    bar: '█',
    earlier: '▓',
    kept: '▒',
    failed: '✗',
    cut: '╱',
    mark: '┿',
    line: '━',
    tick: '┴',
    ellipsis: '…',
    is_ascii: false,
};

/// For a terminal or a file without them.
pub const ASCII: Signs = Signs {
    bar: '#',
    earlier: '=',
    kept: ':',
    failed: 'x',
    cut: '/',
    mark: '+',
    line: '-',
    tick: '+',
    ellipsis: '~',
    is_ascii: true,
};

/// The chart: how its times become columns.
struct Chart<'a> {
    timeline: &'a Timeline,
    signs: Signs,
    scale: Scale,
    until: Timestamp,
    name: usize,
    right: usize,
    width: usize,
}

/// The picture, `width` columns wide, with colours that are dropped where there is no terminal.
#[must_use]
pub fn text(timeline: &Timeline, width: usize, signs: Signs) -> String {
    let (mut text, width) = (String::new(), width.max(NARROWEST));
    let of = if timeline.namespace.is_empty() { String::new() } else { format!(" in namespace {}", safe(&timeline.namespace)) };
    wrapped(&mut text, "", &format!("{}{of}: {}.", safe(&timeline.pod), timeline.sentence), width);
    let ends = words::ends(timeline).unwrap_or_else(|| "No time of this pod is known.".to_owned());
    wrapped(&mut text, "", &ends, width);
    text.push('\n');
    Chart::new(timeline, width, signs).draw(&mut text);
    list(&mut text, timeline, width);
    for note in &timeline.notes {
        wrapped(&mut text, "", &safe(note), width);
    }
    for line in &timeline.unknown {
        wrapped(&mut text, "not known: ", &safe(line), width);
    }
    if signs.is_ascii { text.chars().map(|sign| if sign.is_ascii() { sign } else { '?' }).collect() } else { text }
}

// === impl Chart ===

impl<'a> Chart<'a> {
    fn new(timeline: &'a Timeline, width: usize, signs: Signs) -> Self {
        let until = timeline.until.unwrap_or(Timestamp::UNIX_EPOCH);
        let widest = timeline.containers.iter().map(|lane| safe(&lane.container).width()).max().unwrap_or(0);
        let name = widest.clamp(5, NAME);
        let right =
            timeline.containers.iter().map(|lane| right(lane, until).width()).max().unwrap_or(0).min(RIGHT.max(width / 3));
        let chart = width.saturating_sub(name + ROLE + right + 4).max(10);
        Self { timeline, signs, scale: Scale::over(&timeline.times()), until, name, right, width: chart }
    }

    fn draw(&self, text: &mut String) {
        if self.timeline.ends().is_some() {
            self.line(text, "pod", "", &self.pod(), "");
        }
        for lane in &self.timeline.containers {
            self.line(text, &lane.container, lane.role, &self.bars(lane), &right(lane, self.until));
        }
        if let Some(drain) = &self.timeline.drain {
            let length = drain.milliseconds().map(words::milliseconds).unwrap_or_default();
            let span = drain.from.zip(drain.until());
            let mut cells = vec![(' ', Style::new()); self.width];
            if let Some((from, until)) = span {
                self.fill(&mut cells, (from, until), self.signs.bar, colour(AnsiColor::Magenta));
            }
            self.line(text, "drain", "", &cells, &length);
        }
        if self.timeline.ends().is_some() {
            self.axis(text);
        }
        let indent = " ".repeat(self.name + ROLE + 2);
        if let Some(kept) = &self.timeline.kept {
            let style = colour(AnsiColor::Yellow);
            let _ = writeln!(text, "{indent}{style}{}{style:#} {}", self.signs.kept, safe(&words::kept(kept)));
        }
        for cut in self.scale.breaks() {
            let _ = writeln!(text, "{indent}{0}{0} stands for {1} in which nothing starts or ends", self.signs.cut, cut.label);
        }
        text.push('\n');
        if let Some(drain) = &self.timeline.drain {
            wrapped(text, "drain: ", &safe(&words::drain(drain)), self.name + ROLE + self.right + self.width + 4);
            text.push('\n');
        }
    }

    /// The columns from one time to another, at least one.
    fn columns(&self, from: Timestamp, until: Timestamp) -> (usize, usize) {
        let first = self.column(from).min(self.width.saturating_sub(1));
        (first, self.column(until).clamp(first + 1, self.width.max(first + 1)))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place is in 0 to 1"
    )]
    fn column(&self, at: Timestamp) -> usize {
        (self.scale.place(at) * self.width as f64).round() as usize
    }

    fn fill(&self, cells: &mut [(char, Style)], (from, until): (Timestamp, Timestamp), sign: char, style: Style) {
        let (first, last) = self.columns(from, until);
        for cell in cells.iter_mut().take(last).skip(first) {
            *cell = (sign, style);
        }
    }

    /// Draws a break into what is filled there.
    fn cut(&self, cells: &mut [(char, Style)]) {
        for cut in self.scale.breaks() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 1")]
            let middle = (f64::midpoint(cut.left, cut.right) * self.width as f64) as usize;
            for cell in cells.iter_mut().skip(middle.saturating_sub(1)).take(2).filter(|(sign, _)| *sign != ' ') {
                cell.0 = self.signs.cut;
            }
        }
    }

    fn pod(&self) -> Vec<(char, Style)> {
        let mut cells = vec![(' ', Style::new()); self.width];
        if let Some(ends) = self.timeline.ends() {
            self.fill(&mut cells, ends, self.signs.line, Style::new());
        }
        self.cut(&mut cells);
        for instant in self.timeline.instants.iter().filter(|instant| instant.is_marked) {
            self.fill(&mut cells, (instant.at, instant.at), self.signs.mark, Style::new().bold());
        }
        cells
    }

    fn bars(&self, lane: &Lane) -> Vec<(char, Style)> {
        let mut cells = vec![(' ', Style::new()); self.width];
        let latest = lane.instances.len().saturating_sub(1);
        for (place, span) in lane.instances.iter().enumerate() {
            let Some((from, until)) = span.drawn(self.until) else { continue };
            let style = style(lane.part, span.outcome);
            let sign = if place == latest { self.signs.bar } else { self.signs.earlier };
            self.fill(&mut cells, (from, until), sign, style);
            if let Some(kept) = self.timeline.kept.as_ref().filter(|kept| lane.keeps && kept.from < until) {
                self.fill(&mut cells, (kept.from.max(from), until), self.signs.kept, colour(AnsiColor::Yellow));
            }
            if span.outcome == Outcome::Failed {
                let (first, end) = self.columns(from, until);
                if let Some(cell) = cells.get_mut(end.saturating_sub(1).max(first)) {
                    *cell = (self.signs.failed, style);
                }
            }
        }
        self.cut(&mut cells);
        cells
    }

    fn line(&self, text: &mut String, name: &str, role: &str, cells: &[(char, Style)], right: &str) {
        let name = padded(&words::shortened(&safe(name), self.name, self.signs.ellipsis), self.name);
        let mut line = format!("{name} {role:<ROLE$} ");
        for run in cells.chunk_by(|a, b| a.1 == b.1) {
            let (style, signs) = (run.first().map(|cell| cell.1).unwrap_or_default(), run.iter().map(|cell| cell.0));
            let signs = signs.collect::<String>();
            let _ = if style == Style::new() { write!(line, "{signs}") } else { write!(line, "{style}{signs}{style:#}") };
        }
        let _ = write!(line, "  {}", words::shortened(&safe(right), self.right, self.signs.ellipsis));
        let _ = writeln!(text, "{}", line.trim_end());
    }

    fn axis(&self, text: &mut String) {
        let mut line = vec![self.signs.line; self.width];
        let mut labels = vec![' '; self.width];
        let mut free = 0;
        #[expect(clippy::cast_precision_loss, reason = "a terminal is narrow")]
        let apart = 9.0 / self.width as f64;
        let ticks = self.scale.ticks(apart);
        let end = ticks.last().map_or(0, |tick| tick.label.len());
        for (number, tick) in ticks.iter().enumerate() {
            let is_last = number + 1 == ticks.len();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 1")]
            let column = ((tick.place * self.width as f64).round() as usize).min(self.width.saturating_sub(1));
            let first = if is_last { (column + 1).saturating_sub(tick.label.len()) } else { column };
            let is_in_the_way = !is_last && first + tick.label.len() + 1 > self.width.saturating_sub(end);
            if first < free || is_in_the_way {
                continue;
            }
            if let Some(sign) = line.get_mut(column) {
                *sign = self.signs.tick;
            }
            for (cell, sign) in labels.iter_mut().skip(first).zip(tick.label.chars()) {
                *cell = sign;
            }
            free = first + tick.label.len() + 1;
        }
        let mut line = line.into_iter().map(|sign| (sign, Style::new())).collect::<Vec<_>>();
        self.cut(&mut line);
        self.line(text, "", "", &line, "");
        self.line(text, "", "", &labels.into_iter().map(|sign| (sign, Style::new())).collect::<Vec<_>>(), "");
    }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// How long the latest instance has run, and what it does now.
fn right(lane: &Lane, until: Timestamp) -> String {
    let again = if lane.restarts > 0 { format!(", restarts: {}", lane.restarts) } else { String::new() };
    format!("{:>6}  {}{again}", words::ran(lane, until), lane.state)
}

fn style(part: Part, outcome: Outcome) -> Style {
    match (outcome, part) {
        (Outcome::Failed, _) => colour(AnsiColor::Red),
        (_, Part::Main) => colour(AnsiColor::Green),
        (_, Part::Proxy) => colour(AnsiColor::Blue),
        (_, Part::Agent) => colour(AnsiColor::Magenta),
        (_, Part::Helper | Part::Other) => Style::new().dimmed(),
    }
}

fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// What has happened, one a line. Those of the pod that have the same time share a line.
fn list(text: &mut String, timeline: &Timeline, width: usize) {
    let Some(from) = timeline.from else { return };
    let is_together = |a: &Instant, b: &Instant| a.at == b.at && a.source == Source::Pod && b.source == Source::Pod;
    let groups = timeline.instants.chunk_by(is_together).collect::<Vec<_>>();
    for group in groups.iter().take(INSTANTS) {
        let Some(first) = group.first() else { continue };
        let source = match first.source {
            Source::Pod => "",
            Source::Event => "event  ",
            Source::Log => "log  ",
        };
        let what = group.iter().map(|instant| safe(&instant.text)).collect::<Vec<_>>().join("; ");
        let head = format!("{:>9}  {:<12}  {source}", words::after(from, first), words::clock(first));
        wrapped(text, &head, &what, width);
    }
    if groups.len() > INSTANTS {
        let _ = writeln!(text, "{:>9}  and {} more: -o json has all of them", "", groups.len() - INSTANTS);
    }
    if !groups.is_empty() {
        text.push('\n');
    }
}

/// `what` behind `head`, in lines that fit; the next ones begin below the first one's text.
fn wrapped(text: &mut String, head: &str, what: &str, width: usize) {
    for (number, line) in words::lines(what, width.saturating_sub(head.width())).into_iter().enumerate() {
        let head = if number == 0 { head.to_owned() } else { " ".repeat(head.width()) };
        let _ = writeln!(text, "{}", format!("{head}{line}").trim_end());
    }
}
