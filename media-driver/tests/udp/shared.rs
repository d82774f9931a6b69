//! Several publishers in one log of the network: concurrent publications, as applications see them.

use std::mem;
use std::thread;

use gannet::Publication;
use gannet::logbuffer::flags;

use super::*;

/// Enough for many terms of 64 KiB, with messages of several fragments among them.
const EACH: u32 = 1_500;

/// A message of a publisher.
fn message_of(publisher: u8, number: u32) -> Vec<u8> {
    let length = if number % 40 == 39 { 4_000 } else { 5 + number as usize * 37 % 900 };
    let mut message = vec![number as u8 ^ publisher; length];
    message[..4].copy_from_slice(&number.to_le_bytes());
    message[4] = publisher;
    message
}

/// Publishes the messages from this number on, as soon as there is room.
fn publish(publication: &Publication, publisher: u8, numbers: std::ops::Range<u32>) {
    let deadline = Instant::now() + PATIENCE;
    for number in numbers {
        let message = message_of(publisher, number);
        loop {
            match publication.offer(&message) {
                Ok(_) => break,
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => {
                    assert!(Instant::now() < deadline, "publisher {publisher} has no room for message {number}");
                    thread::sleep(Duration::from_micros(200));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Reads until this many messages have come of each publisher. Each comes once, whole, and in its publisher's order.
fn read(subscription: &mut Subscription, next: &mut [u32; 2], until: u32) {
    let mut assembled = Vec::new();
    wait_for("all messages", || {
        let polled = subscription.poll(
            |fragment| {
                if fragment.flags() & flags::BEGIN != 0 {
                    assembled.clear();
                }
                assembled.extend_from_slice(fragment.payload());
                if fragment.flags() & flags::END != 0 {
                    let publisher = assembled[4];
                    let next = &mut next[usize::from(publisher)];
                    assert!(assembled == message_of(publisher, *next), "message {next} of {publisher} does not come");
                    *next += 1;
                }
            },
            64,
        );
        polled == 0 && next.iter().all(|&next| next >= until)
    });
    assert_eq!(*next, [until; 2]);
}

/// Two clients publish at the same time, over many terms, whose ends both of them find.
#[test]
fn two_publishers_share_a_log_of_the_network() {
    let (sending, first) = launch(ThreadingMode::SharedNetwork);
    let second = Client::connect(context(sending.dir())).unwrap();
    let (_receiving, subscriber) = launch(ThreadingMode::SharedNetwork);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
    let mut subscription = subscriber.add_subscription(&channel, STREAM).unwrap();
    let publications = [&first, &second].map(|client| client.add_publication(&channel, STREAM).unwrap());
    assert_eq!(publications[0].session_id(), publications[1].session_id());
    thread::scope(|scope| {
        for (publisher, publication) in publications.iter().enumerate() {
            scope.spawn(move || publish(publication, publisher as u8, 0..EACH));
        }
        read(&mut subscription, &mut [0; 2], EACH);
    });
    assert_eq!(subscription.image_count(), 1);
    let position = publications[0].position().unwrap().get();
    assert!(position > 3 * (64 << 10), "the log has rotated past its three terms: {position}");
    assert_eq!(subscription.images()[0].position().get(), position);
}

/// A thread of a publisher dies with a claim in its hands. The driver gives the claim up, and the receiver on the other
/// side goes on with what is published beyond it.
#[test]
fn an_abandoned_claim_stops_no_receiver() {
    let mut config = config(ThreadingMode::SharedNetwork);
    // Short enough for a test, but long enough for a live client on a busy machine.
    config.timeouts.client_liveness = Duration::from_secs(12);
    config.timeouts.publication_unblock = Duration::from_millis(12_100);
    let sending = MediaDriver::launch_embedded(config).unwrap();
    let [living, dying] = [0, 1].map(|_| Client::connect(context(sending.dir())).unwrap());
    let (_receiving, subscriber) = launch(ThreadingMode::SharedNetwork);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
    let mut subscription = subscriber.add_subscription(&channel, STREAM).unwrap();
    let [lives, dies] = [&living, &dying].map(|client| client.add_publication(&channel, STREAM).unwrap());
    let mut next = [0; 2];
    thread::scope(|scope| {
        scope.spawn(|| publish(&lives, 0, 0..100));
        scope.spawn(|| publish(&dies, 1, 0..100));
        read(&mut subscription, &mut next, 100);
    });
    // There is room when the driver has seen that everything was received.
    wait_for("a claim", || dies.try_claim(700).map(mem::forget).is_ok());
    let blocked = subscription.images()[0].position();
    let counter = |counter: SystemCounter| living.counters().value(counter.id()).unwrap();
    assert_eq!(counter(SystemCounter::UnblockedPublications), 0);
    publish(&lives, 0, 100..110);
    publish(&dies, 1, 100..110);
    assert_eq!(subscription.images()[0].position(), blocked);
    read(&mut subscription, &mut next, 110);
    // The driver counts it after it has given the claim up, and what is beyond it may have come in between.
    wait_for("a count of the claim", || counter(SystemCounter::UnblockedPublications) == 1);
    drop((dies, dying));
    thread::scope(|scope| {
        scope.spawn(|| publish(&lives, 0, 110..EACH));
        wait_for("the rest", || {
            subscription.poll(|fragment| next[0] += u32::from(fragment.flags() & flags::END != 0), 64);
            next[0] == EACH
        });
    });
    assert_eq!(subscription.images()[0].position(), lives.position().unwrap());
}
