//! The mark file of an Aeron archive, `archive-mark.dat`. It shows whether an archive runs in the directory. A journal
//! that is open for writing keeps one too, so that no archive starts there. It is checked and claimed before writing,
//! under the lock of opening, and helper threads keep it alive.
//!
//! ```text
//!    0  SBE header: block length 128, template 200, schema 100, version 2
//!    8  version | .... | activity | start | pid | three stream ids | header length | error buffer length | .... | archive id
//!  136  control channel | local control channel | events channel | directory of the driver: each its length before it
//! 8192  errors
//! ```
//!
//! An archive whose mark file is in another directory leaves `archive-mark.lnk` with that path; the mark file there is
//! checked, too. A journal's mark is always in its own directory.
//!
//! The owner of a mark stores the activity each second, in milliseconds since 1970, and −1 when it ends. After ten
//! seconds without activity it counts as dead. Old files have no SBE header. A journal's mark has no channels, and has
//! its own name in place of the first channel.

use std::path::Path;

use crate::memory::{AtomicBuffer, Field, FileAccess, Reserve};
use crate::time::{Clock, EpochMillis, SystemClock};
use crate::types::SemanticVersion;

use super::error::JournalError;
use super::storage::{Directory, Lock, Share, Storage, Stored};

/// The name of the mark file.
const MARK_NAME: &str = "archive-mark.dat";
/// The file with the directory of an archive's mark file, if that is another directory.
const LINK_NAME: &str = "archive-mark.lnk";
/// The length in bytes up to which its content is accepted as a path.
const MOST_PATH: usize = 4096;
/// The name that a conflicting file is renamed to: an old archive's mark, or a file that is not a mark.
const OLD_NAME: &str = "archive-mark.dat.old";
/// The lock that is shared by all processes that have a recording of the directory open for writing.
const USERS_LOCK: &str = "mark.lock";

/// The minimum length of a mark file: enough for a journal's mark. An archive's is much longer.
const LEAST_LENGTH: usize = TEXTS + 4 + OUR_NAME.len();
/// The length of a journal's mark file, with an empty error buffer.
const LENGTH: usize = HEADER_BYTES + ERROR_BYTES;
const HEADER_BYTES: usize = 8192;
const ERROR_BYTES: usize = 4096;
/// The time without activity after which an archive counts as dead, in milliseconds.
const LIVENESS_MS: i64 = 10_000;
/// The activity of an archive that is starting.
const ACTIVATING: i64 = i64::MAX;
/// The activity of an archive that has ended.
const ENDED: i64 = -1;
/// The version of an archive's mark file. An archive of another major version could not run here.
const VERSION_NUMBER: SemanticVersion = SemanticVersion::new(3, 1, 0);
/// The text that a journal's mark has in place of the control channel.
const OUR_NAME: &[u8] = b"gannet-journal";

/// The header of the SBE message: block length, template id, schema id and schema version.
const SBE_HEADER: [u16; 4] = [128, 200, 100, 2];
const VERSION: Field<i32> = Field::at(8);
const ACTIVITY: Field<i64> = Field::at(16);
const START: Field<i64> = Field::at(24);
const PID: Field<i64> = Field::at(32);
const STREAM_IDS: Field<[i32; 3]> = Field::at(40);
const HEADER_LENGTH: Field<i32> = Field::at(52);
const ERROR_BUFFER_LENGTH: Field<i32> = Field::at(56);
const ARCHIVE_ID: Field<i64> = Field::at(64);
const TEXTS: usize = 136;

const _: () = assert!(STREAM_IDS.end() == HEADER_LENGTH.start() && HEADER_LENGTH.end() == ERROR_BUFFER_LENGTH.start());

/// Fails if an archive runs in the directory. An archive and a journal do not coordinate their writers.
pub(crate) fn refuse_archive(storage: &dyn Storage) -> Result<(), JournalError> {
    refuse_marked(storage)?;
    linked_directory(storage).map_or(Ok(()), |directory| refuse_marked(&directory))
}

