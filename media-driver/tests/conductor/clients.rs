//! Clients register, stay alive, close and die, and their resources are released.

use gannet::counters::SystemCounter;
use gannet::types::{CounterId, RegistrationId};

use crate::support::{Driver, IPC, open};

/// Trap 29: a client is registered by its first command that creates something, and not before.
#[test]
fn trap_29_a_client_without_resources_is_unknown_and_cannot_time_out() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.next_session_id(client);
    driver.remove_publication(client, RegistrationId::new(9), false);
    driver.keepalive(client);
    driver.close_client(client);
    driver.events();
    driver.pass_ms(30_000);
    assert_eq!(driver.events(), Vec::<String>::new());
    assert_eq!(driver.counter_lines(), Vec::<String>::new());
}

/// Trap 32: registration id and key of a heartbeat are the client's id.
#[test]
fn trap_32_a_heartbeat_is_found_by_key_and_by_registration() {
    let mut driver = Driver::new();
    driver.client();
    let client = driver.client();
    driver.add_publication(client, IPC);
    let heartbeat = driver.counters.find(11, RegistrationId::new(client.get())).unwrap();
    let counter = driver.counter(heartbeat);
    assert_eq!(counter.key.get_i64(0), Some(client.get()));
    assert_eq!((counter.owner_id, counter.value), (client, driver.now_ms()));
}

/// Trap 33: clients append to the label of their heartbeat; the driver never writes it again.
#[test]
fn trap_33_what_a_client_appends_to_its_label_stays() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_publication(client, IPC);
    let heartbeat = driver.counters.find(11, RegistrationId::new(client.get())).unwrap();
    assert!(driver.counters.append_label(heartbeat, " name=test"));
    driver.add_counter(client, b"", b"");
    driver.pass_with(5_000, |driver| driver.beat(client));
    driver.keepalive(client);
    assert_eq!(driver.counter(heartbeat).label.to_string(), "client-heartbeat: id=1 name=test");
}

/// Trap 30: neither a close nor a request to terminate is answered. The next tick cleans up, without a timeout event.
#[test]
fn trap_30_a_close_is_not_answered() {
    let mut driver = Driver::new();
    let client = driver.client();
    let publication = driver.add_publication(client, IPC);
    let (counter, _) = driver.add_counter(client, b"", b"");
    driver.add_subscription(client, "aeron:ipc");
    assert_eq!(driver.close_client(client), Vec::<String>::new());
    driver.pass_ms(1_000);
    assert_eq!(
        driver.events(),
        [format!("unavailable counter {client} #48"), format!("unavailable counter {counter} #49"),],
        "the heartbeat first; no image events for its own subscriptions"
    );
    assert_eq!(driver.system(SystemCounter::ClientTimeouts), 0);
    driver.pass_ms(3_000);
    assert_eq!(driver.counter_lines(), Vec::<String>::new());
    assert!(!publication.path.exists());
}

#[test]
fn a_silent_client_is_given_up_and_others_keep_theirs() {
    let mut driver = Driver::new();
    let (silent, alive) = (driver.client(), driver.client());
    let publication = driver.add_publication(silent, IPC);
    driver.add_publication(alive, IPC);
    let (counter, _) = driver.add_counter(silent, b"", b"");
    let (subscription, images) = driver.add_subscription(alive, "aeron:ipc");
    driver.add_subscription(silent, "aeron:ipc");
    driver.events();
    driver.pass_with(11_100, |driver| driver.beat(alive));
    assert_eq!(
        driver.events(),
        [
            format!("client timeout {silent}"),
            format!("unavailable counter {silent} #48"),
            format!("unavailable counter {counter} #50"),
        ]
    );
    assert_eq!(driver.system(SystemCounter::ClientTimeouts), 1);
    assert!(publication.path.exists(), "the other client holds it");
    driver.publisher(&publication).offer(b"still here").unwrap();
    assert_eq!(crate::support::drain(&mut driver.reader(&images[0])), 1);
    assert!(driver.remove_subscription(alive, subscription)[0].starts_with("success"));
}

#[test]
fn a_keepalive_command_counts_as_a_heartbeat() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_publication(client, IPC);
    driver.events();
    for _ in 0..5 {
        driver.pass_ms(8_000);
        assert_eq!(driver.keepalive(client), Vec::<String>::new());
    }
    assert_eq!(driver.system(SystemCounter::ClientTimeouts), 0);
}

/// Trap 67: a step of the wall clock ends no client, neither back nor beyond the timeout, as after a machine stood still.
#[test]
fn trap_67_a_step_of_the_wall_clock_ends_no_client() {
    let mut driver = Driver::new();
    let (alive, dead) = (driver.client(), driver.client());
    for client in [alive, dead] {
        driver.add_publication(client, IPC);
    }
    driver.events();
    driver.pass_ms(1_000);
    for step_ms in [-500_000, 1_000_000] {
        driver.step_wall_clock_ms(step_ms);
        driver.pass_with(4_000, |driver| driver.beat(alive));
        assert_eq!(driver.events(), Vec::<String>::new(), "{step_ms}");
    }
    driver.pass_with(4_000, |driver| driver.beat(alive));
    let events = driver.events();
    assert_eq!(events.iter().filter(|event| event.starts_with("client timeout")).count(), 1, "{events:?}");
    assert_eq!(driver.system(SystemCounter::ClientTimeouts), 1);
}

