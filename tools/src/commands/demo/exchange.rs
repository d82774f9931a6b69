//! One exchange of the feed: published by schedule on one thread, received and checked on another. The legs that send
//! the feed through a driver differ only in their channels.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use gannet::agent::{Backoff, IdleStrategy};
use gannet::logbuffer::FragmentAssembler;
use gannet::{Client, Context, ExclusivePublication, Fragment, OfferError, SendError};
use gannet_benches::rig::schedule::{Schedule, now_ns};
use gannet_market::AnyMessage;

use super::{Leg, PATIENCE, Plan, SILENCE, Setting, feed};

/// How long to wait until the subscriber is connected to the publication.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
const FRAGMENTS_PER_POLL: usize = 32;

/// Sends the feed over `channel` from one thread to another.
pub(super) fn over(channel: &str, stream_id: i32, setting: &Setting<'_>) -> anyhow::Result<Leg> {
    let client = connect(setting)?;
    let mut subscription = client.add_subscription(channel, stream_id)?;
    let mut publication = client.add_exclusive_publication(channel, stream_id)?;
    wait_until("publication and subscription did not find each other", || {
        publication.is_connected() && subscription.is_connected()
    })?;
    let mut assembler = FragmentAssembler::new();
    let (leg, _) = between(&mut publication, setting, |receiver| {
        Ok(subscription
            .poll(assembler.assemble(|message: Fragment<'_>| receiver.receive(message.payload())), FRAGMENTS_PER_POLL))
    })?;
    Ok(leg)
}

/// Connects a client to the demo's driver.
pub(super) fn connect(setting: &Setting<'_>) -> anyhow::Result<Client> {
    let context = Context::new().dir(setting.driver_dir).client_name("gannet demo").driver_timeout(SILENCE);
    Ok(Client::connect(context)?)
}

/// Waits for a condition. The error `otherwise` says what did not happen in time.
pub(super) fn wait_until(otherwise: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let start_ns = now_ns();
    while !holds() {
        if now_ns() - start_ns > CONNECT_PATIENCE.as_nanos() as i64 {
            bail!("{otherwise} within {CONNECT_PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Publishes the feed on a thread of its own and receives it with `poll` on this one. Returns when its first message
/// was due.
pub(super) fn between(
    publication: &mut ExclusivePublication,
    setting: &Setting<'_>,
    poll: impl FnMut(&mut Receiver) -> anyhow::Result<usize>,
) -> anyhow::Result<(Leg, i64)> {
    let (plan, stop) = (&setting.plan, setting.stop);
    // Leaves time for the publisher's thread to start.
    let start_ns = now_ns() + 5_000_000;
    let schedule = Schedule::new(start_ns, plan.rate_per_s);
    let deadline_ns = start_ns + (plan.length() + PATIENCE).as_nanos() as i64;
    let is_over = AtomicBool::new(false);
    let gives_up = || is_over.load(Ordering::Relaxed) || stop.is_wanted() || now_ns() > deadline_ns;
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let published = publish(publication, plan, schedule, &gives_up);
            is_over.store(published.is_err(), Ordering::Relaxed);
            published
        });
        let receiver = Receiver::new(plan.messages, start_ns, plan.rate_per_s);
        let received = receiver.run(poll, &gives_up);
        is_over.store(true, Ordering::Relaxed);
        let published = publisher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut leg = received?;
        leg.published = published?;
        Ok((leg, start_ns))
    })
}

/// Publishes by schedule. Returns the number of messages published.
fn publish(
    publication: &mut ExclusivePublication,
    plan: &Plan,
    schedule: Schedule,
    gives_up: &impl Fn() -> bool,
) -> Result<u64, SendError> {
    let mut buffer = Vec::new();
    for number in 0..plan.messages {
        let due_ns = schedule.due_ns(number);
        while now_ns() < due_ns {
            // Other threads need this core as well.
            std::thread::yield_now();
        }
        loop {
            match feed::send(publication, number, due_ns, &mut buffer) {
                Ok(_) => break,
                Err(SendError::Offer(OfferError::AdminAction)) => {}
                Err(SendError::Offer(OfferError::BackPressured | OfferError::NotConnected)) => {
                    if gives_up() {
                        return Ok(number);
                    }
                    std::thread::yield_now();
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(plan.messages)
}

/// Receives messages and compares each with what was sent.
pub(super) struct Receiver {
    messages: u64,
    schedule: Schedule,
    next: u64,
    leg: Leg,
}

impl Receiver {
    /// Creates a receiver of `messages` messages. The first of them was due at `start_ns` when they were first
    /// published.
    pub(super) fn new(messages: u64, start_ns: i64, rate_per_s: u64) -> Self {
        Self { messages, schedule: Schedule::new(start_ns, rate_per_s), next: 0, leg: Leg::default() }
    }

    /// Receives until every message has arrived.
    pub(super) fn run(
        mut self,
        mut poll: impl FnMut(&mut Self) -> anyhow::Result<usize>,
        gives_up: &impl Fn() -> bool,
    ) -> anyhow::Result<Leg> {
        // Sleeps are short, since the histogram would show nothing but longer ones.
        let mut idle = IdleStrategy::Backoff(Backoff::new(100, 1_000, 1_000, 50_000));
        while self.next < self.messages {
            let fragments = poll(&mut self)?;
            if fragments == 0 && gives_up() {
                break;
            }
            idle.idle(fragments);
        }
        Ok(self.leg)
    }

    /// Receives a message that was due at the time it carries.
    pub(super) fn receive(&mut self, payload: &[u8]) {
        self.receive_due(payload, Some);
    }

    /// Receives a message that is due at another time than it carries. Its latency is recorded only if `due_ns` returns
    /// that time.
    pub(super) fn receive_due(&mut self, payload: &[u8], due_ns: impl FnOnce(i64) -> Option<i64>) {
        let arrived_ns = now_ns();
        let typed = AnyMessage::decode(payload).ok();
        match typed.as_ref().and_then(|typed| Some((typed, feed::claim(typed)?))) {
            // Numbers skipped before this one count as lost. A message that arrives late or twice counts as different.
            Some((typed, (number, says_ns))) if number >= self.next => {
                self.leg.differed += u64::from(!feed::is_as_sent(typed, number, self.schedule.due_ns(number)));
                if let Some(due_ns) = due_ns(says_ns) {
                    self.leg.latencies.record(arrived_ns - due_ns);
                }
                self.next = number + 1;
            }
            _ => self.leg.differed += 1,
        }
        self.leg.received += 1;
        self.leg.bytes += payload.len() as u64;
    }
}