fn refuse_marked(storage: &dyn Storage) -> Result<(), JournalError> {
    // A file that is not a mark file, or cannot be read, does not indicate an archive.
    match storage.open(MARK_NAME, LEAST_LENGTH as u64, FileAccess::ReadOnly) {
        Ok(stored) if !is_ours(stored.view()) => refuse_running(storage, stored.view()),
        _ => Ok(()),
    }
}

/// The directory of an archive's mark file, if it is another directory.
fn linked_directory(storage: &dyn Storage) -> Option<Directory> {
    let link = storage.open(LINK_NAME, 1, FileAccess::ReadOnly).ok()?;
    let mut bytes = vec![0; link.view().len().min(MOST_PATH)];
    link.view().get_bytes(0, &mut bytes);
    let path = Path::new(str::from_utf8(&bytes).ok()?.trim());
    path.is_absolute().then(|| Directory::at(path))
}

fn refuse_running(storage: &dyn Storage, view: &AtomicBuffer) -> Result<(), JournalError> {
    // Without an SBE header, the block starts at offset 0.
    let block = if has_header(view) { 0 } else { VERSION.start() };
    let long = |field: Field<i64>| view.word(Field::<i64>::at(field.start() - block)).load_acquire();
    let version = SemanticVersion::from_bits(view.word(Field::<i32>::at(VERSION.start() - block)).load_relaxed());
    // ORDERING(mark.activity): Acquire. Pairs with the Release store in `refresh`, and an archive's; the pid belongs to
    // it.
    let activity_ms = long(ACTIVITY);
    if version.major() == VERSION_NUMBER.major() && is_running(activity_ms, SystemClock.epoch()) {
        return Err(JournalError::ArchiveRunning { path: storage.path(MARK_NAME), pid: long(PID) });
    }
    Ok(())
}

/// Whether an archive with this activity counts as alive.
fn is_running(activity_ms: i64, now: EpochMillis) -> bool {
    let age_ms = now.get().saturating_sub(activity_ms);
    activity_ms == ACTIVATING || (activity_ms > 0 && age_ms < LIVENESS_MS)
}

fn has_header(view: &AtomicBuffer) -> bool {
    let mut bytes = [0; 4];
    view.get_bytes(2, &mut bytes);
    let [_, template, schema, _] = SBE_HEADER;
    bytes[..2] == template.to_le_bytes() && bytes[2..] == schema.to_le_bytes()
}

/// Whether a journal owns the mark.
fn is_ours(view: &AtomicBuffer) -> bool {
    let mut text = [0; LEAST_LENGTH - TEXTS];
    view.get_bytes(TEXTS, &mut text);
    has_header(view) && text[..4] == (OUR_NAME.len() as u32).to_le_bytes() && &text[4..] == OUR_NAME
}

/// Marks the directory as written to while it exists. Several processes can hold one.
#[derive(Debug)]
pub(crate) struct Mark {
    pulse: Pulse,
    users: Option<Lock>,
}

impl Mark {
    /// Marks the directory as written to. The caller holds `_opening`.
    pub(crate) fn claim(storage: &dyn Storage, _opening: &Lock) -> Result<Self, JournalError> {
        let users = storage.try_lock(USERS_LOCK, Share::Shared)?;
        let pulse = Pulse(open_or_make(storage)?);
        pulse.refresh(SystemClock.epoch());
        Ok(Self { pulse, users })
    }

    /// The handle that keeps the mark alive.
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Ends the mark, if no other process holds it. The caller holds `_opening`.
    pub(crate) fn release(mut self, storage: &dyn Storage, _opening: &Lock) -> Result<(), JournalError> {
        self.users = None;
        let Some(_last) = storage.try_lock(USERS_LOCK, Share::Exclusive)? else { return Ok(()) };
        if self.pulse.is_ours() {
            let view = self.pulse.0.view();
            view.word(ACTIVITY).store_release(ENDED);
            sync(storage, &self.pulse.0)?;
        }
        Ok(())
    }
}

