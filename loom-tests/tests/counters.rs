//! Models of the counters: one that is freed and whose record is reused while it is read, and a label that grows.
#![cfg(engine_loom)]

use core::time::Duration;

use gannet::counters::{
    COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH, CounterSpec, CounterState, CountersManager, CountersReader,
};
use gannet::memory::AtomicBuffer;
use gannet::time::EpochMillis;
use gannet::types::{ClientId, CounterId, RegistrationId};
use gannet_loom_tests::{Bounds, check, must_fail};
use loom::thread;

const NOW: EpochMillis = EpochMillis::new(1);
const ID: CounterId = CounterId::new(0);

/// One counter record, without a cool-down.
fn counters() -> (CountersManager, CountersReader) {
    let metadata = AtomicBuffer::model(COUNTER_METADATA_LENGTH, &[8]);
    let values = AtomicBuffer::model(COUNTER_VALUE_LENGTH, &[0, 8, 16, 24]);
    let manager = CountersManager::new(metadata, values, Duration::ZERO).unwrap();
    let reader = manager.reader();
    (manager, reader)
}

/// A counter whose fields all have this number.
fn spec(number: u8) -> CounterSpec {
    let wide = i64::from(number);
    let mut spec = CounterSpec::application(
        number.into(),
        &[number; 8],
        &[number; 4],
        RegistrationId::new(wide),
        ClientId::new(wide),
    )
    .starting_at(wide);
    spec.reference_id = wide;
    spec
}

/// What a reader finds: the number of a complete counter, or `None`.
fn find(reader: &CountersReader) -> Option<u8> {
    let found = reader.get(ID)?;
    let number = found.label.as_bytes().first().copied().unwrap_or_default();
    let expected = spec(number);
    let whole = CounterSpec {
        type_id: found.type_id,
        key: found.key,
        label: found.label,
        registration_id: found.registration_id,
        owner_id: found.owner_id,
        reference_id: found.reference_id,
        value: found.value,
    };
    assert_eq!(whole, expected);
    Some(number)
}

/// A reader finds a new counter completely, or not yet.
#[test]
fn allocation_against_a_reader() {
    allocation_against_a_reader_model();
    must_fail("counters.state:store", allocation_against_a_reader_model);
    must_fail("counters.state:load", allocation_against_a_reader_model);
}

fn allocation_against_a_reader_model() {
    check(Bounds::NONE, &[None, Some(1)], || {
        let (mut manager, reader) = counters();
        let tool = reader.clone();
        let tool = thread::spawn(move || {
            if tool.state(ID) == Some(CounterState::Allocated) {
                assert_eq!(tool.find(1, RegistrationId::new(1)), Some(ID));
            }
            find(&tool)
        });
        manager.allocate(NOW, &spec(1)).unwrap();
        let found = tool.join().unwrap();
        assert_eq!(find(&reader), Some(1));
        found
    });
}

/// A counter is freed and its record reused while it is read. The reader finds the old counter, the new one, or none,
/// but never parts of both.
#[test]
fn reuse_against_a_reader() {
    reuse_against_a_reader_model();
    must_fail("counters.freed:fence", reuse_against_a_reader_model);
    must_fail("counters.registration:store", reuse_against_a_reader_model);
    must_fail("counters.registration:load", reuse_against_a_reader_model);
}

fn reuse_against_a_reader_model() {
    check(Bounds::preemptions(1), &[None, Some(1), Some(2)], || {
        let (mut manager, reader) = counters();
        manager.allocate(NOW, &spec(1)).unwrap();
        let tool = reader.clone();
        let tool = thread::spawn(move || find(&tool));
        assert!(manager.free(NOW, ID));
        manager.allocate(NOW, &spec(2)).unwrap();
        let found = tool.join().unwrap();
        assert_eq!(find(&reader), Some(2));
        found
    });
}

/// A client adds its name to the label of its heartbeat while a tool reads it. The tool reads the label with or without
/// the name.
#[test]
fn a_label_that_grows_against_a_reader() {
    a_label_that_grows_against_a_reader_model();
    must_fail("counters.label:store", a_label_that_grows_against_a_reader_model);
    must_fail("counters.label:load", a_label_that_grows_against_a_reader_model);
}

fn a_label_that_grows_against_a_reader_model() {
    let allowed = ["client-heartbeat: id=1", "client-heartbeat: id=1 x"].map(str::to_owned);
    check(Bounds::NONE, &allowed, || {
        let (mut manager, reader) = counters();
        manager.allocate(NOW, &CounterSpec::client_heartbeat(ClientId::new(1))).unwrap();
        let tool = reader.clone();
        let tool = thread::spawn(move || tool.get(ID).unwrap().label.to_string());
        assert!(reader.append_label(ID, " x"));
        tool.join().unwrap()
    });
}
