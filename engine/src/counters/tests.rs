//! Tests of counters against their traps, labels from real files, damage, and a plain map with a cool-down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::memory::{AtomicBuffer, RawAccess};
use crate::time::EpochMillis;
use crate::types::{ClientId, CounterId, Position, RegistrationId, SessionId, StreamId};

struct Fixture {
    metadata: AtomicBuffer,
    values: AtomicBuffer,
    manager: CountersManager,
    reader: CountersReader,
}

fn fixture(count: usize, reuse_timeout: Duration) -> Fixture {
    let metadata = AtomicBuffer::heap(count * COUNTER_METADATA_LENGTH);
    let values = AtomicBuffer::heap(count * COUNTER_VALUE_LENGTH);
    let manager = CountersManager::new(metadata.clone(), values.clone(), reuse_timeout).unwrap();
    let reader = CountersReader::new(metadata.clone(), values.clone()).unwrap();
    Fixture { metadata, values, manager, reader }
}

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: i64) -> EpochMillis {
    EpochMillis::new(millis)
}

fn named(label: &str, registration_id: i64) -> CounterSpec {
    CounterSpec::application(1001, b"key", label.as_bytes(), RegistrationId::new(registration_id), ClientId::new(3))
}

fn stream(registration_id: i64, session_id: i32, stream_id: i32, channel: &str) -> Stream<'_> {
    Stream {
        registration_id: RegistrationId::new(registration_id),
        session_id: SessionId::new(session_id),
        stream_id: StreamId::new(stream_id),
        channel,
    }
}

impl Fixture {
    fn seen(&self) -> Vec<(i32, String)> {
        let mut seen = Vec::new();
        self.reader.for_each(|counter| seen.push((counter.id.get(), counter.label.to_string())));
        seen
    }

    fn metadata_bytes(&self, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.metadata.get_bytes(offset, &mut bytes);
        bytes
    }
}

#[test]
fn regions_that_do_not_match_are_refused() {
    for (metadata, values) in [(512, 127), (511, 128), (512 * 3, 128 * 4)] {
        let error = CountersReader::new(AtomicBuffer::heap(metadata), AtomicBuffer::heap(values)).unwrap_err();
        assert_eq!(error, CountersError { values, metadata });
    }
    assert_eq!(fixture(65_536, SECOND).reader.capacity(), 65_536, "8 MiB of values, as by default");
}

#[test]
fn every_field_is_where_the_reference_has_it() {
    let mut f = fixture(4, SECOND);
    f.manager.allocate(at(5), &named("first", 1)).unwrap();
    let mut spec = named("label", 77).owned_by(ClientId::new(8)).starting_at(9);
    spec.reference_id = 10;
    let id = f.manager.allocate(at(5), &spec).unwrap();
    assert_eq!(id, CounterId::new(1));
    let i32_at = |offset: usize| f.metadata.word_at::<i32>(512 + offset).load_acquire();
    assert_eq!((i32_at(0), i32_at(4), i32_at(128)), (1, 1001, 5));
    assert_eq!(f.metadata.word_at::<i64>(512 + 8).load_acquire(), i64::MAX);
    assert_eq!(f.metadata_bytes(512 + 16, 4), *b"key\0");
    assert_eq!(f.metadata_bytes(512 + 132, 6), *b"label\0");
    let i64s = [0, 8, 16, 24].map(|offset| f.values.word_at::<i64>(128 + offset).load_acquire());
    assert_eq!(i64s, [9, 77, 8, 10]);
}

#[test]
fn trap_32_a_heartbeat_has_the_client_id_as_key_and_as_registration_id() {
    let mut f = fixture(4, SECOND);
    let id = f.manager.allocate(at(0), &CounterSpec::client_heartbeat(ClientId::new(84))).unwrap();
    let counter = f.reader.get(id).unwrap();
    assert_eq!(counter.type_id, 11);
    assert_eq!(counter.key.get_i64(0), Some(84));
    assert_eq!((counter.registration_id.get(), counter.owner_id.get()), (84, 84));
    assert_eq!(counter.label.to_string(), "client-heartbeat: id=84");
    assert_eq!(f.reader.find(type_id::CLIENT_HEARTBEAT, RegistrationId::new(84)), Some(id));
}

