//! What a pod template gets: the container of the agent, and the annotation that makes istio-proxy native.

use serde_json::{Map, Value, json};

use super::insert::{self, Insertion};
use super::place::{self, Place, value_at};
use super::tree::{Body, Node};
use crate::pod::names;

/// The container, as in deploy/samples/job.yaml.
const CONTAINER: &str = "\
- name: exeunt
  image: IMAGE
  restartPolicy: Always
  securityContext:
    runAsUser: 15190
    runAsGroup: 15190
    runAsNonRoot: true
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 16Mi}
";

/// The agent that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its image.
    pub image: String,
    /// Whether istio-proxy is made native, too. Istio does so by itself from 1.27 on, if all nodes have Kubernetes 1.33 or newer.
    pub makes_proxy_native: bool,
}

// === impl Agent ===

impl Agent {
    /// What must be inserted into the text.
    pub(super) fn insertions(&self, object: &Value, place: &Place<'_>) -> Result<Vec<Insertion>, String> {
        let container = self.container()?;
        let spec = place.template.get("spec").ok_or("it has no spec")?;
        let mut all = vec![match spec.get("initContainers") {
            Some(Node { at, body: Body::List(items) }) => Insertion::entry(*at, items, &container, &self.block()),
            Some(_) => return Err("its initContainers are no list: remove that line".to_owned()),
            None => Insertion::key(spec.at, "initContainers", &json!([container]), &below("initContainers", &self.block())),
        }];
        let template = value_at(object, place.keys).unwrap_or(&Value::Null);
        if self.makes_proxy_native && native(template).is_none() {
            all.push(annotation(place.template)?);
        }
        Ok(all)
    }

    /// The same, done to the object: what the text must mean in the end.
    pub(super) fn add_to(&self, object: &mut Value) {
        let Some(keys) = place::keys(object) else { return };
        let Some(template) = keys.iter().try_fold(&mut *object, |value, key| value.get_mut(key)) else { return };
        if template.pointer("/spec/containers").is_none() || has_agent(template) {
            return;
        }
        if self.makes_proxy_native && native(template).is_none() {
            let metadata = entry(template, "metadata", json!({}));
            let annotations =
                metadata.and_then(|metadata| entry(metadata, "annotations", json!({}))).and_then(Value::as_object_mut);
            if let Some(annotations) = annotations {
                annotations.insert(names::NATIVE.to_owned(), json!("true"));
            }
        }
        let spec = template.get_mut("spec").and_then(|spec| entry(spec, "initContainers", json!([])));
        if let (Some(list), Ok(container)) = (spec.and_then(Value::as_array_mut), self.container()) {
            list.insert(0, container);
        }
    }

    /// The container as an entry of a list, written as a block.
    fn block(&self) -> String {
        CONTAINER.replace("IMAGE", &Value::from(self.image.as_str()).to_string())
    }

    fn container(&self) -> Result<Value, String> {
        let list: Value = serde_saphyr::from_str(&self.block()).map_err(|error| insert::one_line(&error))?;
        list.get(0).cloned().ok_or_else(|| "it has no container".to_owned())
    }
}

/// Whether the pod template has an agent already.
pub(super) fn is_in(object: &Value, place: &Place<'_>) -> bool {
    value_at(object, place.keys).is_some_and(has_agent)
}

fn has_agent(template: &Value) -> bool {
    let lists = ["/spec/initContainers", "/spec/containers"].into_iter().filter_map(|list| template.pointer(list)?.as_array());
    lists.flatten().any(|container| {
        let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
        let image = text("image").rsplit('/').next().unwrap_or_default();
        text("name") == names::AGENT || image.split([':', '@']).next() == Some(names::AGENT_PROGRAM)
    })
}

fn native(template: &Value) -> Option<&Value> {
    template.get("metadata")?.get("annotations")?.get(names::NATIVE)
}

fn annotation(template: &Node) -> Result<Insertion, String> {
    let no_map = |what: &str| Err(format!("its {what} are empty: remove that line"));
    let (value, own) = (json!({names::NATIVE: "true"}), format!("{}: \"true\"\n", names::NATIVE));
    let annotations = below("annotations", &own);
    let Some(metadata) = template.get("metadata") else {
        return Ok(Insertion::key(template.at, "metadata", &json!({"annotations": value}), &below("metadata", &annotations)));
    };
    let Node { at, body: Body::Map(_) } = metadata else { return no_map("metadata") };
    match metadata.get("annotations") {
        None => Ok(Insertion::key(*at, "annotations", &value, &annotations)),
        Some(Node { at, body: Body::Map(_) }) => Ok(Insertion::key(*at, names::NATIVE, &json!("true"), &own)),
        Some(_) => no_map("annotations"),
    }
}

/// A key with a block below it.
fn below(key: &str, block: &str) -> String {
    let lines: Vec<String> = block.lines().map(|line| format!("  {line}\n")).collect();
    format!("{key}:\n{}", lines.concat())
}

/// The value of a key, made first if it is not there.
fn entry<'a>(value: &'a mut Value, key: &str, default: Value) -> Option<&'a mut Value> {
    let fields: &mut Map<String, Value> = value.as_object_mut()?;
    Some(fields.entry(key).or_insert(default))
}
