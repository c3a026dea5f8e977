//! A response body, truncated at a maximum length.

/// The beginning of a response body.
#[derive(Debug)]
pub struct Body {
    bytes: Vec<u8>,
    longest: usize,
}

// === impl Body ===

impl Body {
    /// A body that keeps its first `longest` bytes.
    #[must_use]
    pub const fn up_to(longest: usize) -> Self {
        Self { bytes: Vec::new(), longest }
    }

    /// Adds `piece`, as far as there is room.
    pub fn take(&mut self, piece: &[u8]) {
        let room = self.longest.saturating_sub(self.bytes.len()).min(piece.len());
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
    }

    /// The bytes that were kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
