//! What outlives the agent: which main containers it has seen, how they have ended, that it has seen the proxy, and that the shutdown is
//! complete. It is in a small emptyDir, if the pod has one for it. A restarted agent continues from there.
//!
//! The file of a container has a line for each event, and the last line counts. The file stays open, so that recording the end of the
//! task is one system call: the signal to the filter comes after it.
//!
//! The folder also outlives the sandbox. After a restart of the node, kubelet makes a new sandbox and, under `OnFailure`, starts again
//! what had not succeeded. Then the agent must see again what ran or listened; a container that has ended for good stays ended.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use log::{info, warn};
use pod::pidfd::Exit;
use pod::procfs::Procfs;

/// The files that say that the shutdown is complete, that the proxy was seen, and in which sandbox.
const DONE: &str = "done";
const PROXY: &str = "proxy";
const SANDBOX: &str = "sandbox";
/// The prefix of the files of the containers.
const MAIN: &str = "main-";
/// It changes with every start of the machine (`proc_sys_kernel(5)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What is recorded of one main container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// It was seen running.
    Seen {
        /// How many of its instances had ended before.
        instances: u32,
    },
    /// An instance has ended, and kubelet can start another.
    Between {
        /// How many have ended.
        instances: u32,
        /// How the last one has ended.
        exit: Exit,
    },
    /// It has ended for good.
    Ended(Exit),
}

/// The folder, if the pod has one.
#[derive(Debug)]
pub struct StateDir {
    folder: Option<PathBuf>,
    open: RefCell<Vec<(String, File)>>,
}

// === impl StateDir ===

impl StateDir {
    /// What `folder` has of the current sandbox.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self::in_sandbox(folder, &sandbox())
    }

    fn in_sandbox(folder: Option<PathBuf>, sandbox: &str) -> Self {
        let state_dir = Self { folder, open: RefCell::new(Vec::new()) };
        let known = state_dir.folder.as_ref().and_then(|folder| fs::read_to_string(folder.join(SANDBOX)).ok());
        match known.as_deref().map(str::trim) {
            Some(known) if known == sandbox => {}
            Some(_) => {
                info!("the pod has a new sandbox: what ran in the old one can start again");
                state_dir.forget_unfinished();
                state_dir.append(SANDBOX, sandbox);
            }
            None => state_dir.append(SANDBOX, sandbox),
        }
        state_dir
    }

    /// Removes the records of everything that has not ended for good.
    fn forget_unfinished(&self) {
        let Some(folder) = &self.folder else { return };
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.file_name());
        for name in files.filter_map(|name| name.into_string().ok()) {
            let record = name.strip_prefix(MAIN).and_then(|container| self.recall(container));
            let unfinished = matches!(record, Some(Record::Seen { .. } | Record::Between { .. }));
            if (unfinished || name == PROXY || name == SANDBOX)
                && let Err(error) = fs::remove_file(folder.join(&name))
            {
                warn!("{} cannot be removed ({error}): the agent may end the proxy too early", folder.join(&name).display());
            }
        }
    }

    /// The last record of `container`.
    #[must_use]
    pub fn recall(&self, container: &str) -> Option<Record> {
        let text = fs::read(self.folder.as_ref()?.join(file_of(container))).ok()?;
        // The last line is incomplete if the agent was killed while it wrote.
        String::from_utf8_lossy(&text).lines().rev().find_map(Record::parse)
    }

    /// Records `record` of `container`.
    pub fn record(&self, container: &str, record: Record) {
        self.append(&file_of(container), &record.to_text());
    }

    /// Whether the agent has seen the proxy.
    #[must_use]
    pub fn has_seen_proxy(&self) -> bool {
        self.has(PROXY)
    }

    /// Records that the agent has seen the proxy.
    pub fn record_proxy(&self) {
        self.append(PROXY, "seen\n");
    }

    /// Whether an earlier run has completed the shutdown.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.has(DONE)
    }

    /// Records that the shutdown is complete.
    pub fn record_done(&self) {
        self.append(DONE, "done\n");
    }

    fn has(&self, name: &str) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.join(name).exists())
    }

    fn append(&self, name: &str, line: &str) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = self.try_append(name, line) {
            let file = folder.join(name);
            warn!("{} cannot be written ({error}): a restarted agent will not know of it", file.display());
        }
    }

    fn try_append(&self, name: &str, line: &str) -> io::Result<()> {
        let mut open = self.open.borrow_mut();
        if let Some((_, file)) = open.iter_mut().find(|(known, _)| known == name) {
            return file.write_all(line.as_bytes());
        }
        let path = self.folder.iter().map(|folder| folder.join(name)).next().unwrap_or_default();
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        // An incomplete line is not the beginning of this one.
        file.write_all(format!("\n{line}").as_bytes())?;
        open.push((name.to_owned(), file));
        Ok(())
    }
}

