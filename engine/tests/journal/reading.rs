//! Tests of reading: from every position, forwards and backwards, during writes, and without permission to write.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use gannet::agent::IdleStrategy;
use gannet::journal::{JournalError, Recording, Stamps, Start, Tailer};
use gannet::time::EpochNanos;
use gannet::types::Position;

use crate::support::{all, eventually, journal, message, rest, small};

#[test]
fn every_place_is_found_by_position_number_and_time() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    // Times that stand still, jump, and step back.
    let time = |number: i64| 1_000_000 + number / 7 * 100 - if number % 50 == 49 { 5_000 } else { 0 };
    for number in 0..6_000 {
        appender.append_with(&message(0, number), time(number as i64)).unwrap();
    }
    let recording = journal.recording().unwrap();
    let found = all(&recording);
    for indexed in [false, true] {
        if indexed {
            eventually("it is indexed", || journal.indexed() == journal.tail());
        }
        for number in (0..6_000).step_by(173) {
            let (position, payload) = &found[number];
            let number = number as i64;
            let earliest = (0..6_000).find(|&other| time(other) >= time(number)).unwrap();
            for (start, expected) in [
                (Start::Position(*position), number),
                (Start::Sequence(number), number),
                (Start::Time(EpochNanos::new(time(number))), earliest),
                (
                    Start::Time(EpochNanos::new(time(number) - 1)),
                    (0..6_000).find(|&other| time(other) >= time(number) - 1).unwrap(),
                ),
            ] {
                let mut tailer = recording.tailer(start).unwrap();
                let record = tailer.next().unwrap().unwrap();
                assert_eq!(record.sequence(), Some(expected), "{start:?}");
                if expected == number {
                    assert_eq!((record.position(), record.payload()), (*position, &payload[..]), "{start:?}");
                }
            }
        }
        for start in
            [Start::End, Start::Sequence(6_000), Start::Sequence(i64::MAX), Start::Time(EpochNanos::new(i64::MAX))]
        {
            let mut tailer = recording.tailer(start).unwrap();
            assert!(tailer.next().unwrap().is_none(), "{start:?}");
            assert_eq!((tailer.position(), tailer.sequence()), (journal.tail(), Some(6_000)), "{start:?}");
        }
        for start in
            [Start::Begin, Start::Sequence(-5), Start::Time(EpochNanos::new(i64::MIN)), Start::Position(0.into())]
        {
            assert_eq!(recording.tailer(start).unwrap().next().unwrap().unwrap().sequence(), Some(0), "{start:?}");
        }
        let between = Position::new(found[100].0.get() + 32);
        let outside = format!("it goes from 0 to {}", journal.tail());
        let nearest = |before: Position| {
            let after = found.iter().map(|found| found.0).find(|&position| position > before).unwrap();
            format!("no frame begins there; the nearest ones begin at {before} and {after}")
        };
        for (position, reason) in [
            (between, nearest(found[100].0)),
            (Position::new(between.get() + 1), nearest(found[100].0)),
            (Position::new(7), nearest(Position::new(0))),
            (Position::new(journal.tail().get() + 32), outside.clone()),
            (Position::new(-32), outside.clone()),
            (Position::new(i64::MAX & !31), outside.clone()),
        ] {
            let error = recording.tailer(Start::Position(position)).unwrap_err();
            assert!(error.to_string().ends_with(&reason), "{error}");
        }
    }
}

#[test]
fn reading_backwards_is_reading_forwards_reversed() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let long = vec![7; 5_000];
    for number in 0..3_000 {
        if number % 40 == 0 {
            appender.append(&long).unwrap();
        }
        drop(appender.claim(10).unwrap());
        appender.append(&message(0, number)).unwrap();
    }
    let recording = journal.recording().unwrap();
    let forwards = all(&recording);
    for indexed in [false, true] {
        if indexed {
            eventually("it is indexed", || journal.indexed() == journal.tail());
        }
        let mut tailer = recording.tailer(Start::End).unwrap();
        let mut backwards = Vec::new();
        let mut sequence = forwards.len() as i64;
        while let Some(record) = tailer.previous().unwrap() {
            sequence -= 1;
            assert_eq!(record.sequence(), Some(sequence));
            backwards.push((record.position(), record.payload().to_vec()));
        }
        backwards.reverse();
        assert_eq!(backwards, forwards);
        assert_eq!(rest(&mut tailer), forwards, "and forwards again");
        // Back and forth in the middle.
        tailer.seek(Start::Sequence(1_000)).unwrap();
        for _ in 0..3 {
            assert_eq!(tailer.next().unwrap().unwrap().payload(), forwards[1_000].1);
            assert_eq!(tailer.previous().unwrap().unwrap().payload(), forwards[1_000].1);
            assert_eq!(tailer.previous().unwrap().unwrap().sequence(), Some(999));
            assert_eq!(tailer.next().unwrap().unwrap().sequence(), Some(999));
        }
    }
}

