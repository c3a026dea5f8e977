//! A reader of HTTP/1.1 responses (RFC 9112) with limits, for the part of HTTP that Envoy and pilot-agent use.

use drain::wire;
use pod::bounds::Input;

/// The parts of a response head that the agent uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Whether it has the header `x-exeunt`, which only the filter sends.
    pub is_filters: bool,
}

/// The bytes are not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    /// This many bytes of the body.
    Body(u64),
    /// The body, until the connection is closed.
    BodyUntilClose,
    /// A line of the chunked coding.
    Line(Line),
    /// This many bytes of a chunk.
    Chunk(u64),
    Done,
}

/// A line of the chunked coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// The length of a chunk.
    Length,
    /// The end of the line after a chunk.
    End,
    /// A line after the last chunk, until an empty one.
    Trailer,
}

/// Reads one response.
#[derive(Debug)]
pub struct Reader {
    phase: Phase,
    /// The bytes of the head or of the line, so far.
    text: Vec<u8>,
    head: Head,
}

// === impl Reader ===

impl Default for Reader {
    fn default() -> Self {
        Self { phase: Phase::Head, text: Vec::new(), head: Head::default() }
    }
}

impl Reader {
    /// Takes the next piece and passes the bytes of the body to `body`. Bytes after the response are ignored.
    ///
    /// # Errors
    /// Where the bytes are not a response.
    pub fn take(&mut self, mut bytes: &[u8], body: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        while !bytes.is_empty() && self.phase != Phase::Done {
            bytes = match self.phase {
                Phase::Head => self.take_head(bytes)?,
                Phase::Body(left) => {
                    let (left, rest) = pass_on(left, bytes, body);
                    self.phase = if left == 0 { Phase::Done } else { Phase::Body(left) };
                    rest
                }
                Phase::BodyUntilClose => {
                    body(bytes);
                    &[]
                }
                Phase::Chunk(left) => {
                    let (left, rest) = pass_on(left, bytes, body);
                    self.phase = if left == 0 { Phase::Line(Line::End) } else { Phase::Chunk(left) };
                    rest
                }
                Phase::Line(line) => self.take_line(line, bytes)?,
                Phase::Done => &[],
            };
        }
        Ok(())
    }

    /// Whether the whole response was read. A response without a length ends with its connection.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The head, once the connection is closed or the response is complete.
    ///
    /// # Errors
    /// Where the response is not complete.
    pub fn finish(self) -> Result<Head, Malformed> {
        match self.phase {
            Phase::Done | Phase::BodyUntilClose => Ok(self.head),
            Phase::Head | Phase::Body(_) | Phase::Line(_) | Phase::Chunk(_) => Err(Malformed),
        }
    }

    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        const END: &[u8] = b"\r\n\r\n";
        // The end of the head may be cut in two.
        let from = self.text.len().saturating_sub(END.len());
        self.text.extend_from_slice(bytes);
        let found = self.text.get(from..).and_then(|tail| tail.windows(END.len()).position(|window| window == END));
        let Some(found) = found else {
            return if self.text.len() > Input::ResponseHead.most() { Err(Malformed) } else { Ok(&[]) };
        };
        let after = self.text.len() - (from + found + END.len());
        self.text.truncate(from + found);
        let (head, phase) = parse_head(&self.text)?;
        self.text = Vec::new();
        // The final response follows an interim response (1xx).
        (self.head, self.phase) = if (100..200).contains(&head.status) { (Head::default(), Phase::Head) } else { (head, phase) };
        Ok(bytes.get(bytes.len() - after..).unwrap_or_default())
    }

    fn take_line<'a>(&mut self, line: Line, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (piece, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.text.extend_from_slice(piece);
        if self.text.len() > Input::ChunkLine.most() {
            return Err(Malformed);
        }
        if end.is_some() {
            let text = self.text.trim_ascii();
            self.phase = match (line, text.is_empty()) {
                (Line::Length, _) => match chunk_length(text)? {
                    0 => Phase::Line(Line::Trailer),
                    length => Phase::Chunk(length),
                },
                (Line::End, true) => Phase::Line(Line::Length),
                (Line::End, false) => return Err(Malformed),
                (Line::Trailer, true) => Phase::Done,
                (Line::Trailer, false) => Phase::Line(Line::Trailer),
            };
            self.text.clear();
        }
        Ok(rest)
    }
}

