//! Tests with processes that append to a journal, read it and prune it, and are killed at any moment, also while they
//! open and recover it and while others continue. Messages for which `append` returned are there once and in order.
//! Other messages are complete or absent. A consumer with a named cursor misses nothing.
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
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use gannet::agent::IdleStrategy;
use gannet::journal::storage::Directory;
use gannet::journal::{Journal, JournalError, Prune, Recording, Retention, Start};
use gannet::types::Position;

use crate::support::{all, eventually, message, read, small};

/// The child's directory, its role, and its number.
const DIR: &str = "GANNET_TEST_JOURNAL_DIR";
const ROLE: &str = "GANNET_TEST_JOURNAL_ROLE";
const NUMBER: &str = "GANNET_TEST_JOURNAL_NUMBER";

/// The number of processes to kill, if not the default.
const KILLS: &str = "GANNET_TEST_JOURNAL_KILLS";
/// The number of kills per journal, which would grow too large otherwise.
const BATCH: u64 = 60;

/// Separates what a child prints from the output of the test harness. No text contains it.
const MARK: [u8; 8] = [0xff; 8];
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
    // Written without the harness's buffer, so that everything printed is visible.
    let mut output = File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    let mut say = move |number: u64| output.write_all(&number.to_le_bytes()).unwrap();
    match &*role {
        "Appender" | "Exclusive" => {
            let number = std::env::var(NUMBER).unwrap().parse().unwrap();
            append(dir.as_ref(), number, role == "Exclusive", &mut say);
        }
        "Tailer" => tail(dir.as_ref(), &mut say),
        _ => prune(dir.as_ref(), &mut say),
    }
}

