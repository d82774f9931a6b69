//! Which publications can be shared, and which sessions a stream may have.

use gannet_driver::mailbox::SenderCommand;

use crate::support::{Driver, IPC};

fn error_of(driver: &mut Driver, channel: &str, exclusive: bool) -> String {
    let client = driver.client();
    let command = driver.add_publication_command(client, channel, exclusive);
    let events = driver.run(&command);
    assert_eq!(events.len(), 1, "an error and nothing else: {events:?}");
    events.into_iter().next().unwrap()
}

#[test]
fn publishers_of_a_stream_share_one_log() {
    let mut driver = Driver::new();
    let (first, second) = (driver.client(), driver.client());
    let original = driver.add_publication(first, IPC);
    let command = driver.add_publication_command(second, "aeron:ipc", false);
    let id = command.correlation_id();
    let events = driver.run(&command);
    assert_eq!(
        events,
        [format!("counter {second} #49"), format!("publication {id} of {} limit #47 status -1", original.original)]
    );
    assert_eq!(driver.log_files().len(), 1);
}

#[test]
fn exclusive_publications_share_nothing() {
    let mut driver = Driver::new();
    let client = driver.client();
    let first = driver.add_exclusive_publication(client, IPC);
    let second = driver.add_exclusive_publication(client, IPC);
    let shared = driver.add_publication(client, IPC);
    assert!(first.session != second.session && second.session != shared.session);
    assert_eq!(second.original, second.correlation.registration(), "both ids of an exclusive one are the same");
    assert_eq!(driver.log_files().len(), 3);
}

#[test]
fn a_publication_is_gone_with_its_last_holder() {
    let mut driver = Driver::new();
    let (first, second) = (driver.client(), driver.client());
    let original = driver.add_publication(first, IPC);
    let shared = driver.add_publication(second, IPC);
    driver.remove_publication(first, original.correlation.registration(), false);
    driver.pass_with(3_000, |driver| driver.beat(second));
    assert_eq!(driver.log_files().len(), 1, "the other one holds it");
    driver.remove_publication(second, shared.correlation.registration(), false);
    driver.pass_with(3_000, |driver| driver.beat(second));
    assert_eq!(driver.log_files().len(), 0);
}

/// A client that dies releases each of its links, of which it may have several to one publication, and no more than
/// those.
#[test]
fn a_dead_client_gives_back_all_of_its_holds() {
    let mut driver = Driver::with_network();
    let (dying, living) = (driver.client(), driver.client());
    let network = "aeron:udp?endpoint=127.0.0.1:40123|term-length=64k";
    for channel in [IPC, network] {
        for client in [dying, living, dying, dying] {
            driver.add_publication(client, channel);
        }
    }
    let alone = driver.add_exclusive_publication(dying, IPC);
    driver.close_client(dying);
    driver.pass_with(3_000, |driver| driver.beat(living));
    assert!(!alone.path.exists());
    assert_eq!(driver.log_files().len(), 2, "the other client holds these");
    let ended = |driver: &mut Driver| {
        let commands = std::iter::from_fn(|| driver.conductor.poll_sender_command());
        commands.filter(|command| matches!(command, SenderCommand::EndPublication { .. })).count()
    };
    assert_eq!(ended(&mut driver), 0);
    driver.close_client(living);
    driver.pass_ms(3_000);
    assert_eq!((driver.log_files().len(), ended(&mut driver)), (1, 1), "one lingers on the network");
}

#[test]
fn what_a_sharer_states_must_be_so() {
    let mut driver = Driver::new();
    let client = driver.client();
    let channel = format!("{IPC}|mtu=1408|session-id=77|init-term-id=7|term-id=9|term-offset=128");
    driver.add_publication(client, &channel);
    for (stated, key) in [
        ("mtu=1344", "mtu"),
        ("term-length=128k", "term-length"),
        ("session-id=78", "session-id"),
        ("term-length=64k|init-term-id=7|term-id=9|term-offset=160", "term-offset"),
    ] {
        let error = error_of(&mut driver, &format!("aeron:ipc?{stated}"), false);
        assert!(error.starts_with("error 11 ") && error.contains(key), "{error}");
    }
    driver.add_publication(client, "aeron:ipc?session-id=77|linger=7s|sparse=false|pub-wnd=4k|tags=1,2");
}

#[test]
fn two_publications_of_a_stream_cannot_have_one_session() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_exclusive_publication(client, &format!("{IPC}|session-id=77"));
    let error = error_of(&mut driver, &format!("{IPC}|session-id=77"), true);
    assert!(error.starts_with("error 1 ") && error.contains("clashing session"), "{error}");
    // It drains, since it has an unread message.
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    driver.exclusive_publisher(&publication).offer(b"unread").unwrap();
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(2_000, |driver| driver.beat(client));
    let error = error_of(&mut driver, &format!("{IPC}|session-id=77"), true);
    assert!(error.starts_with("error 1 "), "a draining one counts too: {error}");
    crate::support::drain(&mut driver.reader(&images[0]));
    driver.pass_with(1_000, |driver| driver.beat(client));
    driver.add_exclusive_publication(client, &format!("{IPC}|session-id=77"));
}

#[test]
fn sessions_follow_one_another_and_keep_out_of_the_reserved_range() {
    let mut driver = Driver::with(|config| {
        config.reserved_session_id_low = i32::MIN;
        config.reserved_session_id_high = 999;
    });
    let client = driver.client();
    let mut last = None;
    for _ in 0..4 {
        let session = driver.add_exclusive_publication(client, IPC).session;
        assert!(session >= 1000);
        if let Some(last) = last {
            assert!(session == last + 1 || session == 1000, "{session} after {last}");
        }
        last = Some(session);
    }
}

#[test]
fn a_client_can_ask_for_a_session_that_is_free() {
    let mut driver = Driver::new();
    let client = driver.client();
    let events = driver.next_session_id(client);
    assert_eq!(events, ["session id for 2"]);
    assert_eq!(driver.counter_lines(), Vec::<String>::new(), "asking registers nobody");
}
