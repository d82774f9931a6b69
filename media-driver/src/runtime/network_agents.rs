//! The sender and the receiver with their transports. They are passed the time and the arriving datagrams, their
//! transmits go to the transport, and bounded queues connect them with the conductor. Each has its own thread, or they
//! share one, or they run on the conductor's.

use gannet::agent::{Agent, Finished};
use gannet::counters::SystemCounter;
use gannet::time::{Clock, MonotonicNanos, SystemClock};

use super::Role;
use super::feed::Feed;
use super::queue::{EndGone, Outlet, bounded};
use super::socket_orders::{SocketOrder, SocketOrders, obey};
use super::stop::{StopHandle, StopReason};
use crate::conductor::Conductor;
use crate::config::{Loss, ThreadingMode};
use crate::io::transport::{
    AnyTransport, Fault, LossPlan, LossyTransport, SocketOptions, Transport, TransportCounts, TransportKind,
};
use crate::mailbox::{ReceiverCommand, ReceiverEvent, SenderCommand, SenderEvent, TransmitBatch};
use crate::receiver::Receiver;
use crate::sender::Sender;
use crate::shared::{NetworkCounters, Seldom, StallTracker};

/// The maximum number of waiting commands or events. An agent that finds its queue full keeps the rest for its next
/// turn.
const QUEUE: usize = 256;
/// The maximum number of commands per turn.
const COMMANDS_PER_TURN: usize = 8;
/// The approximate maximum number of datagrams that are received per turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// The factor by which this is exceeded for datagrams without news, because those of a thousand streams arrive
/// together.
const MOST_LOOKS_PER_TURN: usize = 16;
/// The maximum number of datagrams that are sent per turn.
const BATCH: usize = 256;
/// The interval at which the sender checks for status messages while nothing is sent and nothing waits for receivers,
/// in nanoseconds. A check without a result takes as long as one with a result, and delays the other work of this
/// thread.
const QUIET_POLL_INTERVAL_NS: i64 = 10_000;

/// The minimum interval between two reports of a failure, in nanoseconds, because it would occur again at once.
const FAULT_INTERVAL_NS: i64 = 1_000_000_000;

/// The transport of an agent, with intentional loss if configured.
type Wire = LossyTransport<AnyTransport, SystemClock>;

/// The conductor's ends of the queues.
#[derive(Debug)]
pub(super) struct NetworkPorts {
    to_sender: Feed<SenderCommand>,
    from_sender: Outlet<SenderEvent>,
    to_receiver: Feed<ReceiverCommand>,
    from_receiver: Outlet<ReceiverEvent>,
}

impl NetworkPorts {
    /// Whether there are events of the agents, or commands that were not sent yet.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.from_sender.has_news()
            || self.from_receiver.has_news()
            || self.to_sender.holds_back()
            || self.to_receiver.holds_back()
    }

    /// Passes events to the conductor, and commands to the agents. Returns how many.
    #[cold]
    pub(super) fn exchange(&mut self, conductor: &mut Conductor) -> Result<usize, EndGone> {
        let mut work = 0;
        while let Some(event) = self.from_sender.take()? {
            conductor.on_sender_event(event);
            work += 1;
        }
        while let Some(event) = self.from_receiver.take()? {
            conductor.on_receiver_event(event);
            work += 1;
        }
        work += self.to_sender.pass_on(|| conductor.poll_sender_command())?;
        work += self.to_receiver.pass_on(|| conductor.poll_receiver_command())?;
        Ok(work)
    }
}

/// Handles a few elements of a queue. Returns how many.
#[cold]
fn carry_out<T>(queue: &mut Outlet<T>, mut act: impl FnMut(T)) -> Result<usize, EndGone> {
    for done in 0..COMMANDS_PER_TURN {
        let Some(command) = queue.take()? else { return Ok(done) };
        act(command);
    }
    Ok(COMMANDS_PER_TURN)
}

