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
    name != PROXY && !INIT.contains(&name) && !endless_helpers().any(|helper| helper == name)
}

/// The main containers among `regular`, the regular containers of the pod. `own` is the agent's.
#[must_use]
pub fn main_containers(regular: &[String], own: Option<&str>) -> Vec<String> {
    regular.iter().filter(|name| can_be_main(name) && Some(name.as_str()) != own).cloned().collect()
}

/// The names in the file: one a line, with comments.
fn endless_helpers() -> impl Iterator<Item = &'static str> {
    ENDLESS_HELPERS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_regular_container_is_a_main_one_but_the_proxy_the_agent_and_endless_helpers() {
        let regular = ["istio-proxy", "exeunt", "base", "airflow-xcom-sidecar", "second"].map(str::to_owned);
        assert_eq!(main_containers(&regular, Some("exeunt")), ["base", "second"]);
        assert_eq!(main_containers(&regular, None), ["exeunt", "base", "second"]);
    }

    #[test]
    fn the_file_of_endless_helpers_has_names_only() {
        let names: Vec<&str> = endless_helpers().collect();
        assert!(names.contains(&"airflow-xcom-sidecar"));
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        }
    }
}
