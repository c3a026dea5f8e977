//! The filter's plugin configuration: `spec.pluginConfig` of the WasmPlugin.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::fields::{Fields, Mistake, document};
use crate::limits::Limits;

/// The port of the signal listener.
pub const SIGNAL_PORT: u16 = 15190;
/// The addresses of the signal listener: loopback for `ISTIO_META_HTTP_PROXY_PORT`, and an address of TEST-NET-1 (RFC 5737, never routed)
/// for the ServiceEntry.
pub const SIGNAL_ADDRESSES: [IpAddr; 3] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 190))];

/// The static cluster of Istio's sidecars that leads to Envoy's admin interface.
pub const ADMIN_CLUSTER: &str = "prometheus_stats";
/// The static cluster of Istio's sidecars that leads to pilot-agent's status server.
pub const AGENT_CLUSTER: &str = "agent";

/// A valid plugin configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    signal: Vec<SocketAddr>,
    limits: Limits,
    admin_cluster: String,
    agent_cluster: String,
    ignore_clusters: Vec<String>,
}

// === impl Config ===

impl Config {
    /// Reads the configuration; an empty one means all defaults.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<Mistake>> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let document = document(text)?;
        if document.get() == "null" {
            return Ok(Self::default());
        }
        let defaults = Limits::default();
        let mut fields = Fields::of(document);
        let signal = fields.object("signal", read_signal);
        let limits = Limits {
            drain_timeout: fields.duration("drainTimeout", Limits::TIMEOUTS).unwrap_or(defaults.drain_timeout),
            stall_timeout: fields.duration("stallTimeout", Limits::TIMEOUTS).unwrap_or(defaults.stall_timeout),
            settle: fields.duration("settle", Limits::SETTLES).unwrap_or(defaults.settle),
            max_clusters: fields.number("maxClusters", 0..=u64::MAX).unwrap_or(defaults.max_clusters),
            may_quit: fields.choice("quit", &[("auto", true), ("never", false)]).unwrap_or(defaults.may_quit),
        };
        let config = Self {
            signal: signal.unwrap_or_else(|| endpoints(SIGNAL_PORT, &SIGNAL_ADDRESSES)),
            limits,
            admin_cluster: cluster(&mut fields, "adminCluster", ADMIN_CLUSTER),
            agent_cluster: cluster(&mut fields, "agentCluster", AGENT_CLUSTER),
            ignore_clusters: fields.strings("ignoreClusters").unwrap_or_default(),
        };
        fields.finish(config)
    }

    /// Whether `address` is an address of the signal listener.
    #[must_use]
    pub fn is_signal(&self, address: SocketAddr) -> bool {
        self.signal.contains(&address)
    }

    /// The limits of a drain.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The cluster that leads to Envoy's admin interface.
    #[must_use]
    pub fn admin_cluster(&self) -> &str {
        &self.admin_cluster
    }

    /// The cluster that leads to pilot-agent's status server.
    #[must_use]
    pub fn agent_cluster(&self) -> &str {
        &self.agent_cluster
    }

    /// The clusters whose requests in flight do not count.
    #[must_use]
    pub fn ignore_clusters(&self) -> &[String] {
        &self.ignore_clusters
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            signal: endpoints(SIGNAL_PORT, &SIGNAL_ADDRESSES),
            limits: Limits::default(),
            admin_cluster: ADMIN_CLUSTER.to_owned(),
            agent_cluster: AGENT_CLUSTER.to_owned(),
            ignore_clusters: Vec::new(),
        }
    }
}

fn read_signal(fields: &mut Fields<'_>) -> Vec<SocketAddr> {
    let port = fields.number("port", 1..=u64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok());
    let addresses = match fields.strings("addresses") {
        None => SIGNAL_ADDRESSES.to_vec(),
        Some(texts) if texts.is_empty() => {
            fields.refuse("addresses", "[] is not allowed: must name at least one IP address");
            Vec::new()
        }
        Some(texts) => texts.iter().filter_map(|text| address(fields, text)).collect(),
    };
    endpoints(port.unwrap_or(SIGNAL_PORT), &addresses)
}

