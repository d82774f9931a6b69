//! Streams between our driver and Aeron's C driver over UDP on the loopback interface, each as sender and as receiver. A pairing of
//! Aeron's own proves the scenario; the others then prove ours.

use gannet::{Client, Context, ExclusivePublication, OfferError, Subscription};
use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);
const STREAM: i32 = 1001;

/// Who sends and who receives.
const PAIRINGS: [(DriverKind, DriverKind); 3] = [
    (DriverKind::Aeron, DriverKind::Aeron),
    (DriverKind::Gannet, DriverKind::Aeron),
    (DriverKind::Aeron, DriverKind::Gannet),
];

/// A driver and a client of it. The client goes first, and the directory last.
struct Host {
    client: Client,
    _driver: DriverProcess,
    _dir: AeronDir,
}

impl Host {
    fn start(kind: DriverKind) -> Self {
        let dir = AeronDir::unique("udp");
        let options = DriverOptions::patient().with("aeron.timer.interval", "50ms");
        let driver = DriverProcess::start(kind, dir.path(), &options).expect("the driver starts");
        let context = Context::new().dir(dir.path()).driver_timeout(Duration::from_secs(60));
        let client = Client::connect(context).expect("the client connects");
        Self { client, _driver: driver, _dir: dir }
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn message(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (number * 31 + index) as u8).collect()
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "no {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Sends messages of these lengths once everybody is there, and has everybody read all of them whole and in order.
fn deliver(publication: &mut ExclusivePublication, subscriptions: &mut [Subscription], lengths: &[usize]) {
    wait_for("receivers", || publication.is_connected() && subscriptions.iter().all(Subscription::is_connected));
    let mut received = vec![(0, Vec::new()); subscriptions.len()];
    let mut sent = 0;
    wait_for("delivery", || {
        while sent < lengths.len() {
            match publication.offer(&message(sent, lengths[sent])) {
                Ok(_) => sent += 1,
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for (subscription, (number, assembled)) in subscriptions.iter_mut().zip(&mut received) {
            subscription.poll(
                |fragment| {
                    assembled.extend_from_slice(fragment.payload());
                    if fragment.flags() & gannet::logbuffer::flags::END != 0 {
                        assert!(*assembled == message(*number, lengths[*number]), "message {number} differs");
                        *number += 1;
                        assembled.clear();
                    }
                },
                256,
            );
        }
        received.iter().all(|(number, _)| *number == lengths.len())
    });
}

#[test]
fn messages_of_all_lengths_cross() {
    let longest = 64 * 1024 / 8;
    let lengths: Vec<usize> =
        (0..1_000).map(|number| if number % 50 == 49 { longest } else { number * 37 % 3_000 }).collect();
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        deliver(&mut publication, &mut subscription, &lengths);
    }
}

#[test]
fn many_small_messages_cross() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=1m", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        deliver(&mut publication, &mut subscription, &[32; 100_000]);
    }
}

/// An image goes when its publication does, and another one comes with the next.
#[test]
fn streams_end_and_begin_again() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        for _ in 0..2 {
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            deliver(&mut publication, &mut subscription, &[100; 50]);
            drop(publication);
            wait_for("end", || {
                subscription[0].poll(|_| {}, 10);
                subscription[0].image_count() == 0
            });
        }
    }
}

/// When its subscriber leaves, a publication is not connected; whoever comes later joins where the stream is.
#[test]
fn subscribers_leave_and_come() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        for _ in 0..2 {
            // An endpoint that is being closed is refused for a moment.
            let mut added = None;
            wait_for("endpoint", || {
                added = to.client.add_subscription(&channel, STREAM).ok();
                added.is_some()
            });
            let mut subscription = [added.unwrap()];
            deliver(&mut publication, &mut subscription, &[100; 50]);
            drop(subscription);
            wait_for("end of the connection", || !publication.is_connected());
        }
    }
}

/// Receivers of both kinds register with a publication that goes at the pace of the slower.
#[test]
fn receivers_of_both_kinds_register_with_one_publication() {
    for sending in [DriverKind::Aeron, DriverKind::Gannet] {
        let from = Host::start(sending);
        let hosts = [DriverKind::Aeron, DriverKind::Gannet].map(Host::start);
        let control = free_port();
        let channel = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=min,g:/2|term-length=64k");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscriptions = hosts.each_ref().map(|host| {
            let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|control=127.0.0.1:{control}", free_port());
            host.client.add_subscription(&channel, STREAM).unwrap()
        });
        deliver(&mut publication, &mut subscriptions, &[500; 500]);
    }
}
