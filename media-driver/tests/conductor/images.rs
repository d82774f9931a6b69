//! Which subscribers get an image from the network, and which no longer do. The test acts as the receiver.

use gannet::counters::SystemCounter;
use gannet::protocol::Setup;
use gannet::types::{ClientId, RegistrationId, SessionId};
use gannet_driver::io::log_files;
use gannet_driver::mailbox::{EndpointId, ReceiverEvent, Request};
use gannet_driver::shared::Condition;

use crate::network::{SETUP, present, receiver_told};
use crate::raw_access::RAW;
use crate::support::*;

const CHANNEL: &str = "aeron:udp?endpoint=localhost:40123";

/// A client that subscribes, and the resulting endpoint.
fn subscribed() -> (Driver, ClientId, RegistrationId, EndpointId) {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let (subscription, images) = driver.add_subscription(client, CHANNEL);
    assert!(images.is_empty());
    let endpoint = receiver_told(&mut driver).0[0].id;
    (driver, client, subscription, endpoint)
}

/// The receiver stops receiving a stream after its last subscription is removed. A subscription added a moment later
/// gets another image, and not the old one, which would never receive anything.
#[test]
fn who_subscribes_again_at_once_gets_an_image_that_is_fed() {
    let (mut driver, client, subscription, endpoint) = subscribed();
    let first = present(&mut driver, endpoint, SETUP).expect("an image");
    assert_eq!(driver.images()[0].correlation, first.registration_id.get());
    driver.remove_subscription(client, subscription);
    let (again, images) = driver.add_subscription(client, CHANNEL);
    assert!(images.is_empty(), "the receiver has forgotten the session: {images:?}");
    assert_eq!(receiver_told(&mut driver).2.len(), 2, "the stream goes and comes");
    let second = present(&mut driver, endpoint, SETUP).expect("an image");
    let images = driver.images();
    assert_eq!((images[0].correlation, images[0].subscription), (second.registration_id.get(), again));
    assert_ne!(first.registration_id, second.registration_id);
    driver.pass_with(15_000, |driver| driver.beat(client));
    let removed = receiver_told(&mut driver).2;
    assert!(removed.contains(&format!("RemoveImage({:?})", first.registration_id)), "{removed:?}");
    assert!(!removed.contains(&format!("RemoveImage({:?})", second.registration_id)), "{removed:?}");
}

/// A subscription that is added while others still read the rest of an ended stream reads that rest too; none does
/// after it is read.
#[test]
fn who_comes_while_a_stream_drains_reads_what_is_left() {
    let (mut driver, client, subscription, endpoint) = subscribed();
    let image = present(&mut driver, endpoint, SETUP).expect("an image");
    let first = driver.images().remove(0);
    image.words.set_rebuilt(8192);
    driver.word(first.position).store_release(4096);
    image.words.set_condition(Condition::Ended { position: 8192, revoked: false });
    driver.pass_with(2_000, |driver| driver.beat(client));
    let (late, images) = driver.add_subscription(client, CHANNEL);
    assert_eq!(images.len(), 1, "what is left may be read");
    assert_eq!((images[0].correlation, images[0].subscription), (first.correlation, late));
    assert_eq!(driver.value(images[0].position), 4096, "with the slowest");
    for position in [first.position, images[0].position] {
        driver.word(position).store_release(8192);
    }
    let (_, images) = driver.add_subscription(client, CHANNEL);
    assert!(images.is_empty(), "all was read");
    driver.remove_subscription(client, subscription);
}

/// The timeouts of an untethered subscriber of an image come from the subscription's channel.
#[test]
fn an_image_is_as_patient_as_its_subscription_states() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let timeouts =
        "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms|untethered-resting-timeout=900ms";
    let (slow, _) = driver.add_subscription(client, &format!("{CHANNEL}|tether=false|{timeouts}"));
    driver.add_subscription(client, CHANNEL);
    let endpoint = receiver_told(&mut driver).0[0].id;
    let image = present(&mut driver, endpoint, SETUP).expect("an image");
    let [_, fast] = &driver.images()[..] else { panic!("two subscribers") };
    let stated = metadata(&fast.path);
    let stated = [472, 500, 480].map(|offset| {
        let mut bytes = [0; 8];
        stated.get_bytes(offset, &mut bytes);
        i64::from_le_bytes(bytes)
    });
    assert_eq!(stated, [500_000_000, 700_000_000, 900_000_000], "in its log");
    image.words.set_rebuilt(32 << 10);
    driver.word(fast.position).store_release(32 << 10);
    let start = driver.now_ms();
    let mut story = Vec::new();
    while driver.now_ms() - start < 3_000 {
        driver.beat(client);
        driver.pass_ms(100);
        let now = driver.now_ms() - start;
        story.extend(driver.events().into_iter().map(|event| (now, event)));
    }
    let [(lost_at, lost), (back_at, back), ..] = &story[..] else { panic!("{story:?}") };
    assert!(lost.starts_with("unavailable image ") && lost.ends_with(&format!(" for {slow}")), "{story:?}");
    assert!(back.starts_with("available image ") && back.contains(&format!(" for {slow} ")), "{story:?}");
    assert!((500..=700).contains(lost_at) && (1_600..=1_900).contains(&(back_at - lost_at)), "{story:?}");
}

