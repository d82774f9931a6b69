//! A journal opened for writing. It makes the files of a new journal, recovers one that was not closed, and closes it.
//! The application holds it as long as it appends.

use std::sync::Arc;

use crate::agent::{Agent, AgentRunner};
use crate::memory::FileAccess;
use crate::time::{Clock, SystemClock};
use crate::types::{Position, RecordingId};

use super::appender::{Appender, ExclusiveAppender};
use super::catalog::{Catalog, CatalogEntry};
use super::control::{Chosen, Control};
use super::creation::{begin, empty_catalog};
use super::cursor::rewind_to;
use super::descriptor::RecordingDescriptor;
use super::entry_copy::{keep_entry, kept_entry};
use super::error::JournalError;
use super::idle::idle_strategy;
use super::keeper::{Keeper, roll_if_due};
use super::locks::{lock_opening, lock_writing, open_lock_name, prune_lock_name, wait_for_lock};
use super::making::left_by_makers;
use super::mark::Mark;
use super::options::{JournalOptions, SyncPolicy};
use super::prune::{Prune, finish as finish_pruning, prune_open};
use super::pruned::Pruned;
use super::recording::Recording;
use super::recovery::{LeftBy, RecoveryReport, known_positions, pad_claims, recover};
use super::retention::{Retention, RetentionFile};
use super::segment::parse_segment_name;
use super::sidecar::Sidecar;
use super::storage::{Directory, Lock, Share, Storage};
use super::writer::{Held, Writer};

/// A journal that is open for writing. Any number of processes can have it open. Each creates [`Appender`]s for its
/// threads.
///
/// ```
/// use gannet::journal::{Journal, JournalOptions, Start};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let options = JournalOptions::new().segment_length(1 << 20).term_length(1 << 20);
/// let journal = Journal::create(dir, &options)?;
/// let mut appender = journal.appender()?;
/// appender.append(b"hello")?;
///
/// let mut tailer = journal.recording()?.tailer(Start::Begin)?;
/// let record = tailer.next()?.expect("it was appended");
/// assert_eq!((record.sequence(), record.payload()), (Some(0), &b"hello"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A journal has threads of its own: one starts with the journal, another with its first appender. They inherit the CPU
/// affinity of the thread that starts them. If a thread is to have a core to itself, open the journal and create an
/// appender before you pin the thread. Otherwise its appends wait whenever one of the journal's threads runs.
#[derive(Debug)]
pub struct Journal {
    writer: Arc<Writer>,
    report: RecoveryReport,
    /// Present until the journal is closed.
    keeper: Option<AgentRunner>,
}

impl Journal {
    /// Creates a journal in a directory. The directory is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exists`] if the directory has a journal. [`JournalError::Unlisted`] if it has segments of a
    /// journal whose catalog is missing. [`JournalError::Options`]. Otherwise an error of the operating system.
    pub fn create(dir: impl Into<std::path::PathBuf>, options: &JournalOptions) -> Result<Self, JournalError> {
        options.lengths()?;
        Self::create_in(Arc::new(Directory::make(dir)?), options)
    }

    /// Opens a directory's journal: the last recording. Its sync policy does not change.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotAJournal`] if there is no journal, or what is wrong with the journal.
    pub fn open(dir: impl Into<std::path::PathBuf>) -> Result<Self, JournalError> {
        Self::open_in(Arc::new(Directory::at(dir)), None)
    }

    /// Opens a directory's journal, or creates one.
    ///
    /// # Errors
    ///
    /// As [`Self::create`] and [`Self::open`].
    pub fn open_or_create(dir: impl Into<std::path::PathBuf>, options: &JournalOptions) -> Result<Self, JournalError> {
        options.lengths()?;
        Self::open_or_create_in(Arc::new(Directory::make(dir)?), options)
    }

