//! One run of a simulation: drivers, clients, streams, network behaviour and faults, all drawn from the seed, and
//! checks from outside.

mod checks;
mod draw;
mod failure;
mod kind;
mod plan;
mod publisher;
mod restless;
mod sharing;
mod spied;
mod tagged;
mod world;
mod wrapping;

use gannet::counters::SystemCounter;

pub use self::failure::Failure;
use self::plan::Trouble;
use self::world::World;

/// The default number of messages in a run: enough for terms to rotate, few enough for many runs.
pub const MESSAGES: u32 = 240;
/// All subscribers must be connected within this time, in nanoseconds.
const CONNECT_NS: i64 = 60_000_000_000;
/// The duration of a run with corrupted datagrams, in nanoseconds.
const HOSTILE_NS: i64 = 8_000_000_000;
/// The time after the last fault within which every subscriber that misses messages must receive again, in nanoseconds.
/// An image times out after 10 s, its session cools down, and a setup is requested, all of that over a bad network.
const RECOVERY_NS: i64 = 40_000_000_000;
/// The same if no fault was long enough for an image to be lost.
const SHORT_RECOVERY_NS: i64 = 10_000_000_000;
/// The same for members of a group. It is less than the time after which a group forgets a silent receiver, so that nobody
/// who is not there can hold them up.
const GROUP_RECOVERY_NS: i64 = 4_000_000_000;
/// The time after closing within which everything must be freed, in nanoseconds. Lingers and liveness timeouts are
/// seconds.
const RECLAIM_NS: i64 = 60_000_000_000;

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of messages that arrived.
    pub messages: u64,
    /// The simulated duration in nanoseconds.
    pub took_ns: i64,
    /// The number of lost datagrams.
    pub lost: u64,
    /// The number of NAKs.
    pub naks: i64,
    /// The number of retransmitted datagrams.
    pub retransmits: i64,
    /// How often a driver unblocked a stream, because a claim was abandoned.
    pub unblocked: i64,
    /// The number of frames that were read after term ids had wrapped from the highest to the lowest.
    pub wrapped: u64,
    /// The number of messages that were read by spies.
    pub spied: u64,
    /// The number of subscribers that were still behind when all had arrived at those for which streams wait.
    pub left_behind: usize,
    /// The number of logs that ended before everything was published.
    pub ended: usize,
}

/// Runs a seed: sends about `messages` messages over the network, shared among the streams, and then closes everything.
///
/// # Errors
///
/// [`Failure`] if a check failed.
pub fn run(seed: u64, messages: u32) -> Result<Summary, Failure> {
    let mut world = World::new(seed, messages);
    open(&mut world)?;
    carry(&mut world)?;
    let (abandoned, left_behind, ended) = (world.abandoned(), world.left_behind(), world.ended());
    close(&mut world)?;
    let sum = |counter| world.hosts.iter().map(|host| host.driver.system(counter)).sum::<i64>();
    let naks = sum(SystemCounter::NaksSent);
    let unblocked = sum(SystemCounter::UnblockedPublications);
    if abandoned > 0 && world.plan.is_sound() && unblocked == 0 {
        return world.fail("claims were abandoned, everything has arrived, and no stream was unblocked");
    }
    let lost: i64 = world.hosts.iter().map(|host| host.driver.bytes_lost()).sum();
    if naks > 0 && lost == 0 {
        return world.fail("something was asked for again, and the loss reports say nothing");
    }
    Ok(Summary {
        messages: world.checks.heard,
        took_ns: world.now_ns,
        lost: world.network.lost(),
        naks,
        retransmits: sum(SystemCounter::RetransmitsSent),
        unblocked,
        wrapped: world.checks.wrapped,
        spied: world.checks.heard_by_spies,
        left_behind,
        ended,
    })
}

/// The plan of a seed, for analysing failures.
pub fn describe(seed: u64, messages: u32) -> String {
    format!("{:#?}", World::new(seed, messages).plan)
}

/// Adds publications and subscriptions in a random order, and waits until each subscription has an image of each
/// publication.
fn open(world: &mut World) -> Result<(), Failure> {
    let mut steps = Vec::new();
    for (index, stream) in world.plan.streams.iter().enumerate() {
        for (number, publisher) in stream.publishers.iter().enumerate() {
            let holders = publisher.holders.iter().enumerate().filter(|(_, holder)| !holder.is_late);
            steps.extend(holders.map(|(holder, _)| (index, Some(holder), number)));
        }
        let subscribers = stream.subscribers.iter().enumerate().filter(|(_, subscriber)| !subscriber.is_late);
        steps.extend(subscribers.map(|(number, _)| (index, None, number)));
    }
    world.random.shuffle(&mut steps);
    for (stream, holder, number) in steps {
        match holder {
            Some(holder) => world.add_holder(stream, number, holder),
            None => world.add_subscriber(stream, number),
        }
        for _ in 0..world.random.usize(0..200) {
            world.turn()?;
        }
    }
    let until = world.now_ns + CONNECT_NS;
    while !world.all_connected() {
        world.turn()?;
        if world.now_ns > until {
            return if world.plan.is_hostile { Ok(()) } else { world.fail("not all subscribers have their images") };
        }
    }
    Ok(())
}

