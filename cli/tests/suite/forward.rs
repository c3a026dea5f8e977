//! `end` by port-forward: the double of an API server forwards to a double of Envoy's admin interface.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::double::{Answer, Double, Request, printed, recorded, refusal};
use serde_json::{Value, json};

const NO_RIGHT: &str = "pods \"report\" is forbidden: User \"nobody\" cannot patch resource \"pods/ephemeralcontainers\"";

/// A pod that hangs, in the namespace `jobs`.
fn stuck() -> Value {
    let mut pod = recorded("job-classic-notready");
    pod["metadata"]["name"] = json!("report");
    pod["metadata"]["uid"] = json!("uid-of-report");
    pod
}

/// Envoy's admin interface. `in_flight` gives the count by the number of the question; a call to quit sets `gone`.
fn envoy(in_flight: impl Fn(usize) -> u64 + Send + Sync + 'static, gone: Arc<AtomicBool>) -> Double {
    Double::start(move |request, number| match (request.verb.as_str(), request.path.as_str()) {
        ("GET", "/stats") => (200, json!("cluster_manager.active_clusters: 8\n")),
        ("GET", "/clusters") => {
            let count = in_flight(number);
            (200, json!(format!("outbound|9000||db.example::10.0.0.9:9000::rq_active::{count}\nxds-grpc::a:1::rq_active::1\n")))
        }
        ("POST", "/healthcheck/fail" | "/drain_listeners") => (200, json!("OK\n")),
        ("POST", "/quitquitquit") => {
            gone.store(true, Ordering::SeqCst);
            (200, json!("OK\n"))
        }
        other => panic!("{other:?}"),
    })
}

/// An API server with one pod, which has ended once Envoy is gone. `patched` answers who adds a container, `port` is where port-forwards lead
/// to, and `pod` changes the pod by the number of the question.
fn api_server(
    patched: Answer,
    port: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    change: impl Fn(&mut Value, usize) + Send + Sync + 'static,
    gone: Arc<AtomicBool>,
) -> Double {
    Double::start(move |request, number| {
        if request.verb == "PATCH" {
            return patched.clone();
        }
        if request.path.ends_with("/portforward") {
            return port(request);
        }
        let mut pod = stuck();
        change(&mut pod, number);
        if gone.load(Ordering::SeqCst) {
            pod["status"]["phase"] = json!("Succeeded");
            for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
                status["state"] = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
            }
        }
        (200, pod)
    })
}

/// Both, and what `end` prints.
fn end(
    words: &[&str],
    patched: Answer,
    in_flight: impl Fn(usize) -> u64 + Send + Sync + 'static,
    change: impl Fn(&mut Value, usize) + Send + Sync + 'static,
) -> (Double, Double, (String, String, i32)) {
    let gone = Arc::new(AtomicBool::new(false));
    let envoy = envoy(in_flight, gone.clone());
    let port = envoy.port();
    let server = api_server(patched, move |_| (101, json!(port)), change, gone);
    let words = [&["end", "report", "--settle", "1"], words].concat();
    let output = printed(&server.run(&words));
    (server, envoy, output)
}

fn paths(double: &Double) -> Vec<String> {
    double.seen().into_iter().map(|request| request.path).collect()
}

fn count(double: &Double, part: &str) -> usize {
    paths(double).iter().filter(|path| path.contains(part)).count()
}

#[test]
fn who_may_add_no_container_ends_the_proxy_by_port_forward() {
    let busy_at_first = |number| u64::from(number == 0);
    let (server, envoy, (out, error, code)) = end(&[], refusal(403, "Forbidden", NO_RIGHT), busy_at_first, |_, _| {});
    assert!(out.contains("by port-forward to Envoy's admin interface; Envoy had nothing in flight for 1000 ms"), "{out}{error}");
    assert!(out.contains("not seen: what the kernel of the pod still held"), "{out}");
    assert_eq!((code, count(&envoy, "/quitquitquit")), (0, 1));
    // One answer with a request in flight, and two without.
    assert_eq!(count(&envoy, "/clusters"), 3);
    // Every port-forward names the pod, and the pod is read again behind it.
    let seen = server.seen();
    for (number, request) in seen.iter().enumerate().filter(|(_, request)| request.path.ends_with("/portforward")) {
        assert_eq!(request.path, "/api/v1/namespaces/jobs/pods/report/portforward");
        assert_eq!(seen[number + 1].path, "/api/v1/namespaces/jobs/pods/report");
    }
    assert!(seen.iter().all(|request| ["GET", "PATCH"].contains(&request.verb.as_str())));
}

