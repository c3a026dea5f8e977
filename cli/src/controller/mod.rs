//! Ends stuck pods without a person: once ([`once`]), or for good ([`run`]).
//!
//! [`ReapOptions`] is the command line, and [`Settings`] what it means. Pure: [`opt_in`] says whether a pod may be ended at all, [`plan`] when,
//! and [`Book`] holds the pods that a watch has shown and that are not ended yet. [`Reaper`] ends one pod, by [`crate::rescue`], and says what
//! became of it ([`Report`]), also as an Event. [`Candidate`] holds the one Lease: who has it not does nothing.

mod book;
mod candidate;
mod due;
mod once;
mod opt_in;
mod options;
mod pace;
mod reaper;
mod report;
mod run;
mod state;
mod work;

pub use book::Book;
pub use candidate::Candidate;
pub use due::{MOST_TRIES, Plan, plan};
pub use once::{exit, once};
pub use opt_in::is_opted_in;
pub use options::{ReapOptions, Settings};
pub use pace::Pace;
pub use reaper::Reaper;
pub use report::{Fate, Report};
pub use run::{Service, run};
