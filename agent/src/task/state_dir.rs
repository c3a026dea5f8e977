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
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::{info, warn};
use pod::bounded;
use pod::bounds::Input;
use pod::pidfd::Exit;
use pod::procfs::Procfs;

/// The files that say that the shutdown is complete, that the proxy was seen, and in which sandbox.
const DONE: &str = "done";
const PROXY: &str = "proxy";
const SANDBOX: &str = "sandbox";
/// Stands for the id of an instance that was not seen.
pub(super) const NO_INSTANCE: &str = "-";
/// The prefix of the files of the containers.
const MAIN: &str = "main-";
/// It changes with every start of the machine (`proc_sys_kernel(5)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What is recorded of one main container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// How many of its instances have ended.
    pub instances: u32,
    /// Kubelet's id of the newest instance. `None` if that was never seen.
    pub instance: Option<String>,
    /// What has happened to that instance.
    pub event: Event,
}

/// What has happened to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was seen running.
    Seen,
    /// It has ended, and kubelet can start another.
    Between(Exit),
    /// It has ended, and the container has ended for good.
    Ended(Exit),
}

/// What is known of one main container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The newest record.
    pub last: Record,
    /// The ends that a restart followed.
    pub restarted_after: Vec<Exit>,
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
        let known = state_dir.folder.as_ref().and_then(|folder| bounded::beginning(&folder.join(SANDBOX), Input::SandboxRecord));
        match known.as_deref().map(<[u8]>::trim_ascii) {
            Some(known) if known == sandbox.as_bytes() => {}
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
        let files = bounded::names(folder, Input::StateDir).into_iter().flatten();
        for name in files.filter_map(|name| name.into_string().ok()) {
            let history = name.strip_prefix(MAIN).and_then(|container| self.recall(container));
            let unfinished = history.is_some_and(|history| !matches!(history.last.event, Event::Ended(_)));
            if unfinished || name == PROXY || name == SANDBOX {
                remove(folder, &name);
            }
        }
    }

    /// Removes all records of this sandbox: they are of instances that kubelet has replaced.
    pub fn forget(&self) {
        let Some(folder) = &self.folder else { return };
        self.open.borrow_mut().retain(|(name, _)| name == SANDBOX);
        for container in self.containers() {
            remove(folder, &file_of(&container));
        }
        for name in [PROXY, DONE].into_iter().filter(|name| self.has(name)) {
            remove(folder, name);
        }
    }

    /// The containers with a record.
    #[must_use]
    pub fn containers(&self) -> Vec<String> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let files = bounded::names(folder, Input::StateDir).into_iter().flatten();
        let names = files.filter_map(|name| Some(name.to_str()?.strip_prefix(MAIN)?.to_owned()));
        names.filter(|container| self.recall(container).is_some()).collect()
    }

    /// What is known of `container`.
    #[must_use]
    pub fn recall(&self, container: &str) -> Option<History> {
        History::parse(&String::from_utf8_lossy(&self.read(&file_of(container), Input::Record)?))
    }

    /// Records `record` of `container`.
    pub fn record(&self, container: &str, record: &Record) {
        self.append(&file_of(container), &record.to_text());
    }

    /// Kubelet's id of the instance of the proxy that the agent saw last.
    #[must_use]
    pub fn proxy(&self) -> Option<String> {
        let text = self.read(PROXY, Input::ProxyRecord)?;
        String::from_utf8_lossy(&text).lines().rev().map(str::trim).find(|line| !line.is_empty()).map(ToOwned::to_owned)
    }

    /// Whether the agent has seen the proxy.
    #[must_use]
    pub fn has_seen_proxy(&self) -> bool {
        self.has(PROXY)
    }

    /// Records that the agent has seen this instance of the proxy.
    pub fn record_proxy(&self, instance: Option<&str>) {
        let line = instance.unwrap_or(NO_INSTANCE);
        if self.proxy().as_deref() != Some(line) {
            self.append(PROXY, &format!("{line}\n"));
        }
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

    fn read(&self, name: &str, input: Input) -> Option<Vec<u8>> {
        bounded::end(&self.folder.as_ref()?.join(name), input)
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
        // A FIFO in its place is no reason to wait for a reader.
        let mut file = OpenOptions::new().create(true).append(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        // An incomplete line is not the beginning of this one.
        file.write_all(format!("\n{line}").as_bytes())?;
        open.push((name.to_owned(), file));
        Ok(())
    }
}

// === impl History ===

impl History {
    fn parse(text: &str) -> Option<Self> {
        let (mut restarted_after, mut last): (_, Option<Record>) = (Vec::new(), None);
        // The last line is incomplete if the agent was killed while it wrote.
        for record in text.lines().filter_map(Record::parse) {
            if let (Some(Event::Between(exit)), Event::Seen) = (last.map(|last| last.event), record.event)
                && exit != Exit::Unknown
            {
                restarted_after.push(exit);
            }
            last = Some(record);
        }
        Some(Self { last: last?, restarted_after })
    }
}

// === impl Record ===

impl Record {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [event, instances, instance, ref exit @ ..] = *words.as_slice() else { return None };
        let event = match event {
            "seen" if exit.is_empty() => Event::Seen,
            "between" => Event::Between(exit_of(exit)?),
            "ended" => Event::Ended(exit_of(exit)?),
            _ => return None,
        };
        let instance = (instance != NO_INSTANCE).then(|| instance.to_owned());
        Some(Self { instances: instances.parse().ok()?, instance, event })
    }

    fn to_text(&self) -> String {
        let Self { instances, instance, event } = self;
        let instance = instance.as_deref().unwrap_or(NO_INSTANCE);
        let (event, exit) = match *event {
            Event::Seen => ("seen", String::new()),
            Event::Between(exit) => ("between", text_of(exit)),
            Event::Ended(exit) => ("ended", text_of(exit)),
        };
        format!("{event} {instances} {instance}{exit}\n")
    }
}

