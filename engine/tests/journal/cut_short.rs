//! Tests with files that another process truncates, removes or overwrites while they are in use. The error names the
//! file and the place in it, the rest can be read, existing data is not harmed, and no process dies.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use gannet::journal::{AppendError, Fault, Journal, JournalError, Recording, Start, Tailer};
use gannet::types::Position;

use crate::support::{eventually, journal, message, read, settled, small};

const SEGMENT: u64 = 256 << 10;
/// The offset of the tail in a control page.
const TAIL: u64 = 256;

fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn damage(error: JournalError) -> gannet::journal::Damage {
    match error {
        JournalError::Damaged(damage) => damage,
        other => panic!("{other}"),
    }
}

/// The numbers of the messages that can be read before the end or an error.
fn numbers(tailer: &mut Tailer) -> (Vec<u64>, Option<JournalError>) {
    let mut numbers = Vec::new();
    loop {
        match tailer.next() {
            Ok(Some(record)) => numbers.push(read(record.payload()).expect("whole").1),
            Ok(None) => return (numbers, None),
            Err(error) => return (numbers, Some(error)),
        }
    }
}

/// A journal of more than three segments, and its number of messages.
fn three_segments() -> (tempfile::TempDir, Journal, gannet::journal::Appender, u64) {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let mut number = 0;
    while appender.append(&message(0, number)).unwrap().get() < 3 * SEGMENT as i64 + 1000 {
        number += 1;
    }
    settled(&journal);
    (dir, journal, appender, number + 1)
}

#[test]
fn a_tailer_whose_segment_is_cut_short_says_where_and_reads_the_rest() {
    let (dir, journal, _appender, total) = three_segments();
    for verifying in [false, true] {
        let tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
        let mut tailer = if verifying { tailer.verifying() } else { tailer };
        tailer.next().unwrap().unwrap();
        let path = dir.path().join("0-0.rec");
        let bytes = fs::read(&path).unwrap();
        cut(&path, 20_480);
        let (before, error) = numbers(&mut tailer);
        assert!(before.iter().copied().eq(1..=before.len() as u64), "{before:?}");
        let found = damage(error.expect("an error"));
        assert_eq!(found.path, path);
        assert!((20_000..=20_480).contains(&found.position.get()), "{found}");
        assert_eq!(found.offset, found.position.get() as u64);
        assert!(matches!(found.fault, Fault::File(_)), "{found}");
        // It stays that way as long as the file does.
        assert!(matches!(tailer.next(), Err(JournalError::Damaged(_))));
        let skipped = tailer.skip_damage().unwrap().unwrap();
        assert_eq!(tailer.position().get(), SEGMENT as i64, "{skipped}");
        let (after, error) = numbers(&mut tailer);
        assert!(error.is_none(), "{error:?}");
        assert!(after.iter().copied().eq(total - after.len() as u64..total), "to the end");
        // Once the bytes are back, everything can be read.
        fs::write(&path, bytes).unwrap();
        tailer.seek(Start::Begin).unwrap();
        assert_eq!(numbers(&mut tailer).0.len() as u64, total);
    }
}

#[test]
fn backwards_the_same() {
    let (dir, journal, _appender, _) = three_segments();
    let mut tailer = journal.recording().unwrap().tailer(Start::Position(Position::new(SEGMENT as i64))).unwrap();
    tailer.previous().unwrap().unwrap();
    let path = dir.path().join("0-0.rec");
    cut(&path, 4096);
    let error = loop {
        match tailer.previous() {
            Ok(Some(record)) => assert!(read(record.payload()).is_some()),
            Ok(None) => panic!("the start is not to be read"),
            Err(error) => break error,
        }
    };
    assert_eq!(damage(error).path, path);
}

#[test]
fn a_segment_that_is_removed_is_read_by_who_has_it_and_missed_by_others() {
    let (dir, journal, _appender, total) = three_segments();
    let recording = journal.recording().unwrap();
    let mut within = recording.tailer(Start::Begin).unwrap();
    within.next().unwrap().unwrap();
    let path = dir.path().join("0-0.rec");
    fs::remove_file(&path).unwrap();
    let (rest, error) = numbers(&mut within);
    assert!(error.is_none() && rest.len() as u64 == total - 1);
    let mut late = recording.tailer(Start::Begin).unwrap();
    let found = damage(late.next().map(|_| ()).unwrap_err());
    assert_eq!((found.path, found.position), (path, Position::new(0)));
    late.skip_damage().unwrap().unwrap();
    assert_eq!(late.position().get(), SEGMENT as i64);
    let verified = recording.verify(|_| {}).unwrap();
    assert_eq!((verified.damaged, verified.skipped_bytes), (1, SEGMENT));
}

