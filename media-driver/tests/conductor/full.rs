//! The driver has a limited number of counters, and each step of an addition may exceed it. A refused addition leaves
//! nothing behind, and a successful one has everything it needs.

use gannet::command::{Command, Destination, Text};
use gannet::counters::SystemCounter;
use gannet::protocol::Setup;
use gannet_driver::mailbox::{ReceiverCommand, ReceiverEvent, SenderCommand, SenderEvent};
use gannet_driver::shared::{Condition, Receivers};
use std::net::Ipv4Addr;

use crate::network::SETUP;
use crate::support::*;

/// More counters than anything here needs.
const ENOUGH: usize = 24;

/// Acts for the agents: resources are released at once, and the setup of a wanted stream arrives.
fn play(driver: &mut Driver, presents: bool) {
    let mut wanted = Vec::new();
    loop {
        let mut is_done = true;
        while let Some(command) = driver.conductor.poll_sender_command() {
            is_done = false;
            match command {
                SenderCommand::AddPublication(_, made_of) => {
                    made_of.words.set_receivers(Receivers { alive: false, enough: false, left: true });
                }
                SenderCommand::RemovePublication(id) => {
                    driver.conductor.on_sender_event(SenderEvent::PublicationRemoved(id));
                }
                _ => {}
            }
        }
        while let Some(command) = driver.conductor.poll_receiver_command() {
            is_done = false;
            match command {
                ReceiverCommand::AddStream(endpoint, _) => wanted.push(endpoint),
                ReceiverCommand::AddImage(_, made_of) => made_of.words.set_condition(Condition::Silent),
                ReceiverCommand::RemoveImage(id) => driver.conductor.on_receiver_event(ReceiverEvent::ImageRemoved(id)),
                _ => {}
            }
        }
        for endpoint in wanted.drain(..).filter(|_| presents) {
            let source = ([10, 0, 0, 9], 20_000).into();
            let setup = Setup { mtu: 1408, ..SETUP };
            let event = ReceiverEvent::CreateImage { endpoint, transport: endpoint, setup, source, control: source };
            driver.conductor.on_receiver_event(event);
        }
        driver.settle();
        if is_done {
            return;
        }
    }
}

/// Repeats an addition with room for more and more counters, then drops its client. Returns the number with which it
/// succeeded.
fn sweep(add: impl Fn(&mut Driver) -> Vec<String>) -> Vec<usize> {
    let mut made = Vec::new();
    for spare in 0..ENOUGH {
        let mut driver = Driver::with_counters(SystemCounter::ALL.len() + spare, |config| {
            config.client_liveness_timeout_ns = 1_000_000_000;
        });
        driver.names = Some([("localhost", Ipv4Addr::LOCALHOST.into())].into());
        let events = add(&mut driver);
        let is_refused = events.iter().any(|event| event.starts_with("error "));
        assert!(is_refused || events.iter().any(|event| !event.starts_with("counter ")), "{spare}: {events:?}");
        if is_refused {
            assert!(events.iter().any(|event| event.starts_with("error 11 ")), "{spare}: {events:?}");
        } else {
            made.push(spare);
        }
        play(&mut driver, true);
        for _ in 0..40 {
            driver.pass_ms(1_000);
            play(&mut driver, false);
        }
        let left = (driver.counter_lines(), driver.log_files(), driver.sockets.len());
        assert_eq!(left, (vec![], vec![], 0), "{spare}: {events:?}");
    }
    made
}

fn publish(channel: &'static str) -> Vec<usize> {
    sweep(|driver| {
        let client = driver.client();
        let command = driver.add_publication_command(client, channel, true);
        driver.run(&command)
    })
}

#[test]
fn a_publication_is_made_with_all_of_its_counters_or_not_at_all() {
    let from = |least: usize| (least..ENOUGH).collect::<Vec<_>>();
    assert_eq!(publish("aeron:ipc?term-length=64k"), from(3), "position, limit, heartbeat");
    assert_eq!(
        publish("aeron:udp?endpoint=127.0.0.1:40123|term-length=64k"),
        from(9),
        "two of its endpoint, six, heartbeat"
    );
    let group = "aeron:udp?control=127.0.0.1:40123|control-mode=dynamic|fc=min|term-length=64k";
    assert_eq!(publish(group), from(11), "destinations and receivers, too");
}

#[test]
fn a_subscription_is_made_with_all_of_its_counters_or_not_at_all() {
    let subscribe = |channel: &'static str| {
        sweep(|driver| {
            let client = driver.client();
            let command = driver.add_subscription_command(client, channel);
            driver.run(&command)
        })
    };
    let from = |least: usize| (least..ENOUGH).collect::<Vec<_>>();
    assert_eq!(subscribe("aeron:ipc"), from(1), "heartbeat");
    assert_eq!(subscribe("aeron:udp?endpoint=127.0.0.1:40123|cc=cubic"), from(3), "two of its endpoint, heartbeat");
    assert_eq!(subscribe("aeron-spy:aeron:udp?endpoint=127.0.0.1:40123"), from(1), "heartbeat");
}

#[test]
fn a_place_is_made_with_its_counter_or_not_at_all() {
    let made = sweep(|driver| {
        let client = driver.client();
        let command = driver.add_subscription_command(client, "aeron:udp?control-mode=manual");
        let mut events = driver.run(&command);
        if !events.iter().any(|event| event.starts_with("error ")) {
            events.extend(driver.run(&Command::AddReceiveDestination(Destination {
                client_id: client,
                correlation_id: driver.correlation(),
                registration_id: command.correlation_id().registration(),
                channel: Text::from("aeron:udp?endpoint=127.0.0.1:40123"),
            })));
        }
        events
    });
    assert_eq!(made, (3..ENOUGH).collect::<Vec<_>>(), "status, heartbeat, local address");
}
