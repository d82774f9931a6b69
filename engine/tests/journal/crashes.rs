//! Tests of crashes: writers that die and machines that lose power, simulated over the storage in memory.

use std::sync::Arc;

use gannet::journal::storage::{Crash, MemoryStorage, Storage};
use gannet::journal::{Journal, LeftBy, Recording, Stamps, Start, SyncPolicy};
use gannet::memory::FileAccess;
use gannet::types::Position;

use crate::raw_access::RAW;
use crate::support::{eventually, message, read, rest, settled, small};
use crate::watched::Watched;

/// The control page, and the offsets of its words.
const CONTROL: &str = "0.control";
const TAIL: usize = 256;
const RECORDED: usize = 384;
const INDEXED: usize = 392;
const DURABLE: usize = 512;
const ASSURED: usize = 520;

fn messages(recording: &Recording) -> Vec<(u64, u64)> {
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    rest(&mut tailer).iter().map(|(_, payload)| read(payload).expect("whole")).collect()
}

#[test]
fn a_claim_that_dies_with_its_process_becomes_padding() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut one = journal.appender().unwrap();
    let mut other = journal.appender().unwrap();
    one.append(&message(0, 0)).unwrap();
    let claim = one.claim(100).unwrap();
    other.append(&message(1, 0)).unwrap();
    let recorded = journal.recorded().unwrap();
    assert!(recorded < journal.tail(), "the claim is waited for");
    let killed = storage.after_kill();
    // Live appenders wait for it, and get it.
    claim.commit().unwrap();
    assert_eq!(journal.recorded().unwrap(), journal.tail());

    let journal = Journal::open_in(Arc::new(killed), None).unwrap();
    let report = journal.recovery();
    assert_eq!((report.left_by, &report.padded[..], &report.cut), (LeftBy::Kill, &[(recorded, 160)][..], &None));
    assert_eq!(messages(&journal.recording().unwrap()), [(0, 0), (1, 0)]);
    journal.appender().unwrap().append(&message(0, 1)).unwrap();
    assert_eq!(messages(&journal.recording().unwrap()), [(0, 0), (1, 0), (0, 1)]);
}

/// Every bit of the tail and of the recorded position, while the helper thread is behind. What was appended is there.
#[test]
fn a_flipped_bit_in_the_page_of_a_killed_process_takes_nothing_away() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    settled(&journal);
    let mut tailer = journal.recording().unwrap().tailer(Start::Sequence(2_500)).unwrap();
    let recorded = tailer.next().unwrap().unwrap().position();
    for (field, bit) in [TAIL, RECORDED].into_iter().flat_map(|field| (0..64).map(move |bit| (field, bit))) {
        let killed = storage.after_kill();
        let page = killed.open(CONTROL, 1, FileAccess::ReadWrite).unwrap();
        let page = page.bytes(RAW);
        page.put_bytes(RECORDED, &recorded.get().to_le_bytes());
        page.put_bytes(INDEXED, &[0; 8]);
        let mut word = [0; 8];
        page.get_bytes(field, &mut word);
        page.put_bytes(field, &(i64::from_le_bytes(word) ^ 1 << bit).to_le_bytes());
        let journal = Journal::open_in(Arc::new(killed), None).unwrap();
        let found = messages(&journal.recording().unwrap());
        assert!(found.into_iter().eq((0..3_000).map(|number| (0, number))), "bit {bit} of the word at {field}");
        assert_eq!(journal.recovery().cut, None, "bit {bit} of the word at {field}");
    }
}

