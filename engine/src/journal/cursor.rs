//! Named cursors: the position of a consumer, kept beside the recording. A cursor moves only when it is told to, and
//! survives restarts. A consumer needs permission to write its cursor, but no writer of the journal.
//!
//! ```text
//!    0  version | length | recording id
//!  256  255 slots of 256 bytes: in use | length of the name | position, tag | when it was moved | generation | name
//!  488  in each: CRC-32C of name and generation
//! ```
//!
//! A slot is reused after its cursor was removed, and then has another generation. The low five bits of a position,
//! which a position does not need, are those of its generation. A consumer that moves a cursor checks the generation,
//! and exchanges the position for the next only if nobody has stored one since. So it never moves a cursor that took
//! the place of its own.
//!
//! The two highest bits of a position's word are a mark and a parity bit, so that a wrong bit is noticed. A cursor whose slot
//! has a wrong bit is an error, which says where it is and what to do. It is not taken for a cursor elsewhere, or for none.
//!
//! The position is one word, stored in one step, so it survives a kill at any instant. A loss of power may take it back
//! to the last sync. A loss of power may also remove messages behind which a cursor already is; recovery then moves the
//! cursor back to the end of the recording.

use std::path::PathBuf;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{AtomicBuffer, Field, FileAccess, MapError, OwnedWord, Reserve};
use crate::time::{Clock, EpochMillis, SystemClock};
use crate::types::{Position, RecordingId, SemanticVersion};

use super::checksum::crc32c;
use super::descriptor::RecordingDescriptor;
use super::error::{Damage, Fault, JournalError};
use super::locks::{cursors_lock_name, wait_for_lock};
use super::preamble::{self, Preamble};
use super::recording::Recording;
use super::storage::{Storage, Stored};
use super::tailer::Start;

/// The version of the cursor file's layout.
pub const CURSORS_VERSION: SemanticVersion = SemanticVersion::new(3, 0, 0);

/// The number of cursors that a recording can have.
pub const MAX_CURSORS: usize = 255;

/// The length of the longest cursor name, in bytes.
pub const MAX_CURSOR_NAME: usize = 200;

const SLOT: usize = 256;
const FILE_LENGTH: usize = SLOT * (MAX_CURSORS + 1);
const PREAMBLE: Preamble = Preamble::new(CURSORS_VERSION, FILE_LENGTH);
/// The previous versions, without parity bits and checksums. In the first, all cursors have generation 0.
const UNGUARDED: [Preamble; 2] = [
    Preamble::new(SemanticVersion::new(1, 0, 0), FILE_LENGTH),
    Preamble::new(SemanticVersion::new(2, 0, 0), FILE_LENGTH),
];

const IN_USE: Field<i32> = Field::at(0);
const NAME_LENGTH: Field<i32> = Field::at(4);
const POSITION: Field<i64> = Field::at(8);
const MOVED: Field<i64> = Field::at(16);
const GENERATION: Field<i64> = Field::at(24);
const NAME: usize = 32;
const GUARD: Field<i32> = Field::at(232);

const _: () = assert!(NAME + MAX_CURSOR_NAME <= GUARD.start() && GENERATION.end() <= NAME && GUARD.end() <= SLOT);

/// The bits of a position's word that hold its generation. Frames begin at multiples of 32, so a position does not need
/// them.
const TAG: i64 = FRAME_ALIGNMENT as i64 - 1;

/// The bit that marks a position's word with a parity bit, and the parity bit, which makes the number of ones even. No
/// position needs them, since none is greater than 2^61.
const HAS_PARITY: i64 = i64::MIN;
const PARITY: i64 = 1 << 62;

