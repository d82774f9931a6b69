//! Draws a plan from a seed's random numbers.

use std::ops::Range;

use fastrand::Rng;
use gannet::types::StreamId;

use super::kind::Kind;
use super::plan::{
    CLIENTS, Disturbance, HostPlan, Place, Plan, PublisherPlan, SHORT_NS, StreamPlan, Subscriber, Trouble,
};
use super::sharing::share;
use super::spied::spy_on;
use super::tagged::tag;
use super::wrapping::wrap;
use crate::sim::Weather;

/// The maximum duration of a fault in nanoseconds.
const LONG_NS: i64 = 20_000_000_000;
/// Faults begin within this time, in nanoseconds.
const TROUBLED_NS: i64 = 2_000_000_000;

/// How streams are carried: over shared memory, unicast, multicast, or to dynamic or manual destinations.
const ANY: Range<u8> = 0..5;
const NETWORK: Range<u8> = 1..5;
const GROUPS: Range<u8> = 2..5;

/// The timeouts of untethered subscribers in lively runs.
const UNTETHERED: &str =
    "untethered-window-limit-timeout=200ms|untethered-linger-timeout=300ms|untethered-resting-timeout=400ms";

/// Draws the plan of a run of `messages` messages.
pub(super) fn draw(random: &mut Rng, messages: u32, kind: Kind) -> Plan {
    let count = random.usize(2..=4);
    let is_hostile = random.u8(..) < 24;
    let is_fair = !is_hostile && random.u8(..) < 32;
    let weather = draw_weather(random, is_fair, is_hostile);
    let hosts = (0..count).map(|index| draw_host(random, index, is_fair)).collect::<Vec<_>>();
    let streams = random.u32(1..=4);
    let each = (messages / streams).max(5);
    // A spy needs a network, and a tag a group.
    let carriers = match kind {
        Kind { is_tagged: true, .. } => GROUPS,
        Kind { is_spied: true, .. } => NETWORK,
        _ => ANY,
    };
    let draw = |index| draw_stream(random, &hosts, index, each, carriers.clone());
    let mut streams = (0..streams).map(draw).collect::<Vec<_>>();
    if kind.is_lively {
        // Drawn apart, so that everything else is the same with and without it.
        let mut apart = random.clone();
        streams.iter_mut().for_each(|stream| enliven(stream, &mut apart));
    }
    let unblock_timeout_ns = kind.is_shared.then(|| share(&mut streams, &mut random.clone().fork()));
    let mut apart = random.clone().fork();
    for stream in &mut streams {
        let mut has = |is_of_kind: bool| is_of_kind && (!kind.is_mixed || apart.bool());
        let (is_tagged, is_spied, is_wrapping) = (has(kind.is_tagged), has(kind.is_spied), has(kind.is_wrapping));
        if is_tagged {
            tag(stream, &hosts, &mut apart);
        }
        if is_spied {
            spy_on(stream, &mut apart);
        }
        if is_wrapping {
            wrap(stream, &mut apart);
        }
    }
    let is_long = random.u8(..) < 32;
    let mut disturbances = Vec::new();
    for _ in 0..if is_fair { 0 } else { random.usize(0..4) } {
        disturbances.push(draw_disturbance(random, count, if is_long { LONG_NS } else { SHORT_NS }));
    }
    // Consecutive faults may add up.
    let total: i64 = disturbances.iter().map(|disturbance| disturbance.until_ns - disturbance.from_ns).sum();
    let dies = disturbances.iter().any(|disturbance| matches!(disturbance.what, Trouble::ClientDies(_)));
    Plan {
        hosts,
        weather,
        streams,
        disturbances,
        is_hostile,
        may_lose: is_hostile || dies || total > 2 * SHORT_NS,
        kind,
        unblock_timeout_ns,
    }
}

fn draw_weather(random: &mut Rng, is_fair: bool, is_hostile: bool) -> Weather {
    let least_delay_ns = random.i64(5_000..100_000);
    let jitter_ns = random.i64(0..1_000_000);
    if is_fair {
        return Weather { least_delay_ns, most_delay_ns: least_delay_ns + jitter_ns, ..Weather::FAIR };
    }
    Weather {
        lost: random.f64() * 0.25,
        repeated: random.f64() * 0.2,
        corrupted: if is_hostile { random.f64() * 0.1 } else { random.f64() * 0.05 },
        corruption_arrives: is_hostile,
        refused: if random.bool() { 0.0 } else { random.f64() * 0.05 },
        least_delay_ns,
        most_delay_ns: least_delay_ns + jitter_ns,
    }
}

