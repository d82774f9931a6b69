//! What the child processes do until they are killed, and where some of them stop by themselves.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use gannet::agent::IdleStrategy;
use gannet::journal::consumer::{Consumer, DeadLetters, Processed, Window};
use gannet::journal::storage::{Directory, Storage};
use gannet::journal::{Journal, JournalError, Prune, Record, Recording, Retention, Start};
use gannet::types::Position;

use super::process::sleep;
use crate::support::{message, read};
use crate::watched::{Hear, Watched};

/// The child's directory, its role, its number, and where it stops.
pub(super) const DIR: &str = "GANNET_TEST_JOURNAL_DIR";
pub(super) const ROLE: &str = "GANNET_TEST_JOURNAL_ROLE";
pub(super) const NUMBER: &str = "GANNET_TEST_JOURNAL_NUMBER";
pub(super) const STOP: &str = "GANNET_TEST_JOURNAL_STOP";

/// What a child prints when it has opened the journal, and where it stops. The words after the first say what it does.
/// The output of the test harness contains neither.
pub(super) const OPENED: u64 = u64::MAX;
pub(super) const STOPPED: u64 = u64::from_le_bytes([0xfe; 8]);
/// Bytes that are kept although the consumer has read them.
const KEPT: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Appender,
    /// An exclusive appender.
    Exclusive,
    Tailer,
    Pruner,
    /// A consumer with dead letters, of the journal `ORDERS` in the directory.
    Consumer,
}

/// The directories of the consumer's journal and of its dead letters.
pub(super) const ORDERS: &str = "orders";
pub(super) const DEAD: &str = "dead";
/// The number of messages among which the consumer handles none twice.
pub(super) const WINDOW: usize = 20;
/// How often the consumer tries a message, and why it refuses some.
pub(super) const ATTEMPTS: u32 = 2;
pub(super) const REASON: &str = "refused";

/// Whether the consumer refuses the message with this number.
pub(super) fn is_refused(number: u64) -> bool {
    number.is_multiple_of(5)
}

/// The entry point of a child process, started by the tests beside this file. It works until it is killed, and does nothing in
/// other processes.
#[test]
fn child() {
    let (Some(dir), Ok(role)) = (std::env::var_os(DIR), std::env::var(ROLE)) else { return };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    // Written without the harness's buffer, so that everything printed is visible.
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    let say = Arc::new(move |word: u64| (&output).write_all(&word.to_le_bytes()).unwrap());
    let dir = Path::new(&dir);
    let stop = Stop::at(number(STOP), say.clone());
    match &*role {
        "Appender" | "Exclusive" => append(&stop.storage(dir), number(NUMBER), role == "Exclusive", &*say),
        "Tailer" => tail(&stop.storage(dir), &*say),
        "Consumer" => consume(&stop.storage(&dir.join(ORDERS)), &stop.storage(&dir.join(DEAD)), &*say),
        _ => prune(&stop.storage(dir), &stop.is_pruning, &*say),
    }
}

/// Where a process stops: nowhere, before its nth call of the storage, before its nth call while it holds the lock on
/// pruning, or before it removes its nth file while it holds that.
pub(super) const NOWHERE: u64 = 0;
pub(super) const CALLS: u64 = 1 << 16;
pub(super) const CALLS_IN_PRUNING: u64 = 2 << 16;
pub(super) const REMOVALS_IN_PRUNING: u64 = 3 << 16;

/// Where a process stops by itself, and says so.
struct Stop {
    hear: Arc<Hear>,
    is_pruning: Arc<AtomicBool>,
}

impl Stop {
    fn at(stop: u64, say: Arc<impl Fn(u64) + Send + Sync + 'static>) -> Self {
        let (kind, nth) = (stop >> 16 << 16, stop & 0xffff);
        let left = AtomicI64::new(nth.cast_signed());
        let is_pruning = Arc::new(AtomicBool::new(false));
        let hears = Arc::clone(&is_pruning);
        let hear = move |call: &str, name: &str| {
            let is_pruning = hears.load(Ordering::Relaxed);
            // It gets the lock at once, since only one process prunes at a time.
            hears.fetch_or(name == "0.prune.lock", Ordering::Relaxed);
            let counts = match kind {
                CALLS => true,
                CALLS_IN_PRUNING => is_pruning,
                REMOVALS_IN_PRUNING => is_pruning && call == "remove",
                _ => false,
            };
            if counts && left.fetch_sub(1, Ordering::Relaxed) == 0 {
                say(STOPPED);
                loop {
                    sleep(1_000_000_000);
                }
            }
        };
        Self { hear: Arc::new(hear), is_pruning }
    }

    /// A directory whose user stops there.
    fn storage(&self, dir: &Path) -> Arc<dyn Storage> {
        let hear = Arc::clone(&self.hear);
        Arc::new(Watched::heard(Arc::new(Directory::at(dir)), move |call, name| hear(call, name)))
    }
}

