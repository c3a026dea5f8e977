use proptest::prelude::*;

use super::*;
use crate::ports;
use crate::proxy::{Listener, Scope};
use crate::sockets::Endpoint;

const PROXY: u32 = 1337;
const TASK: &str = "10.99.0.2:43932";
const SERVER: &str = "10.99.0.10:9000";
const CAPTURED: &str = "127.0.0.1:15001";
const UPSTREAM: &str = "10.99.0.2:43944";

// Recorded on Linux 6.18 with Istio's capture rules and a forwarder with uid 1337 in place of Envoy: a task has sent 12,000,000 bytes to a
// slow server and has exited. The lines are cut after the inode.
const LISTENERS: &str = "
   0: 0100007F:3B56 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 144136
   1: 0100007F:3A98 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 144135
   2: 00000000:3AF2 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 144134
   3: 00000000:3AAD 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 144133
   4: 00000000:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 144131
   5: 00000000:3A9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 144132";
const ENDED: &str = "
   6: 0100007F:3A99 0200630A:AB9C 01 00000000:0005E0A0 00:00000000 00000000  1337        0 144137
   7: 0200630A:AB9C 0A00630A:2328 04 002B3A61:00000000 04:00000013 00000000  1000        0 0
   8: 0200630A:ABA8 0A00630A:2328 01 0017B5C2:00000000 04:00000014 00000000  1337        0 144139";
const DELIVERED: &str = "
   6: 0100007F:3A99 0200630A:AB9C 08 00000000:00000000 00:00000000 00000000  1337        0 144137
   7: 0200630A:AB9C 0A00630A:2328 05 00000000:00000000 03:00001721 00000000     0        0 0
   8: 0200630A:ABA8 0A00630A:2328 05 00000000:00000000 00:00000000 00000000  1337        0 144139";
const GONE: &str = "
   0: 0200630A:AB9C 0A00630A:2328 06 00000000:00000000 03:0000175E 00000000     0        0 0
   1: 0200630A:ABA8 0A00630A:2328 04 0003F001:00000000 01:00000016 00000000     0        0 0";

fn table(parts: &[&str]) -> Vec<Socket> {
    parts.iter().flat_map(|part| part.lines()).filter_map(|line| Socket::parse(line.as_bytes())).collect()
}

fn end(text: &str) -> Endpoint {
    let address: core::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), address.port())
}

/// A socket of `uid`; an orphan if that is `None`.
fn socket(local: &str, remote: &str, state: State, (tx_queue, rx_queue): (u32, u32), uid: Option<u32>) -> Socket {
    let inode = if uid.is_some() { 77 } else { 0 };
    Socket { local: end(local), remote: end(remote), state, tx_queue, rx_queue, uid: uid.unwrap_or(0), inode }
}

fn listener(local: &str, uid: u32, inode: u64) -> Socket {
    Socket { inode, ..socket(local, "0.0.0.0:0", State::Listen, (0, 0), Some(uid)) }
}

/// The proxy of a pod, which has observed the usual listeners.
fn pods_proxy() -> Proxy {
    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&table(&[LISTENERS]), None);
    proxy
}

/// What is held, with `sockets` and the usual listeners in the table.
fn held_of(sockets: &[Socket]) -> Held {
    held(&[table(&[LISTENERS]), sockets.to_vec()].concat(), &pods_proxy())
}

fn holding(connections: u32, bytes: u64, downstream: u32) -> Held {
    Held { connections, bytes, downstream, buffers: 0 }
}

#[test]
fn while_data_is_delivered_it_is_in_three_places_and_then_nowhere() {
    let bytes = 0x5_e0a0 + (0x2b_3a61 - 1) + 0x17_b5c2;
    assert_eq!(held(&table(&[LISTENERS, ENDED]), &pods_proxy()), holding(3, bytes, 1));
    assert_eq!(held(&table(&[LISTENERS, DELIVERED]), &pods_proxy()), holding(0, 0, 0));
}

#[test]
fn after_the_proxy_has_ended_only_its_orphans_count() {
    assert_eq!(left_behind(&table(&[GONE]), &pods_proxy()), holding(1, 0x3f000, 0));
    assert_eq!(left_behind(&table(&[DELIVERED]), &pods_proxy()), holding(0, 0, 0));
}

