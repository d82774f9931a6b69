//! How publications end: drained, revoked, rejected; and what can happen to them meanwhile.

use gannet::counters::SystemCounter;
use gannet::types::Position;

use crate::support::{Driver, IPC, drain, open};

/// Trap 64: a draining publication accepts new subscribers as long as there is something to read.
#[test]
fn trap_64_a_draining_publication_takes_subscribers() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    driver.publisher(&publication).offer(b"left").unwrap();
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(2_000, |driver| driver.beat(client));
    let (_, late) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(late.len(), 1);
    assert_eq!(drain(&mut driver.reader(&late[0])), 1);
    assert_eq!(drain(&mut driver.reader(&images[0])), 1);
    let (_, too_late) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(too_late.len(), 0, "it is drained");
}

/// Trap 65: revoking skips draining. The reference's order: success at once, the events on the tick, and in the log the
/// revoked byte, the end of the stream and not connected.
#[test]
fn trap_65_a_revoked_publication_is_not_drained() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (first, _) = driver.add_subscription(client, "aeron:ipc");
    let (second, _) = driver.add_subscription(client, "aeron:ipc");
    let end = driver.publisher(&publication).offer(b"unread").unwrap();
    driver.events();
    let log = open(&publication.path);
    let events = driver.remove_publication(client, publication.correlation.registration(), true);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(log.metadata().is_revoked());
    driver.pass_with(1_000, |driver| driver.beat(client));
    let image = publication.original;
    assert_eq!(
        driver.events(),
        [format!("unavailable image {image} for {first}"), format!("unavailable image {image} for {second}")]
    );
    assert_eq!(log.metadata().end_of_stream_position(), end);
    assert!(!log.metadata().is_connected());
    assert_eq!(driver.value(publication.limit), end.get());
    assert_eq!(driver.system(SystemCounter::PublicationsRevoked), 1);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert!(!publication.path.exists());
}

#[test]
fn a_revoked_publication_stays_until_its_last_holder_lets_go() {
    let mut driver = Driver::new();
    let client = driver.client();
    let first = driver.add_publication(client, IPC);
    let second = driver.add_publication(client, IPC);
    driver.remove_publication(client, first.correlation.registration(), true);
    let anew = driver.add_publication(client, IPC);
    assert_ne!(anew.original, first.original, "nobody joins what is revoked");
    driver.pass_with(5_000, |driver| driver.beat(client));
    assert!(first.path.exists());
    driver.remove_publication(client, second.correlation.registration(), false);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert!(!first.path.exists() && anew.path.exists());
}

/// The reference's order: the error, the images, the success with the id that C clients send. No subscriber is then
/// added until the cool-down is over; after that the same image is added again, at the consumer position.
#[test]
fn a_rejected_image_goes_and_comes_back() {
    let mut driver = Driver::with(|config| config.image_liveness_timeout_ns = 3_000_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (subscription, images) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    publisher.offer(&[1; 100]).unwrap();
    drain(&mut driver.reader(&images[0]));
    driver.settle();
    let image = publication.original;
    let events = driver.reject_image(image.get(), "no");
    assert_eq!(
        events,
        [
            format!("publication error 13 on {image} from 127.0.0.1:0: no"),
            format!("unavailable image {image} for {subscription}"),
            "success 0".to_owned(),
        ]
    );
    assert_eq!(driver.system(SystemCounter::ImagesRejected), 1);
    assert!(driver.counters.get(images[0].position).is_none());
    let log = open(&publication.path);
    assert!(!log.metadata().is_connected());
    driver.beat(client);
    driver.pass_ms(2_000);
    let (_, none) = driver.add_subscription(client, "aeron:ipc?alias=eager");
    assert_eq!(none.len(), 0, "it admits nobody");
    // A second rejection is reported, removes nothing, and restarts the cool-down.
    assert_eq!(driver.reject_image(image.get(), "").len(), 2);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.images().len(), 0);
    driver.pass_with(2_000, |driver| driver.beat(client));
    let again = driver.images();
    assert_eq!(again.len(), 2);
    assert_eq!(again[0].correlation, image.get());
    let label = driver.counter(again[0].position).label.to_string();
    assert!(label.ends_with(" @160"), "{label}");
    assert!(log.metadata().is_connected());
    assert_eq!(again[0].subscription, subscription);
    assert_eq!(again[0].session, publication.session);
}

#[test]
fn a_rejection_needs_an_image_and_a_short_reason() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    assert!(driver.reject_image(4711, "no")[0].starts_with("error 11 for 0"));
    assert!(driver.reject_image(publication.original.get(), &"x".repeat(1024))[0].starts_with("error 11 for 0"));
    assert_eq!(driver.reject_image(publication.original.get(), &"x".repeat(1023)).len(), 2);
}

#[test]
fn the_end_of_a_stream_is_not_known_before() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let log = open(&publication.path);
    assert_eq!(log.metadata().end_of_stream_position(), Position::new(i64::MAX));
    driver.remove_publication(client, publication.correlation.registration(), false);
    assert_eq!(log.metadata().end_of_stream_position(), Position::new(0));
}
