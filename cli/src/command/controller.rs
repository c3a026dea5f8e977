//! `controller`: watches for good, tells what it sees as metrics, and ends what is stuck if it is told to.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;

use super::Common;
use crate::cluster::LeaseName;
use crate::controller::{ReapOptions, Reaper, Service, run};
use crate::observe::{Limits, Observer};
use crate::output::{Exit, Failure, Format};

/// The name of the Lease.
const LEASE: &str = "exeunt-controller";

/// Watch pods for good: their ends as metrics, and stuck ones ended
///
/// Runs in the cluster, as a Deployment. Of several replicas one works: the holder of the Lease. It counts each pod that ends, and writes an
/// Event on a pod that has lost bytes. It ends stuck pods as `reap` does, by the same options: until you say --dry-run=false it only names
/// them. On SIGTERM it gives the Lease back; what is under way goes on without it.
#[derive(Debug, Args)]
pub(super) struct Controller {
    #[command(flatten)]
    options: ReapOptions,
    /// Where /metrics, /healthz and /readyz are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    metrics_address: SocketAddr,
    /// How many namespaces the metrics name; the rest are "other"
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    max_namespaces: usize,
    /// Namespace of the Lease; else the variable `POD_NAMESPACE`, else that of the context
    #[arg(long, value_name = "NAME")]
    lease_namespace: Option<String>,
}

// === impl Controller ===

impl Controller {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        if common.output != Format::Table {
            return Err(Failure::usage("-o: the controller has no result that ends: read its metrics"));
        }
        let settings = self.options.settings(&common.scope)?;
        let cluster = common.cluster().await?;
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let namespace = self.lease_namespace.or_else(|| variable("POD_NAMESPACE"));
        let service = Service {
            address: self.metrics_address,
            lease: LeaseName { namespace: namespace.unwrap_or_else(|| cluster.namespace().to_owned()), name: LEASE.to_owned() },
            name: variable("POD_NAME").or_else(|| variable("HOSTNAME")).unwrap_or_else(|| "exeunt".to_owned()),
        };
        let observer = Arc::new(Observer::new(Limits { namespaces: self.max_namespaces, ..Limits::default() }));
        run(&Reaper { cluster, settings }, observer, service).await?;
        Ok(Exit::Fine)
    }
}
