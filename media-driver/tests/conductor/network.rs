//! UDP publications and subscriptions in the conductor. The test acts as sender and receiver.

use gannet::command::{Command, Destination, Event, RemoveDestinationById, Text};
use gannet::counters::SystemCounter;
use gannet::logbuffer::OfferError;
use gannet::memory::MapError;
use gannet::protocol::Setup;
use gannet::time::MonotonicNanos;
use gannet::types::{ClientId, CounterId, RegistrationId, SessionId, TermId, TermLength};
use gannet_driver::mailbox::{
    EndpointId, Holder, LossRules, MAX_DESTINATIONS, NamedPlace, NewImage, NewReceiveEndpoint, ReceiverCommand,
    ReceiverEvent, Reply, Request, SenderCommand, SenderEvent,
};
use gannet_driver::shared::{PublicationWords, Receivers};

use crate::support::*;

const CHANNEL: &str = "aeron:udp?endpoint=localhost:40123|term-length=64k";
const SPY: &str = "aeron-spy:aeron:udp?endpoint=localhost:40123";

/// The state that the sender shares with the conductor for the publication that was added last.
fn words(driver: &mut Driver) -> PublicationWords {
    let mut words = None;
    while let Some(command) = driver.conductor.poll_sender_command() {
        if let SenderCommand::AddPublication(_, made_of) = command {
            words = Some(made_of.words);
        }
    }
    words.expect("a publication was added")
}

fn connect(words: &PublicationWords) {
    words.set_receivers(Receivers { alive: true, enough: true, left: false });
}

/// A spy reads a channel's publications from the sender's position, and holds publishers back.
#[test]
fn spies_hold_publishers_back() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let (_, none) = driver.add_subscription(client, SPY);
    assert!(none.is_empty());
    driver.add_exclusive_publication_keeping_events(client, CHANNEL);
    let image = driver.images().remove(0);
    let words = words(&mut driver);
    let mut spy = driver.reader(&image);
    connect(&words);
    driver.settle();
    let limit = CounterId::new(driver.counter_lines().iter().position(|line| line.contains("pub-lmt")).unwrap() as i32);
    let limit = CounterId::new(limit.get() + SystemCounter::ALL.len() as i32);
    assert_eq!(driver.value(limit), 32 << 10);
    words.set_sender_position(8192);
    driver.settle();
    assert_eq!(driver.value(limit), 32 << 10, "the spy has not moved");
    driver.word(image.position).store_release(4096);
    driver.settle();
    assert_eq!(driver.value(limit), (32 << 10) + 4096, "the slower of sender and spy");
    driver.word(image.position).store_release(i64::MAX);
    driver.settle();
    assert!(driver.value(limit) <= (32 << 10) + 8192, "nobody reads what is not written");
    assert_eq!(drain(&mut spy), 0);
    assert_eq!(words.spy_position(), None, "without ssc the sender goes its own way");
    let (_, others) = driver.add_subscription(client, "aeron-spy:aeron:udp?endpoint=127.0.0.1:40123");
    assert!(others.is_empty(), "another spelling is another channel");
}

/// With `ssc` a spy alone keeps a publication connected, and the sender follows it. The spy loses what was unread when
/// the last publisher was removed.
#[test]
fn a_spy_alone_simulates_a_connection() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, &format!("{CHANNEL}|ssc=true"));
    let words = words(&mut driver);
    let mut publisher = driver.exclusive_publisher(&publication);
    assert!(matches!(publisher.offer(b"nobody"), Err(OfferError::NotConnected)));
    let (spying, images) = driver.add_subscription(client, SPY);
    driver.settle();
    publisher.offer(b"somebody").unwrap();
    let mut spy = driver.reader(&images[0]);
    assert_eq!(drain(&mut spy), 1);
    driver.settle();
    assert_eq!(words.spy_position(), Some(64));
    words.set_sender_position(64);
    publisher.offer(b"left behind").unwrap();
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(3_000, |driver| driver.beat(client));
    words.set_sender_position(128);
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new(), "the spy has something left to read");
    assert_eq!(drain(&mut spy), 1);
    driver.pass_with(2_000, |driver| driver.beat(client));
    let gone = format!("unavailable image {} for {spying}", images[0].correlation);
    assert_eq!(driver.events(), [gone]);
}

/// A publisher that dies with an open claim does not keep its spies waiting, although the sender, which has no receivers, has
/// not come that far.
#[test]
fn a_spy_passes_the_claim_of_a_dead_publisher() {
    let mut driver = Driver::with_network();
    let (client, dying) = (driver.client(), driver.client());
    let publication = driver.add_exclusive_publication(dying, &format!("{CHANNEL}|ssc=true"));
    words(&mut driver);
    let (spying, images) = driver.add_subscription(client, SPY);
    driver.settle();
    let mut publisher = driver.exclusive_publisher(&publication);
    publisher.offer(b"read late").unwrap();
    std::mem::forget(publisher.try_claim(100).unwrap());
    driver.close_client(dying);
    driver.pass_with(3_000, |driver| driver.beat(client));
    let mut spy = driver.reader(&images[0]);
    assert_eq!(drain(&mut spy), 1);
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert_eq!(drain(&mut spy), 0);
    assert_eq!(driver.value(images[0].position), 64 + 160, "behind the padding");
    driver.pass_with(10_000, |driver| driver.beat(client));
    assert!(driver.events().contains(&format!("unavailable image {} for {spying}", images[0].correlation)));
    assert!(told(&mut driver).iter().any(|told| told.starts_with("RemovePublication")));
}

/// Whatever clients have left behind in the log, a draining publication looks no further than they can have published.
#[test]
fn nothing_beyond_the_end_of_a_draining_publication_counts() {
    const AT_END: &str = "|init-term-id=0|term-id=0|term-offset=65504";
    for is_hostile in [false, true] {
        let mut driver = Driver::with_network();
        let (client, leaving) = (driver.client(), driver.client());
        let publication = driver.add_publication(leaving, &format!("{CHANNEL}|ssc=true{AT_END}"));
        words(&mut driver);
        let (_, images) = driver.add_subscription(client, SPY);
        driver.settle();
        driver.publisher(&publication).offer(&[]).unwrap();
        if is_hostile {
            let log = open(&publication.path);
            (0..3).for_each(|term| log.term(term).word_at::<i32>(0).store_release(64 << 10));
        }
        driver.close_client(leaving);
        driver.pass_with(3_000, |driver| driver.beat(client));
        assert_eq!(driver.system(SystemCounter::UnblockedPublications), 0, "it ends with its term");
        assert_eq!(open(&publication.path).active_term_count(), 0);
        driver.word(images[0].position).store_release(64 << 10);
        driver.pass_with(10_000, |driver| driver.beat(client));
        assert!(told(&mut driver).iter().any(|told| told.starts_with("RemovePublication")));
    }
}

/// An untethered spy that falls behind loses its image, and gets it again later.
#[test]
fn an_untethered_spy_is_left_behind() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_exclusive_publication(client, CHANNEL);
    let words = words(&mut driver);
    connect(&words);
    let (_, images) = driver.add_subscription(client, &format!("{SPY}|tether=false"));
    words.set_sender_position(32 << 10);
    driver.pass_with(7_000, |driver| driver.beat(client));
    assert!(driver.events().iter().any(|event| event.starts_with("unavailable image")), "after five seconds");
    driver.pass_with(17_000, |driver| driver.beat(client));
    assert_eq!(driver.images().len(), 1);
    assert_eq!(driver.value(images[0].position), 32 << 10, "where the sender is");
}

