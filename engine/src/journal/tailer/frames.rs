//! The frame at a tailer's position, in the segment that it has mapped.

use crate::logbuffer::{FRAME_HEADER_LENGTH, frame, frame_type};
use crate::memory::{CommittedFrame, FileAccess, FrameCursor, Frames, MapError, faults};
use crate::types::Position;

use super::super::error::{Damage, Fault, JournalError};
use super::super::making::find_segment;
use super::super::segment::{At, segment_name};
use super::super::sidecar::{Begins, Sidecar, frame_checksum};
use super::super::stream::SegmentTimes;
use super::Tailer;

/// The segment that is being read.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) base: Position,
    pub(super) frames: Frames,
    /// The recording times, if the frames have none.
    pub(super) times: Option<SegmentTimes>,
}

impl Current {
    /// A cursor at the frame that begins at this position. `None` if the position is not in the segment.
    #[inline(always)]
    pub(super) fn cursor_at(&self, position: Position) -> Option<FrameCursor<'_>> {
        // A position before the segment wraps around to an offset beyond its end.
        self.frames.cursor(position.get().wrapping_sub(self.base.get()) as usize)
    }
}

/// The properties of a frame that was found.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) occupied: usize,
    pub(super) frame_length: usize,
    pub(super) is_data: bool,
    pub(super) flags: u8,
    pub(super) begins: Begins,
}

/// The available checksums of a segment.
pub(super) struct Checksums {
    base: Position,
    sidecar: Sidecar,
    /// Checksums beyond this position may belong to frames that were cut off.
    covered: Position,
}

impl Checksums {
    /// Compares the frame at `position` of the segment with its checksum, if it has one. With `must`, it must have one,
    /// as for recovery. Returns the fault.
    pub(super) fn fault(&self, position: Position, frame: &CommittedFrame<'_>, must: bool) -> Option<Fault> {
        let offset = (position.get() - self.base.get()) as usize;
        if must || position < self.covered { self.sidecar.fault(offset, frame, must) } else { None }
    }
}

