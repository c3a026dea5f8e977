//! The program beside a fake proxy, on loopback, as on a shared host. Other tests check its decisions. These check that the agent sees
//! what happens, and reports it to the right place. The tests of the workspace use the real filter in a real Envoy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it cannot go on")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a test reads what it has started or written")]

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[path = "../fake/mod.rs"]
mod fake;
mod limits;
mod world;

use fake::{AGENT, Proxy};
use world::{Agent, Task};

/// Much longer than anything here takes, much shorter than the limits of the agent.
const SOON: Duration = Duration::from_secs(10);

/// Whether the kernel tells the exit status of a process to a process that is not its parent: Linux 6.15 and newer.
fn kernel_tells() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0u32));
    let tells = (numbers.next(), numbers.next()) >= (Some(6), Some(15));
    if !tells {
        eprintln!("SKIPPED: the exit status, which Linux {} does not tell", release.trim());
    }
    tells
}

#[test]
fn the_filter_gets_the_completion_and_the_proxy_ends() {
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
    verdict.has(&["\"proxy\":\"gone\"", "\"undelivered\":{\"connections\":0,\"bytes\":0,\"atLeast\":false}"]);
    verdict.has(&[&format!("\"route\":\"filter 127.0.0.1:{}\"", proxy.signal())]);
    let story = proxy.story();
    assert!(
        story.contains("\ncompletion 1 {\"container\": \"base\", \"exitCode\": 3, \"signal\": null, \"action\": \"quit\""),
        "{story}"
    );
    let questions = ["GET /server_info", "GET /runtime", "POST /runtime_modify?tracing.", "GET /config_dump?resource="];
    let is_question = |line: &str| questions.iter().any(|question| line.starts_with(question));
    assert!(
        story.lines().filter_map(|line| line.strip_prefix("admin ")).all(is_question),
        "the form, and the telemetry: {story}"
    );
    assert!(story.contains("admin GET /server_info") && !story.contains("pilot-agent"), "{story}");
}

#[test]
fn a_task_that_a_signal_ends_has_ended() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    task.kill();
    let signal =
        if kernel_tells() { "\"exitCode\":null,\"signal\":9,\"exitStatus\":\"known\"" } else { "\"exitStatus\":\"unknown\"" };
    agent.verdict().has(&[signal, "\"proxy\":\"gone\""]);
}

#[test]
fn the_proxy_ends_after_it_has_read_everything() {
    let proxy = Proxy::start(&[]);
    let send = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'x' * 3_000_000)";
    let task = Task::start(&format!("python3 -c \"{send}\" {}; read x", proxy.front()));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\"", "\"undelivered\":{\"connections\":0,\"bytes\":0,\"atLeast\":false}"]);
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
fn a_native_proxy_is_only_drained() {
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
fn an_agent_that_is_to_end_the_proxy_does_not_believe_that_it_is_only_drained() {
    let (proxy, task) = (Proxy::start(&["filter=drained"]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", &format!("\"route\":\"admin 127.0.0.1:{}\"", proxy.admin())]);
    verdict.has(&["\"outcome\":\"it says that it only drains, and not why\""]);
}