#[test]
fn trap_33_a_client_adds_its_name_to_the_label_in_place() {
    let mut f = fixture(4, SECOND);
    let id = f.manager.allocate(at(0), &CounterSpec::client_heartbeat(ClientId::new(84))).unwrap();
    assert!(f.reader.append_label(id, " name= version=1.53.0-SNAPSHOT commit=63c11a6914"));
    let label = f.reader.get(id).unwrap().label.to_string();
    assert_eq!(label, "client-heartbeat: id=84 name= version=1.53.0-SNAPSHOT commit=63c11a6914");
    assert!(f.reader.append_label(id, &"x".repeat(400)), "clipped");
    assert_eq!(f.reader.get(id).unwrap().label.as_bytes().len(), 380);
    assert!(!f.reader.append_label(CounterId::new(1), "nobody"));
    assert!(!f.reader.append_label(CounterId::new(-1), "nobody"));
    assert!(!f.reader.append_label(CounterId::new(4), "nobody"));
    assert_eq!(f.metadata_bytes(512, 512), [0; 512]);
}

#[test]
fn trap_34_ids_are_dense_and_readers_stop_at_the_first_unused_record() {
    let mut f = fixture(8, Duration::ZERO);
    for serial in 0..5 {
        assert_eq!(f.manager.allocate(at(0), &named("counter", serial)).unwrap().get(), serial as i32);
    }
    assert!(f.manager.free(at(0), CounterId::new(1)));
    assert!(f.manager.free(at(0), CounterId::new(3)));
    assert_eq!(f.seen().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 2, 4], "freed ones are skipped");
    assert_eq!(f.reader.state(CounterId::new(3)), Some(CounterState::Reclaimed));
    assert_eq!(f.reader.state(CounterId::new(5)), Some(CounterState::Unused));
    // Whoever plants a counter behind the first unused record is not looked at.
    f.metadata.word_at::<i32>(6 * 512).store_release(1);
    assert_eq!(f.seen().len(), 3);
}

#[test]
fn a_state_that_somebody_stored_over_is_restored() {
    let mut test = fixture(8, SECOND);
    for (label, registration) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        test.manager.allocate(at(0), &named(label, registration)).unwrap();
    }
    test.manager.free(at(0), CounterId::new(1));
    let visible = test.seen();
    for (id, state) in [(1, 0), (2, 0), (3, 7)] {
        test.metadata.word_at::<i32>(id * COUNTER_METADATA_LENGTH).store_relaxed(state);
    }
    assert_eq!(test.seen().len(), 1, "all the others are hidden");
    assert_eq!([3, 3, 3].map(|limit| test.manager.restore_states(limit)), [2, 1, 0]);
    assert_eq!(test.seen(), visible);
}

#[test]
fn trap_35_a_record_is_not_reused_before_its_cool_down_is_over() {
    let mut f = fixture(2, SECOND);
    let first = f.manager.allocate(at(0), &named("a", 1)).unwrap();
    let second = f.manager.allocate(at(0), &named("b", 2)).unwrap();
    assert!(f.manager.free(at(5_000), second));
    assert!(f.manager.free(at(5_100), first));
    let full = Err(CountersFull { capacity: 2 });
    assert_eq!(f.manager.allocate(at(5_999), &named("c", 3)), full);
    // Nor after the wall clock was set back.
    assert_eq!(f.manager.allocate(at(1_000), &named("c", 3)), full);
    assert_eq!(f.manager.allocate(at(6_000), &named("c", 3)), Ok(second), "first freed, first taken");
    assert_eq!(f.manager.allocate(at(6_099), &named("d", 4)), full);
    assert_eq!(f.manager.allocate(at(6_100), &named("d", 4)), Ok(first));
}

#[test]
fn a_clock_that_was_set_back_holds_up_only_what_was_freed_before() {
    let mut f = fixture(2, SECOND);
    let first = f.manager.allocate(at(0), &named("a", 1)).unwrap();
    let second = f.manager.allocate(at(0), &named("b", 2)).unwrap();
    assert!(f.manager.free(at(1_000_000), first));
    assert!(f.manager.free(at(5_000), second));
    assert_eq!(f.manager.allocate(at(6_000), &named("c", 3)), Ok(second));
}

#[test]
fn a_cool_down_of_less_than_a_millisecond_is_one() {
    let mut f = fixture(1, Duration::from_nanos(1));
    let id = f.manager.allocate(at(0), &named("a", 1)).unwrap();
    assert!(f.manager.free(at(10), id));
    assert!(f.manager.allocate(at(10), &named("b", 2)).is_err());
    assert!(f.manager.allocate(at(11), &named("b", 2)).is_ok());
}

