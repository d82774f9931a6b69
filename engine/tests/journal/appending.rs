//! Tests of appending: by one and by several appenders, in every way there is, over terms and segments.

use std::io::IoSlice;

use gannet::journal::{AppendError, Journal, JournalError, JournalOptions, Recording, Stamps, Start, SyncPolicy};
use gannet::types::{Position, StreamId, TermId};

use crate::support::{all, eventually, journal, message, read, rest, small};

#[test]
fn what_is_appended_is_read_over_many_segments() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    let mut ends = Vec::new();
    for number in 0..8_000 {
        ends.push(appender.append(&message(0, number)).unwrap());
        if number % 100 == 99 {
            let read: Vec<_> = rest(&mut tailer).iter().map(|(_, payload)| read(payload).unwrap().1).collect();
            assert_eq!(read, (number - 99..=number).collect::<Vec<_>>());
        }
    }
    assert!(journal.tail().get() > 5 * (256 << 10), "five segments at least");
    assert_eq!(journal.recorded().unwrap(), journal.tail());
    let found = all(&Recording::open(dir.path()).unwrap());
    assert!(found.iter().skip(1).map(|(start, _)| start).eq(&ends[..ends.len() - 1]) || found.len() == 8_000);
    // Each position that `append` returned is where the next message begins, or where padding before it does.
    assert!(found.iter().skip(1).zip(&ends).all(|((start, _), end)| start >= end));
    drop(appender);
    journal.close().unwrap();
    let closed = Recording::open(dir.path()).unwrap();
    assert_eq!(closed.stop_position(), ends.last().copied());
    assert_eq!(all(&closed), found);
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with(".next")), "what was made ahead is gone");
}

#[test]
fn messages_are_gathered_claimed_aborted_and_fragmented() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let long: Vec<u8> = (0..8192).map(|index| (index % 251) as u8).collect();
    appender.append(b"").unwrap();
    appender.append_vectored(&[IoSlice::new(b"ga"), IoSlice::new(b""), IoSlice::new(b"thered")]).unwrap();
    let mut claim = appender.claim(7).unwrap();
    claim.payload_mut().copy_from_slice(b"claimed");
    claim.commit().unwrap();
    let mut claim = appender.claim(7).unwrap();
    claim.payload_mut().copy_from_slice(b"aborted");
    claim.abort();
    drop(appender.claim(1000).unwrap());
    appender.append(&long).unwrap();
    appender.append_vectored(&[IoSlice::new(&long[..5000]), IoSlice::new(&long[5000..])]).unwrap();
    appender.append_with(b"stamped", 77).unwrap();
    let recording = journal.recording().unwrap();
    let found: Vec<_> = all(&recording).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(found, [b"", b"gathered" as &[u8], b"claimed", &long, &long, b"stamped"]);
    let mut tailer = recording.tailer(Start::Sequence(5)).unwrap();
    let record = tailer.next().unwrap().unwrap();
    assert_eq!((record.time().unwrap().get(), record.fragment().reserved_value()), (77, 77));

    let error = appender.append(&vec![0; 8193]).unwrap_err();
    assert!(matches!(error, AppendError::MessageTooLong { length: 8193, max: 8192 }), "{error}");
    let error = appender.claim(1377).unwrap_err();
    assert!(matches!(error, AppendError::MessageTooLong { length: 1377, max: 1376 }), "{error}");
}

