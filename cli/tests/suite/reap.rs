//! `reap` against a cluster that changes under its hands.

use std::sync::{Arc, Mutex};

use crate::double::{Double, Kubelet, Reply, Request, World, ended_ago, printed, recorded, refusal, small, stuck};
use jiff::SignedDuration;
use serde_json::{Value, json};

const ACT: [&str; 5] = ["reap", "-n", "jobs", "--dry-run=false", "--rate=1000/s"];

type Shared = Arc<Mutex<World>>;

/// A run against this cluster. `change` may answer in its place, or change it, before each request.
fn play(
    world: World,
    words: &[&str],
    change: impl Fn(&Request, usize, &mut World) -> Option<Reply> + Send + Sync + 'static,
) -> (Shared, Double, (String, String, i32)) {
    let world = Arc::new(Mutex::new(world));
    let shared = world.clone();
    let double = Double::start(move |request, number| {
        let mut world = shared.lock().unwrap();
        change(request, number, &mut world).unwrap_or_else(|| world.answer(request))
    });
    let output = printed(&double.run(words));
    (world, double, output)
}

fn plain(world: World, words: &[&str]) -> (Shared, Double, (String, String, i32)) {
    play(world, words, |_, _, _| None)
}

fn patches(double: &Double) -> usize {
    double.seen().iter().filter(|request| request.verb == "PATCH").count()
}

fn labelled(mut pod: Value, value: &str) -> Value {
    pod["metadata"]["labels"]["exeunt.dev/reap"] = json!(value);
    pod
}

