//! Tests of repair: every kind of damage is reported with its place and quarantined, and the rest can be read by any
//! reader. A second repair does nothing.

use std::path::Path;
use std::sync::Arc;

use gannet::journal::storage::{Crash, Directory, MemoryStorage, Storage};
use gannet::journal::{
    Catalog, Fault, Journal, JournalError, LeftBy, Prune, Recording, Repaired, Retention, Start, Tailer,
    parse_segment_name, repair,
};
use gannet::memory::FileAccess;
use gannet::types::{Mtu, Position, RecordingId};

use crate::raw_access::RAW;
use crate::support::{all, eventually, journal, message, read, rest, settled, small};
use crate::watched::Watched;

const TOTAL: u64 = 6_000;

fn closed() -> tempfile::TempDir {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..TOTAL {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    drop(appender);
    journal.close().unwrap();
    dir
}

fn run(dir: &Path, dry_run: bool) -> Repaired {
    repair(Arc::new(Directory::at(dir)), None, dry_run, |_| {}).unwrap()
}

fn numbers(dir: &Path) -> Vec<u64> {
    let recording = Recording::open(dir).unwrap();
    assert!(recording.verify(|_| {}).unwrap().is_whole());
    all(&recording).iter().map(|(_, payload)| read(payload).expect("whole").1).collect()
}

/// Damages a segment, and returns what repair finds.
fn harmed(dir: &Path, name: &str, harm: impl FnOnce(&mut Vec<u8>)) -> Repaired {
    let path = dir.join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    harm(&mut bytes);
    std::fs::write(&path, &bytes).unwrap();
    let would = run(dir, true);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a dry run changes nothing");
    assert!(!would.was_whole());
    let done = run(dir, false);
    assert!(run(dir, true).was_whole() && run(dir, false).was_whole(), "once is enough");
    assert_eq!(would.quarantined.len(), done.quarantined.len());
    done
}

/// Also when its helper thread did not run before it was stopped.
#[test]
fn a_journal_that_was_just_closed_is_whole() {
    for _ in 0..20 {
        let (dir, journal) = journal(&small());
        journal.appender().unwrap().append(&message(0, 0)).unwrap();
        journal.close().unwrap();
        let found = run(dir.path(), true);
        assert!(found.was_whole(), "{found:?}");
    }
}

/// Also when the one that kept its index was closed just before.
#[test]
fn a_journal_that_was_just_closed_by_several_is_whole() {
    for round in 0..20 {
        let (dir, first) = journal(&small());
        let second = Journal::open(dir.path()).unwrap();
        let mut appender = second.appender().unwrap();
        appender.append(&message(0, 0)).unwrap();
        eventually("it is indexed", || first.indexed() == first.tail());
        first.close().unwrap();
        for number in 1..2_000 {
            appender.append(&message(0, number)).unwrap();
        }
        drop(appender);
        second.close().unwrap();
        let found = run(dir.path(), true);
        assert!(found.was_whole(), "round {round}: {found:?}");
    }
}

#[test]
fn damage_is_put_aside_and_the_rest_is_read() {
    let dir = closed();
    let path = dir.path();
    assert!(run(path, true).was_whole() && run(path, false).was_whole());
    let before = all(&Recording::open(path).unwrap());
    assert_eq!(numbers(path).len() as u64, TOTAL);
    let lost_at = |offset: i64| {
        let at = before.iter().rposition(|(position, _)| position.get() <= 262_144 + offset).unwrap();
        (at as u64, before[at].0)
    };

    // A bit of a payload, which its checksum detects.
    let (first, position) = lost_at(1_000);
    let at = (position.get() - 262_144) as usize + 40;
    let done = harmed(path, "0-262144.rec", |bytes| bytes[at] ^= 1);
    let found = &done.quarantined[0];
    assert_eq!((found.damage.position, done.quarantined.len()), (position, 1));
    assert!(matches!(found.damage.fault, Fault::Checksum { .. }) && found.damage.path.ends_with("0-262144.rec"));
    let kept = std::fs::read(path.join(found.kept_in.as_ref().unwrap())).unwrap();
    assert!(kept.len() as i64 <= found.until.get() - position.get() && kept.len() > 40, "with what was there");
    let without = |lost: &[u64]| (0..TOTAL).filter(|number| !lost.contains(number)).collect::<Vec<_>>();
    assert_eq!(numbers(path), without(&[first]));

    // A length that reaches beyond the end of a term.
    let (second, position) = lost_at(65_536 - 64);
    let at = (position.get() - 262_144) as usize;
    let done = harmed(path, "0-262144.rec", |bytes| bytes[at..at + 700].fill(0xEE));
    assert!(done.quarantined.iter().all(|found| found.damage.position >= position));
    assert!(matches!(done.quarantined[0].damage.fault, Fault::Length { .. }));
    let left = numbers(path);
    assert!(left.len() as u64 > TOTAL - 10 && !left.contains(&second) && left.contains(&(second - 1)));

    // A file that is too short, and one that is missing.
    let done = harmed(path, "0-524288.rec", |bytes| bytes.truncate(100_000));
    assert!(done.quarantined[0].damage.position.get() < 524_288 + 100_032);
    std::fs::remove_file(path.join("0-786432.rec")).unwrap();
    let would = run(path, true);
    assert_eq!(would.quarantined[0].damage.position.get(), 786_432);
    run(path, false);
    let left = numbers(path);
    assert!(left.windows(2).all(|pair| pair[0] < pair[1]) && left.last() == Some(&(TOTAL - 1)));
    assert_eq!(std::fs::metadata(path.join("0-524288.rec")).unwrap().len(), 262_144);
    // The journal works as before.
    let journal = Journal::open(path).unwrap();
    assert_eq!(journal.recovery().left_by, LeftBy::Close);
    journal.appender().unwrap().append(&message(0, TOTAL)).unwrap();
    assert_eq!(all(&journal.recording().unwrap()).len(), left.len() + 1);
}

/// Nothing else shows where the journal ended, and that is no reason to believe that it ended before.
#[test]
fn the_last_segments_of_a_killed_journal_are_missed() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    (0..TOTAL).for_each(|number| _ = appender.append(&message(0, number)).unwrap());
    settled(&journal);
    let (tail, killed) = (journal.tail(), storage.after_kill());
    let last = tail.get() & -262_144;
    let segments =
        killed.names().unwrap().into_iter().filter_map(|name| Some((parse_segment_name(&name)?.1.get(), name)));
    segments.filter(|(base, _)| *base >= last).for_each(|(_, name)| _ = killed.remove(&name).unwrap());

    let storage: Arc<dyn Storage> = Arc::new(killed.clone());
    for dry_run in [true, false] {
        let done = repair(Arc::clone(&storage), None, dry_run, |_| {}).unwrap();
        let found = &done.quarantined[0];
        assert_eq!((found.damage.position.get(), found.until, done.end), (last, tail, tail), "{done:?}");
    }
    assert!(repair(Arc::clone(&storage), None, true, |_| {}).unwrap().was_whole());
    let journal = Journal::open_in(storage, None).unwrap();
    assert!(journal.appender().unwrap().append(&message(0, TOTAL)).unwrap() > tail);
    let found = all(&journal.recording().unwrap());
    let kept = found.iter().map(|(_, payload)| read(payload).expect("whole").1).collect::<Vec<_>>();
    assert_eq!(kept.last(), Some(&TOTAL));
    assert!(kept.len() > 1_000 && kept[..kept.len() - 1].iter().zip(0..).all(|(found, number)| *found == number));
}

