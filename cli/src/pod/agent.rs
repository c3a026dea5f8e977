//! The agent of a pod: where it stands, and the options that it was given.

use core::time::Duration;
use std::collections::BTreeMap;

use drain::duration;
use k8s_openapi::api::core::v1::EnvVar;
use serde::Serialize;

use super::container::{Container, Kind};
use super::names;

/// How long it may drain, unless it is told otherwise (`--drain-timeout`).
const DRAIN_TIMEOUT: Duration = Duration::from_mins(5);
/// How long it may take to end the proxy after that.
const TO_END: Duration = Duration::from_secs(30);

/// Where the agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// A native sidecar.
    Native,
    /// A regular container.
    Regular,
    /// An init container without `restartPolicy: Always`: it keeps the pod from starting until it gives up.
    Stripped,
    /// Around the command of a main container: `exeunt-agent exec`.
    Exec,
    /// The pod has no agent.
    Absent,
}

/// The agent of a pod.
#[derive(Clone, Debug)]
pub struct Agent<'a> {
    /// Where it stands.
    pub placement: Placement,
    /// Its container, or the one whose command it wraps.
    pub container: Option<&'a str>,
    words: Vec<&'a str>,
    list: Vec<(&'a str, &'a str)>,
}

// === impl Placement ===

impl Placement {
    /// One word for a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Regular => "regular",
            Self::Stripped => "stripped",
            Self::Exec => "exec",
            Self::Absent => "none",
        }
    }

    /// A sentence for a person.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Native => "the agent is a native sidecar",
            Self::Regular => "the agent is a regular container",
            Self::Stripped => "the agent is an init container without restartPolicy: Always",
            Self::Exec => "the agent wraps the command of a main container",
            Self::Absent => "the pod has no agent",
        }
    }
}

// === impl Agent ===

impl<'a> Agent<'a> {
    pub(super) fn of(containers: &[Container<'a>], annotations: Option<&'a BTreeMap<String, String>>) -> Self {
        let own = containers.iter().find(|container| container.kind != Kind::Ephemeral && is_own(container));
        let around = || containers.iter().find(|container| container.kind == Kind::Regular && wraps(container));
        let Some(container) = own.or_else(around) else {
            return Self { placement: Placement::Absent, container: None, words: Vec::new(), list: Vec::new() };
        };
        let placement = match container.kind {
            Kind::Sidecar => Placement::Native,
            Kind::Init => Placement::Stripped,
            _ if own.is_some() => Placement::Regular,
            _ => Placement::Exec,
        };
        let variables = container.env.iter().filter_map(|variable| Some((variable.name.as_str(), value(variable, annotations)?)));
        // Behind the command of the task the words are the task's.
        let end = container.words.iter().position(|word| *word == "--").unwrap_or(container.words.len());
        let words = container.words.iter().take(end).copied().collect();
        Self { placement, container: Some(container.name), words, list: variables.collect() }
    }

    /// Whether the pod has one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.placement != Placement::Absent
    }

    /// Whether it waits in a container of its own for the end of the task. Its image does so without a word.
    #[must_use]
    pub fn watches(&self) -> bool {
        let is_program = |word: &&&str| word.rsplit('/').next() == Some(names::AGENT_PROGRAM);
        let first = self.words.iter().find(|word| !is_program(word));
        matches!(self.placement, Placement::Native | Placement::Regular)
            && first.is_none_or(|word| *word == "watch" || word.starts_with('-'))
    }

    /// How long after the end of the task it may still run, if all is well. A plugin with another `drainTimeout` is not known here.
    #[must_use]
    pub fn limit(&self) -> Duration {
        let told = self.option("drain-timeout").first().and_then(|text| duration::parse(text).ok());
        told.unwrap_or(DRAIN_TIMEOUT).saturating_add(TO_END)
    }

    /// The values that an option was given, by its flag or, without one, by its variable: `container` for `--container` and
    /// `EXEUNT_CONTAINER`.
    #[must_use]
    pub fn option(&self, name: &str) -> Vec<&'a str> {
        let flag = format!("--{name}");
        let mut values = Vec::new();
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            if *word == flag {
                values.extend(words.next().copied());
            } else if let Some(value) = word.strip_prefix(&flag).and_then(|rest| rest.strip_prefix('=')) {
                values.push(value);
            }
        }
        if values.is_empty() {
            let variable = format!("EXEUNT_{}", name.to_uppercase().replace('-', "_"));
            let value = self.list.iter().find(|(known, _)| *known == variable).map(|(_, value)| *value);
            values.extend(value.into_iter().flat_map(|value| value.split(',')).map(str::trim).filter(|value| !value.is_empty()));
        }
        values
    }
}

/// The value of a variable. It may be that of an annotation, by the downward API.
fn value<'a>(variable: &'a EnvVar, annotations: Option<&'a BTreeMap<String, String>>) -> Option<&'a str> {
    let of_annotation = || {
        let path = variable.value_from.as_ref()?.field_ref.as_ref()?.field_path.as_str();
        let name = path.strip_prefix("metadata.annotations['")?.strip_suffix("']")?;
        annotations?.get(name).map(String::as_str)
    };
    variable.value.as_deref().or_else(of_annotation)
}

/// By its name, or by its image under another name. A container that only copies the binary has a command of its own.
fn is_own(container: &Container<'_>) -> bool {
    let image = container.image.split('@').next().unwrap_or_default();
    let program = image.rsplit('/').next().and_then(|last| last.split(':').next());
    container.name == names::AGENT || (program == Some(names::AGENT_PROGRAM) && container.kind != Kind::Init && !wraps(container))
}

/// Whether its command is `…/exeunt-agent exec …`.
fn wraps(container: &Container<'_>) -> bool {
    container.words.first().and_then(|word| word.rsplit('/').next()) == Some(names::AGENT_PROGRAM)
        && container.words.get(1) == Some(&"exec")
}