/// The network parts of a driver.
#[derive(Debug)]
pub(super) struct NetworkParts {
    pub(super) sender: SenderPart,
    pub(super) receiver: ReceiverPart,
    pub(super) ports: NetworkPorts,
    pub(super) orders: SocketOrders,
}

impl NetworkParts {
    /// Creates sender and receiver, and the queues between them and the conductor.
    ///
    /// # Errors
    ///
    /// An error of the operating system when creating a transport.
    pub(super) fn new(
        counters: &NetworkCounters,
        seed: u64,
        (kind, options, loss): (TransportKind, SocketOptions, &Loss),
        poll_ratio: usize,
        [sender_threshold_ns, receiver_threshold_ns]: [i64; 2],
    ) -> std::io::Result<Self> {
        let transport = |number| -> std::io::Result<Wire> {
            let transport = AnyTransport::new(kind, options)?;
            Ok(LossyTransport::new(transport, LossPlan::of_config(loss, number), SystemClock))
        };
        let cycles = |longest, too_long, threshold_ns| {
            StallTracker::new(counters.word(longest), counters.word(too_long), threshold_ns)
        };
        let (to_sender, sender_commands) = bounded(QUEUE);
        let (sender_events, from_sender) = bounded(QUEUE);
        let (to_receiver, receiver_commands) = bounded(QUEUE);
        let (receiver_events, from_receiver) = bounded(QUEUE);
        let (orders, [sender_sockets, receiver_sockets]) = SocketOrders::new();
        Ok(Self {
            sender: SenderPart {
                agent: Sender::new(counters.clone()),
                cycles: cycles(
                    SystemCounter::SenderMaxCycleTime,
                    SystemCounter::SenderCycleTimeThresholdExceeded,
                    sender_threshold_ns,
                ),
                transport: transport(0)?,
                batch: TransmitBatch::new(BATCH),
                commands: sender_commands,
                events: Feed::new(sender_events, counters.word(SystemCounter::ConductorProxyFails)),
                sockets: sender_sockets,
                faults: Faults::default(),
                turns_since_poll: 0,
                polled: MonotonicNanos::new(i64::MIN),
                poll_ratio,
            },
            receiver: ReceiverPart {
                agent: Receiver::new(counters.clone(), seed),
                cycles: cycles(
                    SystemCounter::ReceiverMaxCycleTime,
                    SystemCounter::ReceiverCycleTimeThresholdExceeded,
                    receiver_threshold_ns,
                ),
                transport: transport(1)?,
                batch: TransmitBatch::new(BATCH),
                commands: receiver_commands,
                events: Feed::new(receiver_events, counters.word(SystemCounter::ConductorProxyFails)),
                sockets: receiver_sockets,
                faults: Faults::default(),
            },
            ports: NetworkPorts {
                to_sender: Feed::new(to_sender, counters.word(SystemCounter::SenderProxyFails)),
                from_sender,
                to_receiver: Feed::new(to_receiver, counters.word(SystemCounter::ReceiverProxyFails)),
                from_receiver,
            },
            orders,
        })
    }
}

/// The sender with its transport and queues.
#[derive(Debug)]
pub(super) struct SenderPart {
    agent: Sender,
    cycles: StallTracker,
    transport: Wire,
    batch: TransmitBatch,
    commands: Outlet<SenderCommand>,
    events: Feed<SenderEvent>,
    sockets: Outlet<SocketOrder>,
    faults: Faults,
    turns_since_poll: usize,
    polled: MonotonicNanos,
    /// While it is busy sending, it checks for status messages every this many turns.
    poll_ratio: usize,
}