#[test]
fn data_for_a_proxy_that_was_killed_cannot_be_delivered() {
    let mut proxy = pods_proxy();
    proxy.observe(&table(&[LISTENERS, ENDED]), None);
    let (task, upstream) = (
        socket(TASK, SERVER, State::FinWait1, (2_833_506, 0), None),
        socket(UPSTREAM, SERVER, State::FinWait1, (4_001, 0), None),
    );
    let killed = [task, upstream];
    proxy.observe(&killed, None);
    assert_eq!(left_behind(&killed, &proxy), holding(1, 4_000, 0));
    // A later process has the same port, and its connection is its own.
    proxy.observe(&[], None);
    proxy.observe(&killed, None);
    assert_eq!(left_behind(&killed, &proxy), holding(2, 2_837_505, 0));
}

/// The listeners of ztunnel in a pod of an ambient mesh. It runs as root, outside the pod.
fn ztunnels_listeners() -> Vec<Socket> {
    [(15001, 1), (15006, 2), (15008, 3), (15053, 4)].map(|(port, inode)| listener(&format!("[::]:{port}"), 0, inode)).to_vec()
}

/// The proxy of a pod with these listeners.
fn proxy_of(listeners: &[Socket]) -> Proxy {
    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[15000, 15020]);
    proxy.observe(listeners, None);
    proxy
}

#[test]
fn ztunnel_is_recognized_by_its_listeners_and_an_envoy_in_an_ambient_mesh_is_not_ztunnel() {
    assert!(proxy_of(&ztunnels_listeners()).is_ztunnel());
    assert!(!pods_proxy().is_ztunnel());
    let hbone = listener("0.0.0.0:15008", PROXY, 9);
    assert!(!proxy_of(&[table(&[LISTENERS]), vec![hbone]].concat()).is_ztunnel());
    let mut dying = proxy_of(&[table(&[LISTENERS]), vec![hbone]].concat());
    dying.observe(&[listener("0.0.0.0:15001", PROXY, 9), hbone], None);
    assert!(!dying.is_ztunnel(), "whichever listener it closes first");
}

#[test]
fn a_process_that_opens_the_ports_of_ztunnel_before_envoy_starts_is_not_ztunnel_for_long() {
    let forged = [listener("0.0.0.0:15001", 1000, 5), listener("0.0.0.0:15008", 1000, 6)];
    let mut proxy = proxy_of(&forged);
    assert!(proxy.is_ztunnel());
    proxy.observe(&table(&[LISTENERS]), None);
    assert!(!proxy.is_ztunnel());
    let mut ztunnel = proxy_of(&ztunnels_listeners());
    ztunnel.observe(&ztunnels_listeners()[..1], None);
    assert!(ztunnel.is_ztunnel(), "it closes its listeners in any order");
    ztunnel.observe(&[ztunnels_listeners(), vec![listener("0.0.0.0:15000", 1000, 9)]].concat(), None);
    assert!(ztunnel.is_ztunnel(), "the port of another process");
}

#[test]
fn what_ztunnel_has_not_delivered_counts_even_beside_other_processes_of_root() {
    let helpers = [
        listener("0.0.0.0:8080", 0, 5),
        socket("10.99.0.2:8080", "10.0.0.8:40000", State::Established, (0, 900), Some(0)),
        socket("10.99.0.2:15008", "10.0.0.8:40002", State::Established, (0, 900), Some(0)),
    ];
    let listeners = [ztunnels_listeners(), helpers.to_vec()].concat();
    let held_with = |sockets: &[Socket]| held(&[listeners.clone(), sockets.to_vec()].concat(), &proxy_of(&listeners));
    assert_eq!(held_with(&[]), holding(0, 0, 0));
    let task = socket(TASK, SERVER, State::FinWait1, (3_001, 0), None);
    let captured = socket(CAPTURED, TASK, State::Established, (0, 500), Some(0));
    let tunnel = socket("10.99.0.2:50000", "10.0.0.9:15008", State::Established, (70, 0), Some(0));
    assert_eq!(held_with(&[task, captured, tunnel]), holding(3, 3_570, 1));
    let idle = Socket { tx_queue: 0, ..tunnel };
    assert_eq!(held_with(&[idle]), holding(0, 0, 0));
}

