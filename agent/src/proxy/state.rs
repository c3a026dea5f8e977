//! The state of the proxy, as it was last seen.

/// The state of the proxy, as it was last seen. `P` is a handle of a process.
#[derive(Debug)]
pub enum State<P> {
    /// Nothing of it was seen yet. It may still start.
    NotYet,
    /// It runs.
    Running(Known<P>),
    /// It ran, and has ended.
    Gone,
    /// It is ztunnel, on the node: there is nothing to end and no process to ask.
    Ztunnel,
}

/// How the end of a running proxy will be seen.
#[derive(Debug)]
pub enum Known<P> {
    /// By its listeners: its process was not looked for, or cannot be told from others.
    Listeners,
    /// By the process of pilot-agent: there is no Envoy yet.
    PilotAgent(P),
    /// By the process of Envoy.
    Envoy(P),
}

// === impl State ===

impl<P> State<P> {
    /// The process whose end is the end of the proxy, if the agent has a handle of it.
    pub const fn process(&self) -> Option<&P> {
        match self {
            Self::Running(Known::PilotAgent(process) | Known::Envoy(process)) => Some(process),
            Self::NotYet | Self::Running(Known::Listeners) | Self::Gone | Self::Ztunnel => None,
        }
    }

    /// Envoy's process, if the agent has a handle of it.
    pub const fn envoy(&self) -> Option<&P> {
        match self {
            Self::Running(Known::Envoy(process)) => Some(process),
            Self::NotYet | Self::Running(Known::Listeners | Known::PilotAgent(_)) | Self::Gone | Self::Ztunnel => None,
        }
    }
}
