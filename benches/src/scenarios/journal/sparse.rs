//! A large journal of which a hundredth is stored: clusters of messages far apart, with padding between them that is a
//! hole in the file. Its sidecars and its control page are as the journal's helper thread would have left them, in the
//! format of `engine/docs/journal-format.md`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crc_fast::CrcAlgorithm;
use gannet::journal::storage::{Directory, Storage as _};
use gannet::journal::{
    CONTROL_VERSION, Catalog, CatalogEntry, INDEX_SPACING, RecordingDescriptor, SIDECAR_VERSION, SegmentLength,
    segment_name,
};
use gannet::time::EpochMillis;
use gannet::types::{Mtu, Position, RecordingId, SessionId, StreamId, TermId, TermLength};

use crate::rig::RigError;

use super::failed;

const TERM: u64 = 16 << 20;
const SEGMENT: u64 = 64 << 20;
/// The distance between clusters in bytes.
const CLUSTER: u64 = 8 << 20;
/// Messages of a cluster: as many as are between two entries of an index.
pub(super) const MESSAGES: u64 = 682;
const PAYLOAD: u64 = 64;
const FRAME: u64 = 32 + PAYLOAD;
/// The time of the first message in nanoseconds since 1970, and the interval between messages.
const EPOCH: u64 = 1_700_000_000_000_000_000;
const INTERVAL: u64 = 1_000;
const CONTROL_LENGTH: u64 = 12_288;
const SIDECAR_HEADER: u64 = 4_096;

/// A sparse journal.
pub(super) struct Sparse {
    directory: Directory,
    entry: CatalogEntry,
    /// The position of its end.
    pub(super) end: u64,
    /// The number of its messages.
    pub(super) messages: u64,
}

/// The time of a message.
pub(super) fn time_of(message: u64) -> i64 {
    (EPOCH + message * INTERVAL).cast_signed()
}

impl Sparse {
    /// Makes a journal of about `length` bytes in a directory.
    pub(super) fn create(dir: &Path, length: u64) -> Result<Self, RigError> {
        let directory = Directory::make(dir).map_err(failed("make a journal"))?;
        let term_length = TermLength::new(TERM.cast_signed()).map_err(failed("make a journal"))?;
        let segment_length =
            SegmentLength::new(SEGMENT.cast_signed(), term_length).map_err(failed("make a journal"))?;
        let mut catalog = Catalog::create(&directory).map_err(failed("make a catalog"))?;
        let descriptor = RecordingDescriptor {
            control_session_id: 0,
            correlation_id: 0,
            recording_id: RecordingId::new(0),
            start_timestamp: EpochMillis::new(time_of(0) / 1_000_000),
            stop_timestamp: None,
            start_position: Position::new(0),
            stop_position: None,
            initial_term_id: TermId::new(0),
            segment_length,
            term_length,
            mtu: Mtu::MAX,
            session_id: SessionId::new(1),
            stream_id: StreamId::new(1),
            stripped_channel: "aeron:ipc".to_owned(),
            original_channel: "aeron:ipc".to_owned(),
            source_identity: "gannet-bench".to_owned(),
        };
        let id = catalog.add(&descriptor).map_err(failed("make a recording"))?;
        let entry = catalog.find(id).map_err(failed("make a recording"))?;
        let clusters = (length / CLUSTER).max(1);
        let segments = clusters.div_ceil(SEGMENT / CLUSTER);
        for segment in 0..segments {
            let base = segment * SEGMENT;
            let here = (clusters - base / CLUSTER).min(SEGMENT / CLUSTER);
            let path = directory.path(&segment_name(id, Position::new(base.cast_signed())));
            write_segment(&path, base, here, clusters).map_err(failed("write a segment"))?;
            let path = directory.path(&format!("{id}-{base}.index"));
            write_sidecar(&path, base, here, clusters).map_err(failed("write a sidecar"))?;
        }
        let end = (clusters - 1) * CLUSTER + MESSAGES * FRAME;
        Ok(Self { directory, entry, end, messages: clusters * MESSAGES })
    }

    /// Leaves the journal as writers do that were killed, either since the machine was started or before.
    pub(super) fn leave(&self, same_boot: bool) -> Result<(), RigError> {
        let catalog = Catalog::open(&self.directory, gannet::memory::FileAccess::ReadWrite);
        let catalog = catalog.map_err(failed("open the catalog"))?;
        catalog.set_stop(&self.entry, None).map_err(failed("say that it goes on"))?;
        let boot_id = if same_boot { self.directory.boot_id() } else { [1, 1] };
        let path = self.directory.path("0.control");
        self.write_control(&path, boot_id).map_err(failed("write the control page"))
    }

    fn write_control(&self, path: &Path, boot_id: [i64; 2]) -> io::Result<()> {
        let mut page = vec![0_u8; CONTROL_LENGTH as usize];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &CONTROL_VERSION.bits().to_le_bytes());
        put(4, &(CONTROL_LENGTH as i32).to_le_bytes());
        put(24, &(TERM as i32).to_le_bytes());
        put(28, &(SEGMENT as i32).to_le_bytes());
        put(36, &1_i32.to_le_bytes());
        put(40, &boot_id[0].to_le_bytes());
        put(48, &boot_id[1].to_le_bytes());
        for at in [256, 384, 392, 512, 520, 528] {
            put(at, &self.end.to_le_bytes());
        }
        for slot in 0..64 {
            put(4_096 + slot * 128, &(-1_i64).to_le_bytes());
        }
        std::fs::write(path, page)
    }
}

