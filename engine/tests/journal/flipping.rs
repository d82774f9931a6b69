//! Tests with a single flipped bit, in every kind of file that a journal has. Either nothing changes for a reader, or the
//! file and the place are named, and everything else can be read.

use std::path::Path;
use std::sync::Arc;

use gannet::journal::storage::Directory;
use gannet::journal::{Fault, Journal, JournalError, Recording, Repaired, Retention, Start, repair};
use gannet::time::EpochNanos;
use gannet::types::{Position, SemanticVersion};

use crate::support::{all, eventually, journal, message, read, small};

const TOTAL: i64 = 3_000;
const SEGMENT: usize = 256 << 10;
const ENTRIES: usize = 4096;
const CHECKSUMS: usize = ENTRIES + SEGMENT / (64 << 10) * 32;

/// A closed journal whose message `number` has the time `1_000 + number`.
fn closed() -> tempfile::TempDir {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..TOTAL {
        appender.append_with(&message(0, number as u64), 1_000 + number).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    drop(appender);
    journal.close().unwrap();
    dir
}

fn flip(path: &Path, at: usize, bit: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
}

fn run(dir: &Path, dry_run: bool) -> Repaired {
    repair(Arc::new(Directory::at(dir)), None, dry_run, |_| {}).unwrap()
}

/// Whether every message is found by its number, its time and its position.
fn assert_found(dir: &Path, positions: &[(Position, Vec<u8>)], what: &str) {
    let recording = Recording::open(dir).unwrap();
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    for number in (0..TOTAL).step_by(97).chain([TOTAL - 1]) {
        let places = [
            Start::Sequence(number),
            Start::Time(EpochNanos::new(1_000 + number)),
            Start::Position(positions[number as usize].0),
        ];
        for place in places {
            tailer.seek(place).unwrap_or_else(|error| panic!("{what}: {place:?}: {error}"));
            assert_eq!(tailer.sequence(), Some(number), "{what}: {place:?}");
            let record = tailer.next().unwrap().unwrap();
            assert_eq!(read(record.payload()), Some((0, number as u64)), "{what}: {place:?}");
        }
    }
    tailer.seek(Start::End).unwrap();
    assert_eq!(tailer.sequence(), Some(TOTAL), "{what}");
}

/// Every word of an index: its header, entries and checksums.
#[test]
fn a_flipped_bit_in_an_index_misleads_nobody_and_is_named() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("0-262144.index");
    let before = std::fs::read(&path).unwrap();
    let frame = (whole.iter().find(|(position, _)| position.get() > 300_000).unwrap().0.get() as usize - SEGMENT) / 32;
    // The byte, and where the fault is told to be.
    let header = [(2, 3, 0), (4, 1, 0), (8, 0, 0), (16, 2, 0), (24, 2, 0), (28, 2, 0)];
    let states = [(32, 1, 32), (32, 7, 32), (39, 0, 32), (40, 0, 40), (41, 0, 40), (44, 0, 40), (48, 0, 40)];
    let entries = [0, 1, 3].iter().flat_map(|slot| [0, 3, 8, 9, 16, 24].map(|at| (slot * 32 + at, slot * 32)));
    let entries = entries.map(|(at, told)| (ENTRIES + at, ENTRIES + told));
    let checksums = [0, 1, 2, 3, 4, 7].map(|at| (CHECKSUMS + frame * 4 + at, CHECKSUMS + frame * 4 + at / 4 * 4));
    let places = header.iter().chain(&states).copied();
    let places = places.chain(entries.chain(checksums).map(|(at, told)| (at, (at % 8) as u8, told)));
    for (at, bit, told) in places {
        let what = format!("bit {bit} of byte {at}");
        flip(&path, at, bit);
        assert_found(dir.path(), &whole, &what);
        let recording = Recording::open(dir.path()).unwrap();
        let found = recording.verify(|_| {}).unwrap();
        assert_eq!((found.messages, found.damages.len()), (TOTAL as u64, 1), "{what}: {:?}", found.damages);
        let damage = &found.damages[0];
        assert_eq!((&damage.path, damage.offset), (&path, told as u64), "{what}: {damage}");
        assert!(matches!(damage.fault, Fault::Sidecar { .. }), "{what}: {damage}");
        assert!(damage.to_string().contains("gannet journal repair"), "{damage}");
        let would = run(dir.path(), true);
        assert_eq!((would.quarantined.len(), would.unindexed, would.was_whole()), (0, 1, false), "{what}");
        assert_eq!(would.sidecars, found.damages, "{what}");
        assert_eq!(run(dir.path(), false), would, "{what}");
        assert!(std::fs::read(&path).unwrap() == before, "{what}");
        assert!(run(dir.path(), true).was_whole(), "{what}");
    }
    assert!(all(&Recording::open(dir.path()).unwrap()) == whole);
}

