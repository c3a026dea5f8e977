//! Whether main containers that were never seen have been started. A rule without a clock and without a machine.
//!
//! Kubelet creates a container when its image is there, and the regular containers when all init containers have ended. So a creation to
//! which no container that was seen belongs is that of a main container, if it can be that of no other container. What is not known counts
//! as a creation of another container: the rule errs on the side of waiting.

use super::starts::Seen;
use crate::options::{Form, PROXY, Restarts};
use crate::os::world::Creations;

/// The init container that the injector puts behind all others, so every later creation is that of a regular container (Istio,
/// `pkg/kube/inject/webhook.go`, `reorderPod`).
pub(super) const LAST_INIT: &str = "istio-init";

/// What is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'f> {
    /// The main containers that were never seen.
    pub(super) missing: &'f [&'f str],
    /// The regular containers of the pod, without the proxy.
    pub(super) regular: &'f [String],
    /// The name of the agent's own container.
    pub(super) own: Option<&'f str>,
    /// The agent's own process.
    pub(super) own_pid: i32,
    /// Whether [`LAST_INIT`] is among the init containers.
    pub(super) has_last_init: bool,
    /// The form of istio-proxy.
    pub(super) form: Form,
    /// What kubelet restarts.
    pub(super) restarts: &'f Restarts,
    /// The containers that were created since the agent started.
    pub(super) creations: Creations,
    /// Whether the runtime has used ids for the newest of them.
    pub(super) are_started: bool,
    /// The containers that were seen.
    pub(super) seen: &'f [Seen],
    /// The last ids before starts that were not seen.
    pub(super) jumps: &'f [i32],
}

/// How sure it is that all that are missing have been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    /// Nothing shows it.
    Nothing,
    /// It is so unless an init container was not seen either, or the restart of the proxy.
    Likely,
    /// It is so if kubelet does not repeat a creation that the runtime has refused.
    Created,
    /// It is so: the runtime has started them.
    Started,
}

/// The creations behind a point from which on only regular containers start.
struct Behind {
    /// How many there are.
    created: u32,
    /// How many containers of them were seen.
    seen: usize,
    /// The process id at that point.
    pid: i32,
    /// Whether it is known that no init container follows.
    is_certain: bool,
}

/// Whether all that are `missing` have been seen, and none runs: they had ended before they could be watched.
pub(super) fn have_all_run(missing: &[&str], seen: &[Seen]) -> bool {
    let has_run = |name: &&str| {
        let mut instances = seen.iter().filter(|seen| seen.container.name == **name).peekable();
        instances.peek().is_some() && instances.all(|seen| !seen.runs)
    };
    !missing.is_empty() && missing.iter().all(has_run)
}

/// Weighs `facts`.
pub(super) fn weigh(facts: &Facts<'_>) -> Evidence {
    let behind = behind(facts);
    let others = facts.regular.iter().filter(|name| is_other(facts, name) && !is_seen(facts, name)).count();
    let proxy = usize::from(facts.form == Form::Classic && !is_seen(facts, PROXY));
    let init = usize::from(!behind.is_certain && facts.has_last_init && !is_seen(facts, LAST_INIT));
    // The agent has seen it, and it had ended before it could be watched.
    let missing: Vec<_> = facts.missing.iter().filter(|name| !is_seen(facts, name)).collect();
    let unseen = others + proxy + init + missing.len();
    let are_created = usize::try_from(behind.created).is_ok_and(|created| created >= behind.seen + unseen);
    let runs = facts.missing.iter().any(|name| facts.seen.iter().any(|seen| seen.runs && seen.container.name == *name));
    if facts.missing.is_empty() || runs || !are_created || can_be_anothers(facts) {
        return Evidence::Nothing;
    }
    let is_certain = behind.is_certain && !facts.seen.iter().any(|seen| may_have_restarted(facts, seen));
    if is_certain && facts.jumps.iter().filter(|before| **before >= behind.pid).count() >= unseen {
        return Evidence::Started;
    }
    if !facts.are_started {
        return Evidence::Nothing;
    }
    if is_certain { Evidence::Created } else { Evidence::Likely }
}

fn behind(facts: &Facts<'_>) -> Behind {
    let seen_after = |pid| facts.seen.iter().filter(|seen| seen.pid > pid).count();
    if facts.own.is_some_and(|own| facts.regular.iter().any(|name| name == own)) {
        // No init container starts after a regular one.
        let pid = facts.own_pid;
        return Behind { created: facts.creations.count, seen: seen_after(pid), pid, is_certain: true };
    }
    match facts.seen.iter().find(|seen| seen.container.name == LAST_INIT) {
        Some(init) => Behind {
            created: facts.creations.count.saturating_sub(init.created),
            seen: seen_after(init.pid),
            pid: init.pid,
            is_certain: true,
        },
        None => Behind { created: facts.creations.count, seen: seen_after(facts.own_pid), pid: facts.own_pid, is_certain: false },
    }
}