/// Batches of all lengths, across terms and segments, by appenders of both kinds.
#[test]
fn a_batch_is_appended_as_a_whole() {
    macro_rules! append_with {
        ($handle:ident) => {{
            let mut next = 0;
            while next < 4_000 {
                let messages: Vec<_> = (next..next + 1 + next % 25).map(|number| message(0, number)).collect();
                let lengths: Vec<_> = messages.iter().map(Vec::len).collect();
                if next % 3 == 0 {
                    $handle.claim_batch(&lengths).unwrap().abort();
                    drop($handle.claim_batch(&lengths).unwrap());
                }
                let mut batch = $handle.claim_batch(&lengths).unwrap();
                batch.for_each(|index, payload| payload.copy_from_slice(&messages[index]));
                batch.commit().unwrap();
                next += messages.len() as u64;
            }
            let error = $handle.claim_batch(&[]).unwrap_err();
            assert!(matches!(error, AppendError::EmptyBatch), "{error}");
            let error = $handle.claim_batch(&[1, 1_377]).unwrap_err();
            assert!(matches!(error, AppendError::MessageTooLong { length: 1_377, max: 1_376 }), "{error}");
            let error = $handle.claim_batch(&[1_000; 8]).unwrap_err();
            assert!(matches!(error, AppendError::BatchTooLong { length: 8_448, max: 8_192 }), "{error}");
            next
        }};
    }
    for alone in [false, true] {
        let (_dir, journal) = journal(&small().stamps(Stamps::Precise));
        let count = if alone {
            let mut handle = journal.exclusive_appender().unwrap();
            append_with!(handle)
        } else {
            let mut handle = journal.appender().unwrap();
            append_with!(handle)
        };
        assert!(journal.tail().get() > 3 * (256 << 10), "over several segments");
        let recording = journal.recording().unwrap();
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        let mut next = 0;
        while next < count {
            let time = tailer.next().unwrap().unwrap().time().unwrap();
            tailer.seek(Start::Sequence(next as i64)).unwrap();
            for number in next..next + 1 + next % 25 {
                let record = tailer.next().unwrap().unwrap();
                assert_eq!((read(record.payload()), record.time()), (Some((0, number)), Some(time)));
            }
            next += 1 + next % 25;
        }
        assert!(tailer.next().unwrap().is_none());
        eventually("it is indexed", || journal.indexed() == journal.tail());
        assert!(recording.verify(|_| {}).unwrap().is_whole());
    }
}

/// Whatever of it was written.
#[test]
fn a_batch_of_a_dead_appender_is_padding() {
    let (dir, journal) = journal(&small());
    let mut dead = journal.appender().unwrap();
    let mut batch = dead.claim_batch(&[100, 200, 300]).unwrap();
    batch.for_each(|_, payload| payload.fill(7));
    std::mem::forget(batch);
    let mut appender = journal.appender().unwrap();
    let end = appender.append(&message(0, 0)).unwrap();
    assert_eq!(journal.recorded().unwrap(), Position::new(0), "it lives, and may still commit");
    drop(dead);
    eventually("what was claimed is got past", || journal.recorded().unwrap() == end);
    let found: Vec<_> = all(&Recording::open(dir.path()).unwrap());
    assert_eq!(found, [(Position::new(160 + 256 + 352), message(0, 0))]);
}

/// Whoever fills it panics, or leaks it: the batch is absent, and its appender goes on.
#[test]
fn a_batch_that_is_not_committed_is_absent() {
    macro_rules! append_with {
        ($handle:ident) => {{
            let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut batch = $handle.claim_batch(&[100, 200, 300]).unwrap();
                batch.for_each(|index, payload| {
                    payload.fill(7);
                    assert!(index < 1, "the second message cannot be made");
                });
                batch.commit().unwrap();
            }));
            assert!(panics.is_err());
            let mut batch = $handle.claim_batch(&[100, 200, 300]).unwrap();
            batch.for_each(|_, payload| payload.fill(7));
            std::mem::forget(batch);
            let expected = [message(0, 1), message(0, 2)];
            let lengths = [expected[0].len(), expected[1].len()];
            let mut batch = $handle.claim_batch(&lengths).unwrap();
            batch.for_each(|index, payload| payload.copy_from_slice(&expected[index]));
            (batch.commit().unwrap(), expected)
        }};
    }
    for alone in [false, true] {
        let (_dir, journal) = journal(&small());
        let (end, expected) = if alone {
            let mut handle = journal.exclusive_appender().unwrap();
            append_with!(handle)
        } else {
            let mut handle = journal.appender().unwrap();
            append_with!(handle)
        };
        eventually("what was leaked is got past", || journal.recorded().unwrap() == end);
        let recording = journal.recording().unwrap();
        assert!(all(&recording).into_iter().map(|(_, payload)| payload).eq(expected));
        assert!(recording.verify(|_| {}).unwrap().is_whole());
    }
}

