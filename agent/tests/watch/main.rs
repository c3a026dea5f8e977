//! The agent's binary beside a fake proxy, on loopback, as on a shared host. What is decided is tested elsewhere; here, that the
//! agent sees what happens and tells whom it should. The real filter in a real Envoy is tested in the workspace's `tests/`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it cannot go on")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod world;

use world::{AGENT, Agent, Proxy, Task};

/// Far longer than anything here takes; short beside the agent's own limits.
const SOON: Duration = Duration::from_secs(10);

/// Whether the kernel tells how a process has ended that is not a child of whoever asks: Linux 6.15 and newer.
fn kernel_tells() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0u32));
    let told = (numbers.next(), numbers.next()) >= (Some(6), Some(15));
    if !told {
        eprintln!("SKIPPED: the exit status, which Linux {} does not tell", release.trim());
    }
    told
}

#[test]
fn the_filter_is_told_the_end_and_the_proxy_goes() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x; exit 3"));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    let verdict = agent.verdict();
    verdict.has(&[
        "\"exitCode\":3",
        "\"exitStatus\":\"known\"",
        "\"signal\":null",
        "\"container\":\"base\"",
        "\"action\":\"quit\"",
    ]);
    verdict.has(&["\"proxy\":\"gone\"", "\"undelivered\":{\"connections\":0,\"bytes\":0}"]);
    verdict.has(&[&format!("\"route\":\"filter 127.0.0.1:{}\"", proxy.signal())]);
    let story = proxy.story();
    assert!(
        story.starts_with("completion 1 {\"container\": \"base\", \"exitCode\": 3, \"signal\": null, \"action\": \"quit\""),
        "{story}"
    );
    assert!(!story.contains("admin") && !story.contains("pilot-agent"), "{story}");
}

#[test]
fn a_signal_is_an_end_too() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    task.kill();
    let signal =
        if kernel_tells() { "\"exitCode\":null,\"signal\":9,\"exitStatus\":\"known\"" } else { "\"exitStatus\":\"unknown\"" };
    agent.verdict().has(&[signal, "\"proxy\":\"gone\""]);
}

#[test]
fn the_proxy_is_not_told_to_go_before_it_has_read_everything() {
    let proxy = Proxy::start(&[]);
    let send = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'x' * 3_000_000)";
    let task = Task::start(&format!("python3 -c \"{send}\" {}; read x", proxy.front()));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\"", "\"undelivered\":{\"connections\":0,\"bytes\":0}"]);
    let story = proxy.story();
    assert!(story.contains("received 3000000"), "{story}");
}

#[test]
fn without_a_filter_the_agent_drains_by_envoys_admin_interface() {
    for roles in ["filter=none", "filter=foreign"] {
        let (proxy, task) = (Proxy::start(&[roles]), Task::start("read x"));
        let agent = Agent::watch(&proxy, &task);
        task.end();
        let verdict = agent.verdict();
        verdict.has(&["\"proxy\":\"gone\"", &format!("\"route\":\"admin 127.0.0.1:{}\"", proxy.admin())]);
        let why = if roles == "filter=none" { "refused" } else { "not the filter's answer (503)" };
        verdict.has(&[&format!("{{\"route\":\"filter 127.0.0.1:{}\",\"outcome\":\"{why}\"}}", proxy.signal())]);
        let story = proxy.story();
        let calls = ["POST /healthcheck/fail", "POST /drain_listeners?inboundonly&graceful&skip_exit", "POST /quitquitquit"];
        assert!(calls.iter().all(|call| story.contains(call)), "{story}");
    }
}

#[test]
fn without_an_admin_interface_pilot_agent_is_asked() {
    let (proxy, task) = (Proxy::start(&["filter=none", "admin=no"]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\"", &format!("\"route\":\"pilot-agent 127.0.0.1:{}\"", proxy.status())]);
    assert!(proxy.story().contains("pilot-agent POST /quitquitquit"));
}

#[test]
fn a_native_sidecar_is_left() {
    let (proxy, task) = (Proxy::start(&["filter=drained"]), Task::start("read x"));
    let agent = Agent::start(proxy.agent("watch").args(["--action", "drain", "--pid", &task.pid().to_string()])).until_watching();
    task.end();
    agent.verdict().has(&[
        "\"action\":\"drain\"",
        "\"proxy\":\"left\"",
        &format!("\"route\":\"filter 127.0.0.1:{}\"", proxy.signal()),
    ]);
}

#[test]
fn a_proxy_that_goes_by_itself_has_no_route() {
    let (mut proxy, task) = (Proxy::start(&["filter=none"]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task).until_it_holds(2);
    proxy.kill();
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\"", "\"route\":null", "\"rungs\":[]"]);
}

#[test]
fn signals_do_not_end_a_watch() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    for signal in ["INT", "TERM"] {
        assert!(Command::new("kill").args([&format!("-{signal}"), &agent.pid().to_string()]).status().unwrap().success());
    }
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\""]);
}

