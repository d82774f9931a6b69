//! Arbitrary content in shared memory: commands of arbitrary bytes, and counters and logs that other processes
//! overwrite. The conductor never stops, and the streams of honest clients continue undisturbed.

use gannet::command::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, ClientClose, ClientKeepalive, Command, Destination,
    GetNextAvailableSessionId, RejectImage, RemoveCounter, RemoveDestinationById, RemovePublication,
    RemoveSubscription, TerminateDriver, Text,
};
use gannet::logbuffer::{ConcurrentAppender, ImageReader, OfferError};
use gannet::types::{ClientId, CorrelationId, Position, RegistrationId, StreamId};
use proptest::prelude::*;

use crate::support::{AddedPublication, Driver, IPC, metadata};

/// A client that behaves correctly, and checks that it receives what it sent.
struct Honest {
    client: ClientId,
    publication: AddedPublication,
    publisher: ConcurrentAppender,
    reader: ImageReader,
    sent: u64,
    received: u64,
}

impl Honest {
    fn new(driver: &mut Driver) -> Self {
        let client = driver.client();
        let publication = driver.add_publication(client, IPC);
        let channel = format!("aeron:ipc?session-id={}", publication.session);
        let (_, images) = driver.add_subscription(client, &channel);
        let (publisher, reader) = (driver.publisher(&publication), driver.reader(&images[0]));
        Self { client, publication, publisher, reader, sent: 0, received: 0 }
    }

    /// Sends and receives a large part of a term.
    fn exchange(&mut self, driver: &mut Driver) {
        driver.beat(self.client);
        let mut received = self.received;
        for _ in 0..40 {
            match self.publisher.offer(&self.sent.to_le_bytes().repeat(100)) {
                Ok(_) => self.sent += 1,
                Err(OfferError::AdminAction | OfferError::BackPressured) => {}
                Err(error) => panic!("{error}"),
            }
            self.reader.poll(
                |fragment| {
                    assert_eq!(fragment.payload(), received.to_le_bytes().repeat(100));
                    received += 1;
                },
                10,
            );
            driver.cycle();
        }
        self.received = received;
        assert_eq!(self.received, self.sent, "everything that was sent is received");
    }
}

/// The channels that hostile clients use, valid and invalid.
const CHANNELS: [&str; 10] = [
    "aeron:ipc?term-length=64k",
    "aeron:ipc?term-length=64k|mtu=64",
    "aeron:ipc?term-length=64k|session-id=7",
    "aeron:ipc?term-length=64k|init-term-id=3|term-id=9|term-offset=64",
    "aeron:ipc?term-length=64k|response-correlation-id=11",
    "aeron:ipc?tether=false|rejoin=false",
    "aeron:ipc?control-mode=response",
    "aeron:ipc?term-length=1|mtu=x",
    "aeron:udp?endpoint=localhost:1",
    "aeron-spy:aeron:udp?endpoint=[::1]:9",
];

/// A command as a client would send it, with ids from a small range.
fn command() -> impl Strategy<Value = (i32, Vec<u8>)> {
    (1..=0x12_i32, 1..5_i64, 1..40_i64, 1..40_i64, 1..4_i32, 0..CHANNELS.len(), any::<bool>()).prop_map(
        |(type_id, client, correlation, other, stream, channel, flag)| {
            let client_id = ClientId::new(client);
            let correlation_id = CorrelationId::new(correlation);
            let registration_id = RegistrationId::new(other);
            let stream_id = StreamId::new(stream);
            let channel = Text::from(CHANNELS[channel]);
            let publication = AddPublication { client_id, correlation_id, stream_id, channel };
            let destination = Destination { client_id, correlation_id, registration_id, channel };
            let command = match type_id {
                0x01 => Command::AddPublication(publication),
                0x02 => Command::RemovePublication(RemovePublication {
                    client_id,
                    correlation_id,
                    registration_id,
                    revoke: flag,
                }),
                0x03 => Command::AddExclusivePublication(publication),
                0x04 => Command::AddSubscription(AddSubscription { client_id, correlation_id, stream_id, channel }),
                0x05 => Command::RemoveSubscription(RemoveSubscription { client_id, correlation_id, registration_id }),
                0x06 => Command::ClientKeepalive(ClientKeepalive { client_id, correlation_id }),
                0x07 => Command::AddDestination(destination),
                0x08 => Command::RemoveDestination(destination),
                0x09 => Command::AddCounter(AddCounter {
                    client_id,
                    correlation_id,
                    type_id: stream,
                    key: channel.as_bytes(),
                    label: channel,
                }),
                0x0A => Command::RemoveCounter(RemoveCounter { client_id, correlation_id, registration_id }),
                0x0B => Command::ClientClose(ClientClose { client_id, correlation_id }),
                0x0C => Command::AddReceiveDestination(destination),
                0x0D => Command::RemoveReceiveDestination(destination),
                0x0E => Command::TerminateDriver(TerminateDriver { client_id, correlation_id, token: b"" }),
                0x0F => Command::AddStaticCounter(AddStaticCounter {
                    client_id,
                    correlation_id,
                    registration_id,
                    type_id: stream,
                    key: b"static",
                    label: Text::from("static"),
                }),
                0x10 => Command::RejectImage(RejectImage {
                    client_id,
                    correlation_id,
                    image_correlation_id: CorrelationId::new(other),
                    position: Position::new(other),
                    reason: channel,
                }),
                0x11 => Command::RemoveDestinationById(RemoveDestinationById {
                    client_id,
                    correlation_id,
                    registration_id,
                    destination_registration_id: registration_id,
                }),
                _ => Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
                    client_id,
                    correlation_id,
                    stream_id,
                }),
            };
            let mut bytes = vec![0; command.encoded_length()];
            command.encode(&mut bytes).unwrap();
            (command.type_id(), bytes)
        },
    )
}