/// Sends messages of all sizes. Each must arrive once and in order.
fn carry(world: &mut World) -> Result<(), Failure> {
    let since = world.now_ns;
    world.flows_since_ns = Some(since);
    let late_ns = since + world.random.i64(0..3_000_000_000);
    let mut are_late_there = false;
    let until = since + HOSTILE_NS;
    loop {
        world.turn()?;
        if !are_late_there && world.now_ns > late_ns {
            are_late_there = true;
            for stream in 0..world.plan.streams.len() {
                let subscribers = world.plan.streams[stream].subscribers.clone();
                for (number, _) in subscribers.iter().enumerate().filter(|(_, subscriber)| subscriber.is_late) {
                    world.add_subscriber(stream, number);
                }
                let publishers = world.plan.streams[stream].publishers.clone();
                for (number, publisher) in publishers.iter().enumerate() {
                    for (holder, _) in publisher.holders.iter().enumerate().filter(|(_, holder)| holder.is_late) {
                        world.add_holder(stream, number, holder);
                    }
                }
            }
        }
        let troubles_end = world.troubles_end_ns().unwrap_or(since);
        if world.plan.is_hostile {
            // With corruption, any data may arrive. So it is only checked that nothing breaks and nothing is left.
            if world.now_ns > until {
                return Ok(());
            }
            continue;
        }
        let patience_ns = |subscriber: &world::Subscriber| {
            let stream = &world.plan.streams[subscriber.stream];
            // Abandoned claims in a row, and clients that come and go, hold up members as well.
            let is_steady = stream.has_group() && !stream.abandons && !world.plan.kind.is_lively;
            if world.plan.may_lose || subscriber.may_be_outrun {
                RECOVERY_NS
            } else if is_steady {
                GROUP_RECOVERY_NS
            } else {
                SHORT_RECOVERY_NS
            }
        };
        let mut is_done = are_late_there && world.now_ns > troubles_end;
        for (index, subscriber) in world.subscribers.iter().enumerate() {
            for (number, heard) in subscriber.heard.iter().enumerate() {
                if world.is_done(subscriber, number) || is_excused(world, subscriber) {
                    continue;
                }
                is_done = false;
                let stream = subscriber.stream;
                // A spy that is ahead of the sender waits at an abandoned claim until the sender is there.
                let progress_ns = if world.plan.streams[stream].abandons {
                    let others = world.subscribers.iter().filter(|other| other.stream == stream);
                    others.map(|other| other.heard[number].progress_ns).max().unwrap_or(0)
                } else {
                    heard.progress_ns
                };
                if world.now_ns > progress_ns.max(troubles_end) + patience_ns(subscriber) {
                    let said: Vec<_> = world.publishers_of(stream).map(|publisher| publisher.said()).collect();
                    return world.fail(format!(
                        "stream {stream}, subscriber {index}: nothing has come of publisher {number} for too long, after message {:?} \
                         of {said:?}",
                        heard.next
                    ));
                }
            }
        }
        if is_done {
            return Ok(());
        }
    }
}

/// Whether a group with a dead member waits for its required number of receivers, as configured.
fn is_excused(world: &World, subscriber: &world::Subscriber) -> bool {
    let someone_died = world.plan.disturbances.iter().any(|one| matches!(one.what, Trouble::ClientDies(_)));
    someone_died && world.plan.streams[subscriber.stream].publication.contains(",g:")
}

/// Closes clients, with or without removing their resources first, in a random order. Nothing must be left.
fn close(world: &mut World) -> Result<(), Failure> {
    world.is_closing = true;
    world.hosts.iter_mut().filter_map(|host| host.restless.as_mut()).for_each(|restless| restless.close());
    let mut clients: Vec<_> = (0..world.hosts.len())
        .flat_map(|host| (0..world.hosts[host].clients.len()).map(move |client| (host, client)))
        .collect();
    world.random.shuffle(&mut clients);
    for (host, client) in clients {
        for _ in 0..world.random.usize(0..300) {
            world.turn()?;
        }
        let way = world.random.u8(..8);
        let client = &mut world.hosts[host].clients[client];
        match way {
            // Without a close command.
            0 => client.is_dead = true,
            1 | 2 => {
                let all: Vec<_> = client.inner.publications.iter().map(|one| one.correlation_id).collect();
                all.into_iter().for_each(|one| client.inner.remove_publication(one.registration(), way == 1));
            }
            3 => {
                let all = client.inner.subscriptions.clone();
                all.into_iter().for_each(|one| client.inner.remove_subscription(one));
            }
            _ => {}
        }
    }
    for _ in 0..world.random.usize(0..1_000) {
        world.turn()?;
    }
    world.subscribers.clear();
    world.publishers.clear();
    for client in world.hosts.iter_mut().flat_map(|host| &mut host.clients).filter(|client| !client.is_dead) {
        client.inner.close();
    }
    let until = world.now_ns + RECLAIM_NS;
    while world.now_ns < until {
        world.turn()?;
        let is_empty = |driver: &crate::sim::SimDriver| {
            driver.held() == (0, 0)
                && driver.counters_in_use() == 0
                && driver.sender().publications().next().is_none()
                && driver.receiver().images().next().is_none()
        };
        if world.hosts.iter().all(|host| is_empty(&host.driver)) {
            return Ok(());
        }
    }
    let held: Vec<_> = world.hosts.iter().map(|host| (host.driver.held(), host.driver.counters_in_use())).collect();
    world.fail(format!("after everything was closed logs, sockets and counters are left: {held:?}"))
}
