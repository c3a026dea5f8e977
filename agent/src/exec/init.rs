//! The init process: it forwards signals to the command, reaps orphans, and does what the stage wants.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::time::Instant;

use log::warn;
use pod::pidfd::Exit;
use rustix::process::{Pid, WaitOptions, WaitStatus, getpgrp, getpid, set_child_subreaper, wait};

use super::command;
use super::helper;
use super::program;
use super::stage::{Effect, Event, Stages};
use super::terminal::{Terminal, has_shell};
use crate::options::Options;
use crate::os::Linux;
use crate::os::linux::own_pid;
use crate::os::sys::process::{SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, Signals, fork, send};
use crate::proxy::Sidecar;

/// The init process of one command.
#[derive(Debug)]
pub(super) struct Init<'a> {
    world: &'a Linux,
    options: &'a Options,
    signals: Signals,
    /// `None` once a helper has it.
    sidecar: Option<Sidecar<'a, Linux>>,
    terminal: Terminal,
    stages: Stages,
    /// The helper that runs.
    helper: Option<Pid>,
    /// The command, which is also the number of its process group, while it runs.
    command: Option<Pid>,
    /// The signal that stopped it last.
    stopped_by: i32,
    events: VecDeque<Event>,
}

// === impl Init ===

impl<'a> Init<'a> {
    /// For the command of `options`, beside the proxy `sidecar`.
    pub(super) fn new(world: &'a Linux, options: &'a Options, signals: Signals, sidecar: Sidecar<'a, Linux>) -> Self {
        let own = || world.proc().container(own_pid()).map(|container| container.name);
        let container = options.container().map(ToOwned::to_owned).or_else(own);
        Self {
            world,
            options,
            signals,
            sidecar: Some(sidecar),
            terminal: Terminal::find(),
            stages: Stages::begin(options, container.unwrap_or_default()),
            helper: None,
            command: None,
            stopped_by: 0,
            events: VecDeque::new(),
        }
    }

    /// Waits for the proxy, runs the command, shuts the proxy down. Returns the exit code.
    pub(super) fn run(mut self) -> u8 {
        // Process 1 of the PID namespace gets all orphans anyway. If this fails, orphans go to another process.
        let _ = set_child_subreaper(Some(getpid()));
        self.help(|init| init.sidecar.as_ref().map_or(0, |sidecar| helper::wait_for_proxy(init.world, init.options, sidecar)));
        loop {
            self.reap();
            while let Some(event) = self.events.pop_front() {
                for effect in self.stages.on(event, Instant::now()) {
                    if let Effect::Leave(code) = effect {
                        return code;
                    }
                    self.apply(effect);
                }
            }
            self.sleep();
        }
    }

    /// Sleeps until a signal comes or the time is over. A child that has ended meanwhile has left SIGCHLD in the queue.
    fn sleep(&mut self) {
        let left = self.stages.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        match self.signals.next(left) {
            Some(SIGCHLD) => {}
            Some(signal) => self.events.push_back(Event::Signal(signal)),
            None if self.stages.deadline().is_some_and(|at| Instant::now() >= at) => self.events.push_back(Event::TimeUp),
            None => {}
        }
    }

    /// Reaps all children that have ended: one SIGCHLD can stand for several.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            if Some(pid) == self.command {
                self.on_command(pid, status);
            } else if Some(pid) == self.helper && !status.stopped() {
                self.helper = None;
                self.events.push_back(Event::Helper(Exit::from_wait_status(status.as_raw())));
            }
        }
    }

    fn on_command(&mut self, command: Pid, status: WaitStatus) {
        if let Some(signal) = status.stopping_signal() {
            self.stopped_by = signal;
            self.events.push_back(Event::Stopped);
            return;
        }
        self.command = None;
        // The process group of the command has ended, and Ctrl-C during the drain is for the agent.
        self.terminal.give(command, getpgrp());
        self.events.push_back(Event::Ended(Exit::from_wait_status(status.as_raw())));
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Start => self.start(),
            Effect::Forward(signal) => self.forward(signal),
            Effect::Continue => {
                if let Some(command) = self.command {
                    // After `fg` the agent is in the foreground; after `bg` it is not.
                    self.terminal.give(getpgrp(), command);
                }
                self.forward(SIGCONT);
            }
            Effect::Stop => self.stop(),
            Effect::Cancel => {
                if let Some(helper) = self.helper.take() {
                    send_or_warn(helper.as_raw_pid(), SIGKILL);
                }
            }
            Effect::ShutDown(exit, grace) => self.help(|init| {
                let shut_down = |sidecar| helper::shut_down(init.world, init.options, sidecar, exit, grace);
                init.sidecar.take().map_or(0, shut_down)
            }),
            Effect::Hurry => {
                if let Some(helper) = self.helper {
                    send_or_warn(helper.as_raw_pid(), SIGTERM);
                }
            }
            Effect::Report(what) => warn!("{what}"),
            Effect::Leave(_) => {}
        }
    }

    fn start(&mut self) {
        let mut command = command(self.options);
        command.process_group(0);
        self.signals.prepare(&mut command, self.terminal.for_command());
        match program::start(&mut command) {
            Ok(pid) => self.command = Pid::from_raw(pid),
            Err(code) => return self.events.push_back(Event::NotStarted(code)),
        }
        // While the command runs, there is time to get a handle of the proxy's process.
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.find();
            sidecar.hold_process();
        }
    }

    fn forward(&self, signal: i32) {
        if let Some(command) = self.command {
            send_or_warn(-command.as_raw_pid(), signal);
        }
    }

    /// Stops this process too, so that its parent sees it, until SIGCONT, which is then in the queue. The kernel does not stop process 1
    /// of a PID namespace.
    fn stop(&self) {
        if has_shell() {
            send_or_warn(getpid().as_raw_pid(), SIGSTOP);
        } else if self.stopped_by == SIGTSTP {
            // Ctrl-Z stopped it, and there is no shell that could continue it.
            self.forward(SIGCONT);
        }
    }

    /// Makes a helper do `work`. If the fork fails, this process does it: signals that wait are better than a proxy that stays.
    fn help(&mut self, work: impl Fn(&mut Self) -> u8) {
        let forked = fork(|| work(self));
        match forked {
            Ok(pid) => self.helper = Pid::from_raw(pid),
            Err(error) => {
                warn!("fork failed ({error}); signals wait until the work of the helper is done");
                let code = work(self);
                self.events.push_back(Event::Helper(Exit::Code(code)));
            }
        }
    }
}

/// Sends `signal` to the process `pid`, or to the process group `-pid`. Reports an error: the command may have changed its user.
fn send_or_warn(pid: i32, signal: i32) {
    if let Err(error) = send(pid, signal) {
        let group = if pid < 0 { "group " } else { "" };
        warn!("signal {signal} was not sent to process {group}{}: {error}", pid.abs());
    }
}
