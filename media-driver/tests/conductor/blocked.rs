//! Publishers and clients that die in the middle of an operation. Whatever is behind it continues.

use gannet::counters::SystemCounter;
use gannet::logbuffer::OfferError;

use crate::support::{Driver, IPC, drain, metadata, open};

/// The reference's figures: a claim becomes padding of its length, whether it was begun or not. Each is counted.
#[test]
fn a_dead_publishers_claim_becomes_padding() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    // The length is negative, as after a publisher that died while it wrote.
    std::mem::forget(publisher.try_claim(48).unwrap());
    publisher.offer(b"behind the dead").unwrap();
    let mut reader = driver.reader(&images[0]);
    assert_eq!(drain(&mut reader), 0);
    driver.pass_with(15_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 0, "not before the timeout");
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 1);
    let mut header = [0; 8];
    open(&publication.path).term(0).get_bytes(0, &mut header);
    assert_eq!(header, [80, 0, 0, 0, 0, 0xC0, 0, 0], "padding of 80 bytes");
    assert_eq!(drain(&mut reader), 1, "what was committed behind it is not lost");
    driver.settle();
    driver.pass_with(20_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 1, "nothing more to do");
}

/// A subscriber that did not read for long catches up with a claim that was made just now. The timeout is that of this claim, and
/// not of the message that the subscriber had before it all the time.
#[test]
fn who_reads_on_after_a_long_time_takes_no_claim_for_abandoned() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    publisher.offer(b"unread for long").unwrap();
    driver.pass_with(20_000, |driver| driver.beat(client));
    let mut claim = publisher.try_claim(4).unwrap();
    let mut reader = driver.reader(&images[0]);
    assert_eq!(drain(&mut reader), 1);
    // The next tick comes before the conductor looks at positions again.
    driver.beat_at(client, driver.now_ms() + 1_000);
    driver.pass_briefly_ms(1_000);
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 0);
    claim.copy_from_slice(b"live");
    claim.commit().unwrap();
    assert_eq!(drain(&mut reader), 1);
}

/// The driver itself, or the whole machine, may stand still for longer than any timeout. What was begun just before that
/// is not to blame.
#[test]
fn a_driver_that_stood_still_begins_with_patience() {
    let udp = "aeron:udp?endpoint=127.0.0.1:40123|term-length=64k|ssc=true";
    for (channel, readers) in [(IPC, "aeron:ipc"), (udp, "aeron-spy:aeron:udp?endpoint=127.0.0.1:40123")] {
        let mut driver = Driver::with_network();
        let client = driver.client();
        let publication = driver.add_publication(client, channel);
        let publisher = driver.publisher(&publication);
        driver.add_subscription(client, readers);
        driver.settle();
        driver.pass_with(2_500, |driver| driver.beat(client));
        let claim = publisher.try_claim(48).unwrap();
        publisher.offer(b"behind it").unwrap();
        std::mem::forget(driver.ring.try_claim(1, 64).unwrap());
        let command = driver.add_publication_command(client, IPC, false);
        driver.send(&command);
        for _ in 0..2 {
            driver.beat_at(client, driver.now_ms() + 60_000);
            driver.pass_briefly_ms(60_000);
        }
        let unblocked = |driver: &Driver| {
            [SystemCounter::UnblockedPublications, SystemCounter::UnblockedCommands]
                .map(|counter| driver.system(counter))
        };
        assert_eq!(unblocked(&driver), [0, 0], "{channel}");
        driver.pass_with(7_000, |driver| driver.beat(client));
        assert_eq!(unblocked(&driver), [0, 0], "{channel}");
        claim.commit().expect("it still belongs to its publisher");
        driver.pass_with(5_000, |driver| driver.beat(client));
        assert_eq!(unblocked(&driver), [0, 1], "who never goes on is found in the end: {channel}");
    }
}

/// Trap 52: the stream of an active exclusive publication is never unblocked.
#[test]
fn trap_52_an_exclusive_publication_is_left_alone_while_active() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, IPC);
    driver.add_subscription(client, "aeron:ipc");
    let mut publisher = driver.exclusive_publisher(&publication);
    std::mem::forget(publisher.try_claim(48).unwrap());
    driver.pass_with(60_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 0);
    // Once it has no owner, no publisher is waited for.
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(1_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 1);
}

/// Trap 53: a publisher that died between tripping a term and rotating the log.
#[test]
fn trap_53_a_publisher_that_died_before_it_rotated() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|init-term-id=0|term-id=0|term-offset=65504"));
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    publisher.offer(&[]).unwrap();
    assert_eq!(drain(&mut driver.reader(&images[0])), 1);
    assert_eq!(driver.reader(&images[0]).position().get(), 65_536, "the frame without a payload fills the term");
    // The next publisher adds to the tail of the full term, and dies.
    let log = open(&publication.path);
    metadata(&publication.path).word_at::<i64>(0).fetch_add(64);
    assert_eq!(log.active_term_count(), 0);
    driver.settle();
    driver.pass_with(17_000, |driver| driver.beat(client));
    assert_eq!(log.active_term_count(), 1);
    assert_eq!(driver.system(SystemCounter::UnblockedPublications), 1);
    assert!(publisher.offer(b"goes on").is_ok());
}

/// A client that died while it wrote a command: the next command is processed after the liveness timeout and a tick.
#[test]
fn a_dead_clients_command_is_skipped() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_counter(client, b"", b"");
    std::mem::forget(driver.ring.try_claim(1, 64).unwrap());
    let command = driver.add_publication_command(client, IPC, false);
    let id = command.correlation_id();
    driver.send(&command);
    driver.events();
    driver.pass_with(10_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new());
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::UnblockedCommands), 1);
    assert_eq!(driver.events(), [format!("publication {id} of {id} limit #49 status -1")]);
}

/// A blocked stream holds up no other.
#[test]
fn other_streams_go_on_beside_a_blocked_one() {
    let mut driver = Driver::new();
    let client = driver.client();
    let blocked = driver.add_publication(client, IPC);
    let other = driver.add_exclusive_publication(client, IPC);
    let (_, images) = driver.add_subscription(client, &format!("aeron:ipc?session-id={}", other.session));
    driver.add_subscription(client, "aeron:ipc");
    std::mem::forget(driver.publisher(&blocked).try_claim(48).unwrap());
    let mut publisher = driver.exclusive_publisher(&other);
    assert_eq!(images.len(), 1);
    publisher.offer(b"x").unwrap();
    assert_eq!(publisher.offer(b"x").err(), None::<OfferError>);
    assert_eq!(drain(&mut driver.reader(&images[0])), 2);
}
