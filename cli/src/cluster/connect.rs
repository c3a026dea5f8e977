//! The way to the cluster, by kubectl's own configuration.

use std::path::PathBuf;

use clap::Args;
use http::Response;
use jiff::Timestamp;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::util::MapResponseLayer;

use super::clock::Clock;
use super::error::{Error, Kind};

/// kubectl's usual flags for the way to the cluster.
#[derive(Clone, Debug, Default, Args)]
pub struct Connection {
    /// Kubeconfig file; else $KUBECONFIG, ~/.kube/config, or the account of the pod that this runs in
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
}

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    clock: Clock,
}

// === impl Cluster ===

impl Cluster {
    /// Reads the configuration. Nothing is asked yet.
    pub async fn connect(connection: &Connection) -> Result<Self, Error> {
        let refused = |line: String| Error { kind: Kind::Unreachable, line };
        let options = KubeConfigOptions { context: connection.context.clone(), ..KubeConfigOptions::default() };
        let config = if let Some(file) = &connection.kubeconfig {
            let kubeconfig =
                Kubeconfig::read_from(file).map_err(|error| refused(format!("--kubeconfig {}: {error}", file.display())))?;
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| refused(format!("--kubeconfig: {error}")))?
        } else if connection.context.is_some() {
            Config::from_kubeconfig(&options).await.map_err(|error| refused(format!("--context: {error}")))?
        } else {
            let none = "no cluster is configured: give --kubeconfig, set KUBECONFIG, or run this where kubectl works";
            Config::infer().await.map_err(|error| refused(format!("{none} ({error})")))?
        };
        let namespace = config.default_namespace.clone();
        let builder = ClientBuilder::try_from(config)
            .map_err(|error| refused(format!("the configuration of the cluster cannot be used: {error}")))?;
        let clock = Clock::default();
        let read = clock.clone();
        let client = builder.with_layer(&MapResponseLayer::new(move |answer| with_clock(&read, answer))).build();
        Ok(Self { client, namespace, clock })
    }

    /// The client, for requests that have no method here.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The time of the API server, as of its last answer. There is none before the first one, or if no answer has a `Date`.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    /// The namespace of the context, or that of the pod that this runs in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

fn with_clock<B>(clock: &Clock, answer: Response<B>) -> Response<B> {
    clock.read(answer.headers());
    answer
}
