//! The agent's log, kept for the case of a failure.

use crate::world;

pub(crate) fn line(text: &str) {
    world::with(|world| world.note(&format!("agent: {text}")));
}
