//! Refused commands and their error codes. Nothing is left behind.

use gannet::command::{Command, Destination, RemoveDestinationById, Text};
use gannet::counters::SystemCounter;
use gannet::memory::MapError;
use gannet::types::{ClientId, CorrelationId, RegistrationId};
use gannet_driver::mailbox::{Reply, Request};

use crate::support::{Driver, IPC, STREAM};

fn refusal(driver: &mut Driver, command: &Command<'_>) -> String {
    let events = driver.run(command);
    assert_eq!(events.len(), 1, "an error and nothing else: {events:?}");
    events.into_iter().next().unwrap()
}

#[test]
fn channels_are_refused_with_the_references_codes() {
    let mut driver = Driver::new();
    let client = driver.client();
    for (channel, code) in [
        ("", 1),
        ("ipc", 1),
        ("aeron:tcp?endpoint=localhost:1", 1),
        ("aeron:udp", 1),
        ("aeron:ipc?mtu=|term-length=64k", 1),
        ("aeron:udp?control-mode=dynamic|endpoint=localhost:1", 1),
        ("aeron:ipc?mtu=1409", 11),
        ("aeron:ipc?term-length=63k", 11),
        ("aeron:ipc?term-length=64k|pub-wnd=33k", 11),
        ("aeron:ipc?session-id=abc", 11),
        ("aeron:ipc?session-id=tag:7", 11),
        ("aeron:ipc?init-term-id=1|term-id=2", 11),
        ("aeron:ipc?sparse=maybe", 11),
        // No sockets are opened here.
        ("aeron:udp?endpoint=localhost:40123", 11),
        ("aeron:udp?endpoint=localhost:0", 11),
        ("aeron:udp?endpoint=localhost:40123|control-mode=response", 11),
    ] {
        let command = driver.add_publication_command(client, channel, false);
        let error = refusal(&mut driver, &command);
        assert!(error.starts_with(&format!("error {code} for {}: ", command.correlation_id())), "{channel}: {error}");
        let command = driver.add_publication_command(client, channel, true);
        assert!(refusal(&mut driver, &command).starts_with(&format!("error {code} for")), "{channel}");
    }
    for (channel, code) in
        [("aeron-spy:aeron:udp?endpoint=localhost:40123", 11), ("aeron:udp?endpoint=localhost:40123", 11), ("x", 1)]
    {
        let command = driver.add_subscription_command(client, channel);
        assert!(refusal(&mut driver, &command).starts_with(&format!("error {code} for")), "{channel}");
    }
    assert_eq!(driver.counter_lines(), Vec::<String>::new(), "nobody was registered");
    assert_eq!(driver.log_files(), Vec::<String>::new());
}

#[test]
fn every_refusal_is_recorded_and_counted() {
    let mut driver = Driver::new();
    let client = driver.client();
    for _ in 0..3 {
        let command = driver.add_publication_command(client, "aeron:ipc?mtu=1409", false);
        refusal(&mut driver, &command);
    }
    assert_eq!(driver.system(SystemCounter::Errors), 3);
    let texts = driver.error_texts();
    assert_eq!(texts.len(), 1, "the same error, so one entry: {texts:?}");
    assert!(texts[0].starts_with("(11) ADD_PUBLICATION aeron:ipc?mtu=1409: mtu=1409"), "{texts:?}");
}

#[test]
fn what_has_no_effect_in_a_channel_is_said_once_and_refused_by_nobody() {
    let mut driver = Driver::new();
    let client = driver.client();
    let channel = "aeron:ipc?term-length=64k|term-lenght=64k|venue=x";
    for _ in 0..3 {
        let command = driver.add_publication_command(client, channel, false);
        let events = driver.run(&command);
        assert!(events.iter().all(|event| !event.starts_with("error")), "{events:?}");
    }
    let command = driver.add_subscription_command(client, channel);
    driver.run(&command);
    let expected = [
        format!("(1) warning: {channel}: the key term-lenght is not known; did you mean term-length?"),
        format!("(1) warning: {channel}: the key venue is not known"),
    ];
    assert_eq!(driver.error_texts(), expected);
    assert_eq!(driver.system(SystemCounter::Errors), 2, "the warnings, each once");
    let known = driver.add_publication_command(client, "aeron:ipc?term-length=64k|alias=a", true);
    driver.run(&known);
    assert_eq!(driver.error_texts(), expected);
}

