//! Compares a journal with a plain list under random sequences of appends, rolls, closes, kills, losses of power,
//! prunes and seeks. Both must agree after every step.

use std::sync::Arc;

use gannet::journal::consumer::Consumer;
use gannet::journal::storage::{Crash, MemoryStorage};
use gannet::journal::{
    Appender, ExclusiveAppender, Journal, JournalBatch, JournalClaim, JournalError, LeftBy, Prune, Retention, Start,
};
use gannet::types::Position;
use proptest::prelude::*;

use crate::raw_access::RAW;
use crate::support::{eventually, rest, small};

#[derive(Clone, Debug)]
enum Operation {
    /// Appends messages of this length.
    Append {
        length: usize,
        count: usize,
    },
    /// Appends messages of these lengths at once.
    Batch {
        lengths: Vec<usize>,
    },
    /// Makes a claim that is not committed.
    Abort {
        length: usize,
    },
    Sync,
    /// Closes the journal and opens it again.
    Reopen,
    /// Continues with an exclusive appender, or with a shared one.
    Take {
        alone: bool,
    },
    /// Kills every process that has it open, with or without a claim in progress.
    Kill {
        claiming: bool,
    },
    /// Loses power. The seed decides what happens to each page that was not synced.
    PowerLoss {
        seed: u64,
    },
    /// Prunes what is before this message, in thousandths of all messages, or down to a number of bytes.
    Prune {
        thousandths: usize,
        bytes: Option<u64>,
        /// Waits until everything is indexed and may be pruned.
        waits: bool,
    },
    /// Reads forwards and backwards from this message, in thousandths of all messages.
    Seek {
        thousandths: usize,
    },
    /// Consumes this many messages from the cursor on, and commits them.
    Consume {
        most: usize,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0_usize..3_000, 1_usize..60).prop_map(|(length, count)| Operation::Append { length, count }),
        2 => proptest::collection::vec(0_usize..1_000, 1..8).prop_map(|lengths| Operation::Batch { lengths }),
        1 => (0_usize..1_376).prop_map(|length| Operation::Abort { length }),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Reopen),
        2 => any::<bool>().prop_map(|alone| Operation::Take { alone }),
        2 => any::<bool>().prop_map(|claiming| Operation::Kill { claiming }),
        2 => any::<u64>().prop_map(|seed| Operation::PowerLoss { seed }),
        2 => (0_usize..1_000, prop_oneof![Just(None), (0_u64..2_000_000).prop_map(Some)], any::<bool>())
            .prop_map(|(thousandths, bytes, waits)| Operation::Prune { thousandths, bytes, waits }),
        3 => (0_usize..1_000).prop_map(|thousandths| Operation::Seek { thousandths }),
        3 => (0_usize..80).prop_map(|most| Operation::Consume { most }),
    ]
}

enum Hand {
    Shared(Appender),
    Alone(ExclusiveAppender),
}

impl Hand {
    fn take(journal: &Journal, alone: bool) -> Self {
        if alone {
            Self::Alone(journal.exclusive_appender().unwrap())
        } else {
            Self::Shared(journal.appender().unwrap())
        }
    }

    fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(_))
    }

    fn append(&mut self, message: &[u8]) -> Position {
        match self {
            Self::Shared(appender) => appender.append(message).unwrap(),
            Self::Alone(appender) => appender.append(message).unwrap(),
        }
    }

    fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> JournalBatch<'a> {
        match self {
            Self::Shared(appender) => appender.claim_batch(lengths).unwrap(),
            Self::Alone(appender) => appender.claim_batch(lengths).unwrap(),
        }
    }

    fn claim(&mut self, length: usize) -> JournalClaim<'_> {
        match self {
            Self::Shared(appender) => appender.claim(length).unwrap(),
            Self::Alone(appender) => appender.claim(length).unwrap(),
        }
    }
}

/// Bytes of a frame.
fn frame(length: usize) -> i64 {
    (32 + length).next_multiple_of(32) as i64
}

