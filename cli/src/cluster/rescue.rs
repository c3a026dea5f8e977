//! The rescue of a pod that hangs: an ephemeral container that runs the agent's `complete`.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{LogParams, Patch, PatchParams};
use serde_json::json;

use super::connect::Cluster;
use super::error::Error;

/// At most so many lines of a log are read: the verdict is its last one.
const LINES: i64 = 50;

// === impl Cluster ===

impl Cluster {
    /// Adds an ephemeral container that drains the proxy of this pod and ends it. The patch names the uid and the version that were read, so
    /// the API server refuses it if the pod has changed since, or if another one has its name now.
    pub async fn add_rescue(&self, pod: &Pod, container: &str, image: &str) -> Result<(), Error> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let patch = json!({
            "metadata": {"uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version},
            "spec": {"ephemeralContainers": [{
                "name": container,
                "image": image,
                "command": ["/exeunt-agent"],
                // It sees no other container's processes. We have looked: its own look would find nothing, and refuse. `complete` writes its verdict to
                // stderr alone, unless it is told where kubelet looks.
                "args": ["complete", "--force", "--termination-log", "/dev/termination-log"],
                // What the strictest pod security asks for.
                "securityContext": {
                    "runAsNonRoot": true,
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }]},
        });
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        let patched = api.patch_ephemeral_containers(name, &PatchParams::default(), &Patch::Strategic(patch)).await;
        patched
            .map(drop)
            .map_err(|error| Error::of("patch", &format!("pods/ephemeralcontainers in namespace {namespace}"), &error))
    }

    /// The end of the log of a container.
    pub async fn log(&self, namespace: &str, pod: &str, container: &str) -> Result<String, Error> {
        let parameters = LogParams { container: Some(container.to_owned()), tail_lines: Some(LINES), ..LogParams::default() };
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        api.logs(pod, &parameters).await.map_err(|error| Error::of("get", &format!("pods/log in namespace {namespace}"), &error))
    }
}
