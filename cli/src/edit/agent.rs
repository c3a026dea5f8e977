//! What the pods of an object get: the container of the agent, and the annotation that makes istio-proxy native. Where the pods ask for a
//! classic one, they share their processes instead.

use serde_json::{Map, Value, json};

use super::insert::{self, Insertion};
use super::place::{Form, Place, reach, value_at};
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

/// What a sidecar of Tekton's has instead: it cannot be native, and must be told that SIGTERM tells the end of the task.
const OF_TEKTON: [(&str, &str); 2] =
    [("  restartPolicy: Always\n", "  args: [watch, --placement, native]\n"), ("  resources:\n", "  computeResources:\n")];

/// The field of a pod.
const SHARE: &str = "shareProcessNamespace";

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
    pub(super) fn insertions(&self, tree: &Node, object: &Value, place: &Place) -> Result<Vec<Insertion>, String> {
        let mut all = vec![self.entry(tree, place)?];
        if self.makes_proxy_native && form(object, place).is_none() {
            all.push(annotation(tree, place)?);
        }
        if let Some(keys) = sharing(object, place) {
            let (node, missing) = reach(tree, &keys);
            all.push(put(node, &keys, missing, json!(true), "true")?);
        }
        Ok(all)
    }

    /// The same, done to the object: what the text must mean in the end.
    pub(super) fn add_to(&self, object: &mut Value) {
        let Some(place) = Place::of(object).filter(|place| !is_in(object, place)) else { return };
        if let Some((last, spec)) = sharing(object, place).as_deref().and_then(<[_]>::split_last)
            && let Some(spec) = spec.iter().try_fold(&mut *object, |value, key| entry(value, key, json!({})))
        {
            entry(spec, last, json!(true));
        }
        if self.makes_proxy_native && form(object, place).is_none() {
            let annotations =
                place.metadata.iter().chain(&["annotations"]).try_fold(&mut *object, |value, key| entry(value, key, json!({})));
            if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
                annotations.insert(names::NATIVE.to_owned(), json!("true"));
            }
        }
        let Some((last, before)) = place.list.split_last() else { return };
        let holder = before.iter().try_fold(object, |value, key| entry(value, key, json!({})));
        let containers = holder.and_then(|holder| entry(holder, last, json!([]))).and_then(Value::as_array_mut);
        if let (Some(containers), Ok(own)) = (containers, self.container(place.form)) {
            containers.insert(0, own);
        }
    }

    /// The container at the head of its list, which is made if it is not there.
    fn entry(&self, tree: &Node, place: &Place) -> Result<Insertion, String> {
        let (container, block) = (self.container(place.form)?, self.block(place.form));
        let name = place.list.last().copied().unwrap_or_default();
        match reach(tree, place.list) {
            (Node { at, body: Body::List(items) }, []) => Ok(Insertion::entry(*at, items, &container, &block)),
            (_, []) => Err(format!("its {name} are no list: remove that line")),
            (node, missing) => put(node, place.list, missing, json!([container]), &block),
        }
    }

    /// The container as an entry of a list, written as a block.
    fn block(&self, form: Form) -> String {
        let block = CONTAINER.replace("IMAGE", &Value::from(self.image.as_str()).to_string());
        match form {
            Form::Native => block,
            Form::Tekton => OF_TEKTON.iter().fold(block, |block, (theirs, tektons)| block.replace(theirs, tektons)),
        }
    }

    fn container(&self, form: Form) -> Result<Value, String> {
        let list: Value = serde_saphyr::from_str(&self.block(form)).map_err(|error| insert::one_line(&error))?;
        list.get(0).cloned().ok_or_else(|| "it has no container".to_owned())
    }
}

/// Whether the pods have an agent already.
pub(super) fn is_in(object: &Value, place: &Place) -> bool {
    place.containers(object).any(|container| {
        let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
        let image = text("image").rsplit('/').next().unwrap_or_default();
        text("name") == names::AGENT || image.split([':', '@']).next() == Some(names::AGENT_PROGRAM)
    })
}

/// The form of istio-proxy, if the pods ask for one: `"true"` is native.
fn form<'o>(object: &'o Value, place: &Place) -> Option<&'o Value> {
    value_at(object, place.metadata).and_then(|metadata| metadata.get("annotations")?.get(names::NATIVE))
}

/// Where the pods must say that they share their processes: the agent beside a classic proxy sees the end of the task by that. `None`: they
/// need not, they say something already, or their object has no place for it.
fn sharing(object: &Value, place: &Place) -> Option<Vec<&'static str>> {
    let (_, spec) = place.list.split_last()?;
    let is_classic = form(object, place).and_then(Value::as_str) == Some("false");
    let is_spec = place.form == Form::Native && spec.last() == Some(&"spec");
    let says = value_at(object, spec).is_some_and(|spec| spec.get(SHARE).is_some());
    (is_classic && is_spec && !says).then(|| spec.iter().chain(&[SHARE]).copied().collect())
}

fn annotation(tree: &Node, place: &Place) -> Result<Insertion, String> {
    let keys = place.metadata.iter().chain(&["annotations", names::NATIVE]).copied().collect::<Vec<_>>();
    let (node, missing) = reach(tree, &keys);
    put(node, &keys, missing, json!("true"), "\"true\"")
}

/// Puts a value behind keys of which the last ones, `missing`, are not in the text: into `node`, the last mapping that is there. `block` is
/// the value as it is written below its key, or behind it if it is one line.
fn put(node: &Node, keys: &[&str], missing: &[&str], value: Value, block: &str) -> Result<Insertion, String> {
    let Some((first, others)) = missing.split_first() else { return Err("it has that already".to_owned()) };
    if !matches!(node.body, Body::Map(_)) {
        let holder = keys.len().checked_sub(missing.len() + 1).and_then(|at| keys.get(at)).copied().unwrap_or("document");
        return Err(format!("its {holder} is no mapping: remove that line"));
    }
    let value = others.iter().rev().fold(value, |value, key| json!({*key: value}));
    let block = missing.iter().rev().fold(block.to_owned(), |block, key| below(key, &block));
    Ok(Insertion::key(node.at, first, &value, &block))
}

/// A key with what is below it, or behind it.
fn below(key: &str, block: &str) -> String {
    if !block.ends_with('\n') {
        return format!("{key}: {block}\n");
    }
    let lines: Vec<String> = block.lines().map(|line| format!("  {line}\n")).collect();
    format!("{key}:\n{}", lines.concat())
}

/// The value of a key, made first if it is not there.
fn entry<'a>(value: &'a mut Value, key: &str, default: Value) -> Option<&'a mut Value> {
    let fields: &mut Map<String, Value> = value.as_object_mut()?;
    Some(fields.entry(key).or_insert(default))
}
