//! What Envoy tells about its pod. The injector and pilot-agent put the pod's annotations and the names of its containers into Envoy's node
//! metadata (Istio, `pkg/bootstrap/config.go`, `ISTIO_META_APP_CONTAINERS` of the injection template), and every process of the pod can
//! ask for them. So nobody has to tell the agent the form of the proxy or the agent's own place in the pod.

use core::net::SocketAddr;
use core::time::Duration;

use pod::bounds::Input;
use pod::istio::Form;
use pod::ports;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::options::{KnownForm, Origin, Placement};
use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Request};

/// The response also names all extensions of Envoy: 100 KB.
const SERVER_INFO: &str = "/server_info";

/// What Envoy tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The value of the annotation `sidecar.istio.io/status`. Empty if the pod has none.
    status: String,
    /// The names of the pod's regular containers, without the proxy.
    regular: Vec<String>,
    /// Whether Envoy sends its metrics to a statsd server.
    has_statsd: bool,
}

/// The response, as far as it matters.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerInfo {
    node: Node,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    metadata: Fields,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", default)]
struct Fields {
    annotations: Annotations,
    app_containers: String,
    /// It is read apart: if it has another form, the rest counts all the same.
    proxy_config: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProxyConfig {
    statsd_udp_address: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "sidecar.istio.io/status")]
    status: String,
}

/// Asks Envoy, within `timeout`, at those of its addresses that `may_be_envoy` allows. `None` if it does not answer.
pub fn ask(
    world: &impl World,
    admin_port: u16,
    timeout: Duration,
    may_be_envoy: impl Fn(SocketAddr) -> bool,
) -> Option<Metadata> {
    ports::LOCALHOST.into_iter().map(|ip| SocketAddr::new(ip, admin_port)).filter(|at| may_be_envoy(*at)).find_map(|at| {
        let request = Request { method: "GET", path: SERVER_INFO, headers: &[], timeout };
        let mut body = Body::of(Input::ServerInfo);
        let head = call::exchange(world, at, &request, &mut |piece| body.take(piece)).ok()?;
        (head.status == 200).then(|| Metadata::parse(body.bytes()))
    })
}

// === impl Metadata ===

impl Metadata {
    /// Reads the response. A response of another kind tells nothing.
    #[must_use]
    pub fn parse(info: &[u8]) -> Self {
        let fields = serde_json::from_slice::<ServerInfo>(info).unwrap_or_default().node.metadata;
        let Fields { annotations, app_containers, proxy_config } = fields;
        let regular = app_containers.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ToOwned::to_owned);
        let proxy_config = proxy_config.and_then(|config| serde_json::from_str::<ProxyConfig>(config.get()).ok());
        let has_statsd = proxy_config.is_some_and(|config| !config.statsd_udp_address.is_empty());
        Self { status: annotations.status, regular: regular.collect(), has_statsd }
    }

    /// The form of the proxy.
    #[must_use]
    pub fn form(&self) -> KnownForm {
        KnownForm { form: Form::of_status(&self.status), by: Origin::Envoy }
    }

    /// How the container called `own` stands in the pod. `None` if Envoy does not know the containers.
    #[must_use]
    pub fn placement(&self, own: &str) -> Option<Placement> {
        let regular = || self.regular.iter().any(|name| name == own);
        (!self.regular.is_empty()).then(|| if regular() { Placement::Regular } else { Placement::Native })
    }

    /// The names of the pod's regular containers, without the proxy. Empty if Envoy does not know them.
    #[must_use]
    pub fn regular(&self) -> &[String] {
        &self.regular
    }

    /// Whether Envoy sends its metrics to a statsd server.
    #[must_use]
    pub const fn has_statsd(&self) -> bool {
        self.has_statsd
    }

    /// Whether the injector has added the init container `name`.
    #[must_use]
    pub fn has_init(&self, name: &str) -> bool {
        pod::istio::has_init(&self.status, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Istio 1.30.3 writes it, without the extensions.
    const NATIVE: &str = r#"{"version":"x","node":{"id":"sidecar~10.5.8.167","metadata":{"APP_CONTAINERS":"base,other","NAME":"meta",
        "PROXY_CONFIG":{"proxyAdminPort":15000,"concurrency":2},"POD_PORTS":"[\n]","ANNOTATIONS":{"prometheus.io/path":"/stats/prometheus",
        "sidecar.istio.io/status":"{\"initContainers\":[\"istio-init\",\"istio-proxy\"],\"containers\":null,\"revision\":\"default\"}"}}}}"#;

    #[test]
    fn the_form_and_the_placement_are_read() {
        let metadata = Metadata::parse(NATIVE.as_bytes());
        assert_eq!(metadata.form(), KnownForm { form: Form::Native, by: Origin::Envoy });
        assert_eq!(metadata.placement("exeunt"), Some(Placement::Native), "it is none of the regular containers");
        assert_eq!(metadata.placement("other"), Some(Placement::Regular));
        assert_eq!(metadata.regular(), ["base", "other"]);
        assert!(metadata.has_init("istio-init") && !metadata.has_init("istio-validation"));
        assert!(!metadata.has_statsd());
    }

    #[test]
    fn a_statsd_server_is_read() {
        let told = NATIVE.replace("\"concurrency\":2", "\"statsdUdpAddress\":\"10.0.0.1:9125\"");
        assert!(Metadata::parse(told.as_bytes()).has_statsd());
        let other = NATIVE.replace(r#"{"proxyAdminPort":15000,"concurrency":2}"#, r#""statsdUdpAddress: 10.0.0.1:9125""#);
        assert_ne!(other, NATIVE);
        assert_eq!(Metadata::parse(other.as_bytes()), Metadata::parse(NATIVE.as_bytes()), "the form is known all the same");
    }

    #[test]
    fn what_is_missing_tells_nothing() {
        let metadata = Metadata::parse(br#"{"node":{"metadata":{"ENVOY_STATUS_PORT":15021}}}"#);
        assert_eq!(metadata.form().form, Form::Unknown);
        assert_eq!((metadata.placement("exeunt"), metadata.regular().len()), (None, 0));
        for text in ["{}", "OK", "", r#"{"node":{"metadata":{"APP_CONTAINERS":["base"]}}}"#] {
            assert_eq!(Metadata::parse(text.as_bytes()), metadata, "{text}");
        }
    }
}
