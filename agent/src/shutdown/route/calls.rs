//! The calls of the drain machine, and who makes them.

use drain::admin::{Answer, Call};

use crate::shutdown::attempts::{Attempts, Route};

/// Makes the calls of the drain machine.
pub(super) trait Calls {
    /// Makes `call`.
    fn call(&mut self, attempts: &mut Attempts, call: Call) -> Answer;

    /// The route by which the last call to quit was accepted.
    fn quit_by(&self) -> Option<Route>;

    /// The route by which the last of the other calls was accepted.
    fn drained_by(&self) -> Option<Route>;
}
