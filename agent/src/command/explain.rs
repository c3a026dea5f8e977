//! `--explain`: what the agent would do in this pod, and why. It does nothing.

use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use std::ffi::OsString;

use drain::duration;
use drain::limits::Limits;
use drain::printable::printable;
use drain::wire::{self, Action, Status};
use pod::bounded;
use pod::bounds::Input;
use pod::delivery::Held;
use pod::ports;
use pod::procfs::Procfs;
use pod::proxy::Listener;

use super::{others, preflight};
use crate::options::helpers::Helpers;
use crate::options::{Form, KnownForm, Options, Placement, Verb};
use crate::os::call;
use crate::os::http::{Body, Request};
use crate::os::linux::own_pid;
use crate::os::{Linux, World};
use crate::proxy::{Sidecar, State, recognition};
use crate::task::Source;

/// Timeout for a call to another process in the pod, which responds within a millisecond.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The plan, one line for each item.
pub(super) fn plan(options: &Options) -> String {
    let mut text = String::new();
    let mut say = |name: &str, what: &str| {
        // Writing to a String cannot fail. Each item stays one line, whatever is in it.
        let _ = writeln!(text, "{name:<16}{}", printable(what));
    };
    let world = Linux::new();
    let options = &recognition::once(&world, options);
    say("agent", &format!("{} {}, {}", drain::VERSION, options.verb.name(), placement(options)));
    for mistake in &options.warnings {
        say("mistake", mistake);
    }
    for reason in preflight::refusals(&world, options) {
        say("refused", &reason);
    }
    if options.verb == Verb::Complete && options.action() == Action::Quit {
        for objection in others::objections(&world, options) {
            say("needs --force", &objection);
        }
    }
    say("end of the task", end(options));
    if Source::of(options) == Source::Processes {
        for line in main_containers(options) {
            say("main container", &line);
        }
        for line in helpers(options) {
            say("helper", &line);
        }
        say("restart policy", &restarts(options));
    }
    let mut sidecar = Sidecar::new(&world, options, None);
    say("proxy", &proxy(&mut sidecar, options));
    say("action", action(&sidecar, options));
    if !sidecar.is_ztunnel() {
        for at in &options.signal {
            say("filter", &format!("{at}: {}", filter(&world, &sidecar, *at)));
        }
        say("then", &format!("Envoy's admin interface, port {}: {}", options.admin_port, listens(&world, options.admin_port)));
        say("then", &format!("pilot-agent, port {}: {}", options.status_port, listens(&world, options.status_port)));
        if options.action() == Action::Quit {
            say("then", "SIGTERM to pilot-agent, if the uid of the agent may");
        }
    }
    say("limits", &limits(options));
    if Source::of(options) == Source::Processes {
        say("state-dir", &state_dir(options));
    }
    text
}

/// The arguments of the agent that runs in this container, where `kubectl exec` has started this process: its plan is of interest, not
/// that of an agent without options.
pub(super) fn arguments_of_running_agent() -> Vec<OsString> {
    let proc = Procfs::default();
    let ours = own_pid();
    let root = proc.container(ours).and_then(|container| proc.root_of(&container.name));
    let comm = proc.process(ours).map(|process| process.comm);
    let agent = root.filter(|root| root.pid != ours && Some(&root.comm) == comm.as_ref());
    let arguments = agent.and_then(|root| proc.arguments(root.pid)).unwrap_or_default();
    arguments.into_iter().skip(1).map(OsString::from).collect()
}

fn placement(options: &Options) -> &'static str {
    match (options.verb, options.placement) {
        (Verb::Watch, Some(Placement::Native)) => "a native sidecar",
        (Verb::Watch, Some(Placement::Regular) | None) => "a regular container",
        (Verb::Exec, _) => "around the command of the main container",
        (Verb::Wait | Verb::Complete, _) => "called once",
    }
}

/// Who tells the end of the task.
fn end(options: &Options) -> &'static str {
    match (options.verb, Source::of(options)) {
        (Verb::Watch, Source::Kubelet) => "kubelet tells it, by SIGTERM",
        (Verb::Watch, Source::Processes) => "by the processes of the main containers",
        (Verb::Exec, _) => "by the process of the command",
        (Verb::Wait | Verb::Complete, _) => "the caller tells it",
    }
}

/// Each main container, with its process.
fn main_containers(options: &Options) -> Vec<String> {
    if options.verb != Verb::Watch {
        return Vec::new();
    }
    let proc = Procfs::default();
    if let Some(pid) = options.pid {
        let name = options.container().map_or_else(String::new, |name| format!("{name}: "));
        return vec![format!("{name}process {pid}")];
    }
    let own = proc.container(own_pid()).map(|container| container.name);
    let names = if options.containers.is_empty() {
        options.main_containers(&options.regular, own.as_deref())
    } else {
        options.containers.clone()
    };
    if names.is_empty() {
        return vec!["all regular containers but known helpers: Envoy has not named them yet".to_owned()];
    }
    let state = |name: &String| proc.root_of(name).map_or("not running".to_owned(), |root| format!("process {}", root.pid));
    names.iter().map(|name| format!("{name}: {}", state(name))).collect()
}

