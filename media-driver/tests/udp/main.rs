//! Streams between two drivers over UDP on the loopback interface, in every threading mode, as applications see them.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "waits for drivers, and holds ports")]

use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use gannet::counters::{SystemCounter, type_id};
use gannet::{Client, Context, ExclusivePublication, OfferError, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, ThreadingMode, TransportName};

mod channels;
mod names;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/ports.rs"]
mod ports;
mod shared;

const PATIENCE: Duration = Duration::from_secs(180);
const STREAM: i32 = 1001;

/// Settings for little memory and CPU, and with long client timeouts for busy machines.
fn config(mode: ThreadingMode) -> DriverConfig {
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    config.threads.mode = mode;
    config.buffers.counter_values_length = ByteLength::new(1 << 20);
    config.timeouts.client_liveness = Duration::from_secs(60);
    config.timeouts.publication_unblock = Duration::from_secs(70);
    config.timeouts.image_liveness = Duration::from_secs(60);
    config.timeouts.publication_connection = Duration::from_secs(60);
    for args in [
        &mut config.threads.shared_idle_args,
        &mut config.threads.shared_network_idle_args,
        &mut config.threads.sender_idle_args,
        &mut config.threads.receiver_idle_args,
        &mut config.threads.conductor_idle_args,
    ] {
        *args = "200us".to_owned();
    }
    config
}

fn launch(mode: ThreadingMode) -> (MediaDriver, Client) {
    let driver = MediaDriver::launch_embedded(config(mode)).unwrap();
    let client = Client::connect(context(driver.dir())).unwrap();
    (driver, client)
}

fn context(dir: &Path) -> Context {
    // Longer than a resolver searches for a name that does not exist.
    Context::new().dir(dir).driver_timeout(PATIENCE)
}

fn free_port() -> u16 {
    ports::free_port().unwrap()
}

fn message(number: u32, length: usize) -> Vec<u8> {
    let mut message = vec![number as u8; length.max(4)];
    message[..4].copy_from_slice(&number.to_le_bytes());
    message
}

