//! Watches: each version of each pod of a scope, and the Namespaces that have a label. They go on after whatever the API server does: a
//! stream that breaks, a version that is too old, too many requests.

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, SelectAll};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Error as WatchError, Event, watcher};
use kube::{Api, ResourceExt as _};

use super::connect::Cluster;
use super::error::{Error, Kind};
use super::pods::Scope;

/// How many pods a page of the first list has. Only one page is in memory at a time, and one watch shows thousands of pods.
const PAGE: u32 = 200;

/// What a watch has seen. `scope` is the number of the scope in the list that [`Cluster::watch`] was given.
#[derive(Debug)]
pub enum Seen {
    /// The pods of this scope are listed from the start: at first, and when the watch has lost its place.
    Begin {
        /// Which scope.
        scope: usize,
    },
    /// A version of a pod.
    Pod {
        /// Which scope.
        scope: usize,
        /// The pod. Boxed: it is a hundred times as large as what else is seen.
        pod: Box<Pod>,
    },
    /// A pod was deleted. This is its last version.
    Gone(Box<Pod>),
    /// The list is complete: a pod of this scope that was not in it has gone unseen.
    Complete {
        /// Which scope.
        scope: usize,
    },
    /// The Namespaces are listed from the start.
    NamespacesBegin,
    /// A Namespace has the label.
    NamespaceMarked(String),
    /// A Namespace has it no more.
    NamespaceUnmarked(String),
    /// A watch has failed, and begins again after a pause.
    Failed(Error),
}

// === impl Cluster ===

impl Cluster {
    /// Watches the pods of `scopes`, and the Namespaces with `label` if one is given. The stream never ends.
    pub fn watch(&self, scopes: &[Scope], label: Option<&str>) -> SelectAll<BoxStream<'static, Seen>> {
        let mut all = SelectAll::new();
        for (number, scope) in scopes.iter().enumerate() {
            let (api, place): (Api<Pod>, _) = if scope.all_namespaces {
                (Api::all(self.client()), "pods in all namespaces".to_owned())
            } else {
                let namespace = self.namespace_of(scope);
                (Api::namespaced(self.client(), namespace), format!("pods in namespace {namespace}"))
            };
            let mut config = Config::default().page_size(PAGE);
            config.label_selector.clone_from(&scope.selector);
            all.push(changes(api, config, place, move |event| Some(of_pod(number, event))));
        }
        if let Some(label) = label {
            // Their names and labels are enough.
            let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.client());
            all.push(changes(api, Config::default().labels(label), "namespaces".to_owned(), of_namespace));
        }
        all
    }

    /// The names of the Namespaces with this label.
    pub async fn marked_namespaces(&self, label: &str) -> Result<Vec<String>, Error> {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.client());
        let list = api.list(&ListParams::default().labels(label)).await;
        let list = list.map_err(|error| Error::of("list", "namespaces", &error))?;
        Ok(list.items.iter().map(kube::ResourceExt::name_any).collect())
    }
}

fn changes<K>(
    api: Api<K>,
    config: Config,
    place: String,
    seen: impl Fn(Event<K>) -> Option<Seen> + Send + 'static,
) -> BoxStream<'static, Seen>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + core::fmt::Debug + Send + 'static,
{
    // kube's pauses are those of client-go: from 0.8 to 30 seconds.
    let stream = watcher(api, config).default_backoff();
    stream
        .filter_map(move |event| {
            let seen = match event {
                Ok(event) => seen(event),
                Err(error) => Some(Seen::Failed(failed(&place, &error))),
            };
            core::future::ready(seen)
        })
        .boxed()
}

fn of_pod(scope: usize, event: Event<Pod>) -> Seen {
    match event {
        Event::Init => Seen::Begin { scope },
        Event::InitApply(pod) | Event::Apply(pod) => Seen::Pod { scope, pod: Box::new(pod) },
        Event::Delete(pod) => Seen::Gone(Box::new(pod)),
        Event::InitDone => Seen::Complete { scope },
    }
}

fn of_namespace(event: Event<PartialObjectMeta<Namespace>>) -> Option<Seen> {
    match event {
        Event::Init => Some(Seen::NamespacesBegin),
        Event::InitApply(namespace) | Event::Apply(namespace) => Some(Seen::NamespaceMarked(namespace.name_any())),
        Event::Delete(namespace) => Some(Seen::NamespaceUnmarked(namespace.name_any())),
        Event::InitDone => None,
    }
}

fn failed(place: &str, error: &WatchError) -> Error {
    match error {
        WatchError::InitialListFailed(error) => Error::of("list", place, error),
        WatchError::WatchStartFailed(error) | WatchError::WatchFailed(error) => Error::of("watch", place, error),
        WatchError::WatchError(status) => Error::of("watch", place, &kube::Error::Api(status.clone())),
        WatchError::NoResourceVersion => {
            let line = format!("cannot watch {place}: the API server's answer has no resourceVersion");
            Error { kind: Kind::Other, line }
        }
    }
}
