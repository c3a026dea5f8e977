//! The verb `exec`, beside a fake proxy on loopback: the command cannot tell that the agent is there, and from outside the agent looks
//! like the command.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it cannot go on")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a test reads what it has started or written")]

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

#[path = "../fake/mod.rs"]
mod fake;
mod world;

use fake::AGENT;
use world::{Proxy, Running, send, until};

/// A proxy that the agent cannot end.
const STUBBORN: [&str; 3] = ["filter=none", "admin=no", "pilot=no"];
/// A file that is not a program.
const NOT_EXECUTABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
/// Prints `up`, then waits for a signal, prints its name and exits with 7.
const NAMES_A_SIGNAL: &str = "
import signal, sys
def name(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(7)
for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH:
    signal.signal(number, name)
print('up', flush=True)
while True:
    signal.pause()
";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `command` to its end.
fn run(command: &mut Command) -> Output {
    Running::start(command).end()
}

#[test]
fn exec_exits_with_the_code_of_the_command_and_the_filter_gets_it() {
    for code in [0, 3, 255] {
        let proxy = Proxy::start(&[]);
        let output = run(&mut proxy.exec(&[], &["sh", "-c", &format!("exit {code}")]));
        assert_eq!((output.status.code(), said(&output)), (Some(code), String::new()));
        assert!(proxy.story().contains(&format!("\"exitCode\": {code}, \"signal\": null")));
    }
}

#[test]
fn a_command_that_a_signal_ends_gives_128_plus_its_number() {
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11)] {
        let proxy = Proxy::start(&[]);
        let output = run(&mut proxy.exec(&[], &["sh", "-c", &format!("kill -{name} $$")]));
        assert_eq!(output.status.code(), Some(128 + number), "{}", said(&output));
        assert!(proxy.story().contains(&format!("\"exitCode\": null, \"signal\": {number}")));
    }
}

#[test]
fn a_command_that_cannot_be_executed_gives_127_or_126_and_the_proxy_ends() {
    for (command, code) in [("/no/such/command", 127), ("no-such-command-in-the-path", 127), (NOT_EXECUTABLE, 126), ("/", 126)] {
        let proxy = Proxy::start(&[]);
        let output = run(&mut proxy.exec(&[], &[command]));
        assert_eq!(output.status.code(), Some(code), "{command}: {}", said(&output));
        assert!(said(&output).starts_with(&format!("exeunt-agent: {command} cannot be executed: ")), "{}", said(&output));
        assert!(proxy.story().contains(&format!("\"exitCode\": {code}")));
    }
}

#[test]
fn mistakes_in_the_options_do_not_keep_the_command_from_running() {
    let proxy = Proxy::start(&[]);
    let output =
        run(&mut proxy.exec(&["--grace-period", "none", "--nonsense", "5", "--not-ready=never"], &["sh", "-c", "exit 3"]));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    for mistake in ["--grace-period: \"none\"", "--nonsense: ", "--not-ready: \"never\""] {
        assert!(said(&output).contains(mistake), "{}", said(&output));
    }
    assert!(proxy.story().contains("\"exitCode\": 3"));
}

#[test]
fn without_a_command_the_proxy_ends_and_the_exit_code_is_that_of_a_wrong_usage() {
    let proxy = Proxy::start(&[]);
    let output = run(&mut proxy.exec(&[], &[]));
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).starts_with("exeunt-agent: exec: has no command"), "{}", said(&output));
    assert!(proxy.story().contains("\"exitCode\": 64"));
}

#[test]
fn signals_reach_the_command() {
    for name in ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "WINCH"] {
        let proxy = Proxy::start(&[]);
        let mut running = Running::start(&mut proxy.exec(&[], &["python3", "-c", NAMES_A_SIGNAL]));
        assert_eq!(running.line(), "up");
        running.signal(name);
        assert_eq!(running.line(), format!("SIG{name}"));
        assert_eq!(running.end().status.code(), Some(7));
    }
}

#[test]
fn signals_reach_the_whole_process_group_of_the_command() {
    let script = "
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
member = subprocess.Popen([sys.executable, '-c', 'import signal; print(\\'up\\', flush=True); signal.pause()'])
print(member.wait(), flush=True)
sys.exit(5)
";
    let proxy = Proxy::start(&[]);
    let mut running = Running::start(&mut proxy.exec(&[], &["python3", "-c", script]));
    assert_eq!(running.line(), "up");
    running.signal("TERM");
    assert_eq!(running.line(), "-15");
    assert_eq!(running.end().status.code(), Some(5));
}

