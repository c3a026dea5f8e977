//! Every option: its name, its verbs and its help text. The flag is `--name`, the variable `EXEUNT_NAME`.

use super::Verb;

/// One option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// The flag without its dashes.
    pub(super) name: &'static str,
    /// The placeholder of its value in the help text.
    value: &'static str,
    /// The default, as a user would write it; a test compares it with the code. Empty: no default.
    pub(super) default: &'static str,
    /// The verbs that have it; empty: all.
    pub(super) only: &'static [Verb],
    /// Whether it can be given several times. Its variable then holds a list with commas.
    pub(super) repeats: bool,
    /// Whether it needs no value; without one it means `true`.
    pub(super) bare: bool,
    /// The help text.
    help: &'static str,
}

pub(super) const OPTIONS: [Spec; 32] = [
    Spec { repeats: true, ..ends("container", "NAME", "", "main container; by default all but known helpers") },
    Spec { only: &[Verb::Watch], ..option("pid", "N", "", "its process, if its name does not lead to it") },
    Spec { only: &[Verb::Complete], ..option("exit-code", "N", "", "exit code of the main container") },
    Spec {
        only: &[Verb::Complete],
        bare: true,
        ..option("force", "", "", "end the proxy even if other main containers may still need it")
    },
    option("proxy", "native|classic", "", "its form; if neither this nor the next is given, Envoy tells it"),
    option("istio-status", "JSON", "", "the pod's annotation sidecar.istio.io/status"),
    ends("action", "quit|drain", "", "what to do with a proxy that is not native; drain leaves it running"),
    Spec { repeats: true, ..runs("restart-policy", "POLICY", "auto", "of the pod, or NAME=POLICY of a container") },
    Spec { repeats: true, ..runs("restart-rules", "NAME=JSON", "", "the restartPolicyRules of a container") },
    watches("restart-wait", "DURATION", "10s", "how late kubelet may restart a container"),
    watches("placement", "regular|native", "", "of the agent; if it is not given, Envoy tells it"),
    watches("state-dir", "PATH", "", "emptyDir where a restarted agent finds its state"),
    Spec { repeats: true, ..watches("quit-endpoint", "URL", "", "request that ends a helper: [NAME=][METHOD ]URL") },
    Spec { repeats: true, ..watches("quit-signal", "NAME=SIGNAL", "", "signal that ends a helper") },
    Spec { repeats: true, ..watches("also-wait", "NAME", "", "helper that needs the proxy until it ends") },
    watches("helper-timeout", "DURATION", "1m", "longest wait for the helpers; 0: none"),
    watches("late-start", "DURATION", "1m", "after this, a task never seen can be over on weak evidence"),
    runs("grace-period", "DURATION", "30s", "the pod's terminationGracePeriodSeconds; a limit after SIGTERM"),
    ends("drain-timeout", "DURATION", "5m", "longest delivery; else the plugin's, else"),
    ends("stall-timeout", "DURATION", "15s", "longest pause in it; else the plugin's, else"),
    ends("telemetry-timeout", "DURATION", "6s", "longest wait for logs, spans and metrics"),
    ends("signal-port", "PORT", "15190", "port of the filter"),
    Spec {
        repeats: true,
        ..ends("signal-address", "IP", "127.0.0.1,::1,192.0.2.190", "addresses of the filter, in order of trial")
    },
    Spec {
        only: &[Verb::Exec, Verb::Wait],
        ..option("ready-port", "PORT", "15021", "port on loopback where Envoy tells whether it is ready")
    },
    Spec {
        only: &[Verb::Exec, Verb::Wait],
        ..option("ready-timeout", "DURATION", "1m", "longest wait until the proxy is ready")
    },
    Spec { only: &[Verb::Exec], ..option("not-ready", "go-on|fail", "go-on", "start the command anyway, or fail") },
    option("log", "trouble|info|debug", "", "what to write to stderr; by default trouble for exec, info for the others"),
    option("admin-port", "PORT", "15000", "port of Envoy's admin interface"),
    ends("status-port", "PORT", "15020", "port of pilot-agent's status server"),
    option("proxy-pid", "N", "", "Envoy's process; needed on a shared host only"),
    ends(
        "termination-log",
        "PATH",
        "/dev/termination-log",
        "file for the verdict, beside stderr; the default is used only if it exists",
    ),
    Spec { bare: true, ..option("explain", "", "", "tell what the agent would do here, and do nothing") },
];

const fn option(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { name, value, default, only: &[], repeats: false, bare: false, help }
}

/// Of the verbs that end the proxy.
const fn ends(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Spec {
    Spec { only: &[Verb::Watch, Verb::Exec, Verb::Complete], ..option(name, value, default, help) }
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

/// The usual width of a terminal.
const WIDTH: usize = 80;
/// The column of the help texts.
const COLUMN: usize = 30;

/// The text of `--help`: of one verb with its options, or of all verbs.
#[must_use]
pub fn help(verb: Option<Verb>) -> String {
    let mut text = match verb {
        None => String::from(
            "Sees the main container of a pod end, and ends the Istio proxy beside it once\n\
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
        "\nEvery option is also a variable: --drain-timeout 5m is EXEUNT_DRAIN_TIMEOUT=5m;\n\
         a list has commas. A flag takes precedence.\n",
    );
    if verb.is_none() {
        text.push_str("The options of a verb: exeunt-agent VERB --help\n");
    }
    text
}

/// The usage and the purpose of a verb.
const fn about(verb: Verb) -> (&'static str, &'static str) {
    match verb {
        Verb::Watch => {
            ("[watch] [OPTION]...", "beside the main container: waits for its end, then ends the proxy; always exits 0")
        }
        Verb::Exec => (
            "exec [OPTION]... [--] COMMAND [ARGUMENT]...",
            "around the command of the main container: runs it once the proxy is ready, then ends the proxy, and exits with the \
             code of the command, or 128 plus its signal; 127 and 126 as a shell. Without a proxy it becomes the command",
        ),
        Verb::Wait => (
            "wait [OPTION]...",
            "until the proxy can carry traffic; exits 0 when it can or there is none, 69 after --ready-timeout",
        ),
        Verb::Complete => (
            "complete [OPTION]...",
            "the main container has ended: ends the proxy; exits 0 once it has ended, 69 if it cannot be ended, 75 if others may \
             still need it",
        ),
    }
}

fn usage(verb: Verb) -> String {
    let (line, sentence) = about(verb);
    format!("exeunt-agent {line}\n    {}\n", wrapped(sentence, 4))
}

/// Breaks `text` into lines that begin at `column`. The first line has no indentation.
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
        // A long flag gets a line of its own.
        let gap = if flag.len() < COLUMN { String::new() } else { format!("\n{:COLUMN$}", "") };
        format!("{flag:COLUMN$}{gap}{words}\n")
    }

    /// Whether `verb` has it.
    pub(super) fn concerns(&self, verb: Verb) -> bool {
        self.only.is_empty() || self.only.contains(&verb)
    }
}
