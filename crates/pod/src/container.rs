//! Finds out in which container of the pod a process runs. The mounts of the process show it, and every uid can read them: neither the
//! API nor the container runtime is needed.
//!
//! Kubelet keeps a file for the termination message of each instance of a container, and mounts it into the container:
//! `<root>/pods/<pod uid>/containers/<name>/<eight hex digits>` (kubernetes, `pkg/kubelet/kubelet_pods.go`, `makeUID`). The pod can choose
//! where the file is mounted (`terminationMessagePath`), but not where it comes from.

use core::ops::ControlFlow;
use std::io::{self, Read};

use crate::bounded::{Line, each_line};
use crate::stat::fields;

/// The memory for one line. The root of a mount is near the beginning of its line, so it does not matter where a longer line is cut.
const BUFFER: usize = 8 * 1024;

/// One instance of a container. After a restart the name is the same and the id is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// Kubelet's id of this instance.
    pub instance: String,
}

/// Reads `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`) up to the line that names the container.
///
/// A task that may mount can make it as long as it likes, in a user namespace of its own. But what kubelet has mounted comes first: the
/// kernel lists the mounts of a copied namespace in their old order, and new ones behind them. `None` outside Kubernetes, and for the
/// pause process of the pod.
///
/// # Errors
/// Those of `mountinfo`.
pub fn find(mountinfo: impl Read) -> io::Result<Option<Container>> {
    let mut found = None;
    each_line(mountinfo, &mut [0; BUFFER], |line| {
        let (Line::Whole(line) | Line::Beginning(line)) = line;
        found = of_mount(line);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// Reads one line. The 4th field is the root of the mount in its file system. It is complete only if another field follows.
fn of_mount(line: &[u8]) -> Option<Container> {
    let mut fields = fields(line);
    let source = fields.nth(3)?;
    fields.next().and_then(|_| of_source(source))
}

fn of_source(source: &[u8]) -> Option<Container> {
    let mut parts = source.rsplit(|byte| *byte == b'/');
    let (instance, name) = (parts.next()?, parts.next()?);
    let (containers, uid, pods) = (parts.next()?, parts.next()?, parts.next()?);
    // Docker keeps /etc/hostname in `/var/lib/docker/containers/<id>/hostname`: similar, but without the pod and the hex digits.
    let ours = pods == b"pods" && !uid.is_empty() && containers == b"containers" && is_label(name) && is_instance(instance);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ours.then(|| Container { name: text(name), instance: text(instance) })
}

/// Whether it is an RFC 1123 label, as the API server requires for the name of a container.
fn is_label(name: &[u8]) -> bool {
    (1..=63).contains(&name.len()) && name.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_instance(instance: &[u8]) -> bool {
    instance.len() == 8 && instance.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(mountinfo: &[u8]) -> Option<Container> {
        find(mountinfo).unwrap()
    }

    const CONTAINERD: &str = "\
1211 978 0:159 / / rw,relatime master:335 - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/14/fs
1212 1211 0:161 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1219 1211 254:1 /var/lib/kubelet/pods/6c3b73c0-2e58-4769-9105-a91c5c2330c3/etc-hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw
1220 1213 254:1 /var/lib/kubelet/pods/6c3b73c0-2e58-4769-9105-a91c5c2330c3/containers/base/5b1c0f9e /dev/termination-log rw,relatime - ext4 /dev/vda1 rw
1221 1211 254:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/0f3d2a/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw
1223 1211 0:157 / /var/run/secrets/kubernetes.io/serviceaccount ro,relatime - tmpfs tmpfs rw,size=4194304k
";

    fn container(name: &str, instance: &str) -> Container {
        Container { name: name.to_owned(), instance: instance.to_owned() }
    }

    #[test]
    fn the_termination_log_names_the_container() {
        assert_eq!(parse(CONTAINERD.as_bytes()), Some(container("base", "5b1c0f9e")));
    }

    #[test]
    fn another_termination_message_path_makes_no_difference() {
        let moved = CONTAINERD.replace("/dev/termination-log", "/var/run/my\\040message");
        assert_eq!(parse(moved.as_bytes()), Some(container("base", "5b1c0f9e")));
    }

    #[test]
    fn a_kubelet_directory_on_another_file_system_makes_no_difference() {
        for prefix in ["", "/@/var/lib/kubelet", "/data/my\\040kubelet"] {
            let line = format!(
                "9 8 254:2 {prefix}/pods/aa-bb/containers/istio-proxy/00c0ffee /dev/termination-log rw - ext4 /dev/vdb rw\n"
            );
            assert_eq!(parse(line.as_bytes()), Some(container("istio-proxy", "00c0ffee")), "{prefix}");
        }
    }

    #[test]
    fn similar_mounts_name_no_container() {
        let sources = [
            "/var/lib/docker/containers/0123456789abcdef/hostname",
            "/var/lib/docker/containers/0123456789abcdef/01234567",
            "/pods/uid/containers/base/hostname",
            "/pods/uid/containers/base/5b1c0f9e0",
            "/pods/uid/containers/Base/5b1c0f9e",
            "/pods/uid/containers//5b1c0f9e",
            "/pods/uid/volumes/containers/base/5b1c0f9e",
            "/pods/uid/containers/base/5b1c0f9e/deeper",
            "/",
        ];
        for source in sources {
            let line = format!("1220 1213 254:1 {source} /dev/termination-log rw,relatime - ext4 /dev/vda1 rw\n");
            assert_eq!(parse(line.as_bytes()), None, "{source}");
        }
    }

    #[test]
    fn a_long_list_of_mounts_is_read_up_to_the_line_that_names_the_container() {
        /// Mounts without end, after those of kubelet.
        struct Endless<'a>(&'a [u8]);

        impl Read for Endless<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(!self.0.is_empty(), "it reads what it does not need");
                self.0.read(into)
            }
        }

        assert_eq!(find(Endless(CONTAINERD.as_bytes())).unwrap(), Some(container("base", "5b1c0f9e")));
    }

    #[test]
    fn a_line_longer_than_the_buffer_names_its_container() {
        let line = "1220 1213 254:1 /pods/u/containers/base/5b1c0f9e /dev/termination-log rw - ext4 /dev/vda1 rw";
        let deep = "/deep\\040path".repeat(BUFFER / 4);
        let text = format!("1 2 0:3 {deep} /mnt rw - tmpfs tmpfs rw\n{line},{deep}\n");
        assert_eq!(parse(text.as_bytes()), Some(container("base", "5b1c0f9e")));
        // A path that goes on behind the end of the buffer names none.
        let cut = |path: &str| format!("1 2 0:3 {:/>1$}", path, BUFFER - 8);
        let name = "/pods/u/containers/other/5b1c0f9e";
        assert_eq!(cut(name).len(), BUFFER);
        for text in [format!("{}/more /x rw - d d rw\n", cut(name)), format!("{} /x rw - d d rw\n", cut(name))] {
            assert_eq!(parse(text.as_bytes()), None, "what follows is not seen");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_path_makes_it_panic(source in "(/|pods|containers|[a-f0-9]{8}|[a-z ]{0,5}){0,12}") {
            let _ = parse(format!("1 2 0:3 {source} /x rw - ext4 /dev/x rw").as_bytes());
        }
    }
}
