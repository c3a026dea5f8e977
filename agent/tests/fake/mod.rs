//! A fake proxy on loopback, as a process of its own: the script `proxy.py` describes its roles.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_exeunt-agent");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake/proxy.py");

/// A fake proxy that runs.
pub(crate) struct Proxy {
    pub(crate) child: Child,
    output: BufReader<ChildStdout>,
    /// The ports of the filter, the admin interface, pilot-agent and the front listener.
    pub(crate) ports: [u16; 4],
}

impl Proxy {
    /// A proxy with `roles`.
    pub(crate) fn start(roles: &[&str]) -> Self {
        let mut child = Command::new("python3").arg(SCRIPT).args(roles).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
        Self { child, output, ports: ports.try_into().unwrap() }
    }

    /// The command of an agent beside this proxy.
    pub(crate) fn agent(&self, verb: &str) -> Command {
        let mut agent = Command::new(AGENT);
        agent.args([verb, "--proxy-pid", &self.child.id().to_string(), "--admin-port", &self.ports[1].to_string()]);
        if verb != "wait" {
            let [signal, _, status, _] = self.ports.map(|port| port.to_string());
            agent.args(["--signal-address", "127.0.0.1", "--signal-port", &signal, "--status-port", &status]);
        }
        agent
    }

    /// The requests that it got, once it has ended.
    pub(crate) fn story(mut self) -> String {
        let mut story = String::new();
        self.output.read_to_string(&mut story).unwrap();
        story
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
