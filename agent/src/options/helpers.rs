//! The helpers: regular containers beside the task that keep the pod. Some end when they are asked to, some end by themselves a little later.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use super::main_containers::known_helpers;

/// The methods of a request that ends a helper.
const METHODS: [&str; 3] = ["POST", "GET", "PUT"];
/// The signals that end a helper, with their numbers on every architecture of Linux.
const SIGNALS: [(&str, u8); 7] = [("HUP", 1), ("INT", 2), ("QUIT", 3), ("KILL", 9), ("USR1", 10), ("USR2", 12), ("TERM", 15)];

/// A request that ends a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The helper's container, if it was given: its end tells that the request has worked. Else the end of the listener does.
    pub container: Option<String>,
    /// The method, one of [`METHODS`].
    pub method: &'static str,
    /// Where it listens, on loopback.
    pub at: SocketAddr,
    /// The path with its query.
    pub path: String,
}

/// A signal that ends a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuitSignal {
    /// The helper's container. Its first process gets the signal.
    pub container: String,
    /// The name of the signal, without SIG.
    pub name: &'static str,
    /// Its number.
    pub number: u8,
}

/// What was given about helpers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helpers {
    /// The requests, in the order of their sending.
    pub endpoints: Vec<Endpoint>,
    /// The signals, which are sent after the requests.
    pub signals: Vec<QuitSignal>,
    /// The helpers that end by themselves, and that need the proxy until then.
    pub also_wait: Vec<String>,
    /// The longest wait for all of them, from the end of the task on. Zero: not at all.
    pub timeout: Duration,
}

// === impl Helpers ===

impl Helpers {
    /// Whether the container `name` was given as a helper, so that its end is not the end of the task.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.named().any(|given| given == name)
    }

    /// Whether the user wants a helper to be ended. For that the agent must see the processes of the pod: kubelet tells the end of the task only
    /// after that of all regular containers.
    #[must_use]
    pub fn are_to_end(&self) -> bool {
        !self.endpoints.is_empty() || !self.signals.is_empty()
    }

    fn named(&self) -> impl Iterator<Item = &str> {
        let endpoints = self.endpoints.iter().filter_map(|endpoint| endpoint.container.as_deref());
        let signals = self.signals.iter().map(|signal| signal.container.as_str());
        endpoints.chain(signals).chain(self.also_wait.iter().map(String::as_str))
    }

    /// The requests to send: those that were given, and those of known helpers that were not given in any way.
    pub fn requests(&self) -> impl Iterator<Item = Endpoint> {
        let known = known_helpers().filter(|(name, _)| !self.has(name));
        let known = known.filter_map(|(name, rule)| endpoint(&format!("{name}={rule}"), |name| Some(name.to_owned())));
        self.endpoints.iter().cloned().chain(known)
    }
}

// === impl Endpoint ===

/// As it is given: `POST http://127.0.0.1:9091/quitquitquit`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} http://{}{}", self.method, self.at, self.path)
    }
}

/// What an option for [`endpoint`] takes, as a clause.
pub(super) const ENDPOINT: &str = "[NAME=][METHOD ]URL, with POST, GET or PUT, and an http URL on loopback, not of the proxy";

/// Reads `[NAME=][METHOD ]http://HOST[:PORT][/PATH]`. `name` reads the name of a container. Another machine is never asked: HOST is `localhost` or
/// an address of loopback.
pub(super) fn endpoint(text: &str, name: impl Fn(&str) -> Option<String>) -> Option<Endpoint> {
    let front = text.split_once("://").map_or(text, |(front, _)| front);
    let (container, rest) = match front.find('=') {
        Some(place) => (Some(name(text.get(..place)?.trim())?), text.get(place + 1..)?),
        None => (None, text),
    };
    let (method, url) = rest.trim().split_once(' ').unwrap_or((METHODS[0], rest.trim()));
    let method = METHODS.into_iter().find(|known| *known == method)?;
    let address = url.trim().strip_prefix("http://")?;
    let (host, path) = address.split_at(address.find(['/', '?']).unwrap_or(address.len()));
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let at = socket(host).filter(|at| at.ip().is_loopback() && at.port() > 0 && printable)?;
    Some(Endpoint { container, method, at, path })
}

