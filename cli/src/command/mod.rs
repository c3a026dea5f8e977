//! The command line. One file for each verb: its arguments, its help, and the order of its steps.
//!
//! To add a verb: a file with a struct that derives [`clap::Args`] and has `async fn run(self, common: &Common) -> Result<Exit, Failure>`,
//! and one line in [`Verb`] and one in [`Arguments::run`].

mod add;
mod check;
mod complete;
mod completion;
mod controller;
mod end;
mod explain;
mod file;
mod findings;
mod man;
mod owner;
mod reap;
mod saved;
mod status;
#[cfg(test)]
mod tests;
mod timeline;

use clap::{Args, Parser, Subcommand};

use crate::cluster::{Cluster, Connection, Error, Scope};
use crate::output::{EXIT_HELP, Exit, Failure, Format};
use crate::rescue::AGENT_IMAGE;

/// Why a batch pod does not end, and what ends it
#[derive(Debug, Parser)]
#[command(name = "kubectl-exeunt", bin_name = "kubectl exeunt", version, after_help = EXIT_HELP, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

/// What every verb takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The way to the cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// Which pods are meant.
    #[command(flatten)]
    pub scope: Scope,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT", global = true)]
    pub output: Format,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::Status),
    Explain(explain::Explain),
    Timeline(timeline::TimelineOf),
    Check(check::Check),
    Add(add::Add),
    End(end::End),
    Reap(reap::Reap),
    Controller(controller::Controller),
    Completion(completion::Completion),
    #[command(name = "__complete", hide = true)]
    Complete(complete::Complete),
    #[command(hide = true)]
    Man(man::Man),
}

// === impl Arguments ===

impl Arguments {
    /// Runs the verb.
    pub async fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Status(verb) => verb.run(&self.common).await,
            Verb::Explain(verb) => verb.run(&self.common).await,
            Verb::Timeline(verb) => verb.run(&self.common).await,
            Verb::Check(verb) => verb.run(&self.common).await,
            Verb::Add(verb) => verb.run(),
            Verb::End(verb) => verb.run(&self.common).await,
            Verb::Reap(verb) => verb.run(&self.common).await,
            Verb::Controller(verb) => verb.run(&self.common).await,
            Verb::Completion(verb) => verb.run(),
            Verb::Complete(verb) => Ok(verb.run(&self.common)),
            Verb::Man(verb) => verb.run(),
        }
    }
}

// === impl Common ===

impl Common {
    /// The cluster that the flags name.
    pub async fn cluster(&self) -> Result<Cluster, Error> {
        Cluster::connect(&self.connection).await
    }
}