/// As they were written before entries had checksums. A position where no frame begins is passed over, and a wrong number
/// is found by whoever verifies.
#[test]
fn an_index_of_the_version_before_is_read_and_compared() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("0-262144.index");
    let guarded = std::fs::read(&path).unwrap();
    let mut bytes = guarded.clone();
    bytes[..4].copy_from_slice(&SemanticVersion::new(1, 0, 0).bits().to_le_bytes());
    bytes[48..52].fill(0);
    for slot in 0..4 {
        bytes[ENTRIES + slot * 32 + 24..ENTRIES + slot * 32 + 32].fill(0);
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_found(dir.path(), &whole, "as it was");
    assert!(
        Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole() && run(dir.path(), true).was_whole()
    );
    let entry = ENTRIES + 2 * 32;
    for (at, bit) in [(entry, 6), (entry + 1, 1), (entry + 8, 0), (entry + 17, 4)] {
        std::fs::write(&path, &bytes).unwrap();
        flip(&path, at, bit);
        let what = format!("bit {bit} of byte {at}");
        let is_number = at == entry + 8;
        if !is_number {
            assert_found(dir.path(), &whole, &what);
        }
        let found = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        let is_later = at == entry + 17 && bytes[at] & 1 << bit == 0;
        if !is_later {
            let damage = &found.damages[0];
            assert_eq!((&damage.path, damage.offset / 32), (&path, entry as u64 / 32), "{what}: {damage}");
            run(dir.path(), false);
            assert!(std::fs::read(&path).unwrap() == guarded, "{what}: it has the checksums then");
        }
    }
    assert_found(dir.path(), &whole, "made again");
}

/// More than a bit: what a disk loses. A full segment that matches its own checksum is intact, whatever is left of its
/// index.
#[test]
fn an_intact_segment_is_not_blamed_for_its_index() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("0-262144.index");
    let before = std::fs::read(&path).unwrap();
    for (from, to, with) in [
        (CHECKSUMS, CHECKSUMS + 4096, 0),
        (CHECKSUMS + 4096, CHECKSUMS + 4608, 0xA5),
        (ENTRIES + 32, ENTRIES + 96, 0),
        (ENTRIES, ENTRIES + 128, 0x5A),
        (0, 4096, 0),
    ] {
        let mut bytes = before.clone();
        bytes[from..to].fill(with);
        std::fs::write(&path, bytes).unwrap();
        let what = format!("bytes {from} to {to}");
        assert_found(dir.path(), &whole, &what);
        let found = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        assert!(!found.damages.is_empty() && found.damages.iter().all(|damage| damage.path == path), "{what}");
        let done = run(dir.path(), false);
        assert_eq!((done.quarantined.len(), done.unindexed), (0, 1), "{what}");
        assert!(std::fs::read(&path).unwrap() == before, "{what}");
    }
    assert!(all(&Recording::open(dir.path()).unwrap()) == whole);
}

/// As above, in the last segment, which is not full and has no checksum of its own. Each frame's checksum is there twice.
#[test]
fn a_frame_is_not_blamed_for_its_checksum() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let last = whole.last().unwrap().0.get() as usize / SEGMENT * SEGMENT;
    let (index, segment) = (dir.path().join(format!("0-{last}.index")), dir.path().join(format!("0-{last}.rec")));
    let before = std::fs::read(&index).unwrap();
    let position = whole.iter().map(|(position, _)| *position).find(|position| position.get() as usize > last + 5_000);
    let position = position.unwrap();
    let at = CHECKSUMS + (position.get() as usize - last) / 8;
    // All of it, the copy, both to nothing, and what another file's block would leave there.
    for (from, to, with) in [(at, at + 4, 0x5A), (at + 4, at + 8, 0x5A), (at, at + 8, 0), (at & !511, at + 512, 0xA5)] {
        let mut bytes = before.clone();
        bytes[from..to]
            .iter_mut()
            .enumerate()
            .for_each(|(index, byte)| *byte = if with == 0 { 0 } else { *byte ^ with ^ index as u8 });
        std::fs::write(&index, bytes).unwrap();
        let what = format!("bytes {from} to {to}");
        assert!(all(&Recording::open(dir.path()).unwrap()) == whole, "{what}");
        let found = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        assert_eq!(found.messages, TOTAL as u64, "{what}");
        assert!(
            !found.damages.is_empty() && found.damages.iter().all(|damage| damage.path == index),
            "{what}: {found:?}"
        );
        let done = run(dir.path(), false);
        assert_eq!((done.quarantined.len(), done.unindexed), (0, 1), "{what}: {:?}", done.quarantined.first());
        assert!(std::fs::read(&index).unwrap() == before, "{what}");
    }
    // A damaged frame is still found, whatever its damage.
    let bytes = std::fs::read(&segment).unwrap();
    for flips in 1..5 {
        let mut damaged = bytes.clone();
        (0..flips).for_each(|flip| damaged[position.get() as usize - last + 40 + flip] ^= 1 << flip);
        std::fs::write(&segment, damaged).unwrap();
        let found = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        let [damage] = &found.damages[..] else { panic!("{:?}", found.damages) };
        assert!(damage.path == segment && damage.position == position, "{damage}");
    }
}

