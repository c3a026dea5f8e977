//! `--explain`: what would be done in this pod, and why; nothing is done.

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::ffi::OsString;
use std::fs;
use std::process;

use drain::duration;
use drain::wire::{self, Action};
use pod::delivery::Held;
use pod::ports;
use pod::procfs::Procfs;

use crate::http::{self, Request};
use crate::istio::Form;
use crate::options::{Options, Placement, Verb};
use crate::readiness::is_captured;
use crate::refusal;
use crate::sidecar::Sidecar;

/// A neighbour in the pod answers within a millisecond.
const TIMEOUT: core::time::Duration = core::time::Duration::from_secs(1);

/// The plan, a line a thing.
pub(crate) fn plan(options: &Options) -> String {
    let mut text = String::new();
    let mut say = |name: &str, what: &str| {
        // A String takes everything.
        let _ = writeln!(text, "{name:<16}{what}");
    };
    say("agent", &format!("{} {}, {}", drain::VERSION, options.verb.name(), placement(options)));
    for reason in refusal::reasons(options) {
        say("refused", &reason);
    }
    for line in mains(options) {
        say("main container", &line);
    }
    say("restart policy", &restarts(options));
    let mut sidecar = Sidecar::new(options, None);
    let held = sidecar.look();
    say("proxy", &proxy(&sidecar, held, options));
    say("action", action(&sidecar, options));
    if !sidecar.is_ztunnel() {
        for at in &options.signal {
            say("filter", &format!("{at}: {}", filter(*at)));
        }
        say("then", &format!("Envoy's admin interface, port {}: {}", options.admin_port, listens(options.admin_port)));
        say("then", &format!("pilot-agent, port {}: {}", options.status_port, listens(options.status_port)));
        if options.action == Action::Quit {
            say("then", "SIGTERM to pilot-agent, if our uid may");
        }
    }
    let limits = [options.drain_timeout, options.stall_timeout, options.grace_period].map(duration::display);
    let [drain, stall, grace] = limits;
    say("limits", &format!("{drain} in all, {stall} without a byte moving, {grace} from SIGTERM on"));
    say("state-dir", &state_dir(options));
    text
}

/// With what the agent was started in whose container we are called, by `kubectl exec`: its plan is asked for, and not that of an agent
/// without options.
pub(crate) fn arguments_of_the_agent() -> Vec<OsString> {
    let proc = Procfs::default();
    let ours = process::id().cast_signed();
    let root = proc.container(ours).and_then(|container| proc.root_of(&container.name));
    let comm = proc.process(ours).map(|process| process.comm);
    let agent = root.filter(|root| root.pid != ours && Some(&root.comm) == comm.as_ref());
    let arguments = agent.and_then(|root| proc.arguments(root.pid)).unwrap_or_default();
    arguments.into_iter().skip(1).map(OsString::from).collect()
}

fn placement(options: &Options) -> &'static str {
    match (options.verb, options.placement) {
        (Verb::Watch, Placement::Regular) => "a regular container",
        (Verb::Watch, Placement::Native) => "a native sidecar",
        (Verb::Exec, _) => "around the main container's command",
        (Verb::Wait | Verb::Complete, _) => "called once",
    }
}

/// Where each main container stands.
fn mains(options: &Options) -> Vec<String> {
    if options.verb != Verb::Watch {
        return Vec::new();
    }
    let proc = Procfs::default();
    let line = |name: &String| {
        let pid = options.pid.or_else(|| proc.root_of(name).map(|root| root.pid));
        pid.map_or_else(|| format!("{name}: not there now"), |pid| format!("{name}: process {pid}"))
    };
    options.containers.iter().map(line).collect()
}

fn restarts(options: &Options) -> String {
    let late = duration::display(options.late_start);
    match options.verb {
        Verb::Watch => format!("{}; a task never seen is judged after {late}", options.restart_policy.name()),
        Verb::Exec | Verb::Wait | Verb::Complete => options.restart_policy.name().to_owned(),
    }
}

fn proxy(sidecar: &Sidecar, held: Option<Held>, options: &Options) -> String {
    let decided = if sidecar.is_ztunnel() { Form::Ambient.decided() } else { options.decided() };
    let here = match (sidecar.is_here(), sidecar.is_in_a_pod() && is_captured()) {
        (true, _) => format!("is here, known {}", sidecar.known_by()),
        (false, true) => "is to come: the pod's traffic is captured".to_owned(),
        (false, false) => "is not here".to_owned(),
    };
    let known = if sidecar.is_known() { "" } else { ", its sockets cannot be told from others" };
    let waits = held.map_or_else(String::new, |held| format!("; undelivered now: {} bytes", held.bytes));
    format!("{here} ({decided}){known}{waits}")
}

fn action(sidecar: &Sidecar, options: &Options) -> &'static str {
    if sidecar.is_ztunnel() {
        return "wait until all is delivered: ztunnel is the node's";
    }
    match (options.form, options.action) {
        (Some(Form::Absent), _) => "nothing: there is no proxy to end",
        (_, Action::Quit) => "quit: the proxy drains, then ends",
        (_, Action::Drain) => "drain: the proxy drains, and is left to kubelet",
    }
}

/// What answers at a signal address.
fn filter(at: SocketAddr) -> String {
    let request = Request { method: "GET", path: wire::STATUS, headers: &[], timeout: TIMEOUT };
    match http::exchange(at, &request, &mut |_| {}) {
        Ok(head) if head.is_filters => "the filter answers".to_owned(),
        Ok(head) => format!("not the filter's answer ({})", head.status),
        Err(problem) => problem.to_string(),
    }
}

fn listens(port: u16) -> &'static str {
    let open = ports::LOCALHOST.into_iter().any(|ip| http::connect(SocketAddr::new(ip, port), TIMEOUT).is_ok());
    if open { "listens" } else { "does not listen" }
}

fn state_dir(options: &Options) -> String {
    let Some(folder) = &options.state_dir else { return "none: a restarted agent knows nothing".to_owned() };
    let name = folder.display();
    match fs::read_dir(folder) {
        Ok(files) => {
            let mut known: Vec<_> = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
            known.sort();
            if known.is_empty() { format!("{name}: empty") } else { format!("{name}: {}", known.join(", ")) }
        }
        Err(error) => format!("{name}: {error}"),
    }
}