/// It reads no more then, so a publication that ends meanwhile goes without it.
#[test]
fn a_publication_that_ends_does_not_wait_for_a_spy_that_has_lost_its_image() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, CHANNEL);
    let words = words(&mut driver);
    connect(&words);
    driver.add_subscription(client, &format!("{SPY}|tether=false"));
    let mut publisher = driver.exclusive_publisher(&publication);
    while publisher.offer(&[0; 992]).is_ok() {}
    words.set_sender_position(publisher.position().get());
    driver.pass_with(7_000, |driver| driver.beat(client));
    assert!(driver.events().iter().any(|event| event.starts_with("unavailable image")), "after five seconds");
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(10_000, |driver| driver.beat(client));
    assert!(told(&mut driver).iter().any(|told| told.starts_with("RemovePublication")));
}

/// A publisher's position and limit can be compared: both are from one moment, not from two ticks.
#[test]
fn a_position_shows_with_its_limit_and_soon_while_that_rests() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, CHANNEL);
    let words = words(&mut driver);
    connect(&words);
    driver.settle();
    let mut publisher = driver.exclusive_publisher(&publication);
    let position = driver.counters.find(12, publication.original).expect("pub-pos");
    publisher.offer(&[0; 1000]).unwrap();
    driver.cycle();
    assert_eq!(driver.value(position), 0, "the tail is looked at now and then only");
    driver.pass_briefly_ms(1);
    assert_eq!(driver.value(position), 1056);
    publisher.offer(&[0; 1000]).unwrap();
    words.set_sender_position(1056);
    driver.cycle();
    assert_eq!((driver.value(publication.limit), driver.value(position)), ((32 << 10) + 1056, 2112));
}

fn destination(driver: &Driver, client: ClientId, subscription: RegistrationId, channel: &str, add: bool) -> Vec<u8> {
    let body = Destination {
        client_id: client,
        correlation_id: driver.correlation(),
        registration_id: subscription,
        channel: Text::from(channel),
    };
    let command = if add { Command::AddReceiveDestination(body) } else { Command::RemoveReceiveDestination(body) };
    let mut bytes = vec![0; command.encoded_length() + 4];
    bytes[..4].copy_from_slice(&command.type_id().to_le_bytes());
    command.encode(&mut bytes[4..]).unwrap();
    bytes
}

fn run(driver: &mut Driver, bytes: &[u8]) -> String {
    let type_id = i32::from_le_bytes(bytes[..4].try_into().unwrap());
    driver.send_raw(type_id, &bytes[4..]);
    driver.settle();
    driver.events().remove(0)
}

/// A subscription with `control-mode=manual` has no socket of its own, but one for each added destination.
#[test]
fn places_come_and_go() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let (subscription, _) = driver.add_subscription(client, "aeron:udp?control-mode=manual");
    let place = "aeron:udp?endpoint=localhost:40123";
    let mut transports: Vec<(bool, EndpointId)> = Vec::new();
    for (channel, add, expected) in [
        (place, true, "success"),
        ("aeron:udp?endpoint=localhost:40124|control=localhost:9", true, "success"),
        ("aeron:udp?endpoint=localhost:40123|mtu=8k", true, "error 1 "),
        ("aeron:udp?endpoint=nowhere:40123", true, "error 9"),
        ("aeron:ipc", true, "success"),
        ("aeron:ipc", false, "success"),
        ("aeron:ipc", false, "error 2"),
        (place, false, "success"),
        (place, false, "success"),
    ] {
        let command = destination(&driver, client, subscription, channel, add);
        let answer = run(&mut driver, &command);
        assert!(answer.starts_with(expected), "{channel}: {answer}");
        while let Some(command) = driver.conductor.poll_receiver_command() {
            match command {
                ReceiverCommand::AddTransport(_, made_of) => transports.push((true, made_of.id)),
                ReceiverCommand::RemoveTransport(_, id) => transports.push((false, id)),
                _ => {}
            }
        }
    }
    let (first, second) = (transports[0].1, transports[1].1);
    assert_eq!(transports, [(true, first), (true, second), (false, first)]);
    let locals = driver.counter_lines().iter().filter(|line| line.contains("rcv-local-sockaddr")).count();
    assert_eq!(locals, 1);
    let (ordinary, _) = driver.add_subscription(client, "aeron:udp?endpoint=localhost:40125");
    for (subscription, expected) in [(ordinary, "error 1 "), (RegistrationId::new(9), "error 2")] {
        let command = destination(&driver, client, subscription, place, true);
        let answer = run(&mut driver, &command);
        assert!(answer.starts_with(expected), "{answer}");
    }
    driver.remove_subscription(client, subscription);
    driver.remove_subscription(client, ordinary);
    driver.pass_with(2_000, |driver| driver.beat(client));
    let left: Vec<_> = driver.counter_lines().into_iter().filter(|line| !line.contains("heartbeat")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// A publication of this driver that several destinations of a subscription lead to is one image, because the client would never
/// read another one, and the publication would wait for it. It stays until no destination leads to it any more.
#[test]
fn what_several_places_lead_to_is_one_image() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, &format!("{IPC}|session-id=77"));
    let spied = driver.add_exclusive_publication(client, CHANNEL);
    let (subscription, _) = driver.add_subscription(client, "aeron:udp?control-mode=manual");
    let change = |driver: &mut Driver, channel: &str, add: bool| {
        let command = destination(driver, client, subscription, channel, add);
        driver.send_raw(i32::from_le_bytes(command[..4].try_into().unwrap()), &command[4..]);
        driver.settle();
        let events = driver.events();
        assert!(events.iter().any(|event| event.starts_with("success")), "{channel}: {events:?}");
        let count = |what: &str| events.iter().filter(|event| event.starts_with(what)).count();
        (count("available image "), count("unavailable image "))
    };
    let subscribers = |driver: &Driver| driver.counter_lines().iter().filter(|line| line.contains("sub-pos")).count();
    let ipc = ["aeron:ipc", "aeron:ipc", "aeron:ipc?session-id=77"];
    let other_spy = format!("{SPY}|alias=other");
    let spies = [SPY, SPY, &*other_spy];
    for (places, published) in [(ipc, &publication), (spies, &spied)] {
        assert_eq!(places.map(|place| change(&mut driver, place, true)), [(1, 0), (0, 0), (0, 0)], "{places:?}");
        assert_eq!(subscribers(&driver), 1, "{places:?}");
        assert_eq!(change(&mut driver, places[0], false), (0, 0), "it is there twice");
        assert_eq!(change(&mut driver, places[0], false), (1, 1), "the other one leads to it");
        assert_eq!(subscribers(&driver), 1, "{places:?}");
        assert_eq!(change(&mut driver, places[2], false), (0, 1));
        assert_eq!(subscribers(&driver), 0, "{places:?}");
        driver.remove_publication(client, published.correlation.registration(), false);
    }
}

/// A destination is removed by the text it was added with, or by its address. Another one of the same group is not
/// removed, and a name that has changed since, or no longer resolves, does not matter.
#[test]
fn the_place_that_is_meant_is_given_up() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let (subscription, _) = driver.add_subscription(client, "aeron:udp?control-mode=manual");
    let removed = |driver: &mut Driver, channel: &str| {
        while driver.conductor.poll_receiver_command().is_some() {}
        let answer = run(driver, &destination(driver, client, subscription, channel, false));
        let commands = std::iter::from_fn(|| driver.conductor.poll_receiver_command());
        let removed = commands.filter_map(|command| match command {
            ReceiverCommand::RemoveTransport(_, id) => Some(id),
            _ => None,
        });
        (answer, removed.collect::<Vec<_>>())
    };
    let group = |interface: u8| format!("aeron:udp?endpoint=224.20.30.39:21300|interface=127.0.0.{interface}");
    let named = |port: u16| format!("aeron:udp?endpoint=127.0.0.1:{port}|control=localhost:9");
    let places = [group(1), group(2), named(40_123), named(40_124)].map(|channel| {
        let command = destination(&driver, client, subscription, &channel, true);
        assert!(run(&mut driver, &command).starts_with("success"), "{channel}");
        let commands = std::iter::from_fn(|| driver.conductor.poll_receiver_command());
        let added = commands.filter_map(|command| match command {
            ReceiverCommand::AddTransport(_, made_of) => Some(made_of.id),
            _ => None,
        });
        added.last().unwrap()
    });
    for (group, expected) in [(group(2), Some(places[1])), (group(2), None), (group(1), Some(places[0]))] {
        let (answer, removed) = removed(&mut driver, &group);
        assert!(answer.starts_with("success") && removed == Vec::from_iter(expected), "{group}: {answer}, {removed:?}");
    }
    driver.names = Some([("localhost", [127, 0, 0, 3].into())].into());
    assert_eq!(removed(&mut driver, &named(40_123)).1, [places[2]], "its name leads elsewhere");
    driver.names = Some([].into());
    assert_eq!(removed(&mut driver, &named(40_124)).1, [places[3]], "its name leads nowhere");
    let (answer, removed) = removed(&mut driver, &named(40_124));
    assert!(answer.starts_with("error 9") && removed.is_empty(), "{answer}");
}