/// A named cursor: the position at which a consumer continues after a restart. Messages from there on are not pruned
/// unless pruning is forced.
///
/// ```
/// use gannet::journal::{Journal, JournalOptions, Recording, Start};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let journal = Journal::create(dir, &JournalOptions::new().segment_length(1 << 20).term_length(1 << 20))?;
/// for message in [b"one", b"two"] {
///     journal.appender()?.append(message)?;
/// }
///
/// let recording = Recording::open(dir)?;
/// let mut cursor = recording.cursor("billing")?; // made at the beginning of the recording
/// let mut tailer = recording.tailer(Start::Position(cursor.position()))?;
/// let done = tailer.next()?.map(|record| record.next_position());
/// cursor.move_to(done.unwrap_or(cursor.position()))?; // by whoever is done with the message, and nobody else
///
/// // Another time, after a restart.
/// let again = Recording::open(dir)?.cursor("billing")?;
/// let mut tailer = recording.tailer(Start::Position(again.position()))?;
/// assert_eq!(tailer.next()?.map(|record| record.payload().to_vec()), Some(b"two".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Cursor {
    stored: Stored,
    slot: usize,
    position: OwnedWord<i64>,
    /// The word with the slot's generation, and the generation of this cursor.
    generations: (OwnedWord<i64>, i64),
    /// The position that this handle has last stored or loaded.
    seen: Position,
    name: String,
    start: Position,
    end: Position,
    recording_id: RecordingId,
    path: PathBuf,
}

/// The state of a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorInfo {
    /// The cursor's name.
    pub name: String,
    /// The cursor's position. Its consumer has processed everything below.
    pub position: Position,
    /// When the cursor was last moved.
    pub moved: EpochMillis,
}

/// A cursor that was moved back to the end of a recording that had lost messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewoundCursor {
    /// The cursor's name.
    pub name: String,
    /// The cursor's previous position.
    pub from: Position,
}

impl Recording {
    /// The cursor of that name, created at the start of the recording if it does not exist. Consumers with the same
    /// name share it.
    ///
    /// # Errors
    ///
    /// [`JournalError::Options`] if the name is empty or too long, or if there are too many cursors.
    /// [`JournalError::Malformed`] if the cursor is damaged, or another one that could be it. Otherwise an error of the
    /// operating system.
    pub fn cursor(&self, name: &str) -> Result<Cursor, JournalError> {
        if name.is_empty() || name.len() > MAX_CURSOR_NAME {
            let what = format!("a cursor with a name of {} bytes", name.len());
            return Err(JournalError::Options { what, expected: "1 to 200 bytes" });
        }
        let storage = &*self.storage;
        let descriptor = self.descriptor();
        // Creating and removing cursors requires the lock; moving them does not.
        let _lock = lock(storage, descriptor)?;
        // The cursors of another journal, which has taken the place of this one, are not touched.
        self.look_again()?;
        let stored = match open(storage, descriptor, FileAccess::ReadWrite)? {
            Some(stored) => stored,
            None => create(storage, descriptor)?,
        };
        let view = stored.view();
        let found: Vec<_> = slots().filter_map(|slot| Some((slot, look(view, slot)?))).collect();
        let damaged = |fault: &SlotFault| fault.error(storage, descriptor);
        let slot = match found.iter().find(|(_, found)| found.is_named(name)) {
            Some((_, Found { fault: Some(fault), .. })) => return Err(damaged(fault)),
            Some((slot, _)) => *slot,
            None => {
                // A cursor whose name is damaged may be this one. It must not begin anew without notice.
                let nameless =
                    found.iter().find_map(|(_, found)| found.fault.as_ref().filter(|fault| fault.hides_name));
                if let Some(fault) = nameless {
                    return Err(damaged(fault));
                }
                let free = slots().find(|&slot| look(view, slot).is_none());
                let Some(slot) = free else {
                    let what = format!("more than {MAX_CURSORS} cursors");
                    return Err(JournalError::Options { what, expected: "remove one that nobody needs" });
                };
                view.put_bytes(slot + NAME, name.as_bytes());
                view.word(NAME_LENGTH.from(slot)).store_relaxed(name.len() as i32);
                let generation = view.word(GENERATION.from(slot)).load_relaxed();
                let word = tagged(self.start_position(), generation);
                view.word(POSITION.from(slot)).store_relaxed(word);
                view.word(MOVED.from(slot)).store_relaxed(SystemClock.epoch().get());
                // ORDERING(journal.cursor): Release. Pairs with the Acquire load in `info`; publishes the name and the
                // position.
                view.word(IN_USE.from(slot)).store_release(1);
                view.word(GUARD.from(slot)).store_relaxed(guard(name.as_bytes(), generation));
                slot
            }
        };
        Ok(Cursor::new(storage, stored, slot, name, descriptor))
    }

