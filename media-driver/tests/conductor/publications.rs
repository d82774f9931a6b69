//! Publications and subscriptions are added, linked and removed, with events and counters in the order that clients
//! rely on.

use gannet::logbuffer::OfferError;
use gannet::types::CounterId;

use crate::support::{Driver, IPC, drain};

/// The reference's first IPC publication: counters 46 to 48, with the heartbeat announced before the publication.
#[test]
fn the_first_publication_of_a_client() {
    let mut driver = Driver::new();
    let client = driver.client();
    let command = driver.add_publication_command(client, IPC, false);
    let events = driver.run(&command);
    assert_eq!(events, ["counter 1 #48", "publication 2 of 2 limit #47 status -1"]);
    let lines = driver.counter_lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("46: pub-pos (concurrent): 2 ") && lines[0].ends_with(&format!(" 1001 {IPC} = 0")));
    assert!(lines[1].starts_with("47: pub-lmt: 2 "), "{}", lines[1]);
    assert_eq!(lines[2], "48: client-heartbeat: id=1 = 1000000");
    for id in [46, 47] {
        let counter = driver.counter(CounterId::new(id));
        assert_eq!((counter.registration_id.get(), counter.owner_id.get(), counter.reference_id), (2, 1, 0));
    }
    assert_eq!(driver.log_files(), ["2.logbuffer"]);
}

#[test]
fn an_exclusive_publication_is_named_so() {
    let mut driver = Driver::new();
    let client = driver.client();
    let command = driver.add_publication_command(client, IPC, true);
    let events = driver.run(&command);
    assert_eq!(events, ["counter 1 #48", "exclusive publication 2 of 2 limit #47 status -1"]);
    assert!(driver.counter_lines()[0].contains("pub-pos (exclusive): 2 "));
}

/// Trap 24: the subscription is announced before its images, and has one per publication, oldest first.
#[test]
fn trap_24_a_subscription_is_ready_before_its_images() {
    let mut driver = Driver::new();
    let client = driver.client();
    let first = driver.add_exclusive_publication(client, IPC);
    let second = driver.add_exclusive_publication(client, IPC);
    driver.events();
    let command = driver.add_subscription_command(client, "aeron:ipc");
    let id = command.correlation_id();
    assert_eq!(
        driver.run(&command),
        [
            format!("subscription {id} status -1"),
            format!("available image {} for {id} #51 from aeron:ipc", first.original),
            format!("available image {} for {id} #52 from aeron:ipc", second.original),
        ]
    );
}

/// Trap 24, the other way: the publication is announced before the images that it causes.
#[test]
fn trap_24_a_publication_is_ready_before_its_images() {
    let mut driver = Driver::new();
    let client = driver.client();
    let (subscription, _) = driver.add_subscription(client, "aeron:ipc");
    let (other, _) = driver.add_subscription(client, "aeron:ipc");
    let command = driver.add_publication_command(client, IPC, false);
    let id = command.correlation_id();
    assert_eq!(
        driver.run(&command),
        [
            format!("publication {id} of {id} limit #48 status -1"),
            format!("available image {id} for {subscription} #49 from aeron:ipc"),
            format!("available image {id} for {other} #50 from aeron:ipc"),
        ]
    );
}

/// Trap 39: a subscriber position refers to its image. Trap 40: it has the join position when it is announced.
#[test]
fn trap_39_and_40_the_position_counter_of_a_subscriber() {
    let mut driver = Driver::new();
    let client = driver.client();
    let channel = format!("{IPC}|init-term-id=7|term-id=9|term-offset=128");
    let publication = driver.add_publication(client, &channel);
    let (subscription, images) = driver.add_subscription(client, "aeron:ipc?alias=reader");
    let [image] = &images[..] else { panic!("{images:?}") };
    let counter = driver.counter(image.position);
    assert_eq!(counter.reference_id, publication.original.get());
    assert_eq!(counter.registration_id, subscription);
    assert_eq!(counter.owner_id, client);
    assert_eq!(counter.value, 131_200);
    let expected = format!("sub-pos: {subscription} {} 1001 aeron:ipc?alias=reader @131200", publication.session);
    assert_eq!(counter.label.to_string(), expected);
}

