//! Clients that write garbage into the command ring: in commands, in their records, and in the ring's own words. The
//! driver refuses, skips or repairs it, and continues. No other stream is affected.

use std::path::Path;
use std::time::{Duration, Instant};

use gannet::Client;
use gannet::cnc::CncFile;
use gannet::command::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, Command, RemoveCounter, RemovePublication,
    RemoveSubscription, Text,
};
use gannet::counters::SystemCounter;
use gannet::memory::FileAccess;
use gannet::ringbuffer::{ManyToOneRingBuffer, RingWriteError};
use gannet::types::{ClientId, CorrelationId, RegistrationId, StreamId};

use crate::driver_process::{DriverProcess, PATIENCE, await_that};
use crate::healthy::Healthy;
use crate::helper::context;
use crate::random::seeded;
use crate::raw;
use crate::raw_access::RAW;

/// A ring for commands of 2 MiB, and a timeout that is short enough for a test, but long enough for a live client on a busy
/// machine.
const DRIVER: &[&str] = &[
    "-Daeron.conductor.buffer.length=16777984",
    "-Daeron.client.liveness.timeout=12s",
    "-Daeron.publication.unblock.timeout=12100ms",
];
const MIB: usize = 1 << 20;

/// Proves that the driver processes the commands of a new client.
pub(crate) fn serves_others(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Commands in the ring may be lost when it is broken: a client gets no answer, or an error that the ring is
        // broken, and tries again.
        let served = Client::connect(context(dir).driver_timeout(Duration::from_secs(4)))
            .map_err(|error| error.to_string())
            .and_then(|client| {
                let added = client.add_counter(1001, b"key", "probe").map(drop);
                let added = added.and_then(|()| client.add_publication("aeron:ipc", 1_001).map(drop));
                added.map_err(|error| error.to_string())
            });
        match served {
            Ok(()) => return,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the driver has read everything from the ring.
fn await_taken(commands: &ManyToOneRingBuffer) {
    await_that("the driver takes the commands", || commands.consumer_position() == commands.producer_position());
}

fn write(commands: &ManyToOneRingBuffer, type_id: i32, bytes: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = commands.write(type_id, bytes) {
        assert_eq!(error, RingWriteError::Full);
        assert!(Instant::now() < deadline, "the ring stays full");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn encoded(command: &Command<'_>) -> Vec<u8> {
    let mut bytes = vec![0; command.encoded_length()];
    command.encode(&mut bytes).unwrap();
    bytes
}

/// Commands that add something, from a client of their own.
fn samples(client_id: ClientId, correlation_id: CorrelationId) -> Vec<(i32, Vec<u8>)> {
    let (stream_id, channel) = (StreamId::new(4_004), Text::from("aeron:ipc?term-length=64k"));
    let add = AddPublication { client_id, correlation_id, stream_id, channel };
    [
        Command::AddPublication(add),
        Command::AddExclusivePublication(add),
        Command::AddSubscription(AddSubscription { client_id, correlation_id, stream_id, channel }),
        Command::AddCounter(AddCounter {
            client_id,
            correlation_id,
            type_id: 1001,
            key: b"key",
            label: Text::from("label"),
        }),
        Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            registration_id: RegistrationId::new(5),
            type_id: 1001,
            key: b"key",
            label: Text::from("label"),
        }),
    ]
    .iter()
    .map(|command| (command.type_id(), encoded(command)))
    .collect()
}

#[test]
fn in_commands() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let cnc = driver.cnc();
    let commands = cnc.commands();
    let mut random = seeded(0x6A2B);
    let client_id = ClientId::new(commands.next_correlation_id().get());

    // Arbitrary bytes under any type.
    for round in 0..2_000 {
        let type_id = if round % 2 == 0 { random.i32(1..0x20) } else { random.i32(1..) };
        let bytes: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
        write(&commands, type_id, &bytes);
    }
    healthy.goes_on();

    // Commands that are cut off anywhere, and wrong lengths inside them.
    for round in 0..400 {
        for (type_id, sound) in samples(client_id, commands.next_correlation_id()) {
            let mut bytes = sound.clone();
            if round % 2 == 0 {
                bytes.truncate(random.usize(0..bytes.len()));
            } else {
                let at = 16 + random.usize(0..(bytes.len() - 16) / 4) * 4;
                let lies = [i32::MIN, -1, 0, 1, i32::from(u8::MAX), 1 << 20, i32::MAX];
                let lie = lies[random.usize(0..lies.len())].to_le_bytes();
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&lie[..end - at]);
            }
            write(&commands, type_id, &bytes);
        }
    }
    await_taken(&commands);
    healthy.goes_on();

    // Channels of 1 MiB.
    for channel in [
        "x".repeat(MIB),
        format!("aeron:ipc?{}", "a=b|".repeat(MIB / 4)),
        format!("aeron:ipc?alias={}", "x".repeat(MIB)),
        format!("aeron:ipc?session-id={}", "9".repeat(MIB)),
        format!("aeron:{}", "\u{e9}".repeat(MIB / 2)),
    ] {
        let (correlation_id, stream_id) = (commands.next_correlation_id(), StreamId::new(4_004));
        let channel = Text::from(channel.as_str());
        let add = AddPublication { client_id, correlation_id, stream_id, channel };
        for command in [Command::AddPublication(add), Command::AddExclusivePublication(add)] {
            write(&commands, command.type_id(), &encoded(&command));
        }
    }
    await_taken(&commands);
    healthy.goes_on();
    serves_others(&driver.dir);
    let errors = cnc.counters().value(SystemCounter::Errors.id()).unwrap();
    assert!(errors > 3_000, "what was refused was counted: {errors}");
    healthy.finish();
}

