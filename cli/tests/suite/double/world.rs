//! A small cluster: pods, Namespaces, one Lease, Events, and a kubelet that runs what is added to a pod. It compares versions as a real API
//! server does: who writes an old one gets a conflict.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Piece, Reply, Request, recorded, refusal};

/// What becomes of a container that is added to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kubelet {
    /// It ends the proxy, delivers everything, and the pod succeeds.
    Ends,
    /// It loses this many bytes.
    Loses(u64),
    /// Its image cannot be pulled.
    HasNoImage,
    /// It ends, and the proxy runs on.
    Fails,
    /// It runs for good.
    Hangs,
}

/// The cluster.
pub(crate) struct World {
    pub(crate) pods: BTreeMap<String, Value>,
    /// The Namespaces with the label, by name.
    pub(crate) marked: Vec<&'static str>,
    pub(crate) lease: Option<Value>,
    pub(crate) events: Vec<Value>,
    pub(crate) kubelet: Kubelet,
    pods_watch: Watch,
    namespaces_watch: Watch,
    version: usize,
}

/// What happened to the objects of one kind, and who watches them. A watch begins with what has happened since the version that it names: a
/// change between a list and its watch is lost by no real API server.
#[derive(Default)]
struct Watch {
    watchers: Vec<Sender<Piece>>,
    history: Vec<(usize, Value)>,
}

// === impl Watch ===

impl Watch {
    fn begin(&mut self, request: &Request) -> Reply {
        let (sender, receiver) = channel();
        let since = number(request, "resourceVersion").unwrap();
        for (_, event) in self.history.iter().filter(|(version, _)| *version > since) {
            sender.send(Piece::Event(event.clone())).unwrap();
        }
        self.watchers.push(sender);
        Reply::watch(receiver)
    }

    fn happened(&mut self, version: usize, event: Value) {
        self.send(&event);
        self.history.push((version, event));
    }

    fn send(&mut self, event: &Value) {
        self.watchers.retain(|watcher| watcher.send(Piece::Event(event.clone())).is_ok());
    }
}

/// A pod that hangs in the namespace `jobs`: its task has ended ten minutes ago, and its classic proxy runs.
pub(crate) fn stuck(name: &str) -> Value {
    let mut pod = small(recorded("job-classic-notready"));
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = json!("jobs");
    pod["metadata"]["uid"] = json!(format!("uid-of-{name}"));
    pod["metadata"]["resourceVersion"] = json!("7");
    ended_ago(pod, 600)
}

/// The same pod, whose task has ended so many seconds ago.
pub(crate) fn ended_ago(mut pod: Value, seconds: i64) -> Value {
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = json!(ago(seconds));
    pod
}

