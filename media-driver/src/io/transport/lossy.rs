//! Intentional loss, for testing streams on a bad network: a transport in front of another that drops, duplicates,
//! delays and so reorders arriving datagrams, by a plan and a seed. A driver with such a plan says so prominently, in
//! its log and in `gannet stat`.
//!
//! Outgoing datagrams are not changed: each is received somewhere, and losing it there has the same effect.

use std::io;
use std::net::SocketAddr;

use fastrand::Rng;
use gannet::time::{Clock, MonotonicNanos};

use super::{Datagram, Fault, Transport, TransportCounts};
use crate::config::Loss;
use crate::mailbox::{Completion, EndpointId, TransmitBatch};

/// The maximum number of delayed datagrams. A further one arrives at once.
const MAX_HELD: usize = 1024;
const MILLION: u32 = 1_000_000;

/// The shares of arriving datagrams that are dropped, duplicated and delayed, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossPlan {
    /// The seed. The same seed and the same datagrams yield the same losses.
    pub seed: u64,
    /// The share that is dropped.
    pub drop_ppm: u32,
    /// The share that arrives twice.
    pub duplicate_ppm: u32,
    /// The share that arrives late, behind others.
    pub delay_ppm: u32,
    /// The maximum delay in nanoseconds.
    pub max_delay_ns: u32,
}

impl LossPlan {
    /// The plan of a configuration, with different random numbers for each of a driver's transports. `None` if it has
    /// no losses.
    pub fn of_config(loss: &Loss, transport: u64) -> Option<Self> {
        let Loss { drop_ppm, duplicate_ppm, delay_ppm, max_delay, seed } = *loss;
        let plan = Self {
            seed: seed.wrapping_add(transport),
            drop_ppm,
            duplicate_ppm,
            delay_ppm,
            max_delay_ns: u32::try_from(max_delay.as_nanos()).unwrap_or(u32::MAX),
        };
        (drop_ppm > 0 || duplicate_ppm > 0 || delay_ppm > 0).then_some(plan)
    }

    /// A warning for the operator.
    pub fn warning(&self) -> String {
        format!(
            "LOSS ON PURPOSE: of a million datagrams that arrive, {} are lost, {} arrive twice and {} late; unset gannet.loss.* to end \
             this",
            self.drop_ppm, self.duplicate_ppm, self.delay_ppm
        )
    }
}

/// The effects of a plan so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossCounts {
    /// The number of dropped datagrams.
    pub dropped: u64,
    /// The number of datagrams that arrived twice.
    pub duplicated: u64,
    /// The number of datagrams that arrived late.
    pub delayed: u64,
}

/// A transport that applies a plan to the datagrams of another transport.
#[derive(Debug)]
pub struct LossyTransport<T, C> {
    inner: T,
    fate: Option<Fate<C>>,
}

#[derive(Debug)]
struct Fate<C> {
    plan: LossPlan,
    random: Rng,
    clock: C,
    held: Vec<Held>,
    counts: LossCounts,
}

/// A delayed datagram.
#[derive(Debug)]
struct Held {
    due: MonotonicNanos,
    endpoint: EndpointId,
    from: SocketAddr,
    bytes: Vec<u8>,
    received_ns: Option<i64>,
}

impl<T, C> LossyTransport<T, C> {
    /// A transport that applies the plan to the datagrams that arrive at `inner`. Without a plan, it changes nothing.
    pub fn new(inner: T, plan: Option<LossPlan>, clock: C) -> Self {
        let fate = plan.map(|plan| Fate {
            plan,
            random: Rng::with_seed(plan.seed),
            clock,
            held: Vec::with_capacity(MAX_HELD),
            counts: LossCounts::default(),
        });
        Self { inner, fate }
    }

    /// The effects so far. `None` without a plan.
    pub fn loss_counts(&self) -> Option<LossCounts> {
        self.fate.as_ref().map(|fate| fate.counts)
    }
}

impl<C: Clock> Fate<C> {
    fn befalls(&mut self, share_ppm: u32) -> bool {
        share_ppm > 0 && self.random.u32(0..MILLION) < share_ppm
    }

