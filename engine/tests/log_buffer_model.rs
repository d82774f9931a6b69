//! Compares the log buffer with a simple model: a list of the frames that it should hold. Both execute the same
//! generated operations. Every result, position and byte must be equal, over rotations, back-pressure, wrapping term
//! ids and the last position.

#[path = "support/raw_access.rs"]
mod raw_access;

use std::collections::VecDeque;
use std::io::IoSlice;

use gannet::logbuffer::{
    ConcurrentAppender, ControlledAction, ControlledFragmentAssembler, ExclusiveAppender, Fragment, FragmentAssembler,
    ImageReader, LogBuffers, LogKind, LogParameters, OfferError, clean_to, flags,
};
use gannet::memory::{AtomicBuffer, Field, OwnedWord};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use proptest::prelude::*;

use raw_access::RAW;

const TERM: i64 = 65_536;
const WINDOW: i64 = TERM / 2;
const MAX_POSITION: i64 = TERM << 31;
const MTU: usize = 1408;
const MAX_PAYLOAD: usize = MTU - 32;
const MAX_MESSAGE: usize = 8192;

#[derive(Clone, Debug)]
enum Operation {
    Offer {
        length: usize,
        reserved: i64,
    },
    OfferVectored {
        lengths: Vec<usize>,
    },
    Claim {
        length: usize,
        commit: bool,
    },
    Batch {
        lengths: Vec<usize>,
        commit: bool,
    },
    /// On an exclusive log only.
    Pad {
        length: usize,
    },
    Poll {
        limit: usize,
    },
    BoundedPoll {
        ahead: i64,
        limit: usize,
    },
    ControlledPoll {
        actions: Vec<u8>,
        limit: usize,
    },
    BlockPoll {
        limit: usize,
    },
    /// Begins this many frames after the subscriber's position.
    Peek {
        frames: usize,
    },
    /// Runs the conductor's duty cycle.
    Conduct {
        connected: bool,
    },
}

fn operations() -> impl Strategy<Value = Operation> {
    let length = || prop_oneof![4 => 0..200_usize, 2 => 0..=MAX_PAYLOAD + 1, 2 => 0..=MAX_MESSAGE, 1 => MAX_MESSAGE..MAX_MESSAGE + 2];
    let limit = || prop_oneof![1..4_usize, Just(usize::MAX), Just(0)];
    let ahead = || -64..TERM / 2;
    prop_oneof![
        6 => (length(), any::<i64>()).prop_map(|(length, reserved)| Operation::Offer { length, reserved }),
        2 => prop::collection::vec(length(), 0..4).prop_map(|lengths| Operation::OfferVectored { lengths }),
        3 => (length(), prop::bool::weighted(0.8)).prop_map(|(length, commit)| Operation::Claim { length, commit }),
        2 => (prop::collection::vec(0..300_usize, 0..40), prop::bool::weighted(0.8))
            .prop_map(|(lengths, commit)| Operation::Batch { lengths, commit }),
        1 => length().prop_map(|length| Operation::Pad { length }),
        3 => limit().prop_map(|limit| Operation::Poll { limit }),
        1 => (ahead(), limit()).prop_map(|(ahead, limit)| Operation::BoundedPoll { ahead, limit }),
        1 => (prop::collection::vec(0..8_u8, 1..6), limit())
            .prop_map(|(actions, limit)| Operation::ControlledPoll { actions, limit }),
        1 => (0..20_000_usize).prop_map(|limit| Operation::BlockPoll { limit }),
        1 => (0..6_usize).prop_map(|frames| Operation::Peek { frames }),
        4 => prop::bool::weighted(0.9).prop_map(|connected| Operation::Conduct { connected }),
    ]
}

/// A frame that the log should hold.
#[derive(Clone, Debug, PartialEq)]
struct Frame {
    /// `None` for padding.
    message: Option<Delivered>,
    begin: i64,
    end: i64,
}

