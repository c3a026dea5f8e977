//! When kubelet starts a container again, as far as the agent was told: the restart policy of the pod, and the policy and the rules that
//! a container has of its own (KEP-5307, KEP-5532).

use core::time::Duration;

use pod::pidfd::Exit;
use serde::Deserialize;

/// A process that a signal has ended has this exit code, plus the number of the signal, for kubelet.
const SIGNALLED: u8 = 128;

/// A restart policy of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never.
    Never,
    /// When the container has failed.
    OnFailure,
    /// Whenever it has ended. Only a container can have it: a batch pod cannot.
    Always,
}

/// What the agent was told of all containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// The policy of the pod. `None`: the agent finds out.
    pub pod: Option<RestartPolicy>,
    /// The policies of single containers.
    pub policies: Vec<(String, RestartPolicy)>,
    /// The rules of single containers.
    pub rules: Vec<(String, Vec<Rule>)>,
    /// How much longer than its back-off kubelet may take for a restart.
    pub wait: Duration,
}

/// One entry of a container's `restartPolicyRules`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    action: Action,
    exit_codes: ExitCodes,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Action {
    Restart,
    RestartAllContainers,
}

/// For which exit codes a rule does it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct ExitCodes {
    operator: Operator,
    #[serde(default)]
    values: Vec<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Operator {
    In,
    NotIn,
}

/// What kubelet does after an end of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It restarts the container.
    Restart,
    /// It kills all containers of the pod and starts the pod from its beginning, in the same sandbox.
    RestartAll,
    /// It restarts nothing.
    Nothing,
    /// The agent was not told enough to know.
    Unknown,
}

// === impl RestartPolicy ===

impl RestartPolicy {
    /// Its name in Kubernetes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::OnFailure => "OnFailure",
            Self::Always => "Always",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Never, Self::OnFailure, Self::Always].into_iter().find(|policy| policy.name() == name)
    }
}

// === impl Restarts ===

impl Restarts {
    /// What kubelet does when the container `name` has ended by `exit`: the first of its rules that matches decides, then its own policy,
    /// then that of the pod (Kubernetes, `pkg/api/v1/pod/util.go`, `ContainerShouldRestart`).
    #[must_use]
    pub fn then(&self, name: &str, exit: Exit) -> Then {
        let rules = of(&self.rules, name).map_or(&[][..], Vec::as_slice);
        let policy = of(&self.policies, name).copied().or(self.pod);
        let Some(code) = code(exit) else {
            return match policy {
                Some(RestartPolicy::Never) if rules.is_empty() => Then::Nothing,
                Some(RestartPolicy::Always) if rules.is_empty() => Then::Restart,
                _ => Then::Unknown,
            };
        };
        if let Some(rule) = rules.iter().find(|rule| rule.exit_codes.matches(code)) {
            return match rule.action {
                Action::Restart => Then::Restart,
                Action::RestartAllContainers => Then::RestartAll,
            };
        }
        match (policy, code) {
            (Some(RestartPolicy::Always), _) | (Some(RestartPolicy::OnFailure), 1..) => Then::Restart,
            (Some(RestartPolicy::Never), _) | (Some(RestartPolicy::OnFailure) | None, 0) => Then::Nothing,
            (None, 1..) => Then::Unknown,
        }
    }

    /// Whether what follows an end of the container `name` depends on its exit code.
    #[must_use]
    pub fn depend_on_exit(&self, name: &str) -> bool {
        let policy = of(&self.policies, name).copied().or(self.pod);
        of(&self.rules, name).is_some_and(|rules| !rules.is_empty()) || matches!(policy, None | Some(RestartPolicy::OnFailure))
    }

    /// Whether kubelet may start the container `name` again after an end of which nothing is known.
    #[must_use]
    pub fn may_restart(&self, name: &str) -> bool {
        self.then(name, Exit::Unknown) != Then::Nothing
    }

    /// Whether kubelet may start a regular container again that has failed and of which the agent was told nothing, such as the proxy.
    #[must_use]
    pub const fn may_restart_others(&self) -> bool {
        !matches!(self.pod, Some(RestartPolicy::Never))
    }

    /// What was told, as a line of the plan.
    #[must_use]
    pub fn describe(&self) -> String {
        let pod = self.pod.map_or("not told: the agent finds out", RestartPolicy::name).to_owned();
        let policies = self.policies.iter().map(|(name, policy)| format!("{name}: {}", policy.name()));
        let rules = self.rules.iter().map(|(name, rules)| format!("{name}: {} rules", rules.len()));
        [pod].into_iter().chain(policies).chain(rules).collect::<Vec<_>>().join(", ")
    }
}

