//! Why a journal could not be opened, read or written: what was attempted on which file, what was found, what was
//! expected, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::memory::MapError;
use crate::types::{Position, RecordingId};

pub use super::fault::{Damage, Fault};

/// What is wrong with a catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at byte {offset}: {found}", path.display())]
pub struct CatalogFault {
    /// The catalog.
    pub path: PathBuf,
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// What was found there, and what was expected.
    pub found: String,
}

/// Why an operation on a journal's files failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file could not be created, reserved or mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The operating system reported an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The directory has no catalog.
    #[error("{} is not a journal: it has no archive.catalog; name the right directory", path.display())]
    NotAJournal {
        /// The directory.
        path: PathBuf,
    },
    /// The directory has files of a recording that no catalog lists. A new recording would use them as its own.
    #[error(
        "{} is there, and no archive.catalog tells of its recording: run `gannet journal repair --dir {}`, or name another directory",
        file.display(), dir.display()
    )]
    Unlisted {
        /// The file.
        file: PathBuf,
        /// The directory.
        dir: PathBuf,
    },
    /// The directory has a catalog already.
    #[error("cannot create a journal in {}: it has an archive.catalog already; open that one", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The catalog does not have the recording.
    #[error("{} has no recording {recording_id}: `gannet journal ls` lists those that it has", path.display())]
    UnknownRecording {
        /// The directory.
        path: PathBuf,
        /// The requested recording.
        recording_id: RecordingId,
    },
    /// The directory has another recording of this id than when it was opened.
    #[error("recording {recording_id} of {} is not the one that was opened, somebody replaced it: open it again", path.display())]
    Replaced {
        /// The directory.
        path: PathBuf,
        /// The recording's id.
        recording_id: RecordingId,
    },
    /// The catalog has invalid content.
    #[error("{fault}; run `gannet journal repair --dir {}`", dir.display())]
    Catalog {
        /// The directory.
        dir: PathBuf,
        /// The place in the catalog, what was found there, and what was expected.
        fault: CatalogFault,
    },
    /// A file has invalid content.
    #[error("{} is damaged at byte {offset}: {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The offset in the file, in bytes.
        offset: u64,
        /// What was found there, and what was expected.
        found: String,
    },
    /// An option is out of range, or conflicts with another.
    #[error("a journal cannot have {what}: {expected}")]
    Options {
        /// The option as given.
        what: String,
        /// The accepted values.
        expected: &'static str,
    },
    /// The recording's frames are damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The machine was restarted before this part of the recording was on stable storage, and not all of it is there.
    /// The recording can be read up to here. Recovery, which has not been done since, makes it end here.
    #[error(
        "recording {recording_id} lost its end when the machine was restarted, from here on: {lost}; what is before is \
         whole; open the journal for writing, or run `gannet journal repair`, and it ends there"
    )]
    NotDurable {
        /// The recording.
        recording_id: RecordingId,
        /// What is missing first.
        lost: Damage,
    },
    /// The machine was restarted before this part of the recording was on stable storage, and nobody has recovered the
    /// recording since. Only its present checksums tell which frames are whole.
    #[error(
        "recording {recording_id} has not been recovered since the machine was restarted: only its present checksums tell which \
         frames are whole, from position {from} on; first open the journal for writing, or run `gannet journal repair`"
    )]
    NotRecovered {
        /// The recording.
        recording_id: RecordingId,
        /// The position up to which it certainly was on stable storage.
        from: Position,
    },
    /// The position is not in this recording, or no frame begins there.
    #[error("recording {recording_id} cannot be read from {position}: {reason}")]
    Position {
        /// The recording.
        recording_id: RecordingId,
        /// The requested position.
        position: Position,
        /// Why the position is invalid, and which positions are valid.
        reason: String,
    },
    /// The requested place was pruned, or was never in the recording.
    #[error(
        "recording {recording_id} does not have {what} {asked} any more: it begins at position {earliest}; go on from there"
    )]
    Pruned {
        /// The recording.
        recording_id: RecordingId,
        /// What was requested: a position, or a message's sequence number.
        what: &'static str,
        /// The requested number.
        asked: i64,
        /// The position at which the recording begins now. [`Start::Begin`](super::Start::Begin) goes there.
        earliest: Position,
    },
    /// An Aeron archive is running in the directory.
    #[error("{} says that an archive runs in this directory, process {pid}: end it first; reading is possible meanwhile", path.display())]
    ArchiveRunning {
        /// The archive's mark file.
        path: PathBuf,
        /// The archive's process id, from the mark file.
        pid: i64,
    },
    /// A process has the journal open for writing, or records into it.
    #[error("recording {recording_id} of {} is in use: close the journal, or its recorder, everywhere first", path.display())]
    InUse {
        /// The recording.
        recording_id: RecordingId,
        /// The directory.
        path: PathBuf,
    },
    /// The recording's writers were killed, and the recording has not been recovered since.
    #[error(
        "recording {recording_id} was not closed, and nobody has it open: open the journal for writing, or repair it"
    )]
    Recover {
        /// The recording.
        recording_id: RecordingId,
    },
    /// All appenders of the recording are in use.
    #[error("recording {recording_id} has {limit} appenders already, in this process and others: drop one first")]
    TooManyAppenders {
        /// The recording.
        recording_id: RecordingId,
        /// The number of appenders that are possible.
        limit: usize,
    },
    /// A claim has been open for half a minute: neither committed nor dropped.
    #[error("recording {recording_id} has a claim at {position} that nobody commits: drop it, or its appender")]
    Uncommitted {
        /// The recording.
        recording_id: RecordingId,
        /// The position at which the claim begins.
        position: Position,
    },
    /// There is an exclusive appender, or there is another appender and an exclusive one was requested.
    #[error(
        "recording {recording_id} has {} appender of process {pid}, in this process or another: drop it first",
        if *exclusively { "an exclusive" } else { "an" }
    )]
    AppendedTo {
        /// The recording.
        recording_id: RecordingId,
        /// The process id of the other appender. 0 if it has not stored its id yet, or is closing.
        pid: i64,
        /// Whether the other appender is exclusive.
        exclusively: bool,
    },
    /// The stream cannot extend the recording.
    #[error("recording {recording_id} cannot be extended by this stream: its {what} is {found}, expected {expected}")]
    Extension {
        /// The recording.
        recording_id: RecordingId,
        /// The property of the stream that does not match.
        what: &'static str,
        /// The stream's value.
        found: i64,
        /// The recording's value.
        expected: i64,
    },
    /// The recorded stream has invalid frames.
    #[error("the stream is broken at position {position}: {fault}")]
    Stream {
        /// The position of the fault.
        position: Position,
        /// What is wrong there.
        fault: Fault,
    },
    /// The journal has reached its maximum position. Nothing can be appended any more.
    #[error("recording {recording_id} has used up its positions: start a new recording")]
    MaxPosition {
        /// The recording.
        recording_id: RecordingId,
    },
    /// The journal's helper thread could not be started.
    #[error("cannot start the journal's helper thread: {0}; raise the thread limit")]
    Thread(#[source] io::Error),
    /// The journal does not roll by time of day.
    #[error("recording {recording_id} does not roll by time of day, so it has no cycles: begin at a time instead")]
    NoCycles {
        /// The recording.
        recording_id: RecordingId,
    },
    /// The retention policy would prune segments that a cursor still needs. They are kept.
    #[error(
        "recording {recording_id} is pruned no further than its policy says: its cursor {cursor:?} is at {position}; have its consumer \
         go on, move it, or remove it"
    )]
    HeldBack {
        /// The recording.
        recording_id: RecordingId,
        /// The cursor's name.
        cursor: String,
        /// The cursor's position.
        position: Position,
    },
    /// The recording has no times of its messages.
    #[error("recording {recording_id} does not say when its messages came: choose by position or number instead")]
    NoTimes {
        /// The recording.
        recording_id: RecordingId,
    },
    /// There is no cursor of that name, or it was removed.
    #[error(
        "recording {recording_id} has no cursor {name:?}, or it was removed: `gannet journal cursors ls` lists those that it has, `Recording::cursor` makes one"
    )]
    UnknownCursor {
        /// The recording.
        recording_id: RecordingId,
        /// The requested name.
        name: String,
    },
}

/// Why a message was not appended. Unless the variant says otherwise, nothing of the message was appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The message is longer than this operation allows.
    #[error("a message of {length} bytes is longer than the {max} that fit")]
    MessageTooLong {
        /// The message's length in bytes.
        length: usize,
        /// The maximum length in bytes.
        max: usize,
    },
    /// A batch without messages.
    #[error("a batch needs at least one message")]
    EmptyBatch,
    /// The messages of a batch are longer together than this operation allows.
    #[error("a batch of {length} bytes, headers included, is longer than the {max} that fit")]
    BatchTooLong {
        /// Bytes that the messages with their headers occupy.
        length: usize,
        /// The maximum.
        max: usize,
    },
    /// There was no next segment, for example because the file system is full.
    #[error("nothing can be appended: {0}")]
    Segment(#[source] Box<JournalError>),
    /// The message was appended and can be read, but could not be synced to stable storage.
    #[error("appended up to {position}, but not known to be on stable storage: {source}")]
    NotDurable {
        /// The position after the message.
        position: Position,
        /// Why it could not be synced.
        source: Box<JournalError>,
    },
}