/// What a reader should receive.
#[derive(Clone, Debug, PartialEq)]
struct Delivered {
    payload: Vec<u8>,
    flags: u8,
    reserved: i64,
    end: i64,
}

impl Delivered {
    fn of(fragment: Fragment<'_>) -> Self {
        Self {
            payload: fragment.payload().to_vec(),
            flags: fragment.flags(),
            reserved: fragment.reserved_value(),
            end: fragment.position().get(),
        }
    }
}

/// The model: positions, and the frames between the subscriber and the publisher.
struct Model {
    term_begin: i64,
    /// From 0 to the term's length: a full term is left by the append that finds it full.
    term_offset: i64,
    limit: i64,
    subscriber: i64,
    connected: bool,
    frames: VecDeque<Frame>,
}

fn occupied(payload: usize) -> i64 {
    (32 + payload).next_multiple_of(32) as i64
}

fn too_long(length: usize, max: usize) -> Result<i64, OfferError> {
    Err(OfferError::MessageTooLong { length, max })
}

impl Model {
    fn position(&self) -> i64 {
        self.term_begin + self.term_offset
    }

    /// Makes room for `required` bytes, or returns why there is none.
    fn claim(&mut self, required: i64) -> Result<(), OfferError> {
        let position = self.position();
        if position >= self.limit || position == MAX_POSITION {
            return Err(match self.connected {
                _ if position + required >= MAX_POSITION => OfferError::MaxPositionExceeded,
                true => OfferError::BackPressured,
                false => OfferError::NotConnected,
            });
        }
        if self.term_offset + required <= TERM {
            return Ok(());
        }
        if self.term_offset < TERM {
            self.push(None, TERM - self.term_offset);
        }
        if self.position() == MAX_POSITION {
            return Err(OfferError::MaxPositionExceeded);
        }
        self.term_begin += TERM;
        self.term_offset = 0;
        Err(OfferError::AdminAction)
    }

    fn push(&mut self, message: Option<(Vec<u8>, u8, i64)>, occupied: i64) {
        let begin = self.position();
        self.term_offset += occupied;
        let end = self.position();
        let message = message.map(|(payload, flags, reserved)| Delivered { payload, flags, reserved, end });
        self.frames.push_back(Frame { message, begin, end });
    }

    fn offer(&mut self, message: &[u8], reserved: i64) -> Result<i64, OfferError> {
        if message.len() > MAX_MESSAGE {
            return too_long(message.len(), MAX_MESSAGE);
        }
        // A message without bytes takes one frame as well.
        let parts: Vec<&[u8]> = if message.is_empty() { vec![message] } else { message.chunks(MAX_PAYLOAD).collect() };
        self.claim(parts.iter().map(|part| occupied(part.len())).sum())?;
        let last = parts.len() - 1;
        for (index, part) in parts.iter().enumerate() {
            let begin = if index == 0 { flags::BEGIN } else { 0 };
            let end = if index == last { flags::END } else { 0 };
            self.push(Some((part.to_vec(), begin | end, reserved)), occupied(part.len()));
        }
        Ok(self.position())
    }

    fn write_claim(&mut self, message: &[u8], commit: bool) -> Result<i64, OfferError> {
        if message.len() > MAX_PAYLOAD {
            return too_long(message.len(), MAX_PAYLOAD);
        }
        let required = occupied(message.len());
        self.claim(required)?;
        self.push(commit.then(|| (message.to_vec(), flags::UNFRAGMENTED, 7)), required);
        Ok(self.position())
    }

    fn write_batch(&mut self, messages: &[Vec<u8>], commit: bool) -> Result<i64, OfferError> {
        let total: i64 = messages.iter().map(|message| occupied(message.len())).sum();
        match total as usize {
            0 => return Err(OfferError::EmptyBatch),
            total if total > MAX_MESSAGE => return too_long(total, MAX_MESSAGE),
            _ => self.claim(total)?,
        }
        if commit {
            for message in messages {
                self.push(Some((message.clone(), flags::UNFRAGMENTED, 0)), occupied(message.len()));
            }
        } else {
            self.push(None, total);
        }
        Ok(self.position())
    }

