//! What the agent needs: a task and kubelet's termination log.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::fake::Proxy;

/// How long to wait for a line of the agent.
const PATIENCE: Duration = Duration::from_mins(1);

/// The process of a main container. It waits for a line before it ends. A thread reaps it, as a container runtime does.
pub(crate) struct Task {
    pid: u32,
    stdin: ChildStdin,
    runtime: thread::JoinHandle<()>,
}

/// A running agent.
pub(crate) struct Agent {
    child: Child,
    stderr: BufReader<ChildStderr>,
    termination_log: PathBuf,
}

/// The stderr of an agent that has ended, with the verdict as its last line.
pub(crate) struct Verdict(String);

// === impl Proxy ===

impl Proxy {
    pub(crate) fn signal(&self) -> u16 {
        self.ports[0]
    }

    pub(crate) fn admin(&self) -> u16 {
        self.ports[1]
    }

    pub(crate) fn status(&self) -> u16 {
        self.ports[2]
    }

    pub(crate) fn front(&self) -> u16 {
        self.ports[3]
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

// === impl Task ===

impl Task {
    /// A task that runs `script`, which should read a line.
    pub(crate) fn start(script: &str) -> Self {
        Self::reaped_after(Duration::ZERO, script)
    }

    /// The same, on a busy node, where the runtime reaps it only after `delay`.
    pub(crate) fn reaped_after(delay: Duration, script: &str) -> Self {
        let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let (pid, stdin) = (child.id(), child.stdin.take().unwrap());
        let runtime = thread::spawn(move || {
            let is_zombie = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"));
            while !delay.is_zero() && !is_zombie(std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()) {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(delay);
            child.wait().unwrap();
        });
        Self { pid, stdin, runtime }
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Makes it continue, and waits for its end.
    pub(crate) fn end(self) {
        drop(self.stdin);
        self.runtime.join().unwrap();
    }

    /// Kills it.
    pub(crate) fn kill(self) {
        assert!(Command::new("kill").args(["-KILL", &self.pid.to_string()]).status().unwrap().success());
        self.runtime.join().unwrap();
    }
}

// === impl Agent ===

impl Agent {
    /// An agent that already watches `task` beside `proxy`, in a pod with `restartPolicy: Never`.
    pub(crate) fn watch(proxy: &Proxy, task: &Task) -> Self {
        let agent = Self::start(proxy.agent("watch").args([
            "--container",
            "base",
            "--restart-policy",
            "Never",
            "--pid",
            &task.pid().to_string(),
        ]));
        agent.until_watching()
    }

    /// Starts `command`.
    pub(crate) fn start(command: &mut Command) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("exeunt-verdict-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let termination_log = std::env::temp_dir().join(name);
        command.arg("--termination-log").arg(&termination_log).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, termination_log }
    }

    /// Waits until it watches the task.
    pub(crate) fn until_watching(self) -> Self {
        self.until_it_says("watching")
    }

    /// Waits for a line with `words`.
    pub(crate) fn until_it_says(mut self, words: &str) -> Self {
        let mut line = String::new();
        // An agent that says nothing is ended, so that the test fails instead of waiting for ever.
        let (_said, waits) = mpsc::channel::<()>();
        let pid = self.pid().to_string();
        thread::spawn(move || {
            if waits.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        while !line.contains(words) {
            line.clear();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it has ended without a line with: {words}");
        }
        self
    }

    /// Waits until it has pidfds of this many processes.
    pub(crate) fn until_it_holds(self, processes: usize) -> Self {
        let holds = || {
            let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().flatten();
            files
                .filter(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().contains("pidfd")))
                .count()
        };
        let began = std::time::Instant::now();
        while holds() < processes {
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "it has pidfds of {} processes", holds());
            std::thread::yield_now();
        }
        self
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it writes to the termination log before it has ended.
    pub(crate) fn early_verdict(&self) -> String {
        let began = std::time::Instant::now();
        loop {
            match std::fs::read_to_string(&self.termination_log) {
                Ok(text) if text.ends_with("}\n") => return text,
                _ => assert!(began.elapsed() < Duration::from_secs(10), "there is no verdict yet"),
            }
            thread::yield_now();
        }
    }

    /// Removes that, so that the next one can be told from it.
    pub(crate) fn remove_verdict(&self) {
        std::fs::remove_file(&self.termination_log).unwrap();
    }

    /// Waits for its end, with exit code 0 and nothing on stdout. Returns its stderr.
    pub(crate) fn leaves(mut self) -> String {
        let (mut said, mut answered) = (String::new(), String::new());
        self.stderr.read_to_string(&mut said).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut answered).unwrap();
        assert_eq!((self.child.wait().unwrap().code(), answered.as_str()), (Some(0), ""), "{said}");
        said
    }

    /// Its verdict, the same on stderr and in the termination log.
    pub(crate) fn verdict(self) -> Verdict {
        let path = self.termination_log.clone();
        let said = self.leaves();
        let logged = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(said.lines().last(), Some(logged.trim_end()), "{said}");
        assert!(logged.len() <= 4096 && logged.starts_with('{') && logged.ends_with("}\n"), "{logged}");
        Verdict(said)
    }
}

// === impl Verdict ===

impl Verdict {
    /// All that the agent has said.
    pub(crate) fn said(&self) -> &str {
        &self.0
    }

    /// Checks that it contains all of `parts`.
    pub(crate) fn has(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.0.lines().last().unwrap().contains(part), "{part} is not in\n{}", self.0);
        }
    }
}