/// With ids of another client's resources, a client cannot remove them.
#[test]
fn in_ids() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let cnc = driver.cnc();
    let commands = cnc.commands();
    let mut theirs = Vec::new();
    cnc.counters().for_each(|counter| theirs.push(counter.registration_id));
    theirs.sort_unstable();
    theirs.dedup();
    assert!(theirs.len() >= 3, "{theirs:?}");
    // One client that the driver knows, and one that it does not know.
    let known = Client::connect(context(&driver.dir)).unwrap();
    let _counter = known.add_counter(1001, b"key", "known").unwrap();
    let stranger = ClientId::new(commands.next_correlation_id().get());
    for client_id in [known.client_id(), stranger, ClientId::new(0), ClientId::new(-1), ClientId::new(i64::MIN)] {
        for &registration_id in &theirs {
            for correlation_id in
                [commands.next_correlation_id(), CorrelationId::new(registration_id.get()), CorrelationId::new(-1)]
            {
                let counter = RemoveCounter { client_id, correlation_id, registration_id };
                let publication = RemovePublication { client_id, correlation_id, registration_id, revoke: true };
                let subscription = RemoveSubscription { client_id, correlation_id, registration_id };
                for command in [
                    Command::RemoveCounter(counter),
                    Command::RemovePublication(publication),
                    Command::RemoveSubscription(subscription),
                ] {
                    write(&commands, command.type_id(), &encoded(&command));
                }
                // The id of an existing resource, for a new one.
                let taken = CorrelationId::new(registration_id.get());
                for (type_id, bytes) in samples(client_id, taken) {
                    if type_id != 0x0F {
                        write(&commands, type_id, &bytes);
                    }
                }
            }
        }
    }
    await_taken(&commands);
    healthy.goes_on();
    serves_others(&driver.dir);
    healthy.finish();
}

/// A record in the ring: its place, claimed and never committed.
struct Abandoned {
    index: usize,
}

impl Abandoned {
    fn claim(commands: &ManyToOneRingBuffer, length: usize) -> Self {
        let index = (commands.producer_position() as usize) & (commands.capacity() - 1);
        std::mem::forget(commands.try_claim(1, length).unwrap());
        Self { index }
    }
}

/// Leaves records with these lengths and types in the ring, one after another, and proves that each is passed.
fn passes_headers(headers: impl IntoIterator<Item = (i32, i32)>) {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let cnc = driver.cnc();
    let (commands, ring) = (cnc.commands(), cnc.to_driver(RAW));
    for (length, type_id) in headers {
        let Abandoned { index } = Abandoned::claim(&commands, 56);
        ring.word_at::<i32>(index + 4).store_relaxed(type_id);
        ring.word_at::<i32>(index).store_release(length);
        serves_others(&driver.dir);
    }
    healthy.finish();
}

/// Records whose length is complete are skipped as soon as valid ones follow.
#[test]
fn in_the_headers_of_complete_records() {
    /// Of the ring that [`DRIVER`] asks for.
    const CAPACITY: i32 = 16 << 20;
    let lengths = [1, 7, 4_096, CAPACITY, i32::MAX].map(|length| (length, 1));
    passes_headers(lengths.into_iter().chain([(64, 0), (64, -7), (64, i32::MIN), (7, -1)]));
}

/// The others are waited for, as for a record that is being written.
#[test]
fn in_the_headers_of_records_without_an_end() {
    passes_headers([(0, 9), (-1, 1)]);
}

#[test]
fn in_the_headers_of_records_that_end_before_they_begin() {
    passes_headers([(-4_096, 1), (i32::MIN, -1)]);
}

#[test]
fn in_the_words_of_the_ring() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let cnc = driver.cnc();
    let ring = cnc.to_driver(RAW);
    let trailer = ring.len() - raw::RING_TRAILER;
    let tail = trailer + raw::RING_TAIL;
    let now = || ring.word_at::<i64>(tail).load_relaxed();
    for (word, value) in [
        (tail, i64::MIN),
        (tail, i64::MAX),
        (tail, now() + 3),
        (tail, now() + (1 << 40)),
        (trailer + raw::RING_HEAD, i64::MIN),
        (trailer + raw::RING_HEAD, i64::MAX),
        (trailer + raw::RING_HEAD_CACHE, i64::MIN),
        (trailer + raw::RING_HEAD_CACHE, i64::MAX),
    ] {
        ring.word_at::<i64>(word).store_release(value);
        serves_others(&driver.dir);
    }
    healthy.finish();
}

/// While the header of the CnC file is garbage, new clients get an error. Existing clients and the driver do not
/// notice, and another driver does not start.
#[test]
fn in_the_header_of_the_cnc_file() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let header = raw::map(&driver.dir.join("cnc.dat")).slice(0, 64);
    let mut sound = [0; 64];
    header.get_bytes(0, &mut sound);
    let mut garbage = vec![[0; 64], [0xFF; 64], [0x7F; 64]];
    // The version and each length, one at a time.
    for at in (0..24).step_by(4) {
        for value in [i32::MIN, -1, 0x0109_0001, i32::MAX] {
            let mut bytes = sound;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            garbage.push(bytes);
        }
    }
    for (index, bytes) in garbage.iter().enumerate() {
        header.put_bytes(0, bytes);
        let found = CncFile::open(&driver.dir, FileAccess::ReadWrite);
        let connected = Client::connect(context(&driver.dir).driver_timeout(Duration::from_millis(50)));
        assert!(found.is_err() && connected.is_err(), "{bytes:?}");
        if index < 3 {
            let second = DriverProcess::spawn(&driver.dir, &[]).ended();
            assert_eq!(second.status.code(), Some(1), "{}", second.stderr);
        }
        healthy.goes_on();
    }
    header.put_bytes(0, &sound);
    serves_others(&driver.dir);
    healthy.finish();
}