#[test]
fn sidecars_and_unfinished_files_are_seen_to() {
    let dir = closed();
    let path = dir.path();
    std::fs::remove_file(path.join("0-262144.index")).unwrap();
    std::fs::write(path.join("0-999424.next.making-1-0x0"), b"x").unwrap();
    let would = run(path, true);
    assert_eq!((would.unindexed, would.removed.len()), (1, 1));
    let done = run(path, false);
    assert_eq!(would, done);
    assert!(run(path, true).was_whole());
    let recording = Recording::open(path).unwrap();
    assert_eq!(recording.tailer(Start::Sequence(2_000)).unwrap().sequence(), Some(2_000));
    assert_eq!(recording.verify(|_| {}).unwrap().checked, recording.stop_position().unwrap());
}

/// Damages the catalog, has it repaired, and returns what was done. All messages of the journal are there afterwards.
fn harmed_catalog(dir: &Path, harm: impl FnOnce(&Path)) -> Repaired {
    let path = dir.join("archive.catalog");
    let descriptor = Recording::open(dir).unwrap().descriptor().clone();
    harm(&path);
    let found = std::fs::read(&path).ok();
    let would = run(dir, true);
    assert_eq!(std::fs::read(&path).ok(), found, "a dry run changes nothing");
    assert!(would.catalog.as_ref().is_some_and(|catalog| catalog.kept_in.is_none()) && !would.was_whole());
    let done = run(dir, false);
    let catalog = done.catalog.as_ref().unwrap();
    assert!(!catalog.fault.contains("run `gannet journal repair"), "it was run: {}", catalog.fault);
    assert_eq!(catalog.recordings, would.catalog.unwrap().recordings);
    let kept = catalog.kept_in.as_ref().map(|name| std::fs::read(dir.join(name)).unwrap());
    assert_eq!(kept, found.filter(|found| !found.is_empty()), "as it was");
    assert!(run(dir, true).was_whole() && run(dir, false).was_whole(), "once is enough");
    let mut again = Recording::open(dir).unwrap().descriptor().clone();
    again.stop_timestamp = descriptor.stop_timestamp;
    assert_eq!(again, descriptor);
    assert!(numbers(dir).into_iter().eq(0..TOTAL) && done.quarantined.is_empty(), "{done:?}");
    done
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    std::fs::write(path, bytes).unwrap();
}

