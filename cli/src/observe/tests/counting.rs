use super::*;

#[test]
fn the_recorded_pods_give_these_metrics() {
    let observer = leader(Limits::default());
    for pod in all_recorded() {
        assert_eq!(saw(&observer, &pod), None);
    }
    let [native, classic, untouched] = documented().try_into().unwrap();
    // These drains took longer than the recorded pods lived.
    let older = |mut pod: Value| {
        pod["metadata"]["creationTimestamp"] = json!("2026-11-22T19:00:00Z");
        pod
    };
    let lost = saw(&observer, &older(with_verdict("1", "job-native-succeeded", &native))).unwrap();
    assert_eq!(lost.undelivered.bytes, 1_077_058);
    let lost = saw(&observer, &older(finished("2", &classic))).unwrap();
    assert_eq!(
        lost.sentence(),
        "at least 1525700 bytes on 2 connections were not delivered (stall-timeout); no byte has moved for 15s: look at the receiver, or \
         raise stallTimeout in the plugin's configuration, or give this agent --stall-timeout"
    );
    assert_eq!(saw(&observer, &finished("3", &untouched)), None);
    observer.reaped(Reaped::Ended);
    observer.reaped(Reaped::NoImage);
    let text = observer.text(time(NOW)).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert!(text.ends_with("\n# EOF\n"));
    insta::assert_snapshot!(sorted(&text));
}

/// The versions of a pod in the order of its life: it runs, its proxy keeps it, the agent ends it, it is deleted.
fn life(uid: &str, verdict: &str) -> Vec<Value> {
    let last = finished(uid, verdict);
    let running = |names: &[&str]| {
        let mut pod = last.clone();
        pod["status"]["phase"] = json!("Running");
        for list in ["initContainerStatuses", "containerStatuses"] {
            for status in pod["status"][list].as_array_mut().unwrap() {
                if names.contains(&status["name"].as_str().unwrap()) {
                    status["state"] = json!({"running": {"startedAt": "2026-11-22T19:46:23Z"}});
                }
            }
        }
        pod
    };
    vec![running(&["base", "istio-proxy", "exeunt"]), running(&["istio-proxy", "exeunt"]), running(&["exeunt"]), last]
}

/// Random enough to be different, and the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn each_pod_is_counted_once_in_whatever_order_its_versions_come() {
    let lives = (0..12).map(|number| life(&format!("uid-{number}"), &documented()[1]).into_iter().map(typed).collect::<Vec<_>>());
    let lives = lives.collect::<Vec<_>>();
    for seed in 0..50 {
        let mut dice = Dice(seed);
        let observer = leader(Limits::default());
        let mut events = Vec::new();
        for life in &lives {
            // A watch that was lost shows versions again, and old ones; each pod is seen finished or deleted at least once.
            events.extend((0..dice.below(8)).map(|_| (&life[dice.below(life.len())], false)));
            events.push((life.last().unwrap(), dice.below(2) == 0));
        }
        for place in (1..events.len()).rev() {
            events.swap(place, dice.below(place + 1));
        }
        let losses = events.iter().filter_map(|(pod, is_gone)| {
            let facts = Facts::of(pod);
            if *is_gone { observer.gone(&facts, time(NOW)) } else { observer.saw(&facts, time(NOW)) }
        });
        assert_eq!(losses.count(), 12, "seed {seed}");
        for (name, expected) in [
            ("exeunt_pods_total", 12),
            ("exeunt_pods_with_loss_total", 12),
            ("exeunt_undelivered_bytes_total", 12 * 1_525_700),
            ("exeunt_proxy_end_seconds_count", 12),
        ] {
            assert_eq!(sum(&observer, name), expected, "{name}, seed {seed}");
        }
    }
}

#[test]
fn a_pod_is_counted_when_nothing_of_it_runs() {
    let observer = leader(Limits::default());
    let [running, stuck, agent_runs, last] = life("u", &documented()[1]).try_into().unwrap();
    for (pod, counted) in [(running, 0), (stuck, 0), (agent_runs, 0), (last.clone(), 1), (last, 1)] {
        saw(&observer, &pod);
        assert_eq!(sum(&observer, "exeunt_pods_total"), counted);
    }
}

#[test]
fn the_verdict_of_a_rescue_counts_although_its_container_ends_after_the_pod() {
    let observer = leader(Limits::default());
    let mut pod = recorded("job-classic-notready");
    pod["status"]["phase"] = json!("Succeeded");
    for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        status["state"] = json!({"terminated": {"exitCode": 0, "finishedAt": "2026-11-22T19:50:00Z"}});
    }
    pod["spec"]["ephemeralContainers"] = json!([{"name": "exeunt-end-1", "image": "ghcr.io/exeunt-dev/exeunt-agent:1"}]);
    let status = |state: &Value| json!([{"name": "exeunt-end-1", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]);
    pod["status"]["ephemeralContainerStatuses"] = status(&json!({"running": {}}));
    assert_eq!(saw(&observer, &pod), None);
    assert_eq!(sum(&observer, "exeunt_pods_total"), 0);
    pod["status"]["ephemeralContainerStatuses"] = status(&json!({"terminated": {"exitCode": 0, "message": documented()[1]}}));
    assert!(saw(&observer, &pod).is_some());
    let [(series, 1)] = &samples(&observer, "exeunt_pods_total")[..] else { panic!("not one pod") };
    assert!(series.contains("outcome=\"gone\",route=\"filter\""), "{series}");
}