/// The pod with containers of earlier rescues, each ended so many seconds ago.
fn tried(mut pod: Value, ago: &[i64]) -> Value {
    let (mut containers, mut statuses) = (Vec::new(), Vec::new());
    for (number, seconds) in ago.iter().enumerate() {
        let name = format!("exeunt-end-{number}");
        let ended = ended_ago(stuck("any"), *seconds)["status"]["containerStatuses"][0]["state"].clone();
        containers.push(json!({"name": name, "image": "an-image"}));
        statuses.push(json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": ended}));
    }
    pod["spec"]["ephemeralContainers"] = json!(containers);
    pod["status"]["ephemeralContainerStatuses"] = json!(statuses);
    pod
}

#[test]
fn until_told_otherwise_nothing_is_changed() {
    for words in [&["reap", "-n", "jobs"][..], &["reap", "-n", "jobs", "--dry-run"], &["reap", "-n", "jobs", "--dry-run=true"]] {
        let (_, double, (out, error, code)) = plain(World::with([stuck("report")]), words);
        assert!(out.starts_with("jobs/report: would be ended"), "{out}{error}");
        assert_eq!((out.lines().count(), code), (1, 0));
        assert!(double.seen().iter().all(|request| request.verb == "GET"));
    }
}

#[test]
fn what_is_stuck_is_ended_and_the_pod_says_so() {
    let (world, double, (out, error, code)) = plain(World::with([stuck("report")]), &ACT);
    assert_eq!(
        out, "jobs/report: istio-proxy is gone after 41 ms by admin 127.0.0.1:15000; everything is delivered\n",
        "{error}"
    );
    assert_eq!((code, patches(&double)), (0, 1));
    let world = world.lock().unwrap();
    assert_eq!(world.reasons(), ["ProxyEnded"]);
    let event = &world.events[0];
    assert_eq!((&event["type"], &event["reportingController"]), (&json!("Normal"), &json!("exeunt")));
    assert_eq!(event["regarding"]["uid"], "uid-of-report");
    assert!(event["note"].as_str().unwrap().contains("everything is delivered"), "{event}");
}

#[test]
fn a_program_gets_objects() {
    let mut world = World::with([stuck("report"), tried(stuck("old"), &[9000, 8000, 7000, 6000, 5000])]);
    world.kubelet = Kubelet::Loses(4096);
    let (world, _, (out, error, code)) = plain(world, &[&ACT[..], &["-o", "json"]].concat());
    let reports: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let of = |name: &str| reports.as_array().unwrap().iter().find(|report| report["pod"] == name).unwrap().clone();
    assert_eq!(of("report")["result"], "ended");
    assert_eq!(of("report")["verdict"]["undelivered"]["bytes"], 4096);
    assert_eq!((of("old")["result"].as_str(), code), (Some("given-up"), 1));
    // What was lost is said on the pod, too.
    assert_eq!(world.lock().unwrap().reasons(), ["ProxyEnded", "BytesLost"]);
}

#[test]
fn a_pod_must_be_opted_in() {
    let pods = || [stuck("nobody"), labelled(stuck("agrees"), "on"), labelled(stuck("refuses"), "off")];
    let mut elsewhere = labelled(stuck("other"), "off");
    elsewhere["metadata"]["namespace"] = json!("marked");
    let mut marked = stuck("follows");
    marked["metadata"]["namespace"] = json!("marked");
    let all = || World::with(pods().into_iter().chain([elsewhere.clone(), marked.clone()]));
    let named = |words: &[&str], is_marked: bool| {
        let mut world = all();
        world.marked.extend(is_marked.then_some("marked"));
        let (_, _, (out, error, code)) = plain(world, words);
        assert_eq!(code, 0, "{error}");
        let mut names = out.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>();
        names.sort();
        names
    };
    // Named: all but who refuses.
    assert_eq!(named(&["reap", "-n", "jobs"], false), ["jobs/agrees", "jobs/nobody"]);
    assert_eq!(named(&["reap", "--namespaces", "jobs,marked"], false), ["jobs/agrees", "jobs/nobody", "marked/follows"]);
    assert_eq!(named(&["reap", "-A", "-l", "app=report"], false).len(), 3);
    // Not named: who agrees, or whose Namespace does.
    assert_eq!(named(&["reap", "-A"], false), ["jobs/agrees"]);
    assert_eq!(named(&["reap", "-A"], true), ["jobs/agrees", "marked/follows"]);
    assert_eq!(named(&["reap"], true), ["jobs/agrees"]);
}

#[test]
fn a_label_that_changes_at_the_last_moment_counts() {
    let (world, double, (out, _, code)) = play(World::with([stuck("report")]), &ACT, |request, _, world| {
        if request.path.ends_with("/report") {
            world.change("report", |pod| *pod = labelled(pod.clone(), "off"));
        }
        None
    });
    assert!(out.contains("left alone"), "{out}");
    assert_eq!((code, patches(&double), world.lock().unwrap().events.len()), (0, 0, 0));
}

#[test]
fn the_clock_is_that_of_the_api_server() {
    // Here the task has ended ten minutes ago; there the clock is behind, and it has just ended.
    let behind = |ahead: Option<SignedDuration>| {
        play(World::with([stuck("report")]), &["reap", "-n", "jobs"], move |request, _, world| {
            Some(world.answer(request).at(ahead))
        })
        .2
    };
    let (out, error, code) = behind(Some(SignedDuration::from_secs(-590)));
    assert_eq!((out.as_str(), code), ("", 0), "{error}");
    let (out, _, _) = behind(Some(SignedDuration::from_secs(-500)));
    assert!(out.contains("would be ended"), "{out}");
    // A server without a clock: nobody knows.
    let (out, error, code) = behind(None);
    assert!(error.contains("no Date") && error.lines().count() == 1, "{out}{error}");
    assert_eq!(code, 69);
}

#[test]
fn a_task_that_has_just_ended_may_still_end_by_itself() {
    let (_, _, (out, _, code)) = plain(World::with([ended_ago(stuck("report"), 40)]), &["reap", "-n", "jobs"]);
    assert_eq!((out.as_str(), code), ("", 0));
    let (_, _, (out, _, _)) = plain(World::with([ended_ago(stuck("report"), 40)]), &["reap", "-n", "jobs", "--stuck-for=30"]);
    assert!(out.contains("would be ended"), "{out}");
}

#[test]
fn an_agent_that_drains_gets_its_time() {
    let draining = |args: &[&str], seconds: i64| {
        let mut pod = ended_ago(stuck("report"), seconds);
        pod["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "exeunt", "image": "exeunt-agent", "args": args}));
        let status =
            json!({"name": "exeunt", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
        pod["status"]["containerStatuses"].as_array_mut().unwrap().push(status);
        plain(World::with([pod]), &["reap", "-n", "jobs"]).2.0
    };
    assert_eq!(draining(&[], 360), "");
    assert!(draining(&[], 420).contains("would be ended"));
    let longer = ["--drain-timeout=30m"];
    assert_eq!(draining(&longer, 1850), "");
    assert!(draining(&longer, 1920).contains("would be ended"));
}

#[test]
fn only_what_has_ended_for_good_is_ended() {
    let mut native = stuck("native");
    let proxy = native["spec"]["containers"].as_array_mut().unwrap().pop().unwrap();
    native["spec"]["initContainers"].as_array_mut().unwrap().push(proxy);
    native["spec"]["initContainers"][1]["restartPolicy"] = json!("Always");
    let status = native["status"]["containerStatuses"].as_array_mut().unwrap().pop().unwrap();
    native["status"]["initContainerStatuses"].as_array_mut().unwrap().push(status);
    let mut again = small(recorded("job-classic-failed-notready"));
    again["spec"]["restartPolicy"] = json!("OnFailure");
    again["metadata"]["namespace"] = json!("jobs");
    let mut deleted = stuck("deleted");
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut runs = stuck("runs");
    runs["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
    for pod in [native, again, deleted, runs] {
        let (_, double, (out, error, code)) = plain(World::with([pod]), &ACT);
        assert_eq!((out.as_str(), code, patches(&double)), ("", 0, 0), "{error}");
    }
}

#[test]
fn a_second_reaper_that_is_first_is_left_alone() {
    // Between the look and the patch another one adds its container.
    let (world, double, (out, _, code)) = play(World::with([stuck("report")]), &ACT, |request, number, world| {
        if request.verb == "PATCH" && number == 0 {
            let mut other = request.clone();
            other.body["spec"]["ephemeralContainers"][0]["name"] = json!("exeunt-end-1");
            let _ = world.answer(&other);
        }
        None
    });
    assert!(out.contains("left alone: a rescue is under way: its container exeunt-end-1 has not ended"), "{out}");
    assert_eq!((code, patches(&double)), (0, 1));
    let world = world.lock().unwrap();
    assert_eq!((world.added("report"), world.events.len()), (vec!["exeunt-end-1".to_owned()], 0));
}

#[test]
fn a_pod_that_vanishes_is_no_trouble() {
    for verb in ["GET", "PATCH"] {
        let (world, _, (out, error, code)) = play(World::with([stuck("report")]), &ACT, move |request, _, world| {
            if request.path.contains("/pods/report") && request.verb == verb && !world.pods.is_empty() {
                world.delete("report");
            }
            None
        });
        assert!(out.contains("left alone: it has gone"), "{verb}: {out}{error}");
        assert_eq!((code, world.lock().unwrap().events.len()), (0, 0), "{verb}");
    }
}

#[test]
fn another_pod_with_the_same_name_is_left_alone() {
    let (_, double, (out, _, code)) = play(World::with([stuck("report")]), &ACT, |request, _, world| {
        if request.path.ends_with("/report") {
            world.change("report", |pod| pod["metadata"]["uid"] = json!("another"));
        }
        None
    });
    assert!(out.contains("another pod has its name now"), "{out}");
    assert_eq!((code, patches(&double)), (0, 0));
}

#[test]
fn one_that_fails_must_wait_and_is_given_up_after_the_fifth() {
    let play = |pod: Value, kubelet: Kubelet| {
        let mut world = World::with([pod]);
        world.kubelet = kubelet;
        let (world, double, (out, _, code)) = plain(world, &ACT);
        let reasons = world.lock().unwrap().reasons();
        (out, code, patches(&double), reasons)
    };
    let (out, code, count, reasons) = play(stuck("report"), Kubelet::Fails);
    assert!(out.contains("istio-proxy could not be ended"), "{out}");
    assert_eq!((code, count, reasons), (1, 1, vec!["NotEnded".to_owned()]));
    // 10 minutes after the first, 20 after the second, 40 after the third.
    let (out, code, count, _) = play(tried(stuck("report"), &[590]), Kubelet::Ends);
    assert!(out.contains("waits for"), "{out}");
    assert_eq!((code, count), (1, 0));
    assert_eq!(play(tried(stuck("report"), &[610]), Kubelet::Ends).2, 1);
    assert_eq!(play(tried(stuck("report"), &[5000, 2390, 2380]), Kubelet::Ends).2, 0);
    assert_eq!(play(tried(stuck("report"), &[5000, 4000, 2410]), Kubelet::Ends).2, 1);
    let (out, _, _, reasons) = play(tried(stuck("report"), &[20_000, 20_000, 20_000, 20_000]), Kubelet::Fails);
    assert!(out.contains("given up after 5 tries"), "{out}");
    assert_eq!(reasons, ["GivenUp"]);
    // From then on it is named, and nothing is done.
    let (out, code, count, reasons) = play(tried(stuck("report"), &[20_000; 5]), Kubelet::Ends);
    assert!(out.contains("given up"), "{out}");
    assert_eq!((code, count, reasons.len()), (1, 0, 0));
}

#[test]
fn an_image_that_cannot_be_pulled_is_not_asked_for_twice() {
    let mut world = World::with([stuck("report")]);
    world.kubelet = Kubelet::HasNoImage;
    let (world, _, (out, _, code)) = plain(world, &ACT);
    assert!(out.contains("ImagePullBackOff"), "{out}");
    assert_eq!((code, world.lock().unwrap().reasons()), (1, vec!["NotEnded".to_owned()]));
    let waiting = world.lock().unwrap().pods["report"].clone();
    // The same image would wait with the first container. Another one may be tried, by a person at once.
    let end = |words: &[&str]| plain(World::with([waiting.clone()]), words);
    let (world, double, (out, _, code)) = end(&ACT);
    assert!(out.contains("waits: kubelet does not have the image"), "{out}");
    assert_eq!((patches(&double), code, world.lock().unwrap().events.len()), (0, 1, 0));
    let (_, double, (out, _, _)) = end(&["end", "report"]);
    assert!(out.contains("name another with --image"), "{out}");
    assert_eq!(patches(&double), 0);
    let (_, double, (out, error, code)) = end(&["end", "report", "--image", "mirror/exeunt-agent"]);
    assert_eq!((patches(&double), code), (1, 0), "{out}{error}");
}

#[test]
fn who_is_refused_says_why() {
    let (world, _, (out, _, code)) = play(World::with([stuck("report")]), &ACT, |request, _, _| {
        (request.verb == "PATCH").then(|| refusal(403, "Forbidden", "no").into())
    });
    assert!(out.contains("you may not patch pods/ephemeralcontainers"), "{out}");
    assert_eq!((code, world.lock().unwrap().reasons()), (1, vec!["NotEnded".to_owned()]));
    // Without the right to write Events the pods are ended all the same.
    let (_, _, (out, error, code)) = play(World::with([stuck("report")]), &ACT, |request, _, _| {
        (request.verb == "POST").then(|| refusal(403, "Forbidden", "no").into())
    });
    assert!(out.contains("istio-proxy is gone") && error.contains("you may not create events.events.k8s.io"), "{out}{error}");
    assert_eq!(code, 0);
}

#[test]
fn not_all_at_once() {
    let world = World::with((0..7).map(|number| stuck(&format!("pod-{number}"))));
    let most = Arc::new(Mutex::new((0, 0)));
    let seen = most.clone();
    let (world, _, (out, _, code)) = play(world, &[&ACT[..], &["--at-once=2"]].concat(), move |_, _, world| {
        let runs = |pod: &&Value| pod["status"]["ephemeralContainerStatuses"][0]["state"]["running"].is_object();
        let mut most = seen.lock().unwrap();
        most.0 = most.0.max(world.pods.values().filter(runs).count());
        None
    });
    assert_eq!((out.lines().count(), code, world.lock().unwrap().events.len()), (7, 0, 7), "{out}");
    assert!((1..=2).contains(&most.lock().unwrap().0));
}

#[test]
fn a_busy_server_is_asked_again() {
    let (_, double, (out, error, code)) = play(World::with([stuck("report")]), &ACT, |request, number, _| {
        let is_first = number == 0 && (request.verb == "PATCH" || request.path.ends_with("/pods"));
        is_first.then(|| Reply::from(refusal(429, "TooManyRequests", "later")).with("retry-after", "1"))
    });
    assert!(out.contains("istio-proxy is gone"), "{out}{error}");
    assert_eq!((code, patches(&double)), (0, 2));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let double = Double::start(|_: &Request, _| refusal(500, "InternalError", "nobody asks"));
    let wrong = ["reap", "--stuck-for=10", "--rate=fast", "--at-once=0", "--again-after=0"];
    let (_, error, code) = printed(&double.run(&wrong));
    let named =
        ["--stuck-for 10: allowed is", "--rate fast: allowed is", "--at-once 0: allowed is", "--again-after 0: allowed is"];
    assert!(named.iter().all(|wrong| error.contains(wrong)), "{error}");
    assert_eq!((error.lines().count(), code, double.seen().len()), (1, 2, 0), "{error}");
}

#[test]
fn what_a_verdict_says_cannot_move_the_cursor() {
    let (world, _, (out, error, _)) = play(World::with([stuck("report")]), &ACT, |request, _, world| {
        if request.verb == "GET" && request.path.ends_with("/report") && !world.added("report").is_empty() {
            world.kubelet = Kubelet::Hangs;
            let message = json!({"version": "1", "proxy": "gone", "advice": "\u{1b}[2J"}).to_string();
            let state = json!({"terminated": {"exitCode": 0, "message": message}});
            world.change("report", |pod| pod["status"]["ephemeralContainerStatuses"][0]["state"] = state);
        }
        None
    });
    assert!(out.contains("istio-proxy is gone") && !out.contains('\u{1b}') && !error.contains('\u{1b}'), "{out}{error}");
    assert!(!world.lock().unwrap().events[0]["note"].as_str().unwrap().contains('\u{1b}'));
}