fn told(dir: &Path) {
    let advice = format!("run `gannet journal repair --dir {}`", dir.display());
    for error in [Recording::open(dir).map(drop).unwrap_err(), Journal::open(dir).map(drop).unwrap_err()] {
        assert!(error.to_string().contains(&advice), "{error}");
    }
}

#[test]
fn a_catalog_that_is_lost_or_damaged_is_made_again() {
    let dir = closed();
    let dir = dir.path();
    // The lengths of texts and of the entry, the version, the alignment.
    for at in [147, 34, 35, 2, 16] {
        let done = harmed_catalog(dir, |path| {
            flip(path, at);
            told(dir);
        });
        assert_eq!(done.catalog.unwrap().recordings.len(), 1, "byte {at}");
    }
    for length in [0, 10, 40, 100, 150] {
        harmed_catalog(dir, |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..length]).unwrap();
            told(dir);
        });
    }
    let done = harmed_catalog(dir, |path| {
        std::fs::remove_file(path).unwrap();
        told(dir);
    });
    assert_eq!(done.catalog.unwrap().kept_in, None);
    // Possible but wrong values: the term id, the lengths, the stream id, a letter of a text.
    for at in [64 + 57, 64 + 61, 64 + 76, 64 + 86] {
        let done = harmed_catalog(dir, |path| flip(path, at));
        assert!(done.catalog.unwrap().fault.contains("than the copy of its entry") || at != 64 + 76);
    }
    // The journal works as before.
    let journal = Journal::open(dir).unwrap();
    assert_eq!(journal.recovery().left_by, LeftBy::Close);
    journal.appender().unwrap().append(&message(0, TOTAL)).unwrap();
    journal.close().unwrap();
    assert!(numbers(dir).into_iter().eq(0..=TOTAL));
}

#[test]
fn without_a_copy_of_its_entry_a_recording_is_told_by_its_page_and_frames() {
    let dir = closed();
    let dir = dir.path();
    std::fs::remove_file(dir.join("0.entry")).unwrap();
    flip(&dir.join("archive.catalog"), 147);
    let done = run(dir, false);
    assert_eq!(done.catalog.unwrap().recordings.len(), 1);
    assert!(numbers(dir).into_iter().eq(0..TOTAL));
    let descriptor = Recording::open(dir).unwrap().descriptor().clone();
    assert_eq!((descriptor.stream_id.get(), descriptor.session_id.get(), descriptor.mtu), (1, 1, Mtu::MAX));

    // Where nothing shows the right value, nothing is done.
    std::fs::remove_file(dir.join("0.entry")).unwrap();
    std::fs::remove_file(dir.join("0.control")).unwrap();
    std::fs::remove_file(dir.join("archive.catalog")).unwrap();
    let error = repair(Arc::new(Directory::at(dir)), None, false, |_| {}).unwrap_err();
    assert!(error.to_string().contains("neither do 0.entry and 0.control"), "{error}");
    assert!(!dir.join("archive.catalog").exists());
}