/// Whether `name` is neither a main container that is missing nor the agent.
fn is_other(facts: &Facts<'_>, name: &str) -> bool {
    Some(name) != facts.own && !facts.missing.contains(&name)
}

fn is_seen(facts: &Facts<'_>, name: &str) -> bool {
    facts.seen.iter().any(|seen| seen.container.name == name)
}

/// Whether a creation that nobody saw can be that of another regular container, which kubelet has restarted: such a one can have any number of
/// creations.
fn can_be_anothers(facts: &Facts<'_>) -> bool {
    let may_restart = |name: &str| facts.restarts.may_restart(name);
    // Its process can be hidden.
    let is_proxys = facts.form == Form::Classic && !is_seen(facts, PROXY) && facts.restarts.may_restart_others();
    let is_of_others = facts.regular.iter().any(|name| is_other(facts, name) && may_restart(name));
    let is_of_missing = facts.missing.len() > 1 && facts.missing.iter().any(|name| may_restart(name));
    is_proxys
        || is_of_others
        || is_of_missing
        || facts.seen.iter().any(|seen| seen.container.name != PROXY && is_twice(facts, seen))
}

/// Whether kubelet has restarted a container that was seen.
fn is_twice(facts: &Facts<'_>, seen: &Seen) -> bool {
    facts.seen.iter().filter(|other| other.container.name == seen.container.name).count() > 1
}

/// Whether kubelet may have restarted the proxy more often than was seen. It runs on, so each instance is seen, most likely.
fn may_have_restarted(facts: &Facts<'_>, seen: &Seen) -> bool {
    let may_end = facts.restarts.may_restart_others() && !seen.runs;
    seen.container.name == PROXY && (is_twice(facts, seen) || may_end)
}

#[cfg(test)]
mod tests {
    use core::slice;

    use pod::container::Container;

    use super::*;
    use crate::testing::options;

    /// A pod with the containers exeunt (process 7), main and istio-proxy, in which nothing but the agent has been seen.
    struct Pod {
        regular: Vec<String>,
        own: &'static str,
        missing: Vec<&'static str>,
        created: u32,
        are_started: bool,
        seen: Vec<Seen>,
        jumps: Vec<i32>,
        form: Form,
        policy: &'static str,
    }

    fn seen(name: &str, pid: i32, created: u32) -> Seen {
        let container = Container { name: name.to_owned(), instance: format!("{pid:08}") };
        Seen { container, pid, created, runs: true }
    }

    impl Pod {
        /// With a native agent. It has seen the init container of the injector, and then the proxy, process 50.
        fn native(created: u32) -> Self {
            let mut pod = Self {
                regular: vec!["main".to_owned()],
                own: "exeunt",
                missing: vec!["main"],
                created,
                are_started: true,
                seen: vec![seen("istio-init", 12, 1), seen("istio-proxy", 50, created)],
                jumps: Vec::new(),
                form: Form::Classic,
                policy: "OnFailure",
            };
            pod.seen[0].runs = false;
            pod
        }

        /// With an agent that is the first regular container.
        fn regular(created: u32) -> Self {
            let mut pod = Self::native(created);
            pod.regular.push("exeunt".to_owned());
            pod.seen.remove(0);
            pod
        }

        fn weigh(&self) -> Evidence {
            weigh(&Facts {
                missing: &self.missing,
                regular: &self.regular,
                own: Some(self.own),
                own_pid: 7,
                has_last_init: true,
                form: self.form,
                restarts: &options(&format!("watch --restart-policy {}", self.policy)).restarts,
                creations: Creations { count: self.created, is_exact: true },
                are_started: self.are_started,
                seen: &self.seen,
                jumps: &self.jumps,
            })
        }
    }

    #[test]
    fn a_container_whose_image_is_missing_has_not_been_started() {
        assert_eq!(Pod::native(2).weigh(), Evidence::Nothing, "istio-init and the proxy were created");
        assert_eq!(Pod::regular(1).weigh(), Evidence::Nothing, "the proxy was created");
        assert_eq!(Pod { jumps: vec![44], ..Pod::native(2) }.weigh(), Evidence::Nothing, "ids alone are no evidence");
    }

    #[test]
    fn a_creation_that_belongs_to_nothing_else_is_that_of_the_main_container() {
        assert_eq!(Pod::native(3).weigh(), Evidence::Created);
        assert_eq!(Pod::regular(2).weigh(), Evidence::Created);
    }

    #[test]
    fn ids_that_were_used_while_no_other_container_ran_show_the_start() {
        assert_eq!(Pod { jumps: vec![44], ..Pod::native(3) }.weigh(), Evidence::Started);
        assert_eq!(Pod { jumps: vec![8], ..Pod::regular(2) }.weigh(), Evidence::Started);
        assert_eq!(Pod { jumps: vec![8], ..Pod::native(3) }.weigh(), Evidence::Created, "that was before istio-init");
    }

    #[test]
    fn a_container_that_the_runtime_is_still_starting_has_not_ended() {
        assert_eq!(Pod { are_started: false, ..Pod::native(3) }.weigh(), Evidence::Nothing);
    }

