//! What is read of that which others write, and how much of it at most: the one table of the limits.
//!
//! A process of the pod chooses how many mounts it has, how long its arguments are, and what it answers. The agent has 16 MiB of memory.
//! Each limit is far above what a pod has in use. `docs/design.md` has the same table for readers, and a test compares the two.

use core::sync::atomic::{AtomicU64, Ordering};

use log::warn;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// One thing that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Input {
    /// The state of a process or a thread.
    Stat,
    /// The user of a process.
    Status,
    /// The command line of a process.
    Arguments,
    /// The mounts of a process.
    Mountinfo,
    /// The last id of the PID namespace.
    Loadavg,
    /// The processes of the PID namespace.
    Processes,
    /// The threads of a process.
    Threads,
    /// The open files of a process.
    Descriptors,
    /// The kernel's table of TCP sockets.
    Sockets,
    /// The listeners that the proxy has had.
    Listeners,
    /// The file that kubelet writes whenever it creates a container.
    Hosts,
    /// Its first line.
    HostsHeading,
    /// The writes to it.
    HostsWrites,
    /// The id of the boot of the node.
    BootId,
    /// The records of one main container.
    Record,
    /// The records of the proxy.
    ProxyRecord,
    /// The record of the pod's sandbox.
    SandboxRecord,
    /// The folder of all records.
    StateDir,
    /// One environment variable.
    Variable,
    /// The head of an HTTP response.
    ResponseHead,
    /// A line of an HTTP response in chunks.
    ChunkLine,
    /// What Envoy tells of its pod. All its extensions are named there, too: 100 KB.
    ServerInfo,
    /// What Envoy tells of its clusters, apart from the list of them.
    ClusterCount,
    /// What Envoy tells of a part of its configuration: two of its listeners, or one of its clusters.
    ConfigDump,
    /// What Envoy tells of its runtime.
    Runtime,
    /// What Envoy tells of the filter's metrics.
    FilterMetric,
    /// The filter's answer: a status. It has 400 bytes; the rest is room for a newer filter.
    FilterAnswer,
}

/// How much of an input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The input, as messages call it.
    pub name: &'static str,
    /// At most this many bytes or entries.
    pub most: usize,
    /// What is counted.
    pub unit: Unit,
    /// What the agent does with a longer one.
    pub beyond: &'static str,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Entries of a list.
    Entries,
}

/// The inputs of which a line of the log has said that they are too long, as bits. Once is enough: a process can repeat it for ever.
static TOLD: AtomicU64 = AtomicU64::new(0);

// === impl Input ===

impl Input {
    /// All inputs.
    pub const ALL: [Self; 27] = [
        Self::Stat,
        Self::Status,
        Self::Arguments,
        Self::Mountinfo,
        Self::Loadavg,
        Self::Processes,
        Self::Threads,
        Self::Descriptors,
        Self::Sockets,
        Self::Listeners,
        Self::Hosts,
        Self::HostsHeading,
        Self::HostsWrites,
        Self::BootId,
        Self::Record,
        Self::ProxyRecord,
        Self::SandboxRecord,
        Self::StateDir,
        Self::Variable,
        Self::ResponseHead,
        Self::ChunkLine,
        Self::ServerInfo,
        Self::ClusterCount,
        Self::ConfigDump,
        Self::Runtime,
        Self::FilterMetric,
        Self::FilterAnswer,
    ];

