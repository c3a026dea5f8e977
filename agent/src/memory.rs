//! What outlives the agent: which main containers were seen, how they have ended, and that all is done. In a small emptyDir, where the
//! pod has one for it; an agent that is restarted goes on where it was.

use std::fs;
use std::path::PathBuf;

use pod::pidfd::Exit;

use crate::log;

/// The file that says that all is done.
const DONE: &str = "done";

/// What is remembered of one main container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was seen running.
    Seen,
    /// It has ended for good.
    Ended(Exit),
}

/// The folder, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Option<PathBuf>);

// === impl Memory ===

impl Memory {
    pub(crate) const fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// What is remembered of `container`.
    pub(crate) fn recall(&self, container: &str) -> Option<Trace> {
        let text = fs::read_to_string(self.0.as_ref()?.join(file_of(container))).ok()?;
        Trace::parse(&text)
    }

    /// Remembers `trace` of `container`.
    pub(crate) fn remember(&self, container: &str, trace: Trace) {
        self.write(&file_of(container), &trace.to_text());
    }

    /// Whether the pod's proxy was seen out by an earlier run.
    pub(crate) fn is_done(&self) -> bool {
        self.0.as_ref().is_some_and(|folder| folder.join(DONE).exists())
    }

    /// Remembers that the pod's proxy was seen out.
    pub(crate) fn done(&self) {
        self.write(DONE, "");
    }

    fn write(&self, name: &str, text: &str) {
        let Some(folder) = &self.0 else { return };
        // By a rename, so that a reader finds the whole or nothing.
        let (new, file) = (folder.join(format!("{name}.new")), folder.join(name));
        if let Err(error) = fs::write(&new, text).and_then(|()| fs::rename(&new, &file)) {
            log::line(&format!("a restarted agent would not know of it: {} cannot be written ({error})", file.display()));
        }
    }
}

// === impl Trace ===

impl Trace {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        match (words.next()?, words.next(), words.next()) {
            ("seen", None, None) => Some(Self::Seen),
            ("ended", None, None) => Some(Self::Ended(Exit::Unknown)),
            ("ended", Some("code"), Some(code)) => code.parse().ok().map(|code| Self::Ended(Exit::Code(code))),
            ("ended", Some("signal"), Some(signal)) => signal.parse().ok().map(|signal| Self::Ended(Exit::Signal(signal))),
            _ => None,
        }
    }

    fn to_text(self) -> String {
        match self {
            Self::Seen => "seen\n".to_owned(),
            Self::Ended(Exit::Unknown) => "ended\n".to_owned(),
            Self::Ended(Exit::Code(code)) => format!("ended code {code}\n"),
            Self::Ended(Exit::Signal(signal)) => format!("ended signal {signal}\n"),
        }
    }
}

/// A container's file. The prefix keeps it apart from [`DONE`].
fn file_of(container: &str) -> String {
    format!("main-{container}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled() {
        let folder = std::env::temp_dir().join(format!("exeunt-memory-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let memory = Memory::new(Some(folder.clone()));
        assert_eq!((memory.recall("base"), memory.is_done()), (None, false));
        for trace in [Trace::Seen, Trace::Ended(Exit::Unknown), Trace::Ended(Exit::Code(3)), Trace::Ended(Exit::Signal(9))] {
            memory.remember("base", trace);
            assert_eq!(memory.recall("base"), Some(trace));
        }
        memory.done();
        assert_eq!((memory.recall("other"), memory.is_done()), (None, true));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_not_remembered() {
        for text in ["", "ended code", "ended code 256", "ended signal x", "seen twice"] {
            assert_eq!(Trace::parse(text), None, "{text}");
        }
    }
}