/// A destination is removed by the text it was added with, or by its address, even if its name resolves differently
/// now.
#[test]
fn the_destination_that_is_meant_is_taken_away() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication =
        driver.add_exclusive_publication(client, "aeron:udp?control-mode=manual|term-length=64k").original;
    let change = |driver: &mut Driver, endpoint: &str, adds: bool| {
        let channel = format!("aeron:udp?endpoint={endpoint}");
        let body = Destination {
            client_id: client,
            correlation_id: driver.correlation(),
            registration_id: publication,
            channel: Text::from(&*channel),
        };
        let command = if adds { Command::AddDestination(body) } else { Command::RemoveDestination(body) };
        let answer = driver.run(&command).remove(0);
        let commands = std::iter::from_fn(|| driver.conductor.poll_sender_command());
        let removed = commands.filter_map(|command| match command {
            SenderCommand::RemoveDestination(_, id) => Some(id),
            _ => None,
        });
        (answer, removed.collect::<Vec<_>>(), body.correlation_id.registration())
    };
    let ids: Vec<_> = ["localhost:9", "localhost:10", "127.0.0.1:11", "later:12"]
        .map(|endpoint| change(&mut driver, endpoint, true))
        .map(|(answer, _, id)| {
            assert!(answer.starts_with("success"), "{answer}");
            id
        })
        .into();
    let removed = |driver: &mut Driver, endpoint: &str| change(driver, endpoint, false).1;
    assert_eq!(removed(&mut driver, "localhost:11"), [ids[2]], "where the name leads");
    driver.names = Some([("localhost", [127, 0, 0, 3].into())].into());
    assert_eq!(removed(&mut driver, "localhost:9"), [ids[0]], "its name leads elsewhere");
    driver.names = Some([].into());
    assert_eq!(removed(&mut driver, "localhost:10"), [ids[1]], "its name leads nowhere");
    assert_eq!(removed(&mut driver, "later:12"), [ids[3]], "it never led anywhere");
    let (answer, removed, _) = change(&mut driver, "later:12", false);
    assert!(answer.starts_with("error 9") && removed.is_empty(), "{answer}");
    driver.pass_with(1_000, |driver| driver.beat(client));
    let asked = told(&mut driver).into_iter().filter(|told| told.starts_with("TellIfSilent")).count();
    assert_eq!(asked, 0, "no name of theirs is looked up any more");
}

/// Wildcard ports come from the configured range, and are not used twice.
#[test]
fn open_ports_come_from_the_range() {
    let mut driver = Driver::with(|config| config.network.receiver_ports = (20_001, 20_002));
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let open = "aeron:udp?endpoint=localhost:0";
    let (first, _) = driver.add_subscription(client, open);
    driver.add_subscription(client, open);
    let command = driver.add_subscription_command(client, open);
    let refusal = driver.run(&command).remove(0);
    assert!(refusal.contains("20001 to 20002"), "{refusal}");
    driver.remove_subscription(client, first);
    driver.add_subscription(client, open);
    let lines = driver.counter_lines().join("\n");
    assert!(lines.contains("127.0.0.1:20001") && lines.contains("127.0.0.1:20002"), "{lines}");
}

/// A publication that states its local port takes none from the range, and returns none to it.
#[test]
fn a_port_that_was_not_taken_is_not_given_back() {
    let mut driver = Driver::with(|config| config.network.sender_ports = (20_001, 20_002));
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let open = "aeron:udp?control=localhost:0|control-mode=dynamic|term-length=64k|linger=0";
    driver.add_exclusive_publication(client, open);
    let stated = driver.add_exclusive_publication(client, &format!("{CHANNEL}|interface=127.0.0.1:20001|linger=0"));
    driver.remove_publication(client, stated.correlation.registration(), false);
    driver.pass_with(10_000, |driver| {
        driver.beat(client);
        driver.conductor.on_sender_event(SenderEvent::PublicationRemoved(stated.original));
    });
    assert_eq!(driver.sockets.len(), 1, "that of the one that stays");
    driver.add_exclusive_publication(client, open);
    let command = driver.add_publication_command(client, open, true);
    let refusal = driver.run(&command).remove(0);
    assert!(refusal.contains("20001 to 20002"), "{refusal}");
}

/// The subscription of a request, and the request of a response, must exist.
#[test]
fn answers_need_requests() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let answers = "aeron:udp?control-mode=response|control=localhost:9";
    for (channel, reason) in [
        (format!("{CHANNEL}|response-correlation-id=77"), "77"),
        (format!("{CHANNEL}|response-correlation-id=prototype"), "needs control-mode=response"),
        (answers.to_owned(), "response-correlation-id"),
        (format!("{answers}|response-correlation-id=78"), "78"),
    ] {
        let command = driver.add_publication_command(client, &channel, true);
        let refusal = driver.run(&command).remove(0);
        assert!(refusal.starts_with("error 11") && refusal.contains(reason), "{channel}: {refusal}");
    }
    let prototype = driver.add_publication(client, &format!("{answers}|response-correlation-id=prototype"));
    assert_eq!(open(&prototype.path).term_length().get(), 64 << 10, "it holds the port, and no memory");
    let (answer, _) = driver.add_subscription(client, answers);
    driver.add_publication(client, &format!("{CHANNEL}|response-correlation-id={answer}"));
}

/// The endpoint has the socket buffers that the channel states.
#[test]
fn buffers_must_match_those_of_a_shared_endpoint() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_exclusive_publication(client, &format!("{CHANNEL}|so-sndbuf=64k"));
    let other = format!("{CHANNEL}|so-sndbuf=32k");
    let command = driver.add_publication_command(client, &other, true);
    let refusal = driver.run(&command).remove(0);
    assert!(refusal.contains("so-sndbuf"), "{refusal}");
    let other = format!("{CHANNEL}|so-tos=184");
    let command = driver.add_publication_command(client, &other, true);
    let refusal = driver.run(&command).remove(0);
    assert!(refusal.contains("so-tos"), "{refusal}");
    driver.add_exclusive_publication(client, CHANNEL);
    driver.add_exclusive_publication(client, "aeron:udp?endpoint=localhost:40124|so-tos=184");
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40125|so-tos=184");
}