/// Reads a value of `--restart-policy`: a policy of the pod, `auto`, or `NAME=POLICY`.
pub(super) fn policy(text: &str, name_of: impl Fn(&str) -> Option<String>) -> Option<(Option<String>, Option<RestartPolicy>)> {
    match text.split_once('=') {
        Some((name, policy)) => Some((Some(name_of(name)?), Some(RestartPolicy::named(policy)?))),
        None if text == "auto" => Some((None, None)),
        None => RestartPolicy::named(text).filter(|policy| *policy != RestartPolicy::Always).map(|policy| (None, Some(policy))),
    }
}

/// Reads a value of `--restart-rules`: `NAME=JSON`.
pub(super) fn rules(text: &str, name_of: impl Fn(&str) -> Option<String>) -> Option<(String, Vec<Rule>)> {
    let (name, json) = text.split_once('=')?;
    Some((name_of(name)?, serde_json::from_str(json).ok()?))
}

/// The exit code that kubelet sees. `None` if the status is unknown.
fn code(exit: Exit) -> Option<u8> {
    match exit {
        Exit::Code(code) => Some(code),
        Exit::Signal(signal) => Some(SIGNALLED.saturating_add(signal)),
        Exit::Unknown => None,
    }
}

/// The last value for `name`.
fn of<'a, T>(values: &'a [(String, T)], name: &str) -> Option<&'a T> {
    values.iter().rev().find(|(of, _)| of == name).map(|(_, value)| value)
}

// === impl ExitCodes ===

impl ExitCodes {
    fn matches(&self, code: u8) -> bool {
        self.values.contains(&code.into()) == (self.operator == Operator::In)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;

    const RULES: &str = r#"--restart-rules main=[{"action":"Restart","exitCodes":{"operator":"In","values":[42]}},{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[88,137]}},{"action":"Restart","exitCodes":{"operator":"NotIn","values":[0,1,42,88,137]}}]"#;

    fn then(line: &str, exit: Exit) -> Then {
        options(&format!("watch {line}")).restarts.then("main", exit)
    }

    #[test]
    fn the_policy_of_the_pod_counts_if_the_container_has_none() {
        for (line, exit, expected) in [
            ("--restart-policy Never", Exit::Code(1), Then::Nothing),
            ("--restart-policy Never", Exit::Unknown, Then::Nothing),
            ("--restart-policy OnFailure", Exit::Code(0), Then::Nothing),
            ("--restart-policy OnFailure", Exit::Code(1), Then::Restart),
            ("--restart-policy OnFailure", Exit::Signal(9), Then::Restart),
            ("--restart-policy OnFailure", Exit::Unknown, Then::Unknown),
            ("--restart-policy OnFailure --restart-policy main=Never", Exit::Code(1), Then::Nothing),
            ("--restart-policy main=Never --restart-policy OnFailure", Exit::Code(1), Then::Nothing),
            ("--restart-policy Never --restart-policy other=OnFailure", Exit::Code(1), Then::Nothing),
            ("--restart-policy Never --restart-policy main=Always", Exit::Code(0), Then::Restart),
            ("--restart-policy Never --restart-policy main=Always", Exit::Unknown, Then::Restart),
        ] {
            assert_eq!(then(line, exit), expected, "{line}, {exit:?}");
        }
    }

    #[test]
    fn without_a_policy_only_success_is_the_end() {
        for line in ["", "--restart-policy auto", "--restart-policy Never --restart-policy auto"] {
            assert_eq!(then(line, Exit::Code(0)), Then::Nothing, "{line}");
            for exit in [Exit::Code(1), Exit::Signal(15), Exit::Unknown] {
                assert_eq!(then(line, exit), Then::Unknown, "{line}, {exit:?}");
            }
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides_before_the_policy() {
        let line = format!("--restart-policy OnFailure --restart-policy main=Never {RULES}");
        for (exit, expected) in [
            (Exit::Code(42), Then::Restart),
            (Exit::Code(88), Then::RestartAll),
            (Exit::Signal(9), Then::RestartAll),
            (Exit::Code(2), Then::Restart),
            (Exit::Code(1), Then::Nothing),
            (Exit::Code(0), Then::Nothing),
            (Exit::Unknown, Then::Unknown),
        ] {
            assert_eq!(then(&line, exit), expected, "{exit:?}");
        }
        assert_eq!(
            options(&format!("watch {line}")).restarts.then("other", Exit::Code(42)),
            Then::Restart,
            "by the pod's policy"
        );
    }

    #[test]
    fn the_exit_code_matters_unless_one_thing_follows_every_end() {
        let depend = |line: &str| options(&format!("watch {line}")).restarts.depend_on_exit("main");
        for line in ["", "--restart-policy OnFailure", "--restart-policy Never --restart-policy main=OnFailure", RULES] {
            assert!(depend(line), "{line}");
        }
        for line in ["--restart-policy Never", "--restart-policy OnFailure --restart-policy main=Always"] {
            assert!(!depend(line), "{line}");
        }
    }
}