fn draw_host(random: &mut Rng, index: usize, is_fair: bool) -> HostPlan {
    HostPlan {
        address: [10, 0, 0, index as u8 + 1].into(),
        laziness: if is_fair { 0 } else { random.u8(..64) },
        clock_ns: random.i64(1_000_000_000..1_000_000_000_000),
        drift: (random.f64() - 0.5) / 25.0,
        answers_late: random.bool(),
    }
}

fn draw_stream(random: &mut Rng, hosts: &[HostPlan], index: u32, messages: u32, carriers: Range<u8>) -> StreamPlan {
    let stream_id = StreamId::new(1001 + index as i32);
    let any_client = |random: &mut Rng, host| Place { host, client: random.usize(..CLIENTS) };
    let publisher = random.usize(..hosts.len());
    let port = 40_000 + index as u16 * 10;
    let (term, term_length) = [("64k", 1 << 16), ("128k", 1 << 17), ("1m", 1 << 20)][random.usize(..3)];
    let mtu = ["1408", "1408", "8k"][random.usize(..3)];
    let made_of = format!("term-length={term}|mtu={mtu}");
    let is_reliable = random.u8(..) >= 32;
    let listening = match (is_reliable, random.u8(..)) {
        (false, _) => "|reliable=false",
        (true, 0..64) => "|cc=cubic",
        (true, 64..96) => "|rcv-wnd=16k",
        _ => "",
    };
    let mut stream = StreamPlan {
        stream_id,
        publishers: vec![PublisherPlan::new(any_client(random, publisher))],
        publication: String::new(),
        term_length,
        is_spied: false,
        may_end: false,
        is_shared: false,
        abandons: false,
        subscribers: Vec::new(),
        messages,
        longest: if is_reliable && random.bool() { 8_000 } else { 1_300 },
        is_reliable,
        destinations: Vec::new(),
        leaves_early: random.u8(..) < 64,
    };
    let mut subscribers = Vec::new();
    for _ in 0..random.usize(1..=3) {
        let host = random.usize(..hosts.len());
        subscribers.push(any_client(random, host));
    }
    let group = subscribers.len();
    let address = |host: usize| hosts[host].address;
    match random.u8(carriers) {
        0 => {
            stream.publication = format!("aeron:ipc?term-length={term}");
            stream.is_reliable = true;
            subscribers.iter_mut().for_each(|place| place.host = publisher);
            stream.subscribers = all(&subscribers, |_| "aeron:ipc".to_owned());
        }
        1 => {
            // One receives, and one or two send.
            let receiver = random.usize(..hosts.len());
            subscribers.iter_mut().for_each(|place| place.host = receiver);
            let endpoint = format!("aeron:udp?endpoint={}:{port}", address(receiver));
            stream.publication = format!("{endpoint}|{made_of}");
            stream.subscribers = all(&subscribers, |_| format!("{endpoint}{listening}"));
            if random.bool() {
                let second = random.usize(..hosts.len());
                stream.publishers.push(PublisherPlan::new(any_client(random, second)));
            }
        }
        2 => {
            let endpoint = format!("aeron:udp?endpoint=224.0.1.{}:{port}|interface=10.0.0.0/24", 2 * index + 1);
            let receivers = distinct_hosts(&subscribers);
            stream.publication = format!("{endpoint}|{made_of}|fc=min,g:/{receivers}");
            stream.subscribers = all(&subscribers, |_| format!("{endpoint}{listening}"));
        }
        kind => {
            // Each host once, because an endpoint is one receiver.
            subscribers.sort_by_key(|place| place.host);
            subscribers.dedup_by_key(|place| place.host);
            let control = format!("{}:{port}", address(publisher));
            let mode = if kind == 3 { "dynamic" } else { "manual" };
            let receivers = distinct_hosts(&subscribers);
            stream.publication =
                format!("aeron:udp?control={control}|control-mode={mode}|{made_of}|fc=min,g:/{receivers}");
            let endpoint = |place: &Place| format!("aeron:udp?endpoint={}:{}", address(place.host), port + 1);
            if kind == 3 {
                let channel = |place: &Place| format!("{}|control={control}{listening}", endpoint(place));
                stream.subscribers = all(&subscribers, |place| channel(place));
            } else {
                stream.subscribers = all(&subscribers, |place| format!("{}{listening}", endpoint(place)));
                stream.destinations = subscribers.iter().map(endpoint).collect();
            }
        }
    }
    let holders = stream.publishers.iter_mut().flat_map(|publisher| &mut publisher.holders);
    holders.for_each(|holder| holder.leaves_early = stream.leaves_early);
    // A late member must not be required by its group, nor find that all others have left.
    if group > 1 && random.bool() && !stream.leaves_early {
        let late = stream.subscribers.len() - 1;
        let host = stream.subscribers[late].place.host;
        let shares = stream.subscribers[..late].iter().any(|subscriber| subscriber.place.host == host);
        stream.subscribers[late].is_late = shares;
    }
    stream
}