#[test]
fn a_tailer_waits_for_what_comes() {
    let (_dir, journal) = journal(&small());
    let recording = journal.recording().unwrap();
    let mut tailer = recording.tailer(Start::End).unwrap();
    let mut idle = IdleStrategy::default();
    assert!(!tailer.wait(&mut idle, Duration::from_millis(1)).unwrap());
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            assert!(tailer.wait(&mut idle, Duration::from_secs(180)).unwrap());
            tailer.next().unwrap().unwrap().payload().to_vec()
        });
        let mut appender = journal.appender().unwrap();
        IdleStrategy::Sleep { period_ns: 5_000_000 }.idle_once();
        appender.append(b"at last").unwrap();
        assert_eq!(reader.join().unwrap(), b"at last");
    });
}

#[test]
fn a_directory_that_may_only_be_read_suffices() {
    let (dir, journal) = journal(&small().stamps(Stamps::None));
    let mut appender = journal.appender().unwrap();
    for number in 0..2_000 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let before = all(&journal.recording().unwrap());
    drop(appender);
    journal.close().unwrap();
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_str().unwrap().ends_with(".lock") {
            let to = copy.path().join(entry.file_name());
            std::fs::copy(entry.path(), &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o400)).unwrap();
        }
    }
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let count = std::fs::read_dir(copy.path()).unwrap().count();
    let recording = Recording::open(copy.path()).unwrap();
    assert_eq!(all(&recording), before);
    assert_eq!(recording.tailer(Start::Sequence(1_234)).unwrap().next().unwrap().unwrap().time(), None, "not stamped");
    assert_eq!(std::fs::read_dir(copy.path()).unwrap().count(), count, "nothing was made");
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// Without sidecars, and with a catalog that has the end of the recording, as an archive leaves it.
#[test]
fn a_recording_without_sidecars_is_read() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    let before = all(&journal.recording().unwrap());
    drop(appender);
    journal.close().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".rec") && name != "archive.catalog" {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    }
    let recording = Recording::open(dir.path()).unwrap();
    assert_eq!(all(&recording), before);
    let mut tailer = recording.tailer(Start::Sequence(2_500)).unwrap();
    assert_eq!(tailer.next().unwrap().unwrap().payload(), before[2_500].1);
    assert_eq!(tailer.previous().unwrap().unwrap().payload(), before[2_500].1);
    assert_eq!(tailer.previous().unwrap().unwrap().payload(), before[2_499].1);
}

#[test]
fn damage_names_its_place_and_the_rest_is_read() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let before = all(&journal.recording().unwrap());
    drop(appender);
    journal.close().unwrap();
    let path = dir.path().join("0-262144.rec");
    let mut bytes = std::fs::read(&path).unwrap();
    let in_second: Vec<_> = before.iter().filter(|(start, _)| (262_144..524_288).contains(&start.get())).collect();
    let offset_of = |index: usize| (in_second[index].0.get() - 262_144) as usize;
    // An impossible length, a header of another place, a hole, and a changed bit of payload.
    bytes[offset_of(10)] = 1;
    bytes[offset_of(20) + 16] ^= 0xFF;
    bytes[offset_of(30)..offset_of(31)].fill(0);
    bytes[offset_of(40) + 40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut tailer = Recording::open(dir.path()).unwrap().tailer(Start::Begin).unwrap().verifying();
    let (mut read, mut damages) = (Vec::new(), Vec::new());
    loop {
        match tailer.next() {
            Ok(Some(record)) => read.push((record.position(), record.payload().to_vec())),
            Ok(None) => break,
            Err(JournalError::Damaged(damage)) => {
                assert_eq!(damage.path, path);
                assert_eq!(damage.position.get(), 262_144 + damage.offset as i64);
                assert_eq!(tailer.position(), damage.position, "it stays");
                damages.push(damage.position);
                assert!(tailer.skip_damage().unwrap().is_some());
            }
            Err(error) => panic!("{error}"),
        }
    }
    let bad = [10, 20, 30, 40].map(|index| in_second[index].0);
    assert_eq!(damages, bad);
    let expected: Vec<_> = before.iter().filter(|(start, _)| !bad.contains(start)).cloned().collect();
    assert_eq!(read, expected);
}