    /// Applies the plan to a datagram. Returns how many times it was delivered now.
    fn decide(&mut self, now: MonotonicNanos, datagram: Datagram<'_>, handler: &mut impl FnMut(Datagram<'_>)) -> usize {
        if self.befalls(self.plan.drop_ppm) {
            self.counts.dropped += 1;
            return 0;
        }
        if self.held.len() < MAX_HELD && self.befalls(self.plan.delay_ppm) {
            self.counts.delayed += 1;
            let delay_ns = self.random.u32(0..=self.plan.max_delay_ns);
            self.hold(now.saturating_add_ns(delay_ns.into()), &datagram);
            return 0;
        }
        if self.held.len() < MAX_HELD && self.befalls(self.plan.duplicate_ppm) {
            self.counts.duplicated += 1;
            // Stored before it is delivered, because the handler may write to it.
            self.hold(now, &datagram);
        }
        handler(datagram);
        1
    }

    fn hold(&mut self, due: MonotonicNanos, datagram: &Datagram<'_>) {
        let Datagram { endpoint, from, received_ns, .. } = *datagram;
        self.held.push(Held { due, endpoint, from, bytes: datagram.bytes.to_vec(), received_ns });
    }

    /// Delivers delayed and newly arrived datagrams. Returns how many.
    #[cold]
    fn receive(
        &mut self,
        from: &mut impl Transport,
        limit: usize,
        mut handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        let now = self.clock.monotonic();
        let mut handed_over = self.release(now, limit, handler);
        if handed_over < limit {
            let rest = limit - handed_over;
            from.receive(rest, |datagram| handed_over += self.decide(now, datagram, &mut handler));
        }
        handed_over
    }

    /// Delivers datagrams whose delay is over, the longest overdue first.
    fn release(&mut self, now: MonotonicNanos, limit: usize, handler: &mut impl FnMut(Datagram<'_>)) -> usize {
        let mut released = 0;
        while released < limit {
            let next =
                self.held.iter().enumerate().filter(|(_, held)| held.due <= now).min_by_key(|(_, held)| held.due);
            let Some((index, _)) = next else { break };
            let Held { endpoint, from, mut bytes, received_ns, .. } = self.held.remove(index);
            handler(Datagram { endpoint, from, bytes: &mut bytes, received_ns });
            released += 1;
        }
        released
    }
}

impl<T: Transport, C: Clock> Transport for LossyTransport<T, C> {
    type Sockets = T::Sockets;

    fn adopt(&mut self, endpoint: EndpointId, sockets: T::Sockets) -> io::Result<()> {
        self.inner.adopt(endpoint, sockets)
    }

    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool {
        self.inner.reconnect(endpoint, to)
    }

    fn close(&mut self, endpoint: EndpointId) {
        if let Some(fate) = &mut self.fate {
            fate.held.retain(|held| held.endpoint != endpoint);
        }
        self.inner.close(endpoint);
    }

    #[inline]
    fn send(&mut self, batch: &mut TransmitBatch, done: impl FnMut(Completion)) -> usize {
        self.inner.send(batch, done)
    }

    #[inline]
    fn receive(&mut self, limit: usize, mut handler: impl FnMut(Datagram<'_>)) -> usize {
        match &mut self.fate {
            None => self.inner.receive(limit, handler),
            Some(fate) => fate.receive(&mut self.inner, limit, &mut handler),
        }
    }

    #[inline]
    fn take_fault(&mut self) -> Option<Fault> {
        self.inner.take_fault()
    }

    fn counts(&self) -> TransportCounts {
        self.inner.counts()
    }
}

#[cfg(test)]
mod tests {
    use gannet::time::{EpochMillis, ManualClock};

    use super::*;

    /// Receives the numbers from 0 on, as many as it is asked for in one call.
    struct Numbers {
        next: u16,
        until: u16,
    }

    impl Transport for Numbers {
        type Sockets = ();

        fn adopt(&mut self, _: EndpointId, (): ()) -> io::Result<()> {
            Ok(())
        }

        fn reconnect(&mut self, _: EndpointId, _: SocketAddr) -> bool {
            true
        }

        fn close(&mut self, _: EndpointId) {}

        fn send(&mut self, batch: &mut TransmitBatch, _: impl FnMut(Completion)) -> usize {
            batch.drain().count()
        }