/// The control mode decides where an endpoint sends, and whether it has a socket. A channel with the same addresses and another
/// mode would be sent nowhere, or hear nothing.
#[test]
fn the_control_mode_must_match_that_of_a_shared_endpoint() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let control = "aeron:udp?control=localhost:40126|term-length=64k";
    driver.add_exclusive_publication(client, &format!("{control}|control-mode=dynamic"));
    driver.add_exclusive_publication(client, CHANNEL);
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40125|control-mode=manual");
    let publications = [
        format!("{control}|control-mode=manual"),
        format!("{control}|control-mode=response|response-correlation-id=prototype"),
        format!("{CHANNEL}|control-mode=manual"),
    ];
    let mut refusals: Vec<_> = publications
        .iter()
        .map(|channel| {
            let command = driver.add_publication_command(client, channel, true);
            driver.run(&command).remove(0)
        })
        .collect();
    let command = driver.add_subscription_command(client, "aeron:udp?endpoint=localhost:40125");
    refusals.push(driver.run(&command).remove(0));
    for refusal in refusals {
        assert!(refusal.starts_with("error 11") && refusal.ends_with("with another control-mode"), "{refusal}");
    }
    driver.add_exclusive_publication(client, &format!("{control}|control-mode=dynamic"));
    driver.add_exclusive_publication(client, &format!("{CHANNEL}|control-mode=unknown"));
    driver.add_subscription(client, "aeron:udp?control=localhost:40127|control-mode=dynamic");
    driver.add_subscription(client, "aeron:udp?control=localhost:40127");
}

/// Times are written into everything that an endpoint sends or receives. Whoever does not ask for them must not find them in its
/// messages, and what only the other side does is of no importance.
#[test]
fn timestamps_must_be_those_of_a_shared_endpoint() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let to = |port: u16, rest: &str| format!("aeron:udp?endpoint=localhost:{port}|term-length=64k|tags={port}{rest}");
    const SENT: &str = "|channel-snd-ts-offset=0";
    const RECEIVED: &str = "|channel-rcv-ts-offset=8|media-rcv-ts-offset=reserved";
    driver.add_exclusive_publication(client, &to(1, SENT));
    driver.add_exclusive_publication(client, &to(2, ""));
    let refused = [to(1, ""), to(1, "|channel-snd-ts-offset=8"), to(2, SENT), "aeron:udp?tags=1".to_owned()];
    for channel in refused {
        let command = driver.add_publication_command(client, &channel, true);
        let refusal = driver.run(&command).remove(0);
        assert!(refusal.starts_with("error 11") && refusal.contains("channel-snd-ts-offset"), "{channel}: {refusal}");
    }
    for channel in [to(1, SENT), to(1, &format!("{SENT}{RECEIVED}")), to(2, RECEIVED)] {
        driver.add_exclusive_publication(client, &channel);
    }
    driver.add_subscription(client, &to(3, RECEIVED));
    driver.add_subscription(client, &to(4, ""));
    for channel in [to(3, ""), to(3, "|channel-rcv-ts-offset=8"), to(4, RECEIVED), "aeron:udp?tags=3".to_owned()] {
        let command = driver.add_subscription_command(client, &channel);
        let refusal = driver.run(&command).remove(0);
        assert!(refusal.starts_with("error 11") && refusal.contains("-rcv-ts-offset"), "{channel}: {refusal}");
    }
    for channel in [to(3, RECEIVED), to(3, &format!("{RECEIVED}{SENT}")), to(4, SENT), to(4, "")] {
        driver.add_subscription(client, &channel);
    }
}

/// The tag of a channel decides before its addresses, whichever endpoint was there first.
#[test]
fn a_tag_is_looked_for_before_addresses() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let endpoint = |driver: &mut Driver, channel: &str| {
        driver.add_exclusive_publication(client, channel);
        let commands = std::iter::from_fn(|| driver.conductor.poll_sender_command());
        commands
            .filter_map(|command| match command {
                SenderCommand::AddPublication(endpoint, _) => Some(endpoint),
                _ => None,
            })
            .last()
            .expect("a publication was added")
    };
    let untagged = endpoint(&mut driver, CHANNEL);
    let tagged = endpoint(&mut driver, "aeron:udp?endpoint=127.0.0.1:40123|term-length=64k|tags=7");
    assert_ne!(untagged, tagged, "another spelling is another channel");
    assert_eq!(endpoint(&mut driver, &format!("{CHANNEL}|tags=7")), tagged);
    assert_eq!(endpoint(&mut driver, &format!("{CHANNEL}|tags=8")), untagged);
    assert_eq!(endpoint(&mut driver, CHANNEL), untagged);
}

/// All users of a publication must agree on whether spies simulate a connection, be it stated or by default.
#[test]
fn who_shares_a_publication_agrees_on_what_spies_simulate() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let first = driver.add_publication(client, CHANNEL);
    let command = driver.add_publication_command(client, "aeron:udp?endpoint=localhost:40123|ssc=true", false);
    let refusal = driver.run(&command).remove(0);
    assert!(refusal.starts_with("error 11") && refusal.contains("ssc"), "{refusal}");
    for same in [CHANNEL, "aeron:udp?endpoint=localhost:40123|ssc=false"] {
        assert_eq!(driver.add_publication(client, same).original, first.original);
    }
    let other = "aeron:udp?endpoint=localhost:40124|term-length=64k|ssc=true";
    driver.add_publication(client, other);
    let command = driver.add_publication_command(client, "aeron:udp?endpoint=localhost:40124", false);
    let refusal = driver.run(&command).remove(0);
    assert!(refusal.starts_with("error 11") && refusal.contains("ssc"), "{refusal}");
}

/// A datagram must fit into the requested send buffer, whichever publication requested it.
#[test]
fn an_mtu_must_fit_into_the_send_buffer() {
    let network = |system: i32, driver: u64| {
        let mut driver = Driver::with(|config| {
            config.logs.default_socket_sndbuf = system;
            config.network.send_buffer = driver;
        });
        driver.names = Some([].into());
        driver
    };
    let refused = |driver: &mut Driver, channel: &str, buffer: &str| {
        let client = driver.client();
        let command = driver.add_publication_command(client, channel, true);
        let refusal = driver.run(&command).remove(0);
        let reason = format!("send buffer of {buffer}");
        assert!(refusal.starts_with("error 11") && refusal.contains(&reason), "{channel}: {refusal}");
    };
    let mut stated = network(0, 0);
    refused(&mut stated, "aeron:udp?endpoint=127.0.0.1:1|so-sndbuf=4k|mtu=32k", "4096");
    let client = stated.client();
    let open = "aeron:udp?endpoint=127.0.0.1:2|term-length=64k|so-sndbuf=8k|mtu=8k";
    stated.add_exclusive_publication(client, open);
    refused(&mut stated, "aeron:udp?endpoint=127.0.0.1:2|mtu=16k", "8192");
    stated.add_exclusive_publication(client, "aeron:udp?endpoint=127.0.0.1:3|term-length=64k|mtu=32k");

    let mut system = network(4096, 0);
    refused(&mut system, "aeron:udp?endpoint=127.0.0.1:1|so-sndbuf=0|mtu=8k", "4096");
    refused(&mut network(1 << 20, 4096), "aeron:udp?endpoint=127.0.0.1:1|mtu=8k", "4096");
    let client = system.client();
    system.add_exclusive_publication(client, open);
}