#[test]
fn what_is_not_there_cannot_be_removed_or_given_destinations() {
    let mut driver = Driver::new();
    let client = driver.client();
    let registration_id = RegistrationId::new(4711);
    assert!(driver.remove_publication(client, registration_id, false)[0].starts_with("error 3 "));
    assert!(driver.remove_subscription(client, registration_id)[0].starts_with("error 2 "));
    assert!(driver.remove_counter(client, registration_id)[0].starts_with("error 5 "));
    let destination = Destination {
        client_id: client,
        correlation_id: driver.correlation(),
        registration_id,
        channel: Text::from("aeron:udp?endpoint=localhost:40123"),
    };
    for (command, code) in [
        (Command::AddDestination(destination), 3),
        (Command::RemoveDestination(destination), 3),
        (Command::AddReceiveDestination(destination), 2),
        (Command::RemoveReceiveDestination(destination), 2),
        (
            Command::RemoveDestinationById(RemoveDestinationById {
                client_id: client,
                correlation_id: driver.correlation(),
                registration_id,
                destination_registration_id: registration_id,
            }),
            3,
        ),
    ] {
        assert!(refusal(&mut driver, &command).starts_with(&format!("error {code} ")), "{}", command.name());
    }
}

#[test]
fn nobody_removes_what_is_another_clients() {
    let mut driver = Driver::new();
    let (owner, other) = (driver.client(), driver.client());
    let publication = driver.add_publication(owner, IPC);
    let (subscription, _) = driver.add_subscription(owner, "aeron:ipc");
    driver.add_counter(other, b"", b"");
    assert!(driver.remove_publication(other, publication.correlation.registration(), true)[0].starts_with("error 3 "));
    assert!(driver.remove_subscription(other, subscription)[0].starts_with("error 2 "));
    driver.publisher(&publication).offer(b"goes on").unwrap();
}

#[test]
fn an_id_in_use_is_refused() {
    let mut driver = Driver::new();
    let client = driver.client();
    let command = driver.add_publication_command(client, IPC, true);
    driver.run(&command);
    assert!(refusal(&mut driver, &command).starts_with("error 11 "), "twice the same command");
    let Command::AddExclusivePublication(body) = command else { unreachable!() };
    let shared = Command::AddPublication(body);
    assert!(refusal(&mut driver, &shared).starts_with("error 11 "));
    let command = driver.add_subscription_command(client, "aeron:ipc");
    driver.run(&command);
    driver.events();
    assert!(refusal(&mut driver, &command).starts_with("error 11 "));
    assert_eq!(driver.log_files().len(), 1);
}

/// Trap 71: a negative length is refused; the reference's C driver reads on.
#[test]
fn trap_71_negative_lengths_are_refused() {
    let mut driver = Driver::new();
    let client = driver.client();
    let command = driver.add_publication_command(client, IPC, false);
    let mut bytes = vec![0; command.encoded_length()];
    command.encode(&mut bytes).unwrap();
    bytes[20..24].copy_from_slice(&(-1_i32).to_le_bytes());
    driver.send_raw(command.type_id(), &bytes);
    driver.settle();
    let events = driver.events();
    assert!(events[0].starts_with(&format!("error 7 for {}", command.correlation_id())), "{events:?}");
}

#[test]
fn garbage_is_answered_with_what_can_be_read_of_it() {
    let mut driver = Driver::new();
    driver.send_raw(0x77, &[0xFF; 16]);
    driver.send_raw(0x01, &[1, 2, 3]);
    driver.send_raw(0x05, &[0; 16]);
    driver.send_raw(0x7FFF_FFFF, &[]);
    driver.settle();
    let events = driver.events();
    let starts = ["error 6 for -1", "error 7 for 0", "error 7 for 0", "error 6 for 0"];
    for (event, start) in events.iter().zip(starts) {
        assert!(event.starts_with(start), "{event}");
    }
    assert_eq!(events.len(), 4);
    assert_eq!(driver.system(SystemCounter::Errors), 4);
}

/// Trap 22: the 24-byte form of a removal.
#[test]
fn trap_22_a_removal_without_flags_is_accepted() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let mut bytes = Vec::new();
    for word in [client.get(), 4711, publication.correlation.get()] {
        bytes.extend(word.to_le_bytes());
    }
    driver.send_raw(0x02, &bytes);
    driver.settle();
    assert_eq!(driver.events(), ["success 4711"]);
}

/// Trap 19: whatever a channel contains, the answer fits into a record.
#[test]
fn trap_19_long_texts_are_cut() {
    let mut driver = Driver::new();
    let client = driver.client();
    let channel = format!("aeron:ipc?mtu={}", "9".repeat(4000));
    let command = driver.add_publication_command(client, &channel, false);
    let error = refusal(&mut driver, &command);
    assert!(error.starts_with("error 11 ") && error.len() < 4_200, "{}", error.len());
    let channel = "x".repeat(7_000);
    let command = driver.add_publication_command(client, &channel, false);
    assert!(refusal(&mut driver, &command).starts_with("error 1 "));
    assert!(driver.error_texts().iter().all(|text| text.len() < 5_000));
}