    /// All cursors, in no particular order.
    ///
    /// # Errors
    ///
    /// [`JournalError::Malformed`] if one of them is damaged, with its place and what to do. Otherwise an error of the
    /// operating system.
    pub fn cursors(&self) -> Result<Vec<CursorInfo>, JournalError> {
        let stored = open(&*self.storage, self.descriptor(), FileAccess::ReadOnly)?;
        let found = stored.iter().flat_map(|stored| slots().filter_map(|slot| look_twice(stored.view(), slot)));
        let info = |found: Found| match found.fault {
            Some(fault) => Err(fault.error(&*self.storage, self.descriptor())),
            None => Ok(found.info),
        };
        found.map(info).collect()
    }

    /// The damaged places of the cursors' file: its offset, and what is wrong there.
    pub(crate) fn cursor_faults(&self) -> Result<Vec<Damage>, JournalError> {
        let path = self.storage.path(&file_name(self.descriptor().recording_id));
        let damage = |offset, found| {
            let (path, position) = (path.clone(), Position::new(0));
            Damage { path, position, offset, fault: Fault::Cursors(found) }
        };
        let stored = match open(&*self.storage, self.descriptor(), FileAccess::ReadOnly) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(Vec::new()),
            Err(JournalError::Malformed { offset, found, .. }) => return Ok(vec![damage(offset, found)]),
            Err(error) => return Err(error),
        };
        let faults = slots().filter_map(|slot| look_twice(stored.view(), slot)?.fault);
        Ok(faults.map(|fault| damage(fault.offset as u64, fault.found)).collect())
    }

    /// Moves a cursor to where a tailer would start, waits until that is on stable storage, and returns the position.
    /// Also if its present position is damaged.
    /// Only for consumers that are not running: a running consumer moves the cursor again after its next message.
    ///
    /// ```
    /// # use gannet::journal::{Journal, JournalError, JournalOptions, Start};
    /// # let dir = tempfile::tempdir()?;
    /// # let options = JournalOptions::new().segment_length(64 << 10).term_length(64 << 10);
    /// let journal = Journal::create(dir.path(), &options)?;
    /// let end = journal.appender()?.append(b"hello")?;
    /// let recording = journal.recording()?;
    /// recording.cursor("billing")?;
    /// assert_eq!(recording.move_cursor("billing", Start::End)?, end);
    /// assert_eq!(recording.cursors()?[0].position, end);
    /// recording.remove_cursor("billing")?;
    /// assert!(matches!(recording.move_cursor("billing", Start::End), Err(JournalError::UnknownCursor { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`JournalError::UnknownCursor`]. For a place that the recording does not have, as [`Self::tailer`]. Otherwise an
    /// error of the operating system.
    pub fn move_cursor(&self, name: &str, to: Start) -> Result<Position, JournalError> {
        // Without the lock, for which consumers wait: to find the place, many messages may have to be read.
        let mut position = self.tailer(to)?.position();
        let _lock = lock(&*self.storage, self.descriptor())?;
        let mut cursor = self.existing(name)?;
        let fault = look(cursor.stored.view(), cursor.slot).and_then(|found| found.fault);
        if let Some(fault) = fault.filter(|fault| fault.hides_name) {
            return Err(fault.error(&*self.storage, self.descriptor()));
        }
        // Pruning needs the lock, too, so what is there now is not pruned before the cursor is moved.
        if position < self.start_position() {
            position = self.tailer(to)?.position();
        }
        cursor.move_to(position)?;
        cursor.sync()?;
        Ok(position)
    }

    /// Removes a cursor, and waits until that is on stable storage. A consumer that has the cursor open cannot move it
    /// any more. A damaged cursor is removed by the name that the error tells.
    ///
    /// # Errors
    ///
    /// [`JournalError::UnknownCursor`], or an error of the operating system.
    pub fn remove_cursor(&self, name: &str) -> Result<(), JournalError> {
        let _lock = lock(&*self.storage, self.descriptor())?;
        let cursor = self.existing(name)?;
        let (view, slot) = (cursor.stored.view(), cursor.slot);
        let (generation, found) = &cursor.generations;
        let next = found.wrapping_add(1);
        view.word(GUARD.from(slot)).store_relaxed(0);
        generation.store_relaxed(next);
        // ORDERING(journal.cursor): Release. Pairs with the Acquire load in `move_to`; whoever loads this word also
        // sees the generation.
        cursor.position.store_release(tagged(Position::new(0), next));
        view.word(IN_USE.from(slot)).store_relaxed(0);
        cursor.sync_slot()
    }

    /// The existing cursor of that name. The caller holds the cursors' lock.
    fn existing(&self, name: &str) -> Result<Cursor, JournalError> {
        let unknown = || unknown(self.descriptor().recording_id, name);
        self.look_again()?;
        let stored = open(&*self.storage, self.descriptor(), FileAccess::ReadWrite)?.ok_or_else(unknown)?;
        // A damaged name may contain what nobody can type, so it may also be given as errors show it.
        let is_shown =
            |found: &Found| found.info.name == name || format!("{:?}", found.info.name) == format!("\"{name}\"");
        let found = |slot: &usize| look(stored.view(), *slot).is_some_and(|found| is_shown(&found));
        let is_intact = |slot: &usize| look(stored.view(), *slot).is_some_and(|found| found.is_named(name));
        let slot = slots().find(is_intact).or_else(|| slots().find(found)).ok_or_else(unknown)?;
        Ok(Cursor::new(&*self.storage, stored, slot, name, self.descriptor()))
    }
}

