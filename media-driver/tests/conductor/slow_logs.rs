//! Logs are created and deleted by another thread, which takes time. Nothing else waits for it.

use std::collections::HashMap;

use gannet::command::{AddCounter, AddPublication, Command, Text};
use gannet::counters::SystemCounter;
use gannet::memory::Reserve;
use gannet::types::{ClientId, RegistrationId, StreamId};
use gannet_driver::mailbox::{LOGS_LIMIT, ReceiverEvent, Reply, Request, SenderEvent};

use crate::network::{SETUP, receiver_told};
use crate::raw_access::RAW;
use crate::support::{Driver, IPC, drain, fill};

#[test]
fn other_streams_go_on_while_a_log_is_made() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (_, images) = driver.add_subscription(client, "aeron:ipc");
    driver.hold_requests();
    driver.send(&driver.add_publication_command(client, "aeron:ipc?session-id=1", true));
    driver.settle();
    let publisher = driver.publisher(&publication);
    let mut reader = driver.reader(&images[0]);
    for _ in 0..10 {
        fill(&publisher, 992);
        assert!(drain(&mut reader) > 0);
        driver.cycle();
    }
    assert!(publisher.position().get() > 2 * 65_536, "the limit kept moving");
    driver.events();
    driver.release_requests();
    let events = driver.events();
    assert!(events[0].starts_with("exclusive publication "), "{events:?}");
}

const OTHER_STREAM: &str = "aeron:ipc?term-length=64k|alias=other";

/// A command that adds a publication on a stream other than the usual.
fn on_stream(driver: &Driver, client: ClientId, channel: &'static str, stream: i32) -> Command<'static> {
    Command::AddPublication(AddPublication {
        client_id: client,
        correlation_id: driver.correlation(),
        stream_id: StreamId::new(stream),
        channel: Text::from(channel),
    })
}

/// The events, without those about new clients.
fn told(driver: &mut Driver) -> Vec<String> {
    driver.events().into_iter().filter(|event| !event.starts_with("counter ")).collect()
}

fn begins(events: &[String], beginnings: &[String]) -> bool {
    events.len() == beginnings.len() && events.iter().zip(beginnings).all(|(event, start)| event.starts_with(start))
}

/// While one client waits for a log, others subscribe, publish and remove, and what they added is there for it.
#[test]
fn a_slow_log_holds_up_its_own_client_alone() {
    let mut driver = Driver::new();
    let (slow, other) = (driver.client(), driver.client());
    driver.hold_logs();
    let publication = driver.add_publication_command(slow, IPC, false);
    driver.run(&publication);
    let publication = publication.correlation_id();
    let (subscription, images) = driver.add_subscription(other, "aeron:ipc");
    assert!(images.is_empty());
    let (_, events) = driver.add_counter(other, b"key", b"label");
    assert!(events[0].starts_with("counter "), "{events:?}");
    let second = on_stream(&driver, other, OTHER_STREAM, 7);
    assert_eq!((driver.run(&second), driver.held()), (Vec::new(), 2));
    driver.release_newest_request();
    assert!(
        begins(&told(&mut driver), &[format!("publication {} ", second.correlation_id())]),
        "the other's is there first"
    );
    driver.remove_publication(other, second.correlation_id().registration(), false);
    driver.release_requests();
    let expected =
        [format!("publication {publication} "), format!("available image {publication} for {subscription} ")];
    let events = told(&mut driver);
    assert!(begins(&events, &expected), "{events:?}");
}

/// A client's commands take effect in the order in which it sent them. But it may close, and send keepalives.
#[test]
fn a_client_s_own_commands_stay_behind_its_log() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_counter(client, b"key", b"label");
    driver.hold_logs();
    let publication = driver.add_publication_command(client, IPC, false);
    driver.run(&publication);
    let (counter, events) = driver.add_counter(client, b"key", b"label");
    assert_eq!(events, Vec::<String>::new());
    driver.remove_publication(client, publication.correlation_id().registration(), false);
    driver.step_wall_clock_ms(5);
    driver.keepalive(client);
    let heartbeat = driver.counters.find(11, RegistrationId::new(client.get())).unwrap();
    assert_eq!(driver.value(heartbeat), driver.now_ms());
    driver.release_requests();
    let events = driver.events();
    let starts =
        [format!("publication {} ", publication.correlation_id()), format!("counter {counter} "), "success ".into()];
    assert!(begins(&events, &starts), "{events:?}");
}

