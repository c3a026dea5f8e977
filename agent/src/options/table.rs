//! Every option: its name, whom it concerns, and what is said of it. The flag is `--name`, the variable `EXEUNT_NAME`.

use super::Verb;

/// One option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// The flag without its dashes.
    pub(super) name: &'static str,
    /// What stands for its value in the help.
    value: &'static str,
    /// What holds without it, as it would be given; the tests hold it against the code. Empty: nothing does.
    pub(super) default: &'static str,
    /// The verb that alone has it; `None`: all have it.
    pub(super) only: Option<Verb>,
    /// Whether it may be given several times; its variable then holds a list with commas.
    pub(super) repeats: bool,
    /// What it says.
    help: &'static str,
}

pub(super) const OPTIONS: [Spec; 17] = [
    Spec { repeats: true, ..option("container", "NAME", "base", "the main container; of several, all must end") },
    Spec {
        only: Some(Verb::Watch),
        ..option("pid", "N", "", "its process, where that is not to be found by the container's name")
    },
    Spec { only: Some(Verb::Complete), ..option("exit-code", "N", "", "how it has ended") },
    option("istio-status", "JSON", "", "the annotation sidecar.istio.io/status: which form the proxy has"),
    option("action", "quit|drain", "", "what becomes of the proxy, whichever form it has; drain leaves it to kubelet"),
    watches("restart-policy", "Never|OnFailure", "Never", "the pod's: a main container that will be restarted has not ended"),
    watches("placement", "regular|native", "regular", "our own container: a native sidecar stays until kubelet ends it"),
    watches("state-dir", "PATH", "", "a folder, such as an emptyDir, where a restarted agent finds what it knew"),
    watches("grace-period", "DURATION", "30s", "the pod's: what is left of it after SIGTERM is a limit, too"),
    option("drain-timeout", "DURATION", "5m", "how long to wait for delivery in all"),
    option("stall-timeout", "DURATION", "15s", "how long to wait without a byte moving"),
    option("signal-port", "PORT", "15190", "the port where the filter listens"),
    Spec {
        repeats: true,
        ..option("signal-address", "IP", "127.0.0.1,::1,192.0.2.190", "where it listens, in the order of trial")
    },
    option("admin-port", "PORT", "15000", "Envoy's admin interface, on loopback"),
    option("status-port", "PORT", "15020", "pilot-agent's status server, on loopback"),
    option("proxy-pid", "N", "", "Envoy's process; only on a shared host, where its ports and its uid do not tell"),
    option(
        "termination-log",
        "PATH",
        "/dev/termination-log",
        "where the verdict goes beside stderr; the default must exist already",
    ),
];

const fn option(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { name, value, default, only: None, repeats: false, help }
}

const fn watches(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { only: Some(Verb::Watch), ..option(name, value, default, help) }
}

/// The option called `name`.
pub(super) fn named(name: &str) -> Option<Spec> {
    OPTIONS.into_iter().find(|option| option.name == name)
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "Sees a pod's main container end, and has the Istio proxy beside it leave once everything is delivered.\n\n\
         exeunt-agent [watch] [OPTION]...   waits for the main container's end; exits 0, whatever happens\n\
         exeunt-agent complete [OPTION]...  the main container has ended; exits 0 once the proxy has, 69 if it cannot be ended\n\n",
    );
    text.extend(OPTIONS.iter().map(Spec::line));
    text.push_str(
        "  --help, --version\n\n\
         Every option is also a variable: --drain-timeout 5m is EXEUNT_DRAIN_TIMEOUT=5m, and a list has commas. A flag outranks it.\n",
    );
    text
}

// === impl Spec ===

impl Spec {
    /// Its environment variable.
    pub(super) fn variable(&self) -> String {
        format!("EXEUNT_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// Its line in the help.
    fn line(&self) -> String {
        let flag = format!("--{} {}", self.name, self.value);
        let only = self.only.map_or(String::new(), |verb| format!(", {} only", verb.name()));
        let repeats = if self.repeats { ", may be repeated" } else { "" };
        let default = if self.default.is_empty() { String::new() } else { format!(" [{}]", self.default) };
        format!("  {flag:34}{}{only}{repeats}{default}\n", self.help)
    }

    /// Whether `verb` has it.
    pub(super) fn concerns(&self, verb: Verb) -> bool {
        self.only.is_none_or(|only| only == verb)
    }
}