#[test]
fn the_command_has_the_signal_masks_that_exec_was_started_with() {
    let proxy = Proxy::start(&[]);
    let grep = ["grep", "-E", "Sig(Pnd|Blk|Ign|Cgt)|ShdPnd", "/proc/self/status"];
    let (wrapped, plain) = (run(&mut proxy.exec(&[], &grep)), run(Command::new(grep[0]).args(&grep[1..])));
    assert_eq!(String::from_utf8(wrapped.stdout), String::from_utf8(plain.stdout));
}

#[test]
fn the_command_inherits_no_file_of_the_agent() {
    let (proxy, script) = (
        Proxy::start(&[]),
        "import os; print([fd for fd in map(int, os.listdir('/proc/self/fd')) if fd > 2 and os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}')])",
    );
    assert_eq!(run(&mut proxy.exec(&[], &["python3", "-c", script])).stdout, b"[]\n");
}

#[test]
fn orphans_are_reaped() {
    let script = "
import os, sys
for _ in range(20):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            # Until the parent is reaped and this process is an orphan.
            os.read(reader, 1)
            os.write(1, b'%d\\n' % os.getppid())
        os._exit(0)
    os.waitpid(child, 0)
    os.write(writer, b'x')
sys.stdin.read()
";
    let proxy = Proxy::start(&[]);
    let mut running = Running::start(&mut proxy.exec(&[], &["python3", "-c", script]));
    for _ in 0..20 {
        assert_eq!(running.line(), running.child.id().to_string());
    }
    until("the end of the last zombie", || running.children().len() == 1);
    assert_eq!(running.end().status.code(), Some(0));
}

#[test]
fn input_and_output_are_untouched() {
    let proxy = Proxy::start(&[]);
    let mut running = Running::start(&mut proxy.exec(&[], &["cat"]));
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let (mut stdin, written) = (running.child.stdin.take().unwrap(), bytes.clone());
    let writer = std::thread::spawn(move || stdin.write_all(&written).unwrap());
    // It ends once its output is read.
    let mut read = Vec::new();
    running.stdout.read_to_end(&mut read).unwrap();
    writer.join().unwrap();
    let output = running.end();
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert!(read == bytes, "{} bytes of {}", read.len(), bytes.len());
}

#[test]
fn with_the_level_info_the_verdict_is_on_stderr() {
    let proxy = Proxy::start(&[]);
    let output = run(&mut proxy.exec(&["--log", "info"], &["sh", "-c", "exit 4"]));
    let verdict = said(&output).lines().last().unwrap().to_owned();
    assert!(
        verdict.starts_with('{') && verdict.contains("\"exitCode\":4") && verdict.contains("\"proxy\":\"gone\""),
        "{verdict}"
    );
}

#[test]
fn sockets_that_cannot_be_read_are_a_problem_and_on_stderr() {
    // The largest PID that an option can have; Linux gives no process more than 4,194,304.
    let output = run(Command::new(AGENT).args(["exec", "--proxy-pid", "2147483647", "--ready-port", "1", "--", "true"]));
    let said = said(&output);
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 1), "{said}");
    assert!(said.starts_with("exeunt-agent: the sockets of the proxy's process cannot be read"), "{said}");
}

#[test]
fn the_command_waits_for_the_proxy() {
    let proxy = Proxy::start_unready(&[]);
    let mut running = Running::start(&mut proxy.exec(&["--ready-timeout", "1h"], &["echo", "started"]));
    // The child is the helper, not the command.
    until("the helper", || running.children().len() == 1);
    proxy.becomes_ready();
    assert_eq!(running.line(), "started");
    assert_eq!(running.end().status.code(), Some(0));
}

#[test]
fn the_command_starts_even_if_the_proxy_is_not_ready_in_time() {
    let proxy = Proxy::start_unready(&[]);
    let output = run(&mut proxy.exec(&["--ready-timeout", "200ms"], &["echo", "started"]));
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"started\n"[..]));
    let said = said(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("not ready after 200ms") && said.contains("answers 503") && said.contains("the command starts anyway"),
        "{said}"
    );
}

#[test]
fn with_not_ready_fail_the_command_does_not_start() {
    let proxy = Proxy::start_unready(&[]);
    let output = run(&mut proxy.exec(&["--ready-timeout", "200ms", "--not-ready", "fail"], &["echo", "started"]));
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(69), &b""[..]), "{}", said(&output));
    assert!(proxy.story().contains("\"exitCode\": 69"), "the pod has to end");
}

#[test]
fn sigterm_while_waiting_ends_exec_without_the_command() {
    let proxy = Proxy::start_unready(&[]);
    let running = Running::start(&mut proxy.exec(&["--ready-timeout", "1h"], &["echo", "started"]));
    until("the helper", || running.children().len() == 1);
    running.signal("TERM");
    let output = running.end();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(143), &b""[..]), "{}", said(&output));
}

