//! The plugin configuration. Every user who can write a WasmPlugin can write it.
#![no_main]

use drain::config::Config;
use drain::limits::Limits;
use exeunt_fuzz::{check_names, check_refusal};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| match Config::parse(data) {
    Ok(config) => {
        let limits = config.limits();
        assert!(Limits::TIMEOUTS.contains(&limits.drain_timeout) && Limits::TIMEOUTS.contains(&limits.stall_timeout));
        assert!(Limits::SETTLES.contains(&limits.settle));
        assert!(!config.admin_cluster().is_empty() && !config.agent_cluster().is_empty());
        let held: usize = config.ignore_clusters().iter().map(String::len).sum();
        assert!(held + config.admin_cluster().len() + config.agent_cluster().len() <= data.len() + 64);
        if !data.trim_ascii().is_empty() {
            check_document(&config, &serde_json::from_slice(data).expect("it was read as JSON"));
        }
    }
    Err(mistakes) => check_refusal(&mistakes, data),
});

/// Compares what was read with the tree that `serde_json` makes of the same text.
fn check_document(config: &Config, document: &Value) {
    if document.is_null() {
        return assert_eq!(config, &Config::default());
    }
    const NAMES: [&str; 9] = [
        "signal",
        "drainTimeout",
        "stallTimeout",
        "settle",
        "maxClusters",
        "quit",
        "adminCluster",
        "agentCluster",
        "ignoreClusters",
    ];
    check_names(document, &NAMES);
    assert_eq!(document["maxClusters"].as_u64().unwrap_or(Limits::MAX_CLUSTERS), config.limits().max_clusters);
    assert_eq!(document["quit"] != "never", config.limits().may_quit);
    assert_eq!(document["adminCluster"].as_str().unwrap_or("prometheus_stats"), config.admin_cluster());
    assert_eq!(document["agentCluster"].as_str().unwrap_or("agent"), config.agent_cluster());
    let ignored = document["ignoreClusters"].as_array().into_iter().flatten();
    assert!(ignored.map(|name| name.as_str().expect("a text")).eq(config.ignore_clusters()));
}