/// Trap 70: a lack of room has an error code of its own, and nothing is left behind.
#[test]
fn trap_70_and_74_a_log_that_cannot_be_made_leaves_nothing() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.hold_requests();
    let command = driver.add_publication_command(client, IPC, false);
    driver.send(&command);
    driver.settle();
    driver.answer_requests(|request| {
        let Request::CreateLog(create) = request else { panic!("{request:?}") };
        let error = MapError::NoSpace { path: create.path, needed: 200_704, available: 4096 };
        Reply::LogNotCreated { registration_id: create.registration_id, error }
    });
    let events = driver.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("error 12 for ") && events[0].contains("200704"), "{events:?}");
    assert_eq!(driver.counter_lines(), Vec::<String>::new());
    let publication = driver.add_publication(client, IPC);
    assert_eq!(driver.value(publication.limit), 0, "the next one is fine");
}

/// Trap 74: with one counter left the publication needs two, and the client one.
#[test]
fn trap_74_a_publication_without_counters_leaves_nothing() {
    for left in 0..3 {
        let mut driver = Driver::with_counters(46 + left, |_| {});
        let client = driver.client();
        let command = driver.add_publication_command(client, IPC, false);
        let error = refusal(&mut driver, &command);
        assert!(error.starts_with("error 11 ") && error.contains("counters"), "{error}");
        assert_eq!(driver.counter_lines(), Vec::<String>::new());
        driver.pass_ms(2_000);
        assert_eq!(driver.log_files(), Vec::<String>::new());
        assert_eq!(driver.system(SystemCounter::BytesCurrentlyMapped), 0);
        let (_, events) = driver.add_counter(client, b"", b"");
        assert_eq!(events.iter().any(|event| event.starts_with("error")), left < 2, "{events:?}");
    }
}

/// Without a counter for it, an image is given to no subscriber; everything else continues.
#[test]
fn a_subscription_without_a_counter_has_no_image() {
    let mut driver = Driver::with_counters(46 + 3, |_| {});
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (subscription, images) = driver.add_subscription(client, "aeron:ipc");
    assert_eq!(images.len(), 0);
    assert!(driver.error_texts()[0].contains("not linked"), "{:?}", driver.error_texts());
    assert!(driver.remove_subscription(client, subscription)[0].starts_with("success"));
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert_eq!(driver.counter_lines().len(), 1);
}

#[test]
fn every_registry_has_a_bound() {
    let mut driver = Driver::with(|config| {
        config.capacity.clients = 2;
        config.capacity.publications = 2;
        config.capacity.publication_links = 3;
        config.capacity.subscriptions = 2;
    });
    let (client, other, third) = (driver.client(), driver.client(), driver.client());
    let first = driver.add_exclusive_publication(client, IPC);
    driver.add_publication(client, IPC);
    driver.events();
    let full = |driver: &mut Driver, command: &Command<'_>, what: &str| {
        let error = refusal(driver, command);
        assert!(error.starts_with("error 11 ") && error.contains(what), "{error}");
    };
    let command = driver.add_publication_command(client, IPC, true);
    full(&mut driver, &command, "more publications than 2");
    driver.add_publication(other, IPC);
    let command = driver.add_publication_command(client, IPC, false);
    full(&mut driver, &command, "more holds on publications than 3");
    let command = driver.add_subscription_command(third, "aeron:ipc");
    full(&mut driver, &command, "more clients than 2");
    driver.add_subscription(client, "aeron:ipc");
    driver.add_subscription(client, "aeron:ipc");
    let command = driver.add_subscription_command(client, "aeron:ipc");
    full(&mut driver, &command, "more subscriptions than 2");
    driver.remove_publication(client, first.correlation.registration(), false);
    driver.pass_with(3_000, |driver| {
        driver.beat(client);
        driver.beat(other);
    });
    driver.add_exclusive_publication(client, IPC);
}

#[test]
fn a_correlation_id_of_any_value_is_a_name_like_any_other() {
    let mut driver = Driver::new();
    for id in [i64::MIN, -1, 0, i64::MAX] {
        let command = Command::AddExclusivePublication(gannet::command::AddPublication {
            client_id: ClientId::new(id),
            correlation_id: CorrelationId::new(id),
            stream_id: STREAM,
            channel: Text::from(IPC),
        });
        let events = driver.run(&command);
        assert!(events[1].starts_with(&format!("exclusive publication {id} of {id} ")), "{events:?}");
    }
}