impl Cursor {
    /// The cursor in a slot. The caller holds the cursors' lock.
    fn new(storage: &dyn Storage, stored: Stored, slot: usize, name: &str, descriptor: &RecordingDescriptor) -> Self {
        let view = stored.view();
        let generation = view.own(GENERATION.from(slot));
        Self {
            position: view.own(POSITION.from(slot)),
            // The lock is held, so the cursor cannot be removed meanwhile.
            seen: place(view, slot).unwrap_or(descriptor.start_position),
            generations: (generation.clone(), generation.load_relaxed()),
            slot,
            name: name.to_owned(),
            start: descriptor.start_position,
            end: descriptor.term_length.max_position(),
            recording_id: descriptor.recording_id,
            path: storage.path(&file_name(descriptor.recording_id)),
            stored,
        }
    }

    /// The cursor's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position at which the cursor's consumer continues. If the recording was pruned by force, it may be before
    /// the recording's start; a tailer then returns [`JournalError::Pruned`]. For a removed cursor, the last position
    /// that this handle has seen.
    pub fn position(&self) -> Position {
        let found = place(self.stored.view(), self.slot);
        // The file is untrusted. Of a damaged position nothing is known, and the next move mends it. Nor is anything known of
        // a file that was cut short.
        let position = found.filter(|_| self.is_there() && self.stored.is_intact()).unwrap_or(self.seen);
        position.clamp(Position::new(0), self.end)
    }

    /// Moves the cursor forwards or backwards. Everything below `position` counts as processed.
    ///
    /// # Errors
    ///
    /// [`JournalError::Position`] for a position that the recording cannot have. [`JournalError::UnknownCursor`] once
    /// the cursor was removed, even if a new one has its name. [`JournalError::Malformed`] if the file was truncated.
    pub fn move_to(&mut self, position: Position) -> Result<(), JournalError> {
        if position < self.start || position > self.end || position.get() % 32 != 0 {
            let reason = "a cursor cannot be there".to_owned();
            return Err(JournalError::Position { recording_id: self.recording_id, position, reason });
        }
        let word = tagged(position, self.generations.1);
        // ORDERING(journal.cursor): Acquire. Pairs with the Release store in `remove_cursor`: whoever loads the
        // position of a later cursor also sees its generation.
        let mut found = self.position.load_acquire();
        loop {
            if !self.is_there() {
                return Err(unknown(self.recording_id, &self.name));
            }
            // ORDERING(journal.cursor): Release. Pairs with the Acquire loads of the position; publishes what the
            // consumer did with the messages below.
            match self.position.compare_exchange(found, word) {
                Ok(_) => break,
                Err(other) => found = other,
            }
        }
        self.seen = position;
        self.stored.view().word(MOVED.from(self.slot)).store_relaxed(SystemClock.epoch().get());
        self.check_intact()
    }