#[test]
fn an_append_to_a_segment_that_is_cut_short_is_refused() {
    let (dir, journal, mut appender, total) = three_segments();
    let path = dir.path().join(format!("0-{}.rec", 3 * SEGMENT));
    let tail = journal.tail();
    cut(&path, 4096);
    let mut appended = total;
    let error = loop {
        match appender.append(&message(0, appended)) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
        assert!(appended < total + 1_000, "the file has one page");
    };
    let AppendError::Segment(error) = error else { panic!("{error}") };
    assert_eq!(damage(*error).path, path);
    assert!(appender.append(b"again").is_err());
    let claimed = appender.claim(100).map(|claim| claim.commit());
    assert!(claimed.is_err(), "{claimed:?}");
    eventually("the helper thread says so", || journal.trouble().is_some());
    assert_eq!(fs::metadata(&path).unwrap().len(), 4096, "nobody mended it unasked");
    // What was appended before is read up to the cut, and then the error is returned.
    let mut tailer = Recording::open(dir.path()).unwrap().tailer(Start::Begin).unwrap();
    let (found, _) = numbers(&mut tailer);
    assert!(found.iter().copied().eq(0..found.len() as u64));
    assert!(tailer.position() >= tail.min(Position::new(3 * SEGMENT as i64)), "{}", tailer.position());
}

#[test]
fn a_claim_in_a_segment_that_is_cut_short_is_not_committed() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..100 {
        appender.append(&message(0, number)).unwrap();
    }
    let mut claim = appender.claim(1_000).unwrap();
    eventually("it has its name", || dir.path().join("0-0.rec").exists());
    cut(&dir.path().join("0-0.rec"), 4096);
    claim.payload_mut().fill(7);
    let error = claim.commit().unwrap_err();
    assert!(error.to_string().contains("0-0.rec"), "{error}");
}

#[test]
fn without_its_control_page_nothing_is_written_over() {
    let (dir, journal, mut appender, total) = three_segments();
    let recording = journal.recording().unwrap();
    let mut tailer = recording.tailer(Start::End).unwrap();
    let segments: Vec<_> = (0..4).map(|number| dir.path().join(format!("0-{}.rec", number * SEGMENT))).collect();
    let before: Vec<_> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    let control = dir.path().join("0.control");
    cut(&control, 0);
    for _ in 0..3 {
        let error = appender.append(&message(0, total)).unwrap_err();
        assert!(error.to_string().contains("0.control"), "{error}");
    }
    assert!(journal.recorded().is_err() && journal.sync().is_err());
    let error = tailer.next().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("0.control"), "{error}");
    eventually("the helper thread says so", || journal.trouble().is_some());
    assert_eq!(segments.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), before);
    drop((appender, journal));
    // The page is rebuilt from the existing files.
    let journal = Journal::open(dir.path()).unwrap();
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    assert_eq!(numbers(&mut tailer).0.len() as u64, total);
    journal.appender().unwrap().append(&message(0, total)).unwrap();
    assert_eq!(numbers(&mut tailer).0, [total]);
}

#[test]
fn without_its_catalog_a_recording_says_so() {
    let (dir, journal, _appender, _) = three_segments();
    let mut tailer = journal.recording().unwrap().tailer(Start::End).unwrap();
    let catalog = dir.path().join("archive.catalog");
    cut(&catalog, 0);
    let error = tailer.next().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("archive.catalog"), "{error}");
}