#[test]
fn no_answer_steers_the_terminal_of_those_who_read_the_log_or_forges_a_verdict() {
    let (proxy, task) = (Proxy::start(&["filter=hostile"]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", "refused with 400: \\u001b[2J\\u009b31m\\u202e{\\\"proxy\\\":"]);
    let said = verdict.said();
    let hidden = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
    assert!(!said.contains(hidden), "{said:?}");
    assert_eq!(said.lines().filter(|line| line.starts_with('{')).count(), 1, "{said}");
}

#[test]
fn a_proxy_that_ends_by_itself_has_no_route() {
    let (mut proxy, task) = (Proxy::start(&["filter=none"]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task).until_it_holds(2);
    proxy.kill();
    // The agent sees it at once, and so can say when it was.
    let agent = agent.until_it_says("the proxy has ended, and the task still runs");
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", "\"route\":null", "\"rungs\":[]", "\"drainMs\":null", "\"atLeast\":true"]);
    verdict.has(&[" ms before the task\""]);
}

#[test]
fn from_sigterm_on_there_is_a_verdict_while_the_task_still_runs() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
    let agent = Agent::watch(&proxy, &task);
    assert!(Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status().unwrap().success());
    let early = agent.early_verdict();
    assert!(early.contains("\"proxy\":\"draining\"") && early.contains("\"ended\":\"it still ran when"), "{early}");
    task.end();
    agent.verdict().has(&["\"proxy\":\"gone\""]);
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
fn under_on_failure_a_failed_task_keeps_its_proxy_until_kubelet_ends_the_pod() {
    let (mut proxy, task) = (Proxy::start(&[]), Task::start("read x; exit 1"));
    let pid = task.pid().to_string();
    let agent = Agent::start(proxy.agent("watch").args(["--pid", &pid, "--restart-policy", "OnFailure"])).until_watching();
    task.end();
    // The filter has no completion yet. SIGTERM alone does not make this end the last one, but kubelet ends the proxy, too.
    let agent = agent.until_it_says("not for good: kubelet ");
    assert!(Command::new("kill").args(["-TERM", &agent.pid().to_string()]).status().unwrap().success());
    sleep(Duration::from_secs(2));
    proxy.kill();
    agent.verdict().has(&["\"proxy\":\"gone\"", "\"route\":null"]);
    let story = proxy.story();
    assert!(!story.contains("completion") && !story.contains("quit"), "the signal could be somebody else's: {story}");
}

#[test]
fn an_exit_status_that_comes_late_is_in_the_verdict() {
    let task = Task::reaped_after(Duration::from_millis(200), "read x; exit 3");
    let mut proxy = Proxy::start(&["filter=none", "admin=no", "pilot=no"]);
    let agent = Agent::watch(&proxy, &task);
    task.end();
    // The agent cannot end it.
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
fn before_a_task_was_seen_sigterm_makes_the_agent_leave() {
    // With --proxy-pid, the processes of the node are no reason to refuse.
    let proxy = std::process::id().to_string();
    let agent =
        Agent::start(Command::new(AGENT).args(["watch", "--container", "a-container-that-never-comes", "--proxy-pid", &proxy]));
    // SIGTERM is blocked before the first look at /proc; the mask of blocked signals shows it.
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
    assert!(said.contains("SIGTERM before a-container-that-never-comes was seen"), "{said}");
}

#[test]
fn all_mistakes_are_told_and_the_proxy_still_ends_after_the_task() {
    let (proxy, task) = (Proxy::start(&[]), Task::start("read x"));
    let mut command = proxy.agent("watch");
    command.args(["--pid", &task.pid().to_string(), "--grace-period", "60", "--drain-timeout", "100h", "--nonsense", "5"]);
    let agent = Agent::start(command.args(["--action", "stop"]).env("EXEUNT_STALL_TIMEOUT", "soon"));
    let agent = agent.until_it_says("exeunt-agent: --nonsense: is not known: see --help; it is ignored\n").until_watching();
    task.end();
    let verdict = agent.verdict();
    verdict.has(&["\"proxy\":\"gone\"", "\"warnings\":[\"--nonsense: is not known: see --help; it is ignored\","]);
    verdict.has(&["--drain-timeout: \\\"100h\\\" is not allowed", "; 24h is used", "EXEUNT_STALL_TIMEOUT", "--action: "]);
}

#[test]
fn a_person_who_makes_a_mistake_is_told_all_of_them() {
    let mut command = Command::new(AGENT);
    let output = command.args(["complete", "--nonsense", "--action", "stop"]).env("EXEUNT_ADMIN_PORT", "x").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    for name in ["--nonsense", "--action", "EXEUNT_ADMIN_PORT"] {
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn a_plan_names_every_route_and_does_nothing() {
    let (mut proxy, task) = (Proxy::start(&["filter=foreign"]), Task::start("read x"));
    let pid = task.pid().to_string();
    let mut agent = proxy.agent("watch");
    let output = agent.args(["--explain", "--container", "base", "--pid", &pid, "--late-start", "0"]).output().unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines = [
        "mistake         --late-start: \"0\" is not allowed: must be a duration or a number of seconds, from \"1ms\" to \"24h\"; the \
         default is used"
            .to_owned(),
        format!("main container  base: process {}", task.pid()),
        "action          quit: drain the proxy, then end it".to_owned(),
        format!("filter          127.0.0.1:{}: not the filter's answer (503)", proxy.signal()),
        format!("then            Envoy's admin interface, port {}: listens", proxy.admin()),
        "limits          5m (or the filter's) in all, 15s (or the filter's) while no byte moves".to_owned(),
    ];
    for line in lines {
        assert!(plan.lines().any(|known| known == line), "{line} is not in\n{plan}");
    }
    task.end();
    proxy.kill();
    assert!(!proxy.story().contains("admin POST"));
}

#[test]
fn no_name_of_a_file_adds_a_line_to_a_plan() {
    let (proxy, task) = (Proxy::start(&["filter=hostile"]), Task::start("read x"));
    let folder = std::env::temp_dir().join(format!("exeunt-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("\u{1b}[2J\nproxy           does not run\u{202e}"), "").unwrap();
    let mut agent = proxy.agent("watch");
    agent.args(["--explain", "--container", "base", "--pid", &task.pid().to_string(), "--state-dir"]).arg(&folder);
    let plan = String::from_utf8(agent.output().unwrap().stdout).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(plan.contains(": \\u001b[2J\\u000aproxy           does not run\\u202e\n"), "{plan}");
    assert_eq!(plan.lines().filter(|line| line.starts_with("proxy ")).count(), 1, "{plan}");
    task.end();
}

#[test]
fn complete_reports_the_given_exit_code() {
    let proxy = Proxy::start(&[]);
    let agent = Agent::start(proxy.agent("complete").args(["--container", "job", "--exit-code", "7"]));
    agent.verdict().has(&["\"container\":\"job\"", "\"exitCode\":7", "\"proxy\":\"gone\""]);
}

#[test]
fn only_answers_go_to_stdout() {
    let output = Command::new(AGENT).arg("--version").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.stdout, format!("exeunt-agent {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    let output = Command::new(AGENT).arg("--help").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("--drain-timeout"));
}