impl SenderPart {
    /// Runs one duty cycle.
    pub(super) fn turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        self.cycles.on_cycle(now);
        let Self { agent, transport, batch, .. } = self;
        let mut work = 0;
        if self.sockets.has_news() {
            work += obey(&mut self.sockets, transport);
        }
        if self.commands.has_news() {
            work += carry_out(&mut self.commands, |command| agent.on_command(now, command))?;
        }
        if agent.wants_time() {
            agent.set_time(SystemClock.epoch_nanos().get());
        }
        let sent = agent.poll_transmit(now, batch);
        transport.send(batch, |done| agent.on_completion(done));
        self.turns_since_poll += 1;
        let is_due = if sent > 0 {
            self.turns_since_poll >= self.poll_ratio
        } else {
            agent.waits_for_receivers() || now >= self.polled.saturating_add_ns(QUIET_POLL_INTERVAL_NS)
        };
        let is_due = is_due || agent.is_mending(now);
        if is_due {
            self.turns_since_poll = 0;
            self.polled = now;
            work += hear(|| {
                let received = transport.receive(DATAGRAMS_PER_TURN, |datagram| {
                    agent.on_datagram(now, datagram.endpoint, datagram.from, datagram.bytes);
                });
                (received, agent.take_stirred())
            });
        }
        let mut fault = self.faults.take(now, transport);
        if agent.has_events() || fault.is_some() || self.events.holds_back() {
            self.events.pass_on(|| agent.next_event().or_else(|| fault.take().map(SenderEvent::Fault)))?;
        }
        Ok(work + sent)
    }
}

/// Reports the causes of failed sends and receives at a limited rate.
#[derive(Debug)]
pub(super) struct Faults(Seldom);

impl Default for Faults {
    fn default() -> Self {
        Self(Seldom::every(FAULT_INTERVAL_NS))
    }
}

impl Faults {
    /// The cause of a failed send or receive since the last turn, if it is to be reported now.
    #[inline]
    pub(super) fn take(&mut self, now: MonotonicNanos, transport: &mut impl Transport) -> Option<Box<str>> {
        let fault = transport.take_fault()?;
        self.describe(now, &fault)
    }

    #[cold]
    fn describe(&mut self, now: MonotonicNanos, fault: &Fault) -> Option<Box<str>> {
        // A port without a listener is not worth a report.
        let is_told = fault.errno() != libc::ECONNREFUSED && self.0.may_tell(now);
        is_told.then(|| fault.to_string().into())
    }
}

/// The receiver with its transport and queues.
#[derive(Debug)]
pub(super) struct ReceiverPart {
    agent: Receiver,
    cycles: StallTracker,
    transport: Wire,
    batch: TransmitBatch,
    commands: Outlet<ReceiverCommand>,
    events: Feed<ReceiverEvent>,
    sockets: Outlet<SocketOrder>,
    faults: Faults,
}

impl ReceiverPart {
    /// Runs one duty cycle.
    pub(super) fn turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        self.cycles.on_cycle(now);
        let Self { agent, transport, batch, .. } = self;
        let mut work = 0;
        if self.sockets.has_news() {
            work += obey(&mut self.sockets, transport);
        }
        if self.commands.has_news() {
            work += carry_out(&mut self.commands, |command| agent.on_command(now, command))?;
        }
        work += hear(|| {
            let received = transport.receive(DATAGRAMS_PER_TURN, |datagram| {
                let time = || SystemClock.epoch_nanos().get();
                agent.stamp(datagram.endpoint, datagram.bytes, datagram.received_ns, time);
                agent.on_datagram(now, datagram.endpoint, datagram.from, datagram.bytes);
            });
            (received, agent.take_stirred())
        });
        work += agent.poll_transmit(now, batch);
        // A frame that is not sent is sent again in time.
        transport.send(batch, |_| {});
        let mut fault = self.faults.take(now, transport);
        if agent.has_events() || fault.is_some() || self.events.holds_back() {
            self.events.pass_on(|| agent.next_event().or_else(|| fault.take().map(ReceiverEvent::Fault)))?;
        }
        Ok(work)
    }
}

/// Receives with `listen`, which returns the number of datagrams and whether any of them had news. Returns the work
/// count. Periodic datagrams must not keep a thread from sleeping. So after as many of them as one call receives, it
/// receives again at once instead of in another turn. If there are still more, the thread has work.
fn hear(mut listen: impl FnMut() -> (usize, bool)) -> usize {
    let mut heard = 0;
    for _ in 0..MOST_LOOKS_PER_TURN {
        let (received, is_news) = listen();
        heard += received;
        if is_news {
            return heard;
        }
        if received < DATAGRAMS_PER_TURN {
            return 0;
        }
    }
    heard
}