/// Whatever a loss of power leaves of unsynced data, everything that was durable is there, and what is there beyond is
/// a prefix of what was appended.
#[test]
fn power_loss_keeps_what_is_durable_and_cuts_at_a_frame() {
    for seed in 0..40_u64 {
        let storage = MemoryStorage::new(RAW);
        let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
        let mut appender = journal.appender().unwrap();
        let total = 200 + seed * 97;
        let synced = seed * 61;
        for number in 0..synced {
            appender.append(&message(0, number)).unwrap();
        }
        let durable = journal.sync().unwrap();
        for number in synced..total {
            appender.append(&message(0, number)).unwrap();
        }
        eventually("it is indexed", || journal.indexed() == journal.tail());
        let mut state = seed;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let choose = |_: &str, _: usize| match random() % 8 {
            0 => Crash::Lost,
            1 => Crash::Torn((random() % 4096) as usize),
            _ => Crash::Kept,
        };
        let found = storage.after_power_loss(choose, if seed % 2 == 0 { Crash::Lost } else { Crash::Kept });
        let again = found.after_power_loss(|_, _| Crash::Kept, Crash::Kept);
        let mut ends = Vec::new();
        for storage in [found.clone(), again, found] {
            let journal = Journal::open_in(Arc::new(storage), None).unwrap();
            let report = journal.recovery().clone();
            assert!(report.end >= durable, "seed {seed}: {report:?} {durable}");
            let numbers: Vec<_> =
                messages(&journal.recording().unwrap()).into_iter().map(|(_, number)| number).collect();
            assert!(numbers.len() as u64 >= synced, "seed {seed}");
            assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "seed {seed}: a beginning");
            if let Some(cut) = &report.cut {
                assert_eq!(cut.damage.position, report.end);
                assert!(!cut.kept_in.is_empty());
            }
            ends.push((report.end, numbers.len()));
            drop(journal);
        }
        assert_eq!(ends[0], ends[1], "seed {seed}: recovery is repeatable");
        assert_eq!(ends[0], ends[2], "seed {seed}: and changes nothing the second time");
        drop(appender);
    }
}