/// Trap 62: a dead client may still store to its former position, so the record is not reused until the cool-down is
/// over.
#[test]
fn trap_62_a_late_store_hits_a_dead_record() {
    let mut driver = Driver::new();
    let (dead, alive) = (driver.client(), driver.client());
    driver.add_publication(alive, IPC);
    let (_, images) = driver.add_subscription(dead, "aeron:ipc");
    let late = driver.word(images[0].position);
    driver.close_client(dead);
    driver.pass_with(1_000, |driver| driver.beat(alive));
    let (_, again) = driver.add_subscription(alive, "aeron:ipc");
    assert_ne!(again[0].position, images[0].position);
    late.store_release(i64::MAX);
    driver.settle();
    assert_eq!(driver.value(again[0].position), 0);
}

/// A client that dies while its publication's log is being created leaves nothing behind for good.
#[test]
fn a_client_that_dies_in_the_middle_of_an_add_leaves_nothing() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_counter(client, b"", b"");
    driver.hold_requests();
    driver.send(&driver.add_publication_command(client, IPC, false));
    driver.settle();
    driver.pass_ms(12_000);
    assert!(driver.events().iter().any(|event| event.starts_with("client timeout")));
    driver.release_requests();
    driver.pass_ms(15_000);
    assert_eq!((driver.counter_lines(), driver.log_files()), (Vec::<String>::new(), Vec::<String>::new()));
}

#[test]
fn termination_is_up_to_the_policy_and_never_answered() {
    use gannet_driver::conductor::TerminationPolicy;
    let mut driver = Driver::new();
    assert_eq!(driver.terminate(b""), Vec::<String>::new());
    assert!(!driver.conductor.termination_requested(), "denied unless configured");
    assert!(
        driver.error_texts()[0].contains("TERMINATE_DRIVER: refused, as aeron.driver.termination.validator is 'deny'")
    );
    let mut driver = Driver::with(|config| config.termination = TerminationPolicy::Token(Box::from(*b"secret")));
    driver.terminate(b"guess");
    assert!(!driver.conductor.termination_requested());
    assert!(driver.error_texts()[0].contains("is 'token' and the token is not"), "{:?}", driver.error_texts());
    assert!(!driver.error_texts()[0].contains("secret") && !driver.error_texts()[0].contains("guess"));
    assert_eq!(driver.terminate(b"secret"), Vec::<String>::new());
    assert!(driver.conductor.termination_requested());
}

/// Trap 5 and trap 66: the driver's heartbeat is stored on ticks, and is -1 once it has closed.
#[test]
fn trap_05_and_66_the_drivers_heartbeat() {
    let mut driver = Driver::new();
    let first = driver.ring.consumer_heartbeat();
    assert_eq!(first.get(), driver.now_ms());
    driver.pass_ms(900);
    assert_eq!(driver.ring.consumer_heartbeat(), first);
    driver.pass_ms(100);
    assert_eq!(driver.ring.consumer_heartbeat().get(), driver.now_ms());
    driver.conductor.close();
    assert_eq!(driver.ring.consumer_heartbeat().get(), -1);
}

/// Nothing is left after many clients have come and gone: no counter and no file, and ids are reused.
#[test]
fn a_thousand_clients_leave_nothing() {
    let mut driver = Driver::with_counters(128, |_| {});
    for round in 0..1_000 {
        let client = driver.client();
        let publication = driver.add_publication(client, IPC);
        let (_, images) = driver.add_subscription(client, "aeron:ipc");
        assert!(images[0].position.get() < 128);
        driver.publisher(&publication).offer(b"x").unwrap();
        if round % 2 == 0 {
            driver.close_client(client);
        }
        driver.pass_ms(if round % 2 == 0 { 3_000 } else { 14_000 });
    }
    driver.pass_ms(3_000);
    assert_eq!((driver.counter_lines(), driver.log_files()), (Vec::<String>::new(), Vec::<String>::new()));
    let mapped = driver.system(SystemCounter::BytesCurrentlyMapped);
    assert_eq!(mapped, 0, "every log was unmapped");
    assert_eq!(driver.counters.get(CounterId::new(15)).unwrap().value, 0, "no errors");
}

#[test]
fn a_dead_publishers_stream_ends_where_it_was() {
    let mut driver = Driver::new();
    let (publisher, subscriber) = (driver.client(), driver.client());
    let publication = driver.add_publication(publisher, IPC);
    let (_, images) = driver.add_subscription(subscriber, "aeron:ipc");
    let end = driver.publisher(&publication).offer(b"testament").unwrap();
    driver.pass_with(12_000, |driver| driver.beat(subscriber));
    let log = open(&images[0].path);
    assert_eq!(log.metadata().end_of_stream_position(), end);
    assert_eq!(crate::support::drain(&mut driver.reader(&images[0])), 1, "nothing committed is lost");
}