    /// Opens the journal of any storage, or creates one.
    ///
    /// # Errors
    ///
    /// As [`Self::create`] and [`Self::open`].
    pub fn open_or_create_in(storage: Arc<dyn Storage>, options: &JournalOptions) -> Result<Self, JournalError> {
        match Self::create_in(Arc::clone(&storage), options) {
            Err(JournalError::Exists { .. }) => {
                let journal = Self::open_in(storage, None)?;
                journal.set_sync_policy(options.sync);
                if !options.retention.keeps_everything() {
                    journal.set_retention(&options.retention)?;
                }
                Ok(journal)
            }
            other => other,
        }
    }

    /// Creates a journal in any storage.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    pub fn create_in(storage: Arc<dyn Storage>, options: &JournalOptions) -> Result<Self, JournalError> {
        let (term_length, segment_length, mtu) = options.lengths()?;
        let opening = lock_writing(&*storage)?;
        let catalog = empty_catalog(&*storage)?;
        let descriptor = RecordingDescriptor {
            control_session_id: 0,
            correlation_id: 0,
            recording_id: RecordingId::new(0),
            start_timestamp: SystemClock.epoch(),
            stop_timestamp: None,
            start_position: options.start_position,
            stop_position: None,
            initial_term_id: options.initial_term_id,
            segment_length,
            term_length,
            mtu,
            session_id: options.session_id,
            stream_id: options.stream_id,
            stripped_channel: options.channel.clone(),
            original_channel: options.channel.clone(),
            source_identity: "gannet-journal".to_owned(),
        };
        let chosen = Chosen { stamps: options.stamps, sync: options.sync, roll: options.roll, cycle: 0 };
        let entry = begin(&*storage, catalog, descriptor, &chosen, &options.retention)?;
        Self::start(storage, &entry, Share::Shared, &opening)
    }

    /// Opens a journal of any storage: the recording with that id, or the last one.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_in(storage: Arc<dyn Storage>, recording_id: Option<RecordingId>) -> Result<Self, JournalError> {
        // Checked first, so that nothing is created in a directory without a journal.
        drop(Catalog::open(&*storage, FileAccess::ReadWrite)?);
        let opening = lock_writing(&*storage)?;
        let (_, entry) = Catalog::open_entry(&*storage, FileAccess::ReadWrite, recording_id)?;
        Self::start(storage, &entry, Share::Shared, &opening)
    }

    /// Recovers the recording if no other process has it open. Otherwise joins the other processes, if all share it.
    /// The caller holds `opening`.
    pub(super) fn start(
        storage: Arc<dyn Storage>,
        entry: &CatalogEntry,
        share: Share,
        opening: &Lock,
    ) -> Result<Self, JournalError> {
        let recording_id = entry.descriptor.recording_id;
        let name = open_lock_name(recording_id);
        let in_use = || JournalError::InUse { path: storage.path(""), recording_id };
        let alone = storage.try_lock(&name, Share::Exclusive)?;
        let mark = Mark::claim(&*storage, opening)?;
        let (writer, report) = match (&alone, share) {
            (Some(_), _) => recovered(&storage, entry)?,
            (None, Share::Shared) => {
                // Checked before any of its files is opened: whether an exclusive user has the recording open.
                drop(storage.try_lock(&name, Share::Shared)?.ok_or_else(in_use)?);
                joined(&storage, entry)?
            }
            (None, Share::Exclusive) => return Err(in_use()),
        };
        let is_first = alone.is_some();
        let open = match (alone, share) {
            (Some(alone), Share::Exclusive) => alone,
            (alone, _) => {
                drop(alone);
                storage.try_lock(&name, Share::Shared)?.ok_or_else(in_use)?
            }
        };
        let writer = Arc::new(writer);
        // The first appends then find their segments prepared.
        if let Err(error) = writer.prepare() {
            if is_first {
                // No other process can have it open yet, so the recording ends where it did, and can be pruned on a full
                // disk. Best effort: the next process that opens it finds the end, too.
                let stop = Some((report.end, SystemClock.epoch()));
                let _ = Catalog::open(&*storage, FileAccess::ReadWrite).and_then(|all| all.set_stop(entry, stop));
                let _ = mark.release(&*storage, opening);
            }
            return Err(error);
        }
        if is_first {
            // A cycle may have begun while no process had the journal open.
            roll_if_due(&writer)?;
        }
        let keeper = Keeper::new(Arc::clone(&writer), mark.pulse());
        writer.hold(Held { open, mark });
        let keeper = AgentRunner::start(keeper, idle_strategy(), || {}).map_err(JournalError::Thread)?;
        Ok(Self { writer, report, keeper: Some(keeper) })
    }

    /// Recovers a recording that nobody has open, completes its index, and ends it, for a repair. Makes no segment for more
    /// appends, for which a full disk may have no room.
    pub(super) fn recover_in(
        storage: Arc<dyn Storage>,
        recording_id: RecordingId,
    ) -> Result<RecoveryReport, JournalError> {
        let opening = lock_writing(&*storage)?;
        let (_, entry) = Catalog::open_entry(&*storage, FileAccess::ReadWrite, Some(recording_id))?;
        let in_use = || JournalError::InUse { path: storage.path(""), recording_id };
        let alone = storage.try_lock(&open_lock_name(recording_id), Share::Exclusive)?.ok_or_else(in_use)?;
        let mark = Mark::claim(&*storage, &opening)?;
        let (writer, report) = recovered(&storage, &entry)?;
        // Nobody else takes it, for want of the other lock.
        drop(alone);
        let journal = Self { writer: Arc::new(writer), report, keeper: None };
        let ended = journal.end(true, &mark);
        mark.release(&*storage, &opening).and(ended)?;
        match journal.trouble() {
            Some(trouble) if journal.indexed() < journal.report.end => Err(trouble),
            _ => Ok(journal.report.clone()),
        }
    }

    /// The state that the journal's handles share.
    pub(super) fn writer(&self) -> &Arc<Writer> {
        &self.writer
    }

    /// Creates an appender for one thread.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooManyAppenders`]. [`JournalError::AppendedTo`] while there is an exclusive appender. Otherwise
    /// an error of the operating system.
    pub fn appender(&self) -> Result<Appender, JournalError> {
        Appender::new(&self.writer)
    }

    /// Creates the only appender of the journal, for one thread. No other appender, of any process, can exist beside
    /// it. It is faster than a shared one.
    ///
    /// ```
    /// # use gannet::journal::{Journal, JournalError, JournalOptions};
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let journal = Journal::create(dir, &JournalOptions::new().segment_length(1 << 20).term_length(1 << 20))?;
    /// let mut appender = journal.exclusive_appender()?;
    /// appender.append(b"alone")?;
    /// let error = journal.appender().unwrap_err();
    /// let pid = i64::from(std::process::id());
    /// assert!(matches!(error, JournalError::AppendedTo { pid: found, exclusively: true, .. } if found == pid));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`JournalError::AppendedTo`] while there is another appender. Otherwise an error of the operating system.
    pub fn exclusive_appender(&self) -> Result<ExclusiveAppender, JournalError> {
        ExclusiveAppender::new(&self.writer)
    }

    /// Opens the recording for reading.
    ///
    /// # Errors
    ///
    /// As [`Recording::open_in`].
    pub fn recording(&self) -> Result<Recording, JournalError> {
        Recording::open_in(Arc::clone(&self.writer.storage), Some(self.writer.descriptor.recording_id))
    }

    /// The recording's descriptor as it was when the journal was opened.
    pub fn descriptor(&self) -> &RecordingDescriptor {
        &self.writer.descriptor
    }

    /// What recovery found and did when the journal was opened.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.report
    }

    /// The position of the next append. Everything below has been claimed.
    pub fn tail(&self) -> Position {
        Position::new(self.writer.control.tail().load_relaxed())
    }

    /// The position up to which segments are created and mapped in this process. Appends below it make no system call
    /// and allocate nothing. The helper thread keeps it one segment ahead of the tail.
    pub fn prepared(&self) -> Position {
        self.writer.prepared()
    }

    /// The position up to which the journal can be read. Everything below was appended, without gaps. The value comes
    /// from the frames themselves, so it does not depend on the helper thread.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if appended frames were overwritten.
    pub fn recorded(&self) -> Result<Position, JournalError> {
        self.writer.advance()
    }

    /// The position up to which the journal is on stable storage.
    pub fn durable(&self) -> Position {
        self.writer.control.durable_position()
    }

    /// The position up to which the sidecar files, with checksums and the index of sequence numbers and times, are
    /// complete.
    pub fn indexed(&self) -> Position {
        self.writer.control.indexed_position()
    }

    /// Waits until all appended messages are on stable storage. Returns the position up to which they are.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn sync(&self) -> Result<Position, JournalError> {
        self.writer.sync()
    }

    /// When messages are synced to stable storage.
    pub fn sync_policy(&self) -> SyncPolicy {
        self.writer.control.sync_policy()
    }

    /// Sets when messages are synced to stable storage, for all appenders of all processes.
    pub fn set_sync_policy(&self, policy: SyncPolicy) {
        self.writer.control.set_sync_policy(policy);
    }

    /// Prunes the recording. See [`Prune`]. Appends, of this process and others, do not wait for it.
    ///
    /// # Errors
    ///
    /// An error of the operating system. Segments pruned before the error stay pruned.
    pub fn prune(&self, request: &Prune) -> Result<Pruned, JournalError> {
        prune_open(&self.recording()?, request)
    }

    /// Sets the retention policy, for every process that has the journal open now or later. The helper thread prunes
    /// according to it, except messages that a named cursor has not read. A policy without limits keeps everything.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn set_retention(&self, policy: &Retention) -> Result<(), JournalError> {
        let (storage, id) = (&*self.writer.storage, self.writer.descriptor.recording_id);
        let _lock = wait_for_lock(storage, &prune_lock_name(id))?;
        let file = match RetentionFile::open_or_create(storage, id) {
            // The policy in it is lost, and this is the next one.
            Err(JournalError::Malformed { .. }) => RetentionFile::create(storage, id),
            file => file,
        };
        file?.set_policy(storage, policy)
    }

    /// The helper thread's last failure since the previous call, for example a failed sync, or a segment that could not
    /// be created on a full disk. The thread keeps trying. It also reports each cursor that holds back pruning once,
    /// with [`JournalError::HeldBack`]. [`Recording::held_back`] returns the current state.
    pub fn trouble(&self) -> Option<JournalError> {
        self.writer.take_trouble()
    }

    /// Closes the journal. The last handle to close waits until everything is on stable storage, and writes the
    /// recording's stop position into the catalog. Dropping a journal does the same, but reports no failures.
    ///
    /// Drop appenders first. An [`Appender`] that still exists keeps working, and keeps the recording open. The next
    /// process that opens the journal joins the recording, and recovers it only when that appender is gone. Without the
    /// helper thread, the appender creates its segments itself, and after ten seconds an archive can use the directory.
    ///
    /// # Errors
    ///
    /// An error of the operating system. The journal is closed nevertheless, and the appended messages remain.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.finish(true, lock_opening)
    }

    /// As [`Self::close`], for callers that do not wait for the lock of opening: they have it, or the reason why not. If
    /// `syncs` is not set, syncs only what the sync policy requires. After a loss of power, recovery finds what is left.
    pub(super) fn close_under(mut self, opening: Result<Lock, JournalError>, syncs: bool) -> Result<(), JournalError> {
        self.finish(syncs, |_| opening)
    }

    fn finish(
        &mut self,
        syncs: bool,
        lock: impl FnOnce(&dyn Storage) -> Result<Lock, JournalError>,
    ) -> Result<(), JournalError> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        // A panic of the thread is a bug. Its own message has reported it.
        let _ = keeper.close();
        let storage = &self.writer.storage;
        // Appenders may still exist. They keep the recording open; it then ends as if they had been killed.
        if Arc::strong_count(&self.writer) > 1 {
            return Ok(());
        }
        let opening = lock(&**storage);
        let Some(Held { open, mark }) = self.writer.release() else { return Ok(()) };
        drop(open);
        let opening = opening?;
        let outcome = self.end(syncs, &mark);
        // Done even if the end could not be stored, because nobody writes any more.
        let released = mark.release(&**storage, &opening);
        outcome.and(released)
    }

    /// Stores the end of the recording, if no other process has it open.
    fn end(&self, syncs: bool, mark: &Mark) -> Result<(), JournalError> {
        let storage = &self.writer.storage;
        let descriptor = &self.writer.descriptor;
        let Some(_alone) = storage.try_lock(&open_lock_name(descriptor.recording_id), Share::Exclusive)? else {
            return Ok(());
        };
        if self.writer.control.indexed_position().get() < self.writer.control.tail().load_acquire() {
            // The process that kept the index closed the journal before the last appends.
            Keeper::new(Arc::clone(&self.writer), mark.pulse()).on_close();
        }
        let recorded = self.writer.advance()?;
        if recorded.get() != self.writer.control.tail().load_acquire() {
            return Ok(());
        }
        self.writer.name_segments(recorded)?;
        // A full disk may have no room for it. The recording ends there nevertheless, so that it can be pruned, and whoever
        // opens it makes the segment.
        let _ = self.writer.name_last(recorded);
        // As long as the catalog and the control page agree on the end, the next process relies on everything before
        // it.
        if syncs || self.writer.control.sync_policy() != SyncPolicy::None {
            self.writer.sync_to(recorded)?;
            storage.sync_names()?;
        }
        // The page must agree on the end. Otherwise the next process attributes the recording to another writer. If it was
        // synced just now, both of its durable positions are on stable storage after this, and one can be told by the other.
        self.writer.control.assure(&**storage)?;
        let catalog = Catalog::open(&**storage, FileAccess::ReadWrite)?;
        let entry = catalog.find(descriptor.recording_id)?;
        catalog.set_stop(&entry, Some((recorded, SystemClock.epoch())))?;
        // A prepared segment is created again when it is needed.
        for name in storage.names()? {
            let ahead = parse_segment_name(&name).is_some_and(|(id, base, kind)| {
                id == descriptor.recording_id && base > recorded && kind == super::segment::SegmentKind::Ahead
            });
            if ahead {
                storage.remove(&name)?;
            }
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // There is nobody to report to. The next process that opens the journal recovers what remains.
        let _ = self.finish(true, lock_opening);
    }
}

