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
    /// The verbs that alone have it; none: all have it.
    pub(super) only: &'static [Verb],
    /// Whether it may be given several times; its variable then holds a list with commas.
    pub(super) repeats: bool,
    /// Whether it stands for itself, as if `true` had been given.
    pub(super) bare: bool,
    /// What it says.
    help: &'static str,
}

pub(super) const OPTIONS: [Spec; 24] = [
    Spec { repeats: true, ..option("container", "NAME", "base", "main container; of several, all must end") },
    Spec { only: &[Verb::Watch], ..option("pid", "N", "", "its process, if its name does not tell") },
    Spec { only: &[Verb::Complete], ..option("exit-code", "N", "", "how it has ended") },
    option("istio-status", "JSON", "", "the annotation sidecar.istio.io/status: which form the proxy has"),
    option("action", "quit|drain", "", "what becomes of the proxy, whichever form it has; drain leaves it to kubelet"),
    runs("restart-policy", "Never|OnFailure", "Never", "the pod's: a main container that will be restarted has not ended"),
    watches("placement", "regular|native", "regular", "our own container: a native sidecar stays until kubelet ends it"),
    watches("state-dir", "PATH", "", "where a restarted agent finds what it knew"),
    watches("late-start", "DURATION", "1m", "after this a task never seen is over, if one --behind it ran before us"),
    Spec { repeats: true, ..watches("behind", "NAME", "", "listed behind it, as istio-proxy mostly is") },
    runs("grace-period", "DURATION", "30s", "the pod's: what is left of it after SIGTERM is a limit, too"),
    option("drain-timeout", "DURATION", "5m", "how long to wait for delivery in all"),
    option("stall-timeout", "DURATION", "15s", "how long to wait without a byte moving"),
    option("signal-port", "PORT", "15190", "the port where the filter listens"),
    Spec {
        repeats: true,
        ..option("signal-address", "IP", "127.0.0.1,::1,192.0.2.190", "where it listens, in the order of trial")
    },
    Spec {
        only: &[Verb::Exec, Verb::Wait],
        ..option("ready-port", "PORT", "15021", "where Envoy tells on loopback whether it is ready")
    },
    Spec { only: &[Verb::Exec, Verb::Wait], ..option("ready-timeout", "DURATION", "1m", "how long to wait for that") },
    Spec { only: &[Verb::Exec], ..option("not-ready", "go-on|fail", "go-on", "what becomes of the command then") },
    Spec { only: &[Verb::Exec], ..option("log", "trouble|all", "trouble", "what to say on stderr; all has the verdict") },
    option("admin-port", "PORT", "15000", "Envoy's admin interface, on loopback"),
    option("status-port", "PORT", "15020", "pilot-agent's status server, on loopback"),
    option("proxy-pid", "N", "", "Envoy's process; needed on a shared host alone"),
    option(
        "termination-log",
        "PATH",
        "/dev/termination-log",
        "where the verdict goes beside stderr; the default must exist already",
    ),
    Spec { bare: true, ..option("explain", "", "", "tell what would be done here, and do nothing") },
];

const fn option(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { name, value, default, only: &[], repeats: false, bare: false, help }
}

const fn runs(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { only: &[Verb::Watch, Verb::Exec], ..option(name, value, default, help) }
}

const fn watches(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { only: &[Verb::Watch], ..option(name, value, default, help) }
}

/// The option called `name`.
pub(super) fn named(name: &str) -> Option<Spec> {
    OPTIONS.into_iter().find(|option| option.name == name)
}

/// As wide as a terminal is by custom.
const WIDTH: usize = 80;
/// Where the words beside a flag begin.
const COLUMN: usize = 30;

/// The text of `--help`: of one verb with its options, or of all of them.
pub(crate) fn help(verb: Option<Verb>) -> String {
    let mut text = match verb {
        None => String::from(
            "Sees a pod's main container end, and has the Istio proxy beside it leave once\n\
             everything is delivered.\n\n",
        ),
        Some(verb) => usage(verb),
    };
    match verb {
        None => text.extend(Verb::ALL.into_iter().map(usage)),
        Some(verb) => {
            text.push('\n');
            text.extend(OPTIONS.iter().filter(|option| option.concerns(verb)).map(Spec::lines));
            text.push_str("  --help, --version\n");
        }
    }
    text.push_str(
        "\nEvery option is also a variable: --drain-timeout 5m is EXEUNT_DRAIN_TIMEOUT=5m,\n\
         and a list has commas. A flag outranks it.\n",
    );
    if verb.is_none() {
        text.push_str("The options of a verb: exeunt-agent VERB --help\n");
    }
    text
}

/// What a verb is for.
const fn about(verb: Verb) -> (&'static str, &'static str) {
    match verb {
        Verb::Watch => (
            "[watch] [OPTION]...",
            "beside the main container: waits for its end, then has the proxy leave; exits 0, whatever happens",
        ),
        Verb::Exec => (
            "exec [OPTION]... [--] COMMAND [ARGUMENT]...",
            "around the main container's command: runs it once the proxy is ready, has the proxy leave after it, and exits with \
             its code, or 128 and the number of its signal; 127 and 126 as a shell. Without a proxy it just becomes the command",
        ),
        Verb::Wait => (
            "wait [OPTION]...",
            "until the proxy can carry traffic; exits 0 when it can or there is none, 69 when the time is up",
        ),
        Verb::Complete => (
            "complete [OPTION]...",
            "the main container has ended: has the proxy leave; exits 0 once it has, 69 if it cannot be ended",
        ),
    }
}

fn usage(verb: Verb) -> String {
    let (line, sentence) = about(verb);
    format!("exeunt-agent {line}\n    {}\n", wrapped(sentence, 4))
}

/// `text` in lines that begin at `column`, the first without its indentation.
fn wrapped(text: &str, column: usize) -> String {
    let (mut lines, mut length) = (String::new(), column);
    for word in text.split(' ') {
        if length > column && length + 1 + word.len() > WIDTH {
            lines.push('\n');
            lines.extend(core::iter::repeat_n(' ', column));
            length = column;
        } else if length > column {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += word.len();
    }
    lines
}

// === impl Spec ===

impl Spec {
    /// Its environment variable.
    pub(super) fn variable(&self) -> String {
        format!("EXEUNT_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// Its lines in the help.
    fn lines(&self) -> String {
        let repeats = if self.repeats { "..." } else { "" };
        let flag = format!("  --{} {}{repeats}", self.name, self.value);
        let default = if self.default.is_empty() { String::new() } else { format!(" [{}]", self.default) };
        let words = wrapped(&format!("{}{default}", self.help), COLUMN);
        // A flag that reaches into the column has a line of its own.
        let gap = if flag.len() < COLUMN { String::new() } else { format!("\n{:COLUMN$}", "") };
        format!("{flag:COLUMN$}{gap}{words}\n")
    }

    /// Whether `verb` has it.
    pub(super) fn concerns(&self, verb: Verb) -> bool {
        self.only.is_empty() || self.only.contains(&verb)
    }
}
