//! The short answers of Envoy's admin interface.
#![no_main]

use drain::admin::{Answer, Failure};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match Answer::of_cluster_count(200, data) {
        Answer::ClusterCount(count) => {
            let line = format!("cluster_manager.active_clusters: {count}\n");
            assert_eq!(Answer::of_cluster_count(200, line.as_bytes()), Answer::ClusterCount(count));
        }
        answer => assert_eq!(answer, Answer::Failed(Failure::NotUnderstood)),
    }
    let status = data.first_chunk().map_or(503, |bytes| u16::from_le_bytes(*bytes));
    if status != 200 {
        assert_eq!(Answer::of_cluster_count(status, data), Answer::Failed(Failure::Status(status)));
        assert_eq!(Answer::of_status(status), Answer::Failed(Failure::Status(status)));
    }
});
