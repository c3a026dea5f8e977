//! HTTP to a port of one pod, by a port-forward of the API server.
//!
//! A port-forward goes by the name of a pod. So the pod is read again when the stream is open, before a byte is sent: if it is still the
//! same one then, the stream leads to it, because a stream never moves to another pod.

use core::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use super::connect::Cluster;
use super::error::{Error, Kind};

/// How long the way to the pod may take: API server, kubelet and container runtime are on it.
const OPEN: Duration = Duration::from_secs(10);

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub uid: String,
}

/// A request without a body.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The port in the pod.
    pub port: u16,
    /// The method.
    pub method: &'a str,
    /// The path with the query.
    pub path: &'a str,
    /// How long the pod has for the whole answer.
    pub timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub longest: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The API server does not do it.
    Cluster(Error),
    /// The pod has gone, or another one has its name.
    Gone,
    /// The pod may not be asked any more, and why.
    Changed(String),
    /// No process of the pod accepts a connection at that port.
    NotSent(String),
    /// The answer did not come, or not as a whole.
    NoAnswer(String),
}

// === impl Target ===

impl Target {
    /// The pod that this is.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let meta = &pod.metadata;
        Self { namespace: text(&meta.namespace), pod: text(&meta.name), uid: text(&meta.uid) }
    }
}

// === impl Problem ===

impl Problem {
    /// One line for a person.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Cluster(error) => error.line.clone(),
            Self::Gone => "it has gone, or another pod has its name now".to_owned(),
            Self::Changed(why) | Self::NotSent(why) | Self::NoAnswer(why) => why.clone(),
        }
    }
}

// === impl Cluster ===

impl Cluster {
    /// Asks a port of the pod, and gives each piece of the answer to `keep`. The result is the status code. `may` looks at the pod when the
    /// stream is open: only if it agrees a byte is sent.
    pub async fn ask_pod(
        &self,
        target: &Target,
        ask: &Ask<'_>,
        may: impl FnOnce(&Pod) -> Result<(), String>,
        keep: impl FnMut(&[u8]),
    ) -> Result<u16, Problem> {
        let Target { namespace, pod: name, uid } = target;
        let resource = format!("pods/portforward of {name} in namespace {namespace}");
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        let late = || Problem::NoAnswer(format!("the port-forward to {name} was not open within {} s", OPEN.as_secs()));
        let opened = timeout(OPEN, api.portforward(name, &[ask.port])).await.map_err(|_| late())?;
        let mut forward = opened.map_err(|error| Problem::from(Error::of("get", &resource, &error)))?;
        let (Some(stream), Some(broken)) = (forward.take_stream(ask.port), forward.take_error(ask.port)) else {
            return Err(Problem::NotSent(format!("the port-forward has no port {}", ask.port)));
        };
        let again = timeout(OPEN, self.same_pod(namespace, name, uid)).await.map_err(|_| late())?;
        let pod = again.map_err(Problem::Cluster)?.ok_or(Problem::Gone)?;
        may(&pod).map_err(Problem::Changed)?;
        let broken = async {
            match broken.await {
                // Kubelet tells here, too, when a stream breaks that was open.
                Some(why) if why.contains("connect:") || why.contains("failed to connect") => Problem::NotSent(why),
                Some(why) => Problem::NoAnswer(why),
                // The forward has ended. What it has brought is still read.
                None => core::future::pending().await,
            }
        };
        let answer = timeout(ask.timeout, exchange(stream, ask, keep));
        let result = tokio::select! {
            biased;
            answer = answer => match answer {
                Ok(answer) => answer.map_err(Problem::NoAnswer),
                Err(_) => Err(Problem::NoAnswer(format!("no whole answer within {} ms", ask.timeout.as_millis()))),
            },
            problem = broken => Err(problem),
        };
        forward.abort();
        result
    }
}

/// One request and its answer.
async fn exchange(stream: DuplexStream, ask: &Ask<'_>, mut keep: impl FnMut(&[u8])) -> Result<u16, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::builder().method(ask.method).uri(ask.path).header("host", "localhost").header("connection", "close");
    let request = request.body(String::new()).map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| error.to_string())?;
            let Some(piece) = frame.data_ref() else { continue };
            read += piece.len();
            if read > ask.longest {
                return Err(format!("the answer has more than {} bytes", ask.longest));
            }
            keep(piece);
        }
        Ok(status)
    };
    let mut connection = core::pin::pin!(connection);
    let mut answer = core::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection has ended. What it has brought can still be read.
        _ = &mut connection => answer.await,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.kind == Kind::NotFound { Self::Gone } else { Self::Cluster(error) }
    }
}
