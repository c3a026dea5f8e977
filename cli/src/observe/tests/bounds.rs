use super::super::bounds::{InNamespace, Sets};
use super::super::counted::Counted;
use super::*;

#[test]
fn no_more_namespaces_than_the_limit_have_a_value_of_their_own() {
    let observer = leader(Limits { namespaces: 3, ..Limits::default() });
    for number in 0..20 {
        let mut pod = finished(&format!("{number}"), &documented()[1]);
        pod["metadata"]["namespace"] = json!(format!("n{}", number % 10));
        saw(&observer, &pod);
        let mut stuck = recorded("job-classic-notready");
        stuck["metadata"]["uid"] = json!(format!("stuck-{number}"));
        stuck["metadata"]["namespace"] = json!(format!("n{}", number % 10));
        saw(&observer, &stuck);
    }
    for name in ["exeunt_pods_total", "exeunt_undelivered_bytes_total", "exeunt_pods_with_loss_total", "exeunt_stuck_pods"] {
        let own = samples(&observer, name);
        assert_eq!(own.len(), 4, "{own:?}");
        assert!(own.iter().any(|(series, _)| series.contains(r#"namespace="_other""#)), "{own:?}");
    }
    assert_eq!(sum(&observer, "exeunt_pods_total"), 20);
    assert_eq!(sum(&observer, "exeunt_stuck_pods"), 20);
}

#[test]
fn no_more_label_sets_than_the_limit_are_made() {
    let observer = leader(Limits { label_sets: 50, ..Limits::default() });
    let kinds = ["Job", "Workflow", "TaskRun", "SparkApplication", "Widget"];
    let mut number = 0;
    for namespace in 0..8 {
        for kind in kinds {
            for proxy in ["gone", "stays", "left"] {
                number += 1;
                let verdict = json!({"version": "0.1.0", "proxy": proxy, "drainMs": 1}).to_string();
                let mut pod = finished(&number.to_string(), &verdict);
                pod["metadata"]["namespace"] = json!(format!("n{namespace}"));
                pod["metadata"]["ownerReferences"][0]["kind"] = json!(kind);
                saw(&observer, &pod);
            }
        }
    }
    assert_eq!(sum(&observer, "exeunt_pods_total"), 120);
    assert_eq!(sum(&observer, "exeunt_drain_seconds_count"), 120);
    // Those of their own, and the closed set of the others.
    assert_eq!(samples(&observer, "exeunt_pods_total").len(), 50 + 15);
    assert_eq!(samples(&observer, "exeunt_drain_seconds_count").len(), 10 + 5);
}

#[test]
fn no_more_pods_than_the_limit_are_kept_and_none_is_counted_twice() {
    let observer = leader(Limits { pods: 10, ..Limits::default() });
    let pods = (0..40).map(|number| {
        let mut pod = finished(&format!("{number}"), "");
        let minute = format!("2026-11-23T{:02}:{:02}:00Z", number / 60, number % 60);
        pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["finishedAt"] = json!(minute);
        pod
    });
    let pods = pods.collect::<Vec<_>>();
    for _ in 0..3 {
        for pod in &pods {
            saw(&observer, pod);
        }
    }
    assert_eq!(sum(&observer, "exeunt_pods_total"), 40);
    let stuck = (0..40).map(|number| {
        let mut pod = recorded("job-classic-notready");
        pod["metadata"]["uid"] = json!(format!("stuck-{number}"));
        pod
    });
    stuck.for_each(|pod| drop(saw(&observer, &pod)));
    assert_eq!(sum(&observer, "exeunt_stuck_pods"), 10);
}

#[test]
fn a_uid_is_kept_until_later_pods_need_its_place() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut counted = Counted::new(2);
    assert!(counted.count("a", at(1)) && counted.count("b", at(3)));
    assert!(!counted.count("a", at(9)), "its uid is known, whatever time it names");
    assert!(counted.count("c", at(2)));
    assert!(!counted.has("a") && counted.has("b") && counted.has("c"));
    assert!(!counted.count("a", at(1)), "its uid is forgotten, and its time is not");
    assert!(counted.count("d", at(4)));
    counted.until(at(10));
    assert!(!counted.has("d") && !counted.count("e", at(10)) && counted.count("f", at(11)));
}

#[test]
fn a_label_set_that_is_known_stays() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Labels(&'static str, u8);
    impl InNamespace for Labels {
        fn elsewhere(self) -> Self {
            Self("_other", self.1)
        }
    }
    let mut sets = Sets::new(1);
    for (given, expected) in [("a", "a"), ("b", "_other"), ("a", "a")] {
        assert_eq!(sets.within(Labels(given, 7)), Labels(expected, 7));
    }
}
