//! Envoy's `/clusters`, cut into pieces anywhere.
#![no_main]

use drain::admin::{Answer, Failure};
use drain::clusters::ClusterReader;
use exeunt_fuzz::piece_and_rest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((piece, page)) = piece_and_rest(data) else { return };
    let ignored = ["outbound|443||noise.example".to_owned()];
    let (mut whole, mut cut) = (ClusterReader::new(&ignored), ClusterReader::new(&ignored));
    whole.read(page);
    page.chunks(piece).for_each(|piece| cut.read(piece));
    let answer = whole.finish();
    assert_eq!(answer, cut.finish(), "in pieces of {piece}");
    match answer {
        Answer::InFlight(_) => assert!(page.windows(11).any(|window| window == b"::rq_active")),
        Answer::Failed(failure) => assert_eq!(failure, Failure::NotUnderstood),
        Answer::Done | Answer::ClusterCount(_) => panic!("{answer:?}"),
    }
});
