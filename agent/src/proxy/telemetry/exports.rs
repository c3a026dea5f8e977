//! Whether a flush is under way: a request to the cluster of a logger or a tracer, as Envoy's `/clusters` counts it.

use super::admin::Admin;
use super::buffers::Buffers;
use crate::os::World;

/// Longer lines are skipped. In bytes; the names of clusters have a few hundred.
const MAX_LINE: usize = 4 * 1024;

/// What Envoy tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exports {
    /// No request is under way.
    Sent,
    /// One is.
    UnderWay,
    /// There is no answer, or one from an Envoy that does not count the requests that wait for a connection.
    Unknown,
}

/// Reads `/clusters`, piece by piece.
#[derive(Debug)]
struct Reader<'b> {
    buffers: &'b Buffers,
    line: Vec<u8>,
    under_way: u64,
    /// Whether a host of the clusters was seen, and whether Envoy counts what waits for a connection.
    has_host: bool,
    counts_pending: bool,
}

/// Asks Envoy. Since 1.38 it can be asked for some of its clusters only.
pub(super) fn ask(admin: &Admin<'_, impl World>, buffers: &Buffers) -> Exports {
    let mut reader = Reader::new(buffers);
    let answers = admin.read("GET", &path(buffers), &mut |piece| reader.read(piece));
    if answers { reader.finish() } else { Exports::Unknown }
}

/// The names of clusters have characters that neither a URL nor a regular expression takes as they are.
fn path(buffers: &Buffers) -> String {
    let plain = |name: &String| name.replace(|letter: char| !letter.is_ascii_alphanumeric(), ".");
    let names: Vec<String> = buffers.requests.iter().chain(&buffers.streams).map(plain).collect();
    format!("/clusters?filter=^({})$", names.join("|"))
}

// === impl Reader ===

impl<'b> Reader<'b> {
    const fn new(buffers: &'b Buffers) -> Self {
        Self { buffers, line: Vec::new(), under_way: 0, has_host: false, counts_pending: false }
    }

    fn read(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'\n' => self.end_line(),
                byte if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn finish(mut self) -> Exports {
        self.end_line();
        match (self.under_way, self.has_host) {
            (1.., _) => Exports::UnderWay,
            // Without a host nothing can be sent.
            (0, false) => Exports::Sent,
            (0, true) if self.counts_pending => Exports::Sent,
            (0, true) => Exports::Unknown,
        }
    }

    /// A line such as `zipkin::10.0.0.1:9411::rq_active::0`. The host may be an IPv6 address, so it is read from both ends.
    fn end_line(&mut self) {
        let line = core::mem::take(&mut self.line);
        let Some((rest, number)) = core::str::from_utf8(&line).ok().and_then(|line| line.trim_end().rsplit_once("::")) else {
            return;
        };
        let (Some((host, what)), Ok(number)) = (rest.rsplit_once("::"), number.parse::<u64>()) else { return };
        let Some((cluster, _)) = host.split_once("::") else { return };
        let is_in = |list: &[String]| list.iter().any(|known| known == cluster);
        let (requests, streams) = (is_in(&self.buffers.requests), is_in(&self.buffers.streams));
        match what {
            "rq_pending_active" if requests || streams => {
                self.counts_pending = true;
                self.under_way = self.under_way.saturating_add(number);
            }
            "rq_active" if requests => {
                self.has_host = true;
                self.under_way = self.under_way.saturating_add(number);
            }
            "rq_active" if streams => self.has_host = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
