//! Segments in the making: which file is a segment's, and which files dead makers left. Any process that has the
//! journal open makes the segment that it needs, and several may do so at a time:
//!
//! ```text
//!  ID-BASE.next.making-PID-N ──whole──▶ ID-BASE.next ──the tail comes there──▶ ID-BASE.rec
//!   each maker's own                     the first maker's                      the same file
//! ```
//!
//! A slow maker finds that its `.next` is taken, or that the segment has its final name; its file is then unused.
//! Makers share the lock on `ID.makers.lock`, so whoever holds it exclusively finds only files of dead makers. A maker
//! that loses its file before it is named notices that when it names it, and makes it again.

use crate::memory::FileAccess;
use crate::types::{Position, RecordingId};

use super::error::JournalError;
use super::locks::makers_lock_name;
use super::segment::{SegmentKind, ahead_name, parse_number, parse_segment_name, segment_name};
use super::storage::{Share, Storage, Stored};

/// The part of a name that separates a file's final name from its maker's number.
const MAKING: &str = ".next.making-";

/// The name of a segment while its maker creates it. `number` is unique among the makers of this process.
pub(crate) fn making_name(recording_id: RecordingId, base: Position, number: usize) -> String {
    format!("{recording_id}-{base}{MAKING}{}-{number:#x}", std::process::id())
}

/// The base of the segment that a file will become, if its maker has not finished it and it belongs to this recording.
pub(crate) fn being_made(name: &str, recording_id: RecordingId) -> Option<Position> {
    let (base, _maker) = name.strip_prefix(&format!("{recording_id}-"))?.split_once(MAKING)?;
    parse_number(base).map(Position::new)
}

/// The file of a segment, if there is one.
pub(crate) fn find_segment(
    storage: &dyn Storage,
    recording_id: RecordingId,
    base: Position,
    least: u64,
    access: FileAccess,
) -> Result<Option<Stored>, JournalError> {
    let named = || storage.find(&segment_name(recording_id, base), least, access);
    if let Some(found) = named()? {
        return Ok(Some(found));
    }
    let ahead = storage.find(&ahead_name(recording_id, base), least, access)?;
    // If the file was renamed meanwhile, it is found now. The `.next` file may also belong to a slow maker that took
    // the free name after the segment was named. It counts only if there is no named one.
    Ok(named()?.or(ahead))
}

/// The files that killed makers left, out of all names. Only valid while no maker is at work.
pub(crate) fn left_by_makers(names: &[String], recording_id: RecordingId) -> Vec<String> {
    let prefix = format!("{recording_id}-");
    let is_left = |name: &&String| {
        let is_beside = parse_segment_name(name).is_some_and(|(id, base, kind)| {
            id == recording_id && kind == SegmentKind::Ahead && names.contains(&segment_name(id, base))
        });
        is_beside || (name.starts_with(&prefix) && name.contains(MAKING))
    };
    names.iter().filter(is_left).cloned().collect()
}

/// Removes the files that killed makers left. Returns false, and does nothing, while a maker is at work.
pub(crate) fn remove_left_by_makers(storage: &dyn Storage, recording_id: RecordingId) -> Result<bool, JournalError> {
    let lock = storage.try_lock(&makers_lock_name(recording_id), Share::Exclusive)?;
    if lock.is_none() {
        return Ok(false);
    }
    for name in left_by_makers(&storage.names()?, recording_id) {
        storage.remove(&name)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::memory::{RawAccess, Reserve};

    #[test]
    fn what_the_dead_left_goes_and_nothing_else() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let id = RecordingId::new(1);
        let left = [making_name(id, Position::new(64), 7), "1-0.next.making-5-0x3".into(), "1-0.next".into()];
        let others =
            ["0-0.next.making-5-0x3", "1-0.rec", "1-64.next", "11-64.next.making-5-0x3", "1-0.rec.making", "1.control"];
        for name in left.iter().map(|name| &**name).chain(others) {
            storage.create(name, 64, Reserve::Space).unwrap();
        }
        let making = storage.try_lock(&makers_lock_name(id), Share::Shared).unwrap();
        assert!(!remove_left_by_makers(&storage, id).unwrap(), "one of them may live");
        assert_eq!(storage.names().unwrap().len(), left.len() + others.len());
        drop(making);
        assert!(remove_left_by_makers(&storage, id).unwrap());
        let mut expected = others.map(str::to_owned);
        expected.sort();
        assert_eq!(storage.names().unwrap(), expected);
    }

    #[test]
    fn a_segment_has_the_file_with_the_final_name() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let (id, base) = (RecordingId::new(0), Position::new(64));
        let length = || {
            let found = find_segment(&storage, id, base, 1, FileAccess::ReadOnly).unwrap();
            found.map(|found| found.view().len())
        };
        assert_eq!(length(), None);
        storage.create("0-64.next", 1, Reserve::Space).unwrap();
        assert_eq!(length(), Some(1));
        storage.create("0-64.rec", 2, Reserve::Space).unwrap();
        assert_eq!(length(), Some(2));
    }
}