/// Prunes for ever what the consumer has read, except for a remainder. Prints where the recording begins each time that
/// changes.
fn prune(storage: &Arc<dyn Storage>, is_pruning: &AtomicBool, say: &impl Fn(u64)) {
    say(OPENED);
    let request = Prune::by(&Retention::new().max_bytes(KEPT));
    let mut start = Position::new(0);
    loop {
        let would = gannet::journal::prune(Arc::clone(storage), None, &request.dry_run(), |_| {});
        let done = match would {
            Ok(would) if would.segments.is_empty() => Ok(would),
            Ok(_) => gannet::journal::prune(Arc::clone(storage), None, &request, |_| {}),
            Err(error) => Err(error),
        };
        is_pruning.store(false, Ordering::Relaxed);
        match done {
            Ok(pruned) if pruned.start > start && !pruned.segments.is_empty() => {
                start = pruned.start;
                say(start.get().cast_unsigned());
            }
            // All processes that had it open were killed, or one is just opening it.
            Ok(_) | Err(JournalError::Recover { .. } | JournalError::InUse { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        sleep(1_000_000);
    }
}

/// Appends for ever, beside others or exclusively, and prints for which messages `append` has returned.
fn append(storage: &Arc<dyn Storage>, appender: u64, alone: bool, say: &impl Fn(u64)) {
    let journal = Journal::open_in(Arc::clone(storage), None).unwrap();
    // Occasionally in two steps: a message whose process is killed in between is absent.
    macro_rules! append_with {
        ($handle:ident) => {
            let mut next = 0;
            loop {
                let numbers = next..end_of_step(next);
                let messages: Vec<_> = numbers.clone().map(|number| message(appender, number)).collect();
                let lengths: Vec<_> = messages.iter().map(Vec::len).collect();
                match &messages[..] {
                    [message] if next % 3 == 0 => {
                        let mut claim = $handle.claim(message.len()).unwrap();
                        claim.payload_mut().copy_from_slice(message);
                        claim.commit().unwrap();
                    }
                    [message] => {
                        $handle.append(message).unwrap();
                    }
                    batch => {
                        let mut claim = $handle.claim_batch(&lengths).unwrap();
                        claim.for_each(|index, payload| payload.copy_from_slice(&batch[index]));
                        claim.commit().unwrap();
                    }
                }
                next = numbers.end;
                numbers.for_each(say);
            }
        };
    }
    if alone {
        let mut handle = journal.exclusive_appender().unwrap();
        say(OPENED);
        append_with!(handle);
    } else {
        let mut handle = journal.appender().unwrap();
        say(OPENED);
        append_with!(handle);
    }
}

/// The number after those that an appender appends together, to which this one belongs. Four of sixteen are a batch.
fn end_of_step(number: u64) -> u64 {
    let in_batch = number % 16;
    if in_batch >= 12 { number + 16 - in_batch } else { number + 1 }
}

/// Whether a killed appender may have appended the messages before `next` and no others, if it has said so many. It was
/// killed before it could say so of the last message or batch, and no batch is there in part.
pub(super) fn may_have_appended(next: u64, said: u64) -> bool {
    let begins_step = next == 0 || end_of_step(next - 1) == next;
    begins_step && (said..=end_of_step(said)).contains(&next)
}

/// Reads from the cursor on, for ever. Prints where the messages are that it has read, and then moves the cursor.
fn tail(storage: &Arc<dyn Storage>, say: &impl Fn(u64)) {
    let recording = Recording::open_in(Arc::clone(storage), None).unwrap();
    let mut cursor = recording.cursor("consumer").unwrap();
    let mut tailer = recording.tailer(Start::Position(cursor.position())).unwrap();
    let mut idle = IdleStrategy::default();
    say(OPENED);
    loop {
        let Some(record) = tailer.next().unwrap() else {
            idle.idle_once();
            continue;
        };
        assert!(read(record.payload()).is_some(), "torn at {}", record.position());
        say(record.position().get().cast_unsigned());
        let next = record.next_position();
        cursor.move_to(next).unwrap();
    }
}

/// Consumes for ever, and puts aside what it refuses. Prints the number of each message that it handles.
fn consume(orders: &Arc<dyn Storage>, dead: &Arc<dyn Storage>, say: &impl Fn(u64)) {
    let recording = Recording::open_in(Arc::clone(orders), None).unwrap();
    let dead = Journal::open_in(Arc::clone(dead), None).unwrap();
    let letters = DeadLetters::to(&dead).unwrap();
    let mut consumer = Consumer::open(&recording, "consumer").unwrap().attempts(ATTEMPTS).dead_letters(letters);
    let number = |record: &Record<'_>| read(record.payload()).map(|(_, number)| number);
    let mut seen = Window::restore(&recording, consumer.position(), WINDOW, number).unwrap();
    let mut idle = IdleStrategy::default();
    say(OPENED);
    loop {
        let done = consumer.process_once(&mut seen, number, |record| {
            let number = number(record).expect("whole");
            if is_refused(number) {
                return Err(REASON);
            }
            say(number);
            Ok(())
        });
        if done.unwrap() == Processed::Nothing {
            idle.idle_once();
        }
    }
}
