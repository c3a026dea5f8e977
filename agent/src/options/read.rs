//! The options as text, and every mistake in them.

use std::ffi::{OsStr, OsString};

use lexopt::Arg;

use super::Verb;
use super::mistake::{Mistake, Reading, misspelt, shown};
use super::table::{OPTIONS, Spec, named};

/// What stands in the place of a mistake that has no value.
const IGNORED: &str = "it is ignored";

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
                    let Some(option) = named(name).or_else(|| self.nearest(&written)) else {
                        self.skip_value(&mut parser);
                        continue;
                    };
                    let value =
                        if option.bare { Ok(parser.optional_value().unwrap_or_else(|| "true".into())) } else { parser.value() };
                    self.read_value(option, written, value);
                }
                Ok(Some(Arg::Short(letter))) => self.unknown(&format!("-{letter}"), IGNORED),
                // It repeats the word.
                Err(error) => self.mistake("", shown(&error.to_string()), IGNORED),
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

    /// The value of `option`, read by `parse`. Of several texts only the last one counts.
    pub(super) fn one<T, R: Into<Reading<T>>>(
        &mut self,
        option: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> R,
    ) -> Option<T> {
        let last = self.places(option).pop()?;
        self.read(last, allowed, parse)
    }

    /// The values of `option`, read by `parse`.
    pub(super) fn all<T, R: Into<Reading<T>>>(
        &mut self,
        option: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> R,
    ) -> Vec<T> {
        self.places(option).into_iter().filter_map(|place| self.read(place, allowed, &parse)).collect()
    }

    /// The value at `place`. If it is not allowed, the nearest that is, or nothing.
    fn read<T, R: Into<Reading<T>>>(&mut self, place: usize, allowed: &str, parse: impl Fn(&str) -> R) -> Option<T> {
        // There is one of these for each option, so it is short.
        match parse(&self.values.get(place)?.text).into() {
            Reading::Allowed(value) => Some(value),
            Reading::Nearest(value, text) => {
                self.wrong(place, allowed, Some(&text));
                Some(value)
            }
            Reading::NotAllowed => {
                self.wrong(place, allowed, None);
                None
            }
        }
    }

    /// Where the values of `option` are.
    fn places(&self, option: &str) -> Vec<usize> {
        (0..self.values.len()).filter(|place| self.values.get(*place).is_some_and(|given| given.option == option)).collect()
    }

    /// Adds the mistake that the value at `place` is. `nearest` is used instead.
    fn wrong(&mut self, place: usize, allowed: &str, nearest: Option<&str>) {
        let Some(given) = self.values.get(place) else { return };
        let instead = match nearest {
            Some(text) => format!("{text} is used"),
            None => named(given.option).map_or_else(|| IGNORED.to_owned(), fallback),
        };
        let problem = format!("{:?} is not allowed: must be {allowed}", shown(&given.text));
        self.mistakes.push(Mistake::new(&given.written, problem, instead));
    }

    /// The command after `exec`.
    pub(super) fn take_command(&mut self) -> Vec<OsString> {
        if self.command.is_empty() && self.verb == Some(Verb::Exec) {
            self.mistake("exec", "has no command: must be followed by -- and a command", "there is nothing to run");
        }
        core::mem::take(&mut self.command)
    }

    /// Adds a mistake of `option` that concerns all its values.
    pub(super) fn refuse(&mut self, option: &'static str, problem: &str, instead: &str) {
        self.mistake(&format!("--{option}"), problem, instead);
    }

    /// Every mistake, with the options that the verb does not have.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        let verb = self.verb();
        for given in &self.values {
            if named(given.option).is_some_and(|option| !option.concerns(verb)) {
                self.mistakes.push(Mistake::new(&given.written, format!("is not known to {}", verb.name()), IGNORED));
            }
        }
        self.mistakes
    }

    /// The option that `written`, which is none, is probably a misspelling of. That is a mistake in any case.
    fn nearest(&mut self, written: &str) -> Option<Spec> {
        let word = written.trim_start_matches('-');
        let verb = self.verb();
        let known = OPTIONS.into_iter().filter(|option| option.concerns(verb)).map(|option| option.name);
        let option = misspelt(word, known, word.len() / 4).and_then(named);
        self.unknown(written, &option.map_or_else(|| IGNORED.to_owned(), |option| format!("--{} is used", option.name)));
        option
    }

    /// Skips what is probably the value of an unknown option, so that one wrong word is one mistake.
    fn skip_value(&self, parser: &mut lexopt::Parser) {
        if parser.optional_value().is_some() {
            return;
        }
        let Some(mut words) = parser.try_raw_args() else { return };
        let is_value = |word: &OsStr| {
            let word = word.to_string_lossy();
            !word.starts_with('-') && Verb::ALL.into_iter().all(|verb| verb.name() != word)
        };
        // The last word after `exec` is the command.
        let is_last = self.verb == Some(Verb::Exec) && words.as_slice().len() == 1;
        if words.peek().is_some_and(is_value) && !is_last {
            words.next();
        }
    }

    fn read_verb(&mut self, word: &str) {
        const WRONG_LETTERS: usize = 2;
        let find = |name: &str| Verb::ALL.into_iter().find(|verb| verb.name() == name);
        match (self.verb, find(word)) {
            (None, Some(verb)) => self.verb = Some(verb),
            (Some(_), Some(_)) => self.mistake(word, "is one verb too many", IGNORED),
            (known, None) => {
                let meant = misspelt(word, Verb::ALL.map(Verb::name), WRONG_LETTERS).filter(|_| known.is_none());
                self.verb = known.or(meant.and_then(find));
                let instead = if known.is_some() { IGNORED.to_owned() } else { format!("{} is used", self.verb().name()) };
                self.mistake(word, "is not known: must be watch, exec, wait or complete", instead);
            }
        }
    }

    fn read_value(&mut self, option: Spec, written: String, value: Result<OsString, lexopt::Error>) {
        match value {
            Err(_) => self.mistake(&written, "has no value", fallback(option)),
            Ok(value) => {
                self.values.push(GivenValue { option: option.name, written, text: value.to_string_lossy().into_owned() });
            }
        }
    }

    fn has(&self, option: &str) -> bool {
        self.values.iter().any(|given| given.option == option)
    }

    fn unknown(&mut self, written: &str, instead: &str) {
        self.mistake(written, "is not known: see --help", instead);
    }

    fn mistake(&mut self, written: &str, problem: impl Into<String>, instead: impl Into<String>) {
        self.mistakes.push(Mistake::new(written, problem, instead));
    }
}

/// What stands in the place of a value that is not allowed.
fn fallback(option: Spec) -> String {
    if option.repeats || option.default.is_empty() { IGNORED.to_owned() } else { "the default is used".to_owned() }
}

/// The entries of a list with commas, without empty ones. The commas inside of JSON separate none.
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
    text.split(is_separator).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// Whether kubelet has set a variable for a Service of the namespace: a Service called `exeunt-admin` sets
/// `EXEUNT_ADMIN_PORT=tcp://10.0.0.1:80` in every pod. No option has a value of this kind.
fn is_service_link(text: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme))
}
