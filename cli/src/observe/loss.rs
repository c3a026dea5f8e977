//! What a pod has lost, by its verdict.

use crate::output::safe;
use crate::pod::{Undelivered, Verdict};

/// The note of an Event is no longer, in bytes, less room for what its writer adds.
const LONGEST: usize = 900;

/// Data that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What was cut off. A verdict can say anything: it is as it was told.
    pub undelivered: Undelivered,
    /// The limit that has cut it off.
    pub limit: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
}

// === impl Loss ===

impl Loss {
    /// The loss that a verdict names. A connection without bytes may have delivered everything, and counts only if a limit has cut it off.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let undelivered = verdict.undelivered.unwrap_or(Undelivered { connections: 0, bytes: 0, at_least: false });
        let is_loss = undelivered.bytes > 0 || verdict.limit.is_some();
        is_loss.then(|| Self { undelivered, limit: verdict.limit.clone(), advice: verdict.advice.clone() })
    }

    /// One line for a person, safe to print, and short enough for an Event.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Undelivered { connections, bytes, at_least } = self.undelivered;
        let more = if at_least { "at least " } else { "" };
        let limit = self.limit.as_deref().map(|limit| format!(" ({limit})")).unwrap_or_default();
        let advice = self.advice.as_deref().map(|advice| format!("; {advice}")).unwrap_or_default();
        let all = safe(&format!("{more}{bytes} bytes on {connections} connections were not delivered{limit}{advice}"));
        let end = all.char_indices().map(|(place, sign)| place + sign.len_utf8()).take_while(|end| *end <= LONGEST).last();
        all.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
    }
}
