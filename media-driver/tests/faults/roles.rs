//! The work of client processes before they are killed or stopped. Each role has a process of its own, started by
//! [`crate::helper::Helper`], which prints a line when it has reached the state that the test needs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gannet::cnc::CncFile;
use gannet::memory::{AtomicBuffer, FileAccess};
use gannet::{
    Client, ClientEvent, Counter, ExclusivePublication, Fragment, ImageHandlers, OfferError, Publication, Subscription,
};

use crate::driver_process::PATIENCE;
use crate::helper::{End, Stage, context};
use crate::messages::{Received, message};
use crate::no_room;
use crate::raw;
use crate::raw_access::RAW;
use crate::round_trip::{FROM_ECHO, TO_ECHO};

/// The interval between polls of a stream.
const PAUSE: Duration = Duration::from_millis(1);

/// The entry point of client processes; see [`crate::helper::Helper::start`]. Does nothing in other processes.
#[test]
fn play() {
    let Some(stage) = Stage::enter() else { return };
    match stage.role.as_str() {
        "hold a claim" => hold_a_claim(&stage),
        "hold an exclusive claim" => hold_an_exclusive_claim(&stage),
        "reserve" => reserve(&stage),
        "hold a command" => hold_a_command(&stage),
        "reserve a command" => reserve_a_command(&stage),
        "read" => read(&stage),
        "only subscribe" => only_subscribe(&stage),
        "abandon" => abandon(&stage),
        "echo" => echo(&stage),
        "churn" => churn(&stage),
        "fill up" => no_room::fill_up(&stage),
        role => panic!("there is no role {role}"),
    }
}

/// Offers a message until it is accepted.
pub(crate) fn send(publication: &Publication, sender: u32, number: u32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match publication.offer(&message(sender, number)) {
            Ok(_) => return,
            Err(OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline, "nobody takes message {number}");
        std::thread::sleep(PAUSE);
    }
}

/// Parses the argument `sender:messages`: the sender's number, and how many messages it sends.
fn sender_and_messages(argument: &str) -> (u32, u32) {
    let (sender, messages) = argument.split_once(':').unwrap();
    (sender.parse().unwrap(), messages.parse().unwrap())
}

/// Sends messages, then claims one and never commits it.
fn hold_a_claim(stage: &Stage) {
    let (sender, messages) = sender_and_messages(&stage.argument);
    let client = Client::connect(context(&stage.dir)).unwrap();
    let publication = client.add_publication("aeron:ipc", 1001).unwrap();
    (0..messages).for_each(|number| send(&publication, sender, number));
    let mut claim = loop {
        match publication.try_claim(100) {
            Ok(claim) => break claim,
            Err(OfferError::BackPressured | OfferError::AdminAction) => std::thread::sleep(PAUSE),
            Err(error) => panic!("{error}"),
        }
    };
    claim.payload_mut()[..50].fill(0xEE);
    stage.say("claimed");
    stage.stand_still();
    claim.abort();
}

/// The same with an exclusive publication.
fn hold_an_exclusive_claim(stage: &Stage) {
    let (sender, messages) = sender_and_messages(&stage.argument);
    let client = Client::connect(context(&stage.dir)).unwrap();
    let mut publication = client.add_exclusive_publication("aeron:ipc", 1001).unwrap();
    let mut number = 0;
    while number < messages {
        match publication.offer(&message(sender, number)) {
            Ok(_) => number += 1,
            Err(OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction) => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => panic!("{error}"),
        }
    }
    let claim = loop {
        match publication.try_claim(100) {
            Ok(claim) => break claim,
            Err(OfferError::BackPressured | OfferError::AdminAction) => std::thread::sleep(PAUSE),
            Err(error) => panic!("{error}"),
        }
    };
    stage.say("claimed");
    stage.stand_still();
    claim.abort();
}

