//! What is kept of an answer: as much as was bargained for, whatever comes.

/// The beginning of an answer's body.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    longest: usize,
}

// === impl Body ===

impl Body {
    /// Of which `longest` bytes are kept.
    pub(crate) const fn up_to(longest: usize) -> Self {
        Self { bytes: Vec::new(), longest }
    }

    /// Keeps what there is room for.
    pub(crate) fn take(&mut self, piece: &[u8]) {
        let room = self.longest.saturating_sub(self.bytes.len()).min(piece.len());
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
    }

    /// What was kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