    /// Checks that the mapping still shows the file's content.
    fn check_intact(&self) -> Result<(), JournalError> {
        if self.stored.is_intact() {
            return Ok(());
        }
        let found = Fault::CUT_SHORT.to_string();
        Err(JournalError::Malformed { path: self.path.clone(), offset: self.slot as u64, found })
    }

    /// Waits until the cursor's position is on stable storage.
    ///
    /// # Errors
    ///
    /// [`JournalError::UnknownCursor`] once the cursor was removed. [`JournalError::Malformed`] if the file was truncated.
    /// Otherwise an error of the operating system.
    pub fn sync(&self) -> Result<(), JournalError> {
        if self.is_there() { self.sync_slot() } else { Err(unknown(self.recording_id, &self.name)) }
    }

    /// Whether the slot still belongs to this cursor. Checked after its position was loaded.
    fn is_there(&self) -> bool {
        self.generations.0.load_relaxed() == self.generations.1
    }

    fn sync_slot(&self) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "sync", path: self.path.clone(), source };
        // An earlier sync may have failed: this one's, or that of another cursor in the page.
        self.stored.store_word_again(POSITION.from(self.slot));
        self.stored.sync(self.slot, SLOT).map_err(failed)?;
        self.check_intact()
    }
}

/// Moves cursors that are beyond the end back to it, on stable storage, and returns them. Messages appended at the end
/// from now on are new to their consumers. `again` says that this may have been begun before, and was not finished.
pub(crate) fn rewind_to(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    end: Position,
    again: bool,
) -> Result<Vec<RewoundCursor>, JournalError> {
    let _lock = lock(storage, descriptor)?;
    let stored = match open(storage, descriptor, FileAccess::ReadWrite) {
        Ok(Some(stored)) => stored,
        // A process that opens a cursor of such a file gets the error. Appenders do not need cursors.
        Ok(None) | Err(JournalError::Malformed { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut rewound = Vec::new();
    let mut is_at_end = false;
    for slot in slots() {
        // A damaged cursor is an error for whoever opens it.
        let Some(Found { info, fault: None }) = look(stored.view(), slot) else { continue };
        is_at_end |= info.position == end;
        if info.position > end {
            let generation = stored.view().word(GENERATION.from(slot)).load_relaxed();
            // ORDERING(journal.cursor): Release. Pairs with the Acquire loads of the position, as in `move_to`.
            stored.view().word(POSITION.from(slot)).store_release(tagged(end, generation));
            rewound.push(RewoundCursor { name: info.name, from: info.position });
        }
    }
    // One that is at the end already may have been moved there by a recovery that was killed before the sync, or whose sync
    // failed.
    if !rewound.is_empty() || (again && is_at_end) {
        sync_all(storage, descriptor, &stored)?;
    }
    Ok(rewound)
}

/// Waits until all cursors are on stable storage, for a pruning that relies on them. The caller holds the cursors' lock.
pub(crate) fn sync_cursors(storage: &dyn Storage, descriptor: &RecordingDescriptor) -> Result<(), JournalError> {
    let stored = open(storage, descriptor, FileAccess::ReadWrite)?;
    stored.map_or(Ok(()), |stored| sync_all(storage, descriptor, &stored))
}

/// Waits until all slots are on stable storage, also those that an earlier sync has failed to write.
fn sync_all(storage: &dyn Storage, descriptor: &RecordingDescriptor, stored: &Stored) -> Result<(), JournalError> {
    slots().for_each(|slot| stored.store_word_again(POSITION.from(slot)));
    let path = storage.path(&file_name(descriptor.recording_id));
    stored.sync(0, FILE_LENGTH).map_err(|source| JournalError::Io { action: "sync", path, source })
}

fn file_name(recording_id: RecordingId) -> String {
    format!("{recording_id}.cursors")
}

fn slots() -> impl Iterator<Item = usize> {
    (1..=MAX_CURSORS).map(|slot| slot * SLOT)
}

/// The word for a position and a generation.
fn tagged(position: Position, generation: i64) -> i64 {
    let word = position.get() | generation & TAG | HAS_PARITY;
    if word.count_ones().is_multiple_of(2) { word } else { word | PARITY }
}

/// The position in a slot. `None` if it is damaged.
fn place(view: &AtomicBuffer, slot: usize) -> Option<Position> {
    // ORDERING(journal.cursor): Acquire. Pairs with the Release stores of `move_to` and `remove_cursor`.
    let word = view.word(POSITION.from(slot)).load_acquire();
    // A word without the mark is of an earlier version.
    let is_intact = if word & HAS_PARITY == 0 { word & PARITY == 0 } else { word.count_ones().is_multiple_of(2) };
    is_intact.then_some(Position::new(word & !(TAG | HAS_PARITY | PARITY)))
}

/// The checksum of what is written once in a slot. Never 0, which means that there is none.
fn guard(name: &[u8], generation: i64) -> i32 {
    let checksum = crc32c(&[name, &generation.to_le_bytes()].concat());
    (if checksum == 0 { u32::MAX } else { checksum }).cast_signed()
}

fn unknown(recording_id: RecordingId, name: &str) -> JournalError {
    JournalError::UnknownCursor { recording_id, name: name.to_owned() }
}

/// A slot that is in use, or should be.
struct Found {
    /// What is in it. If it has a fault, as far as that can be read.
    info: CursorInfo,
    fault: Option<SlotFault>,
}

/// What is wrong with a slot.
struct SlotFault {
    /// The offset in the file.
    offset: usize,
    found: String,
    /// Whether it is not known which cursor it is.
    hides_name: bool,
}

impl Found {
    fn is_named(&self, name: &str) -> bool {
        self.info.name == name && self.fault.as_ref().is_none_or(|fault| !fault.hides_name)
    }
}

impl SlotFault {
    fn error(&self, storage: &dyn Storage, descriptor: &RecordingDescriptor) -> JournalError {
        let path = storage.path(&file_name(descriptor.recording_id));
        JournalError::Malformed { path, offset: self.offset as u64, found: self.found.clone() }
    }
}

/// The content of a slot, if it is in use.
fn look(view: &AtomicBuffer, slot: usize) -> Option<Found> {
    // ORDERING(journal.cursor): Acquire. Pairs with the Release store in `cursor`.
    let in_use = view.word(IN_USE.from(slot)).load_acquire();
    let kept = view.word(GUARD.from(slot)).load_relaxed();
    if in_use == 0 && kept == 0 {
        return None;
    }
    let told = view.word(NAME_LENGTH.from(slot)).load_relaxed();
    let length = usize::try_from(told).ok().filter(|length| (1..=MAX_CURSOR_NAME).contains(length));
    let mut name = vec![0; length.unwrap_or(MAX_CURSOR_NAME)];
    view.get_bytes(slot + NAME, &mut name);
    let generation = view.word(GENERATION.from(slot)).load_relaxed();
    let expected = guard(&name, generation);
    let is_name = length.is_some() && (kept == 0 || kept == expected) && str::from_utf8(&name).is_ok();
    if !is_name {
        // What can be told of it.
        name.truncate(name.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
    }
    let name = String::from_utf8_lossy(&name).into_owned();
    let position = place(view, slot);
    let whereabouts = position.map_or_else(|| "unknown".to_owned(), |position| position.to_string());
    let remove = format!(
        "it may be any cursor, and its position is {whereabouts}: remove it with `gannet journal cursors rm {name:?}`, make it \
         again and move it there"
    );
    let fault = |at: usize, found: String, hides_name| Some(SlotFault { offset: slot + at, found, hides_name });
    let fault = if in_use != 1 {
        fault(IN_USE.start(), format!("the mark of the cursor {name:?} is {in_use}, expected 1; {remove}"), true)
    } else if length.is_none() {
        fault(NAME_LENGTH.start(), format!("the name of a cursor has {told} bytes, expected 1 to 200; {remove}"), true)
    } else if !is_name {
        let found = format!("the CRC-32C of the cursor {name:?} is {kept:#010x}, expected {expected:#010x}; {remove}");
        fault(GUARD.start(), found, true)
    } else if position.is_none() {
        let found = format!(
            "the position of the cursor {name:?} has a wrong bit; move the cursor with `gannet journal cursors move {name:?} --to \
             PLACE` to where its consumer was"
        );
        fault(POSITION.start(), found, false)
    } else {
        None
    };
    let moved = EpochMillis::new(view.word(MOVED.from(slot)).load_relaxed());
    Some(Found { info: CursorInfo { name, position: position.unwrap_or(Position::new(0)), moved }, fault })
}

/// As [`look`], without the cursors' lock. A cursor that is being removed may look damaged for an instant.
fn look_twice(view: &AtomicBuffer, slot: usize) -> Option<Found> {
    let found = look(view, slot)?;
    if found.fault.is_none() { Some(found) } else { look(view, slot) }
}

/// Opens the file. To open it for writing, the caller holds the cursors' lock.
fn open(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    access: FileAccess,
) -> Result<Option<Stored>, JournalError> {
    let name = file_name(descriptor.recording_id);
    let stored = match storage.find(&name, FILE_LENGTH as u64, access) {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(None),
        Err(JournalError::Map(MapError::TooShort { found, .. })) => {
            let found =
                format!("it has {found} bytes of {FILE_LENGTH}; cursors cannot be made again, so it is left alone");
            return Err(JournalError::Malformed { path: storage.path(&name), offset: 0, found });
        }
        Err(error) => return Err(error),
    };
    let view = stored.view();
    let is_unguarded = UNGUARDED.iter().any(|version| version.is_in(view, descriptor.recording_id));
    if !is_unguarded && !PREAMBLE.is_in(view, descriptor.recording_id) {
        let version = preamble::version(view);
        let found = format!(
            "it has version {version}, and is not the cursors of this recording in version 1 to {}; its cursors cannot be made \
             again, so it is left alone",
            CURSORS_VERSION.major()
        );
        return Err(JournalError::Malformed { path: storage.path(&name), offset: 0, found });
    }
    if is_unguarded && access == FileAccess::ReadWrite {
        // The rest of the layout is the same. A position gets its parity bit when it is moved.
        for slot in slots() {
            if let Some(Found { info, fault: None }) = look(view, slot) {
                let generation = view.word(GENERATION.from(slot)).load_relaxed();
                view.word(GUARD.from(slot)).store_relaxed(guard(info.name.as_bytes(), generation));
            }
        }
        PREAMBLE.write_version(view);
        let failed = |source| JournalError::Io { action: "sync", path: storage.path(&name), source };
        stored.sync(0, FILE_LENGTH).map_err(failed)?;
    }
    Ok(Some(stored))
}

fn create(storage: &dyn Storage, descriptor: &RecordingDescriptor) -> Result<Stored, JournalError> {
    let name = file_name(descriptor.recording_id);
    let stored = storage.make(&name, FILE_LENGTH as u64, Reserve::Space, |stored| {
        PREAMBLE.write(stored.view(), descriptor.recording_id);
        // The file cannot be rebuilt. So it appears as a whole, whenever the power fails.
        let path = storage.path(&name);
        stored.sync(0, FILE_LENGTH).map_err(|source| JournalError::Io { action: "sync", path, source })
    })?;
    storage.sync_names()?;
    Ok(stored)
}

fn lock(storage: &dyn Storage, descriptor: &RecordingDescriptor) -> Result<super::storage::Lock, JournalError> {
    wait_for_lock(storage, &cursors_lock_name(descriptor.recording_id))
}
