//! What a pod alone does not say: plugins, the proxy's log, and the Events of who has made the pod. A right that is missing makes one of them
//! unknown, and nothing else.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, LogParams};
use serde_json::Value;

use super::connect::Cluster;
use super::error::{Error, Kind};
use crate::pod::{Container, Facts, OwnerEvent, Plugin, Surroundings, names};

/// How many lines of the proxy's log are read, at most.
const LOG_LINES: i64 = 2000;

// === impl Cluster ===

impl Cluster {
    /// Everything that can be known of the surroundings of a pod, without a connection to it.
    pub async fn surroundings(&self, pod: &Pod) -> Surroundings {
        let facts = Facts::of(pod);
        let mut around = Surroundings::default();
        around.plugins = self.known(&mut around, self.plugins(facts.namespace).await);
        // A container that has never run has no log.
        if facts.proxy_container().is_some_and(|proxy| proxy.is_running() || proxy.end().is_some()) {
            let log = self.proxy_log(&facts).await;
            around.proxy_log = self.known(&mut around, log);
        }
        if let Some((kind, name)) = facts.owner() {
            let events = self.warnings(facts.namespace, kind, name).await;
            around.owner_events = self.known(&mut around, events);
        }
        around
    }

    /// Adds what istio-proxy itself says of the plugin's module, by a port-forward to the pod. It asks only where the plugin may be for the pod.
    pub async fn ask_proxy(&self, pod: &Pod, around: &mut Surroundings) {
        let facts = Facts::of(pod);
        let is_selected = around.plugins_for(facts.namespace).any(|plugin| plugin.selects(pod.metadata.labels.as_ref()));
        if !facts.proxy_container().is_some_and(Container::is_running) || !(is_selected || facts.has_label()) {
            return;
        }
        let plugins = around.plugins.iter().flatten().map(|plugin| format!("{}.{}", plugin.namespace, plugin.name));
        match self.module(&facts, &plugins.collect::<Vec<_>>()).await {
            Ok(module) => around.module = Some(module),
            Err(line) => around.unknown.push(line),
        }
    }

    #[expect(clippy::unused_self, reason = "it reads as a part of the steps above")]
    fn known<T>(&self, around: &mut Surroundings, answer: Result<T, Error>) -> Option<T> {
        answer.map_err(|error| around.unknown.push(error.line)).ok()
    }

    /// exeunt's plugins in the whole cluster, or in one namespace if no more may be seen. A cluster without the resource has none.
    async fn plugins(&self, namespace: &str) -> Result<Vec<Plugin>, Error> {
        let kind = GroupVersionKind::gvk("extensions.istio.io", "v1alpha1", "WasmPlugin");
        let resource = ApiResource::from_gvk_with_plural(&kind, "wasmplugins");
        let parameters = ListParams::default();
        let everywhere: Api<DynamicObject> = Api::all_with(self.client(), &resource);
        if let Ok(list) = everywhere.list(&parameters).await {
            return Ok(list.items.iter().filter_map(plugin).collect());
        }
        let here: Api<DynamicObject> = Api::namespaced_with(self.client(), namespace, &resource);
        match here.list(&parameters).await {
            Ok(list) => Ok(list.items.iter().filter_map(plugin).collect()),
            Err(error) => {
                let error = Error::of("list", &format!("wasmplugins in namespace {namespace}"), &error);
                if error.kind == Kind::NotFound { Ok(Vec::new()) } else { Err(error) }
            }
        }
    }

    async fn proxy_log(&self, facts: &Facts<'_>) -> Result<Vec<String>, Error> {
        let api: Api<Pod> = Api::namespaced(self.client(), facts.namespace);
        let parameters =
            LogParams { container: Some(names::PROXY.to_owned()), tail_lines: Some(LOG_LINES), ..LogParams::default() };
        let resource = format!("pods/log of {} in namespace {}", facts.name, facts.namespace);
        let log = api.logs(facts.name, &parameters).await.map_err(|error| Error::of("get", &resource, &error))?;
        Ok(log.lines().filter(|line| line.to_lowercase().contains("wasm")).map(str::to_owned).collect())
    }

    async fn warnings(&self, namespace: &str, kind: &str, name: &str) -> Result<Vec<OwnerEvent>, Error> {
        let api: Api<Event> = Api::namespaced(self.client(), namespace);
        let fields = format!("involvedObject.kind={kind},involvedObject.name={name},type=Warning");
        let list = api.list(&ListParams::default().fields(&fields)).await;
        let list = list.map_err(|error| Error::of("list", &format!("events in namespace {namespace}"), &error))?;
        let event =
            |event: Event| OwnerEvent { reason: event.reason.unwrap_or_default(), message: event.message.unwrap_or_default() };
        Ok(list.items.into_iter().map(event).collect())
    }
}

/// A plugin of exeunt, by the name of its image or its file.
fn plugin(object: &DynamicObject) -> Option<Plugin> {
    let spec = object.data.get("spec")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let url = text(spec.get("url"));
    if !url.contains("exeunt") && object.metadata.name.as_deref() != Some("exeunt") {
        return None;
    }
    let labels = spec.pointer("/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let matches = spec.get("match").and_then(Value::as_array).into_iter().flatten();
    let ports = matches.flat_map(|entry| entry.get("ports").and_then(Value::as_array).into_iter().flatten());
    let number = |port: &Value| port.get("number").and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok());
    Some(Plugin {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
        match_labels: labels.map(|(name, value)| (name.clone(), text(Some(value)))).collect(),
        ports: ports.filter_map(number).collect(),
        url,
    })
}
