//! Pods: list them, get one, read one again.

use core::fmt::Debug;

use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use super::connect::Cluster;
use super::error::{Error, Kind};
use super::names::nearest;

/// How many pods a page has. Only one page is in memory at a time.
const PAGE: u32 = 500;

/// Which pods are meant, by kubectl's usual flags.
#[derive(Clone, Debug, Default, Args)]
pub struct Scope {
    /// Namespace; else that of the context
    #[arg(short, long, value_name = "NAME", global = true)]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Only pods with these labels, for example app=report,team!=x
    #[arg(short = 'l', long, value_name = "SELECTOR", global = true)]
    pub selector: Option<String>,
}

// === impl Cluster ===

impl Cluster {
    /// The namespace of one object.
    #[must_use]
    pub fn namespace_of<'a>(&'a self, scope: &'a Scope) -> &'a str {
        scope.namespace.as_deref().unwrap_or_else(|| self.namespace())
    }

    /// What `keep` makes of each pod.
    pub async fn pods<T>(&self, scope: &Scope, keep: impl FnMut(Pod) -> Option<T>) -> Result<Vec<T>, Error> {
        let api: Api<Pod> =
            if scope.all_namespaces { Api::all(self.client()) } else { Api::namespaced(self.client(), self.namespace_of(scope)) };
        self.pages(&api, "pods", scope, keep).await
    }

    /// What `keep` makes of each object of a list. If the list becomes too old between two pages, it begins again.
    pub(super) async fn pages<K, T>(
        &self,
        api: &Api<K>,
        resource: &str,
        scope: &Scope,
        mut keep: impl FnMut(K) -> Option<T>,
    ) -> Result<Vec<T>, Error>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let place = if scope.all_namespaces {
            format!("{resource} in all namespaces")
        } else {
            format!("{resource} in namespace {}", self.namespace_of(scope))
        };
        let mut parameters = ListParams::default().limit(PAGE);
        parameters.label_selector.clone_from(&scope.selector);
        let (mut kept, mut again) = (Vec::new(), false);
        loop {
            match api.list(&parameters).await {
                Ok(page) => {
                    parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
                    kept.extend(page.items.into_iter().filter_map(&mut keep));
                    if parameters.continue_token.is_none() {
                        return Ok(kept);
                    }
                }
                Err(error) => {
                    let error = Error::of("list", &place, &error);
                    if error.kind != Kind::Gone || again || parameters.continue_token.is_none() {
                        return Err(error);
                    }
                    (parameters.continue_token, again) = (None, true);
                    kept.clear();
                }
            }
        }
    }

    /// One pod. If there is none of that name, the error names those that are near.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Pod, Error> {
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        let resource = format!("pod {name} in namespace {namespace}");
        let mut error = match api.get(name).await {
            Ok(pod) => return Ok(pod),
            Err(error) => Error::of("get", &resource, &error),
        };
        if error.kind == Kind::NotFound {
            let scope = Scope { namespace: Some(namespace.to_owned()), ..Scope::default() };
            let names = self.pods(&scope, |pod| pod.metadata.name).await.unwrap_or_default();
            let near = nearest(name, names);
            if !near.is_empty() {
                error.line = format!("{}; there is {}", error.line, near.join(", "));
            }
        }
        Err(error)
    }

    /// The pod with that name, if it is still the one with that uid: a name can be given again.
    pub async fn same_pod(&self, namespace: &str, name: &str, uid: &str) -> Result<Option<Pod>, Error> {
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        let pod =
            api.get_opt(name).await.map_err(|error| Error::of("get", &format!("pod {name} in namespace {namespace}"), &error))?;
        Ok(pod.filter(|pod| pod.metadata.uid.as_deref() == Some(uid)))
    }
}
