//! The calls to Envoy's admin interface and, if that does not help, to pilot-agent.

use core::net::SocketAddr;
use core::time::Duration;

use drain::admin::{Answer, Call, Callee, Failure as CallFailure};
use drain::clusters::ClusterReader;
use drain::time::Instant;
use log::debug;
use pod::bounds::Input;
use pod::ports;

use super::calls::Calls;
use crate::os::World;
use crate::os::call;
use crate::os::http::{Body, Head, Problem, Request};
use crate::shutdown::attempts::{Attempts, Failure, Outcome, Progress, Route};
use crate::shutdown::context::Context;
use crate::shutdown::times;

/// Envoy's admin interface and pilot-agent's status server.
#[derive(Debug)]
pub(super) struct Admin<'c, W: World> {
    context: &'c Context<'c, W>,
    /// Until when Envoy counts as hung.
    hung_until: Option<Instant>,
    drained_by: Option<Route>,
    quit_by: Option<Route>,
}

// === impl Admin ===

impl<'c, W: World> Admin<'c, W> {
    /// No call was made yet.
    pub(super) const fn new(context: &'c Context<'c, W>) -> Self {
        Self { context, hung_until: None, drained_by: None, quit_by: None }
    }
}

impl<W: World> Calls for Admin<'_, W> {
    /// Uses the second address of loopback only if there is no connection to the first.
    fn call(&mut self, attempts: &mut Attempts, call: Call) -> Answer {
        let (context, world) = (self.context, self.context.world);
        let quits = matches!(call, Call::Quit | Call::PilotAgentQuit);
        if !quits && self.hung_until.is_some_and(|until| world.now() < until) {
            return Answer::Failed(CallFailure::NoAnswer);
        }
        let (route_to, port): (fn(SocketAddr) -> Route, u16) = match call.callee() {
            Callee::Admin => (Route::Admin, context.options.admin_port),
            Callee::PilotAgent => (Route::PilotAgent, context.options.status_port),
        };
        let [first, second] = ports::LOCALHOST.map(|ip| SocketAddr::new(ip, port));
        let timeout = context.time_for(call.timeout());
        let (at, result) = match exchange(world, first, call, timeout) {
            Err(Problem::NotSent(error)) => match exchange(world, second, call, timeout) {
                // The verdict names the first error.
                Err(Problem::NotSent(_)) => (first, Err(Problem::NotSent(error))),
                result => (second, result),
            },
            result => (first, result),
        };
        let (answer, failure) = match result {
            Ok(answer @ Answer::Failed(failure)) => (answer, Failure::Call(failure)),
            Ok(answer) => (answer, Failure::StillRuns(Progress::Answered)),
            Err(problem) => (Answer::Failed(call_failure(problem)), Failure::NoResponse(problem)),
        };
        debug!("{} {}: {answer:?}", call.method(), call.path());
        if call.callee() == Callee::Admin && answer == Answer::Failed(CallFailure::NoAnswer) {
            self.hung_until = Some(world.now() + times::HUNG);
        }
        let route = route_to(at);
        attempts.record(route, Outcome::Failed(failure));
        match (call, answer) {
            (_, Answer::Failed(CallFailure::NotSent | CallFailure::Status(_))) => {}
            (Call::Quit | Call::PilotAgentQuit, _) => self.quit_by = Some(route),
            (Call::FailHealthcheck | Call::DrainListeners | Call::CountClusters | Call::Clusters, _) => {
                self.drained_by = Some(route);
            }
        }
        answer
    }

    fn quit_by(&self) -> Option<Route> {
        self.quit_by
    }

    fn drained_by(&self) -> Option<Route> {
        Some(self.drained_by.unwrap_or(Route::SocketTable))
    }
}

const fn call_failure(problem: Problem) -> CallFailure {
    match problem {
        Problem::NotSent(_) => CallFailure::NotSent,
        Problem::NoAnswer(_) => CallFailure::NoAnswer,
        Problem::NotUnderstood => CallFailure::NotUnderstood,
    }
}

/// Makes `call` at `at` within `timeout`.
fn exchange(world: &impl World, at: SocketAddr, call: Call, timeout: Duration) -> Result<Answer, Problem> {
    let request = Request { method: call.method(), path: call.path(), headers: &[], timeout };
    match call {
        Call::Clusters => {
            let mut reader = ClusterReader::new(&[]);
            let Head { status, .. } = call::exchange(world, at, &request, &mut |piece| reader.read(piece))?;
            let answer = Answer::of_status(status);
            Ok(if answer == Answer::Done { reader.finish() } else { answer })
        }
        Call::CountClusters => {
            let mut body = Body::of(Input::ClusterCount);
            let head = call::exchange(world, at, &request, &mut |piece| body.take(piece))?;
            Ok(Answer::of_cluster_count(head.status, body.bytes()))
        }
        Call::FailHealthcheck | Call::DrainListeners | Call::Quit | Call::PilotAgentQuit => {
            Ok(Answer::of_status(call::exchange(world, at, &request, &mut |_| {})?.status))
        }
    }
}