/// Sends numbered messages of these lengths through a stream, and compares what arrives.
fn exchange(publication: &mut ExclusivePublication, subscription: &mut Subscription, lengths: &[usize]) {
    let deadline = Instant::now() + PATIENCE;
    let (mut sent, mut received) = (0, 0);
    let mut assembled = Vec::new();
    while received < lengths.len() {
        assert!(Instant::now() < deadline, "{sent} sent, {received} received of {}", lengths.len());
        let mut idle = true;
        if let Some(&length) = lengths.get(sent) {
            match publication.offer(&message(sent as u32, length)) {
                Ok(_) => {
                    sent += 1;
                    idle = false;
                }
                Err(OfferError::BackPressured | OfferError::NotConnected | OfferError::AdminAction) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let polled = subscription.poll(
            |fragment| {
                assembled.extend_from_slice(fragment.payload());
                if fragment.flags() & gannet::logbuffer::flags::END != 0 {
                    assert!(assembled == message(received as u32, lengths[received]), "message {received} differs");
                    received += 1;
                    assembled.clear();
                }
            },
            64,
        );
        if polled == 0 && idle {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "no {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Every transport of a driver: plain sockets, io_uring, and io_uring with a receive operation for every socket.
const WAYS: [(TransportName, u32); 3] =
    [(TransportName::Sockets, 5), (TransportName::Auto, 5), (TransportName::Auto, 0)];

/// A twentieth of the datagrams is lost, as many come twice and as many late, on either transport, in both directions.
/// Every message arrives once and in order, and the drivers report that the faults are intentional.
#[test]
fn messages_cross_a_bad_network() {
    let lengths: Vec<usize> = (0..500).map(|number| number * 37 % 5_000).collect();
    for (transport, tried_directly) in WAYS {
        let mut config = config(ThreadingMode::SharedNetwork);
        (config.process.transport, config.process.sockets_tried_directly) = (transport, tried_directly);
        (config.loss.drop_ppm, config.loss.duplicate_ppm, config.loss.delay_ppm) = (50_000, 50_000, 50_000);
        let [sending, receiving] = [0, 1].map(|_| MediaDriver::launch_embedded(config.clone()).unwrap());
        assert!(sending.warnings().iter().any(|warning| warning.starts_with("LOSS ON PURPOSE")));
        let [publisher, subscriber] =
            [&sending, &receiving].map(|driver| Client::connect(context(driver.dir())).unwrap());
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = subscriber.add_subscription(&channel, STREAM).unwrap();
        let mut publication = publisher.add_exclusive_publication(&channel, STREAM).unwrap();
        exchange(&mut publication, &mut subscription, &lengths);
    }
}

#[test]
fn messages_cross_between_drivers_in_every_mode() {
    let lengths: Vec<usize> = (0..1_000).map(|number| number * 37 % 1_300).collect();
    for mode in [ThreadingMode::Shared, ThreadingMode::SharedNetwork, ThreadingMode::Dedicated] {
        let (sending, publisher) = launch(mode);
        let (receiving, subscriber) = launch(mode);
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = subscriber.add_subscription(&channel, STREAM).unwrap();
        let mut publication = publisher.add_exclusive_publication(&channel, STREAM).unwrap();
        exchange(&mut publication, &mut subscription, &lengths);
        for driver in [sending, receiving] {
            let dir = driver.dir().to_owned();
            driver.close().unwrap();
            assert!(!dir.exists(), "{mode}");
        }
    }
}

/// From nothing to the longest message that fits, through many terms.
#[test]
fn messages_of_all_lengths_cross() {
    let (_sending, publisher) = launch(ThreadingMode::SharedNetwork);
    let (_receiving, subscriber) = launch(ThreadingMode::SharedNetwork);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=128k|mtu=8k", free_port());
    let mut publication = publisher.add_exclusive_publication(&channel, STREAM).unwrap();
    let mut subscription = subscriber.add_subscription(&channel, STREAM).unwrap();
    let longest = publication.max_message_length();
    let lengths: Vec<usize> =
        (0..300).map(|number| if number % 10 == 9 { longest } else { number * 97 % 9_000 }).collect();
    exchange(&mut publication, &mut subscription, &lengths);
}

/// A later subscriber joins at the current position. Operators and tools rely on the labels of its counters.
#[test]
fn a_late_subscriber_joins_and_counters_are_named() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let port = free_port();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length=64k");
    let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
    let mut first = client.add_subscription(&channel, STREAM).unwrap();
    exchange(&mut publication, &mut first, &[100; 50]);
    let mut second = client.add_subscription(&channel, STREAM).unwrap();
    wait_for("second image", || second.poll(|_| {}, 1) == 0 && second.image_count() == 1);
    exchange(&mut publication, &mut second, &[200; 50]);

    let mut labels = Vec::new();
    client.counters().for_each(|counter| labels.push((counter.type_id, counter.label.to_string())));
    for (wanted, start) in [
        (type_id::SEND_CHANNEL_STATUS, "snd-channel: aeron:udp?endpoint=127.0.0.1:"),
        (type_id::RECEIVE_CHANNEL_STATUS, "rcv-channel: aeron:udp?endpoint=127.0.0.1:"),
        (type_id::LOCAL_SOCKADDR, "snd-local-sockaddr: "),
        (type_id::LOCAL_SOCKADDR, "rcv-local-sockaddr: "),
        (type_id::PUBLISHER_LIMIT, "pub-lmt: "),
        (type_id::SENDER_POSITION, "snd-pos: "),
        (type_id::SENDER_LIMIT, "snd-lmt: "),
        (type_id::SENDER_BPE, "snd-bpe: "),
        (type_id::SENDER_NAKS_RECEIVED, "snd-naks-received: "),
        (type_id::RECEIVER_HWM, "rcv-hwm: "),
        (type_id::RECEIVER_POSITION, "rcv-pos: "),
        (type_id::RECEIVER_NAKS_SENT, "rcv-naks-sent: "),
        (type_id::SUBSCRIBER_POSITION, "sub-pos: "),
    ] {
        let is_it = |(found, label): &(i32, String)| *found == wanted && label.starts_with(start);
        assert!(labels.iter().any(is_it), "no {start} among {labels:#?}");
    }
    assert!(client.counters().value(SystemCounter::StatusMessagesReceived.id()).unwrap() > 0);
}

/// When its publication is removed, an image ends and the resources of both are released. A new publication starts a
/// new stream.
#[test]
fn a_stream_ends_and_begins_again() {
    let (_driver, client) = launch(ThreadingMode::SharedNetwork);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k|linger=100ms", free_port());
    let mut subscription = client.add_subscription(&channel, STREAM).unwrap();
    for _ in 0..2 {
        let mut publication = client.add_exclusive_publication(&channel, STREAM).unwrap();
        exchange(&mut publication, &mut subscription, &[64; 20]);
        drop(publication);
        wait_for("end of the image", || {
            subscription.poll(|_| {}, 10);
            subscription.image_count() == 0
        });
    }
}

/// A channel that cannot be opened is refused with its reason, and existing streams continue.
#[test]
fn what_cannot_be_opened_is_refused() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let port = free_port();
    let taken = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let refusal = |channel: &str| client.add_subscription(channel, STREAM).unwrap_err().to_string();
    let error = refusal(&format!("aeron:udp?endpoint=127.0.0.1:{port}"));
    assert!(error.contains(&port.to_string()), "{error}");
    let error = refusal("aeron:udp?endpoint=no.such.host.invalid:40123");
    assert!(error.contains("no.such.host.invalid"), "{error}");
    let error = refusal("aeron:udp?endpoint=203.0.113.7:40123");
    assert!(error.contains("203.0.113.7"), "{error}");
    drop(taken);
    client.add_subscription(&format!("aeron:udp?endpoint=127.0.0.1:{port}"), STREAM).unwrap();
}

/// One publication and two receiving drivers: with flow control by the slowest, neither misses anything.
#[test]
fn receivers_register_with_a_publication_that_has_many() {
    let (_sending, publisher) = launch(ThreadingMode::Shared);
    let (_first, one) = launch(ThreadingMode::Shared);
    let (_second, other) = launch(ThreadingMode::Shared);
    let control = free_port();
    let channel = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=min,g:/2|term-length=64k");
    let mut publication = publisher.add_exclusive_publication(&channel, STREAM).unwrap();
    let subscribe = |client: &Client| {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|control=127.0.0.1:{control}", free_port());
        client.add_subscription(&channel, STREAM).unwrap()
    };
    let mut subscriptions = [subscribe(&one), subscribe(&other)];
    deliver_to_all(&mut publication, &mut subscriptions);
}

/// An application adds and removes the destinations of a publication.
#[test]
fn applications_add_and_remove_destinations() {
    let (_driver, client) = launch(ThreadingMode::Shared);
    let channel = "aeron:udp?control-mode=manual|fc=min,g:/2|term-length=64k";
    let mut publication = client.add_exclusive_publication(channel, STREAM).unwrap();
    let ports = [free_port(), free_port()];
    let endpoints = ports.map(|port| format!("aeron:udp?endpoint=127.0.0.1:{port}"));
    let mut subscriptions = endpoints.each_ref().map(|channel| client.add_subscription(channel, STREAM).unwrap());
    let ids = endpoints.each_ref().map(|channel| publication.add_destination(channel).unwrap());
    deliver_to_all(&mut publication, &mut subscriptions);
    publication.remove_destination(&endpoints[0]).unwrap();
    publication.remove_destination_by_id(ids[1]).unwrap();
    publication.add_destination("aeron:udp?endpoint=127.0.0.1:1|mtu=8k").unwrap_err();
}

/// A client that reconnects in place continues to send to, and to listen at, the destinations that were added before
/// its driver was restarted.
#[test]
fn destinations_survive_a_restart_of_the_driver() {
    let temp = tempfile::tempdir().unwrap();
    let start = || {
        let mut config = config(ThreadingMode::Shared);
        config.directory.dir = Some(temp.path().join("driver"));
        MediaDriver::launch(config).unwrap()
    };
    let driver = start();
    let client = Client::connect(context(driver.dir()).reconnect_in_place(true)).unwrap();
    let place = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let manual = "aeron:udp?control-mode=manual|term-length=64k";
    let mut publication = client.add_exclusive_publication(manual, STREAM).unwrap();
    let mut subscription = client.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap();
    publication.add_destination(&place).unwrap();
    subscription.add_destination(&place).unwrap();
    let lengths = [100; 50];
    exchange(&mut publication, &mut subscription, &lengths);
    driver.close().unwrap();
    wait_for("loss of the driver", || publication.is_closed() && subscription.is_closed());
    let _driver = start();
    wait_for("reconnection", || !publication.is_closed() && !subscription.is_closed());
    exchange(&mut publication, &mut subscription, &lengths);
}

/// Sends a few hundred messages once everyone is connected, and has everyone read all of them.
fn deliver_to_all(publication: &mut ExclusivePublication, subscriptions: &mut [Subscription; 2]) {
    wait_for("receivers", || publication.is_connected());
    let mut received = [0_u32; 2];
    let mut sent = 0_u32;
    wait_for("delivery", || {
        if sent < 300 && publication.offer(&message(sent, 500)).is_ok() {
            sent += 1;
        }
        for (subscription, received) in subscriptions.iter_mut().zip(&mut received) {
            subscription.poll(
                |fragment| {
                    assert!(fragment.payload() == message(*received, 500), "message {received} differs");
                    *received += 1;
                },
                64,
            );
        }
        received == [300; 2]
    });
}