/// By several threads at once, over terms and segments.
#[test]
fn batches_of_several_appenders_do_not_mix() {
    const APPENDERS: u64 = 4;
    const MESSAGES: u64 = 3_000;
    let (_dir, journal) = journal(&small());
    let length_of_batch = |next: u64| 1 + next % 25;
    std::thread::scope(|scope| {
        for appender in 0..APPENDERS {
            let mut handle = journal.appender().unwrap();
            scope.spawn(move || {
                let mut next = 0;
                while next < MESSAGES {
                    let numbers = next..next + length_of_batch(next);
                    let messages: Vec<_> = numbers.map(|number| message(appender, number)).collect();
                    let lengths: Vec<_> = messages.iter().map(Vec::len).collect();
                    let mut batch = handle.claim_batch(&lengths).unwrap();
                    batch.for_each(|index, payload| payload.copy_from_slice(&messages[index]));
                    batch.commit().unwrap();
                    next += messages.len() as u64;
                }
            });
        }
    });
    assert!(journal.tail().get() > 3 * (256 << 10), "over several segments");
    let found: Vec<_> = all(&journal.recording().unwrap());
    let mut found = found.iter().map(|(_, payload)| read(payload).expect("whole")).peekable();
    let mut next = [0; APPENDERS as usize];
    while let Some(&(appender, number)) = found.peek() {
        let expected = &mut next[appender as usize];
        assert_eq!(number, *expected, "appender {appender}: in order");
        for number in number..number + length_of_batch(number) {
            assert_eq!(found.next(), Some((appender, number)), "one after the other");
        }
        *expected += length_of_batch(number);
    }
    assert!(next.iter().all(|&next| next >= MESSAGES), "all of them: {next:?}");
}

/// The frames on disk state their position, padding is a header and a hole, and the bytes after the last frame are
/// zero.
#[test]
fn segments_hold_frames_as_an_archive_records_them() {
    let options =
        small().stream_id(StreamId::new(77)).initial_term_id(TermId::new(-2)).start_position(Position::new(70_016));
    let (dir, journal) = journal(&options);
    let mut appender = journal.appender().unwrap();
    let mut last = Position::new(0);
    for number in 0..400 {
        last = appender.append_with(&message(0, number), 9).unwrap();
    }
    eventually("the segment is named", || dir.path().join("0-65536.rec").exists());
    let bytes = std::fs::read(dir.path().join("0-65536.rec")).unwrap();
    assert_eq!(bytes.len(), 256 << 10);
    assert!(bytes[..4480].iter().all(|&byte| byte == 0), "in front of the start");
    let (mut at, mut number, mut paddings) = (4480, 0, 0);
    while at + 65_536 < last.get() as usize {
        let word = |offset: usize| i32::from_le_bytes(bytes[at + offset..at + offset + 4].try_into().unwrap());
        let position = 65_536 + at;
        let length = word(0) as usize;
        let is_padding = word(4) >> 16 == 0;
        assert_eq!(word(4) & 0xFFFF, 0xC000, "version 0, unfragmented");
        assert_eq!([word(8), word(12), word(16)], [(position % 65_536) as i32, 1, 77]);
        assert_eq!(word(20), -2 + (position / 65_536) as i32);
        if is_padding {
            paddings += 1;
            assert!(bytes[at + 32..at + length].iter().all(|&byte| byte == 0));
            assert_eq!((at + length) % 65_536, 0, "to the end of the term");
        } else {
            assert_eq!(i64::from_le_bytes(bytes[at + 24..at + 32].try_into().unwrap()), 9);
            assert_eq!(bytes[at + 32..at + length], message(0, number));
            number += 1;
        }
        at += length.next_multiple_of(32);
    }
    assert_eq!((number, paddings), (400, 1));
    assert!(bytes[at..].iter().all(|&byte| byte == 0), "behind the last frame");
}

#[test]
fn several_appenders_share_a_journal_and_keep_their_order() {
    const EACH: u64 = 3_000;
    let (_dir, journal) = journal(&small());
    let recording = journal.recording().unwrap();
    std::thread::scope(|scope| {
        for appender in 0..4 {
            let mut handle = journal.appender().unwrap();
            scope.spawn(move || {
                for number in 0..EACH {
                    handle.append(&message(appender, number)).unwrap();
                }
            });
        }
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        let mut next = [0; 4];
        eventually("everything is read", || {
            tailer
                .poll(
                    |record| {
                        let (appender, number) = read(record.payload()).unwrap();
                        assert_eq!(number, next[appender as usize]);
                        next[appender as usize] += 1;
                    },
                    usize::MAX,
                )
                .unwrap();
            next == [EACH; 4]
        });
        assert_eq!(tailer.sequence(), Some(4 * EACH as i64));
    });
}

