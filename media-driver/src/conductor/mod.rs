//! The driver's conductor. It carries out the commands of clients, keeps what they hold, moves limits, detects dead
//! clients and publishers, and sends events. It is a value without I/O and without a clock: its runner passes the time
//! in, carries out its requests and returns the replies. It must never wait, and never trust what it reads in shared
//! memory.
//!
//! In one turn, the runner calls [`Conductor::on_reply`] for each reply that has arrived, [`Conductor::do_work`] once,
//! then [`Conductor::poll_request`] until there are no more requests.

mod attended;
mod awaiting_logs;
mod channel_warnings;
mod clients;
mod commands;
mod config;
mod counters;
mod deferred;
mod error;
mod events;
mod hoarders;
mod linking;
mod log_requests;
mod logs;
mod network;
mod params;
mod publications;
mod replies;
mod reporting;
mod resolution;
mod rounds;
mod session_ids;
mod streams;
mod subscription_link;
mod subscriptions;
mod time_events;

pub use config::{
    Capacity, ConductorConfig, LogConfig, NetworkDefaults, PublicationDefaults, SubscriptionDefaults, TerminationPolicy,
};

use gannet::broadcast::Transmitter;
use gannet::counters::{CountersManager, SystemCounter};
use gannet::reports::{ErrorLog, LossReport};
use gannet::ringbuffer::RingConsumer;
use gannet::time::{EpochMillis, MonotonicNanos};

use self::attended::Attended;
use self::awaiting_logs::AwaitingLogs;
use self::channel_warnings::ChannelWarnings;
use self::clients::ClientRegistry;
use self::counters::Counters;
use self::deferred::Deferred;
use self::events::Events;
use self::hoarders::Hoarders;
use self::logs::Logs;
use self::network::{Network, NewSession};
use self::publications::PublicationRegistry;
use self::reporting::Reporter;
use self::resolution::Resolution;
use self::session_ids::SessionIds;
use self::subscriptions::SubscriptionRegistry;
use std::net::SocketAddr;

use crate::mailbox::{
    EndpointId, ReceiverCommand, ReceiverEvent, Reply, Request, SenderCommand, SenderEvent, TransmitBatch,
};
use crate::shared::{BlockedWatch, NetworkCounters, StallTracker};

/// The maximum number of ids that are drawn for an image until one is found that no client uses. Clients choose theirs
/// freely.
const MAX_IDS_TRIED: usize = 64;

/// The conductor's parts of the driver's shared memory. The system counters are allocated.
#[derive(Debug)]
pub struct ConductorParts {
    /// The ring with the clients' commands.
    pub commands: RingConsumer,
    /// The broadcast buffer for events to clients.
    pub events: Transmitter,
    /// The counters.
    pub counters: CountersManager,
    /// The distinct error log.
    pub errors: ErrorLog,
    /// The loss report.
    pub losses: LossReport,
}

/// The conductor.
#[derive(Debug)]
pub struct Conductor {
    commands: RingConsumer,
    blocked_commands: BlockedWatch,
    next_tick: MonotonicNanos,
    core: Core,
}

/// Everything except the command ring, which is being read while this is changed.
#[derive(Debug)]
struct Core {
    config: ConductorConfig,
    /// The time of this duty cycle.
    now: Now,
    /// Counts the time for which publishers, subscribers and clients are watched.
    attended: Attended,
    events: Events,
    counters: Counters,
    reporter: Reporter,
    channel_warnings: ChannelWarnings,
    hoarders: Hoarders,
    clients: ClientRegistry,
    publications: PublicationRegistry,
    subscriptions: SubscriptionRegistry,
    network: Network,
    resolution: Resolution,
    session_ids: SessionIds,
    random: fastrand::Rng,
    logs: Logs,
    /// Publications that wait for their logs.
    awaiting_logs: AwaitingLogs,
    /// Commands that wait behind those that wait for names or logs.
    deferred: Deferred,
    cycles: StallTracker,
    lookups: StallTracker,
    termination_requested: bool,
}

/// The present time.
#[derive(Clone, Copy, Debug, Default)]
struct Now {
    monotonic: MonotonicNanos,
    epoch: EpochMillis,
    /// The time for which publishers, subscribers and clients were watched.
    attended: MonotonicNanos,
}

