//! Envoy's `/config_dump` of its listeners. A task can change nothing of it, but who writes Telemetry resources can.
#![no_main]

use agent::proxy::telemetry::buffers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(names) = buffers::names(data) else { return };
    // Each is a text of the dump, and the log names it once. What the agent skips need not be UTF-8.
    let Ok(whole) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let text = whole.to_string();
    for (place, name) in names.iter().enumerate() {
        // A tracer that Envoy would not take has none.
        assert!(name.is_empty() || text.contains(&serde_json::Value::from(name.as_str()).to_string()), "{name}");
        assert!(!names[..place].contains(name), "{name} stands twice");
    }
});