#[test]
fn an_idle_pod_holds_nothing() {
    let xds = socket("10.99.0.2:50000", "10.96.0.7:15012", State::Established, (900, 40), Some(PROXY));
    let kubelet = socket("10.99.0.2:15021", "10.99.0.1:40000", State::Established, (300, 0), Some(PROXY));
    let admin = socket("127.0.0.1:50002", "127.0.0.1:15000", State::Established, (0, 60_000), Some(PROXY));
    let pool = socket("10.99.0.2:50004", "10.0.0.9:8080", State::Established, (0, 0), Some(PROXY));
    let client = socket("10.99.0.2:15006", "10.0.0.8:40000", State::Established, (0, 0), Some(PROXY));
    let strange = socket("10.99.0.2:40404", "10.0.0.8:9000", State::Established, (999, 999), Some(1000));
    assert_eq!(held_of(&[xds, kubelet, admin, pool, client, strange]), holding(0, 0, 0));
}

#[test]
fn an_idle_captured_connection_counts_downstream_only() {
    assert_eq!(held_of(&[socket(CAPTURED, TASK, State::Established, (0, 0), Some(PROXY))]), holding(0, 0, 1));
}

#[test]
fn a_captured_connection_that_the_task_has_closed_counts_even_if_it_is_empty() {
    assert_eq!(held_of(&[socket(CAPTURED, TASK, State::CloseWait, (0, 0), Some(PROXY))]), holding(1, 0, 1));
    assert_eq!(held_of(&[socket(CAPTURED, TASK, State::CloseWait, (0, 1), Some(PROXY))]), holding(1, 0, 1));
    assert_eq!(held_of(&[socket(CAPTURED, TASK, State::CloseWait, (0, 11), Some(PROXY))]), holding(1, 10, 1));
}

#[test]
fn a_connection_that_the_proxy_has_not_accepted_counts() {
    for (state, unread, bytes) in [(State::Established, 0, 0), (State::Established, 100, 100), (State::CloseWait, 101, 100)] {
        assert_eq!(held_of(&[socket(CAPTURED, TASK, state, (0, unread), None)]), holding(1, bytes, 1));
    }
    let to_the_task = socket("10.99.0.2:8080", "10.0.0.8:40000", State::Established, (0, 100), None);
    let to_inbound = socket("10.99.0.2:15006", "10.0.0.8:40000", State::Established, (0, 100), None);
    assert_eq!(held_of(&[to_the_task, to_inbound]), holding(0, 0, 0));
}

#[test]
fn every_orphan_with_data_counts_whatever_its_uid() {
    for state in [State::FinWait1, State::LastAck, State::Closing] {
        for uid in [0, 1000, PROXY] {
            let orphan = Socket { uid, ..socket(TASK, SERVER, state, (101, 0), None) };
            assert_eq!(held_of(&[orphan]), holding(1, 100, 0));
        }
        assert_eq!(held_of(&[socket(TASK, SERVER, state, (1, 0), None)]), holding(1, 0, 0), "a FIN alone");
        assert_eq!(held_of(&[socket(TASK, SERVER, state, (0, 0), None)]), holding(0, 0, 0), "ACKed");
    }
}

#[test]
fn an_orphan_of_control_traffic_does_not_count() {
    for remote in ["127.0.0.1:15000", "10.99.0.2:15020", "127.0.0.1:15190", "192.0.2.190:15190", "10.96.0.7:15012"] {
        assert_eq!(held_of(&[socket("10.99.0.2:43932", remote, State::FinWait1, (101, 0), None)]), holding(0, 0, 0), "{remote}");
    }
}

#[test]
fn a_remote_server_on_the_number_of_a_control_port_is_not_control_traffic() {
    for remote in ["10.0.0.9:15000", "10.0.0.9:15020", "10.0.0.9:15053"] {
        let orphan = socket(TASK, remote, State::FinWait1, (101, 0), None);
        let upstream = socket(UPSTREAM, remote, State::Established, (50, 0), Some(PROXY));
        assert_eq!(held_of(&[orphan, upstream]), holding(2, 150, 0), "{remote}");
    }
}

