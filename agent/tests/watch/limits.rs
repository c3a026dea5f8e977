//! Who sets the limits, which of them has passed, and what a SIGTERM does to them.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::SOON;
use crate::fake::Proxy;
use crate::world::{Agent, Task};

/// Much longer than the task needs to write its data.
const WRITING: Duration = Duration::from_millis(500);

/// A task that sends a megabyte to the front listener of `proxy`. The kernel takes all of it at once.
fn sender(proxy: &Proxy) -> Task {
    let send = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'x' * 1_000_000)";
    Task::start(&format!("python3 -c \"{send}\" {}; read x", proxy.front()))
}

/// The agent that watches `task` beside `proxy` in a pod with `restartPolicy: Never`, with more `options`.
fn watch(proxy: &Proxy, task: &Task, options: &[&str]) -> Agent {
    let options = [&["--restart-policy", "Never"], options].concat();
    Agent::start(proxy.agent("watch").args(["--pid", &task.pid().to_string()]).args(options)).until_watching()
}

#[test]
fn limits_that_were_given_go_to_the_filter_and_defaults_do_not() {
    for (options, sent) in [
        (&["--drain-timeout", "10m", "--stall-timeout", "20s"][..], ", \"drainTimeoutMs\": 600000, \"stallTimeoutMs\": 20000}"),
        (&[][..], "}"),
    ] {
        let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
        let agent = watch(&proxy, &task, options);
        task.end();
        agent.verdict().has(&["\"proxy\":\"gone\""]);
        let story = proxy.story();
        let completion = story.lines().find(|line| line.starts_with("completion")).unwrap();
        assert!(completion.ends_with(sent) && completion.contains("Timeout") == (sent != "}"), "{completion}");
    }
}

#[test]
fn a_drain_whose_deadline_moves_for_ever_keeps_no_pod() {
    let (proxy, task) = (Proxy::start(&["filter=endless"]), Task::start("read x"));
    let agent = watch(&proxy, &task, &[]);
    let began = Instant::now();
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", &format!("\"route\":\"admin 127.0.0.1:{}\"", proxy.admin())]);
    verdict.has(&["\"outcome\":\"accepted, but the proxy still runs\""]);
    // Twice the second that it promises, and five more.
    assert!(began.elapsed() >= Duration::from_secs(6) && began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_filter_that_does_not_end_when_its_time_is_over_keeps_the_agent_for_five_seconds() {
    let (proxy, task) = (Proxy::start(&["filter=over"]), Task::start("read x"));
    let agent = watch(&proxy, &task, &[]);
    let began = Instant::now();
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\"", "\"outcome\":\"accepted, but the proxy still runs\""]);
    // Without that limit it would be twice the ten seconds that the filter tells, and five more.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn an_older_filter_gets_the_completion_without_limits() {
    let (proxy, task) = (Proxy::start(&["filter=older"]), Task::start("read x"));
    let agent = watch(&proxy, &task, &["--drain-timeout", "10m"]);
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", &format!("\"route\":\"filter 127.0.0.1:{}\"", proxy.signal())]);
    let story = proxy.story();
    assert_eq!(story.matches("drainTimeoutMs").count(), 1, "it is asked once: {story}");
}

#[test]
fn the_verdict_names_the_limit_that_the_filter_has_told_and_where_to_raise_it() {
    for (limit, options, advice) in [
        (
            "drain-timeout",
            &[][..],
            "the delivery has 10s in all: raise drainTimeout in the plugin's configuration, or give this agent --drain-timeout",
        ),
        ("drain-timeout", &["--drain-timeout", "10s"], "the delivery has 10s in all: raise the agent's --drain-timeout"),
        (
            "stall-timeout",
            &[],
            "no byte has moved for 7s: look at the receiver, or raise stallTimeout in the plugin's configuration, or give",
        ),
    ] {
        let told = format!("limit={limit}");
        let proxy = Proxy::start(&["filter=drained", "front=60", &told]);
        let task = sender(&proxy);
        let agent = watch(&proxy, &task, &[&["--action", "drain"], options].concat());
        sleep(WRITING);
        task.end();
        agent.verdict().has(&["\"proxy\":\"left\"", &format!("\"limit\":\"{limit}\""), advice]);
    }
}

#[test]
fn an_envoy_that_ends_slowly_after_the_filters_call_has_ended_by_the_filter() {
    let (proxy, task) = (Proxy::start(&["end=2"]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\"", &format!("\"route\":\"filter 127.0.0.1:{}\"", proxy.signal())]);
    let story = proxy.story();
    assert!(!story.contains("pilot-agent"), "{story}");
}

#[test]
fn a_sigterm_that_the_pod_outlives_changes_nothing() {
    for filter in ["filter=ok", "filter=none"] {
        let proxy = Proxy::start(&[filter, "front=4"]);
        let task = sender(&proxy);
        let agent = watch(&proxy, &task, &["--grace-period", "3s"]);
        let terminate = || {
            let sent = Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status();
            assert!(sent.unwrap().success());
        };
        terminate();
        let began = Instant::now();
        sleep(WRITING);
        task.end();
        terminate();
        let verdict = agent.verdict();
        verdict.has(&["\"proxy\":\"gone\"", "\"undelivered\":{\"connections\":0,\"bytes\":0,\"atLeast\":false},\"limit\":null"]);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert!(proxy.story().contains("received "), "{filter}");
    }
}

#[test]
fn the_sigterm_after_one_that_the_pod_has_outlived_is_seen_too() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
    let agent = watch(&proxy, &task, &["--grace-period", "3s"]);
    let terminate = || assert!(Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status().unwrap().success());
    terminate();
    agent.early_verdict();
    // The grace period, and the last report in it.
    sleep(Duration::from_secs(4));
    agent.remove_verdict();
    terminate();
    assert!(agent.early_verdict().contains("\"proxy\":\"draining\""));
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\""]);
}

#[test]
fn what_vanishes_while_envoy_ends_is_not_delivered() {
    let proxy = Proxy::start(&["filter=stalled", "front=60", "limit=stall-timeout"]);
    let task = sender(&proxy);
    let agent = Agent::watch(&proxy, &task);
    sleep(WRITING);
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", &format!("\"route\":\"filter 127.0.0.1:{}\"", proxy.signal())]);
    verdict.has(&["\"bytes\":1000000", "\"limit\":\"stall-timeout\""]);
}