/// What a tailer reads backwards from the end, and the damage reported meanwhile.
fn backwards(tailer: &mut Tailer) -> (Vec<(Position, Vec<u8>)>, Vec<Position>) {
    let (mut read, mut damages) = (Vec::new(), Vec::new());
    loop {
        let here = tailer.position();
        match tailer.previous() {
            Ok(Some(record)) => read.push((record.position(), record.payload().to_vec())),
            Ok(None) => break,
            Err(JournalError::Damaged(damage)) => {
                assert_eq!(tailer.position(), here, "it stays");
                damages.push(damage.position);
                let skipped = tailer.skip_damage_back().expect("it was told of");
                assert_eq!((skipped as i64, tailer.position()), (here.get() - damage.position.get(), damage.position));
                assert_eq!(tailer.skip_damage_back(), None, "once");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(tailer.position(), tailer.recording().start_position());
    read.reverse();
    damages.reverse();
    (read, damages)
}

/// Whatever is damaged, reading backwards returns all messages that reading forwards does.
#[test]
fn damage_is_passed_over_backwards_too() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        // Some of them have several frames.
        let long = if number % 50 == 7 { vec![number as u8; 5_000] } else { message(0, number) };
        appender.append(&long).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let before = all(&journal.recording().unwrap());
    drop(appender);
    journal.close().unwrap();
    let path = |base: i64| dir.path().join(format!("0-{base}.rec"));
    let change = |index: usize, change: &dyn Fn(&mut [u8])| {
        let (start, end) = (before[index].0.get(), before[index + 1].0.get());
        let base = start / 262_144 * 262_144;
        let mut bytes = std::fs::read(path(base)).unwrap();
        change(&mut bytes[(start - base) as usize..(end - base) as usize]);
        std::fs::write(path(base), bytes).unwrap();
    };
    // The first message and one of the last, two in a row, the end of a long one, and a bit of payload.
    change(0, &|bytes| bytes[0] = 1);
    change(500, &|bytes| bytes[16] ^= 0xFF);
    change(501, &|bytes| bytes[..32].fill(0));
    change(1_007, &|bytes| bytes[2 * 1408..3 * 1408].fill(0xEE));
    change(1_500, &|bytes| bytes[40] ^= 1);
    change(2_997, &|bytes| bytes.fill(0xFF));
    let bad = [0, 500, 501, 1_007, 1_500, 2_997];
    let expected: Vec<_> =
        before.iter().enumerate().filter(|(index, _)| !bad.contains(index)).map(|(_, one)| one.clone()).collect();
    for sidecars in [true, false] {
        if !sidecars {
            (0..)
                .map_while(|number| std::fs::remove_file(dir.path().join(format!("0-{}.index", number * 262_144))).ok())
                .count();
        }
        let recording = Recording::open(dir.path()).unwrap();
        let mut tailer = recording.tailer(Start::End).unwrap().verifying();
        // Without checksums the changed payload is not detected.
        let (read, damages) = backwards(&mut tailer);
        let seen: Vec<_> = read.iter().map(|one| one.0).collect();
        let positions: Vec<_> = expected.iter().map(|one| one.0).collect();
        if sidecars {
            assert_eq!(seen, positions);
            assert!(read == expected, "as they were");
            assert_eq!(damages.len(), 5, "two are next to each other: {damages:?}");
        } else {
            assert_eq!(seen.len(), positions.len() + 1);
            assert_eq!(damages.len(), 4, "{damages:?}");
        }
        // The last messages are read without an error from the damage before them, and so is what is after it by
        // position.
        let mut tailer = recording.tailer(Start::End).unwrap();
        assert_eq!(tailer.previous().unwrap().unwrap().payload(), before[2_999].1);
        assert_eq!(tailer.previous().unwrap().unwrap().payload(), before[2_998].1);
        assert!(matches!(tailer.previous(), Err(JournalError::Damaged(damage)) if damage.position == before[2_997].0));
        let mut tailer = recording.tailer(Start::Position(before[2_998].0)).unwrap();
        assert_eq!(tailer.next().unwrap().unwrap().payload(), before[2_998].1);
    }
    // Without the last messages, its end is where it was; without a file, what is before that file is read.
    change(2_998, &|bytes| bytes.fill(0xFF));
    let end = Recording::open(dir.path()).unwrap().stop_position().unwrap();
    let (base, offset) = (end.get() / 262_144 * 262_144, (before[2_999].0.get() % 262_144) as usize);
    let mut bytes = std::fs::read(path(base)).unwrap();
    bytes[offset..(end.get() - base) as usize].fill(0xFF);
    std::fs::write(path(base), bytes).unwrap();
    std::fs::remove_file(path(262_144)).unwrap();
    let mut tailer = Recording::open(dir.path()).unwrap().tailer(Start::End).unwrap();
    assert_eq!(tailer.position(), end);
    let (read, damages) = backwards(&mut tailer);
    assert!(damages.contains(&before[2_997].0) && damages.contains(&Position::new(262_144)), "{damages:?}");
    let is_gone = |position: &Position| (262_144..524_288).contains(&position.get());
    let left = before.iter().enumerate().filter(|(index, (position, _))| {
        !is_gone(position) && (!bad.contains(index) || *index == 1_500) && *index < 2_997
    });
    assert_eq!(read.iter().map(|one| one.0).collect::<Vec<_>>(), left.map(|(_, one)| one.0).collect::<Vec<_>>());
}

/// A message that was begun and never completed is skipped, and what is after it comes once.
#[test]
fn a_message_that_was_only_begun_is_passed_over_backwards() {
    let recording = crate::hostile::flagged(100, 300, |number| match number {
        10 | 299 => gannet::logbuffer::flags::BEGIN,
        _ => gannet::logbuffer::flags::UNFRAGMENTED,
    });
    let forwards: Vec<_> = all(&recording).iter().map(|one| one.0).collect();
    assert_eq!(forwards.len(), 298);
    let mut tailer = recording.tailer(Start::End).unwrap();
    let (read, damages) = backwards(&mut tailer);
    assert_eq!((read.iter().map(|one| one.0).collect::<Vec<_>>(), damages.len()), (forwards, 0));
}

#[test]
fn a_missing_or_short_segment_is_damage_too() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..5_000 {
        appender.append(&message(0, number)).unwrap();
    }
    let before = all(&journal.recording().unwrap());
    drop(appender);
    journal.close().unwrap();
    std::fs::remove_file(dir.path().join("0-262144.rec")).unwrap();
    let short = std::fs::OpenOptions::new().write(true).open(dir.path().join("0-524288.rec")).unwrap();
    short.set_len(100_000).unwrap();
    let mut tailer = Recording::open(dir.path()).unwrap().tailer(Start::Begin).unwrap();
    let (mut read, mut faults) = (0, Vec::new());
    loop {
        match tailer.next() {
            Ok(Some(_)) => read += 1,
            Ok(None) => break,
            Err(JournalError::Damaged(damage)) => {
                faults.push((damage.position.get(), damage.path.file_name().unwrap().to_str().unwrap().to_owned()));
                if tailer.skip_damage().unwrap().is_none() {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(faults[0], (262_144, "0-262144.rec".to_owned()));
    assert_eq!(faults[1].1, "0-524288.rec");
    let lost = |position: i64| (262_144..524_288).contains(&position) || (624_288 - 400..786_432).contains(&position);
    let least = before.iter().filter(|(start, _)| !lost(start.get())).count();
    assert!(read >= least, "{read} of at least {least}");
}