/// Two clients that add the same publication share it, however close together; and a session id belongs to one
/// publication.
#[test]
fn what_may_be_the_same_publication_waits_for_it() {
    let mut driver = Driver::with_network();
    let [first, second, third] = [(); 3].map(|()| driver.client());
    for channel in [IPC, "aeron:udp?endpoint=127.0.0.1:40123|term-length=64k"] {
        driver.hold_logs();
        let original = driver.add_publication_command(first, channel, false);
        let shared = driver.add_publication_command(second, channel, false);
        assert_eq!((driver.run(&original).len(), driver.run(&shared).len(), driver.held()), (0, 0, 1), "{channel}");
        driver.release_requests();
        let (original, shared) = (original.correlation_id(), shared.correlation_id());
        let events = told(&mut driver);
        let starts = [format!("publication {original} of {original} "), format!("publication {shared} of {original} ")];
        assert!(begins(&events, &starts), "{events:?}");
    }
    driver.hold_logs();
    let channel = "aeron:ipc?term-length=64k|session-id=5";
    let taken = driver.add_publication_command(first, channel, true);
    let clash = driver.add_publication_command(third, channel, true);
    driver.run(&taken);
    driver.run(&clash);
    driver.release_requests();
    let events = told(&mut driver);
    let starts = [format!("exclusive publication {} ", taken.correlation_id()), "error ".to_owned()];
    assert!(begins(&events, &starts) && events[1].contains("session"), "{events:?}");
}

/// Session ids that are chosen while logs are being created differ, whichever client they are for.
#[test]
fn sessions_of_publications_in_the_making_are_taken() {
    let mut driver = Driver::new();
    let clients = [(); 3].map(|()| driver.client());
    driver.hold_logs();
    for (stream, client) in (1..).zip(clients) {
        let command = on_stream(&driver, client, OTHER_STREAM, stream);
        driver.run(&command);
    }
    let other = driver.client();
    let next = driver.next_session_id(other);
    driver.release_requests();
    let mut sessions: Vec<i32> = driver
        .log_files()
        .iter()
        .map(|file| crate::support::open(&driver.directory().join(file)).session_id().get())
        .collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 3);
    assert!(sessions.iter().all(|session| !next[0].contains(&session.to_string())), "{next:?} and {sessions:?}");
}

/// The request of a client that is gone before it is executed is dropped, whether the client closed or died.
#[test]
fn what_a_client_that_goes_has_asked_for_is_given_up() {
    for (channel, says_so) in [(IPC, true), (IPC, false), ("aeron:udp?endpoint=127.0.0.1:40123|term-length=64k", true)]
    {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_counter(client, b"key", b"label");
        driver.hold_logs();
        driver.run(&driver.add_publication_command(client, channel, false));
        if says_so {
            driver.close_client(client);
        }
        driver.pass_ms(15_000);
        driver.events();
        driver.release_requests();
        driver.pass_ms(15_000);
        assert_eq!(driver.events(), Vec::<String>::new(), "{channel}");
        assert_eq!((driver.counter_lines(), driver.log_files()), (Vec::new(), Vec::new()), "{channel}");
        assert!(driver.sockets.is_empty());
        assert_eq!(driver.system(SystemCounter::BytesCurrentlyMapped), 0);
    }
}

