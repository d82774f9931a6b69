//! Processes that append and are killed, at any moment, while others go on: what `append` returned for is there, once and in order.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gannet::agent::IdleStrategy;
use gannet::journal::{Journal, Recording, Start};

use crate::support::{all, eventually, message, read, small};

/// Where the child appends, and as whom.
const DIR: &str = "GANNET_TEST_JOURNAL_DIR";
const APPENDER: &str = "GANNET_TEST_JOURNAL_APPENDER";

/// How often a process is killed. More in a run by hand: set this variable.
const KILLS: &str = "GANNET_TEST_JOURNAL_KILLS";

/// Does nothing unless it is a process of its own, started by the test below: appends for ever, and says on standard output which
/// messages `append` has returned for, eight bytes each.
#[test]
fn appending_child() {
    let (Some(dir), Ok(appender)) = (std::env::var_os(DIR), std::env::var(APPENDER)) else { return };
    let appender: u64 = appender.parse().unwrap();
    let journal = Journal::open(dir).unwrap();
    let mut handle = journal.appender().unwrap();
    let mut output = std::io::stdout();
    for number in 0.. {
        if number % 3 == 0 {
            // In two steps: killed in between, it is absent.
            let message = message(appender, number);
            let mut claim = handle.claim(message.len()).unwrap();
            claim.payload_mut().copy_from_slice(&message);
            claim.commit().unwrap();
        } else {
            handle.append(&message(appender, number)).unwrap();
        }
        std::io::Write::write_all(&mut output, &number.to_le_bytes()).unwrap();
        std::io::Write::flush(&mut output).unwrap();
    }
}

fn start(dir: &Path, appender: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::appending_child", "--nocapture", "--quiet"])
        .env(DIR, dir)
        .env(APPENDER, appender.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the process when it has appended for a while, and says how many messages `append` returned for. What it does first, it may
/// do for as long as a busy machine takes for it, if it `begins`; otherwise that is when it may be killed, too.
fn kill(mut child: Child, begins: bool, mut patience_ns: i64) -> u64 {
    let mut output = child.stdout.take().unwrap();
    // In front of the numbers the harness says that it runs a test, on a line of its own.
    let begin = |said: &[u8]| said.windows(8).position(|bytes| bytes == 0_u64.to_le_bytes());
    let mut said = Vec::new();
    while begins && begin(&said).is_none() {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "it ended by itself");
        said.extend(byte);
    }
    while patience_ns > 0 {
        IdleStrategy::Sleep { period_ns: 100_000 }.idle_once();
        patience_ns -= 100_000;
    }
    child.kill().unwrap();
    output.read_to_end(&mut said).unwrap();
    child.wait().unwrap();
    let start = begin(&said).unwrap_or(said.len());
    ((said.len() - start) / 8) as u64
}

#[test]
fn what_append_returned_for_survives_any_kill() {
    let kills: u64 = std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(12);
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::create(dir.path(), &small()).unwrap());
    let mut acknowledged = Vec::new();
    let mut state = 7_u64;
    for round in 0..kills.div_ceil(2) {
        // Two at a time; in every other round this process has the journal open as well, so that nothing is recovered.
        let bystander = (round % 2 == 0).then(|| Journal::open(dir.path()).unwrap());
        let children = [start(dir.path(), 2 * round), start(dir.path(), 2 * round + 1)];
        for (child, begins) in children.into_iter().zip([true, false]) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            acknowledged.push(kill(child, begins, 20_000_000 + (state >> 33) as i64 % 60_000_000));
        }
        if let Some(journal) = bystander {
            let mut appender = journal.appender().unwrap();
            let end = appender.append(&message(1_000_000 + round, 0)).unwrap();
            // The dead are got past, and what comes behind them is read.
            eventually("it is recorded", || journal.recorded().unwrap() >= end);
            let mut tailer = journal.recording().unwrap().tailer(Start::End).unwrap();
            let last = tailer.previous().unwrap().unwrap();
            assert_eq!(read(last.payload()), Some((1_000_000 + round, 0)));
        }
    }
    drop(Journal::open(dir.path()).unwrap());
    let recording = Recording::open(dir.path()).unwrap();
    let mut next = vec![0; acknowledged.len()];
    for (_, payload) in all(&recording) {
        let (appender, number) = read(&payload).expect("whole");
        if appender < 1_000_000 {
            assert_eq!(number, next[appender as usize], "once, and in order");
            next[appender as usize] += 1;
        }
    }
    for (appender, (&found, &acknowledged)) in next.iter().zip(&acknowledged).enumerate() {
        assert!(found >= acknowledged, "appender {appender}: {found} of {acknowledged}");
        // One more, which it was killed in front of saying.
        assert!(found <= acknowledged + 1, "appender {appender}: {found}, and {acknowledged} were said");
    }
    assert!(acknowledged.iter().sum::<u64>() > 0, "somebody got to append");
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}