/// Opens a recording that no other process has open.
fn recovered(storage: &Arc<dyn Storage>, entry: &CatalogEntry) -> Result<(Writer, RecoveryReport), JournalError> {
    let descriptor = &entry.descriptor;
    let boot_id = storage.boot_id();
    for name in unfinished_files(&**storage, descriptor)? {
        storage.remove(&name)?;
    }
    Control::mend(&**storage, descriptor.recording_id)?;
    let control = Control::open(&**storage, descriptor, FileAccess::ReadWrite)?;
    finish_pruning(&**storage, descriptor)?;
    let known = known_positions(&**storage, descriptor, control.as_ref())?;
    let (left_by, end, cut) = recover(&**storage, descriptor, known, false)?;
    let is_same_boot = known.is_some_and(|known| known.same_boot);
    let (control, doubts_durable) = match (control, known) {
        (Some(control), Some(known)) => {
            if left_by == LeftBy::Kill {
                control.correct_ends(&known);
            }
            let doubts = if is_same_boot { control.doubts_durable() } else { known.durable < known.assured };
            (control, doubts)
        }
        // The positions in the page mean nothing, but the recording's settings stay.
        (Some(control), None) => (control.create_again(&**storage, descriptor, end)?, true),
        (None, _) => (Control::create(&**storage, descriptor, &Chosen::NOTHING, end)?, false),
    };
    let catalog = Catalog::open(&**storage, FileAccess::ReadWrite)?;
    control.correct_first(&catalog, entry);
    let writer = Writer::new(Arc::clone(storage), descriptor.clone(), control);
    let padded = if left_by == LeftBy::Kill { pad_claims(&writer)? } else { Vec::new() };
    let end = if left_by == LeftBy::Kill { writer.settle(end)? } else { end };
    if left_by != LeftBy::Kill && !(left_by == LeftBy::Close && is_same_boot) {
        // The sidecar of the last segment may be older than the position that it claims to cover.
        let last = writer.control.indexed_position().min(writer.control.durable_position()).min(end);
        let base = writer.identity.layout.base(last).max(descriptor.start_position);
        let indexed = base.min(last);
        // In this order, for those who verify meanwhile; see `sidecar_check`.
        writer.control.rewind_indexed(indexed);
        Sidecar::uncover(&**storage, descriptor, indexed)?;
    }
    // Before the first append. Without a restart of the machine, no cursor is beyond what is there.
    let rewound = rewind_to(&**storage, descriptor, end, !is_same_boot)?;
    writer.control.reset(boot_id, end);
    // What is durable was promised. If the page does not say how far that is, all of it is.
    if doubts_durable && let Err(error) = writer.sync_to(end) {
        writer.note_trouble(error);
    }
    // Without this sync, a loss of power would leave a recording whose frames cannot be verified.
    writer.control.assure(&**storage)?;
    // A recording from before these copies existed. It can be written without one.
    let kept = kept_entry(&**storage, descriptor.recording_id);
    let kept = kept.map(|kept| kept.is_some_and(|kept| kept.start_timestamp == descriptor.start_timestamp));
    if let Err(error) = kept.and_then(|kept| if kept { Ok(()) } else { keep_entry(&**storage, descriptor) }) {
        writer.note_trouble(error);
    }
    // The same goes for this one: another version, or an archive, may not have made it. Pruning needs it when there is no
    // space left.
    if let Err(error) = RetentionFile::open_or_create(&**storage, descriptor.recording_id) {
        writer.note_trouble(error);
    }
    storage.sync_names()?;
    catalog.set_stop(entry, None)?;
    Ok((writer, RecoveryReport { left_by, end, padded, cut, rewound }))
}

