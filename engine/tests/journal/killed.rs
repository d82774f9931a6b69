//! Tests with processes that append to a journal, read it and prune it, and are killed at any moment, also while they
//! open and recover it and while others continue. Messages for which `append` returned are there once and in order.
//! Other messages are complete or absent, and so are batches of messages. A consumer with a named cursor misses nothing.
//!
//! When a process is killed depends on what it has done, so each of them does something on a slow machine too: one in
//! five is opening the journal, and the others have appended, read or pruned a random amount. Those that open it, and some
//! pruners, stop by themselves at a random call of the storage, and are killed there.
//!
//! By default there is a small number of kills. The long run has a thousand:
//!
//! ```sh
//! GANNET_TEST_JOURNAL_KILLS=1000 cargo test --release -p gannet --test journal -- --nocapture killed::
//! ```

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gannet::agent::IdleStrategy;
use gannet::journal::storage::{Directory, Storage};
use gannet::journal::{Journal, JournalError, Prune, Recording, Retention, Start};
use gannet::types::Position;

use crate::support::{Watched, all, eventually, message, read, small};

/// The child's directory, its role, its number, and where it stops.
const DIR: &str = "GANNET_TEST_JOURNAL_DIR";
const ROLE: &str = "GANNET_TEST_JOURNAL_ROLE";
const NUMBER: &str = "GANNET_TEST_JOURNAL_NUMBER";
const STOP: &str = "GANNET_TEST_JOURNAL_STOP";

/// The number of processes to kill, if not the default.
const KILLS: &str = "GANNET_TEST_JOURNAL_KILLS";
/// The number of kills per journal, which would grow too large otherwise.
const BATCH: u64 = 60;

/// What a child prints when it has opened the journal, and where it stops. The words after the first say what it does.
/// The output of the test harness contains neither.
const OPENED: u64 = u64::MAX;
const STOPPED: u64 = u64::from_le_bytes([0xfe; 8]);
/// Bytes that are kept although the consumer has read them.
const KEPT: u64 = 1 << 20;
/// Messages of this process have appender numbers from here on.
const BYSTANDERS: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Appender,
    /// An exclusive appender.
    Exclusive,
    Tailer,
    Pruner,
}

/// The entry point of a child process, started by the test below. It works until it is killed, and does nothing in
/// other processes.
#[test]
fn child() {
    let (Some(dir), Ok(role)) = (std::env::var_os(DIR), std::env::var(ROLE)) else { return };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    // Written without the harness's buffer, so that everything printed is visible.
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    let say = Arc::new(move |word: u64| (&output).write_all(&word.to_le_bytes()).unwrap());
    let (storage, is_pruning) = stopping(dir.as_ref(), number(STOP), say.clone());
    match &*role {
        "Appender" | "Exclusive" => append(&storage, number(NUMBER), role == "Exclusive", &*say),
        "Tailer" => tail(&storage, &*say),
        _ => prune(&storage, &is_pruning, &*say),
    }
}

/// Where a process stops: nowhere, before its nth call of the storage, before its nth call while it holds the lock on
/// pruning, or before it removes its nth file while it holds that.
const NOWHERE: u64 = 0;
const CALLS: u64 = 1 << 16;
const CALLS_IN_PRUNING: u64 = 2 << 16;
const REMOVALS_IN_PRUNING: u64 = 3 << 16;