#[test]
fn a_pod_that_is_deleted_while_it_runs_is_counted_and_one_that_never_ran_is_not() {
    let observer = leader(Limits::default());
    gone(&observer, &recorded("job-classic-notready"));
    assert_eq!(sum(&observer, "exeunt_pods_total"), 1);
    // Nobody has written the end of its proxy.
    assert_eq!(sum(&observer, "exeunt_proxy_end_seconds_count"), 0);
    gone(&observer, &recorded("agent-image-pull"));
    assert_eq!(sum(&observer, "exeunt_pods_total"), 1);
}

#[test]
fn what_is_no_batch_pod_or_has_neither_proxy_nor_agent_is_not_counted() {
    let observer = leader(Limits::default());
    let mut service = finished("service", "");
    service["spec"]["restartPolicy"] = json!("Always");
    let mut outside = finished("outside", "");
    for list in ["initContainers", "containers"] {
        outside["spec"][list].as_array_mut().unwrap().retain(|container| container["name"] == "base");
    }
    for pod in [service, outside, finished("", "")] {
        gone(&observer, &pod);
    }
    assert_eq!(samples(&observer, "exeunt_pods_total"), []);
    assert_eq!(samples(&observer, "exeunt_undelivered_bytes_total"), []);
}

#[test]
fn only_a_leader_counts_and_only_what_was_not_counted_before() {
    let observer = Observer::new(Limits::default());
    let pod = finished("u", "");
    saw(&observer, &pod);
    gone(&observer, &pod);
    assert_eq!(sum(&observer, "exeunt_pods_total"), 0);
    assert_eq!(sum(&observer, "exeunt_leader"), 0);
    observer.leads(true);
    assert_eq!(sum(&observer, "exeunt_leader"), 1);
    // The agent, its last container, ended at 19:46:30.
    observer.counted_until(time("2026-11-22T19:46:30Z"));
    saw(&observer, &pod);
    assert_eq!(sum(&observer, "exeunt_pods_total"), 0);
    let observer = leader(Limits::default());
    observer.counted_until(time("2026-11-22T19:46:29Z"));
    saw(&observer, &pod);
    assert_eq!(sum(&observer, "exeunt_pods_total"), 1);
}

#[test]
fn a_pod_is_stuck_once_it_has_had_time_to_settle_and_until_it_ends() {
    let stuck = |observer: &Observer, at: &str| {
        let text = observer.text(time(at));
        text.lines().filter(|line| line.starts_with("exeunt_stuck_pods{")).map(str::to_owned).collect::<Vec<_>>()
    };
    let observer = leader(Limits::default());
    // Its task ended at 19:45:51.
    let pod = recorded("job-classic-notready");
    saw(&observer, &pod);
    saw(&observer, &recorded("kpo-classic-running"));
    assert_eq!(stuck(&observer, "2026-11-22T19:46:20Z"), Vec::<String>::new());
    assert_eq!(stuck(&observer, "2026-11-22T19:46:21Z"), [r#"exeunt_stuck_pods{namespace="jobs",state="stuck"} 1"#]);
    let mut held = recorded("kpo-xcom-classic-base0-xcom-running");
    let proxy =
        held["status"]["containerStatuses"].as_array_mut().unwrap().iter_mut().find(|status| status["name"] == "istio-proxy");
    proxy.unwrap()["state"] = json!({"terminated": {"exitCode": 0}});
    saw(&observer, &held);
    let both = stuck(&observer, NOW);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.iter().any(|line| line.contains(r#"state="held"} 1"#)), "{both:?}");
    gone(&observer, &pod);
    assert_eq!(stuck(&observer, NOW).len(), 1);
    observer.leads(false);
    assert_eq!(stuck(&observer, NOW), Vec::<String>::new());
}

#[test]
fn a_pod_that_is_not_in_the_next_list_is_stuck_no_longer() {
    let observer = leader(Limits::default());
    let in_namespace = |namespace: &str| {
        let mut pod = recorded("job-classic-notready");
        pod["metadata"]["uid"] = json!(format!("of-{namespace}"));
        pod["metadata"]["namespace"] = json!(namespace);
        pod
    };
    let [a, b] = ["a", "b"].map(in_namespace);
    saw(&observer, &a);
    saw(&observer, &b);
    observer.list_begins(None);
    assert_eq!(sum(&observer, "exeunt_stuck_pods"), 2, "a list that is not complete says nothing");
    saw(&observer, &a);
    saw(&observer, &b);
    observer.list_ends(None);
    assert_eq!(sum(&observer, "exeunt_stuck_pods"), 2);
    observer.list_begins(Some("a"));
    observer.list_ends(Some("a"));
    let [(series, 1)] = &samples(&observer, "exeunt_stuck_pods")[..] else { panic!("not one pod") };
    assert!(series.contains("namespace=\"b\""), "{series}");
    assert_eq!(sum(&observer, "exeunt_pods_total"), 0);
}

#[test]
fn a_counter_is_there_before_it_counts() {
    let observer = leader(Limits::default());
    assert_eq!(samples(&observer, "exeunt_reaps_total").len(), Reaped::ALL.len());
    saw(&observer, &recorded("kpo-classic-running"));
    let zero = [(r#"exeunt_undelivered_bytes_total{namespace="recorded",owner_kind="Pod"}"#.to_owned(), 0)];
    assert_eq!(samples(&observer, "exeunt_undelivered_bytes_total"), zero);
    let times = samples(&observer, "exeunt_proxy_end_seconds_count");
    assert_eq!(times.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0]);
    // It has no agent, so nothing will tell of its drain.
    assert_eq!(samples(&observer, "exeunt_drain_seconds_count"), []);
    for result in Reaped::ALL {
        observer.reaped(result);
    }
    assert!(samples(&observer, "exeunt_reaps_total").iter().all(|(_, value)| *value == 1));
}