#[test]
fn a_task_that_failed_under_on_failure_keeps_its_proxy_until_the_pod_is_ended() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x; exit 1"));
    let pid = task.pid().to_string();
    let agent = Agent::start(proxy.agent("watch").args(["--pid", &pid, "--restart-policy", "OnFailure"])).until_watching();
    task.end();
    // Nothing was told to the filter yet: only SIGTERM makes this end the last one.
    let agent = agent.until_it_says("is not done");
    assert!(Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status().unwrap().success());
    agent.verdict().has(&["\"proxy\":\"gone\"", "\"route\":\"filter"]);
}

#[test]
fn an_exit_status_that_comes_late_is_in_the_verdict() {
    let task = Task::reaped_after(Duration::from_millis(200), "read x; exit 3");
    let mut proxy = Proxy::start(&["filter=none", "admin=no", "pilot=no"]);
    let agent = Agent::watch(&proxy, &task);
    task.end();
    // Nothing that the agent can do ends it.
    proxy.kill();
    agent.verdict().has(&[if kernel_tells() { "\"exitCode\":3" } else { "\"exitStatus\":\"unknown\"" }]);
}

#[test]
fn under_on_failure_an_exit_status_that_comes_late_is_waited_for() {
    let (proxy, task) = (Proxy::start(&[]), Task::reaped_after(Duration::from_millis(200), "read x; exit 0"));
    let pid = task.pid().to_string();
    let agent = Agent::start(proxy.agent("watch").args(["--pid", &pid, "--restart-policy", "OnFailure"])).until_watching();
    task.end();
    if !kernel_tells() {
        eprintln!("SKIPPED: before Linux 6.15 the kernel does not tell the exit status");
        return;
    }
    // An unknown one would cost the back-off.
    let agent = agent.until_it_says("has ended (exit code 0)");
    agent.verdict().has(&["\"exitCode\":0", "\"proxy\":\"gone\""]);
}

#[test]
fn before_there_is_a_task_sigterm_is_an_order_to_leave() {
    // Whoever names the proxy's process knows that the node's processes are seen here.
    let proxy = std::process::id().to_string();
    let agent =
        Agent::start(Command::new(AGENT).args(["watch", "--container", "a-container-that-never-comes", "--proxy-pid", &proxy]));
    // It is held back before the first look at /proc; the blocked signals say so.
    let held = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:").map(|mask| u64::from_str_radix(mask.trim(), 16)));
        line.unwrap().unwrap() & (1 << 14) != 0
    };
    let began = Instant::now();
    while !held(std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap()) {
        assert!(began.elapsed() < SOON);
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status().unwrap().success());
    let said = agent.leaves();
    assert!(said.contains("asked to leave"), "{said}");
}

#[test]
fn mistakes_are_all_told_and_never_hold_up_the_pod() {
    for (verb, code) in [("watch", 0), ("complete", 64)] {
        let output =
            Command::new(AGENT).args([verb, "--pid", "x", "--action", "stop"]).env("EXEUNT_ADMIN_PORT", "x").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        for name in ["--pid", "--action", "EXEUNT_ADMIN_PORT"] {
            assert!(said.contains(name), "{name}: {said}");
        }
        // The pod's owner looks for a verdict.
        let told = said.lines().any(|line| line.starts_with('{') && line.contains("\"proxy\":\"untouched\""));
        assert_eq!(told, verb == "watch", "{said}");
    }
}

#[test]
fn a_native_sidecar_with_mistakes_stays_so_that_kubelet_does_not_start_it_again_and_again() {
    let agent = Agent::start(Command::new(AGENT).args(["watch", "--placement", "native", "--grace-period", "30"]));
    let agent = agent.until_it_says("\"refused\":[{\"reason\":\"--grace-period: ");
    assert!(Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status().unwrap().success());
    agent.leaves();
}

#[test]
fn a_plan_names_everything_that_would_be_tried_and_touches_nothing() {
    let (mut proxy, task) = (Proxy::start(&["filter=foreign"]), Task::start("read x"));
    let output = proxy.agent("watch").args(["--explain", "--pid", &task.pid().to_string()]).output().unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines = [
        format!("main container  base: process {}", task.pid()),
        "action          quit: the proxy drains, then ends".to_owned(),
        format!("filter          127.0.0.1:{}: not the filter's answer (503)", proxy.signal()),
        format!("then            Envoy's admin interface, port {}: listens", proxy.admin()),
        "limits          5m in all, 15s without a byte moving, 30s from SIGTERM on".to_owned(),
    ];
    for line in lines {
        assert!(plan.lines().any(|known| known == line), "{line} is not in\n{plan}");
    }
    task.end();
    proxy.kill();
    assert!(!proxy.story().contains("admin POST"));
}

#[test]
fn complete_tells_the_exit_code_it_was_given() {
    let proxy = Proxy::start(&[]);
    let agent = Agent::start(proxy.agent("complete").args(["--container", "job", "--exit-code", "7"]));
    agent.verdict().has(&["\"container\":\"job\"", "\"exitCode\":7", "\"proxy\":\"gone\""]);
}

#[test]
fn stdout_is_for_answers() {
    let output = Command::new(AGENT).arg("--version").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.stdout, format!("exeunt-agent {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    let output = Command::new(AGENT).arg("--help").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("--drain-timeout"));
}