    #[test]
    fn an_init_container_that_was_not_seen_may_have_been_created() {
        let mut pod = Pod::native(3);
        pod.seen.remove(0);
        assert_eq!(pod.weigh(), Evidence::Likely, "istio-init, main and istio-proxy");
        pod.created = 2;
        assert_eq!(pod.weigh(), Evidence::Nothing);
    }

    #[test]
    fn another_container_that_was_not_seen_may_have_been_created() {
        let mut pod = Pod::regular(2);
        pod.regular.push("helper".to_owned());
        assert_eq!(pod.weigh(), Evidence::Nothing);
        pod.created = 3;
        assert_eq!(pod.weigh(), Evidence::Nothing, "kubelet may have restarted the helper");
        pod.policy = "Never";
        assert_eq!(pod.weigh(), Evidence::Created);
        pod.jumps = vec![8];
        assert_eq!(pod.weigh(), Evidence::Created, "one start was seen by its ids, and two are needed");
        pod.seen.push(seen("helper", 60, 3));
        pod.created = 2;
        assert_eq!(pod.weigh(), Evidence::Nothing, "the helper and the proxy");
        pod.created = 3;
        assert_eq!(pod.weigh(), Evidence::Started);
    }

    #[test]
    fn all_that_are_missing_must_have_been_created() {
        let mut pod = Pod::regular(2);
        pod.regular.push("other".to_owned());
        pod.missing.push("other");
        assert_eq!(pod.weigh(), Evidence::Nothing);
        pod.created = 3;
        assert_eq!(pod.weigh(), Evidence::Nothing, "both creations can be those of one, which kubelet has restarted");
        pod.policy = "Never";
        assert_eq!(pod.weigh(), Evidence::Created);
    }

    #[test]
    fn a_container_that_was_seen_and_not_watched_has_run() {
        let ended = Seen { runs: false, ..seen("main", 44, 2) };
        assert!(have_all_run(&["main"], slice::from_ref(&ended)));
        assert!(!have_all_run(&["main"], &[ended.clone(), seen("main", 54, 3)]), "it runs again");
        assert!(!have_all_run(&["main", "other"], slice::from_ref(&ended)));
        assert!(!have_all_run(&[], slice::from_ref(&ended)), "nobody has named it");
        let mut pod = Pod::regular(3);
        pod.missing.push("other");
        pod.regular.push("other".to_owned());
        pod.seen.push(ended);
        assert_eq!(pod.weigh(), Evidence::Nothing, "main twice and the proxy, or main, other and the proxy");
        pod.policy = "Never";
        assert_eq!(pod.weigh(), Evidence::Created, "main, other and the proxy");
        pod.created = 2;
        assert_eq!(pod.weigh(), Evidence::Nothing, "main and the proxy");
    }

    #[test]
    fn a_proxy_that_was_not_seen_has_been_created_too() {
        let mut pod = Pod { policy: "Never", ..Pod::regular(1) };
        pod.seen.clear();
        assert_eq!(pod.weigh(), Evidence::Nothing);
        pod.created = 2;
        assert_eq!(pod.weigh(), Evidence::Created);
        let restarts = Pod { policy: "OnFailure", seen: Vec::new(), jumps: vec![8, 14], ..Pod::regular(2) };
        assert_eq!(restarts.weigh(), Evidence::Nothing, "both creations can be the proxy's, whose process is hidden");
        let held_back = Pod { seen: vec![seen("istio-proxy", 3, 0)], ..Pod::regular(1) };
        assert_eq!(held_back.weigh(), Evidence::Created, "a proxy that ran before the agent is none of the creations");
        let native = Pod { form: Form::Native, seen: Vec::new(), ..Pod::regular(1) };
        assert_eq!(native.weigh(), Evidence::Created, "a native proxy is an init container");
    }

    #[test]
    fn a_container_that_kubelet_restarts_can_have_any_number_of_creations() {
        let mut pod = Pod::native(5);
        pod.seen.push(seen("vault", 20, 2));
        pod.seen.push(seen("vault", 30, 3));
        assert_eq!(pod.weigh(), Evidence::Nothing, "it was seen twice");
        let mut pod = Pod::regular(3);
        pod.seen[0].runs = false;
        assert_eq!(pod.weigh(), Evidence::Likely, "the proxy has ended");
        pod.seen.push(seen("istio-proxy", 60, 3));
        assert_eq!(pod.weigh(), Evidence::Likely, "the proxy was seen twice, and main is the third");
        pod.created = 2;
        assert_eq!(pod.weigh(), Evidence::Nothing, "the proxy was created twice");
        let mut pod = Pod::regular(3);
        pod.regular.push("other".to_owned());
        pod.seen.push(seen("other", 60, 3));
        assert_eq!(pod.weigh(), Evidence::Nothing, "an earlier instance of the other container may have ended");
        pod.policy = "Never";
        assert_eq!(pod.weigh(), Evidence::Created);
    }
}
