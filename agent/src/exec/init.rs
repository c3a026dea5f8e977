//! Init to the command: signals go to it, its orphans come to us, and what the order of things wants is done.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::CommandExt;
use std::time::Instant;

use pod::pidfd::Exit;
use rustix::process::{Pid, WaitOptions, WaitStatus, getpgrp, getpid, set_child_subreaper, wait};

use super::command;
use super::helper;
use super::program;
use super::stage::{Effect, Event, Order};
use super::terminal::{Terminal, has_shell};
use crate::log;
use crate::options::Options;
use crate::sidecar::Sidecar;
use crate::sys::process::{SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, Signals, fork, send};

/// The init of one command.
#[derive(Debug)]
pub(super) struct Init<'a> {
    options: &'a Options,
    signals: Signals,
    /// `None` once a helper has it.
    sidecar: Option<Sidecar>,
    terminal: Terminal,
    order: Order,
    /// The helper at work.
    helper: Option<Pid>,
    /// The command, and its process group, while it runs.
    command: Option<Pid>,
    /// The signal that has stopped it last.
    stopped_by: i32,
    events: VecDeque<Event>,
}

// === impl Init ===

impl<'a> Init<'a> {
    /// To the command of `options`, beside the proxy `sidecar`.
    pub(super) fn new(options: &'a Options, signals: Signals, sidecar: Sidecar) -> Self {
        Self {
            options,
            signals,
            sidecar: Some(sidecar),
            terminal: Terminal::find(),
            order: Order::begin(options),
            helper: None,
            command: None,
            stopped_by: 0,
            events: VecDeque::new(),
        }
    }

    /// From the proxy's readiness to its end. The code to end with.
    pub(super) fn run(mut self) -> u8 {
        // Of the pid namespace's first process every orphan is a child by itself. Where this cannot be had, orphans go further up.
        let _ = set_child_subreaper(Some(getpid()));
        self.help(|init| init.sidecar.as_ref().map_or(0, |sidecar| helper::wait_for_proxy(init.options, sidecar)));
        loop {
            self.reap();
            while let Some(event) = self.events.pop_front() {
                for effect in self.order.on(event, Instant::now()) {
                    if let Effect::Leave(code) = effect {
                        return code;
                    }
                    self.apply(effect);
                }
            }
            self.sleep();
        }
    }

    /// Until a signal comes or the time is up. What has ended since the last look has left its SIGCHLD in the queue.
    fn sleep(&mut self) {
        let left = self.order.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        match self.signals.next(left) {
            Some(SIGCHLD) => {}
            Some(signal) => self.events.push_back(Event::Signal(signal)),
            None if self.order.deadline().is_some_and(|at| Instant::now() >= at) => self.events.push_back(Event::TimeUp),
            None => {}
        }
    }

    /// All that there is to reap: one SIGCHLD may stand for many.
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
        // Its group is of no use to the terminal any more, and Ctrl-C during the drain is ours.
        self.terminal.hand_on(command, getpgrp());
        self.events.push_back(Event::Ended(Exit::from_wait_status(status.as_raw())));
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Start => self.start(),
            Effect::Forward(signal) => self.forward(signal),
            Effect::Continue => {
                if let Some(command) = self.command {
                    // `fg` has put us into the foreground; `bg` has not.
                    self.terminal.hand_on(getpgrp(), command);
                }
                self.forward(SIGCONT);
            }
            Effect::Stop => self.stop(),
            Effect::CallOff => {
                if let Some(helper) = self.helper.take() {
                    tell(helper.as_raw_pid(), SIGKILL);
                }
            }
            Effect::SeeOut(exit, grace) => {
                self.help(|init| init.sidecar.take().map_or(0, |sidecar| helper::see_out(init.options, sidecar, exit, grace)));
            }
            Effect::Hurry => {
                if let Some(helper) = self.helper {
                    tell(helper.as_raw_pid(), SIGTERM);
                }
            }
            Effect::Report(what) => log::line(what),
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
        // While the proxy is there and the command runs, there is time to learn by what the proxy's end will be seen.
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.look();
            if sidecar.is_here() {
                sidecar.find_process();
            }
        }
    }

    fn forward(&self, signal: i32) {
        if let Some(command) = self.command {
            tell(-command.as_raw_pid(), signal);
        }
    }

    /// Stops us too, so that whoever has started us sees it; until SIGCONT, which is then in the queue. The kernel keeps the first
    /// process of a pid namespace from that.
    fn stop(&self) {
        if has_shell() {
            tell(getpid().as_raw_pid(), SIGSTOP);
        } else if self.stopped_by == SIGTSTP {
            // By Ctrl-Z, and nobody is there to continue it.
            self.forward(SIGCONT);
        }
    }

    /// Has a helper do `work`. Without one, it is done here and now: late signals are better than a proxy that stays.
    fn help(&mut self, work: impl Fn(&mut Self) -> u8) {
        let forked = fork(|| work(self));
        match forked {
            Ok(pid) => self.helper = Pid::from_raw(pid),
            Err(error) => {
                log::line(&format!("no helper can be had ({error})"));
                let code = work(self);
                self.events.push_back(Event::Helper(Exit::Code(code)));
            }
        }
    }
}

/// Sends `signal`, and says where that is not allowed: the command may have become another user's.
fn tell(pid: i32, signal: i32) {
    let sent: io::Result<()> = send(pid, signal);
    if let Err(error) = sent {
        log::line(&format!("signal {signal} has not reached the command: {error}"));
    }
}