    fn pad(&mut self, length: usize) -> Result<i64, OfferError> {
        if length > MAX_MESSAGE {
            return too_long(length, MAX_MESSAGE);
        }
        self.claim(occupied(length))?;
        self.push(None, occupied(length));
        Ok(self.position())
    }

    /// The next frame that a poll may consume, if the poll began at `start` and has not reached `bound`.
    fn next(&self, start: i64, bound: i64) -> Option<&Frame> {
        let term_end = (start / TERM + 1) * TERM;
        self.frames.front().filter(|_| self.subscriber < term_end && self.subscriber < bound)
    }

    fn poll(&mut self, bound: i64, limit: usize, actions: &[ControlledAction]) -> Vec<Delivered> {
        let start = self.subscriber;
        let mut actions = actions.iter().cycle();
        let mut delivered = Vec::new();
        let mut consumed = 0;
        while consumed < limit
            && let Some(frame) = self.next(start, bound)
        {
            let frame = frame.clone();
            let mut stop = false;
            if let Some(message) = frame.message {
                delivered.push(message);
                match actions.next() {
                    Some(ControlledAction::Abort) => break,
                    Some(ControlledAction::Break) => stop = true,
                    _ => {}
                }
                consumed += 1;
            }
            self.subscriber = frame.end;
            self.frames.pop_front();
            if stop {
                break;
            }
        }
        delivered
    }

    fn block_poll(&mut self, limit: usize) -> usize {
        let start = self.subscriber;
        let mut first = true;
        while let Some(frame) = self.next(start, i64::MAX) {
            let padding = frame.message.is_none();
            // Padding is a block of its own, whatever its length.
            let is_within = if padding { first } else { frame.end - start <= limit as i64 };
            if !is_within {
                break;
            }
            first = false;
            self.subscriber = frame.end;
            self.frames.pop_front();
            if padding {
                break;
            }
        }
        (self.subscriber - start) as usize
    }

    fn peek(&self, from: i64) -> (Vec<Delivered>, i64) {
        let term_end = (from / TERM + 1) * TERM;
        let seen = self.frames.iter().filter(|frame| (from..term_end).contains(&frame.begin));
        let end = seen.clone().next_back().map_or(from, |frame| frame.end);
        (seen.filter_map(|frame| frame.message.clone()).collect(), end)
    }
}

/// An appender of either kind.
enum Appender {
    Concurrent(ConcurrentAppender),
    Exclusive(ExclusiveAppender),
}

macro_rules! either {
    ($this:expr, $appender:ident => $do:expr) => {
        match $this {
            Appender::Concurrent($appender) => $do,
            Appender::Exclusive($appender) => $do,
        }
    };
}

/// The real log with its reader.
struct Stream {
    log: LogBuffers,
    limit: OwnedWord<i64>,
    appender: Appender,
    reader: ImageReader,
    clean: i64,
}

impl Stream {
    fn new(kind: LogKind, initial_term_id: i32, start: i64) -> Self {
        let term_length = TermLength::new(TERM).unwrap();
        let initial = TermId::new(initial_term_id);
        let mut parameters = LogParameters::ipc(kind, term_length, SessionId::new(-9), StreamId::new(10), initial);
        parameters.start_position = Position::new(start);
        let log = LogBuffers::heap(&parameters, RAW);
        let counters = AtomicBuffer::zeroed(256, RAW);
        let [limit, subscriber] = [0, 128].map(|at| counters.own(Field::<i64>::at(at)));
        limit.store_release(start);
        subscriber.store_release(start);
        let appender = match kind {
            LogKind::Exclusive => Appender::Exclusive(ExclusiveAppender::new(&log, limit.clone()).unwrap()),
            _ => Appender::Concurrent(ConcurrentAppender::new(&log, limit.clone()).unwrap()),
        };
        Self { reader: ImageReader::new(log.clone(), subscriber), log, limit, appender, clean: start }
    }
}

fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + seed * 7 + length) as u8).collect()
}

fn get(result: Result<Position, OfferError>) -> Result<i64, OfferError> {
    result.map(Position::get)
}

fn action(code: u8) -> ControlledAction {
    match code {
        0 => ControlledAction::Abort,
        1 => ControlledAction::Break,
        2 => ControlledAction::Commit,
        _ => ControlledAction::Continue,
    }
}

/// Executes one operation on both, and compares everything visible.
fn step(stream: &mut Stream, model: &mut Model, operation: &Operation, seed: usize) {
    match operation {
        Operation::Offer { length, reserved } => {
            let message = bytes(*length, seed);
            let sent = either!(&mut stream.appender, appender => appender.offer_with(&message, *reserved));
            assert_eq!(get(sent), model.offer(&message, *reserved));
        }
        Operation::OfferVectored { lengths } => {
            let parts: Vec<Vec<u8>> = lengths.iter().map(|&length| bytes(length, seed)).collect();
            let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let sent = either!(&mut stream.appender, appender => appender.offer_vectored(&slices, 3));
            assert_eq!(get(sent), model.offer(&parts.concat(), 3));
        }
        Operation::Claim { length, commit } => {
            let message = bytes(*length, seed);
            let claim = either!(&mut stream.appender, appender => appender.try_claim(*length));
            let sent = claim.map(|mut claim| {
                claim.copy_from_slice(&message);
                claim.set_reserved_value(7);
                commit.then(|| claim.commit().unwrap().get())
            });
            let expected = model.write_claim(&message, *commit);
            assert_eq!(sent, expected.map(|position| commit.then_some(position)));
        }
        Operation::Batch { lengths, commit } => {
            let messages: Vec<Vec<u8>> = lengths.iter().map(|&length| bytes(length, seed)).collect();
            let batch = either!(&mut stream.appender, appender => appender.claim_batch(lengths));
            let sent = batch.map(|mut batch| {
                batch.for_each(|index, payload| payload.copy_from_slice(&messages[index]));
                commit.then(|| batch.commit().unwrap().get())
            });
            let expected = model.write_batch(&messages, *commit);
            assert_eq!(sent, expected.map(|position| commit.then_some(position)));
        }
        Operation::Pad { length } => {
            if let Appender::Exclusive(appender) = &mut stream.appender {
                assert_eq!(get(appender.append_padding(*length)), model.pad(*length));
            }
        }
        Operation::Poll { limit } => {
            let mut found = Vec::new();
            let count = stream.reader.poll(|fragment| found.push(Delivered::of(fragment)), *limit);
            assert_eq!(count, found.len());
            assert_eq!(found, model.poll(i64::MAX, *limit, &[]));
        }
        Operation::BoundedPoll { ahead, limit } => {
            let bound = model.subscriber + ahead;
            let mut found = Vec::new();
            stream.reader.bounded_poll(|fragment| found.push(Delivered::of(fragment)), bound.into(), *limit);
            assert_eq!(found, model.poll(bound, *limit, &[]));
        }
        Operation::ControlledPoll { actions, limit } => {
            let actions: Vec<ControlledAction> = actions.iter().copied().map(action).collect();
            let mut next = actions.iter().cycle();
            let mut found = Vec::new();
            let handler = |fragment: Fragment<'_>| {
                found.push(Delivered::of(fragment));
                *next.next().unwrap()
            };
            stream.reader.controlled_poll(handler, *limit);
            assert_eq!(found, model.poll(i64::MAX, *limit, &actions));
        }
        Operation::BlockPoll { limit } => {
            let start = model.subscriber;
            let mut block_length = 0;
            let length = stream.reader.block_poll(
                |block| {
                    block_length = block.bytes.len();
                    assert_eq!((block.position.get(), block.session_id), (start, SessionId::new(-9)));
                },
                *limit,
            );
            assert_eq!(length, block_length);
            assert_eq!(length, model.block_poll(*limit));
        }
        Operation::Peek { frames } => {
            let from = model.frames.get(*frames).map_or(model.position(), |frame| frame.begin);
            let mut found = Vec::new();
            let handler = |fragment: Fragment<'_>| {
                found.push(Delivered::of(fragment));
                ControlledAction::Continue
            };
            let end = stream.reader.peek(from.into(), handler, i64::MAX.into());
            assert_eq!((found, end.get()), model.peek(from));
        }
        Operation::Conduct { connected } => {
            model.connected = *connected;
            stream.log.metadata().set_connected(*connected);
            while stream.clean < model.subscriber {
                stream.clean = clean_to(&stream.log, stream.clean.into(), model.subscriber.into()).get();
            }
            model.limit = if *connected { model.subscriber + WINDOW } else { model.limit.min(model.subscriber) };
            stream.limit.store_release(model.limit);
        }
    }
    let (position, window) =
        either!(&stream.appender, appender => (appender.position().get(), appender.available_window()));
    assert_eq!(position, model.position());
    assert_eq!(window, (model.limit.min(MAX_POSITION) - model.position()).max(0));
    assert_eq!(stream.log.producer_position().get(), model.position());
    assert_eq!(stream.reader.position().get(), model.subscriber);
    assert_eq!(stream.reader.check(), Ok(()));
}

