//! The lines of the picture in a terminal: one for each container, one for the drain, and the axis.

use core::fmt::Write as _;

use anstyle::{AnsiColor, Color, Style};
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use super::model::{Lane, Outcome, Timeline};
use super::scale::Scale;
use super::signs::Signs;
use super::words::{self, wrapped};
use crate::output::safe;
use crate::pod::Part;

/// The widest name of a container that is shown whole.
const NAME: usize = 24;
/// Columns of the roles; `ephemeral` is the longest.
const ROLE: usize = 9;
/// Columns of what a container does now, at most, in a narrow terminal.
const RIGHT: usize = 30;

/// The chart: how its times become columns.
pub(super) struct Chart<'a> {
    timeline: &'a Timeline,
    signs: Signs,
    scale: Scale,
    name: usize,
    right: usize,
    width: usize,
}

// === impl Chart ===

impl<'a> Chart<'a> {
    pub(super) fn new(timeline: &'a Timeline, width: usize, signs: Signs) -> Self {
        let widest = timeline.containers.iter().map(|lane| safe(&lane.container).width()).max().unwrap_or(0);
        let name = widest.clamp(5, NAME);
        let right = timeline
            .containers
            .iter()
            .map(|lane| right(lane, timeline.looked_at).width())
            .max()
            .unwrap_or(0)
            .min(RIGHT.max(width / 3));
        let chart = width.saturating_sub(name + ROLE + right + 4).max(10);
        Self { timeline, signs, scale: Scale::over(&timeline.times()), name, right, width: chart }
    }

    pub(super) fn draw(&self, text: &mut String) {
        if self.timeline.life().is_some() {
            self.line(text, "pod", "", &self.pod(), "");
        }
        for lane in &self.timeline.containers {
            self.line(text, &lane.container, lane.role, &self.bars(lane), &right(lane, self.timeline.looked_at));
        }
        if let Some(drain) = &self.timeline.drain {
            let length = drain.milliseconds().map(words::milliseconds).unwrap_or_default();
            let span = drain.from.zip(drain.until());
            let mut cells = vec![(' ', Style::new()); self.width];
            if let Some((from, until)) = span {
                let style = colour(if drain.has_lost() { AnsiColor::Red } else { AnsiColor::Magenta });
                self.fill(&mut cells, (from, until), self.signs.bar, style);
            }
            self.line(text, "drain", "", &cells, &length);
        }
        if self.timeline.life().is_some() {
            self.axis(text);
        }
        let indent = " ".repeat(self.name + ROLE + 2);
        if let Some(kept) = &self.timeline.kept {
            let style = colour(AnsiColor::Yellow);
            let head = format!("{indent}{style}{}{style:#} ", self.signs.kept);
            let kept = words::shortened(&safe(&words::kept(kept)), self.width + self.right, self.signs.ellipsis);
            let _ = writeln!(text, "{head}{kept}");
        }
        let width = self.name + ROLE + self.right + self.width + 4;
        for cut in self.scale.breaks() {
            let what = format!("stands for {} in which nothing starts or ends", cut.label);
            wrapped(text, &format!("{indent}{0}{0} ", self.signs.cut), &what, width);
        }
        text.push('\n');
        if let Some(drain) = &self.timeline.drain {
            wrapped(text, "drain: ", &safe(&words::drain(drain)), width);
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
        if let Some(life) = self.timeline.life() {
            self.fill(&mut cells, life, self.signs.line, Style::new());
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
            let Some((from, until)) = span.drawn(self.timeline.looked_at) else { continue };
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
        let apart = 8.0 / self.width as f64;
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
fn right(lane: &Lane, looked_at: Option<Timestamp>) -> String {
    let again = if lane.restarts > 0 { format!(", restarts: {}", lane.restarts) } else { String::new() };
    format!("{:>6}  {}{again}", words::ran(lane, looked_at), lane.state)
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