/// A client that dies while its channel is resolved, or while its socket is opened, leaves nothing behind, and is not
/// registered again.
#[test]
fn what_a_client_that_died_waits_for_brings_it_not_back() {
    for answered in 0..2 {
        let mut driver = Driver::with_network();
        let client = driver.client();
        driver.add_counter(client, b"key", b"label");
        driver.hold_requests();
        let command = driver.add_subscription_command(client, "aeron:udp?endpoint=127.0.0.1:40123");
        driver.run(&command);
        (0..answered).for_each(|_| driver.release_newest_request());
        driver.pass_ms(15_000);
        driver.events();
        driver.release_requests();
        assert_eq!((driver.events(), driver.counter_lines()), (Vec::new(), Vec::new()), "{answered} answered");
        assert!(driver.sockets.is_empty());
        let other = driver.client();
        driver.add_subscription(other, "aeron:udp?endpoint=127.0.0.1:40123");
    }
}

/// An endpoint stays while a publication that will use it waits for its log.
#[test]
fn an_endpoint_is_kept_for_a_publication_in_the_making() {
    let mut driver = Driver::with_network();
    let (first, second) = (driver.client(), driver.client());
    let channel = "aeron:udp?endpoint=127.0.0.1:40123|term-length=64k|linger=0";
    let publication = driver.add_publication(first, channel);
    driver.add_counter(second, b"key", b"label");
    driver.hold_logs();
    driver.run(&on_stream(&driver, second, channel, 7));
    driver.remove_publication(first, publication.original, false);
    driver.pass_with(10_000, |driver| {
        driver.beat(second);
        driver.conductor.on_sender_event(SenderEvent::PublicationRemoved(publication.original));
    });
    driver.events();
    driver.release_requests();
    let events = told(&mut driver);
    assert!(events[0].starts_with("publication "), "{events:?}");
    assert_eq!(driver.sockets.len(), 1);
}

/// No more logs are created at once than there is room for, and all are created in the end.
#[test]
fn logs_that_are_made_at_once_are_bounded() {
    let mut driver = Driver::new();
    let clients: Vec<_> = (0..3 * LOGS_LIMIT).map(|_| driver.client()).collect();
    driver.hold_logs();
    for (stream, client) in (1..).zip(&clients) {
        let command = on_stream(&driver, *client, OTHER_STREAM, stream);
        driver.run(&command);
    }
    assert_eq!(driver.held(), LOGS_LIMIT);
    driver.release_requests();
    assert_eq!(told(&mut driver).len(), clients.len());
}

/// A log that is being created counts towards the limit, also for images.
#[test]
fn a_log_in_the_making_counts() {
    let mut driver = Driver::with(|config| config.capacity.publications = 1);
    driver.names = Some(HashMap::new());
    let (client, other) = (driver.client(), driver.client());
    driver.add_subscription(client, "aeron:udp?endpoint=127.0.0.1:40124");
    let endpoint = receiver_told(&mut driver).0[0].id;
    driver.hold_logs();
    driver.run(&driver.add_publication_command(client, IPC, false));
    let second = on_stream(&driver, other, OTHER_STREAM, 7);
    let refusal = &driver.run(&second)[0];
    assert!(refusal.starts_with("error ") && refusal.contains("publications"), "{refusal}");
    let source = ([10, 0, 0, 9], 20_000).into();
    let event = ReceiverEvent::CreateImage { endpoint, transport: endpoint, setup: SETUP, source, control: source };
    driver.conductor.on_receiver_event(event);
    driver.settle();
    let told = receiver_told(&mut driver).2;
    assert!(told.iter().any(|told| told.starts_with("RefuseImage")) && driver.held() == 1, "{told:?}");
}