impl Conductor {
    /// The conductor of a driver without clients.
    pub fn new(config: ConductorConfig, parts: ConductorParts) -> Self {
        let mut random = fastrand::Rng::with_seed(config.seed);
        let reserved = config.reserved_session_id_low..=config.reserved_session_id_high;
        let mut counters = Counters::new(parts.counters);
        let resolution = Resolution::new(&config.resolver, &mut counters);
        Self {
            commands: parts.commands,
            blocked_commands: BlockedWatch::new(config.client_liveness_timeout_ns),
            // The first duty cycle is a timer tick.
            next_tick: MonotonicNanos::new(i64::MIN),
            core: Core {
                now: Now::default(),
                attended: Attended::new(config.timer_interval_ns),
                events: Events::new(parts.events),
                reporter: Reporter::new(parts.errors),
                channel_warnings: ChannelWarnings::default(),
                hoarders: Hoarders::default(),
                clients: ClientRegistry::new(config.capacity.clients, config.client_liveness_timeout_ns),
                publications: PublicationRegistry::default(),
                subscriptions: SubscriptionRegistry::new(config.capacity.subscriptions),
                // Not 0, and probably different from other drivers' ids.
                network: Network::new(&config.network, random.i64(1..i64::MAX / 2), parts.losses),
                resolution,
                session_ids: SessionIds::new(random.i32(..), reserved),
                random,
                logs: Logs::new(config.logs.deletions_per_cycle),
                awaiting_logs: AwaitingLogs::default(),
                deferred: Deferred::default(),
                cycles: counters.stall_tracker(
                    SystemCounter::ConductorMaxCycleTime,
                    SystemCounter::ConductorCycleTimeThresholdExceeded,
                    config.cycle_threshold_ns,
                ),
                lookups: counters.stall_tracker(
                    SystemCounter::NameResolverMaxTime,
                    SystemCounter::NameResolverTimeThresholdExceeded,
                    config.name_resolver_threshold_ns,
                ),
                termination_requested: false,
                counters,
                config,
            },
        }
    }

    /// Accepts a reply to a request. The next [`Conductor::do_work`] handles it.
    pub fn on_reply(&mut self, reply: Reply) {
        self.core.logs.on_reply(reply);
    }

