//! Where an object describes the pods that it makes, and where the agent belongs there.

use serde_json::Value;

use super::tree::Node;

/// Keys that lead from the top of a document to a value.
pub(super) type Path = &'static [&'static str];

/// Where the agent belongs in an object of some kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    kinds: &'static [&'static str],
    /// Without it, the object makes no pod by itself.
    makes_pods: Path,
    /// The labels and annotations of the pods.
    pub(super) metadata: Path,
    /// The list to which the agent is added.
    pub(super) list: Path,
    /// The other lists in which an agent can already be.
    others: &'static [Path],
    /// How its container is written.
    pub(super) form: Form,
}

/// How the container of the agent is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A native sidecar: an init container with `restartPolicy: Always`.
    Native,
    /// A sidecar of Tekton's: a regular container, to which SIGTERM tells the end of the task.
    Tekton,
}

const PLACES: [Place; 10] = [
    Place {
        kinds: &["Pod"],
        makes_pods: &["spec", "containers"],
        metadata: &["metadata"],
        list: &["spec", "initContainers"],
        others: &[&["spec", "containers"]],
        form: Form::Native,
    },
    Place {
        kinds: &["Job"],
        makes_pods: &["spec", "template", "spec", "containers"],
        metadata: &["spec", "template", "metadata"],
        list: &["spec", "template", "spec", "initContainers"],
        others: &[&["spec", "template", "spec", "containers"]],
        form: Form::Native,
    },
    Place {
        kinds: &["CronJob"],
        makes_pods: &["spec", "jobTemplate", "spec", "template", "spec", "containers"],
        metadata: &["spec", "jobTemplate", "spec", "template", "metadata"],
        list: &["spec", "jobTemplate", "spec", "template", "spec", "initContainers"],
        others: &[&["spec", "jobTemplate", "spec", "template", "spec", "containers"]],
        form: Form::Native,
    },
    Place {
        kinds: &["PodTemplate"],
        makes_pods: &["template", "spec", "containers"],
        metadata: &["template", "metadata"],
        list: &["template", "spec", "initContainers"],
        others: &[&["template", "spec", "containers"]],
        form: Form::Native,
    },
    // Argo merges these defaults into each template of the workflow.
    Place {
        kinds: &["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"],
        makes_pods: &["spec", "templates"],
        metadata: &["spec", "podMetadata"],
        list: &["spec", "templateDefaults", "initContainers"],
        others: &[],
        form: Form::Native,
    },
    Place {
        kinds: &["CronWorkflow"],
        makes_pods: &["spec", "workflowSpec", "templates"],
        metadata: &["spec", "workflowSpec", "podMetadata"],
        list: &["spec", "workflowSpec", "templateDefaults", "initContainers"],
        others: &[],
        form: Form::Native,
    },
    // The driver has its labels and annotations without `metadata`. It deletes the executors' pods, so they need nothing.
    Place {
        kinds: &["SparkApplication"],
        makes_pods: &["spec", "driver"],
        metadata: &["spec", "driver"],
        list: &["spec", "driver", "initContainers"],
        others: &[&["spec", "driver", "sidecars"]],
        form: Form::Native,
    },
    Place {
        kinds: &["ScheduledSparkApplication"],
        makes_pods: &["spec", "template", "driver"],
        metadata: &["spec", "template", "driver"],
        list: &["spec", "template", "driver", "initContainers"],
        others: &[&["spec", "template", "driver", "sidecars"]],
        form: Form::Native,
    },
    // Tekton copies labels and annotations of the run, or of its task, to the pod.
    Place {
        kinds: &["TaskRun"],
        makes_pods: &["spec", "taskSpec", "steps"],
        metadata: &["metadata"],
        list: &["spec", "taskSpec", "sidecars"],
        others: &[&["spec", "taskSpec", "steps"]],
        form: Form::Tekton,
    },
    Place {
        kinds: &["Task"],
        makes_pods: &["spec", "steps"],
        metadata: &["metadata"],
        list: &["spec", "sidecars"],
        others: &[&["spec", "steps"]],
        form: Form::Tekton,
    },
];

// === impl Place ===

impl Place {
    /// The place in this object, if it makes pods.
    pub(super) fn of(object: &Value) -> Option<&'static Self> {
        let kind = object.get("kind").and_then(Value::as_str)?;
        let place = PLACES.iter().find(|place| place.kinds.contains(&kind))?;
        value_at(object, place.makes_pods).map(|_| place)
    }

    /// The containers among which an agent may already be.
    pub(super) fn containers<'a>(&self, object: &'a Value) -> impl Iterator<Item = &'a Value> {
        let lists = self.others.iter().chain([&self.list]);
        let own = lists.filter_map(|list| value_at(object, list)?.as_array()).flatten();
        // Argo's templates can have lists of their own.
        let templates = value_at(object, self.makes_pods).and_then(Value::as_array).into_iter().flatten();
        let theirs = templates.flat_map(|template| ["initContainers", "sidecars"].map(|list| template.get(list)));
        own.chain(theirs.flatten().filter_map(Value::as_array).flatten())
    }
}

/// The name of an object, as `Kind/name`.
pub(super) fn name_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or_default();
    format!("{}/{name}", text("/kind").unwrap_or_default())
}

/// The value behind the keys.
pub(super) fn value_at<'a>(object: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(object, |value, key| value.get(key))
}

/// How far the keys lead in the text: the last value that is there, and the keys behind it that are not.
pub(super) fn reach<'a, 'k>(tree: &'a Node, keys: &'k [&'static str]) -> (&'a Node, &'k [&'static str]) {
    let (mut node, mut left) = (tree, keys);
    while let Some((key, rest)) = left.split_first() {
        let Some(next) = node.get(key) else { break };
        (node, left) = (next, rest);
    }
    (node, left)
}
