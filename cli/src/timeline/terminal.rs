//! The picture with characters, as wide as the terminal: a line for each container, an axis, and what has happened.

use core::fmt::Write as _;

use super::chart::Chart;
use super::model::{Instant, Source, Timeline};
pub use super::signs::{ASCII, Signs, UNICODE};
use super::words::{self, wrapped};
use crate::output::safe;

/// A narrower picture shows nothing.
const NARROWEST: usize = 60;
/// So many instants are listed; `-o json` has all of them.
const INSTANTS: usize = 60;

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
