//! Streams between drivers on hosts of their own, on a network that is slow, loses packets, and is interrupted.

use gannet::counters::{SystemCounter, type_id};
use gannet::time::EpochMillis;
use gannet::{Client, ExclusivePublication, OfferError, Subscription};
use gannet_driver::config::TransportName;
use gannet_driver::io::transport::choose;
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that, context};
use crate::network::Network;
use crate::skip;

const STREAM: i32 = 1001;
/// Long timeouts, for processes that a busy machine does not run for a while.
const PATIENT: [&str; 2] = ["-Daeron.image.liveness.timeout=60s", "-Daeron.publication.connection.timeout=60s"];

/// A host's driver and a client of it. The client is dropped first, and the directory last.
struct Host {
    client: Client,
    driver: DriverProcess,
    _dir: tempfile::TempDir,
}

impl Host {
    fn start(network: &Network, number: usize, transport: &str, settings: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("driver");
        // However few sockets there are, each has a receive operation with io_uring.
        let way = ["--transport", transport, "-Dgannet.sockets.tried.directly=0"];
        let driver = network.driver(number, &dir, &[&way, settings].concat());
        let client = Client::connect(context(&dir)).unwrap();
        Self { client, driver, _dir: temp }
    }

    fn counter(&self, counter: SystemCounter) -> i64 {
        self.client.counters().value(counter.id()).unwrap()
    }

    /// The content of the driver's error log.
    fn errors(&self) -> String {
        let mut texts = String::new();
        let _ = self.driver.cnc().errors().for_each(EpochMillis::new(0), |entry| texts.push_str(&entry.text));
        texts
    }

    /// Kills the driver with everything on it.
    fn kill(mut self) {
        self.driver.signal(Signal::KILL);
        await_that("the driver's end", || !self.driver.is_running());
    }
}

/// Whether such a test can run here; reported if not.
fn network(test: &str, transport: &str) -> Option<Network> {
    let wanted = if transport == "sockets" { TransportName::Sockets } else { TransportName::IoUring };
    let network = choose(wanted).map_err(|reason| reason.to_string()).and_then(|_| Network::new(3));
    network.map_err(|reason| skip::report(&format!("three_hosts::{test}_over_{transport}"), &reason)).ok()
}

/// The URI of a host for one group, and that for the second host as only receiver. Their ports are below those that
/// Linux gives out, so that no socket of a driver has one by chance.
fn group(network: &Network, host: usize) -> String {
    format!("aeron:udp?endpoint=224.20.30.39:20456|interface={}/24", network.address(host))
}

fn second_host(network: &Network) -> String {
    format!("aeron:udp?endpoint={}:20123", network.address(2))
}

/// A subscription, and the number of the message that is to come next.
struct Reader {
    subscription: Subscription,
    next: usize,
    assembled: Vec<u8>,
    /// The fragment limit of its polls.
    appetite: usize,
}

impl Reader {
    fn new(host: &Host, channel: &str) -> Self {
        let subscription = host.client.add_subscription(channel, STREAM).unwrap();
        Self { subscription, next: 0, assembled: Vec::new(), appetite: 256 }
    }

    fn read(&mut self) {
        let (next, assembled) = (&mut self.next, &mut self.assembled);
        self.subscription.poll(
            |fragment| {
                assembled.extend_from_slice(fragment.payload());
                if fragment.flags() & gannet::logbuffer::flags::END != 0 {
                    assert!(*assembled == message(*next), "message {next} differs, or comes out of turn");
                    *next += 1;
                    assembled.clear();
                }
            },
            self.appetite,
        );
    }
}

/// A message of one byte to several fragments, whose bytes show which message it is.
fn message(number: usize) -> Vec<u8> {
    let length = if number % 50 == 49 { 8_000 } else { 1 + number * 37 % 1_300 };
    (0..length).map(|index| (number * 31 + index) as u8).collect()
}

/// A publication, the number of messages published, and its readers.
struct Stream<'a> {
    from: &'a Host,
    publication: ExclusivePublication,
    sent: usize,
    readers: Vec<Reader>,
}

impl<'a> Stream<'a> {
    fn new(from: &'a Host, channel: &str, readers: Vec<Reader>) -> Self {
        let channel = format!("{channel}|term-length=64k");
        let publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        Self { from, publication, sent: 0, readers }
    }

