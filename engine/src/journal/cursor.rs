//! Named cursors: the position of a consumer, kept beside the recording. A cursor moves only when it is told to, and
//! survives restarts. A consumer needs permission to write its cursor, but no writer of the journal.
//!
//! ```text
//!    0  version | length | recording id
//!  256  255 slots of 256 bytes: in use | length of the name | position, tag | when it was moved | generation | name
//! ```
//!
//! A slot is reused after its cursor was removed, and then has another generation. The low five bits of a position,
//! which a position does not need, are those of its generation. A consumer that moves a cursor checks the generation,
//! and exchanges the position for the next only if nobody has stored one since. So it never moves a cursor that took
//! the place of its own.
//!
//! The position is one word, stored in one step, so it survives a kill at any instant. A loss of power may take it back
//! to the last sync. A loss of power may also remove messages behind which a cursor already is; recovery then moves the
//! cursor back to the end of the recording.

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{AtomicBuffer, Field, FileAccess, MapError, OwnedWord, Reserve};
use crate::time::{Clock, EpochMillis, SystemClock};
use crate::types::{Position, RecordingId, SemanticVersion};

use super::descriptor::RecordingDescriptor;
use super::error::JournalError;
use super::locks::{cursors_lock_name, wait_for_lock};
use super::preamble::{self, Preamble};
use super::recording::Recording;
use super::storage::{Storage, Stored};
use super::tailer::Start;

/// The version of the cursor file's layout.
pub const CURSORS_VERSION: SemanticVersion = SemanticVersion::new(2, 0, 0);

/// The number of cursors that a recording can have.
pub const MAX_CURSORS: usize = 255;

/// The length of the longest cursor name, in bytes.
pub const MAX_CURSOR_NAME: usize = 200;

const SLOT: usize = 256;
const FILE_LENGTH: usize = SLOT * (MAX_CURSORS + 1);
const PREAMBLE: Preamble = Preamble::new(CURSORS_VERSION, FILE_LENGTH);
/// The previous version, in which all cursors have generation 0.
const UNTAGGED: Preamble = Preamble::new(SemanticVersion::new(1, 0, 0), FILE_LENGTH);

const IN_USE: Field<i32> = Field::at(0);
const NAME_LENGTH: Field<i32> = Field::at(4);
const POSITION: Field<i64> = Field::at(8);
const MOVED: Field<i64> = Field::at(16);
const GENERATION: Field<i64> = Field::at(24);
const NAME: usize = 32;

const _: () = assert!(NAME + MAX_CURSOR_NAME <= SLOT && GENERATION.end() <= NAME);

/// The bits of a position's word that hold its generation. Frames begin at multiples of 32, so a position does not need
/// them.
const TAG: i64 = FRAME_ALIGNMENT as i64 - 1;

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
    /// [`JournalError::Options`] if the name is empty or too long, or if there are too many cursors. Otherwise an error
    /// of the operating system.
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
        let slot = match find(view, name) {
            Some(slot) => slot,
            None => {
                let free = slots().find(|&slot| view.word(IN_USE.from(slot)).load_relaxed() == 0);
                let Some(slot) = free else {
                    let what = format!("more than {MAX_CURSORS} cursors");
                    return Err(JournalError::Options { what, expected: "remove one that nobody needs" });
                };
                view.put_bytes(slot + NAME, name.as_bytes());
                view.word(NAME_LENGTH.from(slot)).store_relaxed(name.len() as i32);
                let word = tagged(self.start_position(), view.word(GENERATION.from(slot)).load_relaxed());
                view.word(POSITION.from(slot)).store_relaxed(word);
                view.word(MOVED.from(slot)).store_relaxed(SystemClock.epoch().get());
                // ORDERING(journal.cursor): Release. Pairs with the Acquire load in `info`; publishes the name and the
                // position.
                view.word(IN_USE.from(slot)).store_release(1);
                slot
            }
        };
        Ok(Cursor::new(stored, slot, name, descriptor))
    }

    /// All cursors, in no particular order.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn cursors(&self) -> Result<Vec<CursorInfo>, JournalError> {
        let stored = open(&*self.storage, self.descriptor(), FileAccess::ReadOnly)?;
        Ok(stored.map(|stored| slots().filter_map(|slot| info(stored.view(), slot)).collect()).unwrap_or_default())
    }

    /// Moves a cursor to where a tailer would start, waits until that is on stable storage, and returns the position.
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
        // Pruning needs this lock, too, so nothing is pruned between finding the position and moving the cursor.
        let _lock = lock(&*self.storage, self.descriptor())?;
        let mut cursor = self.existing(name)?;
        let position = self.tailer(to)?.position();
        cursor.move_to(position)?;
        cursor.sync()?;
        Ok(position)
    }

    /// Removes a cursor, and waits until that is on stable storage. A consumer that has the cursor open cannot move it
    /// any more.
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
        let slot = find(stored.view(), name).ok_or_else(unknown)?;
        Ok(Cursor::new(stored, slot, name, self.descriptor()))
    }
}

