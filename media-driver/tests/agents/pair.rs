//! A sender and a receiver with a bad network between them, and a minimal conductor. Whatever the network does, the
//! reader gets every message once and in order.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use fastrand::Rng;
use gannet::counters::SystemCounter;
use gannet::logbuffer::{ExclusiveAppender, ImageReader, LogBuffers, LogKind, OfferError, clean_to};
use gannet::memory::OwnedWord;
use gannet::types::Position;
use gannet_driver::mailbox::{
    Completion, DestinationRules, EndpointId, NewReceiveEndpoint, NewReceiveTransport, Outcome, ReceiverCommand,
    ReceiverEvent, SenderCommand, TransmitBatch,
};
use gannet_driver::receiver::Receiver;
use gannet_driver::sender::Sender;
use gannet_driver::shared::{Condition, ImageWords, NetworkCounters, PublicationWords};

use crate::support::*;

/// The behaviour of the network.
#[derive(Clone, Copy)]
struct Weather {
    lost: f64,
    repeated: f64,
    /// Minimum and maximum delay of a datagram in microseconds.
    delay_us: (i64, i64),
    /// How often the operating system accepts nothing.
    refused: f64,
}

struct Pair {
    now_us: i64,
    random: Rng,
    weather: Weather,
    sender: Sender,
    counters: NetworkCounters,
    receiver: Receiver,
    on_the_way: BTreeMap<(i64, u64), (EndpointId, SocketAddr, Vec<u8>)>,
    number: u64,
    publisher: ExclusiveAppender,
    limit: OwnedWord<i64>,
    log: LogBuffers,
    words: PublicationWords,
    cleaned: i64,
    image: Option<Image>,
    batch: TransmitBatch,
}

struct Image {
    reader: ImageReader,
    words: ImageWords,
    cleaned: i64,
}

impl Pair {
    fn new(seed: u64, weather: Weather) -> Self {
        let mut random = Rng::with_seed(seed);
        // Term ids wrap soon.
        let initial = gannet::types::TermId::new(i32::MAX - random.i32(0..3));
        let log = log(LogKind::Exclusive, initial, 0);
        let limit = word(0);
        let made_of = publication(&log, 0);
        let words = made_of.words.clone();
        let counters = NetworkCounters::heap();
        let mut sender = Sender::new(counters.clone());
        sender.on_command(at(0), SenderCommand::AddEndpoint(SENDING, DestinationRules::Fixed(receiver_address())));
        sender.on_command(at(0), SenderCommand::AddPublication(SENDING, Box::new(made_of)));
        let mut receiver = Receiver::new(NetworkCounters::heap(), random.u64(..));
        let endpoint = NewReceiveEndpoint { id: RECEIVING, receiver_id: RECEIVER, group_tag: None, session_limit: 4 };
        receiver.on_command(at(0), ReceiverCommand::AddEndpoint(endpoint));
        let transport = NewReceiveTransport { id: RECEIVING, control: None, registers: false };
        receiver.on_command(at(0), ReceiverCommand::AddTransport(RECEIVING, transport));
        receiver.on_command(at(0), ReceiverCommand::AddStream(RECEIVING, STREAM));
        Self {
            now_us: 0,
            random,
            weather,
            sender,
            counters,
            receiver,
            on_the_way: BTreeMap::new(),
            number: 0,
            publisher: ExclusiveAppender::new(&log, limit.clone()).unwrap(),
            limit,
            log,
            words,
            cleaned: 0,
            image: None,
            batch: TransmitBatch::new(32),
        }
    }

    /// One duty cycle of every agent, ten microseconds after the last.
    fn turn(&mut self) {
        self.now_us += 10;
        let now = at(self.now_us * 1000);
        while let Some(entry) = self.on_the_way.first_entry() {
            if entry.key().0 > self.now_us {
                break;
            }
            let (to, from, bytes) = entry.remove();
            if to == SENDING {
                self.sender.on_datagram(now, to, from, &bytes);
            } else {
                self.receiver.on_datagram(now, to, from, &bytes);
            }
        }
        self.sender.poll_transmit(now, &mut self.batch);
        self.carry(SENDING);
        self.receiver.poll_transmit(now, &mut self.batch);
        self.carry(RECEIVING);
        self.conduct();
    }

    fn carry(&mut self, from: EndpointId) {
        let (to, source) = if from == SENDING { (RECEIVING, sender_address()) } else { (SENDING, receiver_address()) };
        let sent: Vec<_> = self.batch.drain().collect();
        for transmit in sent {
            let refused = self.random.f64() < self.weather.refused;
            let copies = if refused || self.random.f64() < self.weather.lost {
                0
            } else {
                1 + usize::from(self.random.f64() < self.weather.repeated)
            };
            for _ in 0..copies {
                let (least, most) = self.weather.delay_us;
                let when = self.now_us + self.random.i64(least..=most);
                self.number += 1;
                self.on_the_way.insert((when, self.number), (to, source, bytes(&transmit)));
            }
            if from == SENDING {
                let outcome = if refused { Outcome::NoRoom } else { Outcome::Sent };
                self.sender.on_completion(Completion { tag: transmit.tag, outcome });
            }
        }
    }

