//! Counts the requests in flight in the text of Envoy's admin endpoint `/clusters`, piece by piece.
//!
//! In a large mesh the text has 35 MB, so the reader keeps only one line of it. A line looks like
//! `outbound|9000||backend.example::127.0.0.1:9000::rq_active::1`; `rq_active` also counts TCP streams.

use crate::admin::{Answer, Failure};
use crate::config::{ADMIN_CLUSTER, AGENT_CLUSTER};

/// Clusters that never carry requests of the workload: Envoy's own admin interface, pilot-agent, and Istio's control plane.
///
/// The names are those of Istio's `tools/packaging/common/envoy_bootstrap.json`. The request for `/clusters` itself goes through the
/// first one.
pub const CONTROL_PLANE: [&str; 5] = [ADMIN_CLUSTER, AGENT_CLUSTER, "xds-grpc", "sds-grpc", "zipkin"];

/// Longer lines are skipped. In bytes; the names of clusters in Istio have a few hundred.
const MAX_LINE: usize = 8 * 1024;

/// Reads `/clusters` in pieces and adds up `rq_active` of all hosts of the workload's clusters.
#[derive(Debug, Default)]
pub struct ClusterReader<'a> {
    ignored: &'a [String],
    line: Vec<u8>,
    /// The current line is too long and is skipped.
    overlong: bool,
    in_flight: u64,
    /// A line in the known format was seen: this is `/clusters` and not another page.
    understood: bool,
}

// === impl ClusterReader ===

impl<'a> ClusterReader<'a> {
    /// A reader that skips [`CONTROL_PLANE`] and the clusters in `ignored`.
    #[must_use]
    pub fn new(ignored: &'a [String]) -> Self {
        Self { ignored, ..Self::default() }
    }

    /// Reads the next piece of the body. A piece may end anywhere in a line.
    pub fn read(&mut self, mut piece: &[u8]) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = piece.split_at(end);
            self.extend(head);
            self.end_line();
            piece = tail.get(1..).unwrap_or_default();
        }
        self.extend(piece);
    }

    /// The result for the whole body.
    #[must_use]
    pub fn finish(mut self) -> Answer {
        self.end_line();
        if self.understood { Answer::InFlight(self.in_flight) } else { Answer::Failed(Failure::NotUnderstood) }
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > MAX_LINE {
            self.overlong = true;
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        if let Some((cluster, active)) = rq_active(&self.line).filter(|_| !self.overlong) {
            self.understood = true;
            if !self.is_ignored(cluster) {
                self.in_flight = self.in_flight.saturating_add(active);
            }
        }
        self.overlong = false;
        self.line.clear();
    }

    fn is_ignored(&self, cluster: &str) -> bool {
        CONTROL_PLANE.contains(&cluster) || self.ignored.iter().any(|name| name == cluster)
    }
}

/// The cluster and the number in a line with `rq_active`. The host between them may be an IPv6 address, which can contain `::`, so the
/// line is read from both ends.
fn rq_active(line: &[u8]) -> Option<(&str, u64)> {
    let line = core::str::from_utf8(line).ok()?;
    let (rest, number) = line.trim_end().rsplit_once("::")?;
    let rest = rest.strip_suffix("::rq_active")?;
    let (cluster, _host) = rest.split_once("::")?;
    Some((cluster, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const PAGE: &[u8] = b"prometheus_stats::observability_name::prometheus_stats;\n\
        prometheus_stats::127.0.0.1:15000::rq_active::1\n\
        outbound|9000||backend.example::127.0.0.1:9000::cx_active::2\n\
        outbound|9000||backend.example::127.0.0.1:9000::rq_active::2\n\
        outbound|9000||backend.example::[fd00::1]:9000::rq_active::3\n\
        outbound|443||noise.example::10.0.0.1:443::rq_active::5\n\
        outbound|9000||backend.example::127.0.0.1:9000::rq_total::77\n";

    fn read(page: &[u8], piece: usize, ignored: &[String]) -> Answer {
        let mut reader = ClusterReader::new(ignored);
        page.chunks(piece).for_each(|piece| reader.read(piece));
        reader.finish()
    }

    #[test]
    fn active_requests_add_up_over_hosts_and_clusters_but_not_the_control_plane() {
        assert_eq!(read(PAGE, PAGE.len(), &[]), Answer::InFlight(10));
    }

    #[test]
    fn ignored_clusters_do_not_count() {
        assert_eq!(read(PAGE, PAGE.len(), &["outbound|443||noise.example".to_owned()]), Answer::InFlight(5));
    }

    #[test]
    fn the_result_does_not_depend_on_where_the_body_is_cut() {
        for piece in 1..PAGE.len() {
            assert_eq!(read(PAGE, piece, &[]), Answer::InFlight(10), "pieces of {piece}");
        }
    }

    #[test]
    fn another_page_is_not_understood() {
        for page in [&b""[..], b"<html>no healthy upstream</html>", b"\xff\xff::rq_active::1\n", b"a::b::rq_active::-1\n"] {
            assert_eq!(read(page, 7, &[]), Answer::Failed(Failure::NotUnderstood), "{page:?}");
        }
    }

    #[test]
    fn an_endless_line_is_skipped_and_not_kept() {
        let mut reader = ClusterReader::new(&[]);
        for _ in 0..10_000 {
            reader.read(&[b'x'; 1_000]);
        }
        assert!(reader.line.capacity() <= 2 * MAX_LINE, "{} bytes held", reader.line.capacity());
        reader.read(b"::rq_active::9\nc::h::rq_active::4\n");
        assert_eq!(reader.finish(), Answer::InFlight(4));
    }
}
