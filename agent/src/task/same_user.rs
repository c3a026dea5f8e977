//! Containers that run as the agent's own user. In a shared PID namespace their processes can end the agent and change what it has recorded.

use crate::os::World;

/// What to say of the containers that run as the agent's user, without the agent's own. `None` if there is none. A first process of root is not
/// yet known to be the container's: `has_started` tells whether the runtime, which is root, has had the time to start its program.
pub fn warning<W: World>(world: &W, has_started: bool) -> Option<String> {
    let own_pid = world.own_pid();
    let uid = world.identity(own_pid).uid.filter(|uid| *uid != 0 || has_started)?;
    let own = world.container(own_pid)?.name;
    let roots = world.processes().into_iter().filter(|process| process.parent == 0 && process.state != b'Z');
    let roots = roots.map(|root| root.pid).filter(|pid| world.identity(*pid).uid == Some(uid));
    let mut names: Vec<String> = roots.filter_map(|pid| world.container(pid)).map(|it| it.name).filter(|it| *it != own).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| {
        format!(
            "the agent's user {uid} is also that of {}, whose processes can end the agent and change its records: give the agent another \
             runAsUser",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use pod::pidfd::Exit;

    use super::*;
    use crate::testing::Script;

    /// A pod of the agent, process 10 of the user `own`, and of containers with these users.
    fn pod(own: u32, others: &[(&'static str, u32)]) -> Script {
        let mut world = Script { own: Some(10), ..Script::default() };
        for ((name, uid), pid) in [("exeunt", own)].iter().chain(others).zip(10..) {
            world.processes.push((pid, name, 0..u64::MAX));
            world.roots.push((pid, name, "11", Exit::Unknown));
            world.uids.push((pid, *uid));
        }
        world
    }

    #[test]
    fn every_container_of_the_agents_user_is_named() {
        let world = pod(15190, &[("main", 15190), ("istio-proxy", 1337), ("helper", 15190)]);
        let said = warning(&world, false).unwrap();
        assert!(said.starts_with("the agent's user 15190 is also that of helper, main, whose"), "{said}");
        assert_eq!(warning(&pod(15190, &[("main", 0), ("istio-proxy", 1337)]), true), None);
    }

    #[test]
    fn another_process_of_the_agents_own_container_is_no_stranger() {
        assert_eq!(warning(&pod(15190, &[("exeunt", 15190), ("main", 1000)]), true), None);
    }

    #[test]
    fn the_runtime_which_is_root_is_no_container_yet() {
        let world = pod(0, &[("main", 0)]);
        assert_eq!(warning(&world, false), None);
        assert!(warning(&world, true).is_some());
    }
}