/// An address of `HOST[:PORT]`. Without a port it is 80.
fn socket(host: &str) -> Option<SocketAddr> {
    const PORT: u16 = 80;
    let named = |address: &str| if address == "localhost" { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { address.parse().ok() };
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(SocketAddr::new(named(address)?, PORT));
    }
    match host.split_once(':') {
        Some((address, port)) => Some(SocketAddr::new(named(address)?, port.parse().ok()?)),
        None => Some(SocketAddr::new(named(host)?, PORT)),
    }
}

/// What an option for [`signal`] takes, as a clause.
pub(super) const SIGNAL: &str = "NAME=SIGNAL, not of the proxy, with TERM, INT, QUIT, HUP, USR1, USR2 or KILL";

/// Reads `NAME=SIGNAL`, with or without SIG.
pub(super) fn signal(text: &str, name: impl Fn(&str) -> Option<String>) -> Option<QuitSignal> {
    let (container, signal) = text.split_once('=')?;
    let signal = signal.trim();
    let signal = signal.strip_prefix("SIG").unwrap_or(signal);
    let (name_of, number) = SIGNALS.into_iter().find(|(known, _)| *known == signal)?;
    Some(QuitSignal { container: name(container.trim())?, name: name_of, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Endpoint> {
        endpoint(text, |name| Some(name.to_owned()).filter(|name| !name.contains(' ')))
    }

    #[test]
    fn an_endpoint_has_a_container_and_a_method_or_not() {
        for (text, container, shown) in [
            ("http://127.0.0.1:9091/quitquitquit", None, "POST http://127.0.0.1:9091/quitquitquit"),
            ("proxy=GET http://localhost/a?b=c", Some("proxy"), "GET http://127.0.0.1:80/a?b=c"),
            ("proxy = PUT http://[::1]:8200", Some("proxy"), "PUT http://[::1]:8200/"),
            ("http://[::1]?q=1", None, "POST http://[::1]:80/?q=1"),
            ("http://127.9.9.9/x=y", None, "POST http://127.9.9.9:80/x=y"),
        ] {
            let endpoint = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((endpoint.container.as_deref(), endpoint.to_string().as_str()), (container, shown), "{text}");
        }
    }

    #[test]
    fn no_other_machine_is_asked_and_no_request_can_be_smuggled_in() {
        for text in [
            "http://10.0.0.1/quit",
            "http://example.com/quit",
            "http://169.254.169.254/",
            "https://127.0.0.1/quit",
            "DELETE http://127.0.0.1/quit",
            "http://127.0.0.1:0/quit",
            "http://127.0.0.1:70000/quit",
            "http://127.0.0.1/quit\r\nhost: other",
            "http://127.0.0.1/a b",
            "two words=http://127.0.0.1/quit",
            "127.0.0.1:9091/quit",
            "http://user@127.0.0.1/quit",
            "",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_signal_has_a_container_and_a_known_name() {
        let read = |text: &str| signal(text, |name| Some(name.to_owned()).filter(|name| !name.is_empty()));
        for (text, number) in [("a=TERM", 15), ("a=SIGINT", 2), ("a = KILL", 9)] {
            assert_eq!(read(text).map(|signal| (signal.container, signal.number)), Some(("a".to_owned(), number)), "{text}");
        }
        for text in ["TERM", "=TERM", "a=STOP", "a=15", "a=term"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_rule_of_a_known_helper_can_be_used_and_one_that_is_given_replaces_it() {
        let none = Helpers { endpoints: Vec::new(), signals: Vec::new(), also_wait: Vec::new(), timeout: Duration::ZERO };
        let rules = known_helpers().count();
        assert!(rules > 0);
        assert_eq!(none.requests().count(), rules);
        let own = Helpers { endpoints: read("vault-agent=http://127.0.0.1:1/").into_iter().collect(), ..none.clone() };
        let of_vault: Vec<_> = own.requests().filter(|it| it.container.as_deref() == Some("vault-agent")).collect();
        assert_eq!((of_vault.as_slice(), own.requests().count()), (own.endpoints.as_slice(), rules));
        let waits = Helpers { also_wait: vec!["vault-agent".to_owned()], ..none };
        assert_eq!(waits.requests().count(), rules - 1, "it ends by itself");
    }
}
