//! Why a journal could not be opened, read or written: what was attempted on which file, what was found, what was
//! expected, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::memory::MapError;
use crate::types::{Position, RecordingId};

pub use super::fault::{Damage, Fault};

/// Why something could not be done with a journal's files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file could not be created, reserved or mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The directory has no catalog.
    #[error("{} is not a journal: it has no archive.catalog; name the right directory", path.display())]
    NotAJournal {
        /// The directory.
        path: PathBuf,
    },
    /// There are files of a recording that no catalog tells of. A new recording would take them for its own.
    #[error(
        "{} is there, and no archive.catalog tells of its recording: run `gannet journal repair {}`, or name another directory",
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
    #[error("{} has no recording {recording_id}", path.display())]
    UnknownRecording {
        /// The directory.
        path: PathBuf,
        /// The recording asked for.
        recording_id: RecordingId,
    },
    /// A file says something that it cannot say.
    #[error("{} is damaged at byte {offset}: {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is there, and what should be.
        found: String,
    },
    /// An option is out of its range, or does not go with another.
    #[error("a journal cannot have {what}: {expected}")]
    Options {
        /// What was asked for.
        what: String,
        /// What is possible.
        expected: &'static str,
    },
    /// The recording's frames are damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The position is not one of this recording, or not the start of a frame.
    #[error("recording {recording_id} cannot be read from {position}: {reason}")]
    Position {
        /// The recording.
        recording_id: RecordingId,
        /// The position asked for.
        position: Position,
        /// Why not, and which positions there are.
        reason: String,
    },
    /// What was asked for is not in the recording any more: it was pruned, or the recording never had it.
    #[error(
        "recording {recording_id} does not have {what} {asked} any more: it begins at position {earliest}; go on from there"
    )]
    Pruned {
        /// The recording.
        recording_id: RecordingId,
        /// What was asked for: a position, or a message's number.
        what: &'static str,
        /// Which.
        asked: i64,
        /// Where the recording begins now: [`Start::Begin`](super::Start::Begin) goes there.
        earliest: Position,
    },
    /// An Aeron archive runs in the directory.
    #[error("{} says that an archive runs in this directory, process {pid}: end it first; reading is possible meanwhile", path.display())]
    ArchiveRunning {
        /// The archive's mark file.
        path: PathBuf,
        /// The archive's process, as it says.
        pid: i64,
    },
    /// Somebody has the journal open for writing, or records into it.
    #[error("recording {recording_id} of {} is in use: close the journal, or its recorder, everywhere first", path.display())]
    InUse {
        /// The recording.
        recording_id: RecordingId,
        /// The directory.
        path: PathBuf,
    },
    /// The recording's writers were killed, and nobody has seen to that yet.
    #[error(
        "recording {recording_id} was not closed, and nobody has it open: open the journal for writing, or repair it"
    )]
    Recover {
        /// The recording.
        recording_id: RecordingId,
    },
    /// As many appenders as there may be.
    #[error("recording {recording_id} has {limit} appenders already, in this process and others: drop one first")]
    TooManyAppenders {
        /// The recording.
        recording_id: RecordingId,
        /// How many there may be.
        limit: usize,
    },
    /// Somebody has claimed a message and neither committed nor dropped the claim, for half a minute.
    #[error("recording {recording_id} has a claim at {position} that nobody commits: drop it, or its appender")]
    Uncommitted {
        /// The recording.
        recording_id: RecordingId,
        /// Where the claim begins.
        position: Position,
    },
    /// There is an exclusive appender, or one that stands in the way of an exclusive one.
    #[error(
        "recording {recording_id} has {} appender of process {pid}, in this process or another: drop it first",
        if *exclusively { "an exclusive" } else { "an" }
    )]
    AppendedTo {
        /// The recording.
        recording_id: RecordingId,
        /// The process of the appender that is in the way; 0 if that has not said so yet, or is just going.
        pid: i64,
        /// Whether it is an exclusive one, and not one that is in the way of an exclusive one.
        exclusively: bool,
    },
    /// The recording cannot be gone on with by that stream.
    #[error("recording {recording_id} cannot be extended by this stream: its {what} is {found}, expected {expected}")]
    Extension {
        /// The recording.
        recording_id: RecordingId,
        /// What of the stream.
        what: &'static str,
        /// What it is.
        found: i64,
        /// What it should be.
        expected: i64,
    },
    /// The stream that is recorded holds something that is no frame of it.
    #[error("the stream is broken at position {position}: {fault}")]
    Stream {
        /// Where.
        position: Position,
        /// What is wrong there.
        fault: Fault,
    },
    /// The journal cannot be appended to any more.
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
    /// The recording's policy says that segments go, and a cursor needs them. They stay.
    #[error(
        "recording {recording_id} is pruned no further than its policy says: its cursor {cursor:?} is at {position}; have its consumer \
         go on, move it, or remove it"
    )]
    HeldBack {
        /// The recording.
        recording_id: RecordingId,
        /// The cursor's name.
        cursor: String,
        /// Where it is.
        position: Position,
    },
    /// Nobody kept when what of the recording was appended or recorded.
    #[error("recording {recording_id} does not say when its messages came: choose by position or number instead")]
    NoTimes {
        /// The recording.
        recording_id: RecordingId,
    },
    /// No cursor of that name, or not any more.
    #[error("recording {recording_id} has no cursor {name:?}, or it was removed: open it to have it made")]
    UnknownCursor {
        /// The recording.
        recording_id: RecordingId,
        /// The name asked for.
        name: String,
    },
}

/// Why a message was not appended. Unless it says otherwise, nothing of the message was appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The message is longer than this operation can carry.
    #[error("a message of {length} bytes is longer than the {max} that fit")]
    MessageTooLong {
        /// The message's length in bytes.
        length: usize,
        /// The greatest length in bytes.
        max: usize,
    },
    /// There was no next segment to append to, for example because the file system is full.
    #[error("nothing can be appended: {0}")]
    Segment(#[source] Box<JournalError>),
    /// The message is in the journal and can be read, but could not be put on stable storage.
    #[error("appended up to {position}, but not known to be on stable storage: {source}")]
    NotDurable {
        /// The position after the message.
        position: Position,
        /// What stands in the way.
        source: Box<JournalError>,
    },
}