/// The end in the catalog is final once the journal is closed, whatever else is lost.
#[test]
fn a_closed_journal_is_there_after_a_loss_of_power() {
    const MESSAGES: u64 = 3_000;
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    assert_eq!(journal.sync_policy(), SyncPolicy::None);
    let mut appender = journal.appender().unwrap();
    (0..MESSAGES).for_each(|number| _ = appender.append(&message(0, number)).unwrap());
    let tail = journal.tail();
    drop(appender);
    journal.close().unwrap();
    for names in [Crash::Lost, Crash::Kept] {
        for kept in [Crash::Lost, Crash::Torn(100), Crash::Kept] {
            let found = storage.after_power_loss(|_, _| kept, names);
            let journal = Journal::open_in(Arc::new(found.clone()), None).unwrap();
            let report = journal.recovery();
            assert_eq!((report.left_by, report.end, &report.cut), (LeftBy::Close, tail, &None));
            journal.appender().unwrap().append(&message(0, MESSAGES)).unwrap();
            eventually("it is indexed", || journal.indexed() == journal.tail());
            journal.close().unwrap();
            let recording = Recording::open_in(Arc::new(found), None).unwrap();
            assert!(messages(&recording).into_iter().eq((0..=MESSAGES).map(|number| (0, number))));
            assert!(recording.verify(|_| {}).unwrap().is_whole());
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_was_appended_stays() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    storage.limit_space(400 << 10);
    let mut appender = journal.appender().unwrap();
    let mut appended = 0;
    let error = loop {
        match appender.append(&message(0, appended)) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
        assert!(appended < 100_000, "space is limited");
    };
    assert!(error.to_string().contains("bytes left"), "{error}");
    assert!(appender.append(b"").is_err());
    let recording = journal.recording().unwrap();
    assert_eq!(messages(&recording).len() as u64, appended);
    // There is free space again.
    storage.limit_space(u64::MAX);
    appender.append(&message(0, appended)).unwrap();
    assert_eq!(messages(&recording).len() as u64, appended + 1);
    settled(&journal);
    assert!(storage.names().unwrap().iter().all(|name| !name.contains("making")));
}

/// After a loss of power, recovery reads only a few segments at the end, even without any syncs, and as many in a long
/// journal as in a short one.
#[test]
fn after_a_loss_of_power_a_long_journal_is_opened_like_a_short_one() {
    const SEGMENT: i64 = 64 << 10;
    for segments in [12, 60] {
        let storage = MemoryStorage::new(RAW);
        let options = small().segment_length(SEGMENT);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        assert_eq!(journal.sync_policy(), SyncPolicy::None);
        let mut appender = journal.appender().unwrap();
        let mut number = 0;
        while journal.tail().get() < segments * SEGMENT {
            appender.append(&message(0, number)).unwrap();
            number += 1;
        }
        let known = |position: i64| position / SEGMENT >= segments - 4;
        eventually("full segments are synced", || {
            known(journal.durable().get()) && journal.indexed() == journal.tail()
        });
        let (durable, tail) = (journal.durable(), journal.tail());
        // First nothing unsynced is left, then all of it, which takes longest.
        for kept in [Crash::Lost, Crash::Kept] {
            let found = storage.after_power_loss(|_, _| kept, Crash::Kept);
            let watched = Arc::new(Watched::new(&found));
            let journal = Journal::open_in(Arc::clone(&watched) as _, None).unwrap();
            let report = journal.recovery().clone();
            assert_eq!(report.left_by, LeftBy::PowerLoss);
            assert!(report.end >= durable && (kept == Crash::Lost || report.end == tail), "{report:?}");
            journal.close().unwrap();
            let of = |suffix: &str| watched.opened().iter().filter(|name| name.ends_with(suffix)).count();
            let (frames, next, sidecars) = (of(".rec"), of(".next"), of(".index"));
            // Four that are left, the last one, and two ahead of it. The helper threads read no more than that, either.
            assert!(frames <= 8 && next <= 8 && sidecars <= 8, "{segments} segments: {frames} {next} {sidecars}");
            let numbers = messages(&Recording::open_in(Arc::new(found), None).unwrap());
            assert!(numbers.iter().map(|(_, number)| *number).eq(0..numbers.len() as u64), "a beginning");
            assert!(kept == Crash::Lost || numbers.len() as u64 == number);
        }
    }
}

/// Whatever part of the start of the last segment a loss of power leaves, exactly the messages that are completely
/// there are recovered.
#[test]
fn every_prefix_of_the_last_segment_is_recovered() {
    const SEGMENT: i64 = 64 << 10;
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small().segment_length(SEGMENT)).unwrap();
    let mut appender = journal.appender().unwrap();
    while journal.tail().get() < SEGMENT {
        appender.append(&[7; 1_300]).unwrap();
    }
    let synced = messages_in(&journal.recording().unwrap());
    let durable = journal.sync().unwrap();
    // No byte of a message is zero, so a message is complete if its last byte is there. Two messages have several
    // frames.
    let mut ends = Vec::new();
    for length in [1, 100, 700, 3_000, 32, 0, 64, 1_376, 5_000, 31] {
        let before = journal.tail().get();
        appender.append(&vec![7; length]).unwrap();
        let whole = length / 1_376 * 1_408;
        let last = length % 1_376;
        ends.push(before + if last > 0 || length == 0 { whole + 32 + last } else { whole } as i64);
    }
    let tail = journal.tail();
    eventually("it is indexed", || journal.indexed() == tail);
    let name = format!("0-{}", durable.get() / SEGMENT * SEGMENT);
    let (from, to) = ((durable.get() % SEGMENT) as usize, (tail.get() % SEGMENT) as usize);
    assert_eq!(durable.get() / SEGMENT, tail.get() / SEGMENT, "all in one segment");
    for prefix in (from..to).step_by(32).flat_map(|at| [at, at + 1, at + 17]).chain([to]) {
        let choose = |file: &str, page: usize| match file.rsplit_once('.') {
            Some((stem, "rec" | "next")) if stem == name => Crash::Torn(prefix.saturating_sub(page).min(4096)),
            _ => Crash::Kept,
        };
        let found = storage.after_power_loss(choose, Crash::Kept);
        let journal = Journal::open_in(Arc::new(found), None).unwrap();
        let reached = durable.get() / SEGMENT * SEGMENT + prefix as i64;
        let expected = synced + ends.iter().filter(|&&end| end <= reached).count();
        assert_eq!(messages_in(&journal.recording().unwrap()), expected, "{prefix} of {from}..{to}");
        let report = journal.recovery();
        assert!(report.left_by == LeftBy::PowerLoss && report.end >= durable && report.end <= tail, "{report:?}");
        assert!(prefix < to || (report.end, &report.cut) == (tail, &None), "{report:?}");
    }
}

/// Recovery relies on the position that is reported as durable, so it is reported only after the page with it is on
/// stable storage.
#[test]
fn nothing_is_durable_before_the_control_page_says_so_on_stable_storage() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    appender.append(&message(0, 0)).unwrap();
    let durable = journal.sync().unwrap();
    assert_eq!((durable, journal.durable()), (journal.tail(), durable));
    storage.fail_syncs(CONTROL, true);
    let position = appender.append(&message(0, 1)).unwrap();
    // Not only for the first caller.
    for _ in 0..3 {
        assert!(journal.sync().is_err());
        assert_eq!(journal.durable(), durable);
        assert_eq!(journal.recording().unwrap().durable(), Some(durable));
    }
    let found = storage.after_power_loss(|_, _| Crash::Lost, Crash::Kept);
    assert_eq!(Journal::open_in(Arc::new(found), None).unwrap().recovery().end, durable);

    // If they are killed meanwhile, they see it as durable only when it is.
    let killed = Journal::open_in(Arc::new(storage.after_kill()), None).unwrap();
    assert_eq!((killed.recovery().left_by, killed.sync().unwrap()), (LeftBy::Kill, position));

    storage.fail_syncs(CONTROL, false);
    assert_eq!((journal.sync().unwrap(), journal.durable()), (position, position));
    let found = storage.after_power_loss(|_, _| Crash::Lost, Crash::Kept);
    let journal = Journal::open_in(Arc::new(found), None).unwrap();
    assert_eq!((journal.recovery().end, journal.durable()), (position, position));
}

