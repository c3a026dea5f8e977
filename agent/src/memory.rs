//! What outlives the agent: which main containers were seen, how they have ended, that the proxy was there, and that all is done. In a
//! small emptyDir, where the pod has one for it; an agent that is restarted goes on where it was.
//!
//! A container's file has a line for each thing that was learned of it, and the last one holds. It is kept open: to remember the task's
//! end costs one system call, as it stands between that end and the signal.
//!
//! The folder outlives the sandbox, too: after a node's restart kubelet makes the pod a new one and, under `OnFailure`, starts everything
//! again that had not succeeded. Then what was seen to run or to listen has to be seen anew; what has ended for good has ended.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use pod::pidfd::Exit;
use pod::procfs::Procfs;

use crate::log;

/// The file that says that all is done, the one that says that the proxy was there, and the one that says in which sandbox.
const DONE: &str = "done";
const PROXY: &str = "proxy";
const SANDBOX: &str = "sandbox";
/// What the names of the containers' files begin with, to keep them apart from the others.
const MAIN: &str = "main-";
/// Another one after every start of the machine (`proc_sys_kernel(5)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What is remembered of one main container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was seen running, and so many instances of it had ended before.
    Seen { instances: u32 },
    /// So many instances have ended, the last one in this way, and kubelet may start another.
    Between { instances: u32, exit: Exit },
    /// It has ended for good.
    Ended(Exit),
}

/// The folder, if there is one.
#[derive(Debug)]
pub(crate) struct Memory {
    folder: Option<PathBuf>,
    open: RefCell<Vec<(String, File)>>,
}

// === impl Memory ===

impl Memory {
    /// What `folder` holds of the sandbox of now.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self::in_sandbox(folder, &sandbox())
    }

    fn in_sandbox(folder: Option<PathBuf>, sandbox: &str) -> Self {
        let memory = Self { folder, open: RefCell::new(Vec::new()) };
        let known = memory.folder.as_ref().and_then(|folder| fs::read_to_string(folder.join(SANDBOX)).ok());
        match known.as_deref().map(str::trim) {
            Some(known) if known == sandbox => {}
            Some(_) => {
                log::line("the pod has a new sandbox: what ran in the old one may be started again");
                memory.forget_what_ran();
                memory.append(SANDBOX, sandbox);
            }
            None => memory.append(SANDBOX, sandbox),
        }
        memory
    }

    /// Forgets whatever has not ended for good.
    fn forget_what_ran(&self) {
        let Some(folder) = &self.folder else { return };
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.file_name());
        for name in files.filter_map(|name| name.into_string().ok()) {
            let trace = name.strip_prefix(MAIN).and_then(|container| self.recall(container));
            let ran = matches!(trace, Some(Trace::Seen { .. } | Trace::Between { .. }));
            if (ran || name == PROXY || name == SANDBOX)
                && let Err(error) = fs::remove_file(folder.join(&name))
            {
                log::line(&format!("{} cannot be removed ({error}): the agent may end too early", folder.join(&name).display()));
            }
        }
    }

    /// What is remembered of `container`.
    pub(crate) fn recall(&self, container: &str) -> Option<Trace> {
        let text = fs::read(self.folder.as_ref()?.join(file_of(container))).ok()?;
        // The last may have been cut short by whatever has ended the agent.
        String::from_utf8_lossy(&text).lines().rev().find_map(Trace::parse)
    }

    /// Remembers `trace` of `container`.
    pub(crate) fn remember(&self, container: &str, trace: Trace) {
        self.append(&file_of(container), &trace.to_text());
    }

    /// Whether the pod's proxy was there.
    pub(crate) fn has_met_proxy(&self) -> bool {
        self.has(PROXY)
    }

    /// Remembers that it was.
    pub(crate) fn met_proxy(&self) {
        self.append(PROXY, "met\n");
    }

    /// Whether the pod's proxy was seen out by an earlier run.
    pub(crate) fn is_done(&self) -> bool {
        self.has(DONE)
    }

    /// Remembers that the pod's proxy was seen out.
    pub(crate) fn done(&self) {
        self.append(DONE, "done\n");
    }

    fn has(&self, name: &str) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.join(name).exists())
    }

    fn append(&self, name: &str, line: &str) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = self.try_append(name, line) {
            let file = folder.join(name);
            log::line(&format!("a restarted agent would not know of it: {} cannot be written ({error})", file.display()));
        }
    }

    fn try_append(&self, name: &str, line: &str) -> io::Result<()> {
        let mut open = self.open.borrow_mut();
        if let Some((_, file)) = open.iter_mut().find(|(known, _)| known == name) {
            return file.write_all(line.as_bytes());
        }
        let path = self.folder.iter().map(|folder| folder.join(name)).next().unwrap_or_default();
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        // What was cut short before is no beginning of this line.
        file.write_all(format!("\n{line}").as_bytes())?;
        open.push((name.to_owned(), file));
        Ok(())
    }
}