/// Sends messages, then adds to the tail like a publisher that is about to write a frame, or, with the length of a
/// term, like one that is about to rotate the log; and writes nothing. The argument is `sender:messages:length`.
fn reserve(stage: &Stage) {
    let (rest, length) = stage.argument.rsplit_once(':').unwrap();
    let (sender, messages) = sender_and_messages(rest);
    let client = Client::connect(context(&stage.dir)).unwrap();
    let publication = client.add_publication("aeron:ipc", 1001).unwrap();
    (0..messages).for_each(|number| send(&publication, sender, number));
    let log = raw::map(&raw::log_path(&stage.dir, publication.original_registration_id()));
    let metadata = raw::log_metadata(&log);
    let active = metadata.word_at::<i32>(raw::LOG_ACTIVE_TERM_COUNT).load_acquire().rem_euclid(3);
    metadata.word_at::<i64>(active as usize * 8).fetch_add(length.parse().unwrap());
    stage.say("reserved");
    stage.stand_still();
}

/// The command ring of the driver, records and trailer.
fn ring(stage: &Stage) -> AtomicBuffer {
    CncFile::open(&stage.dir, FileAccess::ReadWrite).unwrap().to_driver(RAW)
}

/// Claims a record in the command ring and never commits it.
fn hold_a_command(stage: &Stage) {
    let commands = CncFile::open(&stage.dir, FileAccess::ReadWrite).unwrap().commands();
    let mut claim = commands.try_claim(1, 60).unwrap();
    claim.put_bytes(0, &[0xEE; 30]);
    stage.say("claimed");
    stage.stand_still();
    claim.abort();
}

/// Moves the tail of the command ring as a producer does, and writes nothing.
fn reserve_a_command(stage: &Stage) {
    let ring = ring(stage);
    ring.word_at::<i64>(ring.len() - raw::RING_TRAILER + raw::RING_TAIL).fetch_add(64);
    stage.say("reserved");
    stage.stand_still();
}

/// Reads a stream. On the command `count`, prints how many messages have arrived from the sender in its argument.
fn read(stage: &Stage) {
    let sender: u32 = stage.argument.parse().unwrap();
    let client = Client::connect(context(&stage.dir)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
    let mut received = Received::default();
    stage.say("subscribed");
    loop {
        subscription.poll(|fragment| received.take(fragment.payload()), 20);
        match stage.told(PAUSE) {
            Ok(Some(_)) => stage.say(format!("count {}", received.of(sender))),
            Ok(None) => {}
            Err(End) => return,
        }
    }
}

/// Subscribes, and never polls.
fn only_subscribe(stage: &Stage) {
    let client = Client::connect(context(&stage.dir)).unwrap();
    let _subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
    stage.say("subscribed");
    stage.stand_still();
}

/// Connects a client that subscribes, and publishes to the stream that its argument names. Then its conductor never runs
/// again.
fn abandon(stage: &Stage) {
    let context = context(&stage.dir).use_conductor_invoker().idle_sleep(Duration::from_millis(1));
    let client = Client::connect(context).unwrap();
    let mut subscription = client.async_add_subscription("aeron:ipc", 1001, ImageHandlers::new()).unwrap();
    let mut publication = client.async_add_publication("aeron:ipc", stage.argument.parse().unwrap()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let (mut subscribed, mut published) = (None, None);
    while subscribed.is_none() || published.is_none() {
        assert!(Instant::now() < deadline, "the driver does not answer");
        client.invoke();
        subscribed = subscribed.or_else(|| subscription.poll().unwrap());
        published = published.or_else(|| publication.poll().unwrap());
        std::thread::sleep(PAUSE);
    }
    stage.say("waits for its end");
    stage.stand_still();
}

/// Sends back what it receives, and prints its events. The argument is its driver timeout in seconds.
fn echo(stage: &Stage) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&said);
    let context = context(&stage.dir)
        .driver_timeout(Duration::from_secs(stage.argument.parse().unwrap()))
        .reconnect_in_place(true)
        .on_event(move |event| {
            let what = match event {
                ClientEvent::DriverLost { cause, .. } => format!("DriverLost {cause:?}"),
                ClientEvent::DriverRestarted { pid, .. } => format!("DriverRestarted pid {pid}"),
                ClientEvent::Reconnected { epoch, restored, failed, .. } => {
                    format!("Reconnected epoch {epoch} restored {restored} failed {failed}")
                }
                other => format!("{other:?}"),
            };
            events.lock().unwrap().push(what);
        });
    let client = Client::connect(context).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", TO_ECHO).unwrap();
    let publication = client.add_publication("aeron:ipc", FROM_ECHO).unwrap();
    while stage.told(PAUSE).is_ok() {
        // A message that is not accepted is dropped: the other side sends more.
        let send_back = |fragment: Fragment<'_>| {
            let _ = publication.offer(fragment.payload());
        };
        subscription.poll(send_back, 10);
        said.lock().unwrap().drain(..).for_each(|what| stage.say(what));
    }
}