/// Checksums without copies, as versions before had them: a single wrong bit is told from a damaged frame.
#[test]
fn checksums_of_the_versions_before_are_compared() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("0-262144.index");
    let copied = std::fs::read(&path).unwrap();
    let mut bytes = copied.clone();
    bytes[..4].copy_from_slice(&SemanticVersion::new(1, 1, 0).bits().to_le_bytes());
    let begins = whole.iter().map(|(position, _)| position.get() as usize);
    let begins: Vec<_> =
        begins.filter(|begin| (SEGMENT..2 * SEGMENT).contains(begin)).map(|begin| begin - SEGMENT).collect();
    begins.iter().for_each(|begin| bytes[CHECKSUMS + begin / 8 + 4..][..4].fill(0));
    std::fs::write(&path, &bytes).unwrap();
    assert!(
        Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole() && run(dir.path(), true).was_whole()
    );
    flip(&path, CHECKSUMS + begins[7] / 8 + 2, 5);
    let found = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
    assert!(found.damages.len() == 1 && found.damages[0].path == path, "{:?}", found.damages);
    assert_eq!(run(dir.path(), false).quarantined, []);
    assert!(std::fs::read(&path).unwrap() == copied, "it has the copies then");
}

/// Every byte of a cursor, and of the header of the file.
#[test]
fn a_flipped_bit_in_a_cursor_moves_no_consumer() {
    let dir = closed();
    let recording = Recording::open(dir.path()).unwrap();
    let place = all(&recording)[1_000].0;
    for (name, number) in [("billing", 1_000), ("risk", 2_000)] {
        assert_eq!(recording.move_cursor(name, Start::Sequence(number)).map_err(drop), Err(()));
        recording.cursor(name).unwrap();
        recording.move_cursor(name, Start::Sequence(number)).unwrap();
    }
    let path = dir.path().join("0.cursors");
    let before = std::fs::read(&path).unwrap();
    let slot = (0..40).chain(232..236).map(|at| 256 + at);
    let mut named = 0;
    for (at, bit) in (0..16).chain(slot).flat_map(|at| [(at, at as u8 % 8), (at, (at as u8 + 3) % 8)]) {
        std::fs::write(&path, &before).unwrap();
        flip(&path, at, bit);
        let what = format!("bit {bit} of byte {at}");
        let found = recording.cursor("billing").map(|cursor| cursor.position());
        let verified = recording.verify(|_| {}).unwrap();
        let error = match found {
            Ok(found) => {
                assert_eq!((found, verified.is_whole()), (place, true), "{what}: {:?}", verified.damages);
                assert_eq!(recording.cursors().unwrap().len(), 2, "{what}");
                continue;
            }
            Err(error) => error,
        };
        named += 1;
        let JournalError::Malformed { path: told, offset, found } = &error else { panic!("{what}: {error}") };
        let is_place = if at < 256 { *offset == 0 } else { (256..512).contains(offset) };
        assert!(*told == path && is_place, "{what}: {error}");
        let [damage] = &verified.damages[..] else { panic!("{what}: {:?}", verified.damages) };
        assert_eq!((&damage.path, damage.offset, damage.fault.to_string()), (&path, *offset, found.clone()), "{what}");
        assert!(recording.cursors().is_err() && verified.messages == TOTAL as u64, "{what}");
        if at < 256 {
            continue;
        }
        assert_eq!(recording.cursor("risk").unwrap().position(), all(&recording)[2_000].0, "{what}");
        // What the error says to do.
        if found.contains("cursors move \"billing\"") {
            recording.move_cursor("billing", Start::Sequence(1_000)).unwrap();
        } else {
            assert!(found.contains(&format!("its position is {place}")), "{what}: {found}");
            assert!(recording.cursor("fresh").is_err(), "{what}: it may be the damaged one");
            let name = found.split("cursors rm \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            recording.remove_cursor(name).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(recording.cursor("billing").unwrap().position().get(), 0);
            recording.move_cursor("billing", Start::Sequence(1_000)).unwrap();
        }
        assert_eq!(recording.cursor("billing").unwrap().position(), place, "{what}");
        assert!(recording.cursors().unwrap().len() == 2 && recording.verify(|_| {}).unwrap().is_whole(), "{what}");
    }
    assert!(named > 60, "{named}");
}

/// A consumer that runs does not fall back when its position is damaged, and mends it with its next move.
#[test]
fn a_consumer_goes_on_with_a_position_of_its_own() {
    let dir = closed();
    let recording = Recording::open(dir.path()).unwrap();
    let messages = all(&recording);
    let mut cursor = recording.cursor("billing").unwrap();
    cursor.move_to(messages[500].0).unwrap();
    let path = dir.path().join("0.cursors");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[bytes[256 + 10] ^ 2], 256 + 10).unwrap();
    assert!(recording.cursor("billing").is_err());
    assert_eq!(cursor.position(), messages[500].0);
    cursor.move_to(messages[501].0).unwrap();
    assert_eq!(recording.cursor("billing").unwrap().position(), messages[501].0);
}

