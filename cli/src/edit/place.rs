//! Where the pod template of an object is.

use serde_json::Value;

use super::tree::Node;

/// The pod template of an object.
pub(super) struct Place<'a> {
    /// The object, as `Kind/name`.
    pub(super) of: String,
    /// The keys that lead to the template. It has the keys `metadata` and `spec`.
    pub(super) keys: &'static [&'static str],
    /// The template in the text.
    pub(super) template: &'a Node,
}

/// The keys that lead to the pod template of an object of this kind. A pod is its own.
pub(super) fn keys(object: &Value) -> Option<&'static [&'static str]> {
    match object.get("kind").and_then(Value::as_str)? {
        "Pod" => Some(&[]),
        "Job" => Some(&["spec", "template"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template"]),
        "PodTemplate" => Some(&["template"]),
        _ => None,
    }
}

/// The pod template of an object, if it is of a kind that has one.
pub(super) fn find<'a>(tree: &'a Node, object: &Value) -> Option<Place<'a>> {
    let keys = keys(object)?;
    let template = tree.path(keys)?;
    template.get("spec")?.get("containers")?;
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or_default();
    Some(Place { of: format!("{}/{name}", text("/kind").unwrap_or_default()), keys, template })
}

/// The value behind the keys.
pub(super) fn value_at<'a>(object: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(object, |value, key| value.get(key))
}