fn address(fields: &mut Fields<'_>, text: &str) -> Option<IpAddr> {
    let parsed = text.parse().ok();
    if parsed.is_none() {
        fields.refuse("addresses", &format!("\"{text}\" is not allowed: must be an IP address, such as \"127.0.0.1\""));
    }
    parsed
}

fn cluster(fields: &mut Fields<'_>, name: &'static str, default: &str) -> String {
    let text = fields.string(name);
    if text.as_deref() == Some("") {
        fields.refuse(name, "\"\" is not allowed: must be the name of a cluster");
    }
    text.unwrap_or_else(|| default.to_owned())
}

fn endpoints(port: u16, addresses: &[IpAddr]) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(text.as_bytes()).map_or_else(|mistakes| mistakes.iter().map(ToString::to_string).collect(), |_| Vec::new())
    }

    #[test]
    fn nothing_configured_means_the_defaults() {
        for text in ["", " ", "{}", "null", r#"{"signal": {}}"#] {
            assert_eq!(Config::parse(text.as_bytes()), Ok(Config::default()), "{text:?}");
        }
    }

    #[test]
    fn every_field_is_read() {
        let text = r#"{"signal": {"port": 9999, "addresses": ["127.0.0.2", "::1"]}, "drainTimeout": "1m30s", "stallTimeout": "5s",
            "settle": "10ms", "adminCluster": "a", "agentCluster": "b", "ignoreClusters": ["c", "d"], "quit": "never",
            "maxClusters": 7}"#;
        let config = Config::parse(text.as_bytes()).expect("no mistakes");
        assert!(config.is_signal("127.0.0.2:9999".parse().unwrap()) && config.is_signal("[::1]:9999".parse().unwrap()));
        assert!(!config.is_signal("127.0.0.1:9999".parse().unwrap()) && !config.is_signal("127.0.0.2:15190".parse().unwrap()));
        let limits = Limits {
            drain_timeout: Duration::from_secs(90),
            stall_timeout: Duration::from_secs(5),
            settle: Duration::from_millis(10),
            max_clusters: 7,
            may_quit: false,
        };
        assert_eq!(config.limits(), &limits);
        assert_eq!((config.admin_cluster(), config.agent_cluster()), ("a", "b"));
        assert_eq!(config.ignore_clusters(), ["c", "d"]);
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let text = r#"{"signal": {"port": 70000, "addresses": ["localhost"], "prot": 1}, "drainTimeout": 25, "stallTimeout": "15",
            "settle": "1h", "quit": "yes", "ignoreClusters": "x", "adminCluster": "", "drainTimout": "1s"}"#;
        assert_eq!(
            mistakes(text),
            [
                "signal.port: 70000 is not allowed: must be a whole number from 1 to 65535",
                "signal.addresses: \"localhost\" is not allowed: must be an IP address, such as \"127.0.0.1\"",
                "signal.prot: is not a known field: must be one of port, addresses",
                "drainTimeout: 25 is not allowed: must be a duration with a unit, from \"1ms\" to \"24h\"",
                "stallTimeout: \"15\" is not allowed: must be a duration with a unit, from \"1ms\" to \"24h\"",
                "settle: \"1h\" is not allowed: must be a duration with a unit, from \"1ms\" to \"10s\"",
                "quit: \"yes\" is not allowed: must be one of \"auto\", \"never\"",
                "adminCluster: \"\" is not allowed: must be the name of a cluster",
                "ignoreClusters: \"x\" is not allowed: must be a list of strings",
                "drainTimout: is not a known field: must be one of signal, drainTimeout, stallTimeout, settle, maxClusters, quit, \
                 adminCluster, agentCluster, ignoreClusters",
            ]
        );
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        assert_eq!(mistakes("[]"), ["[] is not allowed: must be a JSON object"]);
        assert!(mistakes("{").first().is_some_and(|mistake| mistake.starts_with("not JSON: ")));
    }
}