fn create(path: &Path, length: u64) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.set_len(length)?;
    Ok(file)
}

/// The header of a frame at a position: of message `message`, or of padding.
fn header(position: u64, length: u64, message: Option<u64>) -> [u8; 32] {
    let mut header = [0; 32];
    let (flags_and_type, reserved) = match message {
        Some(message) => (0x0001_c000_u32, time_of(message)),
        None => (0, 0),
    };
    header[0..4].copy_from_slice(&(length as u32).to_le_bytes());
    header[4..8].copy_from_slice(&flags_and_type.to_le_bytes());
    header[8..12].copy_from_slice(&((position % TERM) as u32).to_le_bytes());
    header[12..16].copy_from_slice(&1_u32.to_le_bytes());
    header[16..20].copy_from_slice(&1_u32.to_le_bytes());
    header[20..24].copy_from_slice(&((position / TERM) as u32).to_le_bytes());
    header[24..32].copy_from_slice(&reserved.to_le_bytes());
    header
}

fn write_segment(path: &Path, base: u64, here: u64, clusters: u64) -> io::Result<()> {
    let file = create(path, SEGMENT)?;
    for cluster in 0..here {
        let number = base / CLUSTER + cluster;
        let mut bytes = Vec::with_capacity(INDEX_SPACING);
        for index in 0..MESSAGES {
            let message = number * MESSAGES + index;
            bytes.extend(header(number * CLUSTER + index * FRAME, FRAME, Some(message)));
            bytes.extend(message.to_le_bytes());
            bytes.resize(bytes.len() + PAYLOAD as usize - 8, 0);
        }
        if number + 1 < clusters {
            let at = number * CLUSTER + MESSAGES * FRAME;
            bytes.extend(header(at, CLUSTER - MESSAGES * FRAME, None));
        }
        file.write_all_at(&bytes, cluster * CLUSTER)?;
    }
    Ok(())
}

fn write_sidecar(path: &Path, base: u64, here: u64, clusters: u64) -> io::Result<()> {
    let slots = SEGMENT / INDEX_SPACING as u64;
    let file = create(path, SIDECAR_HEADER + slots * 32 + SEGMENT / 32 * 4)?;
    let is_full = base / CLUSTER + here < clusters;
    let covered = if is_full { base + SEGMENT } else { (clusters - 1) * CLUSTER + MESSAGES * FRAME };
    let mut header = Vec::new();
    header.extend(SIDECAR_VERSION.bits().to_le_bytes());
    header.extend((SIDECAR_HEADER as i32).to_le_bytes());
    header.extend(0_i64.to_le_bytes());
    header.extend(base.to_le_bytes());
    header.extend((SEGMENT as i32).to_le_bytes());
    header.extend((INDEX_SPACING as i32).to_le_bytes());
    header.extend(covered.to_le_bytes());
    file.write_all_at(&header, 0)?;
    let mut entries = Vec::new();
    for slot in 0..slots {
        // The first frame at or after that position: the one of the next cluster.
        let cluster = (slot * INDEX_SPACING as u64).div_ceil(CLUSTER);
        if cluster >= here {
            break;
        }
        let number = base / CLUSTER + cluster;
        let before = (number * MESSAGES).checked_sub(1).map_or(0, time_of);
        let words = [number * CLUSTER, number * MESSAGES, before.cast_unsigned()].map(u64::to_le_bytes);
        let checksum = match crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, words.as_flattened()) as u32 {
            0 => u32::MAX,
            checksum => checksum,
        };
        entries.extend(words.as_flattened());
        entries.extend(u64::from(checksum).to_le_bytes());
    }
    file.write_all_at(&entries, SIDECAR_HEADER)
}

#[cfg(test)]
mod tests {
    use gannet::journal::{Damage, Journal, LeftBy, Recording, Start};

    use super::*;

    #[test]
    fn it_is_a_journal_like_any_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let sparse = Sparse::create(dir.path(), 200 << 20).expect("it is made");
        for (same_boot, left_by) in [(true, LeftBy::Kill), (false, LeftBy::PowerLoss)] {
            sparse.leave(same_boot).expect("it is left");
            let journal = Journal::open(dir.path()).expect("it opens");
            assert_eq!(journal.recovery().left_by, left_by);
            assert_eq!((journal.recovery().end.get() as u64, &journal.recovery().cut), (sparse.end, &None));
        }
        sparse.leave(true).expect("it is left");
        let recording = Recording::open(dir.path()).expect("it opens");
        let verified = recording.verify(|_| {}).expect("it is read");
        // Its frames have no checksums. But a search that cannot believe an entry would not be measured as one.
        let misleads = |damage: &Damage| damage.to_string().contains("an index entry");
        assert!(!verified.damages.iter().any(misleads), "{:?}", verified.damages.iter().find(|found| misleads(found)));
        let mut tailer = recording.tailer(Start::Begin).expect("a tailer");
        let mut messages = 0;
        while let Some(record) = tailer.next().expect("whole") {
            assert_eq!(record.time().map(gannet::time::EpochNanos::get), Some(time_of(messages)));
            messages += 1;
        }
        assert_eq!((messages, tailer.position().get() as u64), (sparse.messages, sparse.end));
    }
}
