//! The pod that is meant, and why it was not ended.

use k8s_openapi::api::core::v1::Pod;

/// A pod that was seen, and shall be ended. A name alone is not enough: another pod can get it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The namespace of the pod.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub uid: String,
}

/// Why a rescue has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The pod has gone, or needs no rescue any more, or somebody else was first.
    Settled(String),
    /// The API server does not do it: a right is missing, an admission controller refuses, the pod changes all the time.
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

// === impl Target ===

impl Target {
    /// The pod that was seen.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let meta = &pod.metadata;
        Self { namespace: text(&meta.namespace), pod: text(&meta.name), uid: text(&meta.uid) }
    }
}

// === impl Hindrance ===

impl Hindrance {
    /// The reason as one line.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::Settled(why) | Self::Refused(why) => why,
        }
    }
}