fn ago(seconds: i64) -> String {
    let time = Timestamp::now().checked_sub(SignedDuration::from_secs(seconds)).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The same pod without what the commands do not read: thousands of whole ones would take minutes.
pub(crate) fn small(mut pod: Value) -> Value {
    pod["spec"]["volumes"] = Value::Null;
    for list in ["containers", "initContainers"] {
        for container in pod["spec"][list].as_array_mut().unwrap() {
            container.as_object_mut().unwrap().retain(|field, _| ["name", "image", "restartPolicy"].contains(&field.as_str()));
        }
    }
    for list in ["containerStatuses", "initContainerStatuses"] {
        for status in pod["status"][list].as_array_mut().unwrap() {
            status.as_object_mut().unwrap().remove("volumeMounts");
        }
    }
    pod
}

impl World {
    /// A cluster with these pods.
    pub(crate) fn with(pods: impl IntoIterator<Item = Value>) -> Self {
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
        let pods = pods.into_iter().map(|pod| (name(&pod), pod)).collect();
        let (marked, events) = (Vec::new(), Vec::new());
        let (pods_watch, namespaces_watch) = (Watch::default(), Watch::default());
        Self { pods, marked, lease: None, events, kubelet: Kubelet::Ends, pods_watch, namespaces_watch, version: 100 }
    }

    /// Adds a pod, and tells the watches.
    pub(crate) fn add(&mut self, pod: Value) {
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        self.pods.insert(name.clone(), pod);
        self.change(&name, |_| {});
    }

    /// Changes a pod, and tells the watches.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        self.version += 1;
        let pod = self.pods.get_mut(name).unwrap();
        change(pod);
        pod["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let event = json!({"type": "MODIFIED", "object": typed(pod.clone(), "Pod")});
        self.pods_watch.happened(self.version, event);
    }

    /// Deletes a pod, and tells the watches.
    pub(crate) fn delete(&mut self, name: &str) {
        self.version += 1;
        let mut pod = self.pods.remove(name).unwrap();
        pod["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.pods_watch.happened(self.version, json!({"type": "DELETED", "object": typed(pod, "Pod")}));
    }

    /// Sends something to all watches of pods that is no change of a pod.
    pub(crate) fn send(&mut self, event: &Value) {
        self.pods_watch.send(event);
    }

    /// Breaks the connections of all watches.
    pub(crate) fn break_watches(&mut self) {
        for watcher in self.pods_watch.watchers.drain(..) {
            let _ = watcher.send(Piece::Break);
        }
    }

    /// Gives a Namespace the label, and tells the watches.
    pub(crate) fn mark(&mut self, name: &'static str) {
        self.version += 1;
        self.marked.push(name);
        let event = json!({"type": "ADDED", "object": namespace(name, self.version)});
        self.namespaces_watch.happened(self.version, event);
    }

    /// How many watches of pods there are.
    pub(crate) fn watchers(&self) -> usize {
        self.pods_watch.watchers.len()
    }

    /// The reasons of the Events, in order.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of the containers that were added to a pod.
    pub(crate) fn added(&self, name: &str) -> Vec<String> {
        let containers = self.pods.get(name).and_then(|pod| pod["spec"]["ephemeralContainers"].as_array());
        containers.into_iter().flatten().map(|container| container["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The answer of a real API server.
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        let words = request.path.split('/').skip(1).collect::<Vec<_>>();
        let verb = request.verb.as_str();
        match (verb, &words[..]) {
            ("GET", ["api", "v1", "namespaces"]) => self.namespaces(request),
            ("GET", ["api", "v1", "pods"]) => self.list(request, None),
            ("GET", ["api", "v1", "namespaces", namespace, "pods"]) => self.list(request, Some(namespace)),
            ("GET", ["api", "v1", "namespaces", _, "pods", name]) => self.get(name).into(),
            ("PATCH", ["api", "v1", "namespaces", _, "pods", name, "ephemeralcontainers"]) => self.patch(name, request).into(),
            ("POST", ["apis", "events.k8s.io", "v1", "namespaces", _, "events"]) => {
                self.events.push(request.body.clone());
                (201, request.body.clone()).into()
            }
            (_, ["apis", "coordination.k8s.io", "v1", "namespaces", _, "leases", ..]) => self.lease(request).into(),
            _ => refusal(404, "NotFound", &format!("{verb} {}", request.path)).into(),
        }
    }

    fn namespaces(&mut self, request: &Request) -> Reply {
        if request.query.contains("watch=") {
            return self.namespaces_watch.begin(request);
        }
        let items = self.marked.iter().map(|name| namespace(name, self.version)).collect::<Vec<_>>();
        let meta = json!({"resourceVersion": self.version.to_string()});
        (200, json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items}))
            .into()
    }

    fn list(&mut self, request: &Request, namespace: Option<&str>) -> Reply {
        if request.query.contains("watch=") {
            return self.pods_watch.begin(request);
        }
        let is_here = |pod: &&Value| namespace.is_none_or(|namespace| pod["metadata"]["namespace"] == namespace);
        let from = number(request, "continue").unwrap_or_default();
        let limit = number(request, "limit").unwrap_or(usize::MAX);
        let items = self.pods.values().filter(is_here).skip(from).take(limit).collect::<Vec<_>>();
        let token = if items.len() == limit { (from + limit).to_string() } else { String::new() };
        let meta = json!({"resourceVersion": self.version.to_string(), "continue": token});
        (200, json!({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})).into()
    }

    /// Each look lets kubelet go on a step.
    fn get(&mut self, name: &str) -> Answer {
        let Some(pod) = self.pods.get(name) else { return refusal(404, "NotFound", "no such pod") };
        let runs = pod["status"]["ephemeralContainerStatuses"]
            .as_array()
            .is_some_and(|all| all.iter().any(|status| status["state"]["running"].is_object()));
        let answer = (200, pod.clone());
        if runs {
            self.step(name);
        }
        answer
    }

    fn step(&mut self, name: &str) {
        let (kubelet, now) = (self.kubelet, ago(0));
        let lost = if let Kubelet::Loses(bytes) = kubelet { bytes } else { 0 };
        let verdict = json!({
            "version": "0.1.0", "proxy": if kubelet == Kubelet::Fails { "stays" } else { "gone" }, "route": "admin 127.0.0.1:15000",
            "drainMs": 41, "undelivered": {"connections": u64::from(lost > 0), "bytes": lost, "atLeast": false},
            "limit": if lost > 0 { json!("stall timeout") } else { Value::Null },
        });
        let exit_code = i32::from(kubelet == Kubelet::Fails);
        let state = match kubelet {
            Kubelet::Ends | Kubelet::Loses(_) | Kubelet::Fails => {
                json!({"terminated": {"exitCode": exit_code, "message": verdict.to_string(), "finishedAt": now}})
            }
            Kubelet::HasNoImage => json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            Kubelet::Hangs => return,
        };
        self.change(name, |pod| {
            let statuses = pod["status"]["ephemeralContainerStatuses"].as_array_mut().unwrap();
            statuses.last_mut().unwrap()["state"] = state;
            if matches!(kubelet, Kubelet::Ends | Kubelet::Loses(_)) {
                pod["status"]["phase"] = json!("Succeeded");
                let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": now}});
                pod["status"]["containerStatuses"][1]["state"] = ended;
            }
        });
    }

    fn patch(&mut self, name: &str, request: &Request) -> Answer {
        let Some(pod) = self.pods.get(name) else { return refusal(404, "NotFound", "no such pod") };
        let same = |field: &str| request.body["metadata"][field] == pod["metadata"][field];
        if !same("uid") || !same("resourceVersion") {
            return refusal(409, "Conflict", "the object has been modified");
        }
        let container = request.body["spec"]["ephemeralContainers"][0].clone();
        let status = json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "restartCount": 0,
            "state": {"running": {"startedAt": ago(0)}},
        });
        self.change(name, |pod| {
            append(&mut pod["spec"]["ephemeralContainers"], container);
            append(&mut pod["status"]["ephemeralContainerStatuses"], status);
        });
        (200, self.pods[name].clone())
    }

    fn lease(&mut self, request: &Request) -> Answer {
        let mut body = request.body.clone();
        let refused = match (request.verb.as_str(), &self.lease) {
            ("GET", Some(lease)) => return (200, lease.clone()),
            ("GET" | "PUT", None) => Some(refusal(404, "NotFound", "no such lease")),
            ("POST", Some(_)) => Some(refusal(409, "AlreadyExists", "there is one")),
            ("PUT", Some(lease)) if lease["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] => {
                Some(refusal(409, "Conflict", "the object has been modified"))
            }
            _ => None,
        };
        if let Some(refused) = refused {
            return refused;
        }
        self.version += 1;
        body["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(body.clone());
        (200, body)
    }
}

fn typed(mut object: Value, kind: &str) -> Value {
    object["kind"] = json!(kind);
    object["apiVersion"] = json!("v1");
    object
}

fn namespace(name: &str, version: usize) -> Value {
    let meta = json!({"name": name, "labels": {"exeunt.dev/reap": "on"}, "resourceVersion": version.to_string()});
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta})
}

fn append(list: &mut Value, item: Value) {
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().unwrap().push(item);
}

fn number(request: &Request, name: &str) -> Option<usize> {
    let prefix = format!("{name}=");
    request.query.split('&').find_map(|word| word.strip_prefix(&prefix)).and_then(|number| number.parse().ok())
}