/// Trap 61: a receiver window must fit into the requested receive buffer, whether the first subscription of an endpoint
/// or a later one requested it, with a window of its own or the driver's.
#[test]
fn wire_trap_61_a_window_must_fit_into_the_receive_buffer() {
    let network = |system: i32, driver: u64| {
        let mut driver = Driver::with(|config| {
            config.logs.default_socket_rcvbuf = system;
            config.network.receive_buffer = driver;
        });
        driver.names = Some([].into());
        driver
    };
    let refused = |driver: &mut Driver, channel: &str, buffer: &str| {
        let client = driver.client();
        let command = driver.add_subscription_command(client, channel);
        let refusal = driver.run(&command).remove(0);
        let reason = format!("receive buffer of {buffer}");
        assert!(refusal.starts_with("error 11") && refusal.contains(&reason), "{channel}: {refusal}");
    };
    let mut stated = network(0, 0);
    refused(&mut stated, "aeron:udp?endpoint=127.0.0.1:1|so-rcvbuf=64k", "65536");
    refused(&mut stated, "aeron:udp?control-mode=manual|so-rcvbuf=64k|rcv-wnd=80k", "65536");
    assert!(stated.counter_lines().is_empty(), "no socket was opened");
    let client = stated.client();
    stated.add_subscription(client, "aeron:udp?endpoint=127.0.0.1:2|so-rcvbuf=64k|rcv-wnd=64k");
    refused(&mut stated, "aeron:udp?endpoint=127.0.0.1:2|rcv-wnd=80k", "65536");
    stated.add_subscription(client, "aeron:udp?endpoint=127.0.0.1:2|rcv-wnd=4k");
    stated.add_subscription(client, "aeron:udp?endpoint=127.0.0.1:3");
    refused(&mut network(4096, 0), "aeron:udp?endpoint=127.0.0.1:1|rcv-wnd=8k", "4096");
    refused(&mut network(1 << 20, 4096), "aeron:udp?endpoint=127.0.0.1:1|rcv-wnd=8k", "4096");
}

/// A command for a resource that is being closed gets an error that says so until it is gone.
#[test]
fn what_is_being_closed_says_so() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let channel = "aeron:udp?endpoint=127.0.0.1:40123";
    let (subscription, _) = driver.add_subscription(client, channel);
    let values = |driver: &Driver| -> Vec<String> {
        let lines = driver.counter_lines().into_iter().filter(|line| line.contains("rcv-"));
        lines.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(values(&driver), ["1", "1"]);
    driver.hold_requests();
    driver.remove_subscription(client, subscription);
    assert_eq!(values(&driver), ["2", "2"]);
    driver.release_requests();
    assert_eq!(values(&driver), [""; 0]);
    driver.add_subscription(client, channel);
    assert_eq!(values(&driver), ["1", "1"]);
}

/// A socket is opened after the closing of those that conflict with it, whatever their channels look like; it does not
/// wait for others.
#[test]
fn a_socket_is_opened_once_its_port_is_free() {
    for (channel, waits) in [
        ("aeron:udp?endpoint=localhost:40123", true),
        ("aeron:udp?endpoint=0.0.0.0:40123", true),
        ("aeron:udp?endpoint=224.20.30.39:40123", true),
        ("aeron:udp?endpoint=127.0.0.2:40123", false),
        ("aeron:udp?endpoint=127.0.0.1:40124", false),
        ("aeron:udp?endpoint=127.0.0.1:0", false),
    ] {
        let mut driver = Driver::with_network();
        let client = driver.client();
        let (subscription, _) = driver.add_subscription(client, "aeron:udp?endpoint=127.0.0.1:40123");
        driver.hold_requests();
        driver.remove_subscription(client, subscription);
        assert_eq!(driver.held(), 1, "it is to be closed");
        let command = driver.add_subscription_command(client, channel);
        driver.send(&command);
        driver.settle();
        // The result of resolving the channel.
        driver.release_newest_request();
        assert_eq!(driver.held(), if waits { 1 } else { 2 }, "{channel}");
        if waits {
            driver.release_newest_request();
            assert_eq!(driver.held(), 1, "{channel}: it is closed, and the other may be opened");
        }
        driver.release_requests();
        assert_eq!(driver.sockets.len(), 1, "{channel}");
    }
}

/// The same for a socket that could not be registered.
#[test]
fn a_socket_is_opened_once_one_without_a_counter_is_closed() {
    let names = Driver::with_network().names;
    // Room for the counter of an endpoint, and none for that of its socket.
    let mut driver = Driver::with_counters(SystemCounter::ALL.len() + 1, |_| {});
    driver.names = names;
    let client = driver.client();
    driver.hold_requests();
    let commands = [(); 2].map(|()| driver.add_subscription_command(client, "aeron:udp?endpoint=127.0.0.1:40123"));
    driver.send(&commands[0]);
    driver.settle();
    // The channel is resolved, and the socket is open.
    (0..2).for_each(|_| driver.release_newest_request());
    let refusal = |command: &Command<'_>| format!("error 11 for {}: ", command.correlation_id());
    assert!(driver.events().iter().any(|event| event.starts_with(&refusal(&commands[0]))));
    assert_eq!((driver.held(), driver.sockets.len()), (1, 0), "it is to be closed");
    driver.send(&commands[1]);
    driver.settle();
    driver.release_newest_request();
    assert_eq!((driver.held(), driver.sockets.len()), (1, 0), "the other is not opened before");
    driver.release_newest_request();
    assert_eq!((driver.held(), driver.sockets.len()), (1, 1));
    driver.release_requests();
    assert!(driver.events().iter().any(|event| event.starts_with(&refusal(&commands[1]))));
    assert!(driver.sockets.is_empty() && driver.counter_lines().is_empty());
}

/// Commands to the sender, apart from those for publications.
fn told(driver: &mut Driver) -> Vec<String> {
    let commands = std::iter::from_fn(|| driver.conductor.poll_sender_command());
    commands
        .filter(|command| !matches!(command, SenderCommand::AddPublication(..) | SenderCommand::AddEndpoint(..)))
        .map(|command| format!("{command:?}"))
        .collect()
}

/// Executes a request that no command caused, and processes its reply.
pub(crate) fn look_up(driver: &mut Driver) {
    driver.cycle();
    driver.cycle();
}

/// The name of a silent peer is looked up again, and datagrams go to its new address.
#[test]
fn names_are_looked_up_again() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_exclusive_publication(client, "aeron:udp?endpoint=10.0.0.1:9|term-length=64k");
    driver.add_exclusive_publication(client, CHANNEL);
    told(&mut driver);
    driver.pass_with(1_000, |driver| driver.beat(client));
    assert_eq!(told(&mut driver), ["TellIfSilent(Endpoint(EndpointId(2)))"], "an address is not looked up");
    let place = NamedPlace::Endpoint(EndpointId::new(2));
    driver.conductor.on_sender_event(SenderEvent::Silent(place));
    look_up(&mut driver);
    assert_eq!(
        (told(&mut driver).len(), driver.system(SystemCounter::ResolutionChanges)),
        (0, 0),
        "it leads there still"
    );
    driver.names = Some([("localhost", [127, 0, 0, 2].into())].into());
    driver.conductor.on_sender_event(SenderEvent::Silent(place));
    look_up(&mut driver);
    assert_eq!(told(&mut driver), ["MoveDestination(Endpoint(EndpointId(2)), 127.0.0.2:40123)"]);
    assert_eq!(driver.system(SystemCounter::ResolutionChanges), 1);
    let to = "127.0.0.2:40123".parse().unwrap();
    for gone_or_there in [9, 2] {
        driver.conductor.on_reply(Reply::NotReconnected { id: EndpointId::new(gone_or_there), to });
    }
    driver.settle();
    let texts = driver.error_texts();
    assert!(texts.len() == 1 && texts[0].contains(CHANNEL) && texts[0].contains("127.0.0.2:40123"), "{texts:?}");
    driver.names = Some([].into());
    driver.conductor.on_sender_event(SenderEvent::Silent(place));
    look_up(&mut driver);
    let told = driver.error_texts().pop().unwrap();
    assert_eq!(told.matches(CHANNEL).count(), 1, "a name that leads nowhere is reported: {told}");
    assert!(told.ends_with("cannot resolve localhost: no address is known for it; it is looked up again"), "{told}");
}

