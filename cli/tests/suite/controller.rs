//! `controller` against a cluster that changes under its hands, and beside another controller.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::double::{Double, Kubelet, Reply, Request, Running, World, ended_ago, refusal, stuck, until};
use jiff::SignedDuration;
use serde_json::{Value, json};

const ACT: [&str; 5] = ["controller", "-n", "jobs", "--dry-run=false", "--rate=1000/s"];
const ANY: &str = "--metrics-address=127.0.0.1:0";

type Shared = Arc<Mutex<World>>;

fn cluster(
    world: World,
    change: impl Fn(&Request, usize, &mut World) -> Option<Reply> + Send + Sync + 'static,
) -> (Shared, Double) {
    let world = Arc::new(Mutex::new(world));
    let shared = world.clone();
    let double = Double::start(move |request, number| {
        let mut world = shared.lock().unwrap();
        change(request, number, &mut world).unwrap_or_else(|| world.answer(request))
    });
    (world, double)
}

fn plain(world: World) -> (Shared, Double) {
    cluster(world, |_, _, _| None)
}

fn start(double: &Double, words: &[&str]) -> Running {
    double.spawn(&[words, &[ANY]].concat())
}

fn is_over(world: &Shared, name: &str) -> bool {
    world.lock().unwrap().pods.get(name).is_some_and(|pod| pod["status"]["phase"] == "Succeeded")
}

fn patches(double: &Double, name: &str) -> usize {
    let is_one = |request: &&Request| request.verb == "PATCH" && request.path.contains(&format!("/{name}/"));
    double.seen().iter().filter(is_one).count()
}

