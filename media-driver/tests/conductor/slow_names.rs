//! Names are looked up by another thread, and a name server may be slow or not answer. Commands without names do not
//! wait for it.

use gannet::command::{Command, Destination, Text};
use gannet::types::{ClientId, RegistrationId};
use gannet_driver::mailbox::{LOOKUP_LIMIT, MAX_RECEIVE_TRANSPORTS, NamedPlace, SenderCommand, SenderEvent};

use crate::support::{Driver, IPC};

const NAMED: &str = "aeron:udp?endpoint=localhost:40123|term-length=64k";

fn silent_driver() -> Driver {
    let mut driver = Driver::with_network();
    driver.silence_names();
    driver
}

/// Sends a command that waits for a name.
fn wait(driver: &mut Driver, client: ClientId) -> RegistrationId {
    let command = driver.add_subscription_command(client, NAMED);
    assert_eq!(driver.run(&command), Vec::<String>::new());
    command.correlation_id().registration()
}

/// Trap 31: while one client waits for a name, others add, publish, remove and close.
#[test]
fn trap_31_a_slow_name_holds_up_its_own_client_alone() {
    let mut driver = silent_driver();
    let (slow, other) = (driver.client(), driver.client());
    let waits = wait(&mut driver, slow);
    let publication = driver.add_publication(other, IPC);
    let (subscription, images) = driver.add_subscription(other, "aeron:ipc");
    assert_eq!(images.len(), 1);
    let (_, events) = driver.add_counter(other, b"key", b"label");
    assert!(events[0].starts_with("counter "), "{events:?}");
    let numbered = driver.add_exclusive_publication(other, "aeron:udp?endpoint=127.0.0.1:40124|term-length=64k");
    assert_ne!(numbered.original, publication.original, "a channel without names needs no lookup");
    assert!(driver.remove_subscription(other, subscription)[0].starts_with("success "));
    driver.close_client(other);
    driver.pass_ms(3_000);
    assert!(!publication.path.exists(), "what the other had is taken back");
    assert_eq!(driver.unanswered(), 1);
    driver.events();
    driver.answer_name();
    let events = driver.events();
    assert!(events[1].starts_with(&format!("subscription {waits} status ")), "{events:?}");
}

