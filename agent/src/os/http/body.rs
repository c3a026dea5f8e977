//! A response body, truncated at the limit that it has.

use pod::bounds::Input;

/// The beginning of a response body.
#[derive(Debug)]
pub struct Body {
    bytes: Vec<u8>,
    input: Input,
}

// === impl Body ===

impl Body {
    /// The body of `input`, empty so far.
    #[must_use]
    pub const fn of(input: Input) -> Self {
        Self { bytes: Vec::new(), input }
    }

    /// Adds `piece`, as far as there is room.
    pub fn take(&mut self, piece: &[u8]) {
        let room = self.input.most().saturating_sub(self.bytes.len()).min(piece.len());
        if room < piece.len() {
            self.input.tell();
        }
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
    }

    /// The bytes that were kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
