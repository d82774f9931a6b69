//! Tests with a single flipped bit in a control page, whose positions have no checksums, after every way in which a journal
//! can be left. Whoever opens it then finds all that was appended, goes on behind it, and can rely on what is synced.

use std::sync::Arc;

use gannet::journal::storage::{Crash, MemoryStorage, Storage};
use gannet::journal::{Cut, Journal, JournalError, JournalOptions, Recording, Stamps, Start, SyncPolicy, repair};
use gannet::memory::FileAccess;

use crate::raw_access::RAW;
use crate::support::{eventually, settled};

const TAIL: usize = 256;
const RECORDED: usize = 384;
const INDEXED: usize = 392;
const DURABLE: usize = 512;
const ASSURED: usize = 520;
const FIRST: usize = 640;
const DUE: usize = 776;
const SLOTS: usize = 4096;

/// Survives a restart only if the page is still taken for that of the recording.
const POLICY: SyncPolicy = SyncPolicy::EveryBytes(1 << 40);

/// How a journal was left, and the number of its messages that must be found.
struct Left {
    how: &'static str,
    storage: MemoryStorage,
    messages: u64,
}

fn payload(number: u64) -> [u8; 1_000] {
    // Nothing but its header says where it ends.
    let mut payload = [0; 1_000];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

fn word(storage: &MemoryStorage, at: usize) -> i64 {
    let mut word = [0; 8];
    storage.open("0.control", 1, FileAccess::ReadOnly).unwrap().bytes(RAW).get_bytes(at, &mut word);
    i64::from_le_bytes(word)
}

fn put(storage: &MemoryStorage, at: usize, word: i64) {
    storage.open("0.control", 1, FileAccess::ReadWrite).unwrap().bytes(RAW).put_bytes(at, &word.to_le_bytes());
}

/// Journals of five segments, of which one and a half are synced.
fn left() -> Vec<Left> {
    let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
    let storage = MemoryStorage::new(RAW);
    let options = options.sync(POLICY).stamps(Stamps::Coarse);
    let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
    let (mut one, mut other) = (journal.appender().unwrap(), journal.appender().unwrap());
    let mut appended = 0;
    let mut append_to = |count: u64| {
        (appended..count).for_each(|number| _ = one.append(&payload(number)).unwrap());
        appended = count;
        journal.tail().get()
    };
    append_to(100);
    settled(&journal);
    let synced = journal.sync().unwrap().get();
    let behind = append_to(150);
    append_to(240);
    settled(&journal);
    let left = |how, storage, messages| Left { how, storage, messages };
    let mut all = vec![left("killed", storage.after_kill(), 240)];
    // The helper thread has to catch up.
    let is_behind = |storage: &MemoryStorage| {
        let storage = storage.after_kill();
        put(&storage, RECORDED, behind);
        put(&storage, INDEXED, synced);
        storage
    };
    all.push(left("killed behind", is_behind(&storage), 240));
    let claim = other.claim(100).unwrap();
    append_to(260);
    all.push(left("killed with a claim", storage.after_kill(), 260));
    all.push(left("killed behind with a claim", is_behind(&storage), 260));
    claim.abort();
    // A flipped bit leads from its end to the beginning of one of its messages.
    let mut batch = other.claim_batch(&[480; 15]).unwrap();
    batch.for_each(|_, message| message.fill(7));
    all.push(left("killed with a batch", storage.after_kill(), 260));
    batch.abort();
    settled(&journal);
    all.push(left("without power", storage.after_power_loss(|_, _| Crash::Kept, Crash::Kept), 260));
    drop((one, other));
    journal.close().unwrap();
    all.push(left("closed", storage.after_kill(), 260));
    all.push(left("closed without power", storage.after_power_loss(|_, _| Crash::Lost, Crash::Kept), 260));
    all
}

/// All messages, in order, and the error that ends them.
fn found(storage: &MemoryStorage) -> (u64, Option<JournalError>) {
    let mut tailer = Recording::open_in(Arc::new(storage.clone()), None).unwrap().tailer(Start::Begin).unwrap();
    let mut count = 0;
    loop {
        match tailer.next() {
            Ok(Some(record)) => assert!(record.payload() == payload(count), "message {count}"),
            Ok(None) => return (count, None),
            Err(error) => return (count, Some(error)),
        }
        count += 1;
    }
}

/// Opens a journal whose page has this word, appends to it, syncs it, and loses what is not synced.
fn go_on(left: &Left, at: usize, flipped: i64, what: &str) {
    let storage = left.storage.after_kill();
    put(&storage, at, flipped);
    let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!((journal.sync_policy(), journal.recording().unwrap().stamps()), (POLICY, Stamps::Coarse), "{what}");
    let (count, error) = found(&storage);
    assert!(count == left.messages, "{what}: {count} of {}", left.messages);
    if let Some(error) = error {
        // The page says that more is on stable storage than there is. That is told, and put right by what it says to do.
        assert!(at == DURABLE && left.how == "without power", "{what}: {error}");
        assert!(matches!(error, JournalError::Damaged(_)), "{what}: {error}");
        journal.appender().unwrap().append(&payload(count)).unwrap();
        drop(journal);
        repair(Arc::new(storage.clone()), None, false, |_| {}).unwrap();
        let (again, error) = found(&storage);
        assert!(again == count + 1 && error.is_none(), "{what}: {again}, {error:?}");
        return;
    }
    assert_eq!(journal.recovery().cut, None, "{what}");
    journal.appender().unwrap().append(&payload(count)).unwrap();
    let (again, error) = found(&storage);
    assert!(again == count + 1 && error.is_none(), "{what}: {again}, {error:?}");
    eventually(what, || journal.indexed() == journal.tail());
    assert_eq!(journal.sync().unwrap(), journal.tail(), "{what}");
    let after = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
    let journal = Journal::open_in(Arc::new(after.clone()), None).unwrap();
    let (later, error) = found(&after);
    assert!(later == again && error.is_none(), "{what}: {later} later, {:?}, {error:?}", journal.recovery());
}

/// Who writes the page, what was chosen, and the boot id: a checksum leads back to them.
#[test]
fn a_flipped_bit_before_the_positions_is_put_right() {
    for (number, left) in left().iter().enumerate() {
        for (index, at) in (0..96).step_by(8).enumerate() {
            for bit in [0, 1, 5, 16, 33, 63].map(|bit| (bit + number + index) % 64) {
                let flipped = word(&left.storage, at) ^ 1 << bit;
                go_on(left, at, flipped, &format!("{}: bit {bit} of the word at {at}", left.how));
            }
        }
    }
}

/// The frames, the claims and the positions beside it tell a wrong position.
#[test]
fn a_flipped_bit_in_a_position_takes_nothing_away() {
    let slots = [SLOTS, SLOTS + 8, SLOTS + 128, SLOTS + 136];
    for left in left() {
        for at in [TAIL, RECORDED, INDEXED, DURABLE, ASSURED, FIRST, DUE].into_iter().chain(slots) {
            let every = if at < FIRST { 1 } else { 5 };
            for bit in (0..20).step_by(every).chain([31, 62, 63]) {
                let flipped = word(&left.storage, at) ^ 1 << bit;
                go_on(&left, at, flipped, &format!("{}: bit {bit} of the word at {at}", left.how));
            }
        }
    }
}

/// A repair mends the page first, and a look at what it would do takes it for mended, without a change.
#[test]
fn a_dry_run_sees_a_page_with_a_flipped_bit_as_the_repair_does() {
    for (number, left) in left().iter().enumerate() {
        for at in (0..88).step_by(8) {
            let what = format!("{}: the word at {at}", left.how);
            let storage = left.storage.after_kill();
            let flipped = word(&storage, at) ^ 1 << ((number * 7 + at) % 64);
            put(&storage, at, flipped);
            let would = repair(Arc::new(storage.clone()), None, true, |_| {}).unwrap();
            assert_eq!(word(&storage, at), flipped, "{what}");
            let done = repair(Arc::new(storage), None, false, |_| {}).unwrap();
            let bytes = |cut: &Option<Cut>| cut.as_ref().map(|cut| cut.bytes);
            assert_eq!(
                (would.left_by, would.end, bytes(&would.cut)),
                (done.left_by, done.end, bytes(&done.cut)),
                "{what}"
            );
            assert_eq!((would.unindexed, would.quarantined.len()), (done.unindexed, done.quarantined.len()), "{what}");
            assert_eq!(would.sidecars, done.sidecars, "{what}");
        }
    }
}
