//! The options as text, and every mistake in them.

use std::ffi::{OsStr, OsString};

use drain::fields::Mistake;
use lexopt::Arg;

use super::Verb;
use super::table::{OPTIONS, named};

/// A request that needs no other option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    Help,
    Version,
}

/// One value of an option.
#[derive(Debug)]
struct GivenValue {
    option: &'static str,
    /// The flag or the variable, as it was written.
    written: String,
    text: String,
}

/// The whole command line and environment.
#[derive(Debug, Default)]
pub(super) struct Given {
    verb: Option<Verb>,
    /// The command after `exec`.
    command: Vec<OsString>,
    values: Vec<GivenValue>,
    mistakes: Vec<Mistake>,
}

// === impl Given ===

impl Given {
    /// Reads the command line, up to the first word whose meaning is not clear.
    pub(super) fn read_arguments(&mut self, arguments: impl IntoIterator<Item = OsString>) -> Option<Instead> {
        let mut parser = lexopt::Parser::from_args(arguments);
        loop {
            match parser.next() {
                Ok(None) => return None,
                Ok(Some(Arg::Short('h') | Arg::Long("help"))) => return Some(Instead::Help),
                Ok(Some(Arg::Short('V') | Arg::Long("version"))) => return Some(Instead::Version),
                Ok(Some(Arg::Value(word))) if self.verb == Some(Verb::Exec) => {
                    // The words after the program belong to it, even if they look like flags.
                    self.command.push(word);
                    self.command.extend(parser.raw_args().into_iter().flatten());
                    return None;
                }
                Ok(Some(Arg::Value(word))) => self.read_verb(&word.to_string_lossy()),
                Ok(Some(Arg::Long(name))) => {
                    let written = format!("--{name}");
                    if let Some(option) = named(name) {
                        let value = if option.bare {
                            Ok(parser.optional_value().unwrap_or_else(|| "true".into()))
                        } else {
                            parser.value()
                        };
                        self.read_value(option.name, written, value);
                    } else {
                        self.mistake(&written, "is not known: see --help");
                        self.skip_value(&mut parser);
                    }
                }
                Ok(Some(Arg::Short(letter))) => self.mistake(&format!("-{letter}"), "is not known: see --help"),
                Err(error) => {
                    self.mistake("", &error.to_string());
                    return None;
                }
            }
        }
    }

    /// Reads the variables of the options that were not given as flags. An empty variable counts as absent.
    pub(super) fn read_environment(&mut self, variable: impl Fn(&str) -> Option<String>) {
        let verb = self.verb();
        for option in OPTIONS.into_iter().filter(|option| option.concerns(verb)) {
            let written = option.variable();
            let counts = |text: &String| !text.is_empty() && !self.has(option.name) && !is_service_link(text);
            let Some(text) = variable(&written).filter(counts) else { continue };
            let texts = if option.repeats { entries(&text) } else { vec![text.as_str()] };
            for text in texts {
                self.values.push(GivenValue { option: option.name, written: written.clone(), text: text.to_owned() });
            }
        }
    }

    /// The verb. A container without arguments does the default.
    pub(super) fn verb(&self) -> Verb {
        self.verb.unwrap_or(Verb::Watch)
    }

    /// The verb, if one was given.
    pub(super) fn verb_given(&self) -> Option<Verb> {
        self.verb
    }

    /// The value of `option`, read by `parse`. Of several values the last one counts.
    pub(super) fn one<T>(&mut self, option: &'static str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.all(option, allowed, parse).pop()
    }

    /// The values of `option`, read by `parse`.
    pub(super) fn all<T>(&mut self, option: &'static str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut values = Vec::new();
        for given in self.values.iter().filter(|given| given.option == option) {
            let value = parse(&given.text);
            if value.is_none() {
                let problem = format!("{:?} is not allowed: must be {allowed}", given.text);
                self.mistakes.push(Mistake::new(given.written.clone(), problem));
            }
            values.extend(value);
        }
        values
    }

    /// The command after `exec`.
    pub(super) fn take_command(&mut self) -> Vec<OsString> {
        if self.command.is_empty() && self.verb == Some(Verb::Exec) {
            self.mistake("exec", "has no command: must be followed by -- and a command");
        }
        core::mem::take(&mut self.command)
    }

    /// Adds a mistake of `option` that concerns all its values.
    pub(super) fn refuse(&mut self, option: &'static str, problem: &str) {
        self.mistake(&format!("--{option}"), problem);
    }

    /// Every mistake, with the options that the verb does not have.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        let verb = self.verb();
        for given in &self.values {
            if named(given.option).is_some_and(|option| !option.concerns(verb)) {
                self.mistakes.push(Mistake::new(given.written.clone(), format!("is not known to {}", verb.name())));
            }
        }
        self.mistakes
    }

    /// Skips what is probably the value of an unknown option, so that one wrong word is one mistake.
    fn skip_value(&self, parser: &mut lexopt::Parser) {
        let joined = parser.optional_value().is_some();
        if joined || self.verb == Some(Verb::Exec) {
            return;
        }
        let Some(mut words) = parser.try_raw_args() else { return };
        let is_value = |word: &OsStr| {
            let word = word.to_string_lossy();
            !word.starts_with('-') && Verb::ALL.into_iter().all(|verb| verb.name() != word)
        };
        if words.peek().is_some_and(is_value) {
            words.next();
        }
    }

    fn read_verb(&mut self, word: &str) {
        let verb = Verb::ALL.into_iter().find(|verb| verb.name() == word);
        match (self.verb, verb) {
            (None, Some(verb)) => self.verb = Some(verb),
            (Some(_), Some(_)) => self.mistake(word, "is one verb too many"),
            (_, None) => self.mistake(word, "is not known: must be watch, exec, wait or complete"),
        }
    }

    fn read_value(&mut self, option: &'static str, written: String, value: Result<OsString, lexopt::Error>) {
        match value {
            Err(_) => self.mistake(&written, "has no value"),
            Ok(value) => self.values.push(GivenValue { option, written, text: value.to_string_lossy().into_owned() }),
        }
    }

    fn has(&self, option: &str) -> bool {
        self.values.iter().any(|given| given.option == option)
    }

    fn mistake(&mut self, written: &str, problem: &str) {
        self.mistakes.push(Mistake::new(written, problem));
    }
}

/// The entries of a list with commas. The commas inside of JSON separate none.
fn entries(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let is_separator = |letter: char| {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth <= 0
    };
    text.split(is_separator).map(str::trim).collect()
}

/// Whether kubelet has set a variable for a Service of the namespace: a Service called `exeunt-admin` sets
/// `EXEUNT_ADMIN_PORT=tcp://10.0.0.1:80` in every pod. No option has a value of this kind.
fn is_service_link(text: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme))
}