/// A control page from a version that had no word for the reported position.
#[test]
fn a_control_page_of_an_older_version_is_read_and_gone_on_with() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    appender.append(&message(0, 0)).unwrap();
    let durable = journal.sync().unwrap();
    let older = storage.after_kill();
    let page = older.open(CONTROL, 1, FileAccess::ReadWrite).unwrap();
    page.bytes(RAW).put_bytes(0, &[0, 1, 1, 0]);
    page.bytes(RAW).put_bytes(ASSURED, &[0; 8]);
    assert_eq!(Recording::open_in(Arc::new(older.clone()), None).unwrap().durable(), Some(durable));
    let journal = Journal::open_in(Arc::new(older), None).unwrap();
    assert_eq!(journal.durable(), durable);
    let position = journal.appender().unwrap().append(&message(0, 1)).unwrap();
    assert_eq!((journal.sync().unwrap(), journal.durable()), (position, position));
}

/// A disk writes a page by sectors, so a page that is stored continuously may be found with words from different
/// moments. Unsynced words mean nothing. What is after the durable position has to be verified nevertheless, and the
/// recording keeps its options.
#[test]
fn a_control_page_that_was_torn_is_still_that_of_its_recording() {
    let policy = SyncPolicy::EveryBytes(1 << 30);
    let options = small().stamps(Stamps::Precise).sync(policy);
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..10 {
        appender.append(&message(0, number)).unwrap();
    }
    let durable = journal.sync().unwrap();
    appender.append(&message(0, 10)).unwrap();
    let whole = journal.tail();
    appender.append(&message(0, 11)).unwrap();
    let tail = journal.tail();
    eventually("it is indexed", || journal.indexed() == tail);
    for (field, older) in
        [(TAIL, durable), (TAIL, whole), (TAIL, Position::new(0)), (RECORDED, Position::new(0)), (RECORDED, durable)]
    {
        let found = storage.after_power_loss(|_, _| Crash::Kept, Crash::Kept);
        found.open(CONTROL, 1, FileAccess::ReadWrite).unwrap().bytes(RAW).put_bytes(field, &older.get().to_le_bytes());
        // The header of the last message is there, but not its payload.
        let segment = found.open("0-0.rec", 1, FileAccess::ReadWrite).unwrap();
        segment.bytes(RAW).put_bytes(whole.get() as usize + 32, &[0; 16]);
        let journal = Journal::open_in(Arc::new(found), None).unwrap();
        let report = journal.recovery();
        assert_eq!((report.left_by, report.end), (LeftBy::PowerLoss, whole), "{field} {older}");
        assert_eq!(report.cut.as_ref().map(|cut| cut.damage.position), Some(whole), "{field} {older}");
        assert_eq!(journal.sync_policy(), policy);
        let recording = journal.recording().unwrap();
        assert_eq!(messages(&recording).len(), 11);
        journal.appender().unwrap().append(&message(0, 11)).unwrap();
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        let mut times = 0;
        while let Some(record) = tailer.next().unwrap() {
            times += usize::from(record.time().is_some());
        }
        assert_eq!(times, 12, "all have times, as before");
    }
    // Even if its positions are impossible, the options of the journal stay.
    let found = storage.after_power_loss(|_, _| Crash::Kept, Crash::Kept);
    let page = found.open(CONTROL, 1, FileAccess::ReadWrite).unwrap();
    [DURABLE, ASSURED].iter().for_each(|&field| page.bytes(RAW).put_bytes(field, &7_i64.to_le_bytes()));
    let journal = Journal::open_in(Arc::new(found), None).unwrap();
    assert_eq!((journal.recovery().left_by, journal.sync_policy()), (LeftBy::Stranger, policy));
    journal.appender().unwrap().append(&message(0, 12)).unwrap();
    let mut tailer = journal.recording().unwrap().tailer(Start::End).unwrap();
    assert!(tailer.previous().unwrap().unwrap().time().is_some());
}