        fn receive(&mut self, limit: usize, mut handler: impl FnMut(Datagram<'_>)) -> usize {
            let count = usize::from(self.until - self.next).min(limit);
            for _ in 0..count {
                let mut bytes = self.next.to_le_bytes();
                let from = SocketAddr::from(([127, 0, 0, 1], 9));
                let endpoint = EndpointId::new(u32::from(self.next % 2));
                handler(Datagram { endpoint, from, bytes: &mut bytes, received_ns: None });
                self.next += 1;
            }
            count
        }

        fn take_fault(&mut self) -> Option<Fault> {
            None
        }

        fn counts(&self) -> TransportCounts {
            TransportCounts::default()
        }
    }

    const COUNT: u16 = 1000;

    type Lossy<'a> = LossyTransport<Numbers, &'a ManualClock>;

    fn lossy(clock: &ManualClock, plan: Option<LossPlan>) -> Lossy<'_> {
        LossyTransport::new(Numbers { next: 0, until: COUNT }, plan, clock)
    }

    fn clock() -> ManualClock {
        ManualClock::new(MonotonicNanos::new(0), EpochMillis::new(0))
    }

    fn receive(transport: &mut Lossy<'_>) -> Vec<u16> {
        let mut numbers = Vec::new();
        let count = transport.receive(usize::from(COUNT) * 3, |datagram| {
            numbers.push(u16::from_le_bytes([datagram.bytes[0], datagram.bytes[1]]));
            datagram.bytes.fill(0xFF);
        });
        assert_eq!(count, numbers.len());
        numbers
    }

    #[test]
    fn without_a_plan_nothing_happens() {
        let clock = clock();
        let mut transport = lossy(&clock, None);
        assert_eq!(receive(&mut transport), (0..COUNT).collect::<Vec<_>>());
        assert_eq!(transport.loss_counts(), None);
        assert_eq!(receive(&mut lossy(&clock, Some(LossPlan::default()))), (0..COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn a_share_is_lost_and_the_same_one_for_the_same_seed() {
        let clock = clock();
        let plan = |seed| Some(LossPlan { seed, drop_ppm: 200_000, ..LossPlan::default() });
        let mut transport = lossy(&clock, plan(1));
        let kept = receive(&mut transport);
        assert!((700..900).contains(&kept.len()), "{}", kept.len());
        assert!(kept.is_sorted());
        assert_eq!(transport.loss_counts().unwrap().dropped as usize, usize::from(COUNT) - kept.len());
        assert_eq!(receive(&mut lossy(&clock, plan(1))), kept);
        assert_ne!(receive(&mut lossy(&clock, plan(2))), kept);
        let all = Some(LossPlan { drop_ppm: MILLION, ..LossPlan::default() });
        assert_eq!(receive(&mut lossy(&clock, all)), [0_u16; 0]);
    }

    /// The second copy is what the first was before it was written to.
    #[test]
    fn what_is_doubled_arrives_twice() {
        let clock = clock();
        let mut transport = lossy(&clock, Some(LossPlan { duplicate_ppm: MILLION, ..LossPlan::default() }));
        let mut all = receive(&mut transport);
        all.extend(receive(&mut transport));
        all.sort_unstable();
        assert_eq!(all, (0..COUNT).flat_map(|number| [number, number]).collect::<Vec<_>>());
        assert_eq!(transport.loss_counts().unwrap().duplicated, u64::from(COUNT));
    }

    #[test]
    fn what_is_late_arrives_all_the_same() {
        let clock = clock();
        let plan = LossPlan { delay_ppm: 500_000, max_delay_ns: 1_000_000, ..LossPlan::default() };
        let mut transport = lossy(&clock, Some(plan));
        let first = receive(&mut transport);
        assert!(first.len() > 300 && first.len() < 700);
        let mut all = first.clone();
        for _ in 0..10 {
            clock.advance_ns(100_000);
            all.extend(receive(&mut transport));
        }
        assert!(!all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_closed_endpoint_was_late_for_is_forgotten() {
        let clock = clock();
        let plan = LossPlan { delay_ppm: MILLION, max_delay_ns: 10, ..LossPlan::default() };
        let mut transport = lossy(&clock, Some(plan));
        assert!(receive(&mut transport).is_empty());
        transport.close(EndpointId::new(1));
        clock.advance_ns(10);
        let mut late = receive(&mut transport);
        late.sort_unstable();
        assert_eq!(late, (0..COUNT).step_by(2).collect::<Vec<_>>());
    }
}