    /// Whether every reader has its image, and the sender knows of each. One whose first status messages were lost has
    /// an image, and is left behind for good if the others let the sender go on.
    fn is_connected(&mut self) -> bool {
        let id = self.publication.registration_id();
        let counters = self.from.client.counters();
        // Only the flow control of a group counts its receivers.
        let counted = counters.find(type_id::FLOW_CONTROL_RECEIVERS, id).and_then(|id| counters.value(id));
        counted.is_none_or(|count| count >= self.readers.len() as i64)
            && self.publication.is_connected()
            && self.readers.iter().all(|reader| reader.subscription.is_connected())
    }

    /// Publishes as long as there is room, up to this message.
    fn publish(&mut self, end: usize) {
        while self.sent < end {
            match self.publication.offer(&message(self.sent)) {
                Ok(_) => self.sent += 1,
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Publishes `count` more messages, and has every reader read everything published, intact and in order.
    fn deliver(&mut self, more: usize) {
        await_that("receivers", || self.is_connected());
        let end = self.sent + more;
        await_that("delivery", || {
            self.publish(end);
            self.readers.iter_mut().for_each(Reader::read);
            self.readers.iter().all(|reader| reader.next == end)
        });
    }
}

/// How far a failed test came.
impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let read: Vec<_> = self.readers.iter().map(|reader| reader.next).collect();
            let images = self.readers.iter_mut().flat_map(|reader| reader.subscription.images());
            let positions: Vec<_> = images.map(|image| image.position()).collect();
            let (published, limit) = (self.publication.position(), self.publication.position_limit());
            eprintln!("published {} messages to {published:?} of {limit:?}, read {read:?} to {positions:?}", self.sent);
        }
    }
}

/// One receiver reads slowly behind a slow cable, another is killed, and a third takes its place. No live receiver
/// misses anything.
fn a_group_with_one_slow_and_one_killed(transport: &str) {
    let Some(network) = network("a_group_with_one_slow_and_one_killed", transport) else { return };
    let [from, slow, dies] = [1, 2, 3].map(|number| Host::start(&network, number, transport, &PATIENT));
    network.throttle(2);
    let mut readers = vec![Reader::new(&slow, &group(&network, 2)), Reader::new(&dies, &group(&network, 3))];
    readers[0].appetite = 1;
    // The receiver timeout is longer than a busy machine keeps a process waiting.
    let mut stream = Stream::new(&from, &format!("{}|fc=min,t:12s", group(&network, 1)), readers);
    stream.deliver(400);

    dies.kill();
    drop(stream.readers.pop());
    // Many windows: the dead receiver holds it up until it times out.
    stream.deliver(400);

    let again = Host::start(&network, 3, transport, &PATIENT);
    let mut comes = Reader::new(&again, &group(&network, 3));
    comes.next = stream.sent;
    stream.readers.push(comes);
    stream.deliver(400);
    assert_eq!(from.counter(SystemCounter::InvalidPackets), 0);
}

/// What is lost on the way, in either direction, is requested again: by one receiver, and by two in a group.
fn a_network_that_delays_and_loses(transport: &str) {
    let Some(network) = network("a_network_that_delays_and_loses", transport) else { return };
    let [from, one, other] = [1, 2, 3].map(|number| Host::start(&network, number, transport, &PATIENT));
    (1..=3).for_each(|host| network.spoil(host, 5));
    let unicast = second_host(&network);
    let readers = vec![Reader::new(&one, &unicast)];
    Stream::new(&from, &unicast, readers).deliver(1_000);
    let readers = vec![Reader::new(&one, &group(&network, 2)), Reader::new(&other, &group(&network, 3))];
    Stream::new(&from, &format!("{}|fc=min,t:60s", group(&network, 1)), readers).deliver(1_000);
    assert!(one.counter(SystemCounter::NaksSent) > 0, "nothing was lost");
    assert!(from.counter(SystemCounter::RetransmitsSent) > 0, "nothing was sent again");
}

/// A cable that is unplugged and plugged in again, or an interface that goes down and up, at either end: what was
/// published meanwhile arrives, at one receiver as in a group.
fn links_that_come_back_at_once(transport: &str) {
    let Some(network) = network("links_that_come_back_at_once", transport) else { return };
    let [from, one, other] = [1, 2, 3].map(|number| Host::start(&network, number, transport, &PATIENT));
    let readers = [
        vec![Reader::new(&one, &second_host(&network))],
        vec![Reader::new(&one, &group(&network, 2)), Reader::new(&other, &group(&network, 3))],
    ];
    let channels = [second_host(&network), format!("{}|fc=min,t:60s", group(&network, 1))];
    let mut streams: Vec<_> =
        channels.iter().zip(readers).map(|(channel, readers)| Stream::new(&from, channel, readers)).collect();
    let breaks: [&dyn Fn(bool); 3] =
        [&|is_in| network.cable(2, is_in), &|is_up| network.interface(1, is_up), &|is_up| network.interface(2, is_up)];
    let attempts = || from.counter(SystemCounter::BytesSent) + from.counter(SystemCounter::ShortSends);
    for set in breaks {
        streams.iter_mut().for_each(|stream| stream.deliver(100));
        set(false);
        for stream in &mut streams {
            let (delivered, before) = (stream.sent, attempts());
            stream.publish(usize::MAX);
            await_that("an attempt to send it", || attempts() > before);
            stream.readers[0].read();
            assert_eq!(stream.readers[0].next, delivered, "it came through a link that is down");
        }
        set(true);
    }
    streams.iter_mut().for_each(|stream| stream.deliver(100));
    // The sender's own interface was down, and the error log says so.
    await_that("the reason in the error log", || from.errors().contains("cannot send"));
}

