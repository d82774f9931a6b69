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

/// How many commands or events wait at most; who finds its queue full keeps what it has for its next turn.
const QUEUE: usize = 256;
/// How many commands one turn carries out.
const COMMANDS_PER_TURN: usize = 8;
/// How many datagrams one turn takes in, about.
const DATAGRAMS_PER_TURN: usize = 64;
/// How many times as many it takes in of those that say what was said before: a thousand streams' come together.
const MOST_LOOKS_PER_TURN: usize = 16;
/// How many datagrams one turn hands out.
const BATCH: usize = 256;
/// While nothing is sent and nothing waits for receivers, the sender looks for what they say this often at most, in nanoseconds: a
/// look that finds nothing takes as long as one that finds something, and what this thread does besides would wait for it.
const QUIET_POLL_INTERVAL_NS: i64 = 10_000;

/// How often it is told that something is not sent or received, in nanoseconds: what fails now fails again at once.
const FAULT_INTERVAL_NS: i64 = 1_000_000_000;

/// What an agent's datagrams go through: the transport of the driver's choice, and loss on purpose if its configuration asks for it.
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
    /// Whether an agent has said something, or has not been told yet what it was to be told.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.from_sender.has_news()
            || self.from_receiver.has_news()
            || self.to_sender.holds_back()
            || self.to_receiver.holds_back()
    }

    /// Carries what the agents have said to the conductor, and what it has to say to them; returns how much that was.
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

/// Carries out what waits in a queue, a few at a time; returns how many that were.
#[cold]
fn carry_out<T>(queue: &mut Outlet<T>, mut act: impl FnMut(T)) -> Result<usize, EndGone> {
    for done in 0..COMMANDS_PER_TURN {
        let Some(command) = queue.take()? else { return Ok(done) };
        act(command);
    }
    Ok(COMMANDS_PER_TURN)
}

/// Everything that runs the network side of a driver.
#[derive(Debug)]
pub(super) struct NetworkParts {
    pub(super) sender: SenderPart,
    pub(super) receiver: ReceiverPart,
    pub(super) ports: NetworkPorts,
    pub(super) orders: SocketOrders,
}

impl NetworkParts {
    /// Sender, receiver, and the queues between them and the conductor.
    ///
    /// # Errors
    ///
    /// The system's, when it does not give a transport what it needs.
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

/// The sender, and what it needs.
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
    /// While it is busy sending it looks for what receivers say every so many turns.
    poll_ratio: usize,
}

impl SenderPart {
    /// One duty cycle.
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

/// Why datagrams are not sent or received, now and then.
#[derive(Debug)]
pub(super) struct Faults(Seldom);

impl Default for Faults {
    fn default() -> Self {
        Self(Seldom::every(FAULT_INTERVAL_NS))
    }
}

impl Faults {
    /// The reason why something was not sent or received since the last turn, if it is time to tell that.
    #[inline]
    pub(super) fn take(&mut self, now: MonotonicNanos, transport: &mut impl Transport) -> Option<Box<str>> {
        let fault = transport.take_fault()?;
        self.describe(now, &fault)
    }

    #[cold]
    fn describe(&mut self, now: MonotonicNanos, fault: &Fault) -> Option<Box<str>> {
        // That nobody listens there yet is nothing to tell.
        let is_told = fault.errno() != libc::ECONNREFUSED && self.0.may_tell(now);
        is_told.then(|| fault.to_string().into())
    }
}

/// The receiver, and what it needs.
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
    /// One duty cycle.
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
        // A report that is not sent is said again in time.
        transport.send(batch, |_| {});
        let mut fault = self.faults.take(now, transport);
        if agent.has_events() || fault.is_some() || self.events.holds_back() {
            self.events.pass_on(|| agent.next_event().or_else(|| fault.take().map(ReceiverEvent::Fault)))?;
        }
        Ok(work)
    }
}

/// Takes in what has come, as `listen` does once, which returns how much that was and whether any of it was news;
/// returns how much was done. What others say all the time must not keep a thread from going to sleep. So after as much
/// of it as one look takes there is another look at once, and not another turn soon; that there is still more says that
/// the thread has to do.
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

/// Which of the two a thread runs.
#[derive(Debug)]
pub(super) struct NetworkDuty {
    sender: Option<Box<SenderPart>>,
    receiver: Option<Box<ReceiverPart>>,
}

impl NetworkDuty {
    /// What the conductor's thread does for the network in a threading mode, and what threads of its own do.
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

    /// One duty cycle.
    pub(super) fn turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        Ok(self.send_turn(now)? + self.receive_turn(now)?)
    }

    /// The sender's part of a duty cycle, if it is run here.
    pub(super) fn send_turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        self.sender.as_mut().map_or(Ok(0), |sender| sender.turn(now))
    }

    /// The receiver's.
    pub(super) fn receive_turn(&mut self, now: MonotonicNanos) -> Result<usize, EndGone> {
        self.receiver.as_mut().map_or(Ok(0), |receiver| receiver.turn(now))
    }

    /// What the transports of the two have done: the sender's first. None of one that another thread runs.
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
        // Closed by its owner, there is a reason already; otherwise it has failed, or the conductor has.
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