#[test]
fn an_early_signal_waits_for_the_command() {
    let proxy = Proxy::start_unready(&[]);
    let running = Running::start(&mut proxy.exec(&["--ready-timeout", "1h"], &["sleep", "1000"]));
    until("the helper", || running.children().len() == 1);
    running.signal("USR1");
    proxy.becomes_ready();
    // By default SIGUSR1 ends a process.
    assert_eq!(running.end().status.code(), Some(128 + 10));
    assert!(proxy.story().contains("\"signal\": 10"));
}

#[test]
fn the_exit_code_survives_the_end_of_the_helper() {
    let proxy = Proxy::start(&STUBBORN);
    let mut running = Running::start(&mut proxy.exec(&[], &["sh", "-c", "echo $$; exit 5"]));
    let command: u32 = running.line().parse().unwrap();
    let helper = || running.children().into_iter().find(|(pid, state)| *pid != command && *state != 'Z').map(|(pid, _)| pid);
    until("the helper", || helper().is_some());
    send("KILL", helper().unwrap());
    let output = running.end();
    assert_eq!(output.status.code(), Some(5));
    assert!(said(&output).contains("the proxy may still run"), "{}", said(&output));
}

#[test]
fn after_sigterm_the_drain_ends_within_the_grace_period() {
    let proxy = Proxy::start(&STUBBORN);
    let mut running = Running::start(&mut proxy.exec(&["--grace-period", "3s"], &["sh", "-c", "echo $$; exit 5"]));
    let command: u32 = running.line().parse().unwrap();
    until("the drain", || running.children().iter().any(|(pid, state)| *pid != command && *state != 'Z'));
    let began = Instant::now();
    running.signal("TERM");
    let output = running.end();
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(began.elapsed().as_millis() < 3_000, "{:?}", began.elapsed());
}

#[test]
fn a_command_that_kubelet_restarts_keeps_its_proxy() {
    let proxy = Proxy::start(&[]);
    let output = run(&mut proxy.exec(&["--restart-policy", "OnFailure"], &["false"]));
    assert_eq!((output.status.code(), said(&output)), (Some(1), String::new()));
    let output = run(&mut proxy.exec(&["--restart-policy", "OnFailure"], &["true"]));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(proxy.story().matches("\"exitCode\": 1").count(), 0);
}

#[test]
fn without_a_proxy_the_command_replaces_exec() {
    // A network namespace of its own has no listener and no capture of this machine.
    let works = Command::new("unshare").args(["-rn", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !works {
        eprintln!("SKIPPED: no right to make a network namespace");
        return;
    }
    let exec = |command: &str| {
        let agent = ["-rn", AGENT, "exec", "--istio-status", "{}", "--", "sh", "-c", command];
        Running::start(Command::new("unshare").args(agent))
    };
    let mut running = exec("echo $$; read x; exit 3");
    assert_eq!(running.line(), running.child.id().to_string());
    assert_eq!(running.end().status.code(), Some(3));
    let output = run(Command::new("unshare").args(["-rn", AGENT, "exec", "--istio-status", "{}", "--", "/no/such/command"]));
    assert_eq!(output.status.code(), Some(127), "{}", said(&output));
    let output = run(Command::new("unshare").args(["-rn", AGENT, "wait", "--istio-status", "{}"]));
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("no proxy"), "{}", said(&output));
}

#[test]
fn wait_ends_when_the_proxy_is_ready_or_the_time_is_over() {
    let proxy = Proxy::start_unready(&[]);
    let output = run(proxy.agent("wait").args(["--ready-timeout", "200ms"]));
    assert_eq!((output.status.code(), said(&output).lines().count()), (Some(69), 1), "{}", said(&output));
    let waiting = Running::start(proxy.agent("wait").args(["--ready-timeout", "1h"]));
    proxy.becomes_ready();
    let output = waiting.end();
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
}

#[test]
fn wait_refuses_mistakes() {
    assert_eq!(run(Command::new(AGENT).args(["wait", "--log", "all"])).status.code(), Some(64));
}

#[test]
fn options_after_the_command_belong_to_it() {
    let proxy = Proxy::start(&[]);
    let output = run(&mut proxy.exec(&[], &["echo", "--help", "--", "--log", "watch"]));
    assert_eq!(output.stdout, b"--help -- --log watch\n");
}

#[test]
fn the_command_gets_the_terminal() {
    let proxy = Proxy::start(&[]);
    let agent = proxy.exec(&[], &[]);
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exec/terminal.py")).arg(agent.get_program()).args(agent.get_args());
    let output = run(&mut command);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let story = ["foreground True", "read one", "job stopped", "foreground True", "read two", "interrupted", "job ended with 9"];
    let mut rest = shown.as_str();
    for part in story {
        let Some((_, after)) = rest.split_once(part) else { panic!("{part} is missing in {shown}") };
        rest = after;
    }
}
