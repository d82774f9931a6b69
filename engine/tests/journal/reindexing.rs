//! Tests of sidecars that are rebuilt from segments: after kills, around damage, and while others read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gannet::journal::storage::{Crash, MemoryStorage, Share, Storage};
use gannet::journal::{Fault, Journal, Recording, Start, reindex};

use crate::raw_access::RAW;
use crate::support::{all, copy_files, eventually, journal, message, read, small};
use crate::watched::Watched;

const SEGMENT: i64 = 256 << 10;

/// A closed journal of several segments.
fn closed(total: u64) -> tempfile::TempDir {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..total {
        appender.append(&message(0, number)).unwrap();
    }
    drop(appender);
    journal.close().unwrap();
    dir
}

/// A range that an appender has claimed is no damage if the appender is dead, and nobody has made padding of it yet.
#[test]
fn what_dead_appenders_have_claimed_is_no_damage() {
    let (dir, journal) = journal(&small());
    let mut one = journal.appender().unwrap();
    let mut other = journal.appender().unwrap();
    for number in 0..2_000 {
        one.append(&message(0, number)).unwrap();
    }
    let claim = one.claim(100).unwrap();
    for number in 0..4_000 {
        other.append(&message(1, number)).unwrap();
    }
    let recorded = journal.recorded().unwrap();
    eventually("it is indexed", || journal.indexed() == recorded);
    assert!(journal.tail().get() > recorded.get() + 2 * SEGMENT);
    let copy = tempfile::tempdir().unwrap();
    copy_files(dir.path(), copy.path());
    claim.commit().unwrap();

    let done = reindex(copy.path(), None, |_| {}).unwrap();
    assert_eq!((done.damages, done.end, done.messages), (Vec::new(), recorded, 2_000));
    let recording = Recording::open(copy.path()).unwrap();
    let verified = recording.verify(|_| {}).unwrap();
    assert!(verified.is_whole() && verified.end == recorded, "{verified:?}");
    // Recovery makes padding of it, and what follows is indexed then.
    let journal = Journal::open(copy.path()).unwrap();
    assert_eq!(journal.recovery().padded.first(), Some(&(recorded, 160)));
    eventually("the rest is indexed", || journal.indexed() == journal.tail());
    let tailer = recording.tailer(Start::Sequence(5_999)).unwrap();
    assert_eq!(tailer.sequence(), Some(5_999));
    assert!(recording.verify(|_| {}).unwrap().is_whole());
    assert_eq!(all(&recording).last().and_then(|(_, payload)| read(payload)), Some((1, 3_999)));
}

/// The index of what is in front of it and behind it is as it would be without it.
#[test]
fn a_segment_with_damage_gets_its_index_all_the_same() {
    let dir = closed(6_000);
    let before = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("0-262144.rec");
    let whole = std::fs::read(&path).unwrap();
    let frame_in = |position: i64| before.iter().find(|(found, _)| found.get() >= position).unwrap().0;
    // A header that is no frame's, one that is gone, and the end of the segment.
    let harmed = [(frame_in(SEGMENT + 150_000), 4, 0xEE), (frame_in(SEGMENT + 150_000), 32, 0)];
    let end = (frame_in(2 * SEGMENT - 3_000), 3_000, 0);
    for (position, length, with) in harmed.into_iter().chain([end]) {
        let at = (position.get() - SEGMENT) as usize;
        let mut bytes = whole.clone();
        let until = (at + length).min(bytes.len());
        bytes[at..until].fill(with);
        std::fs::write(&path, &bytes).unwrap();
        let done = reindex(dir.path(), None, |_| {}).unwrap();
        let found: Vec<_> = done.damages.iter().map(|damage| damage.position).collect();
        assert_eq!((found, done.segments), (vec![position], 5), "{length} bytes of {with}");
        let verified = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        let found: Vec<_> = verified.damages.iter().map(|damage| (&damage.path, damage.position)).collect();
        assert_eq!(found, [(&path, position)], "{length} bytes of {with}: {:?}", verified.damages);
        assert!(!matches!(verified.damages[0].fault, Fault::Sidecar { .. }));
    }
}

/// A segment is missing.
#[test]
fn a_missing_segment_is_damage() {
    let dir = closed(6_000);
    std::fs::remove_file(dir.path().join("0-262144.rec")).unwrap();
    let done = reindex(dir.path(), None, |_| {}).unwrap();
    let [damage] = &done.damages[..] else { panic!("{:?}", done.damages) };
    assert_eq!(damage.position.get(), SEGMENT);
    assert!(damage.path.ends_with("0-262144.rec") && matches!(damage.fault, Fault::File(_)), "{damage}");
}

/// Whoever verifies sees the old index or the new one, and never half of one.
#[test]
fn an_index_that_is_being_made_again_is_no_damage() {
    let dir = closed(6_000);
    let recording = Recording::open(dir.path()).unwrap();
    let (is_over, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let verified = recording.verify(|_| {});
                // Counts before it asserts, so that nobody waits for it any longer.
                rounds.fetch_add(1, Ordering::Relaxed);
                let verified = verified.unwrap();
                assert!(verified.is_whole(), "{:?}", verified.damages.first());
            }
        });
        for _ in 0..60 {
            let done = reindex(dir.path(), None, |_| {}).unwrap();
            assert_eq!((done.messages, done.damages), (6_000, Vec::new()));
        }
        eventually("it is verified meanwhile", || {
            reindex(dir.path(), None, |_| {}).unwrap();
            rounds.load(Ordering::Relaxed) > 0
        });
        is_over.store(true, Ordering::Relaxed);
    });
}

/// The process that opens the journal after a restart takes back what the last index covers, whenever that comes.
#[test]
fn an_index_that_recovery_takes_back_is_no_damage() {
    let closed = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(closed.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    (0..6_000).for_each(|number| _ = appender.append(&message(0, number)).unwrap());
    drop(appender);
    journal.close().unwrap();
    let restarted = closed.after_power_loss(|_, _| Crash::Kept, Crash::Kept);
    for call in 0..6 {
        let storage = restarted.after_kill();
        // Nobody indexes it again.
        let keeper = storage.try_lock("0.keeper.lock", Share::Exclusive).unwrap();
        assert!(keeper.is_some());
        let opened = Arc::new(Mutex::new((0, None)));
        let (opener, inner) = (Arc::clone(&opened), storage.clone());
        let hear = move |heard: &str, name: &str| {
            if heard == "open" && name == "0-1048576.index" {
                let mut opener = opener.lock().unwrap();
                if opener.0 == call {
                    opener.1 = Some(Journal::open_in(Arc::new(inner.clone()), None).unwrap());
                }
                opener.0 += 1;
            }
        };
        let recording = Recording::open_in(Arc::new(Watched::heard(Arc::new(storage), hear)), None).unwrap();
        let verified = recording.verify(|_| {}).unwrap();
        assert!(verified.is_whole(), "before the {call}th look: {:?}", verified.damages);
        assert_eq!(opened.lock().unwrap().1.is_some(), call < 3, "it was opened meanwhile");
    }
}