/// Also for a recording that was pruned, and for one whose catalog has other entries.
#[test]
fn a_catalog_is_made_again_with_where_recordings_start_by_now() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..TOTAL {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let start = journal.prune(&Prune::by(&Retention::new().max_bytes(600 << 10))).unwrap().start;
    assert!(start.get() > 0);
    let left = all(&journal.recording().unwrap());
    // Killed, so the end was not recorded; and it cannot be repaired while it is in use.
    let killed = storage.after_kill();
    let catalog = |storage: &MemoryStorage| storage.open("archive.catalog", 1, FileAccess::ReadWrite).unwrap();
    let mut other = Catalog::open(&killed, FileAccess::ReadWrite).unwrap();
    let other_id = other.add(journal.descriptor()).unwrap();
    for storage in [&storage, &killed] {
        catalog(storage).bytes(RAW).put_bytes(147, &[0x40]);
    }
    let error = repair(Arc::new(storage), None, false, |_| {}).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    for lost in ["0.control.none", "0.control"] {
        let found = killed.after_kill();
        found.remove(lost).unwrap();
        let done = repair(Arc::new(found.clone()), Some(RecordingId::new(0)), false, |_| {}).unwrap();
        assert_eq!(done.catalog.map(|catalog| catalog.recordings.len()), Some(1));
        let recording = Recording::open_in(Arc::new(found.clone()), Some(RecordingId::new(0))).unwrap();
        assert_eq!(recording.start_position(), start);
        assert_eq!(all(&recording), left);
        let catalog = Catalog::open(&found, FileAccess::ReadOnly).unwrap();
        assert!(catalog.find(other_id).is_ok() && catalog.next_recording_id().get() == 2, "the other one stays");
    }
}

#[test]
fn what_is_in_use_is_refused() {
    let (dir, journal) = journal(&small());
    for dry_run in [true, false] {
        let error = repair(Arc::new(Directory::at(dir.path())), None, dry_run, |_| {}).unwrap_err();
        assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    }
    drop(journal);
    assert!(run(dir.path(), false).was_whole());
}

#[test]
fn what_kills_and_losses_of_power_leave_is_recovered() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..2_000 {
        appender.append(&message(0, number)).unwrap();
    }
    let durable = journal.sync().unwrap();
    for number in 2_000..4_000 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let tail = journal.tail();
    let _claim = appender.claim(100).unwrap();
    let killed = storage.after_kill();
    let torn = |name: &str, offset: usize| {
        if name.ends_with(".rec") && offset.is_multiple_of(32_768) { Crash::Lost } else { Crash::Kept }
    };
    let lost = storage.after_power_loss(torn, Crash::Kept);
    for (found, left_by) in [(killed, LeftBy::Kill), (lost, LeftBy::PowerLoss)] {
        let run = |dry_run| repair(Arc::new(found.clone()), None, dry_run, |_| {}).unwrap();
        let would = run(true);
        assert_eq!((would.left_by, would.was_whole()), (left_by, false));
        assert!(found.names().unwrap().iter().all(|name| !name.ends_with(".cut")));
        let done = run(false);
        assert_eq!((would.end, would.cut.map(|cut| cut.bytes)), (done.end, done.cut.as_ref().map(|cut| cut.bytes)));
        if left_by == LeftBy::Kill {
            assert_eq!(done.padded, [(tail, 160)]);
        } else {
            assert!(done.end >= durable && done.cut.is_some_and(|cut| !cut.kept_in.is_empty()));
        }
        assert!(run(true).was_whole());
        let recording = Recording::open_in(Arc::new(found.clone()), None).unwrap();
        assert_eq!(recording.stop_position(), Some(done.end));
        let messages = all(&recording);
        assert!(messages.iter().enumerate().all(|(at, (_, payload))| read(payload) == Some((0, at as u64))));
        assert!(messages.len() >= 2_000);
    }
    // Another writer's recording, with bytes after its end.
    let dir = closed();
    let recording = Recording::open(dir.path()).unwrap();
    let stop = recording.stop_position().unwrap();
    let last = recording.segments().unwrap().pop().unwrap();
    std::fs::remove_file(dir.path().join("0.control")).unwrap();
    let offset = (stop.get() - last.base.get()) as usize;
    let done = harmed(dir.path(), &last.name, |bytes| bytes[offset..offset + 64].fill(7));
    assert_eq!((done.left_by, done.end), (LeftBy::Stranger, stop));
    assert_eq!(done.cut.unwrap().damage.position, Position::new(stop.get()));
}