struct Pair {
    storage: MemoryStorage,
    journal: Journal,
    /// `Some` except during a change.
    hand: Option<Hand>,
    /// What was appended and is not pruned, with positions.
    model: Vec<(Position, Vec<u8>)>,
    /// The number of pruned messages, and the position where the rest begins.
    pruned: usize,
    start: Position,
    /// The number of all messages that are durable.
    durable: usize,
    appended: u64,
    /// The greatest number of messages that the consumer may have handled. A loss of power may take its cursor back.
    consumed: usize,
}

impl Pair {
    fn new() -> Self {
        let storage = MemoryStorage::new(RAW);
        let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
        let hand = Some(Hand::take(&journal, false));
        let (model, start) = (Vec::new(), Position::new(0));
        Self { storage, journal, hand, model, pruned: 0, start, durable: 0, appended: 0, consumed: 0 }
    }

    fn next_payload(&mut self, length: usize) -> Vec<u8> {
        self.appended += 1;
        (0..length).map(|index| (index as u64 * 7 + self.appended) as u8).collect()
    }

    fn append_batch(&mut self, lengths: &[usize]) {
        let payloads: Vec<_> = lengths.iter().map(|&length| self.next_payload(length)).collect();
        let mut batch = self.hand().claim_batch(lengths);
        batch.for_each(|index, payload| payload.copy_from_slice(&payloads[index]));
        let mut end = batch.commit().unwrap().get();
        let first = self.model.len();
        for payload in payloads.into_iter().rev() {
            end -= frame(payload.len());
            self.model.insert(first, (Position::new(end), payload));
        }
    }

    fn append(&mut self, length: usize) {
        let payload = self.next_payload(length);
        let end = self.hand().append(&payload);
        let max_payload = 1_376;
        let last = length % max_payload;
        let whole = (length / max_payload) as i64;
        // A message of full fragments has no shorter fragment after them.
        let framed = whole * frame(max_payload) + if last > 0 || length == 0 { frame(last) } else { 0 };
        self.model.push((Position::new(end.get() - framed), payload));
    }

    fn hand(&mut self) -> &mut Hand {
        self.hand.as_mut().unwrap()
    }

    fn replace(&mut self, storage: MemoryStorage) {
        let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
        let alone = self.hand().is_alone();
        if alone {
            self.hand = None;
        }
        self.hand = Some(Hand::take(&journal, alone));
        self.journal = journal;
        self.storage = storage;
    }