/// A channel's tag leads to its endpoint also after the endpoint's name has got another address.
#[test]
fn a_tag_leads_to_an_endpoint_that_has_moved() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let sends = format!("{CHANNEL}|tags=7");
    let receives = "aeron:udp?endpoint=127.0.0.1:9|control=localhost:40124|tags=7";
    driver.add_exclusive_publication(client, &sends);
    driver.add_subscription(client, receives);
    let receiving = receiver_told(&mut driver).0[0].id;
    driver.names = Some([("localhost", [127, 0, 0, 2].into())].into());
    driver.conductor.on_sender_event(SenderEvent::Silent(NamedPlace::Endpoint(EndpointId::new(1))));
    look_up(&mut driver);
    driver.conductor.on_receiver_event(ReceiverEvent::Silent(NamedPlace::Transport(receiving, receiving)));
    look_up(&mut driver);
    assert_eq!(driver.system(SystemCounter::ResolutionChanges), 2);
    driver.add_exclusive_publication(client, &sends);
    let command = driver.add_subscription_command(client, receives);
    let added = driver.run(&command);
    assert!(added[0].starts_with("subscription "), "{added:?}");
    assert_eq!(driver.sockets.len(), 2, "each has the socket of the first");
}

/// A client is told through which of its destinations a receiver has rejected its publication, if that is known.
#[test]
fn rejections_name_destinations() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, "aeron:udp?control-mode=manual|term-length=64k");
    for destination in [Some(RegistrationId::new(71)), None] {
        driver.conductor.on_sender_event(SenderEvent::Rejected {
            registration_id: publication.original,
            destination,
            source: "127.0.0.1:9".parse().unwrap(),
            receiver_id: 7,
            group_tag: None,
            error_code: 13,
            text: b"no".as_slice().into(),
        });
        let told = driver.events_with(|event| match event {
            Event::PublicationError(error) => error.destination_registration_id.get(),
            other => panic!("{other:?}"),
        });
        assert_eq!(told, [destination.map_or(-1, RegistrationId::get)]);
    }
}

/// Any sender of status messages chooses ids and reasons of rejections. Clients are told of each one, but the error log
/// does not grow with them.
#[test]
fn a_flood_of_rejections_is_few_entries_of_the_error_log() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let (subscription, _) =
        driver.add_subscription(client, "aeron:udp?control-mode=response|control=127.0.0.1:1|session-id=7");
    let channel = format!("{CHANNEL}|response-correlation-id={subscription}");
    let publication = driver.add_exclusive_publication(client, &channel);
    for number in 0..2_000 {
        driver.conductor.on_sender_event(SenderEvent::Rejected {
            registration_id: publication.original,
            destination: None,
            source: ([127, 0, 0, 1], 9_000 + number as u16).into(),
            receiver_id: number,
            group_tag: None,
            error_code: 13,
            text: number.to_string().into_bytes().into(),
        });
        let heard = driver.events_with(|event| matches!(event, Event::PublicationError(_)));
        assert_eq!(heard, [true]);
        let answer = SessionId::new(number as i32 + 100);
        driver.conductor.on_sender_event(SenderEvent::ResponseSetup(publication.original, answer));
    }
    let told = driver.error_texts();
    assert!(told.len() < 12, "{} texts", told.len());
    assert_eq!(driver.system(SystemCounter::Errors), 4_000);
    for what in ["receiverId=0 ", "others are counted here", "another session-id"] {
        assert!(told.iter().any(|text| text.contains(what)), "{what}: {told:?}");
    }
}

/// A destination whose name does not resolve is kept, and looked up until it does.
#[test]
fn destinations_may_be_names() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, "aeron:udp?control-mode=manual|term-length=64k");
    told(&mut driver);
    for channel in ["aeron:udp?endpoint=localhost:9", "aeron:udp?endpoint=later:9"] {
        let body = Destination {
            client_id: client,
            correlation_id: driver.correlation(),
            registration_id: publication.correlation.registration(),
            channel: Text::from(channel),
        };
        assert_eq!(driver.run(&Command::AddDestination(body))[0], format!("success {}", body.correlation_id));
    }
    let added = told(&mut driver);
    assert!(added[0].contains("Some(127.0.0.1:9)") && added[1].contains("None"), "{added:?}");
    driver.pass_with(1_000, |driver| driver.beat(client));
    assert_eq!(told(&mut driver).iter().filter(|told| told.starts_with("TellIfSilent")).count(), 2);
}

/// A publication has a maximum number of destinations. A further one is refused until another is removed, by its
/// address or its id.
#[test]
fn destinations_are_bounded() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, "aeron:udp?control-mode=manual|term-length=64k");
    let run = |driver: &mut Driver, port: usize, adds: bool| {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}");
        let body = Destination {
            client_id: client,
            correlation_id: driver.correlation(),
            registration_id: publication.original,
            channel: Text::from(&*channel),
        };
        let command = if adds { Command::AddDestination(body) } else { Command::RemoveDestination(body) };
        (driver.run(&command).remove(0), body.correlation_id.registration())
    };
    let mut last = None;
    for port in 1..=MAX_DESTINATIONS {
        let (answer, id) = run(&mut driver, port, true);
        assert!(answer.starts_with("success "), "{answer}");
        last = Some(id);
    }
    let is_refused = |driver: &mut Driver| {
        let (answer, _) = run(driver, 9_999, true);
        let bound = format!("more destinations of one publication than {MAX_DESTINATIONS}");
        assert!(
            answer.starts_with("success ") || answer.starts_with("error 11 ") && answer.contains(&bound),
            "{answer}"
        );
        answer.starts_with("error ")
    };
    assert!(is_refused(&mut driver));
    run(&mut driver, 7, false);
    assert!(!is_refused(&mut driver) && is_refused(&mut driver));
    driver.run(&Command::RemoveDestinationById(RemoveDestinationById {
        client_id: client,
        correlation_id: driver.correlation(),
        registration_id: publication.original,
        destination_registration_id: last.expect("one was added"),
    }));
    assert!(!is_refused(&mut driver) && is_refused(&mut driver));
    let kept = told(&mut driver).iter().filter(|told| told.starts_with("AddDestination")).count();
    assert_eq!(kept, MAX_DESTINATIONS + 2);
}

/// The report about receivers beyond the limit names their channel, and always has the same text.
#[test]
fn a_crowd_of_receivers_is_one_entry() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let channel = "aeron:udp?control=localhost:40123|control-mode=dynamic|term-length=64k";
    driver.add_exclusive_publication(client, channel);
    for _ in 0..2 {
        driver.conductor.on_sender_event(SenderEvent::TooManyReceivers(EndpointId::new(1)));
    }
    let texts = driver.error_texts();
    assert!(texts.len() == 1 && texts[0].contains(channel) && texts[0].contains("256"), "{texts:?}");
    assert_eq!(driver.system(SystemCounter::Errors), 2);
}

/// The report about receivers that flow control does not follow names their stream.
#[test]
fn a_group_that_is_too_large_is_one_entry() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let added =
        driver.add_exclusive_publication(client, "aeron:udp?endpoint=224.20.30.39:40123|fc=min|term-length=64k");
    for _ in 0..2 {
        driver.conductor.on_sender_event(SenderEvent::TooManyFollowed(added.original));
    }
    let texts = driver.error_texts();
    assert!(texts.len() == 1 && texts[0].contains("stream 1001, session") && texts[0].contains("1024"), "{texts:?}");
    driver.conductor.on_sender_event(SenderEvent::TooManyFollowed(RegistrationId::new(9_999)));
    assert_eq!(driver.system(SystemCounter::Errors), 2);
}

/// Commands to the receiver about endpoints and images.
pub(crate) fn receiver_told(driver: &mut Driver) -> (Vec<NewReceiveEndpoint>, Vec<NewImage>, Vec<String>) {
    let (mut endpoints, mut images, mut others) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(command) = driver.conductor.poll_receiver_command() {
        match command {
            ReceiverCommand::AddEndpoint(made_of) => endpoints.push(made_of),
            ReceiverCommand::AddImage(_, made_of) => images.push(*made_of),
            other => others.push(format!("{other:?}")),
        }
    }
    (endpoints, images, others)
}