/// A link that is down for so long that both sides time out: they report it, and begin again when it is up.
fn a_link_that_stays_down(transport: &str) {
    let Some(network) = network("a_link_that_stays_down", transport) else { return };
    // Longer than a busy machine keeps a process waiting.
    let timeouts = ["-Daeron.image.liveness.timeout=12s", "-Daeron.publication.connection.timeout=12s"];
    let [from, to] = [1, 2].map(|number| Host::start(&network, number, transport, &timeouts));
    let channel = second_host(&network);
    let mut stream = Stream::new(&from, &channel, vec![Reader::new(&to, &channel)]);
    stream.deliver(100);
    network.cable(2, false);
    await_that("both give up", || {
        stream.readers[0].read();
        !stream.publication.is_connected() && stream.readers[0].subscription.image_count() == 0
    });
    network.cable(2, true);
    stream.deliver(100);
}

/// Datagrams that are longer than the link's MTU: the system fragments them, also when it gets many at a time.
fn datagrams_longer_than_the_link_takes(transport: &str) {
    let Some(network) = network("datagrams_longer_than_the_link_takes", transport) else { return };
    let [from, to] = [1, 2].map(|number| Host::start(&network, number, transport, &PATIENT));
    let channel = second_host(&network);
    for mtu in ["8k", "1504"] {
        let channel = format!("{channel}|mtu={mtu}");
        let readers = vec![Reader::new(&to, &second_host(&network))];
        Stream::new(&from, &channel, readers).deliver(1_000);
    }
}

/// Streams over IPv6: to one receiver, and to a group whose interface each host selects by its prefix.
fn ipv6_to_one_and_to_a_group(transport: &str) {
    let Some(network) = network("ipv6_to_one_and_to_a_group", transport) else { return };
    if let Some(reason) = network.without_ipv6() {
        return skip::report(&format!("three_hosts::ipv6_to_one_and_to_a_group_over_{transport}"), reason);
    }
    let [from, one, other] = [1, 2, 3].map(|number| Host::start(&network, number, transport, &PATIENT));
    let unicast = format!("aeron:udp?endpoint=[{}]:20123", network.ipv6_address(2));
    let mut alone = Stream::new(&from, &unicast, vec![Reader::new(&one, &unicast)]);
    alone.deliver(1_000);
    let identity = alone.readers[0].subscription.images()[0].source_identity().to_owned();
    assert!(identity.starts_with(&format!("[{}]:", network.ipv6_address(1))), "{identity}");

    let group = |host| format!("aeron:udp?endpoint=[ff15::77:1]:20456|interface=[{}]/64", network.ipv6_address(host));
    let readers = vec![Reader::new(&one, &group(2)), Reader::new(&other, &group(3))];
    let mut all = Stream::new(&from, &format!("{}|fc=min,t:60s|ttl=7", group(1)), readers);
    all.deliver(1_000);
    // What is lost on the way is requested again.
    (1..=3).for_each(|host| network.spoil(host, 5));
    all.deliver(1_000);
    assert!(one.counter(SystemCounter::NaksSent) > 0, "nothing was lost");
    for host in [&from, &one, &other] {
        assert_eq!(host.counter(SystemCounter::InvalidPackets), 0);
        assert_eq!(host.errors(), "");
    }
}

macro_rules! over_each_transport {
    ($($case:ident)+) => {
        mod over_sockets {
            $(#[test] fn $case() { super::$case("sockets"); })+
        }

        mod over_io_uring {
            $(#[test] fn $case() { super::$case("io_uring"); })+
        }
    };
}

over_each_transport!(
    a_group_with_one_slow_and_one_killed
    a_network_that_delays_and_loses
    links_that_come_back_at_once
    a_link_that_stays_down
    datagrams_longer_than_the_link_takes
    ipv6_to_one_and_to_a_group
);
