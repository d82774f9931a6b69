//! Publisher limits, and the cleaning of what subscribers have consumed.

use gannet::logbuffer::OfferError;
use gannet::types::Position;

use crate::support::{Driver, IPC, drain, fill, open};

/// The reference's figures: without a subscriber, the limit is the position. After the last one left at 480 with the
/// producer at 800, the limit is 480, the log is not connected, and the next subscriber joins at 480 and finds the
/// first 480 bytes zeroed. Trap 75: what the last subscriber read just before it was removed counts.
#[test]
fn trap_75_the_last_subscriber_is_sampled_when_it_leaves() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    assert_eq!(driver.value(publication.limit), 0);
    let (subscription, images) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(driver.value(publication.limit), 32 << 10);
    let publisher = driver.publisher(&publication);
    for _ in 0..5 {
        publisher.offer(&[1; 100]).unwrap();
    }
    let mut reader = driver.reader(&images[0]);
    // Read and removed with no duty cycle in between.
    assert_eq!((reader.poll(|_| {}, 3), reader.position().get()), (3, 480));
    driver.remove_subscription(client, subscription);
    assert_eq!(driver.value(publication.limit), 480);
    let log = open(&publication.path);
    assert!(!log.metadata().is_connected());
    assert_eq!(publisher.offer(b"nobody"), Err(OfferError::NotConnected));
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(driver.value(images[0].position), 480);
    let mut first = [0xFF; 480];
    log.term(0).get_bytes(0, &mut first);
    assert_eq!(first, [0; 480]);
    assert!(log.metadata().is_connected());
    assert_eq!(drain(&mut driver.reader(&images[0])), 2, "what nobody had read is still there");
}

/// Trap 63: without subscribers the limit is the position that the furthest one had reached.
#[test]
fn trap_63_the_limit_falls_to_the_furthest_subscriber() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (slow, _) = driver.add_subscription(client, "aeron:ipc");
    let (fast, images) = driver.add_subscription(client, "aeron:ipc");
    driver.publisher(&publication).offer(&[1; 100]).unwrap();
    drain(&mut driver.reader(&images[0]));
    driver.settle();
    driver.remove_subscription(client, fast);
    driver.remove_subscription(client, slow);
    assert_eq!(driver.value(publication.limit), 160);
}

/// Trap 48 and trap 49: a message may start just below the limit; the limit moves in steps.
#[test]
fn trap_48_and_49_the_limit_is_tested_before_a_message_and_moves_in_steps() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|pub-wnd=4k"));
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(driver.value(publication.limit), 4096);
    let publisher = driver.publisher(&publication);
    while publisher.position().get() < 4064 {
        publisher.offer(&[]).unwrap();
    }
    assert_eq!(publisher.offer(&[0; 1000]).unwrap().get(), 4064 + 1056);
    assert_eq!(publisher.offer(&[]), Err(OfferError::BackPressured));
    let mut reader = driver.reader(&images[0]);
    reader.poll(|_| {}, 16);
    driver.settle();
    assert_eq!(driver.value(publication.limit), 4096, "an eighth of the window, 512, is not more than an eighth");
    reader.poll(|_| {}, 1);
    driver.settle();
    assert_eq!(driver.value(publication.limit), 4096 + 544);
}

/// Trap 50 and all of cleaning: everything behind the slowest subscriber is zero, and nothing ahead of it is cleaned.
#[test]
fn trap_50_cleaning_follows_the_slowest_subscriber() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (_, fast) = driver.add_subscription(client, "aeron:ipc");
    let (_, slow) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    let (mut fast, mut slow) = (driver.reader(&fast[0]), driver.reader(&slow[0]));
    fill(&publisher, 992);
    drain(&mut fast);
    slow.poll(|_| {}, 16);
    driver.settle();
    let log = open(&publication.path);
    let mut bytes = vec![0; 32 << 10];
    log.term(0).get_bytes(0, &mut bytes);
    assert!(bytes[..16 << 10].iter().all(|&byte| byte == 0));
    assert_eq!(bytes[(16 << 10) + 32], 0xAB);
    assert_eq!(drain(&mut slow), 16);
}

#[test]
fn a_position_shows_within_a_tick_even_if_nobody_reads() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    driver.add_subscription(client, "aeron:ipc");
    let position = driver.publisher(&publication).offer(b"x").unwrap();
    driver.pass_with(100, |driver| driver.beat(client));
    let counter = driver.counters.find(12, publication.original).unwrap();
    assert_eq!(Position::new(driver.value(counter)), position);
}

/// The reference's figures for the end of a stream: the last message ends exactly there, and every later offer is
/// refused.
#[test]
fn a_stream_ends_at_its_last_position() {
    let mut driver = Driver::new();
    let client = driver.client();
    let channel = format!("{IPC}|init-term-id=0|term-id=2147483647|term-offset=65472");
    let publication = driver.add_publication(client, &channel);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    assert_eq!(publisher.offer(&[7; 10]).unwrap().get(), 1 << 47);
    for _ in 0..3 {
        assert_eq!(publisher.offer(&[7; 10]), Err(OfferError::MaxPositionExceeded));
        driver.settle();
    }
    assert_eq!(drain(&mut driver.reader(&images[0])), 1);
    driver.pass_with(20_000, |driver| driver.beat(client));
    let events = driver.remove_publication(client, publication.correlation.registration(), false);
    assert!(events[0].starts_with("success"));
    driver.pass_with(4_000, |driver| driver.beat(client));
    assert!(!publication.path.exists());
}

/// A log that starts late has the same layout as the reference's.
#[test]
fn a_position_in_the_channel_is_where_everything_starts() {
    let mut driver = Driver::new();
    let client = driver.client();
    let channel = "aeron:ipc?term-length=128k|init-term-id=7|term-id=9|term-offset=128";
    let publication = driver.add_publication(client, channel);
    let log = open(&publication.path);
    assert_eq!(log.metadata().raw_tails(), [7 << 32, 8 << 32, (9 << 32) | 128]);
    assert_eq!(log.active_term_count(), 2);
    assert_eq!(driver.value(publication.limit), 262_272);
    assert_eq!(driver.value(driver.counters.find(12, publication.original).unwrap()), 262_272);
    assert_eq!(std::fs::metadata(&publication.path).unwrap().len(), 397_312);
}

/// Of very many publications, resting ones are not checked all the time, but soon enough; active ones are.
#[test]
fn among_very_many_a_limit_moves_as_well() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publications: Vec<_> = (0..200).map(|_| driver.add_exclusive_publication(client, IPC)).collect();
    let session = publications[150].session;
    let (_, images) = driver.add_subscription(client, &format!("aeron:ipc?session-id={session}"));
    // All of them come to rest.
    (0..1_000).for_each(|_| _ = driver.cycle());
    let mut publisher = driver.exclusive_publisher(&publications[150]);
    let mut reader = driver.reader(&images[0]);
    let limit = |driver: &Driver| driver.value(publications[150].limit);
    let mut fill = || while publisher.offer(&[7; 992]) != Err(OfferError::BackPressured) {};
    let before = limit(&driver);
    fill();
    drain(&mut reader);
    driver.pass_briefly_ms(1);
    let after = limit(&driver);
    assert!(after > before, "a millisecond is a round");
    for _ in 0..10 {
        let before = limit(&driver);
        fill();
        drain(&mut reader);
        driver.cycle();
        assert!(limit(&driver) > before, "it is looked at in each cycle now");
    }
}