/// A reader that reads throughout continues after the damage, with the checksums that repair has written and not with
/// those that it had mapped.
#[test]
fn whoever_found_the_damage_goes_on_once_it_is_repaired() {
    use std::os::unix::fs::FileExt;
    let dir = closed();
    let path = dir.path();
    let recording = Recording::open(path).unwrap();
    let before = all(&recording);
    let lost = before.iter().position(|(position, _)| position.get() > 262_144 + 1_000).unwrap();
    let segment = std::fs::OpenOptions::new().write(true).open(path.join("0-262144.rec")).unwrap();
    let mut tailer = recording.tailer(Start::Begin).unwrap().verifying();
    for (position, _) in &before[..lost] {
        assert_eq!(tailer.next().unwrap().unwrap().position(), *position);
    }
    segment.write_all_at(&[0xEE; 8], (before[lost].0.get() - 262_144) as u64 + 32).unwrap();
    let told = |tailer: &mut Tailer| match tailer.next() {
        Err(JournalError::Damaged(damage)) => damage,
        other => panic!("{other:?}"),
    };
    let damage = told(&mut tailer);
    assert!(matches!(damage.fault, Fault::Checksum { .. }) && damage.position == before[lost].0);
    assert_eq!(told(&mut tailer), damage, "as long as it is not repaired");
    assert_eq!(run(path, false).quarantined.len(), 1);
    assert_eq!(rest(&mut tailer), before[lost + 1..]);
}

/// What was pruned just before the repair could begin is not damage, and is not made again.
#[test]
fn what_is_pruned_before_a_repair_begins_stays_pruned() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    (0..TOTAL).for_each(|number| _ = appender.append(&message(0, number)).unwrap());
    drop(appender);
    journal.close().unwrap();
    let pruned = storage.clone();
    let prune_first = move || {
        let request = Prune::by(&Retention::new()).before_position(Position::new(600_000));
        let done = gannet::journal::prune(Arc::new(pruned), None, &request, |_| {}).unwrap();
        assert_eq!(done.start.get(), 524_288);
    };
    let outrun = Watched::outrun(&storage, prune_first);
    let done = repair(Arc::new(outrun), None, false, |_| {}).unwrap();
    assert!(done.was_whole(), "{done:?}");
    assert!(!storage.names().unwrap().contains(&"0-0.rec".to_owned()));
    let recording = Recording::open_in(Arc::new(storage), None).unwrap();
    assert_eq!(recording.start_position().get(), 524_288);
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    let first = tailer.next().unwrap().unwrap();
    assert_eq!(first.sequence(), read(first.payload()).map(|(_, number)| number as i64));
}

/// Who was killed left a recording to recover. That its policy is damaged, too, is no reason not to.
#[test]
fn a_damaged_policy_does_not_keep_anybody_from_repairing() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    journal.set_retention(&Retention::new().max_bytes(1 << 40)).unwrap();
    let mut appender = journal.appender().unwrap();
    (0..TOTAL).for_each(|number| _ = appender.append(&message(0, number)).unwrap());
    // The limits, and the mark of the file.
    for at in [24, 2] {
        let killed = storage.after_kill();
        let file = killed.open("0.retention", 1, FileAccess::ReadWrite).unwrap();
        let mut byte = [0];
        file.bytes(RAW).get_bytes(at, &mut byte);
        file.bytes(RAW).put_bytes(at, &[byte[0] ^ 8]);
        // None of it is indexed yet, so that the helper thread has something to do.
        let names = killed.names().unwrap();
        names.iter().filter(|name| name.ends_with(".index")).for_each(|name| _ = killed.remove(name).unwrap());
        let page = killed.open("0.control", 1, FileAccess::ReadWrite).unwrap();
        page.bytes(RAW).put_bytes(392, &[0; 8]);
        let storage: Arc<dyn Storage> = Arc::new(killed);
        let done = repair(Arc::clone(&storage), None, false, |_| {}).unwrap();
        assert_eq!((done.left_by, done.end), (LeftBy::Kill, journal.tail()), "byte {at}");
        let recording = Recording::open_in(Arc::clone(&storage), None).unwrap();
        assert_eq!(all(&recording).len() as u64, TOTAL);
        assert!(matches!(recording.retention(), Err(JournalError::Malformed { .. })), "byte {at}: it is still told");
    }
}
