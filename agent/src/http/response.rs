//! An HTTP/1.1 response (RFC 9112), read piece by piece and bounded. As much of it as Envoy and pilot-agent use.

use drain::wire;

/// The longest head that is read, in bytes. Envoy's own limit is 60 KiB, for other people's headers.
const MAX_HEAD: usize = 8 * 1024;
/// The longest line of the chunked coding: a hexadecimal number and perhaps an extension.
const MAX_CHUNK_LINE: usize = 256;

/// The parts of a response's head that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status.
    pub(crate) status: u16,
    /// Whether it has the header that every answer of the filter has.
    pub(crate) is_filters: bool,
}

/// The bytes are no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    /// So many bytes of body.
    Body(u64),
    /// Body until the connection is closed.
    BodyUntilClose,
    /// A line of the chunked coding.
    Line(Line),
    /// So many bytes of a chunk.
    Chunk(u64),
    Done,
}

/// A line of the chunked coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// It tells a chunk's length.
    Length,
    /// The line end behind a chunk.
    End,
    /// One of those behind the last chunk, until an empty one.
    Trailer,
}

/// Reads one response.
#[derive(Debug)]
pub(crate) struct Reader {
    phase: Phase,
    /// The head so far, or the line so far.
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
    /// Takes the next piece, cut anywhere, and hands on what is body. Bytes behind the response are passed over.
    pub(crate) fn take(&mut self, mut bytes: &[u8], body: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
        while !bytes.is_empty() && self.phase != Phase::Done {
            bytes = match self.phase {
                Phase::Head => self.take_head(bytes)?,
                Phase::Body(left) => {
                    let (left, rest) = hand_on(left, bytes, body);
                    self.phase = if left == 0 { Phase::Done } else { Phase::Body(left) };
                    rest
                }
                Phase::BodyUntilClose => {
                    body(bytes);
                    &[]
                }
                Phase::Chunk(left) => {
                    let (left, rest) = hand_on(left, bytes, body);
                    self.phase = if left == 0 { Phase::Line(Line::End) } else { Phase::Chunk(left) };
                    rest
                }
                Phase::Line(line) => self.take_line(line, bytes)?,
                Phase::Done => &[],
            };
        }
        Ok(())
    }

    /// Whether the whole response was taken. One without a length ends with its connection.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The head, now that the connection is closed or the response is done.
    pub(crate) fn finish(self) -> Result<Head, Malformed> {
        match self.phase {
            Phase::Done | Phase::BodyUntilClose => Ok(self.head),
            Phase::Head | Phase::Body(_) | Phase::Line(_) | Phase::Chunk(_) => Err(Malformed),
        }
    }

    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        const END: &[u8] = b"\r\n\r\n";
        // The end may lie across two pieces.
        let from = self.text.len().saturating_sub(END.len());
        self.text.extend_from_slice(bytes);
        let found = self.text.get(from..).and_then(|tail| tail.windows(END.len()).position(|window| window == END));
        let Some(found) = found else {
            return if self.text.len() > MAX_HEAD { Err(Malformed) } else { Ok(&[]) };
        };
        let behind = self.text.len() - (from + found + END.len());
        self.text.truncate(from + found);
        let (head, phase) = parse_head(&self.text)?;
        self.text = Vec::new();
        // An interim response (1xx) is followed by the real one.
        (self.head, self.phase) = if (100..200).contains(&head.status) { (Head::default(), Phase::Head) } else { (head, phase) };
        Ok(bytes.get(bytes.len() - behind..).unwrap_or_default())
    }

    fn take_line<'a>(&mut self, line: Line, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (piece, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.text.extend_from_slice(piece);
        if self.text.len() > MAX_CHUNK_LINE {
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

/// Hands on at most `left` of `bytes`; what is then left, and the rest.
fn hand_on<'a>(left: u64, bytes: &'a [u8], body: &mut dyn FnMut(&[u8])) -> (u64, &'a [u8]) {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (piece, rest) = bytes.split_at(length);
    body(piece);
    (left - length as u64, rest)
}

/// The head without its last line ends, and what follows it.
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

    /// Takes `text` in pieces of `piece` bytes; the head and the body.
    fn read(text: &[u8], piece: usize) -> Result<(Head, Vec<u8>), Malformed> {
        let (mut reader, mut body) = (Reader::default(), Vec::new());
        for bytes in text.chunks(piece) {
            reader.take(bytes, &mut |piece| body.extend_from_slice(piece))?;
        }
        Ok((reader.finish()?, body))
    }

    #[test]
    fn where_a_response_is_cut_makes_no_difference() {
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
    fn what_has_no_body_is_done_with_its_head() {
        for text in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] {
            let mut reader = Reader::default();
            reader.take(text.as_bytes(), &mut |_| {}).unwrap();
            assert!(reader.is_done(), "{text}");
        }
    }

    #[test]
    fn an_interim_response_is_passed_over() {
        let text = format!("HTTP/1.1 100 Continue\r\n\r\n{FILTERS}");
        assert_eq!(read(text.as_bytes(), 9).map(|(head, _)| head.status), Ok(202));
    }

    #[test]
    fn a_response_cut_short_or_of_another_kind_is_malformed() {
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
    fn an_endless_head_is_not_held() {
        let mut reader = Reader::default();
        let mut taken = 0;
        while reader.take(&[b'x'; 1_000], &mut |_| {}).is_ok() {
            taken += 1;
            assert!(taken < 20);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, piece in 1usize..40) {
            let _ = read(&bytes, piece);
        }

        #[test]
        fn no_chunks_make_it_panic(text in "([0-9a-f]{0,17}|[\r\n;]{0,3}|[g-z]{0,4}){0,20}", piece in 1usize..40) {
            let _ = read(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{text}").as_bytes(), piece);
        }
    }
}