#[test]
fn trap_36_freeing_zeroes_the_key_and_nothing_else() {
    let mut f = fixture(2, SECOND);
    let id = f.manager.allocate(at(0), &named("a label", 7).starting_at(99)).unwrap();
    assert!(f.manager.free(at(1_000), id));
    assert!(!f.manager.free(at(1_000), id), "only once");
    assert_eq!(f.metadata.word_at::<i32>(0).load_acquire(), -1);
    assert_eq!(f.metadata.word_at::<i32>(4).load_acquire(), 1001);
    assert_eq!(f.metadata.word_at::<i64>(8).load_acquire(), 2_000);
    assert_eq!(f.metadata_bytes(16, 112), [0; 112]);
    assert_eq!(f.metadata_bytes(132, 7), *b"a label");
    let i64s = [0, 8, 16].map(|offset| f.values.word_at::<i64>(offset).load_acquire());
    assert_eq!(i64s, [99, 7, 3]);
    assert_eq!(f.reader.get(id), None);
    let id = f.manager.allocate(at(2_000), &named("b", 8)).unwrap();
    let counter = f.reader.get(id).unwrap();
    assert_eq!((counter.label.to_string().as_str(), counter.value, counter.reference_id), ("b", 0, 0));
}

/// The labels of a live driver.
#[test]
fn trap_37_stream_labels_are_a_name_a_colon_and_the_stream() {
    let ipc = stream(5, -95_885_406, 1001, "aeron:ipc");
    use StreamCounter::*;
    for (counter, type_id, name) in [
        (ConcurrentPublisherPosition, 12, "pub-pos (concurrent)"),
        (ExclusivePublisherPosition, 12, "pub-pos (exclusive)"),
        (PublisherLimit, 1, "pub-lmt"),
        (SenderPosition, 2, "snd-pos"),
        (SenderLimit, 9, "snd-lmt"),
        (SenderBpe, 13, "snd-bpe"),
        (SenderNaksReceived, 19, "snd-naks-received"),
        (FlowControlReceivers, 17, "fc-receivers"),
        (SenderHeldBy, 1_000_001, "snd-held-by"),
        (ReceiverHwm, 3, "rcv-hwm"),
        (ReceiverPosition, 5, "rcv-pos"),
        (ReceiverNaksSent, 20, "rcv-naks-sent"),
        (CubicRtt, 10, "rcv-cc-cubic-rtt"),
        (CubicWindow, 10, "rcv-cc-cubic-wnd"),
    ] {
        let spec = CounterSpec::stream(counter, &ipc);
        assert_eq!(spec.type_id, type_id);
        assert_eq!(spec.label.to_string(), format!("{name}: 5 -95885406 1001 aeron:ipc"));
        assert_eq!(spec.label.name(), name.as_bytes());
        let key = StreamKey::read(&spec.key).unwrap();
        assert_eq!((key.registration_id.get(), key.session_id.get(), key.stream_id.get()), (5, -95_885_406, 1001));
        assert_eq!(key.channel, b"aeron:ipc");
        assert_eq!(spec.registration_id.get(), 5);
    }
}

#[test]
fn labels_are_those_seen_in_files() {
    let spy = stream(44, -95_885_404, 2001, "aeron-spy:aeron:udp?endpoint=127.0.0.1:24325");
    let spec = CounterSpec::subscriber_position(&spy, RegistrationId::new(40), Position::new(0));
    assert_eq!(spec.label.to_string(), "sub-pos: 44 -95885404 2001 aeron-spy:aeron:udp?endpoint=127.0.0.1:24325 @0");
    let channel = "aeron:udp?control-mode=manual|fc=min";
    let id = RegistrationId::new(9);
    let spec = CounterSpec::channel(ChannelCounter::MdcDestinations, channel, id);
    assert_eq!((spec.type_id, spec.label.to_string()), (18, format!("mdc-num-dest: {channel}")));
    let endpoint = "aeron:udp?endpoint=127.0.0.1:24325";
    let spec = CounterSpec::channel(ChannelCounter::SendStatus, endpoint, id);
    assert_eq!(ChannelKey::read(&spec.key).unwrap().channel, endpoint.as_bytes());
    assert_eq!(
        CounterSpec::bound_channel_label(ChannelCounter::SendStatus, endpoint, "127.0.0.1:33713").to_string(),
        "snd-channel: aeron:udp?endpoint=127.0.0.1:24325 127.0.0.1:33713"
    );
    assert_eq!(
        CounterSpec::bound_channel_label(ChannelCounter::ReceiveStatus, "aeron:udp?control-mode=manual", "")
            .to_string(),
        "rcv-channel: aeron:udp?control-mode=manual "
    );
    let spec = CounterSpec::local_sockaddr(SockaddrCounter::Send, CounterId::new(49), "127.0.0.1:33713", id);
    assert_eq!((spec.type_id, spec.label.to_string().as_str()), (14, "snd-local-sockaddr: 49 127.0.0.1:33713"));
    let key = SockaddrKey::read(&spec.key).unwrap();
    assert_eq!((key.channel_status_id.get(), key.address), (49, &b"127.0.0.1:33713"[..]));
}