/// What it serves at this path.
fn served(running: &Running, path: &str) -> String {
    running.says(" at 127.0.0.1:");
    let text = running.text();
    let port = text.split(" at 127.0.0.1:").nth(1).unwrap();
    let port = port.chars().take_while(char::is_ascii_digit).collect::<String>();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn two_controllers_add_one_container() {
    let names = (0..6).map(|number| format!("pod-{number}")).collect::<Vec<_>>();
    let (world, double) = plain(World::with(names.iter().map(|name| stuck(name))));
    let both = [start(&double, &ACT), start(&double, &ACT)];
    until("all to be ended", || names.iter().all(|name| is_over(&world, name)));
    until("the other one to wait", || both.iter().any(|one| one.text().contains("waits for the Lease")));
    until("their Events", || world.lock().unwrap().events.len() >= names.len());
    assert!(names.iter().all(|name| patches(&double, name) == 1));
    assert!(world.lock().unwrap().reasons().iter().all(|reason| reason == "ProxyEnded"));
    for one in &both {
        until("both to be ready", || served(one, "/readyz").contains(" 200 "));
    }
    let leaders = both.iter().filter(|one| served(one, "/metrics").contains("\nexeunt_leader 1\n")).count();
    assert_eq!(leaders, 1);
}

#[test]
fn who_is_told_to_stop_gives_the_lease_back() {
    let (world, double) = plain(World::with([]));
    let mut first = start(&double, &ACT);
    first.says("has the Lease");
    let second = start(&double, &ACT);
    second.says("waits for the Lease");
    first.terminate();
    assert_eq!(first.wait().code(), Some(0), "{}", first.text());
    second.says("has the Lease");
    until("a watch of the new holder", || world.lock().unwrap().watchers() > 0);
    world.lock().unwrap().add(stuck("report"));
    until("the pod to be ended", || is_over(&world, "report"));
    assert_eq!(patches(&double, "report"), 1);
}

#[test]
fn who_loses_the_lease_does_nothing_more() {
    let (world, double) = plain(World::with([]));
    let running = start(&double, &ACT);
    until("its watch", || world.lock().unwrap().watchers() > 0);
    {
        let mut world = world.lock().unwrap();
        let lease = world.lease.as_mut().unwrap();
        lease["spec"]["holderIdentity"] = json!("another");
        lease["metadata"]["resourceVersion"] = json!("900");
    }
    running.says("the Lease is lost, and nothing more is done: another has it now");
    world.lock().unwrap().add(stuck("report"));
    let looks = || double.seen().iter().filter(|request| request.path.contains("/leases/") && request.verb == "GET").count();
    let before = looks();
    until("two more looks at the Lease", || looks() >= before + 2);
    assert_eq!(patches(&double, "report"), 0);
    assert_eq!(world.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"], "another");
}

#[test]
fn who_cannot_renew_the_lease_stops_before_another_may_begin() {
    let (world, double) = cluster(World::with([]), |request, number, _| {
        (request.verb == "PUT" && number > 0).then(|| refusal(500, "InternalError", "no leader of etcd").into())
    });
    let running = start(&double, &ACT);
    running.says("the Lease is lost, and nothing more is done: it could not be renewed");
    assert!(running.text().contains("no leader of etcd"), "{}", running.text());
    world.lock().unwrap().add(stuck("report"));
    let tries = || double.seen().iter().filter(|request| request.verb == "PUT").count();
    let before = tries();
    until("two more tries", || tries() >= before + 2);
    assert_eq!(patches(&double, "report"), 0);
}

#[test]
fn a_watch_goes_on_after_whatever_happens() {
    let (world, double) = cluster(World::with([stuck("at-first")]), |request, number, _| {
        let is_list = request.path.ends_with("/pods") && !request.query.contains("watch=");
        (is_list && number == 0).then(|| Reply::from(refusal(429, "TooManyRequests", "later")).with("retry-after", "1"))
    });
    let running = start(&double, &ACT);
    until("the first to be ended", || is_over(&world, "at-first"));
    let add = |name: &str| {
        until("a watch", || world.lock().unwrap().watchers() > 0);
        world.lock().unwrap().add(stuck(name));
        until(name, || is_over(&world, name));
    };
    add("after-the-list");
    world.lock().unwrap().break_watches();
    add("after-a-break");
    let gone = json!({"type": "ERROR", "object": refusal(410, "Expired", "too old resource version").1});
    world.lock().unwrap().send(&gone);
    world.lock().unwrap().break_watches();
    add("after-gone");
    for name in ["at-first", "after-the-list", "after-a-break", "after-gone"] {
        assert_eq!(patches(&double, name), 1, "{name}");
    }
    assert!(running.text().contains("too old"), "{}", running.text());
}

#[test]
fn a_pod_that_has_gone_while_nobody_looked_is_forgotten() {
    let (world, double) = plain(World::with([ended_ago(stuck("vanishes"), 0)]));
    let _running = start(&double, &[&ACT[..], &["--stuck-for=30"]].concat());
    until("its watch", || world.lock().unwrap().watchers() > 0);
    {
        let mut world = world.lock().unwrap();
        world.break_watches();
        world.pods.clear();
        let gone = json!({"type": "ERROR", "object": refusal(410, "Expired", "too old resource version").1});
        world.send(&gone);
    }
    until("a watch", || world.lock().unwrap().watchers() > 0);
    world.lock().unwrap().add(stuck("report"));
    until("the pod to be ended", || is_over(&world, "report"));
    assert_eq!(patches(&double, "vanishes"), 0);
}

#[test]
fn the_clock_is_that_of_the_api_server() {
    let behind = Some(SignedDuration::from_secs(-590));
    let pods = [stuck("fresh"), ended_ago(stuck("old"), 10_000)];
    let (world, double) = cluster(World::with(pods), move |request, _, world| Some(world.answer(request).at(behind)));
    let _running = start(&double, &ACT);
    until("the old one to be ended", || is_over(&world, "old"));
    assert_eq!(patches(&double, "fresh"), 0);
}

#[test]
fn a_namespace_can_agree_later() {
    let mut other = stuck("other");
    other["metadata"]["namespace"] = json!("elsewhere");
    let mut refuses = stuck("refuses");
    refuses["metadata"]["labels"]["exeunt.dev/reap"] = json!("off");
    let (world, double) = plain(World::with([stuck("report"), other, refuses]));
    let running = start(&double, &["controller", "-A", "--dry-run=false", "--rate=1000/s"]);
    until("it to be ready", || served(&running, "/readyz").contains(" 200 "));
    world.lock().unwrap().mark("jobs");
    until("the pod to be ended", || is_over(&world, "report"));
    assert_eq!((patches(&double, "other"), patches(&double, "refuses")), (0, 0));
}

#[test]
fn a_dry_run_names_each_pod_once_and_changes_nothing() {
    let (world, double) = plain(World::with([stuck("report")]));
    let running = start(&double, &["controller", "-n", "jobs"]);
    running.says("jobs/report: would be ended");
    until("the number", || served(&running, "/metrics").contains(r#"exeunt_reaps_total{result="would-end",dry_run="true"} 1"#));
    assert!(served(&running, "/metrics").contains(r#"exeunt_stuck_pods{namespace="jobs",state="stuck"} 1"#));
    world.lock().unwrap().change("report", |pod| pod["metadata"]["labels"]["a"] = json!("b"));
    world.lock().unwrap().add(stuck("another"));
    running.says("jobs/another: would be ended");
    assert_eq!(running.text().matches("jobs/report").count(), 1, "{}", running.text());
    // The Lease is all that is written.
    assert!(double.seen().iter().all(|request| request.verb == "GET" || request.path.contains("/leases")));
}

#[test]
fn one_that_is_refused_is_not_asked_again_at_once() {
    let (world, double) = cluster(World::with([stuck("report")]), |request, _, _| {
        (request.verb == "PATCH" && request.path.contains("/report/"))
            .then(|| refusal(403, "Forbidden", "a policy says no").into())
    });
    let running = start(&double, &ACT);
    running.says("you may not patch pods/ephemeralcontainers");
    until("its Event", || world.lock().unwrap().reasons() == ["NotEnded"]);
    world.lock().unwrap().change("report", |pod| pod["metadata"]["labels"]["a"] = json!("b"));
    world.lock().unwrap().add(stuck("other"));
    until("the other to be ended", || is_over(&world, "other"));
    assert_eq!(patches(&double, "report"), 1);
    assert!(served(&running, "/metrics").contains(r#"exeunt_reaps_total{result="refused",dry_run="false"} 1"#));
}

#[test]
fn what_is_lost_is_counted_and_said_on_the_pod() {
    let mut world = World::with([stuck("report")]);
    world.kubelet = Kubelet::Loses(4096);
    let (world, double) = plain(world);
    let running = start(&double, &ACT);
    until("both Events", || {
        let mut reasons = world.lock().unwrap().reasons();
        reasons.sort();
        reasons == ["BytesLost", "ProxyEnded"]
    });
    assert!(served(&running, "/metrics").contains(r#"exeunt_undelivered_bytes_total{namespace="jobs",owner_kind="Job"} 4096"#));
    let mut running = running;
    running.terminate();
    assert_eq!(running.wait().code(), Some(0));
}

/// Verb, group and resource of a request, as rules name them.
fn right(request: &Request) -> (String, String, String) {
    let words = request.path.split('/').skip(1).collect::<Vec<_>>();
    let (group, mut rest) = if words[0] == "api" { ("", &words[2..]) } else { (words[1], &words[3..]) };
    if rest[0] == "namespaces" && rest.len() > 2 {
        rest = &rest[2..];
    }
    let resource = [rest.first(), rest.get(2)].into_iter().flatten().copied().collect::<Vec<_>>().join("/");
    let verb = match request.verb.as_str() {
        "GET" if rest.len() > 1 => "get",
        "GET" if request.query.contains("watch=") => "watch",
        "GET" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        other => panic!("{other}"),
    };
    (verb.to_owned(), group.to_owned(), resource)
}

/// What the rules of these files allow.
fn allowed(files: &[&str]) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(format!("{}/../deploy/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for document in exeunt_cli::workload::documents(&text).unwrap() {
            for rule in document["rules"].as_array().into_iter().flatten() {
                let list = |name: &str| rule[name].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
                for verb in list("verbs") {
                    for group in list("apiGroups") {
                        all.extend(list("resources").map(|resource| (verb.clone(), group.clone(), resource)));
                    }
                }
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

fn used(double: &Double) -> Vec<(String, String, String)> {
    let mut used = double.seen().iter().map(right).collect::<Vec<_>>();
    used.sort();
    used.dedup();
    used
}

#[test]
fn the_manifests_allow_what_is_used_and_nothing_else() {
    let agrees = |name: &str| {
        let mut pod = stuck(name);
        pod["metadata"]["labels"]["exeunt.dev/reap"] = json!("on");
        pod
    };
    let (world, double) = plain(World::with([agrees("report")]));
    let mut running = start(&double, &["controller", "-A", "--dry-run=false"]);
    until("its Event", || !world.lock().unwrap().events.is_empty());
    until("the Lease to be renewed", || double.seen().iter().any(|request| request.verb == "PUT"));
    running.terminate();
    assert_eq!(running.wait().code(), Some(0));
    assert_eq!(used(&double), allowed(&["controller/rights.yaml", "controller/lease.yaml"]));
    // In chosen namespaces all but the Namespaces.
    let (world, double) = plain(World::with([agrees("report")]));
    let running = start(&double, &["controller", "--namespaces=jobs", "--dry-run=false"]);
    until("its Event", || !world.lock().unwrap().events.is_empty());
    until("the Lease to be renewed", || double.seen().iter().any(|request| request.verb == "PUT"));
    drop(running);
    assert_eq!(used(&double), allowed(&["controller/chosen-namespaces/rights.yaml", "controller/lease.yaml"]));

    let (_, double) = plain(World::with([agrees("report")]));
    let output = double.run(&["reap", "-A", "--dry-run=false"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(used(&double), allowed(&["reap/cronjob.yaml"]));
}

/// 5,000 pods of which some hang, and one change of each. What a controller keeps of a pod that runs is nothing, and of one that hangs a few
/// words: the memory is that of one page of the list.
#[test]
#[expect(clippy::disallowed_macros, reason = "docs/reap.md names the figure, and this prints it")]
fn five_thousand_pods_need_little_memory() {
    const PODS: usize = 5000;
    const HANGING: usize = 500;
    const MOST_KIB: u64 = 64 * 1024;
    let pod = |number: usize| {
        let mut pod = stuck(&format!("pod-{number:04}"));
        if number >= HANGING {
            pod["status"]["containerStatuses"][0]["state"] = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        }
        pod
    };
    let (world, double) = plain(World::with((0..PODS).map(pod)));
    let running = start(&double, &["controller", "-n", "jobs"]);
    let is_named = |number: usize| format!("exeunt_reaps_total{{result=\"would-end\",dry_run=\"true\"}} {number}");
    until("all that hang", || served(&running, "/metrics").contains(&is_named(HANGING)));
    until("the end of the list", || world.lock().unwrap().watchers() > 0);
    let lists = double.seen().iter().filter(|request| request.query.contains("limit=200")).count();
    assert_eq!(lists, PODS / 200 + 1);
    let names = world.lock().unwrap().pods.keys().cloned().collect::<Vec<_>>();
    for name in names {
        world.lock().unwrap().change(&name, |pod: &mut Value| pod["metadata"]["labels"]["a"] = json!("b"));
    }
    world.lock().unwrap().add(stuck("the-last"));
    until("the last", || served(&running, "/metrics").contains(&is_named(HANGING + 1)));
    let peak = running.peak_kib();
    println!("peak memory with {PODS} pods: {peak} KiB");
    assert!(peak < MOST_KIB, "{peak} KiB");
}
