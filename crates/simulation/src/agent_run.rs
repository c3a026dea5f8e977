//! One run of the agent: the verb `watch` in the simulated world. The steps around the shutdown are those of the agent's own `watch`, which
//! needs real processes and signals.

use core::time::Duration;
use std::ffi::OsString;

use agent::options::{Invocation, Options};
use agent::proxy::Sidecar;
use agent::shutdown::{Context, Patience, TaskEnd, sequence};
use agent::task::Source;
use drain::duration;
use pod::pidfd::Exit;

use crate::machine::Machine;
use crate::plan::Plan;
use crate::verdict_file;
use crate::world::{self, Until};

/// The pauses between two looks for the proxy while the task runs.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_secs(5);

/// What outlives the agent: its state folder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    has_seen_proxy: bool,
    is_done: bool,
}

/// Runs the agent of `plan` to its end.
pub(crate) fn run(plan: &Plan, memory: &mut Memory) {
    let Some(options) = options(plan) else { return };
    match Source::of(&options) {
        Source::Kubelet => wait_for_kubelet(&options),
        Source::Processes => watch_processes(&options, memory),
    }
}

fn wait_for_kubelet(options: &Options) {
    world::pass_until(Duration::MAX, Until::Sigterm);
    let machine = Machine;
    let at = world::with(|world| world.terminated_at()).unwrap_or_else(world::now);
    let sidecar = Sidecar::new(&machine, options, None).seen_before(true);
    shut_down(&machine, options, &TaskEnd::by_kubelet(at), sidecar);
}

fn watch_processes(options: &Options, memory: &mut Memory) {
    if memory.is_done {
        return;
    }
    let machine = Machine;
    let mut sidecar = Sidecar::new(&machine, options, None).seen_before(memory.has_seen_proxy);
    let mut pause = FIRST_LOOK;
    while !world::with(|world| world.task_ended_at().is_some()) {
        sidecar.find();
        sidecar.hold_process();
        memory.has_seen_proxy |= sidecar.has_envoy();
        let sleeps = sidecar.has_envoy() || pause > LAST_LOOK;
        world::pass_until(if sleeps { Duration::MAX } else { pause }, Until::TaskEnds);
        pause *= 2;
    }
    let task = TaskEnd::reported(options.container(), Exit::Code(0), world::now());
    shut_down(&machine, options, &task, sidecar);
    memory.is_done = true;
}

fn shut_down<'w>(machine: &'w Machine, options: &'w Options, task: &'w TaskEnd, sidecar: Sidecar<'w, Machine>) {
    // As in `watch`: SIGTERM is a limit only where it tells the end of the task.
    let grace = (Source::of(options) == Source::Kubelet).then_some(options.grace_period);
    let context = Context { world: machine, options, task, patience: Patience::Endless, grace };
    sequence::run(&context, sidecar).write_early(task, options);
}

/// The command line of the agent in `plan`.
fn options(plan: &Plan) -> Option<Options> {
    let kubelet = &plan.kubelet;
    let mut words = vec!["watch".to_owned(), "--proxy".to_owned(), if plan.native { "native" } else { "classic" }.to_owned()];
    let mut add = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    add("placement", if plan.source == Source::Kubelet { "native" } else { "regular" }.to_owned());
    add("termination-log", verdict_file::path().display().to_string());
    if kubelet.on_failure {
        add("restart-policy", "OnFailure".to_owned());
    }
    if kubelet.told {
        add("grace-period", duration::display(Duration::from_millis(kubelet.grace)));
    }
    match Invocation::parse(words.into_iter().map(OsString::from), |_| None) {
        Ok(Invocation::Run(options)) if Source::of(&options) == plan.source => Some(options),
        Ok(_) | Err(_) => None,
    }
}