#[test]
fn unsent_data_of_the_proxy_counts_in_every_state_but_syn_sent() {
    for state in State::ALL {
        let bytes = match state {
            State::Listen | State::SynSent => continue,
            State::SynReceived | State::NewSynReceived => 0,
            State::FinWait1 | State::LastAck | State::Closing => 99,
            _ => 100,
        };
        assert_eq!(held_of(&[socket(UPSTREAM, SERVER, state, (100, 0), Some(PROXY))]), holding(1, bytes, 0), "{state:?}");
    }
    let asking = socket(UPSTREAM, SERVER, State::SynSent, (1, 0), Some(PROXY));
    let waiting = socket(CAPTURED, TASK, State::CloseWait, (0, 0), Some(PROXY));
    assert_eq!(held_of(&[asking, waiting]), holding(1, 0, 1));
}

#[test]
fn an_answer_of_the_task_counts_and_a_request_to_it_does_not() {
    for source in ["127.0.0.6:41000", "[::6]:41000"] {
        assert_eq!(held_of(&[socket(source, "10.99.0.2:8080", State::CloseWait, (0, 101), Some(PROXY))]), holding(1, 100, 0));
    }
    let answer = socket("10.99.0.2:15006", "10.0.0.8:40000", State::Established, (70, 0), Some(PROXY));
    let request = socket("10.99.0.2:15006", "10.0.0.8:40000", State::Established, (0, 70), Some(PROXY));
    let late = socket(UPSTREAM, SERVER, State::Established, (0, 70), Some(PROXY));
    assert_eq!(held_of(&[answer, request, late]), holding(1, 70, 0));
}

#[test]
fn a_half_closed_and_delivered_connection_accounts_for_one_and_no_more() {
    let captured = socket(CAPTURED, TASK, State::CloseWait, (0, 0), Some(PROXY));
    let passed_on = socket(UPSTREAM, SERVER, State::FinWait2, (0, 0), Some(PROXY));
    let idle = socket(CAPTURED, TASK, State::Established, (0, 0), Some(PROXY));
    let unread = socket(CAPTURED, TASK, State::CloseWait, (0, 11), Some(PROXY));
    assert_eq!(held_of(&[captured, passed_on]), holding(0, 0, 0));
    assert_eq!(held_of(&[captured, captured, passed_on]), holding(1, 0, 1));
    assert_eq!(held_of(&[captured, passed_on, passed_on, idle]), holding(0, 0, 1));
    assert_eq!(held_of(&[unread, passed_on]), holding(1, 10, 1));
}

#[test]
fn a_fin_wait_2_that_is_not_an_upstream_accounts_for_nothing() {
    let captured = socket(CAPTURED, TASK, State::CloseWait, (0, 0), Some(PROXY));
    let others = [
        socket(CAPTURED, "10.99.0.2:43000", State::FinWait2, (0, 0), Some(PROXY)),
        socket("10.99.0.2:15006", "10.0.0.8:40000", State::FinWait2, (0, 0), Some(PROXY)),
        socket("127.0.0.6:41000", "10.99.0.2:8080", State::FinWait2, (0, 0), Some(PROXY)),
        socket(UPSTREAM, SERVER, State::FinWait2, (0, 0), Some(1000)),
        socket(UPSTREAM, SERVER, State::FinWait2, (0, 0), None),
    ];
    for other in others {
        assert_eq!(held_of(&[captured, other]).connections, 1, "{other:?}");
    }
}

#[test]
fn the_proxy_is_the_process_that_listens_on_istios_ports_whatever_its_uid() {
    let uid = 1_000_710_000;
    let sockets = [
        listener("0.0.0.0:8080", 1000, 5),
        listener("0.0.0.0:15021", uid, 6),
        socket(UPSTREAM, SERVER, State::Established, (5, 0), Some(uid)),
    ];
    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&sockets, None);
    assert_eq!(held(&sockets, &proxy), holding(1, 5, 0));
    assert!(proxy.listens(&sockets));
    assert!(
        !proxy.listens(&[listener("0.0.0.0:15020", uid, 8), listener("0.0.0.0:8080", 1000, 5)]),
        "pilot-agent outlives Envoy"
    );
}

