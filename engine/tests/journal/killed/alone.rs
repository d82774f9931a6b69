//! Exclusive appenders, killed one after the other.

use gannet::journal::{Journal, JournalError, Recording};

use super::process::{Process, sleep};
use super::roles::{CALLS, NOWHERE, Role, may_have_appended};
use super::{BYSTANDERS, kills, random};
use crate::support::{all, eventually, message, read, small};

/// The number of exclusive appenders that are killed by default.
const ALONE: u64 = 12;

#[test]
fn what_an_exclusive_appender_returned_for_survives_any_kill() {
    let (kills, mut random) = (kills(ALONE), random(11));
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::create(dir.path(), &small()).unwrap());
    let mut acknowledged = Vec::new();
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
        sleep((random() % 3_000_000).cast_signed());
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
