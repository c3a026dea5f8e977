//! The picture as SVG: readable on light and dark backgrounds, without script and without a font of its own.

use jiff::Timestamp;

use super::drain::Drain;
use super::legend::{self, Legend};
use super::model::{Lane, Outcome, Source, Span, Timeline};
use super::scale::Scale;
use super::words;
use super::xml::Xml;
use crate::pod::Part;

const STYLE: &str = include_str!("style.css");

/// All lengths are in pixels.
pub(super) const WIDTH: f64 = 920.0;
pub(super) const LEFT: f64 = 24.0;
const ROLE: f64 = 208.0;
const CHART: (f64, f64) = (286.0, 716.0);
const RIGHT: f64 = 732.0;
const HEAD: f64 = 114.0;
/// The height of a lane, and of the bar in it.
const LANE: f64 = 26.0;
const BAR: f64 = 14.0;
/// A bar or a mark that is shorter cannot be seen.
const NARROWEST: f64 = 3.0;
/// Columns that fit, by the width of the font's digits and small letters.
const NAME_COLUMNS: usize = 21;
const RIGHT_COLUMNS: usize = 25;
const TITLE_COLUMNS: usize = 68;
pub(super) const LINE_COLUMNS: usize = 132;

/// What is drawn, and where.
struct Picture<'a> {
    timeline: &'a Timeline,
    scale: Scale,
    legend: Legend,
    xml: Xml,
}

/// The picture.
#[must_use]
pub fn text(timeline: &Timeline) -> String {
    let scale = Scale::over(&timeline.times());
    let legend = Legend::of(timeline, |at| x(&scale, at));
    let picture = Picture { timeline, scale, legend, xml: Xml::default() };
    picture.draw()
}

/// The place of a time.
fn x(scale: &Scale, at: Timestamp) -> f64 {
    let (left, right) = CHART;
    left + (right - left) * scale.place(at)
}

/// A length with one decimal.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

// === impl Picture ===

