//! The one way to read what others write: never more than [`Input`] allows. `clippy.toml` forbids every other way.
#![expect(clippy::disallowed_methods, reason = "this is where files, folders and variables are read, with a bound")]

use core::ops::ControlFlow;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, ReadDir};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::bounds::Input;

/// The size of the first piece: almost every file in procfs fits.
const PIECE: usize = 4096;

/// Opens the file at `path` for reading. Somebody may have put a FIFO in its place: that is no reason to wait.
///
/// # Errors
/// Those of `open(2)`.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// The whole file at `path`. `None` if it cannot be read, or is too long.
#[must_use]
pub fn whole(path: &Path, input: Input) -> Option<Vec<u8>> {
    let text = take(open(path).ok()?, input.most() + 1)?;
    if text.len() > input.most() {
        input.tell();
        return None;
    }
    Some(text)
}

/// The beginning of the file at `path`. `None` if it cannot be read.
#[must_use]
pub fn beginning(path: &Path, input: Input) -> Option<Vec<u8>> {
    beginning_of(&open(path).ok()?, input)
}

/// The beginning of a file that stays open. `None` if it cannot be read.
pub(crate) fn beginning_of(file: &File, input: Input) -> Option<Vec<u8>> {
    take(from_start(file), input.most())
}

/// The last lines of the file at `path`. `None` if it cannot be read.
#[must_use]
pub fn end(path: &Path, input: Input) -> Option<Vec<u8>> {
    let file = open(path).ok()?;
    let most = u64::try_from(input.most()).unwrap_or(u64::MAX);
    let start = file.metadata().ok()?.len().saturating_sub(most);
    let mut text = take(At { file: &file, offset: start }, input.most())?;
    if start > 0 {
        input.tell();
        // The first line is incomplete.
        let line_end = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1);
        text.drain(..line_end);
    }
    Some(text)
}

/// The names in `folder`, in any order.
///
/// # Errors
/// Those of `opendir(3)`.
pub fn names(folder: &Path, input: Input) -> io::Result<Names> {
    Ok(Names { entries: fs::read_dir(folder)?, left: input.most(), input, is_cut: false })
}

/// The environment variable `name`. `None` if there is none, if it is not UTF-8, or too long.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let text = env::var_os(name)?;
    if text.len() > Input::Variable.most() {
        Input::Variable.tell();
        return None;
    }
    text.into_string().ok()
}

/// Reads `file` from its start, piece by piece, without moving its position.
#[must_use]
pub const fn from_start(file: &File) -> impl Read {
    At { file, offset: 0 }
}

