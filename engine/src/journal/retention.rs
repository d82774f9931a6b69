//! How much of a recording is kept: the policy, the start after the last pruning, and the number of the first message
//! there. `prune` uses it, and the helper thread if a policy is set.
//!
//! ```text
//!    0  version | length | recording id
//!   16  longest age, ns | most bytes | least free bytes            0 for no limit
//!   40  CRC-32C of these three
//!   64  when it was pruned last, ms | segments pruned | bytes pruned
//!  128  two slots of 64 bytes: position | number of the first message there | latest time before | the three, combined
//! ```
//!
//! Nothing is pruned by limits that are not as they were set.
//!
//! A slot is written before the catalog has its position as the recording's start, and the other slot is left as it is.
//! So after a crash there is a slot for whatever start the catalog has.

use core::time::Duration;

use crate::memory::{AtomicBuffer, Field, FileAccess, Reserve};
use crate::time::EpochMillis;
use crate::types::{Position, RecordingId, SemanticVersion};

use super::checksum::crc32c;
use super::error::JournalError;
use super::locks::{prune_lock_name, unless_forbidden, wait_for_lock};
use super::preamble::{self, PREAMBLE_LENGTH, Preamble};
use super::sidecar::IndexEntry;
use super::storage::{Share, Storage, Stored};

/// The version of the retention file's layout.
pub const RETENTION_VERSION: SemanticVersion = SemanticVersion::new(1, 1, 0);

/// The minor version that introduced the checksum of the policy.
const GUARDED_SINCE: i32 = 1;

const FILE_LENGTH: usize = 4096;
const PREAMBLE: Preamble = Preamble::new(RETENTION_VERSION, FILE_LENGTH);

const MAX_AGE: Field<i64> = Field::at(16);
const MAX_BYTES: Field<i64> = Field::at(24);
const MIN_FREE: Field<i64> = Field::at(32);
const POLICY_GUARD: Field<i32> = Field::at(40);
const PRUNED_AT: Field<i64> = Field::at(64);
const PRUNED_SEGMENTS: Field<i64> = Field::at(72);
const PRUNED_BYTES: Field<i64> = Field::at(80);

const SLOTS: [usize; 2] = [128, 192];
const SLOT_POSITION: Field<i64> = Field::at(0);
const SLOT_SEQUENCE: Field<i64> = Field::at(8);
const SLOT_TIME: Field<i64> = Field::at(16);
const SLOT_CHECK: Field<i64> = Field::at(24);

/// Makes the check value of an empty slot invalid.
const CHECK: i64 = 0x6761_6e6e_6574_0001;

const _: () = assert!(
    PREAMBLE_LENGTH == MAX_AGE.start()
        && MIN_FREE.end() == POLICY_GUARD.start()
        && POLICY_GUARD.end() <= PRUNED_AT.start()
        && PRUNED_BYTES.end() <= SLOTS[0]
);

/// The retention policy of a recording. Whole segments are pruned from its start as long as any limit requires it. The
/// segment that is being written is never pruned.
///
/// ```
/// use core::time::Duration;
/// use gannet::journal::Retention;
///
/// // A week, but no more than 100 GB, and less than that before the disk is full.
/// let retention = Retention::new()
///     .max_age(Duration::from_secs(7 * 24 * 3600))
///     .max_bytes(100 << 30)
///     .min_free_bytes(10 << 30);
/// assert!(!retention.keeps_everything());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) min_free: Option<u64>,
}

impl Retention {
    /// A policy without limits, which keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Prunes a segment once its newest message is older than this; in a recorded stream, once that was recorded so long
    /// ago. Messages with a time in the future do not count. If there are no times, the time at which the segment's file
    /// was last written counts.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Prunes segments while the recording occupies more than this many bytes on disk, sidecar files included.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Prunes segments while the file system has less than this many bytes free.
    #[must_use]
    pub fn min_free_bytes(mut self, bytes: u64) -> Self {
        self.min_free = Some(bytes);
        self
    }

    /// The maximum age, if set. Younger messages are kept, unless another limit prunes them.
    pub fn age(&self) -> Option<Duration> {
        self.max_age
    }

    /// The maximum number of bytes on disk, if set.
    pub fn bytes(&self) -> Option<u64> {
        self.max_bytes
    }

    /// The minimum number of free bytes in the file system, if set.
    pub fn free_bytes(&self) -> Option<u64> {
        self.min_free
    }

    /// The policy of the words in a file.
    fn of(limits: [i64; 3]) -> Self {
        let [age, bytes, free] = limits.map(|limit| u64::try_from(limit).ok().filter(|&limit| limit > 0));
        Self { max_age: age.map(Duration::from_nanos), max_bytes: bytes, min_free: free }
    }