fn remove(folder: &Path, name: &str) {
    if let Err(error) = fs::remove_file(folder.join(name)) {
        warn!("{} cannot be removed ({error}): the agent may end the proxy too early", folder.join(name).display());
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
    let boot = bounded::whole(Path::new(BOOT_ID), Input::BootId).unwrap_or_default();
    let pause = Procfs::default().process(1).map_or(0, |pause| pause.start);
    format!("{} {pause}", String::from_utf8_lossy(&boot).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(instances: u32, event: Event) -> Record {
        Record { instances, instance: Some("5b1c0f9e".to_owned()), event }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("exeunt-state_dir-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn last(state_dir: &StateDir, container: &str) -> Option<Record> {
        state_dir.recall(container).map(|history| history.last)
    }

    #[test]
    fn a_record_is_recalled() {
        let folder = folder("record");
        let state_dir = StateDir::new(Some(folder.clone()));
        assert_eq!((state_dir.recall("base"), state_dir.is_done()), (None, false));
        let exits = [Exit::Unknown, Exit::Code(3), Exit::Signal(9)];
        let events = [Event::Seen].into_iter().chain(exits.map(Event::Between)).chain(exits.map(Event::Ended));
        let records = events.flat_map(|event| [record(7, event), Record { instance: None, ..record(0, event) }]);
        for record in records {
            state_dir.record("base", &record);
            assert_eq!(last(&state_dir, "base"), Some(record));
        }
        state_dir.record_done();
        assert_eq!((state_dir.recall("other"), state_dir.is_done()), (None, true));
        assert_eq!(state_dir.containers(), ["base"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_ends_that_a_restart_followed_are_recalled() {
        let text = "seen 0 aa\nbetween 1 aa code 42\nseen 1 bb\nbetween 2 bb\nseen 2 cc\nbetween 3 cc code 1\n";
        let history = History::parse(text).unwrap();
        assert_eq!(history.restarted_after, [Exit::Code(42)], "nothing has followed the 1, and an unknown end tells nothing");
        assert_eq!(history.last.event, Event::Between(Exit::Code(1)));
    }

    #[test]
    fn an_incomplete_line_hides_no_other() {
        let folder = folder("cut");
        fs::write(folder.join("main-base"), "\nseen 2 5b1c0f9e\nended 3 5b1c0f9e co").unwrap();
        let state_dir = StateDir::new(Some(folder.clone()));
        assert_eq!(last(&state_dir, "base"), Some(record(2, Event::Seen)));
        state_dir.record("base", &record(3, Event::Ended(Exit::Code(0))));
        assert_eq!(last(&state_dir, "base"), Some(record(3, Event::Ended(Exit::Code(0)))));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_fifo_in_the_folder_is_no_reason_to_wait() {
        let folder = folder("fifo");
        let state_dir = StateDir::new(Some(folder.clone()));
        for name in ["main-base", "proxy", "done"] {
            assert!(std::process::Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
        }
        state_dir.record("base", &record(1, Event::Seen));
        state_dir.record_proxy(Some("00c0ffee"));
        state_dir.record_done();
        assert_eq!((state_dir.recall("base"), state_dir.proxy()), (None, None));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn of_a_long_file_the_newest_records_count() {
        let folder = folder("long");
        let state_dir = StateDir::new(Some(folder.clone()));
        let line = record(1, Event::Between(Exit::Code(7))).to_text() + &record(1, Event::Seen).to_text();
        fs::write(folder.join("main-base"), line.repeat(Input::Record.most() / 10)).unwrap();
        let ended = record(3, Event::Ended(Exit::Code(0)));
        state_dir.record("base", &ended);
        let history = state_dir.recall("base").unwrap();
        assert_eq!((history.last, history.restarted_after.first()), (ended, Some(&Exit::Code(7))));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_last_instance_of_the_proxy_is_recalled() {
        let folder = folder("proxy");
        let state_dir = StateDir::new(Some(folder.clone()));
        assert_eq!((state_dir.has_seen_proxy(), state_dir.proxy()), (false, None));
        for instance in ["00c0ffee", "00c0ffee", "11c0ffee"] {
            state_dir.record_proxy(Some(instance));
            let again = StateDir::new(Some(folder.clone()));
            assert_eq!((again.has_seen_proxy(), again.proxy().as_deref()), (true, Some(instance)));
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_was_forgotten_is_not_recalled_and_can_be_recorded_anew() {
        let folder = folder("forget");
        let state_dir = StateDir::new(Some(folder.clone()));
        let ended = record(1, Event::Ended(Exit::Code(88)));
        state_dir.record("base", &ended);
        state_dir.record_proxy(Some("00c0ffee"));
        state_dir.record_done();
        state_dir.forget();
        assert_eq!((state_dir.recall("base"), state_dir.has_seen_proxy(), state_dir.is_done()), (None, false, false));
        state_dir.record("base", &ended);
        assert_eq!(last(&StateDir::new(Some(folder.clone())), "base"), Some(ended));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn in_a_new_sandbox_only_an_end_for_good_is_recalled() {
        let folder = folder("sandbox");
        let inside = |sandbox| StateDir::in_sandbox(Some(folder.clone()), sandbox);
        let first = inside("a 1");
        let (seen, ended) = (record(1, Event::Seen), record(1, Event::Ended(Exit::Code(0))));
        first.record("seen", &seen);
        first.record("between", &record(2, Event::Between(Exit::Unknown)));
        first.record("ended", &ended);
        first.record_proxy(Some("00c0ffee"));
        let again = inside("a 1");
        assert_eq!((last(&again, "seen"), again.has_seen_proxy()), (Some(seen.clone()), true), "only the agent was restarted");
        for state_dir in [inside("a 2"), inside("a 2")] {
            assert_eq!((state_dir.recall("seen"), state_dir.recall("between"), state_dir.has_seen_proxy()), (None, None, false));
            assert_eq!(last(&state_dir, "ended"), Some(ended.clone()));
        }
        inside("a 2").record("seen", &seen);
        assert_eq!(last(&inside("a 2"), "seen"), Some(seen));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_malformed_line_is_not_a_record() {
        for text in [
            "",
            "ended",
            "ended 1",
            "ended 1 aa code",
            "ended 1 aa code 256",
            "ended 1 aa signal x",
            "seen 1",
            "seen twice aa",
            "seen 1 aa code 2",
            "between code 1",
            "gone 1 aa",
        ] {
            assert_eq!(Record::parse(text), None, "{text}");
        }
    }
}
