//! Logs are made and deleted elsewhere, and that takes its time. Nothing else waits for it.

use gannet::counters::SystemCounter;
use gannet::memory::Reserve;
use gannet_driver::mailbox::{Reply, Request};

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

/// Commands of all clients take effect in the order of the ring: the next one waits for the log of this one.
#[test]
fn commands_are_carried_out_in_order() {
    let mut driver = Driver::new();
    let (first, second) = (driver.client(), driver.client());
    driver.hold_requests();
    let publication = driver.add_publication_command(first, IPC, false);
    let subscription = driver.add_subscription_command(second, "aeron:ipc");
    driver.send(&publication);
    driver.send(&subscription);
    driver.settle();
    assert_eq!(driver.events(), Vec::<String>::new());
    driver.release_requests();
    let (publication, subscription) = (publication.correlation_id(), subscription.correlation_id());
    assert_eq!(
        driver.events(),
        [
            format!("counter {first} #48"),
            format!("publication {publication} of {publication} limit #47 status -1"),
            format!("counter {second} #49"),
            format!("subscription {subscription} status -1"),
            format!("available image {publication} for {subscription} #50 from aeron:ipc"),
        ]
    );
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

/// A log that is not sparse is faulted in before anybody uses it, by whoever makes it.
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
    let mut driver = Driver::with(|config| config.logs.low_space_warning = u64::MAX);
    let client = driver.client();
    driver.add_publication(client, IPC);
    let texts = driver.error_texts();
    assert!(texts.len() == 1 && texts[0].starts_with("(12) the file system of "), "{texts:?}");
    assert_eq!(driver.log_files().len(), 1, "a warning only");
    assert!(driver.directory().exists());
}