impl Picture<'_> {
    fn draw(mut self) -> String {
        let timeline = self.timeline;
        #[expect(clippy::cast_precision_loss, reason = "a pod has few containers")]
        let lanes = (timeline.containers.len() + 1 + usize::from(timeline.drain.is_some())) as f64;
        let axis = HEAD + lanes * LANE + 6.0;
        let (foot, height) = self.legend.place(axis + 34.0, timeline);
        let (width, height) = (number(WIDTH), number(height));
        self.xml.open(
            "svg",
            &[
                ("xmlns", "http://www.w3.org/2000/svg"),
                ("viewBox", &format!("0 0 {width} {height}")),
                ("width", &width),
                ("height", &height),
                ("role", "img"),
                ("aria-labelledby", "title description"),
            ],
        );
        self.head(&height);
        self.background(axis);
        let mut y = HEAD;
        self.pod(y);
        for lane in &timeline.containers {
            y += LANE;
            self.lane(lane, y);
        }
        if let Some(drain) = &timeline.drain {
            self.drain(drain, y + LANE);
        }
        self.breaks(axis);
        self.legend.draw(&mut self.xml, foot, timeline);
        self.xml.finish()
    }

    fn head(&mut self, height: &str) {
        let timeline = self.timeline;
        let place = if timeline.namespace.is_empty() { String::new() } else { format!(" in namespace {}", timeline.namespace) };
        self.xml.leaf("title", &[("id", "title")], &format!("The life of the pod {}{place}", timeline.pod));
        let kept = timeline.kept.as_ref().map(|kept| format!(" {}.", words::kept(kept))).unwrap_or_default();
        self.xml.leaf("desc", &[("id", "description")], &format!("{}.{kept}", timeline.sentence));
        self.xml.raw(&format!("  <style>\n{STYLE}</style>\n"));
        let card_height = height.parse::<f64>().unwrap_or_default() - 1.0;
        let (card_width, card_height) = (number(WIDTH - 1.0), number(card_height));
        let card =
            [("class", "card"), ("x", "0.5"), ("y", "0.5"), ("width", &card_width), ("height", &card_height), ("rx", "10")];
        self.xml.empty("rect", &card);
        let title = words::shortened(&format!("{}{place}", timeline.pod), TITLE_COLUMNS, '…');
        self.label(LEFT, 36.0, "text title", "start", &title);
        let ends = words::ends(timeline).unwrap_or_else(|| "No time of this pod is known.".to_owned());
        self.label(LEFT, 60.0, "text", "start", &format!("{}.", sentence(timeline.sentence)));
        self.label(LEFT, 80.0, "muted small", "start", &ends);
    }

    /// Behind the lanes: the time in which the pod was kept, the grid and the axis.
    fn background(&mut self, axis: f64) {
        if let Some(kept) = &self.timeline.kept {
            let (left, right) = (x(&self.scale, kept.from), x(&self.scale, kept.until));
            self.rect("band", (left, HEAD - 4.0), (right - left, axis - HEAD + 4.0));
            let middle = f64::midpoint(left, right).clamp(LEFT + 200.0, WIDTH - 200.0);
            self.label(middle, HEAD - 11.0, "kept small", "middle", &words::kept(kept));
        }
        if self.timeline.life().is_none() {
            return;
        }
        let (left, right) = CHART;
        for tick in self.scale.ticks(64.0 / (right - left)) {
            let at = left + (right - left) * tick.place;
            self.line("rule", (at, HEAD), (at, axis + 5.0));
            self.label(at, axis + 20.0, "muted small", "middle", &tick.label);
        }
        self.line("rule", (left, axis), (right, axis));
        self.label(LEFT, axis + 20.0, "muted small", "start", "since the first instant");
    }

    fn pod(&mut self, y: f64) {
        let Some((from, until)) = self.timeline.life() else { return };
        self.label(LEFT, y + 17.0, "text name", "start", "pod");
        let middle = y + LANE / 2.0;
        self.line("pod", (x(&self.scale, from), middle), (x(&self.scale, until), middle));
        for instant in self.timeline.instants.iter().filter(|instant| instant.source == Source::Event) {
            let kind = if instant.text.starts_with("warning: ") { "warning" } else { "event" };
            let at = number(x(&self.scale, instant.at));
            self.xml.empty("circle", &[("class", kind), ("cx", &at), ("cy", &number(middle)), ("r", "2.5")]);
        }
        self.legend.marks(&mut self.xml, middle);
    }

    fn lane(&mut self, lane: &Lane, y: f64) {
        self.xml.open("g", &[("data-container", &lane.container), ("data-role", lane.role)]);
        let text = format!("{}: {}, {}", lane.container, lane.role, lane.state);
        self.xml.leaf("title", &[], &text);
        let name = words::shortened(&lane.container, NAME_COLUMNS, '…');
        self.label(LEFT, y + 17.0, "text name", "start", &name);
        self.label(ROLE, y + 17.0, "muted", "start", lane.role);
        let again = if lane.restarts > 0 { format!(", restarts: {}", lane.restarts) } else { String::new() };
        let ran = words::ran(lane, self.timeline.looked_at);
        let right = if ran.is_empty() { lane.state.clone() } else { format!("{ran}, {}{again}", lane.state) };
        self.label(RIGHT, y + 17.0, "text", "start", &words::shortened(&right, RIGHT_COLUMNS, '…'));
        let latest = lane.instances.len().saturating_sub(1);
        for (place, span) in lane.instances.iter().enumerate() {
            self.bar(lane, span, y, if place == latest { "" } else { " earlier" });
        }
        self.xml.close();
    }

    fn bar(&mut self, lane: &Lane, span: &Span, y: f64, which: &str) {
        let Some((from, until)) = span.drawn(self.timeline.looked_at) else { return };
        let kind = match (span.outcome, lane.part) {
            (Outcome::Failed, _) => "failed",
            (_, Part::Main) => "main",
            (_, Part::Proxy) => "proxy",
            (_, Part::Agent) => "agent",
            (_, Part::Helper) => "helper",
            (_, Part::Other) => "other",
        };
        let top = y + (LANE - BAR) / 2.0;
        let (left, width) = self.across(from, until);
        self.rect(&format!("{kind}{which}"), (left, top), (width, BAR));
        if let Some(kept) = self.timeline.kept.as_ref().filter(|kept| lane.keeps && kept.from < until) {
            let (left, width) = self.across(kept.from.max(from), until);
            self.rect("kept", (left, top), (width, BAR));
        }
    }

    fn drain(&mut self, drain: &Drain, y: f64) {
        self.label(LEFT, y + 17.0, "text name", "start", "drain");
        let length = drain.milliseconds().map(words::milliseconds);
        let lost = drain.undelivered.map(|lost| match (lost.bytes, lost.connections, lost.at_least) {
            (0, 0, false) => "all delivered".to_owned(),
            (bytes, _, at_least) => format!("{}{bytes} B undelivered", if at_least { "≥" } else { "" }),
        });
        let right = [length, lost].into_iter().flatten().collect::<Vec<_>>().join(", ");
        self.label(RIGHT, y + 17.0, "text", "start", &words::shortened(&right, RIGHT_COLUMNS, '…'));
        if let Some((from, until)) = drain.from.zip(drain.until()) {
            let (left, width) = self.across(from, until);
            let kind = if drain.has_lost() { "failed" } else { "agent" };
            self.rect(kind, (left, y + (LANE - BAR) / 2.0), (width, BAR));
        }
    }

    /// A break is a gap with two edges through all lanes.
    fn breaks(&mut self, axis: f64) {
        let (left, right) = CHART;
        for cut in self.scale.breaks() {
            let middle = left + (right - left) * f64::midpoint(cut.left, cut.right);
            let (top, bottom) = (HEAD - 2.0, axis + 4.0);
            let edge = |shift: f64| {
                format!("{},{} {},{}", number(middle + shift + 3.0), number(top), number(middle + shift - 3.0), number(bottom))
            };
            let back = format!("{},{} {},{}", number(middle + 1.0), number(bottom), number(middle + 7.0), number(top));
            self.xml.empty("polygon", &[("class", "cut"), ("points", &format!("{} {back}", edge(-4.0)))]);
            self.xml.empty("polyline", &[("class", "edge"), ("points", &edge(-4.0))]);
            self.xml.empty("polyline", &[("class", "edge"), ("points", &edge(4.0))]);
            self.label(middle, axis + 20.0, "muted small", "middle", &format!("⟨{}⟩", cut.label));
        }
    }

    /// Where a bar begins, and how wide it is.
    fn across(&self, from: Timestamp, until: Timestamp) -> (f64, f64) {
        let left = x(&self.scale, from).min(CHART.1 - NARROWEST);
        (left, (x(&self.scale, until) - left).max(NARROWEST))
    }

    fn label(&mut self, x: f64, y: f64, kind: &str, anchor: &str, text: &str) {
        legend::label(&mut self.xml, (x, y), kind, anchor, text);
    }

    fn rect(&mut self, kind: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let numbers = [x, y, width, height].map(number);
        let [x, y, width, height] = &numbers;
        self.xml.empty("rect", &[("class", kind), ("x", x), ("y", y), ("width", width), ("height", height)]);
    }

    fn line(&mut self, kind: &str, from: (f64, f64), to: (f64, f64)) {
        let numbers = [from.0, from.1, to.0, to.1].map(number);
        let [x1, y1, x2, y2] = &numbers;
        self.xml.empty("line", &[("class", kind), ("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)]);
    }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}