/// A client's commands take effect in the order in which it sent them, whichever of them waits.
#[test]
fn a_client_s_own_commands_stay_in_order() {
    let mut driver = silent_driver();
    let client = driver.client();
    let waits = wait(&mut driver, client);
    let (counter, events) = driver.add_counter(client, b"key", b"label");
    assert_eq!(events, Vec::<String>::new());
    let second = driver.add_subscription_command(client, "aeron:udp?endpoint=localhost:40124");
    let ipc = driver.add_subscription_command(client, "aeron:ipc");
    driver.send(&second);
    driver.send(&ipc);
    driver.settle();
    assert_eq!((driver.events(), driver.unanswered()), (Vec::new(), 1), "one after the other");
    driver.answer_name();
    let told = |events: Vec<String>| -> Vec<String> {
        let answers = events.iter().filter(|event| !event.starts_with(&format!("counter {client} ")));
        answers.map(|event| event.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(told(driver.events()), [format!("subscription {waits}"), format!("counter {counter}")]);
    driver.answer_name();
    let ids = [&second, &ipc].map(|command| command.correlation_id());
    assert_eq!(told(driver.events()), ids.map(|id| format!("subscription {id}")));
}

/// Keepalives and the end of a client wait for nothing. What the client waited for is not created any more.
#[test]
fn a_client_that_goes_waits_no_more() {
    let mut driver = silent_driver();
    let client = driver.client();
    driver.add_publication(client, IPC);
    wait(&mut driver, client);
    driver.add_counter(client, b"key", b"label");
    driver.step_wall_clock_ms(5);
    driver.keepalive(client);
    let heartbeat = driver.counters.find(11, RegistrationId::new(client.get())).unwrap();
    assert_eq!(driver.value(heartbeat), driver.now_ms());
    driver.close_client(client);
    driver.pass_ms(5_000);
    driver.events();
    driver.answer_name();
    assert_eq!((driver.events(), driver.counter_lines()), (Vec::new(), Vec::new()));
}

/// Lookups that are answered out of order are matched with the commands that wait for them, and many waiting commands
/// leave room for requests for logs.
#[test]
fn lookups_are_bounded_and_answered_in_any_order() {
    let mut driver = silent_driver();
    let clients: Vec<ClientId> = (0..20).map(|_| driver.client()).collect();
    let ids: Vec<RegistrationId> = clients.iter().map(|client| wait(&mut driver, *client)).collect();
    assert_eq!(driver.unanswered(), LOOKUP_LIMIT - 1);
    let other = driver.client();
    driver.add_publication(other, IPC);
    let mut added = Vec::new();
    while driver.unanswered() > 0 {
        driver.answer_name();
        let events = driver.events();
        let ready = events.iter().find_map(|event| event.strip_prefix("subscription "));
        added.push(ready.and_then(|ready| ready.split(' ').next()).expect("a subscription").to_owned());
    }
    assert_ne!(added[0], ids[0].to_string(), "the newest lookup is answered first");
    added.sort();
    let mut ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    ids.sort();
    assert_eq!(added, ids);
}

/// A client that sends very much behind a name without an answer has the rest refused, and others are served.
#[test]
fn nobody_is_held_up_by_what_another_sends_behind_a_slow_name() {
    let mut driver = silent_driver();
    let (flooding, other) = (driver.client(), driver.client());
    let waits = wait(&mut driver, flooding);
    let label = "x".repeat(4_000);
    let mut refusals = Vec::new();
    for _ in 0..400 {
        let (_, events) = driver.add_counter(flooding, b"key", label.as_bytes());
        refusals.extend(events);
    }
    let is_mild = |refusal: &String| refusal.starts_with("error 10 ") && refusal.contains("try again");
    assert!(refusals.iter().all(is_mild), "{refusals:?}");
    let kept = 400 - refusals.len();
    assert!((200..300).contains(&kept), "{kept} kept");
    driver.add_publication(other, IPC);
    driver.answer_name();
    let events = driver.events();
    assert!(events.iter().any(|event| event.starts_with(&format!("subscription {waits} "))), "{events:?}");
    assert_eq!(events.iter().filter(|event| event.starts_with("counter ")).count(), kept + 1);
    assert!(driver.error_texts().is_empty(), "whoever may try again is no matter for people");
}

/// However many clients wait for names without an answer, clients without names are served, and those with names may
/// try again.
#[test]
fn nobody_is_held_up_by_many_who_wait_for_names() {
    let mut driver = silent_driver();
    let mut refused = 0;
    for _ in 0..100 {
        let client = driver.client();
        let command = driver.add_subscription_command(client, NAMED);
        match &driver.run(&command)[..] {
            [] => assert_eq!(refused, 0),
            [refusal] => {
                assert!(refusal.starts_with("error 10 ") && refusal.contains("try again"), "{refusal}");
                refused += 1;
            }
            events => panic!("{events:?}"),
        }
    }
    assert_eq!(refused, 36);
    let client = driver.client();
    driver.add_publication(client, IPC);
    driver.add_exclusive_publication(client, "aeron:udp?endpoint=127.0.0.1:40124|term-length=64k");
    while driver.unanswered() > 0 {
        driver.answer_name();
    }
    driver.events();
    wait(&mut driver, client);
}

/// The id of a waiting command counts as used.
#[test]
fn an_id_that_waits_is_in_use() {
    let mut driver = silent_driver();
    let (client, other) = (driver.client(), driver.client());
    let command = driver.add_subscription_command(client, NAMED);
    driver.run(&command);
    let Command::AddSubscription(mut same) = command else { panic!("{command:?}") };
    (same.client_id, same.channel) = (other, Text::from("aeron:ipc"));
    let events = driver.run(&Command::AddSubscription(same));
    assert!(events[0].starts_with("error "), "{events:?}");
}

/// Room that other commands have taken meanwhile is gone.
#[test]
fn bounds_hold_for_those_who_waited() {
    let mut driver = Driver::with(|config| config.capacity.subscriptions = 1);
    driver.names = Some([("localhost", [127, 0, 0, 1].into())].into());
    driver.silence_names();
    let (client, other) = (driver.client(), driver.client());
    wait(&mut driver, client);
    driver.add_subscription(other, "aeron:ipc");
    driver.answer_name();
    let events = driver.events();
    assert!(events[0].starts_with("error ") && events[0].contains("subscriptions"), "{events:?}");
}

/// Of two clients that share an endpoint with room for one more destination, one gets it, whichever began to wait
/// first.
#[test]
fn an_endpoint_has_no_more_places_than_it_may_because_names_are_slow() {
    const MANY: &str = "aeron:udp?control-mode=manual|tags=1";
    let mut driver = Driver::with_network();
    let (first, second) = (driver.client(), driver.client());
    let subscriptions = [first, second].map(|client| (client, driver.add_subscription(client, MANY).0));
    let add = |driver: &mut Driver, (client_id, registration_id), channel: &str| {
        let correlation_id = driver.correlation();
        let channel = Text::from(channel);
        driver.run(&Command::AddReceiveDestination(Destination { client_id, correlation_id, registration_id, channel }))
    };
    for port in 1..MAX_RECEIVE_TRANSPORTS {
        let added = add(&mut driver, subscriptions[0], &format!("aeron:udp?endpoint=127.0.0.1:{port}"));
        assert!(added[0].starts_with("success "), "{added:?}");
    }
    driver.silence_names();
    for (subscription, port) in subscriptions.into_iter().zip(100..) {
        assert!(add(&mut driver, subscription, &format!("aeron:udp?endpoint=localhost:{port}")).is_empty());
    }
    driver.answer_oldest_name();
    driver.answer_oldest_name();
    let events = driver.events();
    assert!(events[0].starts_with("success ") && events[1].starts_with("error "), "{events:?}");
    assert!(events[1].contains("destinations of one subscription"), "{events:?}");
    let sockets = driver.counter_lines().into_iter().filter(|line| line.contains("rcv-local-sockaddr")).count();
    assert_eq!(sockets, MAX_RECEIVE_TRANSPORTS);
}

/// Names of silent peers are looked up one after another, and leave room for commands.
#[test]
fn names_of_silent_peers_are_looked_up_one_at_a_time() {
    let mut driver = Driver::with_network();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, "aeron:udp?control-mode=manual|term-length=64k");
    for channel in [1, 2, 3].map(|port| format!("aeron:udp?endpoint=localhost:{port}")) {
        let command = Command::AddDestination(Destination {
            client_id: client,
            correlation_id: driver.correlation(),
            registration_id: publication.original,
            channel: Text::from(&*channel),
        });
        driver.run(&command);
        driver.conductor.poll_sender_command();
    }
    driver.silence_names();
    let mut places = Vec::new();
    driver.pass_with(1_000, |driver| driver.beat(client));
    while let Some(command) = driver.conductor.poll_sender_command() {
        if let SenderCommand::TellIfSilent(place) = command {
            places.push(place);
        }
    }
    assert!(places.len() == 3 && places.iter().all(|place| matches!(place, NamedPlace::Destination(..))));
    for place in places {
        driver.conductor.on_sender_event(SenderEvent::Silent(place));
    }
    driver.settle();
    assert_eq!(driver.unanswered(), 1);
    wait(&mut driver, client);
    assert_eq!(driver.unanswered(), 2);
    for left in [1, 1, 1, 0] {
        driver.answer_name();
        driver.cycle();
        assert_eq!(driver.unanswered(), left);
    }
}
