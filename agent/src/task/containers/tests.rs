use core::time::Duration;

use super::*;
use crate::task::Waited;
use crate::task::state_dir::{Event, Record};
use crate::testing::{Script, options};

/// A pod in which these instances of containers run at these times, and end so.
fn pod(instances: &[(&'static str, &'static str, core::ops::Range<u64>, Exit)]) -> Script {
    let mut world = Script::default();
    for ((name, instance, when, exit), pid) in instances.iter().zip(20..) {
        world.processes.push((pid, name, when.clone()));
        world.roots.push((pid, name, instance, *exit));
    }
    world
}

/// When an agent with the options `line` sees that the task has ended.
fn ended_at(world: &Script, line: &str, regular: &[&str]) -> u64 {
    let regular = regular.iter().map(|name| (*name).to_owned()).collect();
    let options = Options { regular, ..options(line) };
    let state_dir = StateDir::new(None);
    let mut containers = Containers::new(world, &options, &state_dir);
    assert_eq!(containers.wait(None), Waited::Ended);
    world.elapsed()
}

const OK: Exit = Exit::Code(0);

#[test]
fn all_regular_containers_count_by_default_but_helpers() {
    let world = pod(&[
        ("main", "11", 0..1_000, OK),
        ("second", "12", 0..7_000, OK),
        ("airflow-xcom-sidecar", "13", 0..u64::MAX, OK),
        ("istio-proxy", "14", 0..u64::MAX, OK),
        ("vault-native", "15", 0..u64::MAX, OK),
    ]);
    let regular = ["main", "second", "airflow-xcom-sidecar"];
    assert_eq!(ended_at(&world, "watch", &regular), 7_000, "vault-native is no regular container");
    world.now.set(0);
    assert_eq!(ended_at(&world, "watch --container main", &regular), 1_000, "what was named counts");
}

