//! What Envoy says of the plugin's module. Pure: it reads the answers of Envoy's admin interface.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What stands in front of the names of Istio's plugins among the filters of a listener.
const PREFIX: &str = "extensions.istio.io/";

/// What Envoy says of the plugin's module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Module {
    /// It runs: its metrics are there.
    Runs,
    /// Envoy has no listener at the signal port.
    NoListener {
        /// The signal port.
        port: u16,
    },
    /// The signal listener has no filter of the plugin.
    NoFilter {
        /// The name of the listener.
        listener: String,
    },
    /// The listener waits for the configuration of the filter.
    Waits {
        /// The name of the listener.
        listener: String,
    },
    /// Istio has put another filter in its place, as it does when it could not fetch the module.
    Replaced {
        /// The name of the filter.
        filter: String,
        /// The type of what is there.
        by: String,
    },
    /// The filter is there, and the module does not run.
    Stopped {
        /// The name of the filter.
        filter: String,
    },
}

// === impl Module ===

impl Module {
    /// Whether the module runs, by the answer to a question for its metrics.
    #[must_use]
    pub fn runs(stats: &str) -> bool {
        stats.lines().any(|line| line.starts_with("wasmcustom.exeunt_"))
    }

    /// What the signal listener says, for a module that does not run; `plugins` are the plugins as NAMESPACE.NAME. The second part is the
    /// name of the filter if Envoy gets its configuration by itself: then [`Module::behind`] says more. `None`: it is no dump of listeners.
    #[must_use]
    pub fn of_listener(dump: &str, port: u16, plugins: &[String]) -> Option<(Self, Option<String>)> {
        let dump: Value = serde_json::from_str(dump).ok()?;
        let Some(listener) = dump.get("configs").and_then(Value::as_array).and_then(|all| all.first()) else {
            return Some((Self::NoListener { port }, None));
        };
        let name = text(listener.get("name"));
        if listener.get("active_state").is_none() {
            return Some((Self::Waits { listener: name }, None));
        }
        let Some(filter) = filters(listener).into_iter().find(|filter| is_of_plugin(&text(filter.get("name")), plugins)) else {
            return Some((Self::NoFilter { listener: name }, None));
        };
        let own = text(filter.get("name"));
        Some(match filter.get("typed_config") {
            Some(config) => (Self::of_type(own, config), None),
            None => (Self::Waits { listener: name }, Some(own)),
        })
    }

    /// What stands behind the name of a filter, by a dump of the filters that Envoy gets by themselves.
    #[must_use]
    pub fn behind(self, filter: &str, dump: &str) -> Self {
        let dump: Value = serde_json::from_str(dump).unwrap_or_default();
        let all = dump.get("configs").and_then(Value::as_array).into_iter().flatten().filter_map(|one| one.get("ecds_filter"));
        let found = all.into_iter().find(|one| text(one.get("name")) == filter).and_then(|one| one.get("typed_config"));
        found.map_or(self, |config| Self::of_type(filter.to_owned(), config))
    }

    /// A sentence for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Runs => "the module runs in istio-proxy".to_owned(),
            Self::NoListener { port } => format!("istio-proxy has no listener at port {port}"),
            Self::NoFilter { listener } => format!("the listener {listener} has no filter of the plugin"),
            Self::Waits { listener } => format!("the listener {listener} waits for the configuration of the plugin's filter"),
            Self::Replaced { filter, by } => format!("istio-proxy has {by} in the place of {filter}"),
            Self::Stopped { filter } => format!("{filter} is there, and its module does not run"),
        }
    }

    fn of_type(filter: String, config: &Value) -> Self {
        let full = text(config.get("@type"));
        match full.rsplit('.').next().unwrap_or_default() {
            "Wasm" => Self::Stopped { filter },
            by => Self::Replaced { filter, by: by.to_owned() },
        }
    }
}

