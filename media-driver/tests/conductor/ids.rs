//! Clients choose the ids of their commands, and may choose one that the driver uses, or that another client has used.

use gannet::command::{AddPublication, AddSubscription, Command, Destination, Text};
use gannet::protocol::Setup;
use gannet::types::{ClientId, CorrelationId, SessionId};
use gannet_driver::mailbox::{EndpointId, NamedPlace, SenderEvent};

use crate::network::{SETUP, present, receiver_told};
use crate::support::*;

const NUMBERED: &str = "aeron:udp?endpoint=127.0.0.1:40124|term-length=64k";

fn subscribe(driver: &mut Driver, client: ClientId, id: CorrelationId, channel: &str) -> Vec<String> {
    driver.run(&Command::AddSubscription(AddSubscription {
        client_id: client,
        correlation_id: id,
        stream_id: STREAM,
        channel: Text::from(channel),
    }))
}

fn publish(driver: &mut Driver, client: ClientId, id: CorrelationId, channel: &str) -> Vec<String> {
    driver.run(&Command::AddExclusivePublication(AddPublication {
        client_id: client,
        correlation_id: id,
        stream_id: STREAM,
        channel: Text::from(channel),
    }))
}

/// The id of the next command.
fn next_id(driver: &Driver) -> CorrelationId {
    CorrelationId::new(driver.correlation().get() + 1)
}

/// While names of silent peers are looked up, commands of any id get their own answers.
#[test]
fn no_command_is_taken_for_a_lookup_of_the_drivers_own() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    driver.add_exclusive_publication(client, "aeron:udp?endpoint=localhost:40123|term-length=64k");
    driver.silence_names();
    driver.conductor.on_sender_event(SenderEvent::Silent(NamedPlace::Endpoint(EndpointId::new(1))));
    driver.settle();
    assert_eq!(driver.unanswered(), 1);
    for id in [-2, -1, 0, 1, 2].map(CorrelationId::new) {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", 41_000 + id.get());
        let events = subscribe(&mut driver, client, id, &channel);
        assert!(events.iter().any(|event| event.contains(&format!(" {id}"))), "{events:?}");
    }
    driver.answer_name();
    driver.add_publication(client, IPC);
}

/// A lookup for a client that is gone does not affect another client that uses the same id.
#[test]
fn an_answer_for_a_client_that_is_gone_is_nobody_elses() {
    let mut driver = Driver::with_network();
    driver.names = Some([("one", [127, 0, 0, 1].into()), ("two", [127, 0, 0, 2].into())].into());
    driver.silence_names();
    let (gone, client) = (driver.client(), driver.client());
    let id = driver.correlation();
    subscribe(&mut driver, gone, id, "aeron:udp?endpoint=one:40123");
    driver.close_client(gone);
    assert!(subscribe(&mut driver, client, id, "aeron:udp?endpoint=two:40123").is_empty());
    assert_eq!(driver.unanswered(), 2);
    driver.answer_oldest_name();
    assert!(driver.events().is_empty(), "it waits for another");
    driver.answer_oldest_name();
    let lines = driver.counter_lines();
    assert!(lines.iter().any(|line| line.contains("rcv-channel") && line.contains(" 127.0.0.2:40123")), "{lines:?}");
}

/// While the log of an image is being created, no command gets it, whatever its id.
#[test]
fn the_log_of_an_image_is_no_commands() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let (subscription, _) = driver.add_subscription(client, "aeron:udp?control-mode=manual");
    let place = Destination {
        client_id: client,
        correlation_id: driver.correlation(),
        registration_id: subscription,
        channel: Text::from("aeron:udp?endpoint=127.0.0.1:40123"),
    };
    driver.run(&Command::AddReceiveDestination(place));
    let endpoint = receiver_told(&mut driver).0[0].id;
    let id = next_id(&driver);
    driver.hold_requests();
    assert!(present(&mut driver, endpoint, SETUP).is_none());
    let channel = Text::from("aeron:udp?endpoint=127.0.0.1:40124");
    let other_place = Destination { correlation_id: id, channel, ..place };
    assert!(driver.run(&Command::AddReceiveDestination(other_place)).is_empty(), "it waits");
    driver.release_requests();
    let events = driver.events();
    assert!(events[0].starts_with(&format!("available image {id} ")), "{events:?}");
    assert!(events[1..].contains(&format!("success {id}")), "{events:?}");

    receiver_told(&mut driver);
    let id = next_id(&driver);
    driver.hold_requests();
    let session_id = SessionId::new(78);
    assert!(present(&mut driver, endpoint, Setup { session_id, ..SETUP }).is_none());
    let events = publish(&mut driver, client, id, NUMBERED);
    assert!(events[0].starts_with(&format!("error 11 for {id}")), "{events:?}");
    let events = publish(&mut driver, client, id, IPC);
    assert!(events[0].starts_with(&format!("error 11 for {id}")), "{events:?}");
    driver.release_requests();
    assert_eq!(driver.images().len(), 1);
}

/// Trap 26: the id of a log names one file. An image never gets an id under which a client has a resource or waits.
#[test]
fn trap_26_an_image_has_an_id_of_its_own() {
    for (waits, channel) in [(false, IPC), (true, IPC), (false, NUMBERED), (true, NUMBERED)] {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_subscription(client, "aeron:udp?endpoint=localhost:40123");
        let endpoint = receiver_told(&mut driver).0[0].id;
        let id = next_id(&driver);
        if waits {
            driver.hold_requests();
        }
        publish(&mut driver, client, id, channel);
        let image = present(&mut driver, endpoint, SETUP);
        driver.release_requests();
        let image = image.or_else(|| receiver_told(&mut driver).1.pop()).expect("an image");
        assert_ne!(image.registration_id, id.registration());
        assert_eq!(driver.log_files().len(), 2, "{:?}", driver.log_files());
    }
}