#[test]
fn appenders_are_limited_and_their_places_are_used_again() {
    let (_dir, journal) = journal(&small());
    let mut appenders: Vec<_> = (0..64).map(|_| journal.appender().unwrap()).collect();
    let error = journal.appender().unwrap_err();
    assert!(matches!(error, JournalError::TooManyAppenders { limit: 64, .. }), "{error}");
    appenders.truncate(63);
    let mut last = journal.appender().unwrap();
    for (number, appender) in appenders.iter_mut().enumerate() {
        appender.append(&message(0, number as u64)).unwrap();
    }
    last.append(&message(0, 63)).unwrap();
    assert_eq!(all(&journal.recording().unwrap()).len(), 64);
}

#[test]
fn positions_come_to_their_end() {
    let end = 1_i64 << (31 + 16);
    let (_dir, journal) = journal(&small().start_position(Position::new(end - 128)));
    let mut appender = journal.appender().unwrap();
    assert_eq!(appender.append(&[1; 64]).unwrap().get(), end - 32);
    let error = appender.append(&[1; 1]).unwrap_err();
    assert!(error.to_string().contains("used up its positions"), "{error}");
    assert_eq!(appender.append(&[]).unwrap().get(), end);
    assert!(appender.append(&[]).is_err() && appender.append(&[]).is_err());
    assert_eq!(all(&journal.recording().unwrap()).len(), 2);
}

#[test]
fn every_policy_makes_durable_what_it_says() {
    use std::time::Duration;
    let (_dir, journal) = journal(&small().sync(SyncPolicy::EveryAppend));
    let mut appender = journal.appender().unwrap();
    for number in 0..20 {
        let end = appender.append(&message(0, number)).unwrap();
        assert!(journal.durable() >= end);
    }
    let mut claim = appender.claim(8).unwrap();
    claim.payload_mut().fill(1);
    let end = claim.commit().unwrap();
    assert!(journal.durable() >= end);
    for policy in [SyncPolicy::Every(Duration::from_millis(1)), SyncPolicy::EveryBytes(100)] {
        journal.set_sync_policy(policy);
        let end = appender.append(&[0; 100]).unwrap();
        eventually("it is durable", || {
            assert!(journal.trouble().is_none());
            journal.durable() >= end
        });
    }
    journal.set_sync_policy(SyncPolicy::None);
    assert_eq!(journal.sync_policy(), SyncPolicy::None);
    let end = appender.append(&message(0, 0)).unwrap();
    assert_eq!(journal.sync().unwrap(), end);
    assert_eq!(journal.durable(), end);
}

/// Short messages take another path than long ones, as do the kinds of stamps and messages that must be durable at
/// once.
#[test]
fn messages_of_every_length_are_appended_alike() {
    use gannet::journal::Stamps;
    const LENGTHS: std::ops::Range<usize> = 0..400;
    let message = |length: usize| (0..length).map(|index| (index + length) as u8).collect::<Vec<_>>();
    for (stamps, sync) in [
        (Stamps::None, SyncPolicy::None),
        (Stamps::Coarse, SyncPolicy::None),
        (Stamps::Precise, SyncPolicy::None),
        (Stamps::Coarse, SyncPolicy::EveryAppend),
    ] {
        let (_dir, journal) = journal(&small().mtu(288).stamps(stamps).sync(sync));
        let mut ends = Vec::new();
        let mut shared = journal.appender().unwrap();
        for length in LENGTHS {
            ends.push(shared.append(&message(length)).unwrap());
            ends.push(shared.append_with(&message(length), 7).unwrap());
            assert!(sync == SyncPolicy::None || journal.durable() >= ends[ends.len() - 1], "{length}");
        }
        drop(shared);
        let mut exclusive = journal.exclusive_appender().unwrap();
        for length in LENGTHS {
            ends.push(exclusive.append(&message(length)).unwrap());
            ends.push(exclusive.append_with(&message(length), 7).unwrap());
            assert!(sync == SyncPolicy::None || journal.durable() >= ends[ends.len() - 1], "{length}");
        }
        assert_eq!(journal.tail(), ends[ends.len() - 1]);
        let found: Vec<_> = all(&journal.recording().unwrap()).into_iter().map(|(_, payload)| payload).collect();
        let expected = [LENGTHS, LENGTHS].into_iter().flatten().flat_map(|length| [message(length), message(length)]);
        assert!(found.into_iter().eq(expected), "{stamps:?}");
    }
}