/// What the agent does about the helpers that were given.
fn helpers(options: &Options) -> Vec<String> {
    let Helpers { endpoints, signals, also_wait, timeout } = &options.helpers;
    let endpoints = endpoints
        .iter()
        .map(|it| format!("{it}{}", it.container.as_ref().map_or_else(String::new, |name| format!(" ends {name}"))));
    let signals = signals.iter().map(|it| format!("SIG{} ends {}", it.name, it.container));
    let also_wait =
        also_wait.iter().map(|name| format!("{name} ends by itself, at most {} after the task", duration::display(*timeout)));
    endpoints.chain(signals).chain(also_wait).collect()
}

fn restarts(options: &Options) -> String {
    let late = duration::display(options.late_start);
    match options.verb {
        Verb::Watch => format!(
            "{}; a task that was never seen is over on evidence, after {late} on weak evidence",
            options.restarts.describe()
        ),
        Verb::Exec | Verb::Wait | Verb::Complete => options.restarts.describe(),
    }
}

fn proxy(sidecar: &mut Sidecar<'_, Linux>, options: &Options) -> String {
    sidecar.find();
    let state = match sidecar.state() {
        State::Running(_) | State::Ztunnel => format!("runs, known {}", sidecar.known_by()),
        State::NotYet | State::Gone if sidecar.is_captured() => "has not started: the pod's traffic is captured".to_owned(),
        State::NotYet | State::Gone => "does not run".to_owned(),
    };
    let reason = if sidecar.is_ztunnel() { KnownForm::AMBIENT.reason() } else { options.reason() };
    let known = if sidecar.is_known() { "" } else { ", its sockets cannot be told from others" };
    let undelivered = |held: Held| format!("; undelivered now: {} bytes", held.bytes);
    format!("{state} ({reason}){known}{}", sidecar.reading().map_or_else(String::new, undelivered))
}

fn action(sidecar: &Sidecar<'_, Linux>, options: &Options) -> &'static str {
    if sidecar.is_ztunnel() {
        return "wait until everything is delivered: ztunnel belongs to the node";
    }
    match (options.form.form, options.action()) {
        (Form::Absent, _) => "nothing: there is no proxy to end",
        (_, Action::Quit) => "quit: drain the proxy, then end it",
        (_, Action::Drain) => "drain: drain the proxy; kubelet ends it",
    }
}

/// The limits, as far as the agent sets them.
fn limits(options: &Options) -> String {
    let given = |given: Option<Duration>, default| match given {
        Some(length) => duration::display(length),
        None => format!("{} (or the filter's)", duration::display(default)),
    };
    let drain = given(options.drain_timeout, Limits::DRAIN_TIMEOUT);
    let stall = given(options.stall_timeout, Limits::STALL_TIMEOUT);
    let grace = match (options.verb, Source::of(options)) {
        (Verb::Watch, Source::Processes) => String::new(),
        (Verb::Watch, Source::Kubelet) | (Verb::Exec | Verb::Wait | Verb::Complete, _) => {
            format!(", {} after SIGTERM", duration::display(options.grace_period))
        }
    };
    format!("{drain} in all, {stall} while no byte moves{grace}")
}

/// What the filter tells in `status` of its configuration, as clauses. An older one tells nothing.
fn configuration_of_filter(status: &[u8]) -> String {
    let Ok(status) = Status::parse(status) else { return String::new() };
    let limits = status.drain_timeout_ms.zip(status.stall_timeout_ms).map_or_else(String::new, |timeouts| {
        let (drain, stall) = (Duration::from_millis(timeouts.0), Duration::from_millis(timeouts.1));
        format!(": {} in all, {} while no byte moves", duration::display(drain), duration::display(stall))
    });
    let never = if status.quits == Some(false) { "; it never ends Envoy, by quit: never" } else { "" };
    limits + never
}

/// What responds at a signal address.
fn filter<W: World>(world: &W, sidecar: &Sidecar<'_, W>, at: SocketAddr) -> String {
    if let Listener::Other(uid) = sidecar.who_listens(at) {
        return format!("a process of uid {uid} listens there, not the proxy");
    }
    let request = Request { method: "GET", path: wire::STATUS, headers: &[], timeout: TIMEOUT };
    let mut body = Body::of(Input::FilterAnswer);
    match call::exchange(world, at, &request, &mut |piece| body.take(piece)) {
        Ok(head) if head.is_filters => format!("the filter answers{}", configuration_of_filter(body.bytes())),
        Ok(head) => format!("not the filter's answer ({})", head.status),
        Err(problem) => problem.to_string(),
    }
}

fn listens(world: &impl World, port: u16) -> &'static str {
    let open = ports::LOCALHOST.into_iter().any(|ip| call::listens(world, SocketAddr::new(ip, port), TIMEOUT));
    if open { "listens" } else { "does not listen" }
}

fn state_dir(options: &Options) -> String {
    let Some(folder) = &options.state_dir else { return "none: a restarted agent begins anew".to_owned() };
    let name = folder.display();
    match bounded::names(folder, Input::StateDir) {
        Ok(files) => {
            let mut known: Vec<_> = files.map(|file| file.to_string_lossy().into_owned()).collect();
            known.sort();
            if known.is_empty() { format!("{name}: empty") } else { format!("{name}: {}", known.join(", ")) }
        }
        Err(error) => format!("{name}: {error}"),
    }
}