/// Passes at most `left` of `bytes` to `body`. Returns how many are left to pass, and the other bytes.
fn pass_on<'a>(left: u64, bytes: &'a [u8], body: &mut dyn FnMut(&[u8])) -> (u64, &'a [u8]) {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (piece, rest) = bytes.split_at(length);
    body(piece);
    (left - length as u64, rest)
}

/// The head in `text`, which has no line ends at its end, and the phase after it.
fn parse_head(text: &[u8]) -> Result<(Head, Phase), Malformed> {
    let text = core::str::from_utf8(text).map_err(|_| Malformed)?;
    let mut lines = text.split("\r\n");
    let status_line = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status_line.and_then(|line| line.get(2..5)?.parse().ok()).filter(|status| (100..600).contains(status));
    let mut head = Head { status: status.ok_or(Malformed)?, is_filters: false };
    let (mut length, mut chunked) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Malformed)?;
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(wire::HEADER) {
            head.is_filters = true;
        } else if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse().map_err(|_| Malformed)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    let phase = match (head.status, chunked, length) {
        (204 | 304, _, _) | (_, false, Some(0)) => Phase::Done,
        (_, true, _) => Phase::Line(Line::Length),
        (_, false, Some(length)) => Phase::Body(length),
        (_, false, None) => Phase::BodyUntilClose,
    };
    Ok((head, phase))
}

fn chunk_length(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = core::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
    text.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILTERS: &str =
        "HTTP/1.1 202 Accepted\r\nx-exeunt: 0.1.0\r\ncontent-length: 5\r\ndate: Sun, 22 Nov 2026 20:00:00 GMT\r\n\r\nhello";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nx-trailer: 1\r\n\r\n";

    /// Reads `text` in pieces of `piece` bytes. Returns the head and the body.
    fn read(text: &[u8], piece: usize) -> Result<(Head, Vec<u8>), Malformed> {
        let (mut reader, mut body) = (Reader::default(), Vec::new());
        for bytes in text.chunks(piece) {
            reader.take(bytes, &mut |piece| body.extend_from_slice(piece))?;
        }
        Ok((reader.finish()?, body))
    }

    #[test]
    fn the_place_of_a_cut_makes_no_difference() {
        for piece in 1..=FILTERS.len() {
            let head = Head { status: 202, is_filters: true };
            assert_eq!(read(FILTERS.as_bytes(), piece), Ok((head, b"hello".to_vec())), "pieces of {piece}");
            let head = Head { status: 200, is_filters: false };
            assert_eq!(read(CHUNKED.as_bytes(), piece), Ok((head, b"hello".to_vec())), "pieces of {piece}");
        }
    }

    #[test]
    fn a_response_without_length_ends_with_its_connection() {
        let (head, body) = read(b"HTTP/1.0 503 Service Unavailable\r\n\r\nno healthy upstream", 7).unwrap();
        assert_eq!((head.status, body), (503, b"no healthy upstream".to_vec()));
    }

    #[test]
    fn a_response_without_a_body_ends_with_its_head() {
        for text in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] {
            let mut reader = Reader::default();
            reader.take(text.as_bytes(), &mut |_| {}).unwrap();
            assert!(reader.is_done(), "{text}");
        }
    }

    #[test]
    fn an_interim_response_is_ignored() {
        let text = format!("HTTP/1.1 100 Continue\r\n\r\n{FILTERS}");
        assert_eq!(read(text.as_bytes(), 9).map(|(head, _)| head.status), Ok(202));
    }

    #[test]
    fn a_truncated_or_foreign_response_is_malformed() {
        let wrong = [
            "",
            "HTTP/1.1 200 OK\r\n",
            &FILTERS[..FILTERS.len() - 1],
            &CHUNKED[..CHUNKED.len() - 2],
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n+3\r\nabc\r\n",
        ];
        for text in wrong {
            assert_eq!(read(text.as_bytes(), 1_000), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn an_endless_head_is_malformed() {
        let mut reader = Reader::default();
        let mut taken = 0;
        while reader.take(&[b'x'; 1_000], &mut |_| {}).is_ok() {
            taken += 1;
            assert!(taken < 20);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes: Vec<u8>, piece in 1usize..40) {
            let _ = read(&bytes, piece);
        }

        #[test]
        fn no_chunks_cause_a_panic(text in "([0-9a-f]{0,17}|[\r\n;]{0,3}|[g-z]{0,4}){0,20}", piece in 1usize..40) {
            let _ = read(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{text}").as_bytes(), piece);
        }
    }
}