/// The agents that a thread runs.
#[derive(Debug)]
pub(super) struct NetworkDuty {
    sender: Option<Box<SenderPart>>,
    receiver: Option<Box<ReceiverPart>>,
}

impl NetworkDuty {
    /// Divides the agents for a threading mode: those of the conductor's thread, and those with their own threads.
    pub(super) fn divided(
        mode: ThreadingMode,
        sender: SenderPart,
        receiver: ReceiverPart,
    ) -> (Option<Self>, Vec<(Role, Self)>) {
        let (sender, receiver) = (Some(Box::new(sender)), Some(Box::new(receiver)));
        match mode {
            ThreadingMode::Invoker | ThreadingMode::Shared => (Some(Self { sender, receiver }), Vec::new()),
            ThreadingMode::SharedNetwork => (None, vec![(Role::Sender, Self { sender, receiver })]),
            ThreadingMode::Dedicated => {
                let sender = (Role::Sender, Self { sender, receiver: None });
                (None, vec![sender, (Role::Receiver, Self { sender: None, receiver })])
            }
        }
    }

    /// Runs one duty cycle.
    pub(super) fn turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        Ok(self.send_turn(now)? + self.receive_turn(now)?)
    }

    /// Runs the sender's part of a duty cycle, if it runs here.
    pub(super) fn send_turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        self.sender.as_mut().map_or(Ok(0), |sender| sender.turn(now))
    }

    /// Runs the receiver's part of a duty cycle, if it runs here.
    pub(super) fn receive_turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        self.receiver.as_mut().map_or(Ok(0), |receiver| receiver.turn(now))
    }

    /// The counts of both transports, the sender's first. `None` if another thread runs it.
    pub(super) fn counts(&self) -> [Option<TransportCounts>; 2] {
        let sender = self.sender.as_ref().map(|part| part.transport.counts());
        [sender, self.receiver.as_ref().map(|part| part.transport.counts())]
    }
}

/// Runs the sender, the receiver, or both, on a thread of their own.
#[derive(Debug)]
pub(super) struct NetworkAgent<C> {
    name: &'static str,
    duty: NetworkDuty,
    clock: C,
    stop: StopHandle,
}

impl<C: Clock> NetworkAgent<C> {
    pub(super) fn new(name: &'static str, duty: NetworkDuty, clock: C, stop: StopHandle) -> Self {
        Self { name, duty, clock, stop }
    }
}

impl<C: Clock> Agent for NetworkAgent<C> {
    fn name(&self) -> &str {
        self.name
    }

    fn do_work(&mut self) -> Result<usize, Finished> {
        self.duty.turn(self.clock.monotonic()).map_err(|EndGone| Finished)
    }
}

impl<C> Drop for NetworkAgent<C> {
    fn drop(&mut self) {
        // If the owner has closed it, there is a reason already. Otherwise it or the conductor has failed.
        self.stop.state(StopReason::AgentFailed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(looks: &[(usize, bool)]) -> (usize, usize) {
        let mut made = 0;
        let heard = hear(|| {
            made += 1;
            looks.get(made - 1).copied().unwrap_or((DATAGRAMS_PER_TURN, false))
        });
        (heard, made)
    }

    #[test]
    fn only_news_and_no_end_of_it_are_work() {
        assert_eq!(heard(&[(0, false)]), (0, 1));
        assert_eq!(heard(&[(3, false)]), (0, 1));
        assert_eq!(heard(&[(3, true)]), (3, 1));
        assert_eq!(heard(&[(64, false), (64, false), (63, false)]), (0, 3), "heartbeats, and they come to an end");
        assert_eq!(heard(&[(64, false), (64, true)]), (128, 2));
        assert_eq!(heard(&[]), (64 * MOST_LOOKS_PER_TURN, MOST_LOOKS_PER_TURN), "who is flooded does not sleep");
    }
}