/// The handle with which the helper thread keeps the mark alive, once a second.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Stored);

impl Pulse {
    /// Whether the file is still a journal's mark.
    pub(crate) fn is_ours(&self) -> bool {
        is_ours(self.0.view())
    }

    /// Stores `now` as the last activity.
    pub(crate) fn refresh(&self, now: EpochMillis) {
        // ORDERING(mark.activity): Release. Pairs with the Acquire load in `refuse_running`, and an archive's; a
        // process that is refused finds the owner.
        self.0.view().word(ACTIVITY).store_release(now.get());
    }

    /// The error for a mark that another owner has taken.
    pub(crate) fn taken(&self, storage: &dyn Storage) -> JournalError {
        JournalError::ArchiveRunning { path: storage.path(MARK_NAME), pid: self.0.view().word(PID).load_relaxed() }
    }
}

fn open_or_make(storage: &dyn Storage) -> Result<Stored, JournalError> {
    // An archive may create its mark between the check and the creation. The second round finds it.
    for _ in 0..2 {
        match storage.find_whole(MARK_NAME, LEAST_LENGTH as u64, FileAccess::ReadWrite)? {
            Some(found) if is_ours(found.view()) => return Ok(found),
            Some(found) if has_header(found.view()) => return take(storage, found),
            Some(found) => {
                refuse_running(storage, found.view())?;
                storage.rename(MARK_NAME, OLD_NAME)?;
            }
            None => drop(storage.rename(MARK_NAME, OLD_NAME)?),
        }
        let (new_name, stored) = storage.make_beside(MARK_NAME, LENGTH as u64, Reserve::Space, |stored| {
            let view = stored.view();
            view.word(HEADER_LENGTH).store_relaxed(HEADER_BYTES as i32);
            view.word(ERROR_BUFFER_LENGTH).store_relaxed(ERROR_BYTES as i32);
            write(stored);
            sync(storage, stored)
        })?;
        if storage.publish(&new_name, MARK_NAME)? {
            storage.sync_names()?;
            return Ok(stored);
        }
    }
    let view = storage.open(MARK_NAME, LEAST_LENGTH as u64, FileAccess::ReadOnly)?;
    Err(Pulse(view).taken(storage))
}

/// Takes over the mark of an archive that has ended, as the next archive would. The errors in it stay.
fn take(storage: &dyn Storage, found: Stored) -> Result<Stored, JournalError> {
    let view = found.view();
    begin_taking(storage, &found, SystemClock.epoch())?;
    view.zero(TEXTS, view.len().min(HEADER_BYTES) - TEXTS);
    write(&found);
    sync(storage, &found)?;
    Ok(found)
}

/// Marks another owner's file as taken. If the process is killed here, the mark expires like one that is not refreshed,
/// unlike the mark of an archive that is starting.
fn begin_taking(storage: &dyn Storage, found: &Stored, now: EpochMillis) -> Result<(), JournalError> {
    let view = found.view();
    let activity = view.word(ACTIVITY).load_acquire();
    refuse_running(storage, view)?;
    if view.word(ACTIVITY).compare_exchange(activity, now.get()).is_err() {
        return Err(Pulse(found.clone()).taken(storage));
    }
    Ok(())
}

/// Writes the content of a journal's mark, except the place of the errors.
fn write(stored: &Stored) {
    let view = stored.view();
    let now = SystemClock.epoch().get();
    for (index, half) in SBE_HEADER.into_iter().enumerate() {
        view.put_bytes(2 * index, &half.to_le_bytes());
    }
    view.word(START).store_relaxed(now);
    view.word(PID).store_relaxed(std::process::id().into());
    for index in 0..3 {
        view.word(STREAM_IDS.element(index)).store_relaxed(0);
    }
    view.word(ARCHIVE_ID).store_relaxed(-1);
    view.put_bytes(TEXTS, &(OUR_NAME.len() as u32).to_le_bytes());
    view.put_bytes(TEXTS + 4, OUR_NAME);
    view.word(ACTIVITY).store_release(now);
    // Stored last, because tools wait for it.
    view.word(VERSION).store_release(VERSION_NUMBER.bits());
}

