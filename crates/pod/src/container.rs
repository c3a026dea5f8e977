//! Which container of the pod a process lives in, told by its mounts alone: readable by any uid, no API, no runtime's socket.
//!
//! Kubelet keeps a file per container and instance for its termination message and bind-mounts it into the container:
//! `<root>/pods/<pod uid>/containers/<name>/<eight hex digits>` (kubernetes, `pkg/kubelet/kubelet_pods.go`, `makeUID`). Where it
//! is mounted is the pod's choice (`terminationMessagePath`); where it comes from is not.

use crate::stat::fields;

/// One instance of a container: a restarted one has the same name and another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// Kubelet's id of this instance.
    pub instance: String,
}

/// Reads a `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`): the 4th field of a line is the mount's root within its file system.
///
/// A task cannot forge it without the right to mount. `None` outside of Kubernetes, and for the pod's own pause process.
#[must_use]
pub fn parse(mountinfo: &[u8]) -> Option<Container> {
    mountinfo.split(|byte| *byte == b'\n').find_map(|line| of_source(fields(line).nth(3)?))
}

fn of_source(source: &[u8]) -> Option<Container> {
    let mut parts = source.rsplit(|byte| *byte == b'/');
    let (instance, name) = (parts.next()?, parts.next()?);
    let (containers, uid, pods) = (parts.next()?, parts.next()?, parts.next()?);
    // Docker keeps /etc/hostname in `/var/lib/docker/containers/<id>/hostname`: the same shape but for the pod and the digits.
    let ours = pods == b"pods" && !uid.is_empty() && containers == b"containers" && is_label(name) && is_instance(instance);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ours.then(|| Container { name: text(name), instance: text(instance) })
}

/// An RFC 1123 label, as the API server demands of a container's name.
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
    fn a_termination_message_path_of_the_pods_own_makes_no_difference() {
        let moved = CONTAINERD.replace("/dev/termination-log", "/var/run/my\\040message");
        assert_eq!(parse(moved.as_bytes()), Some(container("base", "5b1c0f9e")));
    }

    #[test]
    fn a_kubelet_directory_on_a_file_system_of_its_own_makes_no_difference() {
        for prefix in ["", "/@/var/lib/kubelet", "/data/my\\040kubelet"] {
            let line = format!(
                "9 8 254:2 {prefix}/pods/aa-bb/containers/istio-proxy/00c0ffee /dev/termination-log rw - ext4 /dev/vdb rw\n"
            );
            assert_eq!(parse(line.as_bytes()), Some(container("istio-proxy", "00c0ffee")), "{prefix}");
        }
    }

    #[test]
    fn other_mounts_of_a_like_shape_name_nothing() {
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
