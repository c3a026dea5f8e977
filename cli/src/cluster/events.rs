//! Events on pods: what `kubectl describe pod` shows of what was done.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::connect::Cluster;
use super::error::Error;

/// Who says it, in the column `From`.
const REPORTER: &str = "exeunt";
/// The API server refuses a longer text.
const LONGEST: usize = 1000;

/// Whether a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It has worked.
    Normal,
    /// Something is wrong.
    Warning,
}

/// What is said of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The namespace of the pod.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid: with it the Event belongs to this pod, and not to a later one of that name.
    pub uid: String,
    /// Whether a person should look.
    pub weight: Weight,
    /// One word.
    pub reason: &'static str,
    /// The sentence.
    pub text: String,
}

// === impl Cluster ===

impl Cluster {
    /// Writes an Event. Each is a new object: the recorder that made it is not kept, so that it never changes an older one, and the right
    /// to create is enough.
    pub async fn tell(&self, note: &Note) -> Result<(), Error> {
        let pod = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(note.namespace.clone()),
            name: Some(note.pod.clone()),
            uid: Some(note.uid.clone()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: match note.weight {
                Weight::Normal => EventType::Normal,
                Weight::Warning => EventType::Warning,
            },
            reason: note.reason.to_owned(),
            note: Some(cut(&note.text)),
            action: "EndProxy".to_owned(),
            secondary: None,
        };
        let recorder = Recorder::new(self.client(), Reporter::from(REPORTER));
        let resource = format!("events.events.k8s.io in namespace {}", note.namespace);
        recorder.publish(&event, &pod).await.map_err(|error| Error::of("create", &resource, &error))
    }
}

/// As much of `text` as an Event may have, in bytes.
fn cut(text: &str) -> String {
    let mut cut = String::new();
    for sign in text.chars() {
        if cut.len() + sign.len_utf8() > LONGEST {
            return cut + "…";
        }
        cut.push(sign);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_longer_than_an_event_may_be() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"上".repeat(2000));
        assert!(long.len() <= 1024 && long.ends_with('…'), "{}", long.len());
    }
}