// === impl Trace ===

impl Trace {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match *words.as_slice() {
            ["seen", instances] => Some(Self::Seen { instances: instances.parse().ok()? }),
            ["between", instances, ref exit @ ..] => {
                Some(Self::Between { instances: instances.parse().ok()?, exit: exit_of(exit)? })
            }
            ["ended", ref exit @ ..] => Some(Self::Ended(exit_of(exit)?)),
            _ => None,
        }
    }

    fn to_text(self) -> String {
        match self {
            Self::Seen { instances } => format!("seen {instances}\n"),
            Self::Between { instances, exit } => format!("between {instances}{}\n", text_of(exit)),
            Self::Ended(exit) => format!("ended{}\n", text_of(exit)),
        }
    }
}

fn exit_of(words: &[&str]) -> Option<Exit> {
    match *words {
        [] => Some(Exit::Unknown),
        ["code", code] => code.parse().ok().map(Exit::Code),
        ["signal", signal] => signal.parse().ok().map(Exit::Signal),
        _ => None,
    }
}

fn text_of(exit: Exit) -> String {
    match exit {
        Exit::Unknown => String::new(),
        Exit::Code(code) => format!(" code {code}"),
        Exit::Signal(signal) => format!(" signal {signal}"),
    }
}

fn file_of(container: &str) -> String {
    format!("{MAIN}{container}")
}

/// What tells the pod's sandbox from the ones before: the machine's start, and when the namespace's first process began.
fn sandbox() -> String {
    let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
    let pause = Procfs::default().process(1).map_or(0, |pause| pause.start);
    format!("{} {pause}", boot.trim())
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
        let exits = [Exit::Unknown, Exit::Code(3), Exit::Signal(9)];
        let between = exits.map(|exit| Trace::Between { instances: 7, exit });
        for trace in [Trace::Seen { instances: 0 }].into_iter().chain(between).chain(exits.map(Trace::Ended)) {
            memory.remember("base", trace);
            assert_eq!(memory.recall("base"), Some(trace));
        }
        memory.done();
        assert_eq!((memory.recall("other"), memory.is_done()), (None, true));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_line_that_was_cut_short_hides_nothing() {
        let folder = std::env::temp_dir().join(format!("exeunt-memory-cut-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main-base"), "\nseen 2\nended co").unwrap();
        let memory = Memory::new(Some(folder.clone()));
        assert_eq!(memory.recall("base"), Some(Trace::Seen { instances: 2 }));
        memory.remember("base", Trace::Ended(Exit::Code(0)));
        assert_eq!(memory.recall("base"), Some(Trace::Ended(Exit::Code(0))));
        assert!(!memory.has_met_proxy());
        memory.met_proxy();
        assert!(Memory::new(Some(folder.clone())).has_met_proxy());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn in_a_new_sandbox_only_an_end_for_good_is_remembered() {
        let folder = std::env::temp_dir().join(format!("exeunt-memory-sandbox-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let inside = |sandbox| Memory::in_sandbox(Some(folder.clone()), sandbox);
        let first = inside("a 1");
        let seen = Trace::Seen { instances: 1 };
        first.remember("seen", seen);
        first.remember("between", Trace::Between { instances: 2, exit: Exit::Unknown });
        first.remember("ended", Trace::Ended(Exit::Code(0)));
        first.met_proxy();
        let again = inside("a 1");
        assert_eq!((again.recall("seen"), again.has_met_proxy()), (Some(seen), true), "the agent alone was restarted");
        for memory in [inside("a 2"), inside("a 2")] {
            assert_eq!((memory.recall("seen"), memory.recall("between"), memory.has_met_proxy()), (None, None, false));
            assert_eq!(memory.recall("ended"), Some(Trace::Ended(Exit::Code(0))));
        }
        inside("a 2").remember("seen", seen);
        assert_eq!(inside("a 2").recall("seen"), Some(seen));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_not_remembered() {
        for text in
            ["", "ended code", "ended code 256", "ended signal x", "seen", "seen twice", "seen 1 code 2", "between code 1"]
        {
            assert_eq!(Trace::parse(text), None, "{text}");
        }
    }
}