    fn check(&self) {
        let mut tailer = self.journal.recording().unwrap().tailer(Start::Begin).unwrap();
        let found = rest(&mut tailer);
        let differing = found.iter().zip(&self.model).position(|(found, expected)| found != expected);
        let shown = differing.map(|at| (at, found[at].0, self.model[at].0, found[at].1.len(), self.model[at].1.len()));
        assert!(
            found == self.model,
            "{} messages, and {} are expected; durable {}; the first that differs (positions, lengths): {shown:?}",
            found.len(),
            self.model.len(),
            self.durable
        );
        assert_eq!(tailer.sequence(), Some((self.pruned + found.len()) as i64));
        assert_eq!(tailer.recording().start_position(), self.start);
        assert_eq!(self.journal.recorded().unwrap(), self.journal.tail());
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Append { length, count } => (0..count).for_each(|_| self.append(length)),
            Operation::Batch { ref lengths } => self.append_batch(lengths),
            Operation::Abort { length } => drop(self.hand().claim(length)),
            Operation::Sync => {
                self.journal.sync().unwrap();
                self.durable = self.pruned + self.model.len();
            }
            Operation::Reopen => {
                let storage = self.storage.clone();
                // Closed by dropping the last handles. Their replacements are made first, so the recording continues
                // throughout.
                self.replace(storage);
            }
            Operation::Take { alone } => {
                self.hand = None;
                self.hand = Some(Hand::take(&self.journal, alone));
            }
            Operation::Kill { claiming } => {
                let killed = if claiming {
                    let storage = self.storage.clone();
                    let _claim = self.hand().claim(100);
                    storage.after_kill()
                } else {
                    self.storage.after_kill()
                };
                self.replace(killed);
                assert_eq!(self.journal.recovery().left_by, LeftBy::Kill);
                assert_eq!(self.journal.recovery().padded.len(), usize::from(claiming));
            }
            Operation::PowerLoss { mut seed } => {
                let mut random = move || {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    seed >> 33
                };
                let choose = |name: &str, _: usize| match random() % 4 {
                    0 => Crash::Lost,
                    // No disk tears a word, and a position is one word.
                    1 if name.ends_with(".cursors") => Crash::Torn(random() as usize % 4096 / 8 * 8),
                    1 => Crash::Torn(random() as usize % 4096),
                    _ => Crash::Kept,
                };
                let found = self.storage.after_power_loss(choose, Crash::Kept);
                self.replace(found);
                let mut tailer = self.journal.recording().unwrap().tailer(Start::Begin).unwrap();
                let kept = rest(&mut tailer).len();
                // Pruning is durable.
                let least = self.durable.saturating_sub(self.pruned);
                assert!((least..=self.model.len()).contains(&kept), "{kept} of {}", self.model.len());
                self.model.truncate(kept);
                self.durable = self.durable.min(self.pruned + kept);
                // Messages that take the place of lost ones are new to the consumer.
                self.consumed = self.consumed.min(self.pruned + kept);
            }
            Operation::Prune { thousandths, bytes, waits } => {
                if waits {
                    eventually("it is indexed", || self.journal.indexed() == self.journal.tail());
                }
                let until = self.model.get(self.model.len() * thousandths / 1_000).map(|(position, _)| *position);
                let request = match (bytes, until) {
                    (Some(bytes), _) => Prune::by(&Retention::new().max_bytes(bytes)),
                    (None, Some(until)) => Prune::by(&Retention::new()).before_position(until),
                    (None, None) => return,
                };
                let would = self.journal.prune(&request.dry_run()).unwrap();
                assert_eq!(self.journal.recording().unwrap().start_position(), self.start, "nothing is done");
                let done = self.journal.prune(&request).unwrap();
                // The helper threads may have progressed in between.
                assert!(done.start_before == self.start && done.start >= would.start, "{would:?} {done:?}");
                assert!(done.start == self.start || done.start.get() % (256 << 10) == 0, "whole segments");
                if bytes.is_none() {
                    assert!(until.is_none_or(|until| done.start <= until.max(self.start)), "{until:?} {done:?}");
                }
                let gone = self.model.iter().take_while(|(position, _)| *position < done.start).count();
                let recording = self.journal.recording().unwrap();
                if let Some((position, _)) = self.model[..gone].last() {
                    for start in [Start::Position(*position), Start::Sequence((self.pruned + gone - 1) as i64)] {
                        let error = recording.tailer(start).unwrap_err();
                        let earliest = |found: &JournalError| match found {
                            JournalError::Pruned { earliest, .. } => Some(*earliest),
                            _ => None,
                        };
                        assert_eq!(earliest(&error), Some(done.start), "{error}");
                    }
                }
                self.model.drain(..gone);
                self.pruned += gone;
                self.start = done.start;
            }
            Operation::Seek { thousandths } => {
                if self.model.is_empty() {
                    return;
                }
                let index = self.model.len() * thousandths / 1_000;
                let (position, payload) = &self.model[index];
                let recording = self.journal.recording().unwrap();
                let mut tailer = recording.tailer(Start::Position(*position)).unwrap();
                let number = (self.pruned + index) as i64;
                assert_eq!(tailer.sequence(), Some(number));
                assert_eq!(tailer.next().unwrap().unwrap().payload(), payload);
                tailer.seek(Start::Sequence(number)).unwrap();
                assert_eq!(tailer.next().unwrap().unwrap().payload(), payload);
                for (position, payload) in self.model[..=index].iter().rev().take(50) {
                    let record = tailer.previous().unwrap().unwrap();
                    assert_eq!((record.position(), record.payload()), (*position, &payload[..]));
                }
            }
            Operation::Consume { most } => {
                let mut consumer = Consumer::open(&self.journal.recording().unwrap(), "model").unwrap();
                // A cursor that a loss of power took back may be before data that was pruned since.
                match consumer.next() {
                    Err(JournalError::Pruned { earliest, .. }) => {
                        assert_eq!((earliest, consumer.skip_pruned().unwrap()), (self.start, self.start));
                    }
                    found => {
                        found.unwrap();
                        consumer.rewind().unwrap();
                    }
                }
                let mut next = self.model.partition_point(|(position, _)| *position < consumer.position());
                // A new consumer gets everything that was not pruned.
                assert!(next == 0 || self.pruned + next <= self.consumed, "messages are passed over");
                for _ in 0..most.min(self.model.len() - next) {
                    let record = consumer.next().unwrap().unwrap();
                    assert_eq!((record.position(), record.payload()), (self.model[next].0, &self.model[next].1[..]));
                    next += 1;
                }
                consumer.commit().unwrap();
                self.consumed = self.pruned + next;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_is_a_list_that_survives(operations in proptest::collection::vec(operation(), 1..40)) {
        drop(run(&operations));
    }
}

fn run(operations: &[Operation]) -> Pair {
    let mut pair = Pair::new();
    for operation in operations {
        pair.run(operation);
        pair.check();
    }
    pair
}

/// Prunes between all other steps, each of which has something to do.
#[test]
fn what_is_pruned_stays_so_whatever_happens() {
    use Operation::{Append, Kill, PowerLoss, Prune, Reopen, Seek, Sync, Take};
    let prune = |thousandths| Prune { thousandths, bytes: None, waits: true };
    let mut pruned = Vec::new();
    for seed in 0..6 {
        let pair = run(&[
            Append { length: 1_300, count: 900 },
            prune(500),
            Seek { thousandths: 100 },
            Kill { claiming: true },
            prune(700),
            Take { alone: true },
            Append { length: 2_900, count: 200 },
            Sync,
            PowerLoss { seed },
            Prune { thousandths: 0, bytes: Some(500_000), waits: true },
            Append { length: 100, count: 50 },
            Reopen,
            prune(990),
            PowerLoss { seed: seed + 100 },
            Seek { thousandths: 999 },
        ]);
        pruned.push(pair.pruned);
    }
    assert!(pruned.iter().all(|&pruned| pruned > 600), "{pruned:?}");
}

/// Messages that a consumer has handled are lost with the power, and others take their place.
#[test]
fn a_consumer_misses_nothing_that_takes_the_place_of_what_was_lost() {
    use Operation::{Append, Consume, PowerLoss, Reopen, Sync};
    for seed in 0..8 {
        let pair = run(&[
            Append { length: 1_000, count: 30 },
            Sync,
            Consume { most: 20 },
            Append { length: 700, count: 50 },
            Consume { most: 80 },
            PowerLoss { seed },
            Append { length: 90 + seed as usize, count: 60 },
            Reopen,
            Consume { most: 70 },
            PowerLoss { seed: seed + 50 },
            Append { length: 300, count: 20 },
            Consume { most: 1_000 },
        ]);
        assert_eq!(pair.consumed, pair.pruned + pair.model.len());
    }
}

/// Sequences that once failed: after a loss of power, sequence numbers were wrong, or a torn message was delivered. The
/// timing of the helper threads varies, so each sequence is run several times.
#[test]
fn what_failed_once() {
    use Operation::{Abort, Append, Kill, PowerLoss, Reopen, Seek, Sync};
    let cases: [&[Operation]; 4] = [
        &[
            Append { length: 1278, count: 1 },
            Sync,
            Append { length: 477, count: 45 },
            Sync,
            Append { length: 2620, count: 14 },
            Kill { claiming: true },
            Kill { claiming: false },
            Seek { thousandths: 998 },
            Seek { thousandths: 158 },
            Append { length: 1097, count: 29 },
            Kill { claiming: true },
            Append { length: 2927, count: 19 },
            Append { length: 1345, count: 42 },
            Append { length: 997, count: 30 },
            PowerLoss { seed: 5290717293679727717 },
            Reopen,
            Abort { length: 1230 },
            Append { length: 1304, count: 16 },
            Append { length: 1006, count: 52 },
            Seek { thousandths: 815 },
            PowerLoss { seed: 8410474710071063232 },
            Append { length: 397, count: 40 },
            Append { length: 1240, count: 14 },
            PowerLoss { seed: 11681054593431001878 },
            Append { length: 566, count: 59 },
        ],
        &[
            Abort { length: 740 },
            Seek { thousandths: 470 },
            Seek { thousandths: 392 },
            Append { length: 2487, count: 58 },
            Append { length: 781, count: 31 },
            Reopen,
            PowerLoss { seed: 1482636541141808869 },
            Append { length: 1931, count: 50 },
            Seek { thousandths: 908 },
            Seek { thousandths: 495 },
            Append { length: 637, count: 30 },
            Seek { thousandths: 802 },
            Append { length: 2765, count: 27 },
            Kill { claiming: true },
            Reopen,
            Append { length: 1593, count: 44 },
            Append { length: 2011, count: 25 },
            Kill { claiming: true },
            Sync,
            Append { length: 1270, count: 57 },
            PowerLoss { seed: 2743899480353472960 },
            Seek { thousandths: 42 },
            Append { length: 1618, count: 32 },
            Append { length: 670, count: 18 },
            Append { length: 2639, count: 34 },
            Abort { length: 265 },
            Seek { thousandths: 19 },
            Kill { claiming: true },
        ],
        &[
            Sync,
            Abort { length: 1338 },
            Append { length: 2911, count: 51 },
            PowerLoss { seed: 4268104103746863604 },
            Kill { claiming: false },
            Append { length: 560, count: 29 },
            Sync,
            Append { length: 2035, count: 1 },
            Append { length: 1358, count: 20 },
            Append { length: 2823, count: 50 },
            Append { length: 2175, count: 10 },
            Append { length: 2895, count: 48 },
            Append { length: 2652, count: 58 },
            Append { length: 1461, count: 8 },
            Seek { thousandths: 511 },
            PowerLoss { seed: 11736306549778112386 },
            Append { length: 1443, count: 42 },
            Seek { thousandths: 554 },
            Seek { thousandths: 787 },
            Sync,
            Append { length: 1772, count: 42 },
            Append { length: 743, count: 58 },
            Reopen,
        ],
        &[
            Reopen,
            Abort { length: 589 },
            PowerLoss { seed: 10792827574519291903 },
            Reopen,
            Sync,
            Reopen,
            Reopen,
            Seek { thousandths: 769 },
            Abort { length: 499 },
            Append { length: 2635, count: 42 },
            Append { length: 2357, count: 22 },
            Seek { thousandths: 942 },
            Append { length: 1616, count: 50 },
            Append { length: 1416, count: 13 },
            PowerLoss { seed: 514614834231620350 },
            Append { length: 1930, count: 36 },
            Seek { thousandths: 805 },
            Abort { length: 1074 },
            Append { length: 1857, count: 10 },
            Sync,
            Append { length: 2044, count: 2 },
            Append { length: 1932, count: 52 },
            Append { length: 2893, count: 48 },
            Seek { thousandths: 900 },
            Sync,
        ],
    ];
    for operations in cases {
        for _ in 0..3 {
            drop(run(operations));
        }
    }
}