fn starts() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        (0..1_000_000_i64).prop_map(|frames| frames * 32),
        (1..8_000_i64).prop_map(|frames| MAX_POSITION - frames * 32)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_what_its_model_is(
        exclusive: bool,
        initial_term_id: i32,
        start in starts(),
        operations in prop::collection::vec(operations(), 1..300),
    ) {
        let kind = if exclusive { LogKind::Exclusive } else { LogKind::Concurrent };
        let mut stream = Stream::new(kind, initial_term_id, start);
        let mut model = Model {
            term_begin: start / TERM * TERM,
            term_offset: start % TERM,
            limit: start,
            subscriber: start,
            connected: false,
            frames: VecDeque::new(),
        };
        step(&mut stream, &mut model, &Operation::Conduct { connected: true }, 0);
        for (seed, operation) in operations.iter().enumerate() {
            step(&mut stream, &mut model, operation, seed);
        }
    }

    #[test]
    fn assemblers_give_back_what_was_offered(
        lengths in prop::collection::vec(0..=MAX_MESSAGE, 1..20),
        limits in prop::collection::vec(1..5_usize, 1..10),
        aborts in prop::collection::vec(prop::bool::weighted(0.2), 1..10),
    ) {
        let mut stream = Stream::new(LogKind::Exclusive, 1, 0);
        let messages: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(seed, &length)| bytes(length, seed)).collect();
        let mut limits = limits.iter().cycle();
        let mut aborts = aborts.iter().chain([&false]).cycle();
        let (mut plain, mut controlled) = (FragmentAssembler::new(), ControlledFragmentAssembler::new());
        for (index, message) in messages.iter().enumerate() {
            stream.limit.store_release(i64::MAX);
            let end = loop {
                if let Ok(end) = either!(&mut stream.appender, appender => appender.offer(message)) {
                    break end;
                }
            };
            let mut found = Vec::new();
            while stream.reader.position() < end {
                let limit = *limits.next().unwrap();
                if index % 2 == 0 {
                    stream.reader.poll(plain.assemble(|message| found.push(Delivered::of(message))), limit);
                } else {
                    let handler = |message: Fragment<'_>| {
                        if *aborts.next().unwrap() {
                            return ControlledAction::Abort;
                        }
                        found.push(Delivered::of(message));
                        ControlledAction::Continue
                    };
                    stream.reader.controlled_poll(controlled.assemble(handler), limit);
                }
            }
            let whole = Delivered { payload: message.clone(), flags: flags::UNFRAGMENTED, reserved: 0, end: end.get() };
            prop_assert_eq!(found, [whole]);
            while stream.clean < end.get() {
                stream.clean = clean_to(&stream.log, stream.clean.into(), end).get();
            }
        }
    }
}
