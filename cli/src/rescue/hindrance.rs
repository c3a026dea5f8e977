//! Why a rescue has not begun, or has not ended.

/// Why a rescue has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The pod has gone, or needs no rescue any more, or somebody else was first.
    Settled(String),
    /// This API server, or this account, can add no container to a pod. A person then has another way.
    Barred(String),
    /// The API server does not do it now: an admission controller refuses, or the pod changes all the time.
    Refused(String),
}

/// Why an agent has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Kubelet cannot have its image.
    NoImage,
    /// The time is up.
    Time,
}

// === impl Hindrance ===

impl Hindrance {
    /// The reason as one line.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::Settled(why) | Self::Barred(why) | Self::Refused(why) => why,
        }
    }
}
