//! Which containers are the main ones: those whose end is the end of the task. By default all regular containers of the pod are, but the
//! proxy, the agent's own and those that never end by themselves: a pod ends only after all its regular containers, so an earlier end of
//! the proxy gains nothing and can cost the others their network.

use super::form::PROXY;

/// Containers that never end by themselves and are never the task. The file is a link to that of the Airflow package, because a crate holds
/// only what is in its folder.
const ENDLESS_HELPERS: &str = include_str!("endless_helpers.txt");
/// Istio's init containers, which have ended before any main container starts.
const INIT: [&str; 2] = ["istio-init", "istio-validation"];

/// Whether the end of the container `name` can be the end of a task.
#[must_use]
pub fn can_be_main(name: &str) -> bool {
    name != PROXY && !INIT.contains(&name) && !endless_helpers().any(|(helper, _)| helper == name)
}

/// The known helpers that a request ends, each with its request.
pub(super) fn known_helpers() -> impl Iterator<Item = (&'static str, &'static str)> {
    endless_helpers().filter(|(_, request)| !request.is_empty())
}

/// The lines of the file, without its comments: a name, and a request or nothing.
fn endless_helpers() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = ENDLESS_HELPERS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap_or((line, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_regular_container_is_a_main_one_but_the_proxy_the_agent_and_endless_helpers() {
        let regular = ["istio-proxy", "exeunt", "base", "airflow-xcom-sidecar", "second"].map(str::to_owned);
        let given = crate::testing::options("watch");
        assert_eq!(given.main_containers(&regular, Some("exeunt")), ["base", "second"]);
        assert_eq!(given.main_containers(&regular, None), ["exeunt", "base", "second"]);
        let helper = crate::testing::options("watch --also-wait second --quit-signal exeunt=TERM");
        assert_eq!(helper.main_containers(&regular, None), ["base"], "a helper that was given is none");
    }

    #[test]
    fn every_line_of_the_file_begins_with_a_name() {
        let names: Vec<&str> = endless_helpers().map(|(name, _)| name).collect();
        assert!(names.contains(&"airflow-xcom-sidecar"));
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        }
    }
}