#[test]
fn a_journal_is_made_once_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    let mut expected = Vec::new();
    for round in 0..5 {
        let journal = Journal::open_or_create(dir.path(), &small()).unwrap();
        let mut appender = journal.appender().unwrap();
        for number in 0..500 {
            appender.append(&message(round, number)).unwrap();
            expected.push((round, number));
        }
        // Another appender is still alive, so the recording continues.
        if round == 3 {
            drop(journal);
            drop(appender);
        } else {
            drop(appender);
            journal.close().unwrap();
        }
    }
    let found: Vec<_> =
        all(&Recording::open(dir.path()).unwrap()).iter().map(|(_, payload)| read(payload).unwrap()).collect();
    assert_eq!(found, expected);
    let error = Journal::create(dir.path(), &JournalOptions::new()).unwrap_err();
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
}

#[test]
fn an_exclusive_appender_does_what_others_do() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.exclusive_appender().unwrap();
    let long: Vec<u8> = (0..8192).map(|index| (index % 251) as u8).collect();
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for number in 0..2_000_u64 {
        let message = message(0, number);
        match number % 5 {
            0 => {
                appender.append_vectored(&[IoSlice::new(&message[..7]), IoSlice::new(&message[7..])]).unwrap();
            }
            1 => {
                appender.claim(99).unwrap().abort();
                // Neither committed nor aborted: nothing waits for it once there is another appender.
                std::mem::forget(appender.claim(100).unwrap());
                let mut claim = appender.claim(message.len()).unwrap();
                claim.payload_mut().copy_from_slice(&message);
                claim.commit().unwrap();
            }
            2 if number % 40 == 2 => {
                appender.append(&long).unwrap();
                expected.push(long.clone());
                appender.append(&message).unwrap();
            }
            _ => {
                appender.append(&message).unwrap();
            }
        }
        expected.push(message);
    }
    assert_eq!((appender.max_payload_length(), appender.max_message_length()), (1_376, 8_192));
    let error = appender.append(&[0; 8_193]).unwrap_err();
    assert!(matches!(error, AppendError::MessageTooLong { length: 8_193, max: 8_192 }), "{error}");
    assert!(journal.tail().get() > 3 * (256 << 10), "over several segments");
    eventually("what was forgotten is got past", || journal.recorded().unwrap() == journal.tail());
    drop(appender);
    journal.close().unwrap();
    let recording = Recording::open(dir.path()).unwrap();
    assert!(all(&recording).into_iter().map(|(_, payload)| payload).eq(expected));
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}

#[test]
fn there_is_an_exclusive_appender_or_others() {
    let (dir, journal) = journal(&small());
    // Locks also work between threads of one process.
    let elsewhere = Journal::open(dir.path()).unwrap();
    let is_refused = |error: JournalError, alone: bool| {
        let text = error.to_string();
        let pid = i64::from(std::process::id());
        assert!(text.contains(&format!("appender of process {pid}")), "{text}");
        matches!(error, JournalError::AppendedTo { pid: found, exclusively, .. } if (found, exclusively) == (pid, alone))
    };
    for round in 0..3 {
        let mut alone = journal.exclusive_appender().unwrap();
        for journal in [&journal, &elsewhere] {
            assert!(is_refused(journal.appender().unwrap_err(), true));
            assert!(is_refused(journal.exclusive_appender().unwrap_err(), false));
        }
        alone.append(&message(0, 3 * round)).unwrap();
        drop(alone);
        let (mut one, mut other) = (journal.appender().unwrap(), elsewhere.appender().unwrap());
        one.append(&message(0, 3 * round + 1)).unwrap();
        drop(one);
        assert!(is_refused(journal.exclusive_appender().unwrap_err(), false));
        other.append(&message(0, 3 * round + 2)).unwrap();
    }
    let found: Vec<_> =
        all(&journal.recording().unwrap()).iter().map(|(_, payload)| read(payload).unwrap().1).collect();
    assert_eq!(found, (0..9).collect::<Vec<_>>());
}