    /// Its limit: the table, with one line for each.
    #[must_use]
    #[rustfmt::skip]
    pub const fn bound(self) -> Bound {
        match self {
            Self::Stat => bytes("/proc/PID/stat", 4 * KIB, "the process counts as absent"),
            Self::Status => bytes("/proc/PID/status", 4 * KIB, "the rest is not needed"),
            Self::Arguments => bytes("/proc/PID/cmdline", 64 * KIB, "the arguments are unknown"),
            Self::Mountinfo => bytes("/proc/PID/mountinfo", 16 * MIB, "the container of the process is unknown"),
            Self::Loadavg => bytes("/proc/loadavg", 256, "how many processes have ended unseen is unknown"),
            Self::Processes => entries("/proc", 32_768, "the other processes count as absent"),
            Self::Threads => entries("/proc/PID/task", 32_768, "the other threads count as absent"),
            Self::Descriptors => entries("/proc/PID/fd", 65_536, "the sockets of the process are unknown"),
            Self::Sockets => entries("the kernel's table of TCP sockets", 65_536, "only Envoy can tell what is undelivered"),
            Self::Listeners => entries("the list of the proxy's listeners", 4_096, "connections to the others do not count"),
            Self::Hosts => bytes("/etc/hosts", 256 * KIB, "kubelet's creations of containers are unknown"),
            Self::HostsHeading => bytes("/etc/hosts, first line", 256, "the rest is not needed"),
            Self::HostsWrites => entries("the writes to /etc/hosts", 65_536, "the others are counted at the next look"),
            Self::BootId => bytes("/proc/sys/kernel/random/boot_id", 256, "a restart of the node is known by its processes only"),
            Self::Record => bytes("main-NAME in the state folder", 64 * KIB, "the newest records count"),
            Self::ProxyRecord => bytes("proxy in the state folder", 4 * KIB, "the newest record counts"),
            Self::SandboxRecord => bytes("sandbox in the state folder", 256, "it counts as that of another sandbox"),
            Self::StateDir => entries("the state folder", 1_024, "the other files are not read"),
            Self::Variable => bytes("an environment variable", 64 * KIB, "it counts as absent"),
            Self::ResponseHead => bytes("the head of an HTTP response", 8 * KIB, "the response is not understood"),
            Self::ChunkLine => bytes("a chunk's line of an HTTP response", 256, "the response is not understood"),
            Self::ServerInfo => bytes("Envoy's /server_info", MIB, "the form of the proxy is unknown"),
            Self::ClusterCount => bytes("Envoy's /stats?filter=active_clusters", 64 * KIB, "the rest is not needed"),
            Self::ConfigDump => bytes("Envoy's /config_dump of a listener", MIB, "its loggers and tracers are unknown"),
            Self::Runtime => bytes("Envoy's /runtime", 256 * KIB, "the settings of its tracers are unknown"),
            Self::FilterMetric => bytes("Envoy's /stats?filter=exeunt_state", 4 * KIB, "the rest is not needed"),
            Self::FilterAnswer => bytes("the filter's answer", 64 * KIB, "the answer is not understood"),
        }
    }

    /// At most this many bytes or entries.
    #[must_use]
    pub const fn most(self) -> usize {
        self.bound().most
    }

    /// Says once that there is more of it than is read, and what follows.
    pub fn tell(self) {
        let bit = 1 << self as u8;
        if TOLD.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            warn!("{}", self.message());
        }
    }

    /// The line about one that is too long.
    fn message(self) -> String {
        let Bound { name, most, unit, beyond } = self.bound();
        let unit = match unit {
            Unit::Bytes => "bytes",
            Unit::Entries => "entries",
        };
        format!("{name} has more than {most} {unit}: {beyond}")
    }
}

const fn bytes(name: &'static str, most: usize, beyond: &'static str) -> Bound {
    Bound { name, most, unit: Unit::Bytes, beyond }
}

const fn entries(name: &'static str, most: usize, beyond: &'static str) -> Bound {
    Bound { name, most, unit: Unit::Entries, beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_input_has_a_bit_of_its_own() {
        for (place, input) in Input::ALL.into_iter().enumerate() {
            assert_eq!(input as usize, place, "{input:?}");
        }
        assert!(Input::ALL.len() <= 64);
    }

    #[test]
    fn a_message_says_what_is_too_long_and_what_follows() {
        let line = Input::Sockets.message();
        assert_eq!(
            line,
            "the kernel's table of TCP sockets has more than 65536 entries: only Envoy can tell what is undelivered"
        );
    }
}