/// The current handles of a client in the role `churn`.
#[derive(Default)]
struct Belongings {
    publications: Vec<Publication>,
    exclusive: Vec<ExclusivePublication>,
    subscriptions: Vec<Subscription>,
    counters: Vec<Counter>,
}

/// Adds, uses and drops handles of all kinds at random, and occasionally starts again as another client. The argument
/// is the seed.
fn churn(stage: &Stage) {
    let mut random = fastrand::Rng::with_seed(stage.argument.parse().unwrap());
    let mut client = Client::connect(context(&stage.dir)).unwrap();
    let mut has = Belongings::default();
    let mut done = 0;
    while stage.told(Duration::ZERO).is_ok() {
        let stream_id = 2_000 + random.i32(0..4);
        match random.u32(0..24) {
            0 => has.publications.push(client.add_publication("aeron:ipc", stream_id).unwrap()),
            1 => has.exclusive.push(client.add_exclusive_publication("aeron:ipc", stream_id).unwrap()),
            2 => has.subscriptions.push(client.add_subscription("aeron:ipc", stream_id).unwrap()),
            3 => has.counters.push(client.add_counter(1001, &[1, 2, 3], "churn").unwrap()),
            4 => drop_one(&mut has.publications, &mut random),
            5 => drop_one(&mut has.exclusive, &mut random),
            6 => drop_one(&mut has.subscriptions, &mut random),
            7 => drop_one(&mut has.counters, &mut random),
            8 if random.u32(0..10) == 0 => {
                // Handles are dropped before their client, or after it.
                let old = std::mem::take(&mut has);
                if random.bool() {
                    drop(old);
                    client = Client::connect(context(&stage.dir)).unwrap();
                } else {
                    client = Client::connect(context(&stage.dir)).unwrap();
                    drop(old);
                }
            }
            9 => {
                // A claim that is never committed. If this process dies first, it is not aborted either.
                if let Some(Ok(claim)) = has.publications.first().map(|publication| publication.try_claim(64)) {
                    std::thread::sleep(PAUSE);
                    claim.abort();
                }
            }
            _ => {
                let bytes = [0xAB; 700];
                let length = random.usize(0..=bytes.len());
                for publication in &has.publications {
                    let _ = publication.offer(&bytes[..length]);
                }
                for publication in &mut has.exclusive {
                    let _ = publication.offer(&bytes[..length]);
                }
                for subscription in &mut has.subscriptions {
                    subscription.poll(|fragment| assert!(fragment.payload().iter().all(|&byte| byte == 0xAB)), 10);
                }
                std::thread::sleep(PAUSE);
            }
        }
        done += 1;
        if done == 150 {
            stage.say("busy");
        }
    }
}

fn drop_one<T>(all: &mut Vec<T>, random: &mut fastrand::Rng) {
    if !all.is_empty() {
        all.swap_remove(random.usize(0..all.len()));
    }
}
