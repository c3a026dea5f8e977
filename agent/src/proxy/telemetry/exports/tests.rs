use super::*;

fn buffers() -> Buffers {
    Buffers {
        requests: vec!["outbound|9411||zipkin.a".to_owned(), "otel".to_owned()],
        streams: vec!["als".to_owned()],
        ..Buffers::default()
    }
}

fn read(lines: &str, piece: usize) -> Exports {
    let buffers = buffers();
    let mut reader = Reader::new(&buffers);
    lines.as_bytes().chunks(piece).for_each(|piece| reader.read(piece));
    reader.finish()
}

/// The lines of Envoy 1.40 for one host.
fn host(cluster: &str, active: u64, pending: u64) -> String {
    let host = format!("{cluster}::[fd00::1]:9411");
    format!(
        "{cluster}::default_priority::max_requests::7\n{host}::cx_total::3\n{host}::rq_active::{active}\n{host}::rq_pending_active::{pending}\n"
    )
}

#[test]
fn a_request_that_is_sent_or_waits_for_a_connection_is_under_way() {
    let zipkin = "outbound|9411||zipkin.a";
    for (active, pending, expected) in
        [(0, 0, Exports::Sent), (1, 0, Exports::UnderWay), (0, 1, Exports::UnderWay), (2, 3, Exports::UnderWay)]
    {
        let lines = host("otel", 0, 0) + &host(zipkin, active, pending);
        for piece in [1, 7, 10_000] {
            assert_eq!(read(&lines, piece), expected, "{active} {pending} {piece}");
        }
    }
}

#[test]
fn a_stream_is_always_active_and_under_way_only_until_it_has_a_connection() {
    assert_eq!(read(&host("als", 1, 0), 100), Exports::Sent);
    assert_eq!(read(&host("als", 0, 1), 100), Exports::UnderWay);
}

#[test]
fn other_clusters_do_not_count() {
    assert_eq!(read(&(host("outbound|9000||backend.a", 5, 5) + &host("otel", 0, 0)), 100), Exports::Sent);
}

#[test]
fn an_envoy_that_does_not_count_what_waits_leaves_it_open() {
    assert_eq!(read("otel::10.0.0.1:4317::rq_active::0\n", 100), Exports::Unknown);
    assert_eq!(read("otel::10.0.0.1:4317::rq_active::1\n", 100), Exports::UnderWay);
    assert_eq!(read("als::10.0.0.1:4317::rq_active::1\n", 100), Exports::Unknown);
}

#[test]
fn without_a_host_nothing_can_be_under_way() {
    for lines in ["", "otel::default_priority::max_requests::7\n", "<html>\n", "::::\n\n", "otel::rq_active::x\n"] {
        assert_eq!(read(lines, 100), Exports::Sent, "{lines}");
    }
}

#[test]
fn a_line_without_an_end_is_not_kept() {
    let buffers = buffers();
    let mut reader = Reader::new(&buffers);
    (0..1_000).for_each(|_| reader.read(&[b'x'; 1_000]));
    assert!(reader.line.capacity() <= 2 * MAX_LINE);
}

#[test]
fn the_question_names_the_clusters_in_a_way_that_a_url_and_a_regular_expression_take() {
    assert_eq!(path(&buffers()), "/clusters?filter=^(outbound.9411..zipkin.a|otel|als)$");
}
