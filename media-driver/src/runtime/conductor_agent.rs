//! The conductor's outermost layer. It passes the time in, carries the conductor's requests to the helper and the
//! replies back, and reports to the driver's owner. A thread or an invoker runs it.

use gannet::agent::{Agent, Finished};
use gannet::time::{Clock, EpochMillis, MonotonicNanos};

use super::helper::HelperPort;
use super::network_agents::{NetworkDuty, NetworkPorts};
use super::queue::EndGone;
use super::resolver_port::ResolverPort;
use super::stop::{StopHandle, StopReason};
use crate::conductor::Conductor;
use crate::io::transport::TransportCounts;

/// The interval at which the wall clock is read, which is only needed to the millisecond.
const EPOCH_REFRESH_NS: i64 = 1_000_000;

/// The agent that runs the conductor.
#[derive(Debug)]
pub(super) struct ConductorAgent<C> {
    name: String,
    conductor: Conductor,
    helper: HelperPort,
    ports: NetworkPorts,
    /// The socket of name resolution.
    resolver: Option<ResolverPort>,
    /// The sender and the receiver, if they share this thread.
    network: Option<NetworkDuty>,
    clock: C,
    epoch: EpochMillis,
    epoch_due: MonotonicNanos,
    stop: StopHandle,
}

impl<C: Clock> ConductorAgent<C> {
    pub(super) fn new(
        name: &str,
        conductor: Conductor,
        helper: HelperPort,
        (ports, resolver, network): (NetworkPorts, Option<ResolverPort>, Option<NetworkDuty>),
        clock: C,
        stop: StopHandle,
    ) -> Self {
        let (epoch, epoch_due) = (clock.epoch(), clock.monotonic());
        Self { name: name.to_owned(), conductor, helper, ports, resolver, network, clock, epoch, epoch_due, stop }
    }

    /// The counts of the transports that run on this thread: the sender's, then the receiver's.
    pub(super) fn transport_counts(&self) -> [Option<TransportCounts>; 2] {
        self.network.as_ref().map_or([None; 2], NetworkDuty::counts)
    }

    /// Runs one duty cycle. Fails if a part of the driver is gone without which it cannot continue. If sender and
    /// receiver run here, data that clients have published is sent first, and arrived data is placed last, so the
    /// conductor runs while datagrams are in flight.
    fn turn(&mut self) -> Result<usize, EndGone> {
        let now = self.clock.monotonic();
        if now >= self.epoch_due {
            self.epoch = self.clock.epoch();
            self.epoch_due = now.saturating_add_ns(EPOCH_REFRESH_NS);
        }
        let mut work = 0;
        if let Some(network) = &mut self.network {
            work += network.send_turn(now)?;
        }
        if self.helper.has_news() {
            self.take_replies()?;
        }
        work += self.conductor.do_work(now, self.epoch);
        if let Some(resolver) = &mut self.resolver {
            work += resolver.turn(now, &mut self.conductor);
        }
        if self.conductor.has_requests() {
            work += self.pass_requests_on()?;
        }
        if self.ports.has_news() || self.conductor.has_commands() {
            work += self.ports.exchange(&mut self.conductor)?;
        }
        if let Some(network) = &mut self.network {
            work += network.receive_turn(now)?;
        }
        if self.conductor.termination_requested() {
            self.stop.state(StopReason::TerminatedByClient);
        }
        Ok(work)
    }

    #[cold]
    fn take_replies(&mut self) -> Result<(), EndGone> {
        // Bounded by the number of pending requests.
        while let Some(reply) = self.helper.poll()? {
            self.conductor.on_reply(reply);
        }
        Ok(())
    }

    #[cold]
    fn pass_requests_on(&mut self) -> Result<usize, EndGone> {
        let mut work = 0;
        while let Some(request) = self.conductor.poll_request() {
            self.helper.ask(request)?;
            work += 1;
        }
        Ok(work)
    }
}

impl<C: Clock> Agent for ConductorAgent<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_start(&mut self) {
        self.helper.on_start();
    }

    fn do_work(&mut self) -> Result<usize, Finished> {
        self.turn().map_err(|EndGone| Finished)
    }

    fn on_close(&mut self) {
        self.conductor.close();
    }
}

impl<C> Drop for ConductorAgent<C> {
    fn drop(&mut self) {
        // If the owner has closed it, there is a reason already. Otherwise the conductor or its helper has failed.
        self.stop.state(StopReason::AgentFailed);
    }
}
