//! The characters of the picture in a terminal.

/// The characters of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    pub(super) bar: char,
    pub(super) earlier: char,
    pub(super) kept: char,
    pub(super) failed: char,
    pub(super) cut: char,
    pub(super) mark: char,
    pub(super) line: char,
    pub(super) tick: char,
    pub(super) ellipsis: char,
    pub(super) is_ascii: bool,
}

/// Blocks and lines.
pub const UNICODE: Signs = Signs {
    bar: '█',
    earlier: '▓',
    kept: '▒',
    failed: '✗',
    cut: '╱',
    mark: '┿',
    line: '━',
    tick: '┴',
    ellipsis: '…',
    is_ascii: false,
};

/// For a terminal or a file without them.
pub const ASCII: Signs = Signs {
    bar: '#',
    earlier: '=',
    kept: ':',
    failed: 'x',
    cut: '/',
    mark: '+',
    line: '-',
    tick: '+',
    ellipsis: '~',
    is_ascii: true,
};