#[test]
fn sidecars_that_are_cut_short_are_made_again() {
    let (dir, journal, mut appender, total) = three_segments();
    let index = dir.path().join(format!("0-{}.index", 3 * SEGMENT));
    let length = fs::metadata(&index).unwrap().len();
    cut(&index, 1000);
    let mut number = total;
    while appender.append(&message(0, number)).unwrap().get() < 5 * SEGMENT as i64 {
        number += 1;
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    assert_eq!(fs::metadata(&index).unwrap().len(), length);
    let verified = journal.recording().unwrap().verify(|_| {}).unwrap();
    assert!(verified.is_whole() && verified.messages == number + 1, "{verified:?}");
    assert_eq!(verified.checked, journal.tail());
}

/// Another process overwrites the tail while appenders and helper threads use it.
#[test]
fn a_tail_that_was_written_over_makes_no_segments_and_overwrites_nothing() {
    let (dir, journal, mut appender, total) = three_segments();
    let control = OpenOptions::new().read(true).write(true).open(dir.path().join("0.control")).unwrap();
    let tail = journal.tail().get();
    let files = || fs::read_dir(dir.path()).unwrap().count();
    let segments: Vec<_> = (0..3).map(|number| dir.path().join(format!("0-{}.rec", number * SEGMENT))).collect();
    let before: Vec<_> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    let known = files();
    for bad in [1 << 40, i64::MAX, i64::MAX & !31, i64::MIN, -32, tail + 1, 0, 64, SEGMENT as i64, 20 * SEGMENT as i64]
    {
        let _ = journal.trouble();
        control.write_all_at(&bad.to_le_bytes(), TAIL).unwrap();
        let error = appender.append(&message(0, total)).unwrap_err();
        assert!(matches!(error, AppendError::Segment(_)), "{bad}: {error}");
        let mut found = None;
        eventually("the helper thread says so", || {
            found = journal.trouble().or(found.take());
            found.is_some()
        });
        assert!(found.unwrap().to_string().contains("0.control"), "{bad}");
        assert!(files() <= known + 1, "{bad}: {} files", files());
        control.write_all_at(&tail.to_le_bytes(), TAIL).unwrap();
    }
    assert_eq!(segments.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), before);
    appender.append(&message(0, total)).unwrap();
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    assert_eq!(numbers(&mut tailer).0.len() as u64, total + 1);
}

/// Whatever is truncated and whenever, with threads that append, read and maintain the journal, no thread dies, and
/// what is read is what was appended.
#[test]
fn nobody_dies_of_files_that_are_cut_short_at_any_time() {
    for seed in 0..4_u64 {
        let (dir, journal, mut appender, total) = three_segments();
        let recording = journal.recording().unwrap();
        let mut random = {
            let mut state = seed * 77 + 5;
            move || {
                state =
                    u64::wrapping_add(u64::wrapping_mul(state, 6_364_136_223_846_793_005), 1_442_695_040_888_963_407);
                state >> 33
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(move || {
                for number in total..total + 3_000 {
                    if appender.append(&message(0, number)).is_err() {
                        break;
                    }
                }
            });
            for backwards in [false, true] {
                let recording = recording.clone();
                threads.spawn(move || {
                    for _ in 0..6 {
                        let Ok(mut tailer) = recording.tailer(if backwards { Start::End } else { Start::Begin }) else {
                            continue;
                        };
                        for _ in 0..3_000 {
                            let outcome = if backwards { tailer.previous() } else { tailer.next() };
                            match outcome.map(|record| record.map(|record| read(record.payload()).is_some())) {
                                // If it was truncated between the check of the message and this, it may read as zeros.
                                // The next check detects it.
                                Ok(Some(whole)) => assert!(whole || tailer.next().is_err()),
                                Ok(None) => break,
                                Err(_) if backwards => break,
                                Err(_) => {
                                    if !matches!(tailer.skip_damage(), Ok(Some(_))) {
                                        break;
                                    }
                                }
                            }
                        }
                        let _ = recording.verify(|_| {});
                    }
                });
            }
            for _ in 0..4 {
                let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
                names.retain(|name| name.extension().is_some_and(|extension| extension != "lock"));
                names.sort();
                let path = &names[random() as usize % names.len()];
                // It may have been renamed since.
                if let Ok(file) = OpenOptions::new().write(true).open(path) {
                    let length = file.metadata().unwrap().len();
                    file.set_len(random() % (length + 1)).unwrap();
                }
            }
        });
        let _ = journal.close();
        let _ = Journal::open(dir.path()).map(|journal| journal.appender().map(|mut appender| appender.append(b"on")));
    }
}