/// Trap 26: an IPC image has the id of its publication and its file, even if the publication is shared.
#[test]
fn trap_26_an_image_is_the_publications_own_file() {
    let mut driver = Driver::new();
    let (first, second) = (driver.client(), driver.client());
    let publication = driver.add_publication(first, IPC);
    let shared = driver.add_publication(second, IPC);
    assert_eq!(shared.original, publication.original);
    assert_ne!(shared.correlation, publication.correlation);
    assert_eq!(
        (shared.session, shared.limit, &shared.path),
        (publication.session, publication.limit, &publication.path)
    );
    let (_, images) = driver.add_subscription(second, "aeron:ipc");
    assert_eq!(images.len(), 1);
    assert_eq!((images[0].correlation, &images[0].path), (publication.original.get(), &publication.path));
}

/// Trap 25: a client that removes a subscription is not told that its images are unavailable.
#[test]
fn trap_25_removing_a_subscription_announces_no_image() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_publication(client, IPC);
    let (subscription, images) = driver.add_subscription(client, "aeron:ipc");
    let events = driver.remove_subscription(client, subscription);
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("success"), "{events:?}");
    assert!(driver.counters.get(images[0].position).is_none(), "its position counter is free");
}

#[test]
fn a_message_goes_from_publisher_to_subscriber() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let publisher = driver.publisher(&publication);
    assert_eq!(publisher.offer(b"too early"), Err(OfferError::NotConnected));
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(driver.value(publication.limit), 32 << 10, "the first subscriber opens the window at once");
    let position = publisher.offer(b"hello").unwrap();
    let mut reader = driver.reader(&images[0]);
    let mut seen = Vec::new();
    reader.poll(|fragment| seen.push(fragment.payload().to_vec()), 10);
    assert_eq!(seen, [b"hello"]);
    assert_eq!(reader.position(), position);
}

/// Twenty times around a log: limits, cleaning and rotation keep up, and no reader gets a byte that was not written.
#[test]
fn a_stream_goes_around_its_log() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    let mut reader = driver.reader(&images[0]);
    let (mut sent, mut received) = (0_u64, 0_u64);
    while publisher.position().get() < 60 * 65_536 {
        match publisher.offer(&[sent.to_le_bytes(), (!sent).to_le_bytes()].concat().repeat(8)) {
            Ok(_) => sent += 1,
            Err(OfferError::AdminAction) => {}
            Err(OfferError::BackPressured) => {
                reader.poll(
                    |fragment| {
                        let expected = [received.to_le_bytes(), (!received).to_le_bytes()].concat().repeat(8);
                        assert_eq!(fragment.payload(), expected);
                        received += 1;
                    },
                    1000,
                );
                driver.cycle();
            }
            Err(error) => panic!("{error}"),
        }
    }
    received += drain(&mut reader) as u64;
    assert_eq!(received, sent);
}

#[test]
fn removing_a_publication_drains_it_then_frees_everything() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (subscription, images) = driver.add_subscription(client, "aeron:ipc");
    let end = driver.publisher(&publication).offer(b"last words").unwrap();
    let events = driver.remove_publication(client, publication.correlation.registration(), false);
    assert_eq!(events.len(), 1, "{events:?}");
    let log = crate::support::open(&publication.path);
    assert_eq!(log.metadata().end_of_stream_position(), end);
    assert_eq!(driver.value(publication.limit), end.get());
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new(), "nothing happens until it is read");
    assert_eq!(drain(&mut driver.reader(&images[0])), 1);
    driver.pass_with(1_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), [format!("unavailable image {} for {subscription}", publication.original)]);
    assert!(driver.counters.get(images[0].position).is_some(), "the counter goes after the event");
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new());
    assert_eq!(driver.log_files(), Vec::<String>::new());
    assert_eq!(driver.counter_lines().len(), 1, "the heartbeat is left: {:?}", driver.counter_lines());
}
