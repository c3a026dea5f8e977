//! What one must ask the cluster for, besides the pod. Everything can be unknown: a right may be missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::history::History;
use super::module::Module;
use super::owner::Owner;

/// The surroundings of a pod. `None`: unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Surroundings {
    /// exeunt's plugins (`WasmPlugin`) in the cluster, or, if that may not be listed, in the pod's namespace.
    pub plugins: Option<Vec<Plugin>>,
    /// The root namespace of the mesh: a plugin there is for all namespaces.
    pub root_namespace: Option<String>,
    /// The lines of the proxy's log that speak of Wasm.
    pub proxy_log: Option<Vec<String>>,
    /// What Envoy says of the plugin's module.
    pub module: Option<Module>,
    /// The Job or CronJob that was asked for, if it has no pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The warnings among the Events of who has made the pod.
    pub owner_events: Option<Vec<OwnerEvent>>,
    /// The Events of the pod, and lines of its logs. Only `timeline` and `explain --save` ask for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What could not be asked, each with the reason as one line.
    pub unknown: Vec<String>,
}

/// A plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Plugin {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The labels that it selects pods by. Empty: all pods.
    pub match_labels: BTreeMap<String, String>,
    /// The ports of its `match`. Empty: all.
    pub ports: Vec<u16>,
    /// Where its module is.
    pub url: String,
}

/// A warning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerEvent {
    /// For example `FailedCreate`.
    pub reason: String,
    /// The sentence of who has written it.
    pub message: String,
}

// === impl Surroundings ===

impl Surroundings {
    /// The plugins that Istio applies to pods of that namespace.
    pub fn plugins_for(&self, namespace: &str) -> impl Iterator<Item = &Plugin> {
        let root = self.root_namespace.as_deref().unwrap_or("istio-system");
        self.plugins.iter().flatten().filter(move |plugin| plugin.namespace == namespace || plugin.namespace == root)
    }
}

// === impl Plugin ===

impl Plugin {
    /// Whether it selects a pod with these labels.
    #[must_use]
    pub fn selects(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.match_labels.iter().all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
    }
}
