//! The connections of the pod: when they begin, how their bytes move, and what the kernel's table shows of them.

use core::net::{IpAddr, Ipv4Addr};

use pod::ports;
use pod::sockets::{Endpoint, Socket, State};

use super::{Happening, MILLISECOND, World};
use crate::flow::{CAPTURE, Flow, PROXY_UID};

/// The pause before a sender tries again to connect, while there is no Envoy.
const RETRY: u64 = 100 * MILLISECOND;

// === impl World ===

impl World {
    /// A run of a main container begins, and will send. With the first one, the helpers send.
    pub(super) fn begin_flows(&mut self, main: usize, run: usize) {
        let lasts = self.plan.kubelet.run(main, run).map_or(0, |run| run.ends - run.begins);
        let begins = self.plan.flows.iter().enumerate().filter_map(|(index, flow)| {
            let (with, after) =
                if flow.of_a_helper { ((0, 0), 0) } else { ((flow.main, flow.run), lasts.saturating_sub(flow.before_end)) };
            (with == (main, run)).then_some((index, after))
        });
        for (index, after) in begins.collect::<Vec<_>>() {
            self.schedule(after * MILLISECOND, Happening::FlowBegins(index));
        }
    }

    /// The sender connects, once there is an Envoy. A sender that has ended does not.
    pub(super) fn begin_flow(&mut self, index: usize) {
        let Some(plan) = self.plan.flows.get(index).copied() else { return };
        if self.run_is_over(plan.main, plan.run) {
            return;
        }
        if !self.proxy.is_up() {
            return self.schedule(RETRY, Happening::FlowBegins(index));
        }
        if let Some(flow) = self.flows.get_mut(index) {
            flow.begin(plan.bytes, self.now / MILLISECOND);
        }
        self.keep_moving();
    }

    /// The processes of a run end, and with them their connections.
    pub(super) fn close_flows(&mut self, main: usize, run: usize) {
        for (flow, plan) in self.flows.iter_mut().zip(&self.plan.flows) {
            if (plan.main, plan.run) == (main, run) {
                flow.close();
            }
        }
        self.keep_moving();
    }

    pub(super) fn undelivered(&self) -> u64 {
        self.flows.iter().map(Flow::undelivered).sum()
    }

    pub(super) fn in_queues(&self) -> u64 {
        self.flows.iter().map(Flow::in_queues).sum()
    }

    pub(super) fn move_bytes(&mut self) {
        self.moves = false;
        let works = self.proxy.is_up() && self.hangs_until().is_none();
        let now = self.now / MILLISECOND;
        let before = self.undelivered();
        let passed_on: Vec<bool> = self.flows.iter().map(Flow::is_passed_on).collect();
        let mut moved = false;
        for flow in &mut self.flows {
            moved |= flow.step(now, works);
        }
        self.log_ended_flows(&passed_on);
        if moved {
            self.ledger.moved(self.now);
        }
        if before > 0 && self.undelivered() == 0 {
            self.ledger.delivered = Some(self.now);
        }
        if moved {
            self.keep_moving();
        } else {
            let resumes = self.flows.iter().filter_map(|flow| flow.resumes(now)).map(|at| at * MILLISECOND);
            if let Some(at) = resumes.chain(self.hangs_until()).min() {
                self.moves = true;
                self.schedule(at.saturating_sub(self.now).max(MILLISECOND), Happening::Move);
            }
        }
    }

    pub(super) fn keep_moving(&mut self) {
        if !self.moves {
            self.moves = true;
            self.schedule(MILLISECOND, Happening::Move);
        }
    }

    /// The kernel's table, now.
    pub(crate) fn sockets(&self, table: &mut Vec<Socket>) {
        table.clear();
        if self.proxy.is_up() {
            let nobody = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            let (uid, state) = (PROXY_UID, State::Listen);
            for (local, inode) in [
                (CAPTURE, 10),
                (Endpoint::new(nobody.ip, ports::INBOUND), 11),
                (Endpoint::new(nobody.ip, ports::HEALTH), 12),
                (Endpoint::new(CAPTURE.ip, ports::ADMIN), 13),
            ] {
                table.push(Socket { local, remote: nobody, state, tx_queue: 0, rx_queue: 0, uid, inode });
            }
        }
        for flow in &self.flows {
            flow.sockets(table);
        }
    }

    /// Until when Envoy hangs, if it hangs now.
    pub(super) fn hangs_until(&self) -> Option<u64> {
        let (from, to) = self.plan.hangs?;
        (from * MILLISECOND..to * MILLISECOND).contains(&self.now).then_some(to * MILLISECOND)
    }
}