/// A valid command, one with an error in it, or none at all.
fn garbage() -> impl Strategy<Value = (i32, Vec<u8>)> {
    let broken = (command(), any::<prop::sample::Index>(), any::<u8>(), 0..3_u8).prop_map(
        |((type_id, mut bytes), at, byte, kind)| {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
            (type_id, bytes)
        },
    );
    let noise = (1..i32::MAX, prop::collection::vec(any::<u8>(), 0..64));
    prop_oneof![6 => command(), 3 => broken, 1 => noise]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Arbitrary bytes as commands. Their ids are small, so that they often hit each other's resources, but not by
    /// accident those of the honest client: any process that knows a client's id can act for it, by design of the
    /// protocol.
    #[test]
    fn garbage_in_the_ring_harms_nobody(commands in prop::collection::vec(garbage(), 1..120)) {
        let mut driver = Driver::new();
        for _ in 0..100_000 {
            driver.correlation();
        }
        let mut honest = Honest::new(&mut driver);
        for (type_id, bytes) in commands {
            driver.send_raw(type_id, &bytes);
            driver.settle();
            driver.events();
            honest.exchange(&mut driver);
            driver.pass_ms(300);
        }
        driver.pass_with(40_000, |driver| driver.beat(honest.client));
        honest.exchange(&mut driver);
        // Of all other clients at most static counters are left.
        let left = driver.counter_lines();
        let own = left.iter().filter(|line| {
            line.contains("pub-") || line.contains("sub-pos") || line.contains("client-heartbeat")
        });
        prop_assert_eq!(own.count(), 4, "{:?}", left);
        prop_assert_eq!(driver.log_files().len(), 1);
    }

    /// A client overwrites its own position counters, and the metadata and terms of its own log, at any time.
    #[test]
    fn scribbling_on_counters_and_logs_harms_nobody(
        strokes in prop::collection::vec((0..5_usize, 0..64_usize, any::<i64>(), any::<bool>()), 1..200),
    ) {
        let mut driver = Driver::new();
        let mut honest = Honest::new(&mut driver);
        let vandal = driver.client();
        let publication = driver.add_exclusive_publication(vandal, IPC);
        let channel = format!("aeron:ipc?session-id={}", publication.session);
        let (_, tethered) = driver.add_subscription(vandal, &channel);
        let (_, untethered) = driver.add_subscription(vandal, &format!("{channel}|tether=false"));
        let words = [&tethered, &untethered].map(|images| driver.word(images[0].position));
        let limit = driver.word(publication.limit);
        let log = crate::support::open(&publication.path);
        let tails = metadata(&publication.path);
        for (target, place, value, small) in strokes {
            let value = if small { value % (1 << 18) } else { value };
            match target {
                0 | 1 => words[target].store_release(value),
                2 => limit.store_release(value),
                3 => tails.word_at::<i64>(place % 4 * 8).store_release(value),
                _ => log.term(place % 3).word_at::<i64>(place * 1000).store_release(value),
            }
            driver.beat(vandal);
            honest.exchange(&mut driver);
            // Not until there is no work left: a stream whose publisher and subscriber keep reporting higher positions
            // is cleaned for ever, a little in each duty cycle.
            driver.pass_briefly_ms(500);
        }
        driver.events();
        driver.send(&Command::RemovePublication(RemovePublication {
            client_id: vandal,
            correlation_id: driver.correlation(),
            registration_id: publication.original,
            revoke: true,
        }));
        driver.pass_briefly_ms(1);
        driver.beat(honest.client);
        driver.pass_briefly_ms(1_000);
        driver.close_client(vandal);
        driver.pass_with(3_000, |driver| driver.beat(honest.client));
        honest.exchange(&mut driver);
        prop_assert!(!publication.path.exists() && honest.publication.path.exists());
        prop_assert_eq!(driver.counter_lines().len(), 4);
    }
}

/// Heartbeats of any value: at worst their own client times out, or never does.
#[test]
fn heartbeats_of_any_value_concern_their_client_only() {
    let mut driver = Driver::new();
    let mut honest = Honest::new(&mut driver);
    for value in [i64::MIN, -1, 0, i64::MAX] {
        let client = driver.client();
        driver.add_counter(client, b"", b"");
        let heartbeat = driver.counters.find(11, RegistrationId::new(client.get())).unwrap();
        driver.word(heartbeat).store_release(value);
        driver.pass_with(2_000, |driver| driver.beat(honest.client));
        honest.exchange(&mut driver);
    }
}

/// A full ring is processed at one command per duty cycle, and streams progress in between.
#[test]
fn a_flood_of_commands_does_not_stop_streams() {
    let mut driver = Driver::new();
    let mut honest = Honest::new(&mut driver);
    let client = driver.client();
    let mut flood = 0;
    loop {
        let command = driver.add_subscription_command(client, "aeron:ipc?alias=flood");
        let mut bytes = vec![0; command.encoded_length()];
        command.encode(&mut bytes).unwrap();
        if driver.ring.write(command.type_id(), &bytes).is_err() {
            break;
        }
        flood += 1;
    }
    assert!(flood > 500);
    honest.exchange(&mut driver);
    assert_ne!(driver.ring.consumer_position(), driver.ring.producer_position(), "the flood is not over");
}