/// Key cut to 112 bytes, label to 380, channel in stream keys to 92 with that length in its field.
#[test]
fn what_is_too_long_is_clipped() {
    let spec = CounterSpec::application(1000, &[7; 200], &[b'x'; 500], RegistrationId::new(1), ClientId::new(1));
    assert_eq!((spec.key.as_bytes(), spec.label.as_bytes()), (&[7; 112], &[b'x'; 380][..]));
    let channel = format!("aeron:udp?endpoint={}", "h".repeat(500));
    let spec = CounterSpec::stream(StreamCounter::PublisherLimit, &stream(1, 2, 3, &channel));
    assert_eq!(spec.key.get_i32(16), Some(92));
    assert_eq!(StreamKey::read(&spec.key).unwrap().channel, &channel.as_bytes()[..92]);
    assert_eq!(spec.label.as_bytes().len(), 380);
    let spec = CounterSpec::channel(ChannelCounter::SendStatus, &channel, RegistrationId::new(1));
    assert_eq!(spec.key.get_i32(0), Some(108));
}

#[test]
fn trap_38_the_system_counters_come_first_and_43_is_the_control_protocol_version() {
    let labels = SystemLabels {
        version: "1.2.3",
        commit: "abc",
        threading_mode: "SHARED",
        resolver_name: "",
        conductor_threshold: "1s",
        sender_threshold: "2s",
        receiver_threshold: "100ms",
        resolver_threshold: "5s",
    };
    let mut f = fixture(64, SECOND);
    for counter in SystemCounter::ALL {
        let id = f.manager.allocate(at(0), &CounterSpec::system(counter, &labels)).unwrap();
        assert_eq!(id, counter.id());
    }
    let mut ids = 0..46;
    f.reader.for_each(|counter| {
        let id = ids.next().unwrap();
        assert_eq!((counter.type_id, counter.key.get_i32(0)), (0, Some(id)));
        assert_eq!((counter.registration_id.get(), counter.owner_id.get(), counter.reference_id), (id.into(), -1, 0));
    });
    let found = f.reader.find(type_id::SYSTEM, RegistrationId::new(43));
    assert_eq!(found, Some(SystemCounter::ControlProtocolVersion.id()));
    let label = |id: i32| f.reader.get(CounterId::new(id)).unwrap().label.to_string();
    for (id, expected) in [
        (0, "Bytes sent"),
        (15, "Errors: version=1.2.3 commit=abc"),
        (18, "Sender flow control limits, i.e. back-pressure events"),
        (19, "Unblocked Publications"),
        (20, "Unblocked Control Commands"),
        (25, "Resolution changes: driverName="),
        (26, "Conductor max cycle time doing its work in ns: SHARED"),
        (27, "Conductor work cycle exceeded threshold count: threshold=1s SHARED"),
        (29, "Sender work cycle exceeded threshold count: threshold=2s SHARED"),
        (31, "Receiver work cycle exceeded threshold count: threshold=100ms SHARED"),
        (33, "NameResolver exceeded threshold count: threshold=5s"),
        (34, "Aeron software: version=1.2.3 commit=abc"),
        (35, "Bytes currently mapped"),
        (43, "Control protocol version"),
        (45, "Failed offers to NativeResourceAgentProxy"),
    ] {
        assert_eq!(label(id), expected);
    }
}

#[test]
fn trap_39_a_subscriber_position_refers_to_its_image() {
    let spec = CounterSpec::subscriber_position(
        &stream(8, -95_885_406, 1001, "aeron:ipc"),
        RegistrationId::new(5),
        Position::new(0),
    );
    assert_eq!((spec.type_id, spec.registration_id.get(), spec.reference_id), (4, 8, 5));
    assert_eq!(spec.label.to_string(), "sub-pos: 8 -95885406 1001 aeron:ipc @0");
}

