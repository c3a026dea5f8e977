//! Names for the completion of a shell. It asks for little, because a person waits: metadata alone, and one page.

use std::path::Path;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use kube::core::PartialObjectMeta;

use super::connect::Cluster;
use super::error::Error;

/// More names than these nobody reads.
const MOST: u32 = 500;

// === impl Cluster ===

impl Cluster {
    /// The names of pods of a namespace.
    pub async fn pod_names(&self, namespace: &str) -> Result<Vec<String>, Error> {
        names(&Api::<Pod>::namespaced(self.client(), namespace), "pods").await
    }

    /// The names of namespaces.
    pub async fn namespace_names(&self) -> Result<Vec<String>, Error> {
        names(&Api::<Namespace>::all(self.client()), "namespaces").await
    }
}

async fn names<K>(api: &Api<K>, resource: &str) -> Result<Vec<String>, Error>
where
    K: kube::Resource + Clone + core::fmt::Debug + serde::de::DeserializeOwned,
{
    let page = api.list_metadata(&ListParams::default().limit(MOST)).await;
    let page = page.map_err(|error| Error::of("list", resource, &error))?;
    Ok(page.items.into_iter().filter_map(|one: PartialObjectMeta<K>| one.metadata.name).collect())
}

/// The names of the contexts in a kubeconfig, or in the one of the environment. One that cannot be read has none.
#[must_use]
pub fn context_names(file: Option<&Path>) -> Vec<String> {
    let read = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    read.map(|config| config.contexts.into_iter().map(|context| context.name).collect()).unwrap_or_default()
}