/// Prunes for ever what the consumer has read, except for a remainder. Prints where the recording begins each time that
/// changes.
fn prune(dir: &Path, say: &mut impl FnMut(u64)) {
    say(u64::from_le_bytes(MARK));
    let request = Prune::by(&Retention::new().max_bytes(KEPT));
    let mut start = Position::new(0);
    loop {
        let storage = Arc::new(Directory::at(dir));
        match gannet::journal::prune(storage, None, &request) {
            Ok(pruned) if pruned.start > start => {
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
fn append(dir: &Path, appender: u64, alone: bool, say: &mut impl FnMut(u64)) {
    let journal = Journal::open(dir).unwrap();
    // Occasionally in two steps: a message whose process is killed in between is absent.
    macro_rules! append_with {
        ($handle:ident) => {
            for number in 0.. {
                let message = message(appender, number);
                if number % 3 == 0 {
                    let mut claim = $handle.claim(message.len()).unwrap();
                    claim.payload_mut().copy_from_slice(&message);
                    claim.commit().unwrap();
                } else {
                    $handle.append(&message).unwrap();
                }
                say(number);
            }
        };
    }
    if alone {
        let mut handle = journal.exclusive_appender().unwrap();
        say(u64::from_le_bytes(MARK));
        append_with!(handle);
    } else {
        let mut handle = journal.appender().unwrap();
        say(u64::from_le_bytes(MARK));
        append_with!(handle);
    }
}

/// Reads from the cursor on, for ever. Prints where the messages are that it has read, and then moves the cursor.
fn tail(dir: &Path, say: &mut impl FnMut(u64)) {
    let recording = Recording::open(dir).unwrap();
    let mut cursor = recording.cursor("consumer").unwrap();
    let mut tailer = recording.tailer(Start::Position(cursor.position())).unwrap();
    let mut idle = IdleStrategy::default();
    say(u64::from_le_bytes(MARK));
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
    said: Option<JoinHandle<Vec<u8>>>,
    begun: mpsc::Receiver<()>,
}

impl Process {
    fn start(dir: &Path, role: Role, number: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture", "--quiet"])
            .env(DIR, dir)
            .env(ROLE, format!("{role:?}"))
            .env(NUMBER, number.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (begins, begun) = mpsc::channel();
        let said = std::thread::spawn(move || {
            let (mut said, mut bytes) = (Vec::new(), [0; 4096]);
            let mut begins = Some(begins);
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                said.extend_from_slice(&bytes[..length]);
                // An appender has started when it prints its first message.
                let mark = if begins.is_some() { said.windows(8).position(|bytes| bytes == MARK) } else { None };
                if mark.is_some_and(|mark| matches!(role, Role::Tailer | Role::Pruner) || said.len() > mark + 8)
                    && let Some(begins) = begins.take()
                {
                    let _ = begins.send(());
                }
            }
            said
        });
        Self { child, role, said: Some(said), begun }
    }

    /// Waits for its first output, for as long as a busy machine needs.
    fn begin(&self) {
        let longest = std::time::Duration::from_secs(180);
        assert!(self.begun.recv_timeout(longest).is_ok(), "it ended by itself, or has not begun after three minutes");
    }

    /// Kills the process, and returns its output.
    fn kill(mut self) -> Vec<u64> {
        assert!(self.child.try_wait().unwrap().is_none(), "{:?} ended by itself", self.role);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let said = self.said.take().unwrap().join().unwrap();
        let start = said.windows(8).position(|bytes| bytes == MARK).map_or(said.len(), |mark| mark + 8);
        said[start..].chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
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
    /// How many of them were killed before they printed anything.
    while_opening: u64,
    appended: u64,
    read: u64,
    read_again: u64,
    /// In bytes.
    pruned: u64,
}

fn batch(kills: u64, mut random: impl FnMut() -> u64, figures: &mut Figures) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), &small()).unwrap();
    // Before anything is pruned.
    journal.recording().unwrap().cursor("consumer").unwrap();
    drop(journal);
    // For each appender, the number of messages for which `append` returned; for each tailer, where the messages are
    // that it read.
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut tailed: Vec<Vec<u64>> = Vec::new();
    let (mut killed, mut pruned) = (0, 0);
    for round in 0.. {
        if killed >= kills {
            break;
        }
        // In every other round this process has the journal open as well, so that nothing is recovered.
        let bystander = (round % 2 == 0).then(|| Journal::open(dir.path()).unwrap());
        let appenders = acknowledged.len() as u64;
        let mut processes = vec![
            Process::start(dir.path(), Role::Appender, appenders),
            Process::start(dir.path(), Role::Appender, appenders + 1),
            Process::start(dir.path(), Role::Tailer, 0),
            Process::start(dir.path(), Role::Pruner, 0),
        ];
        acknowledged.resize(acknowledged.len() + 2, 0);
        // The first is known to append. The others may be killed in what they do before.
        processes[0].begin();
        let mut order = vec![0, 1, 2, 3];
        order.rotate_left(random() as usize % 4);
        let mut slots: Vec<Option<Process>> = processes.drain(..).map(Some).collect();
        for index in order {
            sleep((random() % 12_000_000).cast_signed());
            let said = slots[index].take().unwrap().kill();
            killed += 1;
            figures.while_opening += u64::from(said.is_empty());
            if index == 2 {
                tailed.push(said);
            } else if index == 3 {
                assert!(said.is_sorted(), "it begins later and later: {said:?}");
                pruned = said.last().copied().unwrap_or(0).max(pruned);
            } else {
                assert!(said.iter().copied().eq(0..said.len() as u64), "it says them in order");
                acknowledged[appenders as usize + index] = said.len() as u64;
            }
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
        // One more message, after which it was killed before it could print it.
        let is_all = next.is_none_or(|next| next == acknowledged || next == acknowledged + 1);
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
    assert!(figures.appended > 0, "somebody got to append");
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
        let process = Process::start(dir.path(), Role::Exclusive, round);
        // In every fourth round it may be killed before its first message.
        if round % 4 != 3 {
            process.begin();
        }
        if let Some(journal) = &bystander {
            let pid = i64::from(process.child.id());
            for error in [journal.appender().unwrap_err(), journal.exclusive_appender().unwrap_err()] {
                let is_told = matches!(error, JournalError::AppendedTo { pid: found, .. } if found == pid);
                assert!(is_told, "process {pid}: {error}");
            }
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sleep((state >> 33).cast_signed() % 12_000_000);
        let said = process.kill();
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
        assert!(count == said || count == said + 1, "appender {round}: {count}, and {said} were said");
        if round % 2 == 0 {
            assert_eq!(messages.next(), Some((BYSTANDERS + round, 0)));
        }
    }
    assert_eq!(messages.next(), None);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}