impl Cursor {
    /// The cursor in a slot. The caller holds the cursors' lock.
    fn new(stored: Stored, slot: usize, name: &str, descriptor: &RecordingDescriptor) -> Self {
        let view = stored.view();
        let generation = view.own(GENERATION.from(slot));
        Self {
            position: view.own(POSITION.from(slot)),
            // The lock is held, so the cursor cannot be removed meanwhile.
            seen: place(view, slot),
            generations: (generation.clone(), generation.load_relaxed()),
            slot,
            name: name.to_owned(),
            start: descriptor.start_position,
            end: descriptor.term_length.max_position(),
            recording_id: descriptor.recording_id,
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
        let position = if self.is_there() { found } else { self.seen };
        // The file is untrusted.
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
        if self.stored.is_intact() {
            return Ok(());
        }
        let found = super::error::Fault::CUT_SHORT.to_string();
        Err(JournalError::Malformed { path: file_name(self.recording_id).into(), offset: self.slot as u64, found })
    }

    /// Waits until the cursor's position is on stable storage.
    ///
    /// # Errors
    ///
    /// [`JournalError::UnknownCursor`] once the cursor was removed, or an error of the operating system.
    pub fn sync(&self) -> Result<(), JournalError> {
        if self.is_there() { self.sync_slot() } else { Err(unknown(self.recording_id, &self.name)) }
    }

    /// Whether the slot still belongs to this cursor. Checked after its position was loaded.
    fn is_there(&self) -> bool {
        self.generations.0.load_relaxed() == self.generations.1
    }

    fn sync_slot(&self) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "sync", path: file_name(self.recording_id).into(), source };
        self.stored.sync(self.slot, SLOT).map_err(failed)
    }
}

/// Moves cursors that are beyond the end back to it, on stable storage, and returns them. Messages appended at the end
/// from now on are new to their consumers.
pub(crate) fn rewind_to(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    end: Position,
) -> Result<Vec<RewoundCursor>, JournalError> {
    let _lock = lock(storage, descriptor)?;
    let stored = match open(storage, descriptor, FileAccess::ReadWrite) {
        Ok(Some(stored)) => stored,
        // A process that opens a cursor of such a file gets the error. Appenders do not need cursors.
        Ok(None) | Err(JournalError::Malformed { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut rewound = Vec::new();
    for slot in slots() {
        let Some(info) = info(stored.view(), slot).filter(|info| info.position > end) else { continue };
        let generation = stored.view().word(GENERATION.from(slot)).load_relaxed();
        // ORDERING(journal.cursor): Release. Pairs with the Acquire loads of the position, as in `move_to`.
        stored.view().word(POSITION.from(slot)).store_release(tagged(end, generation));
        rewound.push(RewoundCursor { name: info.name, from: info.position });
    }
    if !rewound.is_empty() {
        let path = storage.path(&file_name(descriptor.recording_id));
        stored.sync(0, FILE_LENGTH).map_err(|source| JournalError::Io { action: "sync", path, source })?;
    }
    Ok(rewound)
}

fn file_name(recording_id: RecordingId) -> String {
    format!("{recording_id}.cursors")
}

fn slots() -> impl Iterator<Item = usize> {
    (1..=MAX_CURSORS).map(|slot| slot * SLOT)
}

fn find(view: &AtomicBuffer, name: &str) -> Option<usize> {
    slots().find(|&slot| info(view, slot).is_some_and(|info| info.name == name))
}

/// The word for a position and a generation.
fn tagged(position: Position, generation: i64) -> i64 {
    position.get() | generation & TAG
}

/// The position in a slot.
fn place(view: &AtomicBuffer, slot: usize) -> Position {
    // ORDERING(journal.cursor): Acquire. Pairs with the Release stores of `move_to` and `remove_cursor`.
    Position::new(view.word(POSITION.from(slot)).load_acquire() & !TAG)
}

fn unknown(recording_id: RecordingId, name: &str) -> JournalError {
    JournalError::UnknownCursor { recording_id, name: name.to_owned() }
}

/// The content of a slot, if it is in use.
fn info(view: &AtomicBuffer, slot: usize) -> Option<CursorInfo> {
    // ORDERING(journal.cursor): Acquire. Pairs with the Release store in `cursor`.
    if view.word(IN_USE.from(slot)).load_acquire() != 1 {
        return None;
    }
    let length = usize::try_from(view.word(NAME_LENGTH.from(slot)).load_relaxed()).ok()?;
    let mut name = vec![0; Some(length).filter(|length| (1..=MAX_CURSOR_NAME).contains(length))?];
    view.get_bytes(slot + NAME, &mut name);
    Some(CursorInfo {
        name: String::from_utf8(name).ok()?,
        position: place(view, slot),
        moved: EpochMillis::new(view.word(MOVED.from(slot)).load_relaxed()),
    })
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
    let is_untagged = UNTAGGED.is_in(view, descriptor.recording_id);
    if !is_untagged && !PREAMBLE.is_in(view, descriptor.recording_id) {
        let version = preamble::version(view);
        let found = format!("it has version {version}, and is not the cursors of this recording");
        return Err(JournalError::Malformed { path: storage.path(&name), offset: 0, found });
    }
    if is_untagged && access == FileAccess::ReadWrite {
        // The rest of the layout is the same.
        PREAMBLE.write_version(view);
        let failed = |source| JournalError::Io { action: "sync", path: storage.path(&name), source };
        stored.sync(0, SLOT).map_err(failed)?;
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