/// An untethered subscriber that has lost its image reads no more, so an image whose stream has ended goes without it.
#[test]
fn an_image_that_ends_does_not_wait_for_one_that_has_lost_it() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let timeouts = "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms";
    driver.add_subscription(client, &format!("{CHANNEL}|tether=false|{timeouts}"));
    let (fast_id, _) = driver.add_subscription(client, CHANNEL);
    let endpoint = receiver_told(&mut driver).0[0].id;
    let image = present(&mut driver, endpoint, SETUP).expect("an image");
    let [_, fast] = &driver.images()[..] else { panic!("two subscribers") };
    image.words.set_rebuilt(32 << 10);
    driver.word(fast.position).store_release(32 << 10);
    driver.pass_with(800, |driver| driver.beat(client));
    assert!(driver.events().iter().any(|event| event.starts_with("unavailable image")), "it was too slow");
    image.words.set_condition(Condition::Ended { position: 32 << 10, revoked: false });
    driver.pass_with(3_000, |driver| driver.beat(client));
    let gone = format!("unavailable image {} for {fast_id}", image.registration_id);
    assert!(driver.events().contains(&gone));
}

/// How far an untethered subscriber may stay behind goes by the window that the receiver announces, which may be far below what is stated.
#[test]
fn an_untethered_subscriber_is_measured_by_the_window_that_there_is() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let channel = format!("{CHANNEL}|cc=cubic");
    let timeouts = "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms";
    let (slow, _) = driver.add_subscription(client, &format!("{channel}|tether=false|{timeouts}"));
    driver.add_subscription(client, &channel);
    let endpoint = receiver_told(&mut driver).0[0].id;
    let image = present(&mut driver, endpoint, SETUP).expect("an image");
    let [_, fast] = &driver.images()[..] else { panic!("two subscribers") };
    image.words.set_rebuilt(8 << 10);
    driver.word(fast.position).store_release(8 << 10);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new(), "far from a quarter of what is stated");
    image.words.set_window(10 << 10);
    driver.pass_with(1_000, |driver| driver.beat(client));
    let events = driver.events();
    assert!(events[0].starts_with("unavailable image ") && events[0].ends_with(&format!(" for {slow}")), "{events:?}");
}

/// An untethered subscriber is left behind if no datagram fits into the window any more, also if it is less than three
/// quarters of the window behind.
#[test]
fn an_untethered_subscriber_leaves_room_for_a_datagram() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let timeouts = "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms";
    let (slow, _) = driver.add_subscription(client, &format!("{CHANNEL}|tether=false|{timeouts}"));
    driver.add_subscription(client, CHANNEL);
    let endpoint = receiver_told(&mut driver).0[0].id;
    let image = present(&mut driver, endpoint, SETUP).expect("an image");
    let [_, fast] = &driver.images()[..] else { panic!("two subscribers") };
    let (window, mtu) = (4096, i64::from(SETUP.mtu));
    let start = driver.value(fast.position);
    image.words.set_window(window);
    let furthest = start + i64::from(window) - mtu;
    image.words.set_rebuilt(furthest + 32);
    driver.word(fast.position).store_release(furthest);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new(), "a datagram fits");
    driver.word(fast.position).store_release(furthest + 32);
    driver.pass_with(1_000, |driver| driver.beat(client));
    let events = driver.events();
    assert!(events[0].starts_with("unavailable image ") && events[0].ends_with(&format!(" for {slow}")), "{events:?}");
}

/// The MTU of a short term may be longer than the window, which is at most half a term. Its messages are shorter.
#[test]
fn an_untethered_subscriber_that_keeps_up_stays_whatever_the_mtu_is() {
    let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    let timeouts = "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms";
    let (slow, _) = driver.add_subscription(client, &format!("{CHANNEL}|tether=false|{timeouts}"));
    driver.add_subscription(client, CHANNEL);
    let endpoint = receiver_told(&mut driver).0[0].id;
    let image = present(&mut driver, endpoint, Setup { mtu: 65_504, ..SETUP }).expect("an image");
    let [_, fast] = &driver.images()[..] else { panic!("two subscribers") };
    let (start, window, longest) = (driver.value(fast.position), 32 << 10, (8 << 10) + 32);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new(), "both are at the start");
    image.words.set_rebuilt(start + window);
    driver.word(fast.position).store_release(start + window - longest);
    driver.pass_with(2_000, |driver| driver.beat(client));
    assert_eq!(driver.events(), Vec::<String>::new(), "the longest message fits");
    driver.word(fast.position).store_release(start + window - longest + 32);
    driver.pass_with(1_000, |driver| driver.beat(client));
    let events = driver.events();
    assert!(events[0].starts_with("unavailable image ") && events[0].ends_with(&format!(" for {slow}")), "{events:?}");
}

