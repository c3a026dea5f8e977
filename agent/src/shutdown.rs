//! From the end of the task to the verdict: find the proxy, drain and end it, and wait until its last bytes are sent.
//!
//! [`sequence`] has the order of the steps. [`presence`] finds the proxy, [`ladder`] tries the routes to it, [`flush`] waits for the last
//! bytes, [`verdict`] reports what happened. All of them read one [`Context`].

pub mod attempts;
mod budget;
pub mod context;
mod flush;
mod ladder;
mod limit;
mod loss;
mod presence;
mod progress;
mod reporter;
mod route;
pub mod sequence;
mod times;
pub mod verdict;

pub use self::context::{Context, Helper, Patience, TaskEnd};
pub use self::progress::report_running;
pub use self::times::MARGIN;
pub use self::verdict::{ProxyOutcome, Verdict};