/// Also if what is left of its name cannot be typed: a name is removed as the error shows it.
#[test]
fn a_damaged_cursor_is_removed_by_the_name_that_is_shown() {
    let dir = closed();
    let recording = Recording::open(dir.path()).unwrap();
    recording.cursor("end of day").unwrap();
    let path = dir.path().join("0.cursors");
    // The first space.
    flip(&path, 256 + 32 + 3, 5);
    let error = recording.cursor("other").unwrap_err().to_string();
    let shown = error.split("cursors rm \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert_eq!(shown, r"end\0of day");
    recording.remove_cursor(shown).unwrap();
    recording.cursor("other").unwrap();
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}

/// Every bit of the retention file's header, and a file that is cut short. The policy is as it was set, or an error.
#[test]
fn a_flipped_bit_in_the_header_of_the_policy_does_not_lose_it() {
    let dir = closed();
    let policy = Retention::new().max_bytes(1 << 40);
    Journal::open(dir.path()).unwrap().set_retention(&policy).unwrap();
    let recording = Recording::open(dir.path()).unwrap();
    let whole = all(&recording);
    let path = dir.path().join("0.retention");
    let before = std::fs::read(&path).unwrap();
    let flips = (0..16).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let mut told = 0;
    for harm in flips.map(Some).chain([None]) {
        let what = format!("{harm:?}");
        std::fs::write(&path, &before).unwrap();
        match harm {
            Some((at, bit)) => flip(&path, at, bit),
            None => std::fs::write(&path, &before[..100]).unwrap(),
        }
        let damaged = std::fs::read(&path).unwrap();
        let verified = recording.verify(|_| {}).unwrap();
        match recording.retention() {
            Ok(found) => assert_eq!((found, verified.is_whole()), (policy, true), "{what}"),
            Err(JournalError::Malformed { path: named, .. }) => {
                told += 1;
                let damages: Vec<_> = verified.damages.iter().map(|damage| &damage.path).collect();
                assert_eq!((named, damages), (path.clone(), vec![&path]), "{what}");
            }
            Err(error) => panic!("{what}: {error}"),
        }
        // Whoever opens it leaves it alone, and appends all the same.
        if told % 16 == 1 {
            let journal = Journal::open(dir.path()).unwrap();
            assert!(all(&journal.recording().unwrap()) == whole, "{what}");
            journal.close().unwrap();
            assert!(std::fs::read(&path).unwrap() == damaged, "{what}");
        }
    }
    assert!(told > 100, "{told}");
    // Setting it again mends it.
    let journal = Journal::open(dir.path()).unwrap();
    journal.set_retention(&policy).unwrap();
    assert_eq!(recording.retention().unwrap(), policy);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}

/// The words of the other files that a journal adds: readers get the same messages, or are told which file it is.
#[test]
fn a_flipped_bit_in_any_other_file_changes_no_message() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let bytes_of = |name: &str| (0..48).chain((48..800).step_by(8)).map(|at| (name.to_owned(), at)).collect::<Vec<_>>();
    let files = ["0.control", "0.retention", "0.entry"];
    for (name, at) in files.iter().flat_map(|name| bytes_of(name)) {
        let path = dir.path().join(&name);
        if at as u64 >= std::fs::metadata(&path).unwrap().len() {
            continue;
        }
        let bit = (at % 8) as u8;
        flip(&path, at, bit);
        let what = format!("bit {bit} of byte {at} of {name}");
        match Recording::open(dir.path()) {
            Ok(recording) => assert!(all(&recording) == whole, "{what}"),
            Err(error) => assert!(error.to_string().contains(&name), "{what}: {error}"),
        }
        flip(&path, at, bit);
    }
    assert!(Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole());
}