pub(crate) const SETUP: Setup = Setup {
    term_offset: 0,
    session_id: SessionId::new(77),
    stream_id: STREAM,
    initial_term_id: TermId::new(7),
    active_term_id: TermId::new(7),
    term_length: TermLength::MIN,
    mtu: 1408,
    ttl: 0,
    asks_for_response: false,
    group: false,
};

/// Has a session's setup arrive at an endpoint, and returns the resulting image.
pub(crate) fn present(driver: &mut Driver, endpoint: EndpointId, setup: Setup) -> Option<NewImage> {
    let source = ([10, 0, 0, 9], 20_000).into();
    let event = ReceiverEvent::CreateImage { endpoint, transport: endpoint, setup, source, control: source };
    driver.conductor.on_receiver_event(event);
    look_up(driver);
    receiver_told(driver).1.pop()
}

/// Trap 19: publishers may go a window beyond the sender, and never into a range that is not clean.
#[test]
fn trap_51_and_wire_trap_19_the_limit_stays_off_what_is_not_clean() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, CHANNEL);
    let words = words(&mut driver);
    connect(&words);
    driver.settle();
    let mut publisher = driver.exclusive_publisher(&publication);
    let log = open(&publication.path);
    let (term, window) = (64 << 10, 32 << 10);
    for _ in 0..400 {
        while !matches!(publisher.offer(&[0xAB; 1_000]), Err(OfferError::BackPressured)) {}
        let (limit, sent) = (driver.value(publication.limit), words.sender_position());
        assert_eq!(limit, sent + window);
        // Everything that a message may take that begins below the limit is zero beyond what was published.
        let published = log.producer_position().get();
        for position in (published..limit + 8_192).step_by(32) {
            let word = log.term((position / term % 3) as usize).word_at::<i32>((position % term) as usize);
            assert_eq!(word.load_relaxed(), 0, "at {position} of {limit}");
        }
        words.set_sender_position(published.min(sent + 5_000) & !31);
        driver.settle();
    }
    assert!(words.sender_position() > 20 * term);
}

/// Trap 52: a sender may state in its setup that it has a group of receivers, whatever its address. NAKs are then
/// delayed as in a group.
#[test]
fn wire_trap_52_a_setup_may_say_that_there_is_a_group() {
    for (stated, says_group, is_group) in
        [("", false, false), ("", true, true), ("|group=false", true, false), ("|group=true", false, true)]
    {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_subscription(client, &format!("aeron:udp?endpoint=localhost:40123{stated}"));
        let endpoint = receiver_told(&mut driver).0[0].id;
        let image = present(&mut driver, endpoint, Setup { group: says_group, ..SETUP }).expect("an image");
        let found = matches!(image.loss, LossRules::Group { .. });
        assert_eq!(found, is_group, "{stated} {says_group}: {:?}", image.loss);
    }
}

/// Trap 58: each receiver of a driver has an id of its own, and none has 0.
#[test]
fn wire_trap_58_receivers_have_ids_of_their_own() {
    let mut ids = std::collections::HashSet::new();
    for seed in 0..50 {
        let mut driver = Driver::with(|config| config.seed = seed);
        driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
        let client = driver.client();
        for port in 40_123..40_127 {
            driver.add_subscription(client, &format!("aeron:udp?endpoint=localhost:{port}"));
        }
        let endpoints = receiver_told(&mut driver).0;
        assert_eq!(endpoints.len(), 4);
        for endpoint in endpoints {
            assert_ne!(endpoint.receiver_id, 0);
            assert!(ids.insert(endpoint.receiver_id), "of this driver or of another one");
        }
    }
}

/// Trap 62: datagrams longer than a window could never be received. A sender of such datagrams gets no image, and the
/// error log says so.
#[test]
fn wire_trap_62_an_mtu_beyond_the_window_is_refused() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40123|rcv-wnd=4k");
    let endpoint = receiver_told(&mut driver).0[0].id;
    assert!(present(&mut driver, endpoint, Setup { mtu: 4_128, ..SETUP }).is_none());
    let told = driver.error_texts().join("\n");
    assert!(told.contains("4128") && told.contains("4096"), "{told}");
    assert!(present(&mut driver, endpoint, Setup { mtu: 4_096, ..SETUP }).is_some());
}

/// Strangers choose the content of setups: the error log does not grow with it, and shows how long it has gone on.
#[test]
fn a_flood_of_refused_sessions_is_one_entry_of_the_error_log() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40123");
    let endpoint = receiver_told(&mut driver).0[0].id;
    for number in 0..2_000 {
        let setup = Setup { mtu: 32 - number % 5, session_id: SessionId::new(number), ..SETUP };
        assert!(present(&mut driver, endpoint, setup).is_none());
    }
    let told = driver.error_texts();
    assert!(told.len() == 1 && told[0].contains("no image of session 0 of stream"), "{told:?}");
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert!(present(&mut driver, endpoint, Setup { mtu: 31, session_id: SessionId::new(2_000), ..SETUP }).is_none());
    assert_eq!((driver.error_texts(), driver.system(SystemCounter::Errors)), (told, 2));
}

/// A session whose log has no room sends ten setups a second. Creating a log is tried once a second, and at once for a
/// shorter one.
#[test]
fn a_log_for_which_there_is_no_room_is_not_tried_ten_times_a_second() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40123");
    let endpoint = receiver_told(&mut driver).0[0].id;
    let long = Setup { term_length: TermLength::new(1 << 26).unwrap(), ..SETUP };
    let mut tried = 0;
    let mut try_in_vain = |driver: &mut Driver| {
        driver.hold_requests();
        assert!(present(driver, endpoint, long).is_none());
        driver.answer_requests(|request| {
            let Request::CreateLog(create) = request else { panic!("{request:?}") };
            tried += 1;
            let error = MapError::NoSpace { path: create.path, needed: 3 << 26, available: 4096 * tried };
            Reply::LogNotCreated { registration_id: create.registration_id, error }
        });
        tried
    };
    for tenth in 0..30 {
        assert_eq!(try_in_vain(&mut driver), 1 + tenth / 10, "after {tenth} tenths of a second");
        driver.pass_with(100, |driver| driver.beat(client));
    }
    assert_eq!(driver.error_texts().len(), 1, "{:?}", driver.error_texts());
    assert_eq!(try_in_vain(&mut driver), 4);
    assert!(present(&mut driver, endpoint, SETUP).is_some(), "there is room for a shorter one");
}

/// Senders cause the driver to create logs, which must leave room for those of publications.
#[test]
fn images_have_so_many_bytes_together_and_no_more() {
    let log_bytes = 3 * TermLength::MIN.get() as u64 + 4096;
    let mut driver = Driver::with(|config| config.capacity.image_bytes = 2 * log_bytes);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40123");
    let endpoint = receiver_told(&mut driver).0[0].id;
    let session = |number| Setup { session_id: SessionId::new(number), ..SETUP };
    assert!(
        present(&mut driver, endpoint, Setup { term_length: TermLength::new(1 << 18).unwrap(), ..SETUP }).is_none()
    );
    assert!([1, 2].into_iter().all(|number| present(&mut driver, endpoint, session(number)).is_some()));
    assert!(present(&mut driver, endpoint, session(3)).is_none());
    let told = driver.error_texts().join("\n");
    assert!(told.contains("gannet.max.image.bytes") && told.contains(&(2 * log_bytes).to_string()), "{told}");
    driver.add_publication(client, IPC);
}