#[test]
fn a_process_that_takes_a_port_of_the_proxy_first_is_not_the_proxy_for_long() {
    let (early, stranger) = (listener("0.0.0.0:15090", 1000, 5), listener("127.0.0.1:15190", 1000, 6));
    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&[stranger], None);
    assert!(!proxy.is_known(), "every process may open the port of the signal listener");
    proxy.observe(&[early, stranger], None);
    let started = [table(&[LISTENERS]), vec![stranger]].concat();
    proxy.observe(&started, None);
    assert!(proxy.listens(&started) && !proxy.listens(&[stranger]));
    assert_eq!(proxy.who_listens(&started, end("127.0.0.1:15001")), Listener::Proxy);
}

#[test]
fn the_table_shows_who_listens_on_a_signal_address() {
    let who = |strangers: &[Socket], at| {
        let sockets = [table(&[LISTENERS]), strangers.to_vec()].concat();
        pods_proxy().who_listens(&sockets, end(at))
    };
    let here = "127.0.0.1:15190";
    assert_eq!(who(&[], here), Listener::Proxy);
    assert_eq!(who(&[], "[::1]:15190"), Listener::Unknown, "nobody");
    assert_eq!(who(&[listener("[::1]:15190", 1000, 5)], "[::1]:15190"), Listener::Other(1000));
    assert_eq!(who(&[listener("[::]:15190", 1000, 5)], "[::1]:15190"), Listener::Other(1000));
    assert_eq!(who(&[listener("[::]:15190", 1000, 5)], here), Listener::Proxy, "the exact address has priority");
    let captured = "192.0.2.190:15190";
    assert_eq!(who(&[listener("0.0.0.0:15190", 1000, 5)], captured), Listener::Proxy, "Istio redirects it to 15001");
    assert_eq!(who(&[listener(captured, 1000, 5)], captured), Listener::Other(1000));
    let unknown = Proxy::new(Scope::Pod, &[15190], &[]);
    assert_eq!(unknown.who_listens(&[listener(here, 1000, 5)], end(here)), Listener::Unknown);
}

#[test]
fn a_bound_outbound_listener_captures_like_15001_and_is_remembered() {
    let bound = listener("10.99.0.10:9000", PROXY, 9);
    let captured = socket("10.99.0.10:9000", TASK, State::CloseWait, (0, 0), Some(PROXY));
    let mut proxy = pods_proxy();
    proxy.observe(&[table(&[LISTENERS]), vec![bound]].concat(), None);
    assert_eq!(held(&[captured], &proxy), holding(1, 0, 1), "its listener is closed by now");
    let elsewhere = socket("10.99.0.2:9000", TASK, State::CloseWait, (0, 0), Some(PROXY));
    assert_eq!(held(&[elsewhere], &proxy), holding(0, 0, 0));
}

#[test]
fn if_task_and_proxy_have_the_same_uid_inodes_tell_them_apart() {
    let mine = Socket { inode: 5, ..socket(UPSTREAM, SERVER, State::Established, (5, 0), Some(0)) };
    let tasks = Socket { inode: 6, ..socket("10.99.0.2:40404", SERVER, State::Established, (7, 0), Some(0)) };
    let sockets = [listener("0.0.0.0:15001", 0, 4), mine, tasks];
    let mut proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    proxy.observe(&sockets, Some(&[4, 5]));
    assert_eq!(held(&sockets, &proxy), holding(1, 5, 0));
    proxy.observe(&sockets, Some(&[4]));
    assert_eq!(held(&sockets, &proxy), holding(1, 5, 0), "still in the table: it was the proxy's when the list was read");
}

#[test]
fn the_agents_own_signal_is_not_data_of_the_task() {
    let signal = socket(CAPTURED, "10.99.0.2:50123", State::CloseWait, (0, 0), Some(PROXY));
    let unanswered = socket(UPSTREAM, "192.0.2.190:15190", State::SynSent, (1, 0), Some(PROXY));
    let mut proxy = pods_proxy();
    assert_eq!(held(&[signal, unanswered], &proxy), holding(1, 0, 1));
    proxy.disregard(end("10.99.0.2:50123"));
    proxy.observe(&[signal, unanswered], None);
    assert_eq!(held(&[signal, unanswered], &proxy), holding(0, 0, 0));
    proxy.observe(&[], None);
    assert_eq!(held(&[signal], &proxy), holding(1, 0, 1), "another connection by now: the port was free");
}