    /// Runs one duty cycle. Returns the work count.
    pub fn do_work(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> usize {
        let attended = self.core.attended.time();
        self.core.begin_cycle(Now { monotonic: now, epoch: now_ms, attended });
        let mut work = 0;
        if now >= self.next_tick {
            self.next_tick = now.saturating_add_ns(self.core.config.timer_interval_ns);
            self.on_tick();
            work += 1;
        }
        if self.core.logs.has_replies()
            && let Some(reply) = self.core.logs.next_reply()
        {
            self.core.on_helper_reply(reply);
            work += 1;
        }
        if !self.core.network.is_pending() && !self.core.awaiting_logs.is_full() {
            work += self.next_command();
        }
        work + self.core.update_publications() + self.core.update_network()
    }

    /// Handles an event of the sender.
    pub fn on_sender_event(&mut self, event: SenderEvent) {
        self.core.on_sender_event(event);
    }

    /// Handles an event of the receiver.
    pub fn on_receiver_event(&mut self, event: ReceiverEvent) {
        if let ReceiverEvent::CreateImage { endpoint, transport, setup, source, control } = event {
            let ring = self.commands.ring();
            let unused = (0..MAX_IDS_TRIED)
                .map(|_| ring.next_correlation_id().registration())
                .find(|id| self.core.check_unused(*id).is_ok());
            self.core.create_image(unused, &NewSession { endpoint, transport, setup, source, control });
        } else {
            self.core.on_receiver_event(event);
        }
    }

    /// Whether there are commands for the sender or the receiver.
    #[inline]
    pub fn has_commands(&self) -> bool {
        self.core.network.has_commands()
    }

    /// Takes the next command for the sender.
    pub fn poll_sender_command(&mut self) -> Option<SenderCommand> {
        self.core.network.poll_sender_command()
    }

    /// Takes the next command for the receiver.
    pub fn poll_receiver_command(&mut self) -> Option<ReceiverCommand> {
        self.core.network.poll_receiver_command()
    }

    /// Handles a datagram of name resolution.
    pub fn on_resolver_datagram(&mut self, now: MonotonicNanos, from: SocketAddr, datagram: &[u8]) {
        self.core.on_resolver_datagram(now, from, datagram);
    }

    /// Does what is due for name resolution, and adds its datagrams to `batch` for the given endpoint, as far as there
    /// is space. Call it every [`crate::resolver::WORK_INTERVAL_NS`], after the received datagrams were handled.
    /// Returns the number of datagrams.
    pub fn poll_resolver(&mut self, now: MonotonicNanos, endpoint: EndpointId, batch: &mut TransmitBatch) -> usize {
        self.core.poll_resolver(now, endpoint, batch)
    }

    /// Reports that datagrams of name resolution cannot be sent or received, for a permanent reason.
    pub fn on_fault(&mut self, reason: &str) {
        self.core.report_fault(reason);
    }

    /// The words of the system counters that the sender and the receiver update.
    pub fn network_counters(&self) -> NetworkCounters {
        self.core.counters.network_counters()
    }

    /// Whether there may be requests.
    #[inline]
    pub fn has_requests(&self) -> bool {
        self.core.logs.has_requests() || self.core.network.has_requests()
    }

    /// Takes the next request for the helper. At most [`crate::mailbox::IN_FLIGHT_LIMIT`] requests are unanswered at
    /// any time.
    pub fn poll_request(&mut self) -> Option<Request> {
        let Core { logs, network, .. } = &mut self.core;
        logs.poll_request(|| network.take_request())
    }

    /// Whether a permitted client has asked the driver to terminate.
    pub fn termination_requested(&self) -> bool {
        self.core.termination_requested
    }

    /// Tells clients that the driver is shut down. The last call on a conductor.
    pub fn close(&mut self) {
        // Trap 5: without it the next start would consider this driver alive.
        self.commands.ring().set_consumer_heartbeat(EpochMillis::new(-1));
    }

    /// Continues with a command that has waited, or executes the next one.
    fn next_command(&mut self) -> usize {
        let core = &mut self.core;
        if core.has_waiting() {
            if core.go_on() {
                return 1;
            }
            if core.is_crowded() {
                return 0;
            }
        }
        self.commands.read(1, |type_id, bytes| core.on_command(type_id, bytes))
    }

    #[inline(never)]
    fn on_tick(&mut self) {
        let now = self.core.now;
        // Trap 66: only on timer ticks, which is often enough for clients that wait ten seconds.
        self.commands.ring().set_consumer_heartbeat(now.epoch);
        self.core.attended.on_tick(now.monotonic);
        let attended = self.core.attended.time();
        self.core.now.attended = attended;
        self.core.on_tick();
        let (head, tail) = (self.commands.position(), self.commands.ring().producer_position());
        // An impossible tail counts as one that is ahead.
        if self.blocked_commands.is_overdue(attended, head, tail != head) && self.commands.unblock() {
            self.core.counters.on_unblocked_commands();
        }
    }
}

impl Drop for Conductor {
    fn drop(&mut self) {
        // However it ended, the driver is gone, and clients need not wait until its heartbeat is old.
        self.close();
    }
}

impl Core {
    fn begin_cycle(&mut self, now: Now) {
        self.now = now;
        self.cycles.on_cycle(now.monotonic);
        self.logs.begin_cycle();
    }

    /// Whether any command waits for a name or a log, or behind one that does.
    fn has_waiting(&self) -> bool {
        self.network.has_waiting() || !self.deferred.is_empty()
    }

    /// Continues with a command whose name was resolved, or with a deferred one, if there is any. This comes before the
    /// commands in the ring, so each client's commands stay in order.
    #[inline(never)]
    fn go_on(&mut self) -> bool {
        if self.go_on_with_channel() {
            return true;
        }
        let Some(record) = self.take_deferred() else { return false };
        self.on_deferred(&record);
        true
    }

    /// Whether so many commands wait behind logs that the rest stays in the ring. Logs are created soon, so no command
    /// need be refused.
    fn is_crowded(&self) -> bool {
        self.deferred.is_crowded(|client_id| self.network.is_waiting(client_id))
    }

    /// Updates limits and cleans the logs of the publications whose turn it is. After the commands, which sample the
    /// positions of what they remove.
    #[inline]
    fn update_publications(&mut self) -> usize {
        let now = self.now.monotonic;
        self.publications.look(now, |publication| publication.update(now))
    }
}
