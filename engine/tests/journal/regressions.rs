//! Cases in which a journal once lost or invented messages, each named after its bug.

use std::sync::Arc;

use gannet::journal::storage::{Crash, MemoryStorage, Storage};
use gannet::journal::{Journal, LeftBy, Start};
use gannet::types::Position;

use crate::raw_access::RAW;
use crate::support::{eventually, message, read, rest, small};

/// Whether a file holds frames, by its name.
fn is_segment(name: &str) -> bool {
    name.ends_with(".rec") || name.ends_with(".next")
}

/// A journal that lost all its frames with the power, and kept the files that describe them.
fn without_its_frames() -> MemoryStorage {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let choose = |name: &str, _: usize| if is_segment(name) { Crash::Lost } else { Crash::Kept };
    storage.after_power_loss(choose, Crash::Kept)
}

/// Sidecars that outlived their frames gave readers wrong sequence numbers until the helper thread had indexed again.
#[test]
fn after_a_loss_of_power_no_sidecar_leads_to_frames_that_are_no_more() {
    let found = without_its_frames();

    let journal = Journal::open_in(Arc::new(found), None).unwrap();
    let report = journal.recovery();
    assert_eq!((report.left_by, report.end.get()), (LeftBy::PowerLoss, 0));
    let mut appender = journal.appender().unwrap();
    let mut positions = Vec::new();
    for number in 0..60_u64 {
        let end = appender.append(&vec![number as u8; 1_300]).unwrap();
        positions.push(Position::new(end.get() - 1_344));
    }
    let recording = journal.recording().unwrap();
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    for (number, position) in positions.iter().enumerate().rev() {
        for start in [Start::Sequence(number as i64), Start::Position(*position)] {
            tailer.seek(start).unwrap();
            let record = tailer.next().unwrap().unwrap();
            let is = (record.position(), record.sequence(), record.payload()[0]);
            assert_eq!(is, (*position, Some(number as i64), number as u8), "{start:?}");
        }
    }
    tailer.seek(Start::End).unwrap();
    assert_eq!(tailer.sequence(), Some(60));
}

/// A control page that was not synced when the journal was recovered was lost with the power. The recording was then
/// considered another writer's, whose frames are not verified, and a torn message was delivered as a whole one.
#[test]
fn a_second_loss_of_power_finds_what_the_first_recovery_said() {
    // The page is kept, with a tail in a segment that recovery removes.
    let found = without_its_frames();
    for name in found.names().unwrap() {
        if name.ends_with(".next") {
            found.remove(&name).unwrap();
        }
    }
    found.sync_names().unwrap();

    let journal = Journal::open_in(Arc::new(found.clone()), None).unwrap();
    assert_eq!(journal.recovery().left_by, LeftBy::PowerLoss);
    let mut appender = journal.appender().unwrap();
    for number in 0..30 {
        appender.append(&message(0, 3 * number + 7)).unwrap();
    }
    // The page's last state is lost unless it was synced; of the frames, every other page is lost.
    let choose = |name: &str, offset: usize| match offset / 4096 % 2 {
        0 if is_segment(name) => Crash::Kept,
        _ => Crash::Lost,
    };
    let found = found.after_power_loss(choose, Crash::Kept);
    let journal = Journal::open_in(Arc::new(found), None).unwrap();
    assert_eq!(journal.recovery().left_by, LeftBy::PowerLoss);
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    for (position, payload) in rest(&mut tailer) {
        assert!(read(&payload).is_some(), "torn at {position}");
    }
}