/// However much a client sends behind a log, nothing of it is refused: the excess stays in the ring, with that of
/// others.
#[test]
fn a_flood_behind_a_log_stays_in_the_ring() {
    let mut driver = Driver::new();
    let (flooding, other) = (driver.client(), driver.client());
    driver.hold_logs();
    driver.run(&driver.add_publication_command(flooding, IPC, false));
    let label = "x".repeat(4_000);
    let add = |driver: &mut Driver, client: ClientId| {
        let (correlation_id, label) = (driver.correlation(), Text::from(&*label));
        let add = AddCounter { client_id: client, correlation_id, type_id: 1001, key: b"key", label };
        let command = Command::AddCounter(add);
        let mut bytes = vec![0; command.encoded_length()];
        command.encode(&mut bytes).unwrap();
        driver.ring.write(command.type_id(), &bytes).is_ok()
    };
    let mut sent = 0;
    while add(&mut driver, flooding) {
        sent += 1;
        driver.settle();
        assert!(sent < 1_000, "the ring never fills up");
    }
    assert!(sent > 128, "{sent}: the ring and more");
    assert_eq!(driver.events(), Vec::<String>::new(), "neither done nor refused");
    driver.release_requests();
    // A duty cycle may find only the ring's end, and do no work.
    driver.settle();
    let events = driver.events();
    assert_eq!(events.iter().filter(|event| event.starts_with("counter ")).count(), sent + 1, "{events:?}");
    assert!(add(&mut driver, other));
    driver.settle();
    assert_eq!(driver.events().len(), 2);
}

#[test]
fn a_log_that_cannot_be_deleted_is_tried_again_and_counted() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.hold_requests();
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert!(publication.path.exists());
    driver.answer_requests(|request| {
        let Request::DeleteLog(delete) = request else { panic!("{request:?}") };
        let error = std::io::ErrorKind::ResourceBusy.into();
        Reply::LogNotDeleted { registration_id: delete.registration_id, path: delete.path, error }
    });
    assert_eq!(driver.system(SystemCounter::FreeFails), 1);
    assert!(driver.error_texts()[0].contains("failed to delete"), "{:?}", driver.error_texts());
    driver.pass_with(1_000, |driver| driver.beat(client));
    assert!(!publication.path.exists());
    assert_eq!(driver.system(SystemCounter::FreeFails), 1);
}

#[test]
fn mapped_bytes_go_up_and_down() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    assert_eq!(driver.system(SystemCounter::BytesCurrentlyMapped), 200_704);
    driver.remove_publication(client, publication.correlation.registration(), false);
    driver.pass_with(3_000, |driver| driver.beat(client));
    assert_eq!(driver.system(SystemCounter::BytesCurrentlyMapped), 0);
}

/// A log that is not sparse is faulted in by the thread that creates it, before it is used.
#[test]
fn pages_are_faulted_in_where_the_channel_asks_for_it() {
    for (channel, expected) in
        [(IPC.to_owned(), Reserve::Space), (format!("{IPC}|sparse=false"), Reserve::SpaceAndPages)]
    {
        let mut driver = Driver::new();
        let client = driver.client();
        driver.hold_requests();
        driver.send(&driver.add_publication_command(client, &channel, false));
        driver.settle();
        let mut reserve = None;
        driver.answer_requests(|request| {
            if let Request::CreateLog(create) = &request {
                reserve = Some(create.reserve);
                assert_eq!(create.parameters.sparse, expected == Reserve::Space);
            }
            gannet_driver::io::log_files::execute(request, RAW)
        });
        assert_eq!(reserve, Some(expected));
        assert!(driver.events()[1].starts_with("publication "));
    }
}

#[test]
fn little_room_is_warned_about() {
    let mut driver = Driver::with(|config| config.logs.low_space_warning = Some(u64::MAX));
    let client = driver.client();
    driver.add_publication(client, IPC);
    let texts = driver.error_texts();
    assert!(texts.len() == 1 && texts[0].starts_with("(12) the file system of "), "{texts:?}");
    assert_eq!(driver.log_files().len(), 1, "a warning only");
    assert!(driver.directory().exists());
}
