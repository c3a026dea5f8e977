//! Files that a user names.

use std::io::Read as _;
use std::path::Path;

use crate::output::Failure;

/// The largest file that is read: a hundred thousand lines of YAML need less.
const LARGEST: u64 = 16 << 20;

/// The text of `file`; `-` is stdin.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(LARGEST + 1).read_to_string(&mut text))
    };
    match read {
        Err(error) => Err(wrong(file, &error.to_string())),
        Ok(size) if size as u64 > LARGEST => Err(wrong(file, &format!("it has more than {LARGEST} bytes"))),
        Ok(_) => Ok(text),
    }
}

/// What is wrong with `file`.
pub(super) fn wrong(file: &Path, what: &str) -> Failure {
    Failure::usage(format!("-f {}: {what}", file.display()))
}