    /// The conductor's work for one publication and one image.
    fn conduct(&mut self) {
        while let Some(event) = self.receiver.next_event() {
            let ReceiverEvent::CreateImage { endpoint, setup, control, .. } = event else { continue };
            let join = setup.position().unwrap().get();
            let log = log(LogKind::Image, setup.initial_term_id, join);
            let mut made_of = image(&log, join);
            made_of.control_address = control;
            let reader = ImageReader::new(log, word(join));
            self.image = Some(Image { reader, words: made_of.words.clone(), cleaned: join });
            self.receiver.on_command(at(self.now_us * 1000), ReceiverCommand::AddImage(endpoint, Box::new(made_of)));
        }
        let sent = self.words.sender_position();
        self.cleaned = clean_to(&self.log, Position::new(self.cleaned), Position::new(sent - LENGTH)).get();
        self.limit.store_release(sent.min(self.cleaned + LENGTH) + LENGTH / 2);
        if let Some(Image { reader, words, cleaned }) = &mut self.image {
            let read = reader.position().get();
            *cleaned = clean_to(reader.log(), Position::new(*cleaned), Position::new(read - LENGTH)).get();
            words.set_consumed(read.min((*cleaned).max(0) + LENGTH));
        }
    }
}

/// Sends numbered messages of all sizes over the network, and compares what arrives.
fn carry_messages(seed: u64, weather: Weather, count: u32) {
    let mut pair = Pair::new(seed, weather);
    let mut waiting = VecDeque::new();
    let (mut next, mut read) = (0, 0);
    let longest = pair.log.max_payload_length();
    let deadline_us = 120_000_000;
    while read < count {
        pair.turn();
        assert!(pair.now_us < deadline_us, "seed {seed}: {read} of {count} came");
        while next < count && waiting.len() < 1000 {
            let mut message = vec![next as u8; pair.random.usize(4..longest)];
            message[..4].copy_from_slice(&next.to_le_bytes());
            match pair.publisher.offer(&message) {
                Ok(_) => {
                    waiting.push_back(message);
                    next += 1;
                }
                Err(OfferError::AdminAction) => {}
                Err(_) => break,
            }
        }
        // A publication has a publisher before it has a reader: a late reader misses earlier messages.
        if pair.image.is_none() {
            continue;
        }
        if let Some(image) = &mut pair.image
            && pair.random.f64() < 0.3
        {
            image.reader.poll(
                |fragment| {
                    let expected = waiting.pop_front().expect("nothing that was not sent");
                    assert!(fragment.payload() == expected, "seed {seed}: message {read} differs");
                    read += 1;
                },
                10,
            );
        }
    }
    // The end is signalled, and received.
    let end = pair.log.producer_position().get();
    let ended = SenderCommand::EndPublication { registration_id: PUBLICATION, position: end, revoked: false };
    pair.sender.on_command(at(pair.now_us * 1000), ended);
    while pair.image.as_ref().unwrap().words.condition() == Condition::Live || !pair.words.receivers().left {
        pair.turn();
        assert!(pair.now_us < deadline_us, "seed {seed}: the end did not come");
    }
    let ended = Condition::Ended { position: end, revoked: false };
    assert_eq!(pair.image.unwrap().words.condition(), ended);
}

const FAIR: Weather = Weather { lost: 0.0, repeated: 0.0, delay_us: (20, 20), refused: 0.0 };

#[test]
fn a_stream_crosses_a_good_network() {
    carry_messages(1, FAIR, 1_000);
}

#[test]
fn a_stream_crosses_a_network_that_loses() {
    for (seed, lost) in [(2, 0.01), (3, 0.05), (4, 0.2)] {
        carry_messages(seed, Weather { lost, ..FAIR }, 300);
    }
}

#[test]
fn a_stream_crosses_a_network_that_repeats_and_reorders() {
    for seed in 5..10 {
        carry_messages(seed, Weather { repeated: 0.2, delay_us: (10, 500), ..FAIR }, 200);
    }
}

#[test]
fn a_stream_crosses_a_network_that_does_everything_wrong() {
    for seed in 10..24 {
        let mut random = Rng::with_seed(seed);
        let weather = Weather {
            lost: random.f64() * 0.3,
            repeated: random.f64() * 0.3,
            delay_us: (10, random.i64(10..2_000)),
            refused: random.f64() * 0.1,
        };
        carry_messages(seed, weather, 100);
    }
}

/// The way there and back takes a hundred times as long as the delay between two NAKs. A unicast sender ignores NAKs only
/// for the range that it has sent again last. So each NAK for one of several gaps used to be answered.
#[test]
fn what_is_lost_on_a_long_way_is_not_sent_again_all_the_time() {
    let mut pair = Pair::new(30, Weather { delay_us: (5_000, 5_000), ..FAIR });
    while pair.image.is_none() {
        pair.turn();
    }
    pair.weather.lost = 0.1;
    let message = vec![1; pair.log.max_payload_length()];
    let (mut offered, mut read) = (0, 0);
    while read < 1_000 {
        pair.turn();
        while offered < 1_000 && pair.publisher.offer(&message).is_ok() {
            offered += 1;
        }
        if let Some(image) = &mut pair.image {
            image.reader.poll(|_| read += 1, 100);
        }
    }
    let again = pair.counters.get(SystemCounter::RetransmitsSent);
    assert!((100..1_000).contains(&again), "{again}");
}
