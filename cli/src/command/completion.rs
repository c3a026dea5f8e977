//! `completion`: the scripts by which a shell completes this command, and by which kubectl does.

use clap::{Args, Command, CommandFactory as _, ValueEnum};
use clap_complete::{Generator as _, Shell, generate};

use super::Arguments;
use crate::output::{Exit, Failure, print};

/// What the scripts complete.
const PROGRAM: &str = "kubectl-exeunt";
/// kubectl runs a program of this name for `kubectl exeunt <TAB>`, with the words that are there, and prints what it prints.
const FOR_KUBECTL: &str = include_str!("kubectl_complete-exeunt");

/// Print the script by which a shell completes this command
///
/// kubectl asks a program of its own for `kubectl exeunt <TAB>`. This writes it into a folder of your PATH:
///
///   kubectl exeunt completion kubectl >~/.local/bin/kubectl_complete-exeunt
///   chmod +x ~/.local/bin/kubectl_complete-exeunt
///
/// The others are for `kubectl-exeunt <TAB>`, and are read by the shell:
///
///   source <(kubectl exeunt completion bash)
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Completion {
    /// Who completes
    #[arg(value_enum)]
    by: By,
}

/// Who completes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Bash,
    Elvish,
    Fish,
    Kubectl,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
}

// === impl Completion ===

impl Completion {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        print(&self.by.script()?);
        Ok(Exit::Fine)
    }
}

// === impl By ===

impl By {
    fn script(self) -> Result<String, Failure> {
        let shell = match self {
            Self::Kubectl => return Ok(FOR_KUBECTL.to_owned()),
            Self::Bash => Shell::Bash,
            Self::Elvish => Shell::Elvish,
            Self::Fish => Shell::Fish,
            Self::PowerShell => Shell::PowerShell,
            Self::Zsh => Shell::Zsh,
        };
        let mut script = Vec::new();
        generate(shell, &mut visible(), PROGRAM, &mut script);
        let script =
            String::from_utf8(script).map_err(|error| Failure::usage(format!("{}: {error}", shell.file_name(PROGRAM))))?;
        // clap_complete 4.6 writes the name of a function in two ways if the command has a hyphen, and so completes no option in bash.
        Ok(script.replace("kubectl__subcmd__exeunt", "kubectl__exeunt"))
    }
}

/// The command without its hidden verbs, which some of the generators would name, and under the name that a shell knows.
fn visible() -> Command {
    let all = Arguments::command();
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    Command::new(PROGRAM).args(all.get_arguments().cloned()).subcommands(verbs.collect::<Vec<_>>())
}