/// The catalog has an archive's format and no checksums, but there is a copy of each entry.
#[test]
fn a_flipped_bit_in_an_entry_of_the_catalog_is_told_from_damage_of_segments() {
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("archive.catalog");
    let before = std::fs::read(&path).unwrap();
    // Initial term id, MTU, stream id, and a letter of a channel.
    let fields = [56, 57, 69, 76, 77, 84].map(|at| 64 + at);
    for at in fields {
        flip(&path, at, 1);
        let found = Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        let damage = found.damages.first().unwrap_or_else(|| panic!("byte {at} is not found"));
        assert!(damage.path == path && damage.fault == Fault::Entry, "byte {at}: {damage}");
        let done = run(dir.path(), false);
        assert!(done.catalog.is_some() && done.quarantined.is_empty(), "byte {at}: {done:?}");
        assert_eq!(std::fs::read(&path).unwrap()[..1024], before[..1024], "byte {at}");
        assert!(all(&Recording::open(dir.path()).unwrap()) == whole, "byte {at}");
    }
    assert!(Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole());
}

/// The control page and the frames tell where the recording ends, and the copy of its entry, where it can begin. Nothing is cut
/// off, put aside or made in its place.
#[test]
fn a_flipped_bit_in_the_begin_or_the_end_of_a_recording_takes_nothing_away() {
    const ENTRY: usize = 32 + 32;
    const START: usize = ENTRY + 40;
    const STOP: usize = ENTRY + 48;
    let dir = closed();
    let whole = all(&Recording::open(dir.path()).unwrap());
    let path = dir.path().join("archive.catalog");
    let before = std::fs::read(&path).unwrap();
    let names = || {
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| ![".lock", "quarantine"].iter().any(|what| name.to_string_lossy().contains(what))).count()
    };
    let files = names();
    // A start by whole segments is that of a recording that was pruned.
    let places = (0..17).map(|bit| (START, bit)).chain((0..63).map(|bit| (STOP, bit)));
    for (at, bit) in places {
        let what = format!("bit {bit} at {at}");
        flip(&path, at + bit / 8, bit as u8 % 8);
        if let Ok(recording) = Recording::open(dir.path()) {
            let found = recording.verify(|_| {}).unwrap();
            assert!(bit < 5 || found.damages.iter().any(|damage| damage.path == path), "{what}: {found:?}");
        }
        let would = run(dir.path(), true);
        let done = run(dir.path(), false);
        assert_eq!((would.end, would.quarantined.len(), would.cut.is_some()), (done.end, 0, false), "{what}");
        assert!(done.catalog.is_some() && done.quarantined.is_empty() && done.cut.is_none(), "{what}: {done:?}");
        assert!(all(&Recording::open(dir.path()).unwrap()) == whole, "{what}");
        assert_eq!(names(), files, "{what}");
        assert!(Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole(), "{what}");
        std::fs::write(&path, &before).unwrap();
    }
}

/// Also for whoever goes on without a repair.
#[test]
fn who_opens_a_recording_whose_end_has_a_flipped_bit_goes_on_behind_its_last_message() {
    const STOP: usize = 32 + 32 + 48;
    for bit in 5..47_usize {
        let dir = closed();
        let mut whole = all(&Recording::open(dir.path()).unwrap());
        flip(&dir.path().join("archive.catalog"), STOP + bit / 8, bit as u8 % 8);
        // An end that no recording can have is for repair.
        let Ok(journal) = Journal::open(dir.path()) else { continue };
        whole.push((journal.tail(), b"behind".to_vec()));
        journal.appender().unwrap().append(b"behind").unwrap();
        journal.close().unwrap();
        assert!(all(&Recording::open(dir.path()).unwrap()) == whole, "bit {bit}");
    }
}
