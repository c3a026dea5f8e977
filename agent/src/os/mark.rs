//! Two marks that outlive this process, where the pod has no volume for one.
//!
//! The first says that the agent has ended by itself: a TCP connection of the pod's loopback in TIME-WAIT, which the kernel keeps for a
//! minute. It tells a native sidecar from a regular container when nothing else does: kubelet starts a native sidecar again within seconds,
//! and a regular container of a batch pod that has ended with 0 never.
//!
//! The second says that the agent is known to be a native sidecar: a file in `/dev/shm`, which the containers of a pod share, and which
//! lasts as long as the pod. An agent that was killed finds it. Every user of the pod can write there, so only a file of the agent's own user
//! counts.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::fs::{OpenOptions, symlink_metadata};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use log::debug;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::geteuid;

/// Istio reserves ports from 15000 on, and uses none of 15180 to 15199.
const PORT: u16 = 15193;
/// The file.
const NATIVE: &str = "/dev/shm/exeunt-is-a-native-sidecar";

/// Leaves the mark.
///
/// # Errors
/// Those of `socket(2)`, `bind(2)`, `connect(2)` and `accept(2)`.
pub fn leave() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = on_port()?;
    connect(&ours, &listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    // The end that closes first is the one in TIME-WAIT.
    drop(TcpStream::from(ours));
    drop(theirs);
    Ok(())
}

/// Whether an earlier process has left the mark within the last minute.
#[must_use]
pub fn is_there() -> bool {
    on_port().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Records that this agent is a native sidecar. Without the file, an agent that is killed may have to find it out again.
pub fn record_native() {
    if let Err(error) = OpenOptions::new().write(true).create_new(true).open(NATIVE) {
        debug!("{NATIVE}: {error}");
    }
}

/// Whether an earlier process has found out that this agent is a native sidecar.
#[must_use]
pub fn is_native() -> bool {
    is_file_of(Path::new(NATIVE), geteuid().as_raw())
}

/// Whether there is a file at `path` that belongs to the user `uid`.
fn is_file_of(path: &Path, uid: u32) -> bool {
    symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.uid() == uid)
}

/// A socket on the port of the mark. Without `SO_REUSEADDR` the kernel refuses it while the mark is there.
fn on_port() -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_is_no_mark() {
        let folder = std::env::temp_dir().join(format!("exeunt-mark-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link, own) = (folder.join("file"), folder.join("link"), geteuid().as_raw());
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let counts =
            [(&file, own), (&file, own + 1), (&link, own), (&folder.join("none"), own)].map(|(path, uid)| is_file_of(path, uid));
        assert_eq!(counts, [true, false, false, false]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_mark_is_there_once_it_was_left() {
        // Another run of this test may have left it.
        if !is_there() {
            leave().unwrap();
        }
        assert!(is_there());
    }
}
