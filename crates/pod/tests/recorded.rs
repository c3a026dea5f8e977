//! Reads a recorded pod, and files of other container runtimes and kernels that were written by hand after their source code.

#![allow(clippy::disallowed_methods, reason = "a test reads only its own files")]

use std::fs;
use std::path::{Path, PathBuf};

use pod::container;
use pod::delivery::{Held, held};
use pod::procfs::Procfs;
use pod::proxy::{Proxy, Scope};
use pod::sockets::State;
use pod::table::Table;

const ISTIO_PROXY: i32 = 37;
const ENVOY: i32 = 50;
const BASE: i32 = 70;
const PROXY_UID: u32 = 1337;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn recorded() -> Procfs {
    Procfs::at(folder("recorded/containerd-1.6-cgroup1-linux-6.18"))
}

#[test]
fn every_container_of_a_recorded_pod_is_found_by_its_name() {
    let pod = recorded();
    for (name, pid, comm) in [
        ("watcher", 64, "sleep"),
        // The path of its termination message is set in the pod, and has a space.
        ("base", BASE, "nc"),
        ("airflow-xcom-sidecar", 78, "sh"),
        ("istio-proxy", ISTIO_PROXY, "pilot-agent"),
    ] {
        let root = pod.root_of(name).map(|root| (root.pid, root.comm));
        assert_eq!(root, Some((pid, comm.to_owned())), "{name}");
    }
}

#[test]
fn neither_the_pause_process_nor_a_zombie_nor_a_volume_makes_a_container() {
    let pod = recorded();
    assert_eq!(pod.container(1), None, "pause");
    let zombie = pod.process(76).map(|process| process.state);
    assert_eq!((zombie, pod.container(76)), (Some(b'Z'), None));
    assert_eq!(pod.root_of("other"), None, "a volume that is mounted at a path like kubelet's");
}

#[test]
fn every_process_of_a_container_has_the_same_instance() {
    let pod = recorded();
    assert_eq!(pod.container(ENVOY), pod.container(ISTIO_PROXY));
    assert_eq!(pod.container(BASE).map(|container| container.instance), Some("1e29eed9".to_owned()));
    assert_eq!(pod.process(ENVOY).map(|envoy| (envoy.comm, envoy.parent)), Some(("envoy".to_owned(), ISTIO_PROXY)));
}

#[test]
fn uid_and_arguments_of_a_recorded_process_are_read() {
    let pod = recorded();
    assert_eq!((pod.uid(ENVOY), pod.uid(BASE), pod.uid(1)), (Some(PROXY_UID), Some(1000), Some(0)));
    let arguments = pod.arguments(ISTIO_PROXY).unwrap_or_default();
    assert_eq!(arguments.first().map(String::as_str), Some("/usr/local/bin/pilot-agent"));
    assert_eq!(pod.arguments(76), Some(Vec::new()), "a zombie has none");
}

#[test]
fn a_recorded_idle_pod_has_a_proxy_and_holds_nothing() {
    let mut sockets = Vec::new();
    Table::open_files(recorded().root()).and_then(|mut table| table.read(&mut sockets)).expect("both tables are there");
    assert!(sockets.iter().all(|socket| socket.state != State::TimeWait), "they hold nothing");
    assert_eq!(sockets.len(), 21, "of both files, without the headings and four in TIME-WAIT");

    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&sockets, None);
    assert_eq!(proxy.listener(&sockets).map(|listener| listener.uid), Some(PROXY_UID));
    assert!(proxy.listens(&sockets));
    assert_eq!(held(&sockets, &proxy), Held::default(), "xDS, probes and the admin interface do not count");
}

#[test]
fn the_container_is_found_with_every_runtime() {
    for (runtime, instance) in [
        ("containerd-cgroup2", "5b1c0f9e"),
        ("cri-o-cgroup2", "00c0ffee"),
        ("cri-o-cgroup1-custom-path", "00c0ffee"),
        ("docker-cgroup1", "fc4135aa"),
    ] {
        let mountinfo = fs::File::open(folder("written").join(runtime)).expect("it is there");
        let found = container::find(mountinfo).expect("it can be read").map(|found| (found.name, found.instance));
        assert_eq!(found, Some(("base".to_owned(), instance.to_owned())), "{runtime}");
    }
}

#[test]
fn the_table_of_an_old_kernel_is_read_like_a_new_one() {
    // In a new folder, because the file must be called `net/tcp`. There is no `net/tcp6`, as if IPv6 were disabled.
    let proc = std::env::temp_dir().join(format!("exeunt-tcp-{}", std::process::id()));
    fs::create_dir_all(proc.join("net")).expect("a temporary folder");
    fs::copy(folder("written/tcp-linux-4.4"), proc.join("net/tcp")).expect("it is there");
    let mut sockets = Vec::new();
    Table::open_files(&proc).and_then(|mut table| table.read(&mut sockets)).expect("the table is there");
    fs::remove_dir_all(&proc).expect("it is ours");
    assert_eq!(sockets.len(), 7, "all but the heading and the one in TIME-WAIT");

    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&sockets, None);
    // 100 are unread by the proxy, 5,001 unsent by it, and 1,000 unsent by a task that has ended. The FINs do not count.
    assert_eq!(held(&sockets, &proxy), Held { connections: 3, bytes: 6_101, downstream: 1, buffers: 0 });
}
