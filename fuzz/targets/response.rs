//! The agent's reader of HTTP responses, cut anywhere.
#![no_main]

use agent::os::http::response::{Head, Malformed, Reader};
use exeunt_fuzz::piece_and_rest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((piece, text)) = piece_and_rest(data) else { return };
    let whole = read(text, text.len().max(1));
    assert_eq!(whole, read(text, piece), "in pieces of {piece}");
    if let Ok((head, body)) = whole {
        assert!((200..600).contains(&head.status));
        assert!(body.len() < text.len(), "more body than response");
    }
});

fn read(text: &[u8], piece: usize) -> Result<(Head, Vec<u8>), Malformed> {
    let (mut reader, mut body) = (Reader::default(), Vec::new());
    for bytes in text.chunks(piece) {
        if reader.is_done() {
            break;
        }
        reader.take(bytes, &mut |piece| body.extend_from_slice(piece))?;
    }
    Ok((reader.finish()?, body))
}
