//! Gives a stream spies that simulate its connection: it flows at their pace, whether it has receivers or not. It does
//! not wait for receivers that the driver does not know yet, so it may outrun them.
//!
//! ```text
//!     slowest spy      fastest spy     published     publisher's limit
//!  --------|----------------|--------------|----------------|----------- position
//!          |<---------------- publication window ---------->|
//!                     sent, without receivers
//! ```

use fastrand::Rng;

use super::plan::{CLIENTS, Place, StreamPlan, Subscriber};
use super::publisher::Publisher;
use super::world::World;

/// The maximum number of spies.
const MOST_SPIES: usize = 3;
/// The maximum time between two reads of a slow spy, in nanoseconds.
const SLOW_NS: i64 = 30_000_000;

/// Draws the spies of a network stream.
pub(super) fn spy_on(stream: &mut StreamPlan, random: &mut Rng) {
    // A spy hears only what its own driver publishes.
    stream.publishers.truncate(1);
    stream.is_spied = true;
    match random.u8(..3) {
        0 => stream.subscribers.clear(),
        1 => stream.subscribers.iter_mut().for_each(|subscriber| subscriber.is_late = !stream.leaves_early),
        _ => {}
    }
    stream.subscribers.iter_mut().for_each(|subscriber| subscriber.may_be_outrun = true);
    let end = stream.publication.find("|term-length").unwrap_or(stream.publication.len());
    let channel = format!("aeron-spy:{}", &stream.publication[..end]);
    stream.publication.push_str("|ssc=true");
    let host = stream.publishers[0].place().host;
    for number in 0..random.usize(1..=MOST_SPIES) {
        let mut spy = Subscriber::new(Place { host, client: random.usize(..CLIENTS) }, channel.clone());
        spy.is_late = number > 0 && !stream.leaves_early && random.bool();
        spy.pause_ns = if random.bool() { random.i64(0..SLOW_NS) } else { 0 };
        stream.subscribers.push(spy);
    }
}

/// Checks that no publisher may publish more than a window beyond its spies, and that these read only what is published.
pub(super) fn check(world: &World) -> Result<(), String> {
    world
        .publishers
        .iter()
        .filter(|one| world.plan.streams[one.stream].is_spied)
        .try_for_each(|one| keeps_pace(world, one))
}

fn keeps_pace(world: &World, publisher: &Publisher) -> Result<(), String> {
    let client = |place: Place| &world.hosts[place.host].clients[place.client].inner;
    let mut holders = publisher.holders.iter().filter(|holder| !world.is_dead(holder.place));
    let publication = holders.find_map(|holder| {
        let mut all = client(holder.place).publications.iter();
        all.find(|known| known.correlation_id == holder.correlation_id)
    });
    let Some(publication) = publication else { return Ok(()) };
    let window = i64::from(world.plan.streams[publisher.stream].term_length / 2);
    let (published, limit) = (publication.appender.position().get(), publication.appender.position_limit().get());
    let spies = world.subscribers.iter().filter(|one| one.is_spy && one.stream == publisher.stream);
    for spy in spies.filter(|spy| !world.is_dead(spy.place)) {
        let images = client(spy.place).images.iter().filter(|image| {
            image.subscription == spy.registration_id && image.session_id == publication.session_id && !image.is_gone
        });
        for position in images.map(|image| image.reader.position().get()) {
            if position > published || limit > position + window {
                return Err(format!("a spy is at {position}, {published} is published, and {limit} may be"));
            }
        }
    }
    Ok(())
}
