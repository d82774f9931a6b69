//! One exchange of the feed: published by schedule on one thread, received and checked on another. The legs that send the feed
//! through a driver differ in their channels alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use gannet::agent::{Backoff, IdleStrategy};
use gannet::logbuffer::FragmentAssembler;
use gannet::{Client, Context, ExclusivePublication, Fragment, OfferError, SendError, Subscription};
use gannet_benches::rig::schedule::{Schedule, now_ns};
use gannet_market::AnyMessage;

use super::{Leg, PATIENCE, Plan, Setting, feed};

/// How long the subscriber has to be linked to the publication.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
const FRAGMENTS_PER_POLL: usize = 32;

/// Sends the feed over `channel` from one thread to another.
pub(super) fn over(channel: &str, stream_id: i32, setting: &Setting<'_>) -> anyhow::Result<Leg> {
    let (plan, stop) = (&setting.plan, setting.stop);
    let client = Client::connect(Context::new().dir(setting.driver_dir).client_name("gannet demo"))?;
    let mut subscription = client.add_subscription(channel, stream_id)?;
    let mut publication = client.add_exclusive_publication(channel, stream_id)?;
    let start_ns = now_ns();
    while !(publication.is_connected() && subscription.is_connected()) {
        if now_ns() - start_ns > CONNECT_PATIENCE.as_nanos() as i64 {
            bail!("publication and subscription did not find each other within {CONNECT_PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }

    // Time for the publisher's thread to start.
    let start_ns = now_ns() + 5_000_000;
    let schedule = Schedule::new(start_ns, plan.rate_per_s);
    let deadline_ns = start_ns + (plan.length() + PATIENCE).as_nanos() as i64;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let published = publish(&mut publication, plan, schedule, &|| {
                is_over.load(Ordering::Relaxed) || stop.is_wanted() || now_ns() > deadline_ns
            });
            is_over.store(published.is_err(), Ordering::Relaxed);
            published
        });
        let mut leg = receive(&mut subscription, plan, start_ns, &|| {
            is_over.load(Ordering::Relaxed) || stop.is_wanted() || now_ns() > deadline_ns
        });
        is_over.store(true, Ordering::Relaxed);
        leg.published = publisher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(leg)
    })
}

/// Publishes by schedule, and returns how many messages were.
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
            // Others need this core as well.
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

/// Receives until everything has arrived, and compares what each message says with what it should.
fn receive(subscription: &mut Subscription, plan: &Plan, start_ns: i64, gives_up: &impl Fn() -> bool) -> Leg {
    let schedule = Schedule::new(start_ns, plan.rate_per_s);
    let mut leg = Leg::default();
    let mut next = 0;
    let mut assembler = FragmentAssembler::new();
    // Never asleep for long: a sleep would be all that the histogram shows.
    let mut idle = IdleStrategy::Backoff(Backoff::new(100, 1_000, 1_000, 50_000));
    while next < plan.messages {
        let fragments = subscription.poll(
            assembler.assemble(|message: Fragment<'_>| {
                let arrived_ns = now_ns();
                let typed = AnyMessage::decode(message.payload()).ok();
                match typed.as_ref().and_then(|typed| Some((typed, feed::claim(typed)?))) {
                    // What is missing before it is lost; what comes late or twice is not as it was sent.
                    Some((typed, (number, due_ns))) if number >= next => {
                        leg.differed += u64::from(!feed::is_as_sent(typed, number, schedule.due_ns(number)));
                        leg.latencies.record(arrived_ns - due_ns);
                        next = number + 1;
                    }
                    _ => leg.differed += 1,
                }
                leg.received += 1;
                leg.bytes += message.payload().len() as u64;
            }),
            FRAGMENTS_PER_POLL,
        );
        if fragments == 0 && gives_up() {
            break;
        }
        idle.idle(fragments);
    }
    leg
}