    /// Whether the policy has no limits.
    pub fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// The totals of all prunings of a recording since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneTotals {
    /// When the recording was last pruned.
    pub last: Option<EpochMillis>,
    /// The number of pruned segments.
    pub segments: u64,
    /// The number of bytes that the pruned segments occupied on disk.
    pub bytes: u64,
}

/// The retention file, mapped.
#[derive(Debug)]
pub(crate) struct RetentionFile {
    stored: Stored,
    name: String,
    recording_id: RecordingId,
}

impl RetentionFile {
    /// The name of a recording's retention file.
    pub(crate) fn name(recording_id: RecordingId) -> String {
        format!("{recording_id}.retention")
    }

    /// Maps the file of a recording. `None` if there is no file. An error if it is not the file of this recording, because
    /// it cannot be rebuilt.
    pub(crate) fn open(
        storage: &dyn Storage,
        recording_id: RecordingId,
        access: FileAccess,
    ) -> Result<Option<Self>, JournalError> {
        let name = Self::name(recording_id);
        let Some(stored) = storage.find(&name, 1, access)? else { return Ok(None) };
        let length = stored.view().len();
        let found = if length < FILE_LENGTH {
            format!("it has {length} bytes of {FILE_LENGTH}")
        } else if PREAMBLE.is_in(stored.view(), recording_id) {
            return Ok(Some(Self { stored, name, recording_id }));
        } else {
            let version = preamble::version(stored.view());
            format!("it has version {version}, and is not the retention policy of this recording in version 1")
        };
        let found = format!(
            "{found}; it cannot be made again, so it is left alone, and nothing is pruned until the policy is set again, with \
             `Journal::set_retention`, or the file removed"
        );
        Err(JournalError::Malformed { path: storage.path(&name), offset: 0, found })
    }

    /// As [`Self::open`], but creates a missing file.
    pub(crate) fn open_or_create(storage: &dyn Storage, recording_id: RecordingId) -> Result<Self, JournalError> {
        match Self::open(storage, recording_id, FileAccess::ReadWrite)? {
            Some(file) => Ok(file),
            None => Self::create(storage, recording_id),
        }
    }

    /// Creates a file without a policy, and replaces an existing one.
    pub(crate) fn create(storage: &dyn Storage, recording_id: RecordingId) -> Result<Self, JournalError> {
        let name = Self::name(recording_id);
        let stored = storage.make(&name, FILE_LENGTH as u64, Reserve::Space, |stored| {
            PREAMBLE.write(stored.view(), recording_id);
            Self { stored: stored.clone(), name: name.clone(), recording_id }.sync(storage)
        })?;
        storage.sync_names()?;
        Ok(Self { stored, name, recording_id })
    }

    /// The policy that the helper threads apply. An error if it is not as it was set.
    pub(crate) fn policy(&self, storage: &dyn Storage) -> Result<Retention, JournalError> {
        let limits = self.limits().or_else(|_| {
            // It may just be set. Whoever sets it holds this lock. Without permission to lock, the second look tells.
            let lock = wait_for_lock(storage, &prune_lock_name(self.recording_id));
            let _lock = unless_forbidden(lock, true)?;
            self.limits().map_err(|found| self.damaged(storage, found))
        })?;
        Ok(Retention::of(limits))
    }

    /// As [`Self::policy`], for the helper thread, which does not wait. `None` if the policy may just be set.
    pub(crate) fn policy_at_once(&self, storage: &dyn Storage) -> Result<Option<Retention>, JournalError> {
        let limits = match self.limits() {
            Ok(limits) => limits,
            Err(_) => {
                let Some(_lock) = storage.try_lock(&prune_lock_name(self.recording_id), Share::Exclusive)? else {
                    return Ok(None);
                };
                self.limits().map_err(|found| self.damaged(storage, found))?
            }
        };
        Ok(Some(Retention::of(limits)))
    }

    fn damaged(&self, storage: &dyn Storage, found: String) -> JournalError {
        JournalError::Malformed { path: storage.path(&self.name), offset: MAX_AGE.start() as u64, found }
    }

    /// The words of the policy, or what is wrong with them.
    fn limits(&self) -> Result<[i64; 3], String> {
        // ORDERING(journal.retention): Acquire. Pairs with the Release store in `set_policy`.
        let found = self.view().word(POLICY_GUARD).load_acquire().cast_unsigned();
        let limits = [MAX_AGE, MAX_BYTES, MIN_FREE].map(|field| self.view().word(field).load_relaxed());
        let is_guarded = preamble::version(self.view()).minor() >= GUARDED_SINCE;
        let expected = guard(limits);
        if found == expected || (found == 0 && (!is_guarded || limits == [0; 3])) {
            return Ok(limits);
        }
        Err(format!(
            "the CRC-32C of the retention policy is {found:#010x}, expected {expected:#010x}; nothing is pruned until the policy is set \
             again, with `Journal::set_retention`"
        ))
    }