/// The HTTP filters of a listener.
fn filters(listener: &Value) -> Vec<&Value> {
    fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
        value.get(field).and_then(Value::as_array).into_iter().flatten()
    }
    let Some(listener) = listener.pointer("/active_state/listener") else { return Vec::new() };
    let chains = list(listener, "filter_chains").chain(listener.get("default_filter_chain"));
    let managers = chains.flat_map(|chain| list(chain, "filters")).filter_map(|filter| filter.get("typed_config"));
    managers.flat_map(|manager| list(manager, "http_filters")).collect()
}

/// Istio writes the namespace and the name of the plugin at the end, or a mark behind them.
fn is_of_plugin(name: &str, plugins: &[String]) -> bool {
    let Some(own) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('/').next_back()) else { return false };
    let own = own.split('~').next().unwrap_or_default();
    plugins.iter().any(|plugin| plugin == own) || own.split('.').next_back() == Some("exeunt")
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILTER: &str = "extensions.istio.io/wasmplugin/jobs.exeunt";

    fn listener(filter: &Value) -> String {
        let manager = json!({"typed_config": {"http_filters": [{"name": "envoy.filters.http.fault"}, filter]}});
        let state = json!({"listener": {"filter_chains": [{"filters": [manager]}]}});
        json!({"configs": [{"name": "127.0.0.1_15190", "active_state": state}]}).to_string()
    }

    fn of(filter: &Value) -> Option<(Module, Option<String>)> {
        Module::of_listener(&listener(filter), 15190, &["jobs.other".to_owned()])
    }

    #[test]
    fn the_listener_says_what_is_there() {
        let wasm = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"});
        let stopped = |filter: &str| Some((Module::Stopped { filter: filter.to_owned() }, None));
        for name in [
            FILTER,
            "extensions.istio.io/trafficextension/jobs.exeunt~istio-translated-wasmplugin",
            "extensions.istio.io/jobs.other",
        ] {
            assert_eq!(of(&json!({"name": name, "typed_config": wasm})), stopped(name));
        }
        let no_filter = Some((Module::NoFilter { listener: "127.0.0.1_15190".to_owned() }, None));
        assert_eq!(of(&json!({"name": "extensions.istio.io/wasmplugin/jobs.third"})), no_filter);
        assert_eq!(Module::of_listener("{}", 15190, &[]), Some((Module::NoListener { port: 15190 }, None)));
        assert_eq!(Module::of_listener("no healthy upstream", 15190, &[]), None);
        let warms = json!({"configs": [{"name": "127.0.0.1_15190", "warming_state": {}}]}).to_string();
        assert_eq!(
            Module::of_listener(&warms, 15190, &[]),
            Some((Module::Waits { listener: "127.0.0.1_15190".to_owned() }, None))
        );
    }

    /// The shape is that of Envoy 1.40.
    #[test]
    fn what_istio_puts_in_the_place_of_a_module_is_told() {
        let (waits, filter) = of(&json!({"name": FILTER, "config_discovery": {}})).unwrap();
        assert_eq!(filter.as_deref(), Some(FILTER));
        let dump = |config: &str| {
            let config = json!({"@type": format!("type.googleapis.com/envoy.extensions.filters.http.{config}")});
            json!({"configs": [{"ecds_filter": {"name": "another"}}, {"ecds_filter": {"name": FILTER, "typed_config": config}}]})
                .to_string()
        };
        let (filter, by) = (FILTER.to_owned(), "RBAC".to_owned());
        assert_eq!(waits.clone().behind(FILTER, &dump("rbac.v3.RBAC")), Module::Replaced { filter: filter.clone(), by });
        assert_eq!(waits.clone().behind(FILTER, &dump("wasm.v3.Wasm")), Module::Stopped { filter });
        assert_eq!(waits.clone().behind(FILTER, "{}"), waits);
    }

    #[test]
    fn a_module_that_runs_has_metrics() {
        assert!(Module::runs("wasmcustom.exeunt_state: 0\n"));
        assert!(!Module::runs("wasmcustom.istio_requests: 1\n"));
    }
}