#[test]
fn the_end_of_those_seen_is_no_end_before_envoy_has_named_all() {
    let world = pod(&[("main", "11", 0..10, OK), ("late", "12", 5_000..6_000, OK)]);
    let (options, state_dir) = (options("watch"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!(containers.wait_seen(|_| ()), Waited::Running);
    assert_eq!(containers.wait(Some(Duration::from_secs(1))), Waited::TimeUp);
    assert!(containers.have_all_seen_ended());
    containers.learn(&["main", "late"].map(str::to_owned));
    assert!(!containers.have_all_seen_ended(), "late has not run");
    assert_eq!(containers.wait(None), Waited::Ended);
    assert_eq!(world.elapsed(), 6_000);
}

#[test]
fn a_task_that_ends_before_envoy_has_named_it_was_seen_all_the_same() {
    let world = pod(&[("main", "11", 0..5, Exit::Code(3))]);
    let (options, state_dir) = (options("watch --restart-policy Never"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    world.pass_until(10);
    assert_eq!(containers.wait(Some(Duration::from_secs(1))), Waited::TimeUp);
    assert!(containers.have_all_seen_ended());
    assert_eq!(containers.primary(), (Some("main"), Exit::Code(3)));
    containers.learn(&["main".to_owned()]);
    assert_eq!(containers.wait(None), Waited::Ended);
    assert_eq!(world.elapsed(), 1_010);
}

#[test]
fn without_a_policy_a_failure_is_the_end_after_the_time_of_a_restart() {
    for exit in [Exit::Code(1), Exit::Signal(9), Exit::Unknown] {
        let world = pod(&[("main", "11", 0..1_000, exit)]);
        assert_eq!(ended_at(&world, "watch --container main --restart-wait 4s", &[]), 5_000, "{exit:?}");
    }
    let world = pod(&[("main", "11", 0..1_000, OK)]);
    assert_eq!(ended_at(&world, "watch --container main", &[]), 1_000);
}

#[test]
fn without_a_policy_an_end_that_a_restart_followed_once_is_followed_by_one_again() {
    // The second restart comes late, as if the image had to be pulled again.
    let world = pod(&[
        ("main", "11", 0..1_000, Exit::Code(42)),
        ("main", "12", 2_000..3_000, Exit::Code(42)),
        ("main", "13", 600_000..600_100, Exit::Code(1)),
    ]);
    // After the third instance kubelet's back-off is 20 s. Nothing is known of an exit code of 1.
    assert_eq!(ended_at(&world, "watch --container main", &[]), 600_100 + 30_000);
}

#[test]
fn a_rule_decides_before_the_policy() {
    const RULES: &str = r#"--restart-rules main=[{"action":"Restart","exitCodes":{"operator":"In","values":[42]}}]"#;
    let world = pod(&[
        ("main", "11", 0..1_000, Exit::Code(42)),
        ("main", "12", 500_000..501_000, Exit::Code(42)),
        ("main", "13", 900_000..901_000, Exit::Code(1)),
    ]);
    assert_eq!(ended_at(&world, &format!("watch --container main --restart-policy Never {RULES}"), &[]), 901_000);
}

#[test]
fn a_container_that_was_named_wrongly_is_reported_once_others_run() {
    let mut world = pod(&[("base", "11", 1_000..u64::MAX, OK), ("istio-proxy", "12", 1_000..u64::MAX, OK)]);
    // Envoy's admin interface does not listen, so a question takes no time.
    world.is_captured = true;
    let (options, state_dir) = (options("watch --container bsae"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    let has_warned_after = |containers: &mut Containers<'_, Script>, seconds| {
        assert_eq!(containers.wait(Some(Duration::from_secs(seconds))), Waited::TimeUp);
        containers.has_warned
    };
    assert!(!has_warned_after(&mut containers, 5), "base has run for 4 s");
    assert!(has_warned_after(&mut containers, 2));
    let mut waits = pod(&[("istio-proxy", "12", 1_000..u64::MAX, OK)]);
    waits.is_captured = true;
    let mut containers = Containers::new(&waits, &options, &state_dir);
    assert!(!has_warned_after(&mut containers, 50), "its image may still be pulled");
}

#[test]
fn a_name_that_the_pod_does_not_have_keeps_it_no_longer_than_a_late_start() {
    let world = || pod(&[("main", "11", 1_000..5_000, OK), ("second", "12", 1_000..9_000, OK)]);
    let both = ["main", "second"];
    assert_eq!(ended_at(&world(), "watch --container mian --late-start 20s", &both), 29_000, "both count");
    assert_eq!(ended_at(&world(), "watch --container mian --container main --late-start 20s", &both), 25_000, "main is right");
    let mut deleted = world();
    deleted.sigterm = Some(10_000);
    assert_eq!(ended_at(&deleted, "watch --container mian --late-start 20s", &both), 10_000);
    let late = pod(&[("main", "11", 1_000..5_000, OK), ("added", "12", 15_000..40_000, OK)]);
    assert_eq!(ended_at(&late, "watch --container added --late-start 20s", &["main"]), 40_000, "Envoy does not know all");
}

#[test]
fn the_records_of_an_earlier_run_tell_how_long_to_wait_for_a_restart() {
    let folder = std::env::temp_dir().join(format!("exeunt-containers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let options = options("watch --container never-there --restart-policy OnFailure");
    let world = Script::default();
    let until = |instances, event| {
        let state_dir = StateDir::new(Some(folder.clone()));
        state_dir.record("never-there", &Record { instances, instance: None, event });
        let containers = Containers::new(&world, &options, &state_dir);
        match containers.list[0].phase {
            Phase::Between { until, .. } => until.map(|until| until.since(world.now())),
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(until(5, Event::Between(Exit::Code(1))), None, "kubelet restarts it");
    // Kubelet's back-off before the fifth restart is 80 s, before the second one 10 s.
    assert!(until(5, Event::Between(Exit::Unknown)).unwrap() > Duration::from_secs(80));
    let restarted_at_once = until(3, Event::Seen).unwrap();
    assert!(restarted_at_once > Duration::from_secs(80), "another instance started at once and ended too");
    assert!(until(0, Event::Seen).unwrap() > Duration::from_secs(10));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_kubelet_restarts_is_known_to_the_next_run_of_the_agent() {
    let folder = std::env::temp_dir().join(format!("exeunt-learned-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let options = options("watch --container main");
    let world = pod(&[("main", "11", 0..1_000, Exit::Code(3)), ("main", "12", 2_000..3_000, Exit::Code(3))]);
    let wait = |limit| {
        let state_dir = StateDir::new(Some(folder.clone()));
        Containers::new(&world, &options, &state_dir).wait(Some(Duration::from_secs(limit)))
    };
    assert_eq!(wait(2), Waited::TimeUp);
    assert_eq!(wait(600), Waited::TimeUp, "kubelet restarts it again, however late");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn after_sigterm_a_container_that_was_never_seen_has_ended_and_its_proxy_is_only_drained() {
    for instances in [vec![], vec![("main", "11", 0..500, OK)], vec![("main", "11", 0..5_000, OK)]] {
        let world = Script { sigterm: Some(1_000), ..pod(&instances) };
        let (options, state_dir) = (options("watch --container main --container second"), StateDir::new(None));
        let mut containers = Containers::new(&world, &options, &state_dir);
        assert_eq!(
            containers.wait_seen(|_| ()),
            if instances.iter().any(|(.., when, _)| when.end > 1_000) { Waited::Running } else { Waited::Ended }
        );
        assert_eq!(containers.wait(None), Waited::Ended);
        assert_eq!(
            world.elapsed(),
            instances.iter().map(|(.., when, _)| when.end).fold(1_000, u64::max),
            "one that runs has its time"
        );
        assert!(containers.is_terminated());
        assert!(containers.evidence().starts_with("SIGTERM came before it was seen"), "{}", containers.evidence());
    }
}

#[test]
fn an_exit_status_that_comes_late_decides() {
    for (exit, ended) in [(OK, 3_000), (Exit::Code(1), 13_000)] {
        let mut world = pod(&[("main", "11", 0..1_000, exit)]);
        world.reaping = 2_000;
        let at = ended_at(&world, "watch --container main", &[]);
        assert!((ended..ended + 200).contains(&at), "{exit:?}: {at}");
    }
    let mut world = pod(&[("main", "11", 0..1_000, Exit::Code(1)), ("main", "12", 90_000..91_000, OK)]);
    world.reaping = 8_000;
    let at = ended_at(&world, "watch --container main --restart-policy OnFailure", &[]);
    assert!((99_000..99_200).contains(&at), "{at}: a failure is certain to be restarted");
}

#[test]
fn an_instance_that_nobody_saw_counts_once_it_can_be_no_other_containers() {
    let world = |proxy: u64| Script {
        creations: Some(vec![0, 0, 2_000]),
        unused_ids: Some(6),
        ..pod(&[("main", "11", 0..1_000, Exit::Code(1)), ("istio-proxy", "12", 0..proxy, OK)])
    };
    let line = "watch --container main --restart-policy OnFailure";
    // 30 s until the creation is certain, then kubelet's second back-off and the time of a restart.
    let at = ended_at(&world(u64::MAX), line, &[]);
    assert!((51_000..54_000).contains(&at), "{at}");
    let (world, options, state_dir) = (world(1_500), options(line), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!(containers.wait(Some(Duration::from_mins(9))), Waited::TimeUp, "the creation can be that of the proxy");
}

#[test]
fn an_instance_that_nobody_saw_can_have_ended_too_so_the_next_back_off_counts() {
    let world = |created: &[u64], third: u64| Script {
        own: Some(7),
        creations: Some(created.to_vec()),
        unused_ids: Some(6),
        ..pod(&[("main", "11", 100..1_000, Exit::Code(1)), ("main", "13", third..third + 500, OK)])
    };
    let line = "watch --container main";
    // The second instance was created at 2 s, and nobody saw it. Kubelet's back-off before the third one is 10 s.
    assert_eq!(ended_at(&world(&[50, 2_000, 12_900], 13_000), line, &[]), 13_500);
    assert_eq!(ended_at(&world(&[50, 2_000], u64::MAX - 500), line, &[]), 22_000, "if none comes, that was the last one");
    assert_eq!(ended_at(&world(&[50], u64::MAX - 500), line, &[]), 11_000);
    // The same if it was created before the first one that was seen, and the agent is a regular container.
    assert_eq!(ended_at(&world(&[10, 50], u64::MAX - 500), line, &[]), 20_050);
    assert_eq!(ended_at(&world(&[10, 50], u64::MAX - 500), "watch --container main --placement native", &[]), 11_000);
    let mut behind_init = world(&[0, 10, 50], u64::MAX - 500);
    behind_init.processes.push((8, "iptables", 0..5));
    behind_init.roots.push((8, "istio-init", "02", OK));
    assert_eq!(ended_at(&behind_init, "watch --container main --placement native", &[]), 20_050);
}

#[test]
fn an_instance_that_is_watched_is_seen_however_short_it_is() {
    let world = pod(&[("main", "11", 0..100, Exit::Code(1)), ("main", "12", 200..210, OK)]);
    let (options, state_dir) = (options("watch --container main"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    for at in [50, 150, 205, 300] {
        world.pass_until(at);
        containers.look();
    }
    let seen = containers.starts.seen().iter().map(|seen| seen.container.instance.as_str());
    assert_eq!(seen.collect::<Vec<_>>(), ["11", "12"], "two creations are those of main");
}

#[test]
fn a_record_of_an_end_counts_only_when_no_process_of_the_container_runs() {
    for (instance, exit, expected) in [("11", Exit::Unknown, 15_000), ("12", OK, 5_000)] {
        let name = format!("exeunt-recorded-end-{}-{instance}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let state_dir = StateDir::new(Some(folder.clone()));
        let event = Event::Ended(Exit::Code(7));
        state_dir.record("main", &Record { instances: 1, instance: Some("11".to_owned()), event });
        // How the process ends that runs now is a matter of the container only if it is a new instance.
        let world = pod(&[("main", instance, 0..5_000, OK)]);
        let options = options("watch --container main --restart-wait 10s");
        let mut containers = Containers::new(&world, &options, &state_dir);
        assert_eq!((containers.wait(None), world.elapsed()), (Waited::Ended, expected), "{instance}");
        assert_eq!(containers.primary(), (Some("main"), exit));
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_sigterm_that_the_pod_has_outlived_is_no_end() {
    let mut world = pod(&[("main", "11", 60_000..61_000, OK)]);
    world.sigterm = Some(1_000);
    let (options, state_dir) = (options("watch --container main --grace-period 5s"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!((containers.wait(None), containers.is_terminated(), world.elapsed()), (Waited::Ended, true, 1_000));
    world.pass_until(6_000);
    containers.outlive_sigterm();
    assert_eq!((containers.wait(None), containers.is_terminated(), world.elapsed()), (Waited::Ended, false, 61_000));
}

/// A pod whose agent, process 30, starts at 1 s. `main` fails at 3.1 s, and nothing tells whether kubelet starts it again.
fn with_a_late_agent(main: i32) -> Script {
    let world = Script {
        own: Some(30),
        processes: vec![(1, "pause", 0..u64::MAX), (30, "exeunt-agent", 1_000..u64::MAX), (main, "main", 3_000..3_100)],
        roots: vec![(30, "exeunt", "00", Exit::Unknown), (main, "main", "11", Exit::Code(1))],
        ..Script::default()
    };
    world.pass_until(1_000);
    world
}

#[test]
fn what_is_listed_before_the_agent_may_have_run_before_so_the_next_back_off_counts() {
    for (regular, main, ended) in
        [(&["exeunt", "main"][..], 40, 13_100), (&["main", "exeunt"], 40, 23_100), (&["exeunt", "main"], 20, 23_100)]
    {
        assert_eq!(ended_at(&with_a_late_agent(main), "watch --placement regular", regular), ended, "{regular:?}, {main}");
    }
}

#[test]
fn an_order_that_envoy_tells_after_the_end_counts_too() {
    let (world, options, state_dir) = (with_a_late_agent(40), options("watch --container main"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!(containers.wait(Some(Duration::from_secs(5))), Waited::TimeUp);
    assert!(!containers.know_their_order());
    containers.learn(&["main", "exeunt"].map(str::to_owned));
    assert!(containers.know_their_order());
    assert_eq!((containers.wait(None), world.elapsed()), (Waited::Ended, 23_100));
}

#[test]
fn a_native_agent_that_finds_a_classic_proxy_was_started_again() {
    for (proxy, ended) in [(0, 23_100), (2_000, 13_100)] {
        let mut world = with_a_late_agent(40);
        world.listeners = vec![(pod::ports::OUTBOUND, proxy..u64::MAX)];
        let line = "watch --proxy classic --placement native --container main";
        assert_eq!(ended_at(&world, line, &[]), ended, "the proxy starts at {proxy}");
    }
}

#[test]
fn while_a_regular_container_runs_sigterm_to_a_native_sidecar_is_not_kubelets() {
    let line = "watch --proxy classic --placement native --container main --container second --grace-period 100s";
    let wait = |world: &Script| {
        let (options, state_dir) = (options(line), StateDir::new(None));
        let mut containers = Containers::new(world, &options, &state_dir);
        (containers.wait(None), containers.is_terminated(), world.elapsed())
    };
    let main_runs = [("main", "11", 0..60_000, OK), ("second", "12", 30_000..31_000, OK)];
    let world = Script { sigterm: Some(1_000), ..pod(&main_runs) };
    assert_eq!(wait(&world), (Waited::Ended, false, 60_000));
    let late = [("main", "11", 30_000..31_000, OK), ("second", "12", 30_000..32_000, OK)];
    let world = |proxy| Script { sigterm: Some(1_000), listeners: vec![(pod::ports::OUTBOUND, 0..proxy)], ..pod(&late) };
    assert_eq!(wait(&world(u64::MAX)), (Waited::Ended, false, 32_000));
    assert_eq!(wait(&world(500)), (Waited::Ended, true, 1_000), "no regular container runs");
}

#[test]
fn what_the_pod_has_outlived_sigterm_with_is_as_before() {
    let mut world = pod(&[("main", "11", 0..500, Exit::Code(1)), ("main", "12", 40_000..41_000, OK)]);
    world.sigterm = Some(1_000);
    let line = "watch --container main --restart-policy OnFailure --restart-wait 3s";
    let (options, state_dir) = (options(line), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!(containers.wait(Some(Duration::from_secs(2))), Waited::TimeUp, "kubelet restarts it");
    containers.await_no_restart();
    assert_eq!((containers.wait(None), containers.is_terminated(), world.elapsed()), (Waited::Ended, true, 2_000));
    containers.outlive_sigterm();
    assert_eq!((containers.wait(None), containers.is_terminated(), world.elapsed()), (Waited::Ended, false, 41_000));
}

#[test]
fn a_completion_that_the_filter_has_is_the_end_of_containers_that_nobody_has_named() {
    let filter = Some(r#"{"state":"draining","action":"quit"}"#.to_owned());
    let (world, options, state_dir) = (Script { filter, ..pod(&[]) }, options("watch --proxy classic"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!((containers.wait(None), world.elapsed()), (Waited::Ended, 0));
    assert_eq!(containers.evidence(), "the filter already had the completion");
}

#[test]
fn an_agent_that_keeps_a_pod_without_a_proxy_for_a_container_that_nobody_saw_does_so_for_minutes_only() {
    let world = |proxy: u64| Script {
        own: Some(7),
        creations: Some(vec![1_000]),
        unused_ids: Some(6),
        last_ids: vec![(0, 7), (1_200, 13)],
        listeners: vec![(pod::ports::OUTBOUND, 2_000..proxy)],
        ..pod(&[])
    };
    let wait = |world: &Script, line: &str| {
        let (options, state_dir) = (options(line), StateDir::new(None));
        let mut containers = Containers::new(world, &options, &state_dir);
        let waited = containers.wait(Some(Duration::from_mins(50)));
        (waited, containers.evidence().ends_with("the pod has no proxy"))
    };
    for names in ["", "--container main"] {
        let line = format!("watch --proxy classic --placement regular {names}");
        let ends = world(5_000);
        assert_eq!(wait(&ends, &line), (Waited::Ended, true), "the proxy has ended");
        assert!((601_000..1_200_000).contains(&ends.elapsed()), "{}", ends.elapsed());
        assert_eq!(wait(&world(u64::MAX), &line).0, Waited::TimeUp, "the proxy runs");
    }
    assert_eq!(wait(&world(5_000), "watch --proxy classic --placement native").0, Waited::TimeUp, "it keeps no pod");
}

#[test]
fn an_agent_that_is_hardly_scheduled_sees_the_sigterm_that_woke_it() {
    let world = Script { sigterm: Some(1_003), creations: Some(Vec::new()), scheduled_after: 6_000, ..pod(&[]) };
    let (options, state_dir) = (options("watch --container main"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!((containers.wait(None), containers.is_terminated(), world.elapsed()), (Waited::Ended, true, 7_003));
}

#[test]
fn a_name_that_the_pod_has_is_not_doubted() {
    for (regular, doubted) in [(&[][..], true), (&["main", "late"], false)] {
        let world = pod(&[("main", "11", 0..60_000, OK)]);
        let regular = regular.iter().map(|name| (*name).to_owned()).collect();
        let options = Options { regular, ..options("watch --container late") };
        let state_dir = StateDir::new(None);
        let mut containers = Containers::new(&world, &options, &state_dir);
        assert_eq!(containers.wait(Some(Duration::from_secs(3))), Waited::TimeUp);
        assert_eq!(containers.news_of_names(), None, "kubelet starts one after the other");
        world.pass_until(6_000);
        let (_, news) = containers.news_of_names().unwrap();
        assert_eq!(
            (news.contains("late"), news.contains("main runs"), news.contains("--container")),
            (true, true, doubted),
            "{news}"
        );
        assert_eq!(containers.news_of_names(), None, "once");
    }
}

#[test]
fn a_container_that_starts_after_sigterm_shows_that_it_was_not_kubelets() {
    let world =
        Script { sigterm: Some(500), ..pod(&[("main", "11", 0..1_000, Exit::Unknown), ("second", "12", 2_000..3_000, OK)]) };
    let (options, state_dir) = (options("watch --container main --container second"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!((containers.wait(None), containers.is_terminated()), (Waited::Ended, false));
}

#[test]
fn without_the_names_the_end_of_those_seen_is_known_by_sigterm_only() {
    let world = pod(&[("main", "11", 0..1_000, OK)]);
    let (options, state_dir) = (options("watch"), StateDir::new(None));
    let mut containers = Containers::new(&world, &options, &state_dir);
    assert_eq!(containers.wait(Some(Duration::from_secs(2))), Waited::TimeUp);
    containers.await_no_other();
    assert_eq!((containers.wait(None), containers.is_terminated()), (Waited::Ended, true));
    containers.outlive_sigterm();
    assert!(!containers.are_known());
}
