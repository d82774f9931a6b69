//! Appenders, tailers and pruners on one journal, killed beside each other.

use std::path::Path;

use gannet::journal::{Journal, Recording, Start};
use gannet::types::Position;

use super::process::{Process, Said, sleep};
use super::roles::{CALLS, CALLS_IN_PRUNING, NOWHERE, REMOVALS_IN_PRUNING, Role, may_have_appended};
use super::{BYSTANDERS, kills, random};
use crate::support::{all, eventually, message, read, small};

/// The number of kills per journal, which would grow too large otherwise.
const BATCH: u64 = 60;

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
            Role::Consumer => unreachable!("none takes part"),
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
    let (kills, mut random) = (kills(BATCH), random(7));
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
