//! Whoever may write to a pod writes what is read here.

use super::*;

fn verdict(change: &Value) -> String {
    let mut verdict: Value = serde_json::from_str(&documented()[1]).unwrap();
    verdict.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    verdict.to_string()
}

#[test]
fn a_lie_about_a_time_is_not_observed() {
    let observer = leader(Limits::default());
    // The pod lived for 8 seconds.
    for (number, milliseconds) in [9_999_u64, 10_001, u64::MAX].into_iter().enumerate() {
        saw(&observer, &finished(&number.to_string(), &verdict(&json!({"drainMs": milliseconds}))));
    }
    assert_eq!(sum(&observer, "exeunt_pods_total"), 3);
    assert_eq!(sum(&observer, "exeunt_drain_seconds_count"), 1);
    let text = observer.text(time(NOW));
    assert!(text.lines().any(|line| line.starts_with("exeunt_drain_seconds_sum{") && line.ends_with("} 9.999")), "{text}");
}

#[test]
fn a_lie_about_bytes_counts_as_a_terabyte() {
    let observer = leader(Limits::default());
    for number in 0..3 {
        let bytes = json!({"undelivered": {"connections": u64::MAX, "bytes": u64::MAX, "atLeast": true}});
        let loss = saw(&observer, &finished(&format!("{number}"), &verdict(&bytes))).unwrap();
        assert_eq!(loss.undelivered.bytes, u64::MAX);
    }
    assert_eq!(sum(&observer, "exeunt_undelivered_bytes_total"), 3 * 1_099_511_627_776);
}

#[test]
fn what_is_no_verdict_is_none() {
    let observer = leader(Limits::default());
    let negative = verdict(&json!({"undelivered": {"connections": 0, "bytes": -1, "atLeast": true}}));
    let nested = "[".repeat(100_000);
    for (number, message) in
        ["", "{", "null", "[]", &negative, &nested, &verdict(&json!({"drainMs": 1e300}))].into_iter().enumerate()
    {
        assert_eq!(saw(&observer, &finished(&number.to_string(), message)), None);
    }
    let all = samples(&observer, "exeunt_pods_total");
    assert_eq!(all.len(), 1);
    assert!(all[0].0.contains("outcome=\"no-verdict\"") && all[0].1 == 7, "{all:?}");
}

#[test]
fn labels_are_escaped_and_words_are_from_a_closed_set() {
    let observer = leader(Limits::default());
    let evil = "\"} 1\nexeunt_leader 7\\";
    let mut pod =
        finished("u", &verdict(&json!({"proxy": evil, "route": evil, "limit": evil, "advice": format!("\u{1b}[2J{evil}")})));
    pod["metadata"]["namespace"] = json!(evil);
    pod["metadata"]["ownerReferences"][0]["kind"] = json!(evil);
    let loss = saw(&observer, &pod).unwrap();
    assert!(!loss.sentence().contains(['\u{1b}', '\n']), "{}", loss.sentence());
    let text = observer.text(time(NOW));
    assert!(!text.contains("\nexeunt_leader 7"), "{text}");
    let [(series, 1)] = &samples(&observer, "exeunt_pods_total")[..] else { panic!("not one pod") };
    let words = r#",owner_kind="Other",proxy="classic",outcome="other",route="other"}"#;
    assert_eq!(series, &format!(r#"exeunt_pods_total{{namespace="\"}} 1\nexeunt_leader 7\\"{words}"#));
}

#[test]
fn a_sentence_fits_into_an_event() {
    let observer = leader(Limits::default());
    let loss =
        saw(&observer, &finished("u", &verdict(&json!({"advice": "上海".repeat(500), "limit": "x".repeat(500)})))).unwrap();
    assert!(loss.sentence().len() <= 900 && loss.sentence().len() > 890, "{}", loss.sentence().len());
}

#[test]
fn the_clock_of_a_node_can_be_wrong() {
    let observer = leader(Limits { pods: 1, ..Limits::default() });
    // The proxy ended before the task, and a container will end in 2090.
    let mut pod = finished("u", "");
    for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        let year = if status["name"] == "base" { "2090-01-01T00:00:00Z" } else { "1999-01-01T00:00:00Z" };
        status["state"]["terminated"]["finishedAt"] = json!(year);
    }
    saw(&observer, &pod);
    assert_eq!(sum(&observer, "exeunt_pods_total"), 1);
    assert_eq!(sum(&observer, "exeunt_proxy_end_seconds_count"), 0);
    // It is forgotten for the next one; pods that end later are counted all the same.
    let after: Timestamp = "2026-12-01T00:00:02Z".parse().unwrap();
    for (uid, end) in [("v", "2026-12-01T00:00:01Z"), ("w", "2026-12-01T00:00:02Z")] {
        let mut pod = finished(uid, "");
        pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["finishedAt"] = json!(end);
        let pod = typed(pod);
        observer.saw(&Facts::of(&pod), after);
    }
    assert_eq!(sum(&observer, "exeunt_pods_total"), 3);
}