/// Adds to the streams of a lively run: start positions, tagged groups, subscriptions with destinations, spies, and
/// timeouts of untethered subscribers.
fn enliven(stream: &mut StreamPlan, random: &mut Rng) {
    // Where term ids wrap, among others.
    if random.u8(..) < 96 {
        let initial = random.choice([i32::MAX, i32::MIN, -1, 0, i32::MAX - 1]).unwrap_or(0);
        let term = initial.wrapping_add(random.i32(0..4));
        let offset = random.i32(0..1_000) * 32;
        stream.publication.push_str(&format!("|init-term-id={initial}|term-id={term}|term-offset={offset}"));
    }
    if !stream.publication.starts_with("aeron:ipc") {
        if random.u8(..) < 96 && stream.publication.contains("fc=min,g:/") {
            stream.publication = stream.publication.replace("fc=min,g:/", "fc=tagged,g:77/");
            stream.subscribers.iter_mut().for_each(|subscriber| subscriber.channel.push_str("|gtag=77"));
        }
        if let [only] = &mut stream.subscribers[..]
            && random.u8(..) < 96
            && !only.channel.contains("control=")
            && !only.channel.contains("interface=")
        {
            let (place, rest) = only.channel.split_once('|').unwrap_or((&only.channel, ""));
            let channel = format!("aeron:udp?control-mode=manual|{rest}").trim_end_matches('|').to_owned();
            only.listens_at = Some(place.to_owned());
            only.channel = channel;
        }
        if let [publisher] = &stream.publishers[..]
            && random.u8(..) < 96
        {
            let place = Place { host: publisher.place().host, client: random.usize(..CLIENTS) };
            let end = stream.publication.find("|term-length").unwrap_or(stream.publication.len());
            let channel = format!("aeron-spy:{}", &stream.publication[..end]);
            stream.subscribers.push(Subscriber::new(place, channel));
        }
    }
    let channels = stream.subscribers.iter_mut().map(|subscriber| &mut subscriber.channel);
    for channel in channels.chain([&mut stream.publication]) {
        channel.push(if channel.contains('?') { '|' } else { '?' });
        channel.push_str(UNTETHERED);
    }
}

fn all(places: &[Place], channel: impl Fn(&Place) -> String) -> Vec<Subscriber> {
    places.iter().map(|place| Subscriber::new(*place, channel(place))).collect()
}

fn distinct_hosts(places: &[Place]) -> usize {
    let mut hosts: Vec<_> = places.iter().map(|place| place.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.len()
}

fn draw_disturbance(random: &mut Rng, hosts: usize, longest_ns: i64) -> Disturbance {
    let one = random.usize(..hosts);
    let other = (one + random.usize(1..hosts)) % hosts;
    let place = Place { host: one, client: random.usize(..CLIENTS) };
    let from_ns = random.i64(0..TROUBLED_NS);
    let what = match random.u8(..16) {
        0..5 => Trouble::Partition(one, other),
        5..8 => Trouble::Cut(one, other),
        8..10 => Trouble::ConductorSleeps(one),
        10..12 => Trouble::SenderSleeps(one),
        12..14 => Trouble::ReceiverSleeps(one),
        14 => Trouble::ClientSleeps(place),
        _ => Trouble::ClientDies(place),
    };
    // A driver or client that sleeps for long counts as dead, which is a different fault.
    let is_link = matches!(what, Trouble::Partition(..) | Trouble::Cut(..));
    let lasts_ns = random.i64(0..if is_link { longest_ns } else { SHORT_NS });
    Disturbance { from_ns, until_ns: from_ns + lasts_ns, what }
}