#[test]
fn on_a_shared_host_only_connections_of_and_to_the_proxy_count() {
    let front = listener("127.0.0.3:9000", 0, 4);
    let upstream = Socket { inode: 5, ..socket("127.0.0.1:43944", "127.0.0.1:9100", State::Established, (5, 0), Some(0)) };
    let task = socket("127.0.0.1:40000", "127.0.0.3:9000", State::FinWait1, (11, 0), None);
    let waiting = socket("127.0.0.3:9000", "127.0.0.1:40002", State::Established, (0, 3), None);
    let stranger = socket("127.0.0.1:40004", "127.0.0.1:7777", State::FinWait1, (900, 0), None);
    let same_port_elsewhere = socket("10.0.0.2:40004", "10.0.0.9:9000", State::FinWait1, (900, 0), None);
    let sockets = [front, upstream, task, waiting, stranger, same_port_elsewhere];
    let mut proxy = Proxy::new(Scope::Process, &[15190], &[25000]);
    proxy.observe(&sockets, None);
    assert_eq!(held(&sockets, &proxy), holding(0, 0, 0), "nothing is known of the proxy yet");
    proxy.observe(&sockets, Some(&[4, 5]));
    assert_eq!(held(&sockets, &proxy), holding(3, 5 + 10 + 3, 1));

    let orphaned = Socket { inode: 0, state: State::FinWait1, tx_queue: 6, ..upstream };
    assert_eq!(left_behind(&[orphaned, stranger, same_port_elsewhere], &proxy), holding(1, 5, 0));
    proxy.observe(&[orphaned, stranger], Some(&[]));
    assert_eq!(left_behind(&[orphaned, stranger], &proxy), holding(1, 5, 0), "remembered as long as it is there");
    proxy.observe(&[stranger], Some(&[]));
    assert_eq!(left_behind(&[orphaned], &proxy), holding(0, 0, 0), "and no longer: the kernel may give its ports away");
}

#[test]
fn without_a_proxy_only_the_orphans_of_a_pod_count() {
    let proxy = Proxy::new(Scope::Pod, &[15190], &[]);
    assert_eq!(held(&table(&[ENDED]), &proxy), holding(1, 0x2b_3a61 - 1, 0));
}

fn any_socket() -> impl Strategy<Value = Socket> {
    let port = prop_oneof![Just(ports::OUTBOUND), Just(ports::INBOUND), Just(15190), Just(9000), Just(43932), Just(15012)];
    let ip = prop_oneof![Just("127.0.0.1"), Just("127.0.0.6"), Just("10.99.0.2"), Just("10.99.0.10"), Just("0.0.0.0")];
    let end = (ip, port).prop_map(|(ip, port)| Endpoint::new(ip.parse().unwrap(), port));
    let queue = prop_oneof![Just(0u32), Just(1), any::<u32>()];
    let uid = prop_oneof![Just(0u32), Just(1000), Just(PROXY)];
    (end.clone(), end, 0..12usize, (queue.clone(), queue), uid, 0..4u64).prop_map(|(local, remote, state, queues, uid, inode)| {
        Socket { local, remote, state: State::ALL[state], tx_queue: queues.0, rx_queue: queues.1, uid, inode }
    })
}

proptest! {
    #[test]
    fn there_are_no_bytes_without_a_connection(sockets in prop::collection::vec(any_socket(), 0..40)) {
        let held = held(&sockets, &pods_proxy());
        prop_assert!(held.bytes == 0 || held.connections > 0);
        let left = left_behind(&sockets, &pods_proxy());
        prop_assert!(left.connections <= held.connections && left.bytes <= held.bytes);
    }

    #[test]
    fn one_more_socket_removes_at_most_one_connection(sockets in prop::collection::vec(any_socket(), 0..20), more in any_socket()) {
        let proxy = pods_proxy();
        let before = held(&sockets, &proxy);
        let after = held(&[sockets, vec![more]].concat(), &proxy);
        prop_assert!(after.connections + 1 >= before.connections && after.bytes >= before.bytes);
    }
}