/// Trap 63: states change with the timer, every second: a publication lingers for its time and up to a second more.
#[test]
fn wire_trap_63_states_change_with_the_timer() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, &format!("{CHANNEL}|linger=2s"));
    told(&mut driver);
    driver.remove_publication(client, publication.correlation.registration(), false);
    let mut removed_after = None;
    for ms in (10..6_000).step_by(10) {
        driver.pass_with(10, |driver| driver.beat(client));
        if told(&mut driver).iter().any(|told| told.starts_with("RemovePublication")) {
            removed_after.get_or_insert(ms);
        }
    }
    let after = removed_after.expect("it ends");
    assert!((3_000..=5_000).contains(&after), "{after} ms: a tick to notice, two seconds, a tick to end");
}

/// The receiver that holds a publication is shown from the first time on, until the publication is gone.
#[test]
fn who_holds_a_publication_is_shown() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, CHANNEL);
    let line = |driver: &Driver| driver.counter_lines().into_iter().find(|line| line.contains("snd-held-by"));
    assert_eq!(line(&driver), None);
    let since_ms = driver.now_ms() - 250;
    let since = MonotonicNanos::new(since_ms * 1_000_000);
    let holder = |host| Holder { receiver_id: -77, address: ([10, 0, 0, host], 40_456).into(), since };
    for (held_by, expected) in [
        (Some(holder(2)), "10.0.0.2:40456 receiver -77"),
        (Some(holder(3)), "10.0.0.3:40456 receiver -77"),
        (None, "-"),
        (Some(holder(2)), "10.0.0.2:40456 receiver -77"),
    ] {
        driver.conductor.on_sender_event(SenderEvent::Held(publication.original, held_by));
        driver.conductor.on_sender_event(SenderEvent::Held(RegistrationId::new(4_711), held_by));
        let shown = line(&driver).expect("a counter");
        let value = held_by.map_or(0, |_| since_ms);
        assert!(shown.ends_with(&format!(" 1001 {expected} = {value}")), "{shown}");
    }
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(10_000, |driver| driver.beat(client));
    driver.conductor.on_sender_event(SenderEvent::PublicationRemoved(publication.original));
    assert_eq!(line(&driver), None);
}

/// The kind of error in a channel determines the error code.
#[test]
fn channels_are_refused_with_the_references_codes() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_exclusive_publication(client, &format!("{CHANNEL}|tags=7|session-id=77"));
    let refused = |driver: &mut Driver, command: Command<'_>, channel: &str, code: i32| {
        let events = driver.run(&command);
        let expected = format!("error {code} for {}: ", command.correlation_id());
        assert!(events.len() == 1 && events[0].starts_with(&expected), "{channel}: {events:?}, not {code}");
        reported_with_its_channel(driver, channel);
    };
    for (channel, code) in [
        ("aeron:udp", 1),
        ("aeron:udp?alias=x", 1),
        ("aeron:udp?control-mode=dynamic", 1),
        ("aeron:udp?endpoint=127.0.0.1:1|control-mode=dynamic", 1),
        ("aeron:udp?endpoint=localhost:40123|term-length=64k|session-id=77", 1),
        ("aeron-spy:aeron:udp?endpoint=127.0.0.1:1", 1),
        ("aeron:udp?endpoint=no.such.host:1", 9),
        ("aeron:udp?control=127.0.0.1:1", 11),
        ("aeron:udp?endpoint=127.0.0.1:0", 11),
        ("aeron:udp?tags=9", 11),
        ("aeron:udp?tags=7|endpoint=127.0.0.1:9", 11),
        ("aeron:udp?endpoint=224.0.1.2:1", 11),
        ("aeron:udp?endpoint=127.0.0.1:1|session-id=tag:8", 11),
        // -1 is no tag, and that of every publication without one.
        ("aeron:udp?endpoint=127.0.0.1:1|session-id=tag:-1", 11),
        ("aeron:udp?endpoint=127.0.0.1:1|control-mode=response", 11),
        ("aeron:udp?endpoint=127.0.0.1:1|response-correlation-id=77", 11),
        ("aeron:udp?endpoint=127.0.0.1:1|ats=true", 11),
        ("aeron:udp?endpoint=127.0.0.1:1|fc=fastest", 11),
        ("aeron:udp?endpoint=127.0.0.1:1|mtu=1400", 11),
    ] {
        let command = driver.add_publication_command(client, channel, true);
        refused(&mut driver, command, channel, code);
    }
    for (channel, code) in [
        ("aeron:udp", 1),
        ("aeron:udp?control-mode=dynamic", 1),
        ("aeron:udp?endpoint=no.such.host:1", 9),
        ("aeron:udp?endpoint=127.0.0.1:1|control=127.0.0.1:0", 11),
        ("aeron:udp?tags=9", 11),
        ("aeron-spy:aeron:udp", 1),
        ("aeron-spy:aeron:udp?endpoint=no.such.host:1", 9),
    ] {
        let command = driver.add_subscription_command(client, channel);
        refused(&mut driver, command, channel, code);
    }
    // It is identified by where it sends its status messages; the system chooses the port it listens at.
    driver.add_subscription(client, "aeron:udp?control=127.0.0.1:40456");
    assert!(receiver_told(&mut driver).0.len() == 1);
}

/// The kind of error in a destination determines the error code.
#[test]
fn destinations_are_refused_with_the_references_codes() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let manual = driver.add_exclusive_publication(client, "aeron:udp?control-mode=manual|term-length=64k").original;
    let fixed = driver.add_exclusive_publication(client, CHANNEL).original;
    let many = driver.add_subscription(client, "aeron:udp?control-mode=manual").0;
    let one = driver.add_subscription(client, "aeron:udp?endpoint=127.0.0.1:40125").0;
    let nobody = RegistrationId::new(4_711);
    let good = "aeron:udp?endpoint=127.0.0.1:9";
    for (is_send, registration_id, channel, code) in [
        (true, nobody, good, 3),
        (true, fixed, good, 11),
        (true, manual, "aeron:ipc", 11),
        (true, manual, "aeron:udp?endpoint=127.0.0.1:0", 11),
        (true, manual, "aeron:udp?control=127.0.0.1:9", 11),
        (true, manual, "aeron-spy:aeron:udp?endpoint=127.0.0.1:9", 1),
        (true, manual, "aeron:udp?endpoint=127.0.0.1:9|mtu=1408", 1),
        (true, manual, "aeron:udp?endpoint=127.0.0.1:9|rcv-wnd=64k", 1),
        (true, manual, "aeron:udp?endpoint=127.0.0.1:9|so-sndbuf=64k", 1),
        (true, manual, "aeron:udp?endpoint=127.0.0.1:9|control-mode=response", 1),
        (true, manual, "udp", 1),
        (false, nobody, good, 2),
        (false, one, good, 1),
        (false, many, "aeron:udp?endpoint=127.0.0.1:9|mtu=1408", 1),
        (false, many, "aeron:udp?endpoint=127.0.0.1:9|response-correlation-id=1", 1),
        (false, many, "aeron:udp?endpoint=no.such.host:9", 9),
    ] {
        let body = Destination {
            client_id: client,
            correlation_id: driver.correlation(),
            registration_id,
            channel: Text::from(channel),
        };
        let command = if is_send { Command::AddDestination(body) } else { Command::AddReceiveDestination(body) };
        let events = driver.run(&command);
        let expected = format!("error {code} for {}: ", body.correlation_id);
        assert!(events.len() == 1 && events[0].starts_with(&expected), "{channel}: {events:?}, not {code}");
        if channel.contains('?') {
            reported_with_its_channel(&driver, channel);
        }
    }
}

/// The newest entry of the error log names the channel, and names it once. The client's error does not, since the client
/// knows its channel.
fn reported_with_its_channel(driver: &Driver, channel: &str) {
    let text = driver.error_texts().pop().unwrap();
    let after = text.split_once(&format!(" {channel}: ")).map(|(_, after)| after);
    assert!(after.is_some_and(|error| !error.contains(&format!("{channel}:"))), "{channel}: {text}");
}