/// Joins the processes that have the recording open.
fn joined(storage: &Arc<dyn Storage>, entry: &CatalogEntry) -> Result<(Writer, RecoveryReport), JournalError> {
    let descriptor = &entry.descriptor;
    let Some(control) = Control::open(&**storage, descriptor, FileAccess::ReadWrite)? else {
        let found = "it is no control page of this recording, which somebody has open".to_owned();
        let path = storage.path(&Control::name(descriptor.recording_id));
        return Err(JournalError::Malformed { path, offset: 0, found });
    };
    let writer = Writer::new(Arc::clone(storage), descriptor.clone(), control);
    let end = writer.control.recorded_position();
    Ok((writer, RecoveryReport { left_by: LeftBy::Close, end, padded: Vec::new(), cut: None, rewound: Vec::new() }))
}

/// The unfinished files of killed processes.
pub(crate) fn unfinished_files(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
) -> Result<Vec<String>, JournalError> {
    let prefix = format!("{}-", descriptor.recording_id);
    let is_unfinished =
        |name: &String| name.starts_with(&prefix) && [".index.new", ".rec.new"].iter().any(|end| name.ends_with(end));
    let names = storage.names()?;
    let mut unfinished = left_by_makers(&names, descriptor.recording_id);
    unfinished.extend(names.into_iter().filter(is_unfinished));
    Ok(unfinished)
}