/// An appender that outlives its journal keeps the recording open, so that it is not recovered under the appender.
#[test]
fn an_appender_keeps_the_journal_open_that_it_outlives() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut one = journal.appender().unwrap();
    one.append(&message(0, 0)).unwrap();
    let mut claim = one.claim(message(0, 1).len()).unwrap();
    drop(journal);

    let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
    assert_eq!((journal.recovery().left_by, &journal.recovery().padded[..]), (LeftBy::Close, &[][..]), "joined");
    let mut other = journal.appender().unwrap();
    other.append(&message(1, 0)).unwrap();
    claim.payload_mut().copy_from_slice(&message(0, 1));
    claim.commit().unwrap();
    // Into segments that no helper thread makes ahead for it.
    for number in 2..3_000 {
        one.append(&message(0, number)).unwrap();
    }
    drop(other);
    journal.close().unwrap();
    one.append(&message(0, 3_000)).unwrap();
    drop(one);

    // The last writer is gone without having recorded the end.
    let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
    assert_eq!((journal.recovery().left_by, journal.recovery().end), (LeftBy::Kill, journal.tail()));
    let found = messages(&journal.recording().unwrap());
    assert!(found.iter().filter(|(appender, _)| *appender == 0).map(|(_, number)| *number).eq(0..=3_000));
    assert_eq!(found.len(), 3_002);
    journal.close().unwrap();
    assert_eq!(Journal::open_in(Arc::new(storage), None).unwrap().recovery().left_by, LeftBy::Close);
}

fn messages_in(recording: &Recording) -> usize {
    rest(&mut recording.tailer(Start::Begin).unwrap()).len()
}