/// The directory, whose user stops at a certain call, and says so.
fn stopping(
    dir: &Path,
    stop: u64,
    say: Arc<impl Fn(u64) + Send + Sync + 'static>,
) -> (Arc<dyn Storage>, Arc<AtomicBool>) {
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
    (Arc::new(Watched::heard(Arc::new(Directory::at(dir)), hear)), is_pruning)
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
fn may_have_appended(next: u64, said: u64) -> bool {
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

/// A child process and its output. It is killed when dropped.
struct Process {
    child: Child,
    role: Role,
    number: u64,
    output: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// What a child has printed by now.
struct Said {
    is_open: bool,
    is_stopped: bool,
    /// What it has done since it opened the journal.
    words: Vec<u64>,
}

impl Said {
    fn of(output: &[u8]) -> Self {
        let find = |mark: u64| output.windows(8).position(|bytes| bytes == mark.to_le_bytes());
        let open = find(OPENED).map(|at| at + 8);
        let is_stopped = output.ends_with(&STOPPED.to_le_bytes());
        let words = output[open.unwrap_or(output.len())..].chunks_exact(8);
        let words = words.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        Self { is_open: open.is_some(), is_stopped, words: words.filter(|&word| word != STOPPED).collect() }
    }
}

impl Process {
    fn start(dir: &Path, role: Role, number: u64, stop: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture", "--quiet"])
            .env(DIR, dir)
            .env(ROLE, format!("{role:?}"))
            .env(NUMBER, number.to_string())
            .env(STOP, stop.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&output);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                read.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        Self { child, role, number, output, reader: Some(reader) }
    }

    /// Waits until its output is so, for as long as a busy machine needs.
    fn until(&mut self, what: &str, holds: impl Fn(&Said) -> bool) {
        eventually(what, || {
            assert!(self.child.try_wait().unwrap().is_none(), "{:?} ended by itself", self.role);
            holds(&Said::of(&self.output.lock().unwrap()))
        });
    }

    /// Waits until it has done so much. Returns how much it is.
    fn work(&mut self, least: usize) -> usize {
        self.until("it has done its work", |said| said.words.len() >= least);
        Said::of(&self.output.lock().unwrap()).words.len()
    }

    /// Kills the process, and returns its output.
    fn kill(mut self) -> Said {
        assert!(self.child.try_wait().unwrap().is_none(), "{:?} ended by itself", self.role);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        Said::of(&self.output.lock().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is dead already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sleep(period_ns: i64) {
    IdleStrategy::Sleep { period_ns }.idle_once();
}

/// The results of a number of kills.
#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    /// How many of them were killed before they had opened the journal.
    while_opening: u64,
    appended: u64,
    read: u64,
    read_again: u64,
    /// How many pruners were killed in the middle of pruning, and how many others that had pruned something.
    in_pruning: u64,
    after_pruning: u64,
    /// In bytes.
    pruned: u64,
}

/// What the processes that used a journal have said by the time they were killed.
#[derive(Default)]
struct Dead {
    /// For each appender, by its number, how many messages `append` returned for.
    acknowledged: Vec<u64>,
    /// For each tailer, where the messages are that it read.
    tailed: Vec<Vec<u64>>,
    /// Where a pruner said that the recording begins.
    pruned: u64,
    killed: u64,
}

impl Dead {
    fn start(&mut self, dir: &Path, role: Role, stop: u64) -> Process {
        let number = self.acknowledged.len() as u64;
        if role == Role::Appender {
            self.acknowledged.push(0);
        }
        Process::start(dir, role, number, stop)
    }

    fn kill(&mut self, process: Process, figures: &mut Figures) {
        let (role, number) = (process.role, process.number);
        let Said { is_open, is_stopped, words } = process.kill();
        self.killed += 1;
        figures.while_opening += u64::from(!is_open);
        match role {
            Role::Appender | Role::Exclusive => {
                assert!(words.iter().copied().eq(0..words.len() as u64), "it says them in order");
                self.acknowledged[number as usize] = words.len() as u64;
            }
            Role::Tailer => self.tailed.push(words),
            Role::Pruner => {
                figures.in_pruning += u64::from(is_open && is_stopped);
                figures.after_pruning += u64::from(!is_stopped && !words.is_empty());
                assert!(words.is_sorted(), "it begins later and later: {words:?}");
                self.pruned = words.last().copied().unwrap_or(0).max(self.pruned);
            }
        }
    }
}

/// Messages that go on being appended while a pruner is stopped: more than a segment of them.
const MEANWHILE: usize = 2_500;

fn batch(kills: u64, mut random: impl FnMut() -> u64, figures: &mut Figures) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), &small()).unwrap();
    // Before anything is pruned.
    journal.recording().unwrap().cursor("consumer").unwrap();
    drop(journal);
    let mut dead = Dead::default();
    for round in 0.. {
        if dead.killed >= kills {
            break;
        }
        // In every other round this process has the journal open as well, so that nothing is recovered.
        let bystander = (round % 2 == 0).then(|| Journal::open(dir.path()).unwrap());
        let mut appenders = [(); 2].map(|()| dead.start(dir.path(), Role::Appender, NOWHERE));
        // One is killed in the middle of opening the journal, or soon after.
        let role = if random().is_multiple_of(3) { Role::Tailer } else { Role::Appender };
        let mut opening = dead.start(dir.path(), role, CALLS + random() % 24);
        opening.until("it opens the journal", |said| said.is_stopped || said.is_open);
        dead.kill(opening, figures);
        let mut tailer = dead.start(dir.path(), Role::Tailer, NOWHERE);
        // In every third round the pruner stops in the middle. That keeps nobody from appending.
        let pruner = if round % 3 == 2 {
            tailer.work(1 + random() as usize % 1_000);
            let stop = if random().is_multiple_of(2) {
                REMOVALS_IN_PRUNING + random() % 4
            } else {
                CALLS_IN_PRUNING + random() % 60
            };
            let mut pruner = dead.start(dir.path(), Role::Pruner, stop);
            pruner.until("it stops in the middle of pruning", |said| said.is_stopped);
            let done = appenders.each_mut().map(|appender| appender.work(1));
            appenders[0].work(done[0] + MEANWHILE);
            pruner
        } else {
            let mut pruner = dead.start(dir.path(), Role::Pruner, NOWHERE);
            appenders.iter_mut().for_each(|appender| _ = appender.work(1 + random() as usize % 3_000));
            tailer.work(1 + random() as usize % 1_000);
            pruner.work(1 + random() as usize % 2);
            pruner
        };
        let [one, other] = appenders;
        let mut processes = [one, other, tailer, pruner].map(Some);
        let mut order = [0, 1, 2, 3];
        order.rotate_left(random() as usize % 4);
        for index in order {
            dead.kill(processes[index].take().unwrap(), figures);
            sleep((random() % 12_000_000).cast_signed());
        }
        if let Some(journal) = bystander {
            let mut appender = journal.appender().unwrap();
            let end = appender.append(&message(BYSTANDERS + round, 0)).unwrap();
            // The claims of dead appenders are released, and messages after them are read.
            eventually("it is recorded", || journal.recorded().unwrap() >= end);
            let mut tailer = journal.recording().unwrap().tailer(Start::End).unwrap();
            let last = tailer.previous().unwrap().unwrap();
            assert_eq!(read(last.payload()), Some((BYSTANDERS + round, 0)));
        }
    }
    let Dead { acknowledged, tailed, pruned, killed } = dead;
    drop(Journal::open(dir.path()).unwrap());
    let recording = Recording::open(dir.path()).unwrap();
    let start = recording.start_position();
    assert!(start.get().cast_unsigned() >= pruned, "it begins at {start}, and it was said that it does at {pruned}");
    figures.pruned += start.get().cast_unsigned();
    let found = all(&recording);
    assert!(found.first().is_none_or(|(position, _)| *position >= start));
    // The first message of each appender that is left. Earlier ones were pruned.
    let mut next = vec![None; acknowledged.len()];
    for (_, payload) in &found {
        let (appender, number) = read(payload).expect("whole");
        if appender < BYSTANDERS {
            let next = &mut next[appender as usize];
            assert!(next.is_none_or(|next| number == next), "{number} and not {next:?}: once, and in order");
            assert!(start.get() > 0 || next.is_some() || number == 0, "from the first on");
            *next = Some(number + 1);
        }
    }
    for (appender, (&next, &acknowledged)) in next.iter().zip(&acknowledged).enumerate() {
        let is_all = next.is_none_or(|next| may_have_appended(next, acknowledged));
        assert!(is_all, "appender {appender}: up to {next:?}, and {acknowledged} were said");
        assert!(next.is_some() || acknowledged == 0 || start.get() > 0, "appender {appender}: {acknowledged} are gone");
    }
    let cursor = recording.cursor("consumer").unwrap().position();
    assert!(cursor >= start, "pruned up to {start}, with the consumer at {cursor}");
    check_tailed(&found, &tailed, cursor, figures);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
    figures.kills += killed;
    figures.appended += acknowledged.iter().sum::<u64>();
}

/// Each tailer continued where the one before had moved the cursor, and missed nothing. For data pruned since, only the
/// messages that the tailers saw are known.
fn check_tailed(found: &[(Position, Vec<u8>)], tailed: &[Vec<u64>], cursor: Position, figures: &mut Figures) {
    let positions: Vec<u64> = found.iter().map(|(position, _)| position.get().cast_unsigned()).collect();
    let start = positions.first().copied().unwrap_or(0);
    let mut seen: Vec<u64> = Vec::new();
    for read in tailed {
        let Some(first) = read.first() else { continue };
        assert!(read.is_sorted_by(|one, next| one < next), "in order");
        // It continues after the last message of the tailer before, or with that message again.
        if seen.last() == Some(first) {
            figures.read_again += 1;
            seen.pop();
        }
        assert!(seen.last().is_none_or(|last| last < first), "{first} was read before");
        seen.extend(read);
        figures.read += read.len() as u64;
    }
    let left: Vec<u64> = seen.iter().copied().filter(|&position| position >= start).collect();
    let until = positions.partition_point(|position| seen.last().is_some_and(|last| position <= last));
    assert_eq!(left, positions[..until], "every message that is left and was passed was read");
    // One message may have been read again without a print.
    let at = positions.partition_point(|&position| position < cursor.get().cast_unsigned());
    assert!(at == until || at + 1 == until, "the cursor is at message {at}, and {until} is next");
}

#[test]
fn what_append_returned_for_survives_any_kill() {
    let kills: u64 = std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(BATCH);
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut figures = Figures::default();
    while figures.kills < kills {
        batch(BATCH.min(kills - figures.kills), &mut random, &mut figures);
        println!("{figures:?}");
    }
    assert!(figures.appended > 0 && figures.read > 0 && figures.pruned > 0, "all of them did something: {figures:?}");
    assert!(figures.while_opening * 4 < figures.kills, "most were killed at work: {figures:?}");
    let batches = kills / BATCH;
    assert!(figures.in_pruning >= 4 * batches, "one in three pruners at work: {figures:?}");
    assert!(figures.after_pruning >= 8 * batches, "the other two: {figures:?}");
}

/// The number of exclusive appenders that are killed by default.
const ALONE: u64 = 12;

#[test]
fn what_an_exclusive_appender_returned_for_survives_any_kill() {
    let kills: u64 = std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(ALONE);
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::create(dir.path(), &small()).unwrap());
    let mut acknowledged = Vec::new();
    let mut state = 11_u64;
    for round in 0..kills {
        // In every other round this process has the journal open as well, so that nothing is recovered.
        let bystander = (round % 2 == 0).then(|| Journal::open(dir.path()).unwrap());
        // In every fourth round it is killed in the middle of opening the journal, or soon after.
        let is_early = round % 4 == 3;
        let stop = if is_early { CALLS + round * 7 % 24 } else { NOWHERE };
        let mut process = Process::start(dir.path(), Role::Exclusive, round, stop);
        if is_early {
            process.until("it opens the journal", |said| said.is_stopped || said.is_open);
        } else {
            process.work(1 + round as usize * 97 % 2_000);
        }
        if let Some(journal) = &bystander {
            let pid = i64::from(process.child.id());
            for error in [journal.appender().unwrap_err(), journal.exclusive_appender().unwrap_err()] {
                let is_told = matches!(error, JournalError::AppendedTo { pid: found, .. } if found == pid);
                assert!(is_told, "process {pid}: {error}");
            }
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sleep((state >> 33).cast_signed() % 3_000_000);
        let said = process.kill().words;
        assert!(said.iter().copied().eq(0..said.len() as u64), "it says them in order");
        acknowledged.push(said.len() as u64);
        if let Some(journal) = bystander {
            // At once, since the locks were released with the process.
            let mut appender = journal.exclusive_appender().unwrap();
            let end = appender.append(&message(BYSTANDERS + round, 0)).unwrap();
            eventually("it is recorded", || journal.recorded().unwrap() >= end);
        }
    }
    drop(Journal::open(dir.path()).unwrap());
    let recording = Recording::open(dir.path()).unwrap();
    let found: Vec<_> = all(&recording).iter().map(|(_, payload)| read(payload).expect("whole")).collect();
    let mut messages = found.iter().copied().peekable();
    for (round, &said) in (0..).zip(&acknowledged) {
        let mut count = 0;
        while let Some((_, number)) = messages.next_if(|&(appender, _)| appender == round) {
            assert_eq!(number, count, "appender {round}: once, and in order");
            count += 1;
        }
        assert!(may_have_appended(count, said), "appender {round}: {count}, and {said} were said");
        if round % 2 == 0 {
            assert_eq!(messages.next(), Some((BYSTANDERS + round, 0)));
        }
    }
    assert_eq!(messages.next(), None);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}