/// A line of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line, without its end.
    Whole(&'a [u8]),
    /// The beginning of a line that does not fit into the buffer.
    Beginning(&'a [u8]),
}

/// Calls `each` with every line of `source`, until it breaks. `buffer` is all the memory that this takes.
///
/// # Errors
/// Those of `source`.
pub fn each_line(mut source: impl Read, buffer: &mut [u8], mut each: impl FnMut(Line<'_>) -> ControlFlow<()>) -> io::Result<()> {
    // Whether the beginning of the line was passed to `each` already.
    let (mut held, mut passed) = (0, false);
    loop {
        let length = match source.read(buffer.get_mut(held..).unwrap_or_default()) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if length == 0 {
            break;
        }
        let filled = held + length;
        let mut start = 0;
        while let Some((line, next)) = line_at(buffer.get(..filled).unwrap_or_default(), start) {
            if !passed && each(Line::Whole(line)).is_break() {
                return Ok(());
            }
            passed = false;
            start = next;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
        if held == buffer.len() {
            if !passed && each(Line::Beginning(buffer)).is_break() {
                return Ok(());
            }
            (held, passed) = (0, true);
        }
    }
    if held > 0 && !passed {
        // The stream is over anyway.
        let _ = each(Line::Whole(buffer.get(..held).unwrap_or_default()));
    }
    Ok(())
}

/// The line that begins at `start`, and the start of the next one; `None` if the line is not complete.
fn line_at(bytes: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(start..)?;
    let length = rest.iter().position(|byte| *byte == b'\n')?;
    Some((rest.get(..length)?, start + length + 1))
}

/// At most `most` bytes of `source`. `None` if it cannot be read, as when a process has ended meanwhile.
fn take(mut source: impl Read, most: usize) -> Option<Vec<u8>> {
    let (mut text, mut filled) = (vec![0; PIECE.min(most)], 0);
    while filled < most {
        if filled == text.len() {
            text.resize((2 * filled).min(most), 0);
        }
        match source.read(text.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    text.truncate(filled);
    Some(text)
}

/// The names in a folder.
#[derive(Debug)]
pub struct Names {
    entries: ReadDir,
    left: usize,
    input: Input,
    is_cut: bool,
}

/// A file from an offset on.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

/// A stream that is an error once it is too long.
pub(crate) struct Bounded<R> {
    source: R,
    left: usize,
    input: Input,
}

// === impl Names ===

impl Names {
    /// Whether there were more names than were read.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl Iterator for Names {
    type Item = OsString;

    fn next(&mut self) -> Option<OsString> {
        let entry = self.entries.find_map(Result::ok)?;
        if self.left == 0 {
            self.is_cut = true;
            self.input.tell();
            return None;
        }
        self.left -= 1;
        Some(entry.file_name())
    }
}

// === impl At ===

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(into, self.offset)?;
        self.offset = self.offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(length)
    }
}

// === impl Bounded ===

impl<R> Bounded<R> {
    /// `source`, as long as `input` may be.
    pub(crate) const fn new(source: R, input: Input) -> Self {
        Self { source, left: input.most(), input }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(into)?;
        if length > self.left {
            self.input.tell();
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    /// A folder that is removed at the end.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn folder(name: &str) -> Folder {
        let folder = env::temp_dir().join(format!("exeunt-bounded-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    /// Gives `text` in pieces of at most `piece` bytes.
    struct Pieces<'a> {
        text: &'a [u8],
        piece: usize,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.text.len().min(self.piece).min(into.len());
            let (now, later) = self.text.split_at(length);
            into[..length].copy_from_slice(now);
            self.text = later;
            Ok(length)
        }
    }

    /// The lines of `text`, read in pieces of at most `piece` bytes through a buffer of `size`, until one is `last`. Of a beginning the
    /// second is true.
    fn lines(text: &[u8], piece: usize, size: usize, last: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Vec::new();
        each_line(Pieces { text, piece }, &mut vec![0; size], |line| {
            let (line, cut) = match line {
                Line::Whole(line) => (line, false),
                Line::Beginning(line) => (line, true),
            };
            lines.push((line.to_vec(), cut));
            if line == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        lines
    }

    #[test]
    fn as_much_as_is_allowed_is_read_and_no_byte_more() {
        let folder = folder("file");
        let file = folder.0.join("file");
        let most = Input::BootId.most();
        for length in [0, 1, most - 1, most, most + 1, 10 * most] {
            let text: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            fs::write(&file, &text).unwrap();
            assert_eq!(whole(&file, Input::BootId), (length <= most).then(|| text.clone()), "{length} bytes");
            assert_eq!(beginning(&file, Input::BootId).unwrap(), text[..length.min(most)], "{length} bytes");
        }
        let absent = folder.0.join("absent");
        assert_eq!(
            (whole(&absent, Input::BootId), beginning(&absent, Input::BootId), end(&absent, Input::BootId)),
            (None, None, None)
        );
    }

    #[test]
    fn the_end_of_a_file_begins_with_a_whole_line() {
        let folder = folder("end");
        let file = folder.0.join("file");
        fs::write(&file, "one\ntwo\n").unwrap();
        assert_eq!(end(&file, Input::SandboxRecord).unwrap(), b"one\ntwo\n");
        let text = (0..1_000).map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat();
        fs::write(&file, &text).unwrap();
        let read = String::from_utf8(end(&file, Input::SandboxRecord).unwrap()).unwrap();
        assert!(
            text.ends_with(&format!("\n{read}")) && read.starts_with("line 9") && read.len() <= Input::SandboxRecord.most(),
            "{read}"
        );
        fs::write(&file, "x".repeat(1_000)).unwrap();
        assert_eq!(end(&file, Input::SandboxRecord).unwrap(), b"", "a line that is too long");
    }

    #[test]
    fn a_fifo_is_no_reason_to_wait() {
        let folder = folder("fifo");
        let fifo = folder.0.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(whole(&fifo, Input::Record), Some(Vec::new()), "nobody writes");
        assert_eq!(end(&fifo, Input::Record), None, "it has no end");
    }

    #[test]
    fn as_many_names_as_are_allowed_are_read() {
        let folder = folder("names");
        let read = || {
            let mut names = names(&folder.0, Input::StateDir).unwrap();
            (names.by_ref().count(), names.is_cut())
        };
        for number in 0..Input::StateDir.most() {
            File::create(folder.0.join(number.to_string())).unwrap();
        }
        assert_eq!(read(), (Input::StateDir.most(), false));
        for number in 0..9 {
            File::create(folder.0.join(format!("more-{number}"))).unwrap();
        }
        assert_eq!(read(), (Input::StateDir.most(), true));
        assert!(names(&folder.0.join("absent"), Input::StateDir).is_err());
    }

    #[test]
    fn a_stream_that_is_too_long_is_an_error() {
        let read = |length: usize| take(Bounded::new(&*vec![b'x'; length], Input::Status), usize::MAX);
        assert_eq!(read(Input::Status.most()).map(|text| text.len()), Some(Input::Status.most()));
        assert_eq!(read(Input::Status.most() + 1), None);
    }

    #[test]
    fn of_a_line_longer_than_the_buffer_the_beginning_is_seen() {
        let seen = lines(b"one\nlonger than ten\ntwo\nlonger again", 3, 10, b"-");
        let expected = [(&b"one"[..], false), (b"longer tha", true), (b"two", false), (b"longer aga", true)];
        assert_eq!(seen, expected.map(|(line, cut)| (line.to_vec(), cut)));
    }

    #[test]
    fn after_the_line_that_was_looked_for_nothing_is_read() {
        let mut source = Pieces { text: b"one\ntwo\nthree\nfour\n", piece: 4 };
        let mut seen = 0;
        each_line(&mut source, &mut [0; 16], |line| {
            seen += 1;
            if line == Line::Whole(b"two") { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!((seen, source.text), (2, &b"three\nfour\n"[..]));
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_makes_no_difference(text in "([a-c]{0,9}\n){0,20}[a-c]{0,9}", piece in 1usize..30) {
            let mut all: Vec<(Vec<u8>, bool)> = text.split('\n').map(|line| (line.as_bytes().to_vec(), false)).collect();
            all.pop_if(|(last, _)| last.is_empty());
            prop_assert_eq!(lines(text.as_bytes(), piece, 10, b"-"), all);
        }
    }
}