#[test]
fn trap_40_a_subscriber_position_holds_the_join_position_as_soon_as_it_is_there() {
    let mut f = fixture(4, SECOND);
    let spec = CounterSpec::subscriber_position(&stream(8, 1, 2, "c"), RegistrationId::new(5), Position::new(480));
    let id = f.manager.allocate(at(0), &spec).unwrap();
    let counter = f.reader.get(id).unwrap();
    assert_eq!((counter.value, counter.label.to_string().as_str()), (480, "sub-pos: 8 1 2 c @480"));
}

/// Trap 62 as well: a client that was given up may store once more, within the cool-down.
#[test]
fn trap_67_reuse_is_by_the_wall_clock_and_a_late_store_hits_a_dead_record() {
    let mut f = fixture(2, SECOND);
    let id = f.manager.allocate(at(0), &named("a", 1)).unwrap();
    let held = f.manager.value(id).unwrap();
    assert!(f.manager.free(at(0), id));
    held.store_release(12345);
    let other = f.manager.allocate(at(10), &named("b", 2)).unwrap();
    assert_ne!(other, id);
    assert_eq!(f.reader.value(other), Some(0));
    assert_eq!(f.manager.value(id).map(|_| ()), None);
    let id = f.manager.allocate(at(1_000), &named("c", 3)).unwrap();
    assert_eq!(f.reader.value(id), Some(0), "the late store is gone");
}

#[test]
fn labels_can_be_replaced_and_extended() {
    let mut f = fixture(2, SECOND);
    let id = f.manager.allocate(at(0), &named("before", 1)).unwrap();
    assert!(f.manager.set_label(id, &CounterLabel::new(b"after")));
    for (text, expected) in [(" a", "after a"), ("", "after a"), ("bcdefg", "after abcdefg"), ("h", "after abcdefgh")] {
        assert!(f.manager.append_label(id, text));
        assert_eq!(f.reader.get(id).unwrap().label.to_string(), expected);
    }
    assert!(!f.manager.set_label(CounterId::new(1), &CounterLabel::default()));
    assert!(!f.manager.append_label(CounterId::NONE, "x"));
}