impl Tailer {
    /// The properties of the frame at the tailer's position. `None` if there is no frame yet.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<Step>, JournalError> {
        let step = self.look()?;
        if self.checks() && step.is_some() {
            self.check()?;
        }
        Ok(step)
    }

    /// The position from which frames count only if their checksums prove them. `None` if that is over: the recording
    /// was recovered.
    pub(super) fn unproven_from(&mut self) -> Option<Position> {
        let from = if self.unproven { self.recording.unproven_from() } else { None };
        self.unproven = from.is_some();
        from
    }

    /// The error for a fault at the tailer's position: damage, or the end that a loss of power has left.
    pub(super) fn failure(&self, fault: Fault) -> JournalError {
        let lost = self.damage(fault);
        let from = if self.unproven { self.recording.unproven_from() } else { None };
        if from.is_some_and(|from| self.position >= from) {
            return JournalError::NotDurable { recording_id: self.recording.descriptor().recording_id, lost };
        }
        lost.into()
    }

    /// As [`Self::peek`], but does not compare the frame with its checksum.
    #[inline]
    pub(super) fn look(&mut self) -> Result<Option<Step>, JournalError> {
        if !self.is_within() && !self.enter(self.position)? {
            return Ok(None);
        }
        let Some(current) = &self.current else { return Ok(None) };
        let offset = (self.position.get() - current.base.get()) as usize;
        let Some(mut cursor) = current.frames.cursor(offset) else { return Ok(None) };
        match self.identity.look(&mut cursor, self.position) {
            At::Frame(found) => {
                found.frame.touch();
                let kind = found.frame.word(frame::VERSION_FLAGS_TYPE).load_relaxed();
                let step = Step {
                    occupied: found.occupied,
                    frame_length: FRAME_HEADER_LENGTH + found.frame.payload().len(),
                    is_data: (kind >> 16) as u16 == frame_type::DATA,
                    flags: (kind >> 8) as u8,
                    begins: Begins::of(&found.frame),
                };
                if faults() != self.faults {
                    self.look_at_segment()?;
                }
                Ok(Some(step))
            }
            At::Nothing { .. } => {
                self.look_at_segment()?;
                self.nothing()
            }
            At::Fault(fault) => {
                self.look_at_segment()?;
                Err(self.failure(fault))
            }
        }
    }

    /// Called when a page of some mapped file of this process was replaced, or when a frame is missing or faulty.
    /// Checks that the segment is still backed by its file. If not, the next call opens it again.
    #[cold]
    pub(super) fn look_at_segment(&mut self) -> Result<(), JournalError> {
        let now = faults();
        if self.current.as_ref().is_some_and(|current| !current.frames.is_intact()) {
            self.current = None;
            return Err(self.damage(Fault::CUT_SHORT).into());
        }
        self.faults = now;
        Ok(())
    }

    /// Handles a missing frame: it is not there yet, or it is lost.
    #[cold]
    fn nothing(&mut self) -> Result<Option<Step>, JournalError> {
        // A tailer that keeps up comes here after each message, and does not have to look for replaced files. One that
        // waits spends its time here, so the clock is read once.
        let waits = self.vain_at.replace(self.position) == Some(self.position);
        let present = if waits { self.recording.check_present()? } else { self.recording.known_present() };
        let known = present.recorded_hint().unwrap_or(self.position);
        if known <= self.position {
            present.check_intact(&*self.recording.storage)?;
            return Ok(None);
        }
        // It may have been committed meanwhile. A recorded range has frames.
        let is_there = self.current.as_ref().is_some_and(|current| {
            let cursor = current.cursor_at(self.position);
            cursor
                .is_some_and(|mut cursor| !matches!(self.identity.look(&mut cursor, self.position), At::Nothing { .. }))
        });
        if is_there { Ok(None) } else { Err(self.failure(Fault::Hole)) }
    }

    /// Compares the frame at the tailer's position with its checksum, if it has one or must have one.
    pub(super) fn check(&mut self) -> Result<(), JournalError> {
        let must = self.unproven_from().is_some_and(|from| self.position >= from);
        if !must && !self.verify {
            return Ok(());
        }
        let mut fault = self.checksum_fault(must)?;
        if fault.is_some() && self.forget_checksums() {
            fault = self.checksum_fault(must)?;
        }
        fault.map_or(Ok(()), |fault| Err(self.failure(fault)))
    }

    fn checksum_fault(&mut self, must: bool) -> Result<Option<Fault>, JournalError> {
        let checksums = self.checksums()?;
        Ok(self.current.as_ref().and_then(|current| {
            let mut cursor = current.cursor_at(self.position)?;
            let length = cursor.length_word()?.load_relaxed();
            let frame = cursor.take(length)?;
            match checksums {
                Some(checksums) => checksums.fault(self.position, &frame, must),
                None => must.then(|| Fault::Checksum { found: frame_checksum(&frame), expected: 0 }),
            }
        }))
    }

    /// Unmaps the segment's sidecar, since a repair may have replaced it together with the frames. Returns whether it
    /// was mapped.
    pub(super) fn forget_checksums(&mut self) -> bool {
        self.sidecars.remove(&self.identity.layout.base(self.position)).is_some()
    }

    /// The checksums from the tailer's position to the end of its segment. `None` if there are none yet.
    pub(super) fn checksums(&mut self) -> Result<Option<Checksums>, JournalError> {
        let base = self.identity.layout.base(self.position);
        let sidecar = self.sidecar(base)?;
        Ok(sidecar.map(|sidecar| Checksums { base, covered: sidecar.covered(), sidecar }))
    }

    pub(super) fn damage(&self, fault: Fault) -> Damage {
        let base = self.identity.layout.base(self.position);
        let path = self.recording.storage.path(&segment_name(self.recording.descriptor().recording_id, base));
        Damage::in_segment(path, base, self.position, fault)
    }

    #[inline]
    fn is_within(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            let within = self.position.get().wrapping_sub(current.base.get());
            (0..current.frames.length() as i64).contains(&within)
        })
    }

    /// Maps the segment that contains a position. Returns false if it does not exist yet.
    #[cold]
    pub(super) fn enter(&mut self, position: Position) -> Result<bool, JournalError> {
        let layout = self.identity.layout;
        let present = self.recording.check_present()?;
        if position >= layout.end() || present.stop_position().is_some_and(|stop| position >= stop) {
            present.check_intact(&*self.recording.storage)?;
            return Ok(false);
        }
        let id = self.recording.descriptor().recording_id;
        let base = layout.base(position);
        let is_behind = present.recorded_hint().is_some_and(|recorded| position < recorded);
        match find_segment(&*self.recording.storage, id, base, 1, FileAccess::ReadOnly) {
            Ok(Some(stored)) => {
                let length = stored.view().len().min(layout.segment_length.get() as usize);
                let frames = Frames::new(&stored.view().slice(0, length));
                if position.get() - base.get() < frames.length() as i64 {
                    let times = (!self.stamped).then(|| SegmentTimes::new(&self.recording, base));
                    self.current = Some(Current { base, frames, times });
                    return Ok(true);
                }
            }
            Ok(None) | Err(JournalError::Map(MapError::TooShort { .. })) => {}
            Err(error) => return Err(error),
        }
        let earliest = self.recording.start_position();
        if position < earliest {
            return Err(self.pruned("position", position.get(), earliest));
        }
        if is_behind {
            let fault = Fault::MISSING;
            let position = std::mem::replace(&mut self.position, position);
            let failure = self.failure(fault);
            self.position = position;
            return Err(failure);
        }
        Ok(false)
    }
}
