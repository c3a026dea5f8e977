//! The pods that an object will make.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

use crate::pod::{Owner, names};

/// A pod that an object will make.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Kind and name of the object: `Job/upload`. A template of a workflow is behind it: `Workflow/upload-/step`.
    pub of: String,
    /// The pod.
    pub pod: Pod,
    /// The Job or CronJob that has it.
    pub owner: Option<Owner>,
}

/// The pods that `object` will make, or why they cannot be read. An object of another kind makes none.
pub fn templates(object: &Value) -> Result<Vec<Template>, String> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or_default();
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or_default();
    let namespace = text("/metadata/namespace");
    let of = format!("{kind}/{name}");
    let one = |pod: Option<&Value>| pod.cloned().into_iter().map(|pod| (of.clone(), pod)).collect::<Vec<_>>();
    let found = match kind {
        "Pod" => one(Some(object)),
        "Job" => one(object.pointer("/spec/template")),
        "CronJob" => one(object.pointer("/spec/jobTemplate/spec/template")),
        "PodTemplate" => one(object.pointer("/template")),
        "Workflow" | "WorkflowTemplate" | "ClusterWorkflowTemplate" => workflow(&of, object.get("spec")),
        "CronWorkflow" => workflow(&of, object.pointer("/spec/workflowSpec")),
        "SparkApplication" => one(object.pointer("/spec/driver").map(spark).as_ref()),
        "ScheduledSparkApplication" => one(object.pointer("/spec/template/driver").map(spark).as_ref()),
        "List" => {
            let items = object.get("items").and_then(Value::as_array).into_iter().flatten();
            return items.map(templates).collect::<Result<Vec<_>, _>>().map(|lists| lists.into_iter().flatten().collect());
        }
        _ => Vec::new(),
    };
    let label = object.pointer("/metadata/labels").and_then(|labels| labels.get(names::DRAIN_LABEL));
    let owner = ["Job", "CronJob"].contains(&kind).then(|| Owner {
        kind: kind.to_owned(),
        name: name.to_owned(),
        has_label: label.is_some(),
        ..Owner::default()
    });
    let read = |(of, mut value): (String, Value)| {
        if let Some(fields) = value.as_object_mut() {
            fields.remove("status");
            for (name, value) in [("apiVersion", "v1"), ("kind", "Pod")] {
                fields.insert(name.to_owned(), json!(value));
            }
        }
        let mut pod: Pod = serde_json::from_value(value).map_err(|error| format!("{of}: its pod cannot be read: {error}"))?;
        if pod.metadata.namespace.is_none() {
            pod.metadata.namespace = namespace.map(ToOwned::to_owned);
        }
        Ok(Template { of, pod, owner: owner.clone() })
    };
    found.into_iter().map(read).collect()
}

/// Argo adds a container `wait` to each pod, calls that of a template `main`, and merges the defaults into it: lists by the names of their
/// entries.
fn workflow(of: &str, spec: Option<&Value>) -> Vec<(String, Value)> {
    let Some(spec) = spec else { return Vec::new() };
    let merged = |template: &Value, field: &str| {
        let list = |holder: Option<&Value>| holder.and_then(|holder| holder.get(field)?.as_array()).cloned().unwrap_or_default();
        let mut all = list(Some(template));
        let defaults = list(spec.get("templateDefaults"));
        let new =
            defaults.into_iter().filter(|other| all.iter().all(|own| own.get("name") != other.get("name"))).collect::<Vec<_>>();
        all.extend(new);
        all
    };
    let pod = |template: &Value| {
        let mut containers = vec![json!({"name": "wait"})];
        if let Some(main) = template.get("container").or_else(|| template.get("script")).and_then(Value::as_object) {
            // The source of a script is no field of a container.
            let mut main: Map<String, Value> =
                main.iter().filter(|(name, _)| *name != "source").map(|(name, value)| (name.clone(), value.clone())).collect();
            main.insert("name".to_owned(), json!("main"));
            containers.push(Value::Object(main));
        } else {
            containers.extend(template.pointer("/containerSet/containers")?.as_array()?.iter().cloned());
        }
        containers.extend(merged(template, "sidecars"));
        let metadata = ["labels", "annotations"].map(|field| {
            let of =
                |holder: Option<&Value>| holder.and_then(|holder| holder.get(field)?.as_object()).cloned().unwrap_or_default();
            let mut all = of(spec.get("podMetadata"));
            all.extend(of(spec.pointer("/templateDefaults/metadata")));
            all.extend(of(template.get("metadata")));
            (field.to_owned(), Value::Object(all))
        });
        let metadata = Value::Object(metadata.into_iter().collect());
        let name = template.get("name").and_then(Value::as_str).unwrap_or_default();
        let spec = json!({
            "restartPolicy": "Never",
            "hostNetwork": spec.get("hostNetwork"),
            "initContainers": merged(template, "initContainers"),
            "containers": containers,
        });
        Some((format!("{of}/{name}"), json!({"metadata": metadata, "spec": spec})))
    };
    spec.get("templates").and_then(Value::as_array).into_iter().flatten().filter_map(pod).collect()
}

/// The driver of a Spark application is the pod that ends last.
fn spark(driver: &Value) -> Value {
    let mut containers = vec![json!({"name": "spark-kubernetes-driver"})];
    containers.extend(driver.get("sidecars").and_then(Value::as_array).into_iter().flatten().cloned());
    let field = |name: &str| driver.get(name).cloned().unwrap_or_default();
    json!({
        "metadata": {"labels": field("labels"), "annotations": field("annotations")},
        "spec": {
            "restartPolicy": "Never",
            "hostNetwork": field("hostNetwork"),
            "shareProcessNamespace": field("shareProcessNamespace"),
            "initContainers": field("initContainers"),
            "containers": containers,
        },
    })
}