#[test]
fn a_cluster_without_ephemeral_containers_is_no_obstacle() {
    let missing = refusal(404, "NotFound", "the server could not find the requested resource");
    let (_, _, (out, error, code)) = end(&["-o", "json"], missing, |_| 0, |_, _| {});
    let outcomes: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let outcome = &outcomes[0];
    assert_eq!((&outcome["isGone"], &outcome["verdict"], code), (&json!(true), &Value::Null, 0));
    assert_eq!((&outcome["forwarded"]["inFlight"], &outcome["forwarded"]["settleMs"]), (&json!(0), &json!(1000)));
    assert_eq!(outcome["forwarded"]["notSeen"].as_array().unwrap().len(), 2);
}

#[test]
fn the_way_can_be_chosen() {
    let (server, _, (out, error, code)) = end(&["--by", "forward"], refusal(500, "Error", "not asked"), |_| 0, |_, _| {});
    assert!(out.contains("is gone"), "{out}{error}");
    assert_eq!((code, server.seen().iter().filter(|request| request.verb == "PATCH").count()), (0, 0));
    let (server, envoy, (out, _, code)) = end(&["--by", "ephemeral"], refusal(403, "Forbidden", NO_RIGHT), |_| 0, |_, _| {});
    assert!(out.contains("patch pods/ephemeralcontainers") && out.contains("--by forward"), "{out}");
    assert_eq!((code, count(&server, "portforward"), envoy.seen().len()), (1, 0, 0));
}

#[test]
fn what_a_policy_refuses_is_not_done_in_another_way() {
    let denied = refusal(403, "Forbidden", "admission webhook \"images\" denied the request: not from here");
    let (server, _, (out, _, code)) = end(&[], denied, |_| 0, |_, _| {});
    assert!(out.contains("not from here"), "{out}");
    assert_eq!((code, count(&server, "portforward")), (1, 0));
}

#[test]
fn a_port_forward_to_another_pod_of_that_name_carries_nothing() {
    let another = |pod: &mut Value, number| {
        if number >= 2 {
            pod["metadata"]["uid"] = json!("another");
        }
    };
    // Once to choose the pod, once to begin, and then behind the port-forward.
    let (server, envoy, (out, _, _)) = end(&["--by", "forward"], refusal(500, "", ""), |_| 0, another);
    assert_eq!((count(&server, "portforward"), envoy.seen().len()), (1, 0), "{out}");
}

#[test]
fn a_task_that_runs_again_keeps_its_proxy() {
    let again = |pod: &mut Value, number| {
        if number >= 2 {
            pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
        }
    };
    let (server, envoy, (out, _, code)) = end(&["--by", "forward"], refusal(500, "", ""), |_| 0, again);
    assert!(out.contains("its main container base still runs"), "{out}");
    assert_eq!((code, count(&server, "portforward"), envoy.seen().len()), (1, 1, 0));
}

#[test]
fn what_is_in_flight_is_not_cut_off() {
    let (_, envoy, (out, _, code)) = end(&["--by", "forward", "--timeout", "2"], refusal(500, "", ""), |_| 1, |_, _| {});
    assert!(out.contains("not ended: Envoy still had requests in flight"), "{out}");
    assert_eq!((code, count(&envoy, "/quitquitquit")), (1, 0));
}

#[test]
fn both_missing_rights_are_named() {
    let gone = Arc::new(AtomicBool::new(false));
    let no_right = |_: &Request| refusal(403, "Forbidden", "cannot get resource \"pods/portforward\"");
    let server = api_server(refusal(403, "Forbidden", NO_RIGHT), no_right, |_, _| {}, gone);
    let (out, _, code) = printed(&server.run(&["end", "report"]));
    for part in ["patch pods/ephemeralcontainers", "get pods/portforward", "docs/rescue.md"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(code, 1);
}

#[test]
fn nobody_at_the_port_is_no_end() {
    let gone = Arc::new(AtomicBool::new(false));
    // A port that nobody listens at.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = api_server(refusal(500, "", ""), move |_| (101, json!(free)), |_, _| {}, gone);
    let (out, _, code) = printed(&server.run(&["end", "report", "--by", "forward", "--timeout", "2"]));
    assert!(out.contains("not ended"), "{out}");
    assert_eq!(code, 1);
}

/// With a real Envoy, whose end is the end of the pod: `tests/forwarded` starts one, and calls this.
#[test]
#[ignore = "needs an Envoy that runs, and ends it"]
#[expect(clippy::disallowed_macros, reason = "tests/forwarded reads it")]
fn a_real_envoy_is_drained_and_ended() {
    let port: u16 = std::env::var("EXEUNT_ADMIN_PORT").unwrap().parse().unwrap();
    let gone = Arc::new(AtomicBool::new(false));
    let ends = gone.clone();
    std::thread::spawn(move || {
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        ends.store(true, Ordering::SeqCst);
    });
    let server = api_server(refusal(403, "Forbidden", NO_RIGHT), move |_| (101, json!(port)), |_, _| {}, gone);
    let (out, error, code) = printed(&server.run(&["end", "report", "--settle", "2"]));
    assert_eq!(code, 0, "{out}{error}");
    println!("{out}");
}
