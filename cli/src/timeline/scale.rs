//! From a time to its place in the picture. A pod that works for three seconds and hangs for four days has both in one picture: a long
//! time in which nothing happens is drawn short, and marked as a break.

use jiff::Timestamp;

use super::words;

/// A stretch is drawn short if it is longer than so many times all others together. Below that, both can still be seen.
const LONG: f64 = 6.0;
/// The share of the picture that all breaks have together.
const BREAKS: f64 = 0.3;
/// The lengths between ticks, in seconds, up to an hour; then hours and days.
const STEPS: [i64; 21] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000];

/// The scale.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    from: Timestamp,
    pieces: Vec<Piece>,
}

/// A stretch of time, in milliseconds since the begin, and its place in the picture.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: f64,
    until: f64,
    left: f64,
    right: f64,
    is_break: bool,
}

/// A mark on the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Its place, from 0 to 1.
    pub(super) place: f64,
    /// Its label.
    pub(super) label: String,
}

/// A break of the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Break {
    /// Where it begins, from 0 to 1.
    pub(super) left: f64,
    /// Where it ends.
    pub(super) right: f64,
    /// How long it is.
    pub(super) label: String,
}

// === impl Scale ===

impl Scale {
    /// A scale on which all these times have a place.
    pub(super) fn over(times: &[Timestamp]) -> Self {
        let from = times.iter().min().copied().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut points = times.iter().map(|at| since(from, *at)).collect::<Vec<_>>();
        points.sort_by(f64::total_cmp);
        // What happens within a second of another thing belongs to it: Kubernetes cannot tell them apart.
        points.dedup_by(|next, before| *next - *before < 1000.0);
        let mut pieces = points
            .iter()
            .zip(points.iter().skip(1))
            .map(|(from, until)| Piece { from: *from, until: *until, left: 0.0, right: 0.0, is_break: false })
            .collect::<Vec<_>>();
        let end = times.iter().map(|at| since(from, *at)).fold(0.0, f64::max);
        match pieces.last_mut() {
            Some(last) => last.until = end,
            None if end > 0.0 => pieces.push(Piece { from: 0.0, until: end, left: 0.0, right: 0.0, is_break: false }),
            None => {}
        }
        mark_breaks(&mut pieces);
        lay_out(&mut pieces);
        Self { from, pieces }
    }

    /// The place of a time, from 0 to 1.
    pub(super) fn place(&self, at: Timestamp) -> f64 {
        self.place_of(since(self.from, at))
    }

    fn place_of(&self, at: f64) -> f64 {
        let Some(piece) = self.pieces.iter().find(|piece| at <= piece.until).or(self.pieces.last()) else { return 0.0 };
        let share = (at - piece.from) / (piece.until - piece.from).max(1.0);
        piece.left + (piece.right - piece.left) * share.clamp(0.0, 1.0)
    }

    /// The breaks, from left to right.
    pub(super) fn breaks(&self) -> Vec<Break> {
        let breaks = self.pieces.iter().filter(|piece| piece.is_break);
        let label = |piece: &Piece| words::length(seconds(piece.until - piece.from));
        breaks.map(|piece| Break { left: piece.left, right: piece.right, label: label(piece) }).collect()
    }

    /// Marks at round lengths, none nearer to the next than `apart`, and one at the end.
    pub(super) fn ticks(&self, apart: f64) -> Vec<Tick> {
        let Some(last) = self.pieces.last() else { return vec![Tick { place: 0.0, label: words::tick(0) }] };
        let end = Tick { place: 1.0, label: words::length(seconds(last.until)) };
        let mut ticks = vec![Tick { place: 0.0, label: words::tick(0) }];
        for part in self.pieces.chunk_by(|a, b| a.is_break == b.is_break) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            if first.is_break {
                continue;
            }
            let share = (last.right - first.left) / (last.until - first.from).max(1.0);
            #[expect(clippy::cast_precision_loss, reason = "a step is small")]
            let Some(step) = STEPS.into_iter().find(|step| *step as f64 * 1000.0 * share >= apart) else { continue };
            let mut at = (seconds(first.from) / step + 1) * step;
            while at <= seconds(last.until) {
                #[expect(clippy::cast_precision_loss, reason = "no pod lives for a million years")]
                let place = self.place_of(at as f64 * 1000.0);
                if ticks.last().is_none_or(|before| place - before.place >= apart) && end.place - place >= apart {
                    ticks.push(Tick { place, label: words::tick(at) });
                }
                at += step;
            }
        }
        ticks.push(end);
        ticks
    }
}

/// Marks the longest stretch as a break, again and again, as long as it makes all others invisible.
fn mark_breaks(pieces: &mut [Piece]) {
    loop {
        let length = |piece: &Piece| piece.until - piece.from;
        let rest = pieces.iter().filter(|piece| !piece.is_break).map(length).sum::<f64>();
        let open = pieces.iter_mut().filter(|piece| !piece.is_break);
        let Some(longest) = open.max_by(|a, b| length(a).total_cmp(&length(b))) else { return };
        let others = rest - length(longest);
        if others <= 0.0 || length(longest) <= LONG * others {
            return;
        }
        longest.is_break = true;
    }
}

fn lay_out(pieces: &mut [Piece]) {
    let breaks = pieces.iter().filter(|piece| piece.is_break).count();
    let open = pieces.iter().filter(|piece| !piece.is_break).map(|piece| piece.until - piece.from).sum::<f64>();
    let shared = if breaks == 0 { 1.0 } else { 1.0 - BREAKS };
    let mut left = 0.0;
    for piece in pieces {
        #[expect(clippy::cast_precision_loss, reason = "there are few breaks")]
        let width = if piece.is_break { BREAKS / breaks as f64 } else { shared * (piece.until - piece.from) / open.max(1.0) };
        (piece.left, piece.right) = (left, (left + width).min(1.0));
        left = piece.right;
    }
}

/// In milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a picture needs no more")]
fn since(from: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(from).as_millis().max(0) as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the number of milliseconds between two timestamps fits")]
fn seconds(milliseconds: f64) -> i64 {
    (milliseconds / 1000.0) as i64
}