    /// Sets the policy. A limit of zero is stored as the smallest limit. The caller holds the prune lock, unless nobody
    /// else knows the file.
    pub(crate) fn set_policy(&self, storage: &dyn Storage, policy: &Retention) -> Result<(), JournalError> {
        let put = |field: Field<i64>, limit: Option<u64>| {
            let limit = limit.map_or(0, |limit| i64::try_from(limit).unwrap_or(i64::MAX).max(1));
            self.view().word(field).store_relaxed(limit);
        };
        put(MAX_AGE, policy.max_age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)));
        put(MAX_BYTES, policy.max_bytes);
        put(MIN_FREE, policy.min_free);
        let limits = [MAX_AGE, MAX_BYTES, MIN_FREE].map(|field| self.view().word(field).load_relaxed());
        // ORDERING(journal.retention): Release. Pairs with the Acquire load in `limits`.
        self.view().word(POLICY_GUARD).store_release(guard(limits).cast_signed());
        PREAMBLE.write_version(self.view());
        self.sync(storage)
    }

    /// The totals so far.
    pub(crate) fn totals(&self) -> PruneTotals {
        let count = |field: Field<i64>| self.view().word(field).load_relaxed().max(0).unsigned_abs();
        let last = Some(self.view().word(PRUNED_AT).load_relaxed()).filter(|&at| at > 0).map(EpochMillis::new);
        PruneTotals { last, segments: count(PRUNED_SEGMENTS), bytes: count(PRUNED_BYTES) }
    }

    /// Adds to the totals. The caller holds the prune lock.
    pub(crate) fn count(&self, segments: u64, bytes: u64, now: EpochMillis) {
        let add = |field: Field<i64>, more: u64| {
            let word = self.view().word(field);
            word.store_relaxed(word.load_relaxed().saturating_add(i64::try_from(more).unwrap_or(i64::MAX)));
        };
        add(PRUNED_SEGMENTS, segments);
        add(PRUNED_BYTES, bytes);
        self.view().word(PRUNED_AT).store_relaxed(now.get());
    }

    /// The index entry of the recording's current start, if pruning moved it there.
    pub(crate) fn first(&self, start: Position) -> Option<IndexEntry> {
        SLOTS.iter().filter_map(|&slot| entry(self.view(), slot)).find(|entry| entry.position == start)
    }

    /// Stores the index entry of the recording's next start, and keeps the current start's.
    pub(crate) fn set_first(
        &self,
        storage: &dyn Storage,
        start: Position,
        first: IndexEntry,
    ) -> Result<(), JournalError> {
        let is_used = |slot: &usize| entry(self.view(), *slot).is_some_and(|entry| entry.position == start);
        let slot = SLOTS.into_iter().find(|slot| !is_used(slot)).unwrap_or(SLOTS[0]);
        let view = self.view();
        view.word(SLOT_CHECK.from(slot)).store_relaxed(0);
        view.word(SLOT_POSITION.from(slot)).store_relaxed(first.position.get());
        view.word(SLOT_SEQUENCE.from(slot)).store_relaxed(first.sequence);
        view.word(SLOT_TIME.from(slot)).store_relaxed(first.time_before);
        // ORDERING(journal.retention): Release. Pairs with the Acquire load in `entry`; publishes the other three.
        view.word(SLOT_CHECK.from(slot)).store_release(check(&first));
        self.sync(storage)
    }

    fn view(&self) -> &AtomicBuffer {
        self.stored.view()
    }

    fn sync(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "sync", path: storage.path(&self.name), source };
        // An earlier sync may have failed. The file is a page.
        self.stored.store_word_again(PRUNED_AT);
        self.stored.sync(0, FILE_LENGTH).map_err(failed)
    }
}

/// The checksum of a policy. Never 0, which means that there is none.
fn guard(limits: [i64; 3]) -> u32 {
    let checksum = crc32c(limits.map(i64::to_le_bytes).as_flattened());
    if checksum == 0 { u32::MAX } else { checksum }
}

fn check(entry: &IndexEntry) -> i64 {
    CHECK ^ entry.position.get() ^ entry.sequence.rotate_left(16) ^ entry.time_before.rotate_left(32)
}