#[test]
fn the_manager_goes_by_what_it_remembers() {
    let mut f = fixture(4, SECOND);
    let id = f.manager.allocate(at(0), &named("mine", 5)).unwrap();
    f.metadata.word_at::<i32>(0).store_release(-1);
    f.metadata.word_at::<i32>(4).store_release(9);
    f.values.word_at::<i64>(8).store_release(6);
    assert_eq!(f.manager.find(1001, RegistrationId::new(5)), Some((id, ClientId::new(3))));
    assert_eq!(f.manager.identity(id), Some((RegistrationId::new(5), ClientId::new(3))));
    assert_eq!(f.manager.find(9, RegistrationId::new(6)), None);
    assert!(f.manager.free(at(0), id));
    assert_eq!(f.manager.in_use(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Allocate { label: usize },
    Free { pick: usize },
    Append { pick: usize, length: usize },
    Store { pick: usize, value: i64 },
    Pass { millis: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..400_usize).prop_map(|label| Step::Allocate { label }),
        3 => any::<usize>().prop_map(|pick| Step::Free { pick }),
        1 => (any::<usize>(), 0..200_usize).prop_map(|(pick, length)| Step::Append { pick, length }),
        2 => (any::<usize>(), any::<i64>()).prop_map(|(pick, value)| Step::Store { pick, value }),
        3 => (-400..1500_i64).prop_map(|millis| Step::Pass { millis }),
    ]
}

proptest! {
    /// The counters are those of a plain map; a freed id rests, by a clock that also steps back.
    #[test]
    fn behaves_as_a_map_with_a_cool_down(steps in prop::collection::vec(step(), 1..150)) {
        const COUNT: usize = 6;
        let mut f = fixture(COUNT, SECOND);
        let mut now = 1_000_000;
        let mut model: BTreeMap<i32, (Vec<u8>, i64, i64)> = BTreeMap::new();
        let mut resting: BTreeMap<i32, i64> = BTreeMap::new();
        let mut serial = 0;
        for step in steps {
            let picked = |pick: usize| (!model.is_empty()).then(|| *model.keys().nth(pick % model.len()).unwrap());
            match step {
                Step::Allocate { label } => {
                    serial += 1;
                    let label = vec![b'a' + (serial % 26) as u8; label];
                    match f.manager.allocate(at(now), &named(std::str::from_utf8(&label).unwrap(), serial)) {
                        Ok(id) => {
                            if let Some(deadline) = resting.remove(&id.get()) {
                                prop_assert!(now >= deadline, "{} rests until {}", id, deadline);
                            }
                            let stored = label[..label.len().min(380)].to_vec();
                            prop_assert!(model.insert(id.get(), (stored, serial, 0)).is_none(), "in use");
                        }
                        Err(CountersFull { capacity }) => {
                            prop_assert_eq!(capacity, COUNT);
                            prop_assert_eq!(model.len() + resting.len(), COUNT);
                            // After a step back of the clock, one that is due may wait behind the first that is not.
                            let first_held = resting.values().any(|deadline| now < *deadline);
                            prop_assert!(resting.is_empty() || first_held);
                        }
                    }
                }
                Step::Free { pick } => if let Some(id) = picked(pick) {
                    prop_assert!(f.manager.free(at(now), CounterId::new(id)));
                    model.remove(&id);
                    resting.insert(id, now + 1_000);
                },
                Step::Append { pick, length } => if let Some(id) = picked(pick) {
                    let text = "+".repeat(length);
                    prop_assert!(f.reader.append_label(CounterId::new(id), &text));
                    let label = &mut model.get_mut(&id).unwrap().0;
                    label.extend(text.bytes());
                    label.truncate(380);
                },
                Step::Store { pick, value } => if let Some(id) = picked(pick) {
                    f.reader.own_value(CounterId::new(id), RawAccess::ENGINE).unwrap().store_release(value);
                    model.get_mut(&id).unwrap().2 = value;
                },
                Step::Pass { millis } => now += millis,
            }
            let mut found = BTreeMap::new();
            f.reader.for_each(|counter| {
                let label = counter.label.as_bytes().to_vec();
                found.insert(counter.id.get(), (label, counter.registration_id.get(), counter.value));
            });
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(f.manager.in_use(), model.len());
            let ids: BTreeSet<i32> = model.keys().chain(resting.keys()).copied().collect();
            prop_assert_eq!(ids.len(), ids.last().map_or(0, |last| *last as usize + 1), "dense");
        }
    }

    /// Any bytes at all: readers and the manager do without a panic, and within bounds.
    #[test]
    fn survives_any_bytes(
        metadata in prop::collection::vec(any::<u8>(), 4 * COUNTER_METADATA_LENGTH),
        states in prop::array::uniform4(prop_oneof![-1..=1_i32, any::<i32>()]),
        lengths in prop::array::uniform4(prop_oneof![any::<i32>(), -10..400_i32]),
        key_lengths in prop::array::uniform4(prop_oneof![any::<i32>(), -10..120_i32]),
    ) {
        let mut f = fixture(4, Duration::ZERO);
        let ids = [1, 2].map(|serial| f.manager.allocate(at(0), &named("x", serial)).unwrap());
        f.metadata.put_bytes(0, &metadata);
        for record in 0..4 {
            let base = record * COUNTER_METADATA_LENGTH;
            f.metadata.word_at::<i32>(base).store_release(states[record]);
            f.metadata.word_at::<i32>(base + 16 + 16).store_release(key_lengths[record]);
            f.metadata.word_at::<i32>(base + 128).store_release(lengths[record]);
        }
        f.reader.for_each(|counter| {
            assert!(counter.label.as_bytes().len() <= 380);
            let _ = (counter.label.to_string(), counter.label.name());
            let _ = (StreamKey::read(&counter.key), ChannelKey::read(&counter.key), SockaddrKey::read(&counter.key));
        });
        f.reader.find(5, RegistrationId::new(5));
        for id in [-1, 0, 3, 4, i32::MIN, i32::MAX].map(CounterId::new) {
            f.reader.get(id);
            f.reader.append_label(id, "text");
            prop_assert_eq!(f.reader.own_value(id, RawAccess::ENGINE).is_some(), (0..4).contains(&id.get()));
        }
        for id in ids {
            prop_assert!(f.manager.append_label(id, "more"));
            prop_assert!(f.manager.free(at(0), id));
        }
        let id = f.manager.allocate(at(0), &named("well again", 3)).unwrap();
        prop_assert_eq!(f.reader.get(id).unwrap().label.to_string(), "well again");
    }
}
