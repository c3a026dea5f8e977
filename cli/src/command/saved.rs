//! A pod in a file, with what is around it.

use std::path::Path;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};

use super::file;
use crate::output::Failure;
use crate::pod::Surroundings;

/// A pod with what is around it, in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) pod: Pod,
    #[serde(default)]
    pub(super) surroundings: Surroundings,
    /// When it was saved, so that times mean the same later.
    #[serde(default)]
    pub(super) at: Option<Timestamp>,
}

// === impl Saved ===

impl Saved {
    /// Reads what `kubectl get pod -o json` or `--save` has written.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |what: String| file::wrong(path, &what);
        let text = file::read(path)?;
        let value: serde_json::Value =
            serde_saphyr::from_str(&text).map_err(|error| wrong(format!("neither JSON nor YAML: {}", one_line(&error))))?;
        let read = if value.get("pod").is_some() {
            serde_json::from_value(value)
        } else if value.get("kind").and_then(serde_json::Value::as_str) == Some("Pod") {
            serde_json::from_value(value).map(|pod| Self { pod, surroundings: Surroundings::default(), at: None })
        } else {
            return Err(wrong("it is not a pod: save one with kubectl get pod POD -o json".to_owned()));
        };
        read.map_err(|error| wrong(format!("not a pod: {error}")))
    }

    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let wrong = |what: String| Failure::usage(format!("--save {}: {what}", file.display()));
        let text = serde_json::to_string_pretty(self).map_err(|error| wrong(error.to_string()))?;
        std::fs::write(file, text + "\n").map_err(|error| wrong(error.to_string()))
    }
}

fn one_line(error: &impl core::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
