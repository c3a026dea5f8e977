//! Sleeps until the main containers have ended. While all of them run, that is one system call.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use log::info;
use pod::pidfd::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::containers::Containers;
use super::missed_task::Judgement;
use super::phase::Phase;
use super::times;

/// The result of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// All have ended for good.
    Ended,
    /// All run.
    Running,
    /// The given time is over.
    TimeUp,
    /// The agent can leave: SIGTERM came before all were seen (the pod is deleted), or leaving loses nothing.
    Leave,
}

// === impl Containers ===

impl Containers<'_> {
    /// Sleeps until all have ended for good, at most for `limit`. While all run, that is one system call.
    pub fn wait(&mut self, limit: Option<Duration>) -> Waited {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            self.look();
            if self.list.iter().all(|container| matches!(container.phase, Phase::Ended(_))) {
                return Waited::Ended;
            }
            if self.list.iter().any(|container| matches!(container.phase, Phase::Awaited)) && self.termination.has_come() {
                return Waited::Leave;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Waited::TimeUp;
            }
            self.sleep([left, self.pause()].into_iter().flatten().min());
        }
    }

    /// Waits until each was seen, or counts as ended.
    pub fn wait_seen(&mut self) -> Waited {
        loop {
            match self.wait(Some(Duration::ZERO)) {
                Waited::TimeUp => {}
                Waited::Leave => {
                    info!("SIGTERM before {} was seen; leaving", self.missing());
                    return Waited::Leave;
                }
                other @ (Waited::Ended | Waited::Running) => return other,
            }
            let missing = self.missing();
            if missing.is_empty() {
                return Waited::Running;
            }
            match self.missed.judge(&missing) {
                Judgement::Wait => self.sleep(Some(times::LOOK)),
                Judgement::Ended(evidence) => self.count_as_ended(evidence),
                Judgement::Leave(_) => return Waited::Leave,
            }
        }
    }

    /// How long to sleep before the next look. `None` if all run.
    fn pause(&self) -> Option<Duration> {
        let pauses = self.list.iter().map(|container| match &container.phase {
            Phase::Awaited | Phase::Between { .. } => Some(times::LOOK),
            Phase::Running { process, .. } if process.fd().is_none() => Some(times::LOOK_WITHOUT_PIDFD),
            Phase::Running { .. } | Phase::Ended(_) => None,
        });
        pauses.flatten().min()
    }

    /// Sleeps until one of those that run has ended, at most for `timeout`.
    fn sleep(&self, timeout: Option<Duration>) {
        log::logger().flush();
        let termination = self.termination.fd();
        let mut fds: Vec<PollFd<'_>> = termination.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        for container in &self.list {
            if let Phase::Running { process, .. } = &container.phase
                && let Some(fd) = process.fd()
            {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        let time = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        if poll(&mut fds, time.as_ref()).is_err() {
            // After an error the loop must not spin.
            sleep(times::LOOK);
        }
        // The grace period begins now. Without an event there is no question: each system call delays the signal.
        if termination.is_some() && fds.first().is_some_and(|first| !first.revents().is_empty()) {
            let _ = self.termination.has_come();
        }
    }

    /// The names of those that were never seen.
    fn missing(&self) -> String {
        let missing = self.list.iter().filter(|container| matches!(container.phase, Phase::Awaited));
        missing.map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn count_as_ended(&mut self, evidence: String) {
        self.evidence = Some(evidence);
        for place in 0..self.list.len() {
            if self.list.get(place).is_some_and(|container| matches!(container.phase, Phase::Awaited)) {
                self.enter(place, Phase::Ended(Exit::Unknown), 0);
            }
        }
    }
}