fn sync(storage: &dyn Storage, stored: &Stored) -> Result<(), JournalError> {
    let failed = |source| JournalError::Io { action: "sync", path: storage.path(MARK_NAME), source };
    stored.sync(0, LEAST_LENGTH).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::locks::lock_opening;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions, Recording};
    use crate::memory::RawAccess;

    /// A mark as an archive leaves it, with or without a header: its version, its activity, and its process.
    fn archives_mark(storage: &MemoryStorage, header: bool, version: i32, activity: i64) -> Stored {
        let stored = storage.create(MARK_NAME, 8192 + (1 << 20), Reserve::Space).unwrap();
        let block = if header {
            for (at, value) in [(0, 128_u16), (2, 200), (4, 100), (6, 2)] {
                stored.view().put_bytes(at, &value.to_le_bytes());
            }
            8
        } else {
            0
        };
        for (at, value) in [(0, i64::from(version)), (8, activity), (24, 4711), (44, 8192 | 1 << 52)] {
            stored.view().put_bytes(block + at, &value.to_le_bytes());
        }
        stored.view().put_bytes(8192, b"errors");
        stored
    }

    fn long(stored: &Stored, at: usize) -> i64 {
        let mut bytes = [0; 8];
        stored.view().get_bytes(at, &mut bytes);
        i64::from_le_bytes(bytes)
    }

    #[test]
    fn an_archive_is_dead_after_ten_seconds_without_activity() {
        let now = 1_700_000_000_000;
        for (activity_ms, runs) in [
            (now, true),
            (now - LIVENESS_MS + 1, true),
            (now - LIVENESS_MS, false),
            (now + 3_600_000, true),
            (ACTIVATING, true),
            (ENDED, false),
            (0, false),
            (i64::MIN, false),
        ] {
            assert_eq!(is_running(activity_ms, EpochMillis::new(now)), runs, "{activity_ms}");
        }
    }

    #[test]
    fn an_archive_that_runs_is_told_from_one_that_does_not() {
        let now = SystemClock.epoch().get();
        let version = SemanticVersion::new(3, 1, 0).bits();
        let cases = [
            (version, now + 3_600_000, true),
            (version, i64::MAX, true),
            (version, -1, false),
            (version, now - 60_000, false),
            (version, 0, false),
            (0, now + 3_600_000, false),
            (SemanticVersion::new(2, 0, 0).bits(), now + 3_600_000, false),
        ];
        for (header, (version, activity, runs)) in [true, false].into_iter().flat_map(|h| cases.map(|case| (h, case))) {
            let storage = MemoryStorage::new(RawAccess::ENGINE);
            archives_mark(&storage, header, version, activity);
            let outcome = refuse_archive(&storage);
            let refused = matches!(outcome, Err(JournalError::ArchiveRunning { pid: 4711, .. }));
            assert_eq!((refused, outcome.is_ok()), (runs, !runs), "{header} {version} {activity}");
            let opening = lock_opening(&storage).unwrap();
            assert_eq!(Mark::claim(&storage, &opening).is_err(), runs, "{header} {version} {activity}");
        }
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        assert!(refuse_archive(&storage).is_ok());
        storage.create(MARK_NAME, 10, Reserve::Space).unwrap();
        assert!(refuse_archive(&storage).is_ok(), "too short to be one");
        let opening = lock_opening(&storage).unwrap();
        Mark::claim(&storage, &opening).unwrap();
        assert!(storage.names().unwrap().contains(&OLD_NAME.to_owned()), "what was in the way is kept");
    }

    /// It may go on with a recording whose writers were killed.
    #[test]
    fn a_recording_is_not_left_while_an_archive_runs() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let journal = Journal::create_in(Arc::new(storage.clone()), &JournalOptions::new()).unwrap();
        let is_left =
            |storage: &MemoryStorage| Recording::open_in(Arc::new(storage.clone()), None).unwrap().was_left().unwrap();
        assert!(!is_left(&storage), "it is open");
        let left = storage.after_kill();
        assert!(is_left(&left));
        let opening = lock_opening(&left).unwrap();
        assert!(!is_left(&left), "somebody is opening it");
        drop(opening);
        left.remove(MARK_NAME).unwrap();
        let mark = archives_mark(&left, true, SemanticVersion::new(3, 1, 0).bits(), i64::MAX);
        assert!(!is_left(&left));
        mark.view().word(ACTIVITY).store_relaxed(ENDED);
        assert!(is_left(&left));
        journal.close().unwrap();
        assert!(!is_left(&storage), "it has ended");
    }

    /// The path of the directory, as text.
    #[test]
    fn an_archive_whose_mark_is_elsewhere_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = Directory::make(dir.path().join("marks")).unwrap();
        let mark = elsewhere.create(MARK_NAME, 8192, Reserve::Space).unwrap();
        mark.view().word(VERSION).store_relaxed(VERSION_NUMBER.bits());
        for (index, half) in SBE_HEADER.into_iter().enumerate() {
            mark.view().put_bytes(2 * index, &half.to_le_bytes());
        }
        mark.view().word(PID).store_relaxed(4711);
        let path = elsewhere.path("").into_os_string().into_string().unwrap();
        let links = [(path.clone(), true), (format!("{path}\n"), true), ("marks".to_owned(), false)];
        for (number, (link, is_followed)) in links.into_iter().enumerate() {
            let storage = Directory::make(dir.path().join(number.to_string())).unwrap();
            let file = storage.create(LINK_NAME, link.len() as u64, Reserve::Space).unwrap();
            file.view().put_bytes(0, link.as_bytes());
            for (activity, runs) in [(i64::MAX, true), (ENDED, false), (SystemClock.epoch().get() + 3_600_000, true)] {
                mark.view().word(ACTIVITY).store_relaxed(activity);
                let outcome = refuse_archive(&storage);
                let refused = matches!(outcome, Err(JournalError::ArchiveRunning { pid: 4711, .. }));
                assert_eq!((refused, outcome.is_ok()), (runs && is_followed, !(runs && is_followed)), "{link:?}");
            }
        }
        let storage = Directory::make(dir.path().join("odd")).unwrap();
        storage.create(LINK_NAME, 100, Reserve::Space).unwrap();
        assert!(refuse_archive(&storage).is_ok(), "a path of zeroes is none");
    }

    #[test]
    fn a_mark_is_kept_until_the_last_user_is_done() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let opening = lock_opening(&storage).unwrap();
        let one = Mark::claim(&storage, &opening).unwrap();
        let other = Mark::claim(&storage, &opening).unwrap();
        let file = storage.open(MARK_NAME, 1, FileAccess::ReadOnly).unwrap();
        assert!(refuse_archive(&storage).is_ok(), "a mark of ours is none of an archive");
        // As an archive writes it, field by field.
        assert_eq!(file.view().len(), 8192 + 4096);
        let mut bytes = [0; 200];
        file.view().get_bytes(0, &mut bytes);
        assert_eq!(bytes[..8], [128, 0, 200, 0, 100, 0, 2, 0]);
        assert_eq!(bytes[8..16], [0, 1, 3, 0, 0, 0, 0, 0], "3.1.0");
        let now = SystemClock.epoch().get();
        assert!((now - 600_000..=now).contains(&long(&file, 16)) && (now - 600_000..=now).contains(&long(&file, 24)));
        assert_eq!(long(&file, 32), i64::from(std::process::id()));
        assert_eq!(bytes[40..52], [0; 12], "no streams");
        assert_eq!(bytes[52..60], [0, 32, 0, 0, 0, 16, 0, 0], "8192 and 4096");
        assert_eq!(long(&file, 64), -1);
        assert_eq!(bytes[136..154], *b"\x0e\0\0\0gannet-journal");
        assert_eq!(bytes[154..], [0; 46], "three empty texts, and nothing else");

        other.pulse().refresh(EpochMillis::new(7));
        assert_eq!(long(&file, 16), 7);
        one.release(&storage, &opening).unwrap();
        assert_eq!(long(&file, 16), 7, "somebody is left");
        other.release(&storage, &opening).unwrap();
        assert_eq!(long(&file, 16), -1);
        let again = Mark::claim(&storage, &opening).unwrap();
        assert!(long(&file, 16) > 7, "the same file");
        assert!(again.pulse().is_ours());
    }

    #[test]
    fn a_mark_that_is_almost_as_long_as_ours_is_taken_or_replaced() {
        for length in 120..200 {
            let storage = MemoryStorage::new(RawAccess::ENGINE);
            let file = storage.create(MARK_NAME, length, Reserve::Space).unwrap();
            for (index, half) in SBE_HEADER.into_iter().enumerate() {
                file.view().put_bytes(2 * index, &half.to_le_bytes());
            }
            file.view().word(VERSION).store_relaxed(VERSION_NUMBER.bits());
            file.view().word(ACTIVITY).store_relaxed(ENDED);
            assert!(refuse_archive(&storage).is_ok(), "{length} bytes");
            let opening = lock_opening(&storage).unwrap();
            let mark = Mark::claim(&storage, &opening).unwrap();
            assert!(mark.pulse().is_ours(), "{length} bytes");
            mark.release(&storage, &opening).unwrap();
        }
    }

    #[test]
    fn whoever_is_killed_while_taking_a_mark_shuts_the_directory_for_a_while_only() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let file = archives_mark(&storage, true, VERSION_NUMBER.bits(), ENDED);
        // Killed behind it, before anything else is there.
        let before = SystemClock.epoch().get() - LIVENESS_MS;
        begin_taking(&storage, &file, EpochMillis::new(before)).unwrap();
        assert_eq!(long(&file, 16), before);
        assert!(refuse_archive(&storage).is_ok());
        let opening = lock_opening(&storage).unwrap();
        assert!(Mark::claim(&storage, &opening).unwrap().pulse().is_ours());
    }

    #[test]
    fn the_mark_of_an_archive_that_ended_is_taken_over_and_its_errors_stay() {
        for header in [true, false] {
            let storage = MemoryStorage::new(RawAccess::ENGINE);
            let file = archives_mark(&storage, header, VERSION_NUMBER.bits(), -1);
            let opening = lock_opening(&storage).unwrap();
            let mark = Mark::claim(&storage, &opening).unwrap();
            let kept = storage.open(if header { MARK_NAME } else { OLD_NAME }, 1, FileAccess::ReadOnly).unwrap();
            let mut errors = [0; 6];
            kept.view().get_bytes(8192, &mut errors);
            assert_eq!(&errors, b"errors");
            if header {
                assert_eq!(long(&file, 52) & 0xFFFF_FFFF, 8192, "where they are is still said");
                // As an archive would that starts all the same.
                file.view().put_bytes(TEXTS + 4, b"aeron:udp?endp");
                assert!(!mark.pulse().is_ours());
                assert!(matches!(mark.pulse().taken(&storage), JournalError::ArchiveRunning { .. }));
                file.view().word(ACTIVITY).store_relaxed(99);
                mark.release(&storage, &opening).unwrap();
                assert_eq!(long(&file, 16), 99, "it is the archive's");
            }
        }
    }
}
