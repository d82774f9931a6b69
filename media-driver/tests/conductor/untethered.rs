//! Subscribers that may be left behind.

use gannet::logbuffer::OfferError;

use crate::support::{Driver, IPC, drain, fill};

const TIMEOUTS: &str =
    "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms|untethered-resting-timeout=900ms";

/// The events with their times, in milliseconds since `start`, until `end_ms`.
fn story(driver: &mut Driver, client: gannet::types::ClientId, end_ms: i64) -> Vec<(i64, String)> {
    let start = driver.now_ms();
    let mut story = Vec::new();
    while driver.now_ms() - start < end_ms {
        driver.beat(client);
        driver.pass_ms(100);
        let now = driver.now_ms() - start;
        story.extend(driver.events().into_iter().map(|event| (now, event)));
    }
    story
}

/// The reference's figures: with timeouts of 0.5, 0.7 and 0.9 s and a tick of 0.1 s the image is gone at 0.5 s, and
/// back 1.6 s later with the same image and counter. The tolerance is a tick each, since timeouts are checked on ticks.
#[test]
fn a_slow_untethered_subscriber_loses_its_image_and_gets_it_back() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}"));
    let (fast, fast_images) = driver.add_subscription(client, "aeron:ipc");
    let (slow, slow_images) = driver.add_subscription(client, "aeron:ipc?tether=false");
    let publisher = driver.publisher(&publication);
    fill(&publisher, 992);
    drain(&mut driver.reader(&fast_images[0]));
    driver.events();
    let story = story(&mut driver, client, 2_600);
    let image = publication.original;
    let [(lost_at, lost), (back_at, back)] = &story[..] else { panic!("{story:?}") };
    assert_eq!(lost, &format!("unavailable image {image} for {slow}"));
    assert!((500..=700).contains(lost_at), "{story:?}");
    assert_eq!(back, &format!("available image {image} for {slow} #{} from aeron:ipc", slow_images[0].position));
    assert!((1_600..=1_900).contains(&(back_at - lost_at)), "{story:?}");
    assert_eq!(driver.value(slow_images[0].position), driver.value(fast_images[0].position), "it joins the others");
    assert_ne!(fast, slow);
}

/// Trap 61: while a subscriber lingers it still holds the publisher back; while it rests it does not.
#[test]
fn trap_61_only_a_resting_subscriber_lets_the_publisher_go() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}"));
    let (_, fast) = driver.add_subscription(client, "aeron:ipc");
    driver.add_subscription(client, "aeron:ipc?tether=false");
    let publisher = driver.publisher(&publication);
    fill(&publisher, 992);
    drain(&mut driver.reader(&fast[0]));
    let limit = driver.value(publication.limit);
    let first = story(&mut driver, client, 900);
    assert!(first.iter().any(|(_, event)| event.starts_with("unavailable")), "{first:?}");
    assert_eq!(driver.value(publication.limit), limit, "it lingers");
    assert_eq!(publisher.offer(&[0; 992]), Err(OfferError::BackPressured));
    story(&mut driver, client, 600);
    assert!(driver.value(publication.limit) > limit, "it rests");
    assert!(publisher.offer(&[0; 992]).is_ok());
}

/// Nor may a subscriber have run meanwhile. It is waited for as if nobody had stood still, and no range is given away that it
/// may read.
#[test]
fn a_driver_that_stood_still_leaves_nobody_behind_for_that() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}"));
    let (_, fast) = driver.add_subscription(client, "aeron:ipc");
    driver.add_subscription(client, "aeron:ipc?tether=false");
    let publisher = driver.publisher(&publication);
    fill(&publisher, 992);
    drain(&mut driver.reader(&fast[0]));
    let limit = driver.value(publication.limit);
    driver.events();
    let stand_still = |driver: &mut Driver| {
        driver.beat(client);
        driver.pass_briefly_ms(60_000);
        driver.settle();
    };
    assert_eq!(story(&mut driver, client, 200), []);
    stand_still(&mut driver);
    assert_eq!(driver.events(), Vec::<String>::new(), "it has its image");
    let lost = story(&mut driver, client, 600);
    assert!(lost.len() == 1 && lost[0].1.starts_with("unavailable image"), "{lost:?}");
    stand_still(&mut driver);
    assert_eq!(driver.value(publication.limit), limit, "it lingers");
    story(&mut driver, client, 800);
    assert!(driver.value(publication.limit) > limit, "it rests");
    stand_still(&mut driver);
    assert_eq!(driver.events(), Vec::<String>::new(), "still");
    let back = story(&mut driver, client, 1_000);
    assert!(back.len() == 1 && back[0].1.starts_with("available image"), "{back:?}");
}

/// It reads no more, so a publication that has ended goes without it.
#[test]
fn a_publication_that_ends_does_not_wait_for_one_that_has_lost_its_image() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}|session-id=7"));
    let (_, fast) = driver.add_subscription(client, "aeron:ipc");
    driver.add_subscription(client, "aeron:ipc?tether=false");
    fill(&driver.publisher(&publication), 992);
    drain(&mut driver.reader(&fast[0]));
    let lost = story(&mut driver, client, 800);
    assert!(lost.iter().any(|(_, event)| event.starts_with("unavailable")), "{lost:?}");
    driver.remove_publication(client, publication.correlation.registration(), false);
    story(&mut driver, client, 1_000);
    assert!(!publication.path.exists());
    driver.add_publication(client, &format!("{IPC}|session-id=7"));
}

#[test]
fn a_tethered_subscriber_holds_the_publisher_for_ever() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}"));
    driver.add_subscription(client, "aeron:ipc");
    let publisher = driver.publisher(&publication);
    fill(&publisher, 992);
    driver.events();
    assert_eq!(story(&mut driver, client, 5_000), []);
    assert_eq!(publisher.offer(&[0; 992]), Err(OfferError::BackPressured));
}

#[test]
fn one_that_may_not_rejoin_is_closed_and_its_counter_freed_once() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}"));
    let (_, fast) = driver.add_subscription(client, "aeron:ipc");
    let (slow, images) = driver.add_subscription(client, "aeron:ipc?tether=false|rejoin=false");
    let publisher = driver.publisher(&publication);
    fill(&publisher, 992);
    drain(&mut driver.reader(&fast[0]));
    driver.events();
    let story = story(&mut driver, client, 4_000);
    assert_eq!(story.len(), 1, "{story:?}");
    assert!(driver.counters.get(images[0].position).is_none());
    // Its record may belong to another by now, who must not lose it when the subscription is removed.
    let (registration, _) = driver.add_counter(client, b"", b"heir");
    let heir = driver.counters.find(1101, registration).unwrap();
    assert_eq!(heir, images[0].position);
    assert!(driver.remove_subscription(client, slow)[0].starts_with("success"));
    assert_eq!(driver.counter(heir).label.to_string(), "heir");
    driver.remove_publication(client, publication.correlation.registration(), true);
    let events = self::story(&mut driver, client, 500);
    assert_eq!(events.len(), 1, "the tethered one is told, the closed one is not: {events:?}");
}

#[test]
fn one_that_keeps_up_is_left_alone() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    let client = driver.client();
    let publication = driver.add_publication(client, &format!("{IPC}|{TIMEOUTS}"));
    let (_, images) = driver.add_subscription(client, "aeron:ipc?tether=false");
    let publisher = driver.publisher(&publication);
    let mut reader = driver.reader(&images[0]);
    driver.events();
    for _ in 0..100 {
        fill(&publisher, 992);
        drain(&mut reader);
        assert_eq!(story(&mut driver, client, 100), []);
    }
}
