//! The life of a pod as a picture.
//!
//! Interface: [`Timeline::of`] reads everything once, and is what a program gets. [`terminal::text`] draws it with characters, [`svg::text`]
//! as an SVG picture and [`html::page`] as a page. Everything here is pure: `now` is given.
//!
//! Kubernetes gives whole seconds, the verdict gives milliseconds without a time of day, and a log line has the time at which it was read.
//! Each [`Instant`] says how exact it is, and [`Timeline::notes`] says what the picture cannot show.

mod chart;
mod drain;
pub mod html;
mod instants;
mod kept;
mod lanes;
mod legend;
mod model;
mod notes;
mod scale;
mod signs;
pub mod svg;
pub mod terminal;
mod words;
mod xml;

pub use drain::{Drain, Lost, PlacedBy};
pub use kept::Kept;
pub use model::{Instant, Lane, Outcome, Resolution, Source, Span, Timeline};
