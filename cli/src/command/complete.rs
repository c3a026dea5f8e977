//! `__complete`, which `kubectl exeunt <TAB>` runs: what can stand where the cursor is, also the names of pods and namespaces.

use core::time::Duration;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, Args, Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use tokio::time::timeout;

use super::{Arguments, Common};
use crate::cluster::{Cluster, Connection, context_names};
use crate::output::{Exit, print, safe};

/// How long a cluster has to name its pods. A person waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// What cobra, kubectl's library, reads in the last line: complete no names of files.
const NO_FILES: u32 = 4;
/// And no space behind it: the name of a folder goes on.
const NO_SPACE: u32 = 2;

/// Print what can stand where the cursor is, as cobra reads it
#[derive(Debug, Args)]
pub(super) struct Complete {
    /// The words after `kubectl exeunt`; the last one is not finished
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    words: Vec<OsString>,
}

/// What can be named where an argument stands.
#[derive(Clone, Copy)]
enum Named {
    Pods,
    Namespaces,
    Contexts,
}

// === impl Complete ===

impl Complete {
    pub(super) fn run(self, common: &Common) -> Exit {
        let asks = |named: Named| {
            let (words, connection) = (self.words.clone(), common.connection.clone());
            ArgValueCompleter::new(move |start: &OsStr| named.names(&words, &connection, start))
        };
        let with_names = |arg: Arg| match named(&arg) {
            Some(named) => arg.add(asks(named)),
            None => arg,
        };
        let mut command: Command = Arguments::command().mut_args(with_names).mut_subcommands(|verb| verb.mut_args(with_names));
        let mut words = vec![OsString::from("kubectl-exeunt")];
        words.extend(self.words.iter().cloned());
        // Without a word the cursor is at the first one.
        if words.len() == 1 {
            words.push(OsString::new());
        }
        let last = words.len() - 1;
        let begins_anywhere = words.last().is_some_and(|word| word.is_empty());
        let here = std::env::current_dir().ok();
        // Nobody reads an error here: the shell shows nothing then.
        let found = complete(&mut command, words, last, here.as_deref()).unwrap_or_default();
        let mut directive = NO_FILES;
        for candidate in &found {
            let value = safe(&candidate.get_value().to_string_lossy());
            // As kubectl itself: options only for somebody who has begun one.
            if begins_anywhere && value.starts_with('-') {
                continue;
            }
            if value.ends_with('/') {
                directive |= NO_SPACE;
            }
            let help = candidate.get_help().map(|help| safe(&help.to_string())).unwrap_or_default();
            print(&if help.is_empty() { format!("{value}\n") } else { format!("{value}\t{help}\n") });
        }
        print(&format!(":{directive}\n"));
        Exit::Fine
    }
}

/// What an argument names: by what its help calls it, which is the same in each verb.
fn named(arg: &Arg) -> Option<Named> {
    let is_pod = || arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == "POD"));
    match arg.get_id().as_str() {
        "namespace" => Some(Named::Namespaces),
        "context" => Some(Named::Contexts),
        _ => is_pod().then_some(Named::Pods),
    }
}

// === impl Named ===

impl Named {
    /// The names that begin so. A cluster that does not answer has none.
    fn names(self, words: &[OsString], connection: &Connection, start: &OsStr) -> Vec<CompletionCandidate> {
        let start = start.to_string_lossy().into_owned();
        let kubeconfig = value(words, &["--kubeconfig"]).map(PathBuf::from).or_else(|| connection.kubeconfig.clone());
        let all = match self {
            Self::Contexts => context_names(kubeconfig.as_deref()),
            Self::Pods | Self::Namespaces => {
                let connection =
                    Connection { kubeconfig, context: value(words, &["--context"]).or_else(|| connection.context.clone()) };
                self.of_cluster(connection, value(words, &["--namespace", "-n"]))
            }
        };
        all.into_iter().filter(|name| name.starts_with(&start)).map(CompletionCandidate::new).collect()
    }

    /// In a thread, because the completion itself is not asynchronous and runs in a runtime.
    fn of_cluster(self, connection: Connection, namespace: Option<String>) -> Vec<String> {
        let asked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async { timeout(PATIENCE, self.ask(&connection, namespace)).await.ok()? })
        });
        asked.join().ok().flatten().unwrap_or_default()
    }

    async fn ask(self, connection: &Connection, namespace: Option<String>) -> Option<Vec<String>> {
        let cluster = Cluster::connect(connection).await.ok()?;
        let names = match self {
            Self::Namespaces => cluster.namespace_names().await,
            Self::Pods => cluster.pod_names(namespace.as_deref().unwrap_or_else(|| cluster.namespace())).await,
            Self::Contexts => return None,
        };
        names.ok()
    }
}

/// The value of an option among words that are not yet a command line.
fn value(words: &[OsString], names: &[&str]) -> Option<String> {
    let words = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>();
    let of_pair = words.windows(2).find_map(|pair| match pair {
        [name, value] if names.contains(&name.as_ref()) => Some(value.to_string()),
        _ => None,
    });
    let of_one = || {
        words.iter().find_map(|word| {
            let (name, value) = word.split_once('=')?;
            names.contains(&name).then(|| value.to_owned())
        })
    };
    of_pair.or_else(of_one)
}
