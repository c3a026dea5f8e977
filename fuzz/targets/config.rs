//! The plugin configuration, which anybody who may write a WasmPlugin has written.
#![no_main]

use drain::config::Config;
use drain::limits::Limits;
use exeunt_fuzz::check_refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match Config::parse(data) {
    Ok(config) => {
        let limits = config.limits();
        assert!(Limits::TIMEOUTS.contains(&limits.drain_timeout) && Limits::TIMEOUTS.contains(&limits.stall_timeout));
        assert!(Limits::SETTLES.contains(&limits.settle));
        assert!(!config.admin_cluster().is_empty() && !config.agent_cluster().is_empty());
        let held: usize = config.ignore_clusters().iter().map(String::len).sum();
        assert!(held + config.admin_cluster().len() + config.agent_cluster().len() <= data.len() + 64);
    }
    Err(mistakes) => check_refusal(&mistakes, data),
});
