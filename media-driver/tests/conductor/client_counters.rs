//! Counters that clients add.

use gannet::counters::SystemCounter;
use gannet::types::{CounterId, RegistrationId};

use crate::support::Driver;

#[test]
fn a_counter_is_announced_to_all_and_dies_by_command() {
    let mut driver = Driver::new();
    let client = driver.client();
    let (registration, events) = driver.add_counter(client, b"key", b"my counter");
    assert_eq!(events, ["counter 1 #46", "counter 2 #47"], "the heartbeat comes first");
    let counter = driver.counter(CounterId::new(47));
    assert_eq!((counter.type_id, counter.label.to_string().as_str()), (1101, "my counter"));
    assert_eq!((counter.registration_id, counter.owner_id, counter.value), (registration, client, 0));
    assert_eq!(counter.key.as_bytes()[..4], *b"key\0");
    let events = driver.remove_counter(client, registration);
    assert_eq!(events, ["success 3", "unavailable counter 2 #47"]);
    assert!(driver.counters.get(CounterId::new(47)).is_none());
    assert!(driver.remove_counter(client, registration)[0].starts_with("error 5 for 4"), "it is gone");
}

#[test]
fn a_counter_is_removed_by_its_owner_only() {
    let mut driver = Driver::new();
    let (owner, other) = (driver.client(), driver.client());
    let (registration, _) = driver.add_counter(owner, b"", b"");
    driver.add_counter(other, b"", b"");
    assert!(driver.remove_counter(other, registration)[0].starts_with("error 5 "));
    assert!(driver.remove_counter(owner, RegistrationId::new(999))[0].starts_with("error 5 "));
    assert!(driver.remove_counter(owner, registration)[0].starts_with("success "));
}

#[test]
fn long_keys_and_labels_are_cut() {
    let mut driver = Driver::new();
    let client = driver.client();
    driver.add_counter(client, &[7; 200], &[b'x'; 500]);
    let counter = driver.counter(CounterId::new(47));
    assert_eq!(counter.key.as_bytes(), &[7; 112]);
    assert_eq!(counter.label.to_string(), "x".repeat(380));
}

#[test]
fn a_static_counter_is_made_once_and_outlives_its_client() {
    let mut driver = Driver::new();
    let (first, second) = (driver.client(), driver.client());
    let registration = RegistrationId::new(4711);
    let events = driver.add_static_counter(first, registration, "static");
    assert_eq!(events, ["counter 1 #46", "static counter for 3 #47"], "only the heartbeat is announced to all");
    let counter = driver.counter(CounterId::new(47));
    assert_eq!((counter.registration_id, counter.owner_id.get()), (registration, -1));
    let events = driver.add_static_counter(second, registration, "another label");
    assert_eq!(events[1], "static counter for 4 #47");
    assert_eq!(driver.counter(CounterId::new(47)).label.to_string(), "static");
    assert!(driver.remove_counter(first, registration)[0].starts_with("error 5 "), "nobody owns it");
    driver.close_client(first);
    driver.close_client(second);
    driver.pass_ms(1_000);
    assert_eq!(driver.counter_lines(), ["47: static = 0"]);
}

/// The client that is refused because no counter is left seldom has most of them, so the driver reports from time to
/// time which client has.
#[test]
fn whoever_has_the_most_counters_is_told_of_when_none_is_left() {
    let mut driver = Driver::with_counters(SystemCounter::ALL.len() + 12, |_| {});
    let (hoarder, other) = (driver.client(), driver.client());
    driver.add_counter(other, b"", b"");
    for number in 0..9 {
        driver.add_static_counter(hoarder, RegistrationId::new(4711 + number), "static");
    }
    for _ in 0..3 {
        assert!(driver.add_counter(other, b"", b"").1[0].contains("all 58 counters"));
    }
    let told = |driver: &mut Driver| driver.error_texts().into_iter().find(|text| text.contains("no counter is left"));
    let text = told(&mut driver).expect("told of");
    assert!(text.contains(&format!("client {hoarder} has the most")), "{text}");
    assert_eq!(driver.system(SystemCounter::Errors), 4, "three refusals, told of once");
    driver.close_client(hoarder);
    driver.pass_with(2_000, |driver| driver.beat(other));
    driver.add_counter(other, b"", b"");
    driver.add_counter(other, b"", b"");
    let texts = driver.error_texts();
    assert!(texts.iter().any(|text| text.contains("clients that are gone")), "{texts:?}");
}

#[test]
fn a_counter_with_an_owner_is_no_static_one() {
    let mut driver = Driver::new();
    let client = driver.client();
    let (registration, _) = driver.add_counter(client, b"", b"mine");
    let events = driver.add_static_counter(client, registration, "static");
    assert!(events[0].starts_with("error 11 "), "{events:?}");
}

/// Trap 35: a freed record rests before it is reused. Trap 36: only its key is cleared. Trap 34: there are no unused
/// records between lower and higher ids.
#[test]
fn trap_34_to_36_freed_counters_rest_and_leave_no_hole() {
    let mut driver = Driver::new();
    let client = driver.client();
    let (first, _) = driver.add_counter(client, b"key", b"first");
    driver.add_counter(client, b"", b"second");
    driver.remove_counter(client, first);
    let (_, events) = driver.add_counter(client, b"", b"third");
    assert!(events[0].ends_with("#49"), "{events:?}");
    let mut ids = Vec::new();
    driver.counters.for_each(|counter| ids.push(counter.id.get()));
    assert_eq!(ids[46..], [46, 48, 49], "readers get past the freed one");
    driver.beat(client);
    driver.pass_ms(1_000);
    let (_, events) = driver.add_counter(client, b"", b"fourth");
    assert!(events[0].ends_with("#47"), "{events:?}");
}
