//! The Lease: read it, and write it if nobody else has written it since.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;

use super::connect::Cluster;
use super::error::Error;

/// Which Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The version that was read. `None`: there is no such Lease yet.
    pub version: Option<String>,
    /// Who holds it; empty: nobody.
    pub holder: String,
    /// For how many seconds after its last change.
    pub seconds: i32,
    /// When it was taken.
    pub taken: Option<Timestamp>,
    /// When the holder has last said that it is alive.
    pub renewed: Option<Timestamp>,
    /// How often the holder has changed.
    pub changes: i32,
}

// === impl Cluster ===

impl Cluster {
    /// What the Lease says now.
    pub async fn read_lease(&self, lease: &LeaseName) -> Result<Held, Error> {
        let read = self.leases(lease).get_opt(&lease.name).await;
        Ok(read.map_err(|error| Error::of("get", &told(lease), &error))?.map(Held::of).unwrap_or_default())
    }

    /// Writes the Lease, and answers with what it says then. The version of `held` must be the one that was read: if somebody has written
    /// the Lease since, the API server refuses with a conflict.
    pub async fn write_lease(&self, lease: &LeaseName, held: Held) -> Result<Held, Error> {
        let (api, object) = (self.leases(lease), held.object(lease));
        let parameters = PostParams::default();
        let (verb, written) = if object.metadata.resource_version.is_some() {
            ("update", api.replace(&lease.name, &parameters, &object).await)
        } else {
            ("create", api.create(&parameters, &object).await)
        };
        written.map(Held::of).map_err(|error| Error::of(verb, &told(lease), &error))
    }

    fn leases(&self, lease: &LeaseName) -> Api<Lease> {
        Api::namespaced(self.client(), &lease.namespace)
    }
}

fn told(lease: &LeaseName) -> String {
    format!("lease {} in namespace {}", lease.name, lease.namespace)
}

// === impl Held ===

impl Held {
    fn of(lease: Lease) -> Self {
        let spec = lease.spec.unwrap_or_default();
        Self {
            version: lease.metadata.resource_version,
            holder: spec.holder_identity.unwrap_or_default(),
            seconds: spec.lease_duration_seconds.unwrap_or_default(),
            taken: spec.acquire_time.map(|time| time.0),
            renewed: spec.renew_time.map(|time| time.0),
            changes: spec.lease_transitions.unwrap_or_default(),
        }
    }

    fn object(self, lease: &LeaseName) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(lease.name.clone()),
                namespace: Some(lease.namespace.clone()),
                resource_version: self.version,
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.holder),
                lease_duration_seconds: Some(self.seconds),
                acquire_time: self.taken.map(MicroTime),
                renew_time: self.renewed.map(MicroTime),
                lease_transitions: Some(self.changes),
                ..LeaseSpec::default()
            }),
        }
    }
}