/// Whether the pages of an image's log are faulted in on first use is decided by its oldest subscription.
#[test]
fn an_image_is_as_sparse_as_its_oldest_subscription_states() {
    for (stated, expected) in [("", 1), ("|sparse=false", 0), ("|sparse=true", 1)] {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_subscription(client, &format!("{CHANNEL}{stated}"));
        driver.add_subscription(client, &format!("{CHANNEL}|sparse={}", expected == 0));
        let endpoint = receiver_told(&mut driver).0[0].id;
        present(&mut driver, endpoint, SETUP).expect("an image");
        let mut sparse = [7];
        metadata(&driver.images()[0].path).get_bytes(492, &mut sparse);
        assert_eq!(sparse, [expected], "{stated}");
    }
}

/// A group whose sender reaches further than its receivers report is counted, for operators.
#[test]
fn a_receiver_that_may_not_reach_its_sender_is_counted() {
    let multicast = "aeron:udp?endpoint=224.20.30.39:40123|interface=127.0.0.1";
    for (channel, ttl, expected) in [
        (multicast.to_owned(), 4, 1),
        (format!("{multicast}|ttl=4"), 4, 0),
        (format!("{multicast}|ttl=3"), 4, 1),
        (multicast.to_owned(), 0, 0),
        (CHANNEL.to_owned(), 4, 0),
    ] {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_subscription(client, &channel);
        let endpoint = receiver_told(&mut driver).0[0].id;
        present(&mut driver, endpoint, Setup { ttl, ..SETUP }).expect("an image");
        assert_eq!(driver.system(SystemCounter::PossibleTtlAsymmetry), expected, "{channel} {ttl}");
    }
}

/// A session whose setup arrives again while its image is being created, as after its only subscription was removed and
/// added again, has one image.
#[test]
fn a_session_that_presents_itself_twice_has_one_image() {
    let (mut driver, _, _, endpoint) = subscribed();
    driver.hold_requests();
    assert!(present(&mut driver, endpoint, SETUP).is_none());
    let source = ([10, 0, 0, 9], 20_000).into();
    let again = || ReceiverEvent::CreateImage { endpoint, transport: endpoint, setup: SETUP, source, control: source };
    driver.conductor.on_receiver_event(again());
    driver.release_requests();
    assert_eq!(driver.images().len(), 1);
    driver.conductor.on_receiver_event(again());
    driver.settle();
    assert!(driver.images().is_empty(), "it has one that is read");
    let (_, made, others) = receiver_told(&mut driver);
    let refused = others.iter().filter(|told| told.starts_with("RefuseImage")).count();
    assert_eq!((made.len(), refused), (1, 2), "{others:?}");
}

/// A subscription that is removed while its image is being created leaves nothing of the image, and no error that needs
/// attention.
#[test]
fn an_image_that_nobody_wants_any_more_is_given_up_in_silence() {
    let (mut driver, client, subscription, endpoint) = subscribed();
    driver.hold_requests();
    assert!(present(&mut driver, endpoint, SETUP).is_none());
    driver.remove_subscription(client, subscription);
    driver.release_requests();
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert_eq!((driver.log_files(), driver.sockets.len(), driver.counter_lines().len()), (vec![], 0, 1));
    assert_eq!((driver.error_texts(), driver.system(SystemCounter::Errors)), (vec![], 0));
    let (endpoints, images, told) = receiver_told(&mut driver);
    assert_eq!((endpoints.len(), images.len()), (0, 0));
    assert!(told.iter().any(|told| told.starts_with("RefuseImage")), "{told:?}");
    assert!(told.last().is_some_and(|told| told.starts_with("RemoveEndpoint")), "{told:?}");
}

/// Senders determine the number of images and the lengths of their logs. These logs are created one after another, and
/// a client's command waits for at most one of them.
#[test]
fn a_command_does_not_wait_for_the_logs_of_many_images() {
    let (mut driver, client, _, endpoint) = subscribed();
    driver.hold_requests();
    for session in 1..=8 {
        assert!(present(&mut driver, endpoint, Setup { session_id: SessionId::new(session), ..SETUP }).is_none());
    }
    let command = driver.add_publication_command(client, IPC, false);
    driver.run(&command);
    let mut asked = Vec::new();
    driver.answer_requests(|request| {
        let Request::CreateLog(create) = &request else { panic!("{request:?}") };
        asked.push(create.registration_id);
        log_files::execute(request, RAW)
    });
    assert_eq!(asked.len(), 2, "one image, and the publication");
    assert_eq!(asked[1], command.correlation_id().registration());
    driver.settle();
    assert_eq!(driver.images().len(), 8, "the others follow");
}

/// Whatever the interval of status messages, timeouts take it into account.
#[test]
fn an_image_drains_whatever_its_status_message_timeout() {
    let mut driver = Driver::with(|config| config.network.status_message_timeout_ns = i64::MAX);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    let client = driver.client();
    driver.add_subscription(client, CHANNEL);
    let endpoint = receiver_told(&mut driver).0[0].id;
    let image = present(&mut driver, endpoint, SETUP).expect("an image");
    image.words.set_condition(Condition::Silent);
    driver.pass_with(3_000, |driver| driver.beat(client));
    let told = receiver_told(&mut driver).2;
    assert_eq!(told, [format!("LeaveImage({:?})", image.registration_id)]);
}