/// The entry in a slot, if it is complete and plausible.
fn entry(view: &AtomicBuffer, slot: usize) -> Option<IndexEntry> {
    // ORDERING(journal.retention): Acquire. Pairs with the Release store in `set_first`.
    let found = view.word(SLOT_CHECK.from(slot)).load_acquire();
    let entry = IndexEntry {
        position: Position::new(view.word(SLOT_POSITION.from(slot)).load_relaxed()),
        sequence: view.word(SLOT_SEQUENCE.from(slot)).load_relaxed(),
        time_before: view.word(SLOT_TIME.from(slot)).load_relaxed(),
    };
    let position = entry.position.get();
    let can_be = position >= 0 && (0..=position / 32).contains(&entry.sequence) && found == check(&entry);
    can_be.then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::{Crash, MemoryStorage};
    use crate::memory::RawAccess;

    #[test]
    fn a_slot_survives_the_writing_of_the_other() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let file = RetentionFile::open_or_create(&storage, RecordingId::new(3)).unwrap();
        let entry = |position: i64| IndexEntry { position: position.into(), sequence: position / 64, time_before: 7 };
        assert_eq!(file.first(Position::new(0)), None);
        let mut start = 0;
        for next in [65_536, 131_072, 327_680] {
            file.set_first(&storage, start.into(), entry(next)).unwrap();
            assert!(start == 0 || file.first(start.into()) == Some(entry(start)), "the catalog may say so still");
            let again = RetentionFile::open(&storage, RecordingId::new(3), FileAccess::ReadOnly).unwrap().unwrap();
            assert_eq!(again.first(next.into()), Some(entry(next)));
            start = next;
        }
        file.view().word(SLOT_SEQUENCE.from(SLOTS[0])).store_relaxed(1);
        assert_eq!(file.first(327_680.into()), None, "torn");
        assert!(RetentionFile::open(&storage, RecordingId::new(4), FileAccess::ReadOnly).unwrap().is_none());
        storage.rename("3.retention", "4.retention").unwrap();
        let error = RetentionFile::open(&storage, RecordingId::new(4), FileAccess::ReadOnly).unwrap_err();
        assert!(error.to_string().contains("not the retention policy of this recording"), "{error}");
    }

    /// Linux reports a failed write once, and takes the pages for written from then on.
    #[test]
    fn what_a_failed_sync_has_not_written_is_written_by_the_next() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let id = RecordingId::new(0);
        let file = RetentionFile::open_or_create(&storage, id).unwrap();
        let policy = Retention::new().max_bytes(1 << 20);
        storage.fail_syncs("0.retention", true);
        file.set_policy(&storage, &policy).unwrap_err();
        storage.fail_syncs("0.retention", false);
        file.set_policy(&storage, &policy).unwrap();
        let left = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
        let file = RetentionFile::open(&left, id, FileAccess::ReadOnly).unwrap().unwrap();
        assert_eq!(file.policy(&left).unwrap(), policy);
    }

    #[test]
    fn policies_and_totals_are_kept() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let file = RetentionFile::open_or_create(&storage, RecordingId::new(0)).unwrap();
        assert!(file.policy(&storage).unwrap().keeps_everything());
        let policy = Retention::new().max_age(Duration::from_secs(5)).max_bytes(u64::MAX).min_free_bytes(12);
        file.set_policy(&storage, &policy).unwrap();
        let expected = Retention { max_bytes: Some(i64::MAX.unsigned_abs()), ..policy };
        assert_eq!(file.policy(&storage).unwrap(), expected, "as far as the file can say");
        for at in 16..44 {
            let flip = || {
                let mut byte = [0];
                file.view().get_bytes(at, &mut byte);
                file.view().put_bytes(at, &[byte[0] ^ 1 << (at % 8)]);
            };
            flip();
            let error = file.policy(&storage).unwrap_err();
            assert!(matches!(&error, JournalError::Malformed { offset: 16, .. }), "byte {at}: {error}");
            flip();
        }
        file.set_policy(&storage, &Retention::new()).unwrap();
        file.view().word(MAX_BYTES).store_relaxed(1 << 20);
        assert!(file.policy(&storage).is_err(), "nobody set a limit");
        file.set_policy(&storage, &policy).unwrap();
        // As version 1.0 has it.
        file.view().word(POLICY_GUARD).store_relaxed(0);
        file.view().put_bytes(0, &SemanticVersion::new(1, 0, 0).bits().to_le_bytes());
        assert_eq!(file.policy(&storage).unwrap(), expected);
        assert_eq!(file.totals(), PruneTotals::default());
        file.count(2, 100, EpochMillis::new(9));
        file.count(1, 50, EpochMillis::new(10));
        assert_eq!(file.totals(), PruneTotals { last: Some(EpochMillis::new(10)), segments: 3, bytes: 150 });
    }
}