// === impl Record ===

impl Record {
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

/// What distinguishes the sandbox from earlier ones: the boot of the machine, and the start of the first process of the namespace.
fn sandbox() -> String {
    let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
    let pause = Procfs::default().process(1).map_or(0, |pause| pause.start);
    format!("{} {pause}", boot.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_recalled() {
        let folder = std::env::temp_dir().join(format!("exeunt-state_dir-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let state_dir = StateDir::new(Some(folder.clone()));
        assert_eq!((state_dir.recall("base"), state_dir.is_done()), (None, false));
        let exits = [Exit::Unknown, Exit::Code(3), Exit::Signal(9)];
        let between = exits.map(|exit| Record::Between { instances: 7, exit });
        for record in [Record::Seen { instances: 0 }].into_iter().chain(between).chain(exits.map(Record::Ended)) {
            state_dir.record("base", record);
            assert_eq!(state_dir.recall("base"), Some(record));
        }
        state_dir.record_done();
        assert_eq!((state_dir.recall("other"), state_dir.is_done()), (None, true));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_incomplete_line_hides_no_other() {
        let folder = std::env::temp_dir().join(format!("exeunt-state_dir-cut-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main-base"), "\nseen 2\nended co").unwrap();
        let state_dir = StateDir::new(Some(folder.clone()));
        assert_eq!(state_dir.recall("base"), Some(Record::Seen { instances: 2 }));
        state_dir.record("base", Record::Ended(Exit::Code(0)));
        assert_eq!(state_dir.recall("base"), Some(Record::Ended(Exit::Code(0))));
        assert!(!state_dir.has_seen_proxy());
        state_dir.record_proxy();
        assert!(StateDir::new(Some(folder.clone())).has_seen_proxy());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn in_a_new_sandbox_only_an_end_for_good_is_recalled() {
        let folder = std::env::temp_dir().join(format!("exeunt-state_dir-sandbox-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let inside = |sandbox| StateDir::in_sandbox(Some(folder.clone()), sandbox);
        let first = inside("a 1");
        let seen = Record::Seen { instances: 1 };
        first.record("seen", seen);
        first.record("between", Record::Between { instances: 2, exit: Exit::Unknown });
        first.record("ended", Record::Ended(Exit::Code(0)));
        first.record_proxy();
        let again = inside("a 1");
        assert_eq!((again.recall("seen"), again.has_seen_proxy()), (Some(seen), true), "only the agent was restarted");
        for state_dir in [inside("a 2"), inside("a 2")] {
            assert_eq!((state_dir.recall("seen"), state_dir.recall("between"), state_dir.has_seen_proxy()), (None, None, false));
            assert_eq!(state_dir.recall("ended"), Some(Record::Ended(Exit::Code(0))));
        }
        inside("a 2").record("seen", seen);
        assert_eq!(inside("a 2").recall("seen"), Some(seen));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_malformed_line_is_not_a_record() {
        for text in
            ["", "ended code", "ended code 256", "ended signal x", "seen", "seen twice", "seen 1 code 2", "between code 1"]
        {
            assert_eq!(Record::parse(text), None, "{text}");
        }
    }
}
