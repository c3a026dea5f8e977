//! What can be wrong with a pod: rules as data. `rules.yaml` has the sentences, `evidence` one function for each rule.
//!
//! Interface: [`findings`] gives the rules that apply to a [`Case`], each with its evidence, in the order of `rules.yaml`; [`all`] gives the
//! rules. Everything here is pure.

mod evidence;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::pod::{Facts, Standing, Surroundings};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, which stays the same in later releases.
    pub id: String,
    /// What is wrong.
    pub sentence: String,
    /// What mends it.
    pub remedy: String,
    /// Where to read more.
    pub link: String,
    /// Whether the agent of such a pod cannot end its proxy, however long it runs.
    #[serde(default, skip_serializing)]
    pub stops_agent: bool,
}

/// A pod and what is around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The pod.
    pub facts: &'a Facts<'a>,
    /// What the cluster says besides.
    pub around: &'a Surroundings,
}

/// A rule that applies to a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    #[serde(flatten)]
    pub rule: &'static Rule,
    /// What of the pod shows it. It may hold text of others: print it with [`crate::output::safe`].
    pub evidence: String,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| serde_saphyr::from_str(include_str!("rules.yaml")).unwrap_or_default());

/// All rules.
#[must_use]
pub fn all() -> &'static [Rule] {
    &RULES
}

/// The rules that apply to a pod.
#[must_use]
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    let applies = |rule: &'static Rule| Some(Finding { rule, evidence: evidence::of(&rule.id, case)? });
    RULES.iter().filter_map(applies).collect()
}

// === impl Case ===

impl Case<'_> {
    /// What state the pod is in. `findings` are the rules that apply to it: an agent that runs is nothing to wait for where one of them stops it.
    #[must_use]
    pub fn standing(&self, findings: &[Finding], now: Timestamp) -> Standing {
        if findings.iter().any(|finding| finding.rule.stops_agent) {
            self.facts.standing_without_agent(now)
        } else {
            self.facts.standing(now)
        }
    }
}

// === impl Rule ===

impl Rule {
    /// The remedy for one pod.
    #[must_use]
    pub fn remedy_for(&self, facts: &Facts<'_>) -> String {
        self.remedy.replace("POD", facts.name).replace("NAMESPACE", facts.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_function_and_every_function_a_rule() {
        let ids = all().iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>();
        assert_eq!(ids, evidence::ALL.map(|(id, _)| id));
    }

    #[test]
    fn every_link_leads_to_a_place_in_the_documents() {
        for rule in all() {
            let (file, place) = rule.link.split_once('#').unwrap_or((&rule.link, ""));
            let text = std::fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let slug = |title: &str| {
                let kept = title
                    .to_lowercase()
                    .chars()
                    .filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign))
                    .collect::<String>();
                kept.replace(' ', "-")
            };
            let titles =
                text.lines().filter(|line| line.starts_with('#')).map(|line| slug(line.trim_start_matches('#').trim_start()));
            assert!(place.is_empty() || titles.into_iter().any(|title| title == place), "{}: {}", rule.id, rule.link);
        }
    }

    #[test]
    fn the_document_has_every_rule() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/kubectl.md")).unwrap();
        for rule in all() {
            assert!(text.contains(&format!("| `{}` | {} |", rule.id, rule.sentence)), "{}", rule.id);
        }
    }

    #[test]
    fn every_name_of_exeunt_is_known() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../facts.yaml")).unwrap();
        let facts: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let names = facts["names"].as_array().unwrap().iter().filter_map(serde_json::Value::as_str);
        let labels = [crate::pod::names::DRAIN_LABEL, crate::pod::names::REAP_LABEL];
        let annotations = names.filter(|name| !labels.contains(name)).collect::<Vec<_>>();
        assert_eq!(annotations, crate::pod::names::ANNOTATIONS);
    }

    #[test]
    fn every_sentence_ends_with_a_full_stop() {
        for rule in all() {
            assert!(rule.sentence.ends_with('.'), "{}", rule.id);
        }
    }
}
