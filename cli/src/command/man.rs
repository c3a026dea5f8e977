//! `man`: writes the man pages. The build of a release runs it.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::Arguments;
use crate::output::{Exit, Failure};

/// Write the man pages, one for each verb, into a folder
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

// === impl Man ===

impl Man {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let wrong = |error: std::io::Error| Failure::usage(format!("{}: {error}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(wrong)?;
        clap_mangen::generate_to(Arguments::command().name("kubectl-exeunt"), &self.folder).map_err(wrong)?;
        Ok(Exit::Fine)
    }
}
