//! Moving to another position: by the index to an entry before it, and from there frame by frame.

use crate::memory::FileAccess;
use crate::time::EpochNanos;
use crate::types::Position;

use super::super::error::JournalError;
use super::super::first_entry::first_entry;
use super::super::segment::At;
use super::super::sidecar::{IndexEntry, Sidecar};
use super::super::stream::{Found, find_time};
use super::Tailer;
use super::frames::Step;

/// Where a tailer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Before the first message.
    Begin,
    /// After the present last message.
    End,
    /// Before the message that begins at this position, or otherwise before the next one after it. A frame must begin
    /// there, as at every position that a record or an append has returned.
    Position(Position),
    /// Before the message with this sequence number. The first message has number 0.
    Sequence(i64),
    /// Before the first message with this time or a later one. The time is the message's stamp, or the recording time
    /// of a recorded stream.
    Time(EpochNanos),
    /// Before the first message of the cycle with this number or a later one, in a journal that rolls by time of day.
    /// See [`RollCycle`](crate::journal::RollCycle).
    Cycle(i64),
}

/// Whether a walk continues after damage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OverDamage {
    Yes,
    No,
}

impl Tailer {
    /// Moves the tailer. If the sequence number or the time is not there yet, it moves to the end.
    ///
    /// # Errors
    ///
    /// As [`Recording::tailer`](crate::journal::Recording::tailer). After an error the tailer stays where it is.
    pub fn seek(&mut self, to: Start) -> Result<(), JournalError> {
        let (position, sequence) = (self.position, self.sequence);
        let outcome = self.seek_to(to);
        self.behind.clear();
        if outcome.is_err() {
            (self.position, self.sequence) = (position, sequence);
        }
        outcome
    }

    fn seek_to(&mut self, to: Start) -> Result<(), JournalError> {
        self.recording.look_again()?;
        let first = self.first()?;
        let start = first.position;
        match to {
            Start::Begin => {
                self.set(first);
                Ok(())
            }
            Start::End => self.seek_end(start),
            Start::Position(position) => self.seek_position(position, start),
            Start::Sequence(sequence) => {
                if (0..first.sequence).contains(&sequence) {
                    return Err(self.pruned("message number", sequence, start));
                }
                let anchor = self.anchor(|entry| entry.sequence <= sequence)?;
                self.set(anchor);
                // The message numbers after damage are unknown.
                let reached = |number: Option<i64>| number.is_some_and(|number| number >= sequence);
                self.walk(OverDamage::No, |_, number, step| step.begins.message && reached(number)).map(drop)
            }
            Start::Time(time) if self.stamped => {
                let anchor = self.anchor(|entry| entry.time_before < time.get())?;
                self.set(anchor);
                let is_late = |step: Step| step.begins.message && step.begins.time >= time.get();
                self.walk(OverDamage::Yes, |_, _, step| is_late(step)).map(drop)
            }
            Start::Time(time) => self.seek_recorded_time(time, first),
            Start::Cycle(number) => {
                let recording_id = self.recording.descriptor().recording_id;
                let roll = self.recording.roll_cycle()?.ok_or(JournalError::NoCycles { recording_id })?;
                self.seek_to(Start::Time(roll.start_of(number)))
            }
        }
    }

    fn seek_end(&mut self, start: Position) -> Result<(), JournalError> {
        let hint = self.recording.indexed().unwrap_or(start);
        let anchor = self.anchor(|entry| entry.position <= hint)?;
        self.set(anchor);
        if !self.walk(OverDamage::Yes, |_, _, _| false)? {
            // What follows is after the damage.
            let end = self.recording.recorded_hint().unwrap_or(start).min(self.files_end()?);
            if self.position < end && end.get() % 32 == 0 {
                (self.position, self.sequence) = (end, None);
            }
        }
        Ok(())
    }

    fn seek_position(&mut self, position: Position, start: Position) -> Result<(), JournalError> {
        if position < start && position.get() >= 0 && position.get() % 32 == 0 {
            return Err(self.pruned("position", position.get(), start));
        }
        if position < start || position > self.identity.layout.end() {
            self.seek_end(start)?;
            return Err(self.outside(position, start));
        }
        let anchor = self.anchor(|entry| entry.position <= position)?;
        self.set(anchor);
        self.walk(OverDamage::Yes, |at, _, step| at.get() + step.occupied as i64 > position.get())?;
        if self.position == position {
            return Ok(());
        }
        // The walk stops before the frame that crosses the position, if there is one.
        match self.peek()? {
            None => Err(self.outside(position, start)),
            Some(step) => {
                let (begins, next) = (self.position, Position::new(self.position.get() + step.occupied as i64));
                let reason = match begins < position {
                    true => format!("no frame begins there; the nearest ones begin at {begins} and {next}"),
                    false => format!("there is damage; the next frame begins at {begins}"),
                };
                Err(self.no_position(position, reason))
            }
        }
    }

    /// The error for a position at which nothing is recorded.
    fn outside(&self, position: Position, start: Position) -> JournalError {
        self.no_position(position, format!("it goes from {start} to {}", self.position))
    }

    /// Finds the time in the times sidecar, because the frames of a recorded stream have none.
    fn seek_recorded_time(&mut self, time: EpochNanos, first: IndexEntry) -> Result<(), JournalError> {
        match find_time(&self.recording, time)? {
            Found::At(position) => {
                let anchor = self.anchor(|entry| entry.position <= position)?;
                self.set(anchor);
                self.walk(OverDamage::Yes, |at, _, step| step.begins.message && at >= position).map(drop)
            }
            Found::Behind => self.seek_to(Start::End),
            Found::Nothing => {
                self.set(first);
                let recording_id = self.recording.descriptor().recording_id;
                self.peek()?.map_or(Ok(()), |_| Err(JournalError::NoTimes { recording_id }))
            }
        }
    }

    fn set(&mut self, entry: IndexEntry) {
        self.position = entry.position;
        self.sequence = Some(entry.sequence);
        self.behind.clear();
    }

    /// Moves on until `stop` returns true for the next frame's position and number, or until there is no frame. With
    /// [`OverDamage`], damage is skipped; message numbers are unknown after it. Returns false if the damage extends to
    /// the end.
    fn walk(
        &mut self,
        over_damage: OverDamage,
        stop: impl Fn(Position, Option<i64>, Step) -> bool,
    ) -> Result<bool, JournalError> {
        loop {
            match self.peek() {
                Ok(Some(step)) if stop(self.position, self.sequence, step) => return Ok(true),
                Ok(Some(step)) => {
                    self.sequence = self.sequence.map(|sequence| sequence + i64::from(step.begins.message));
                    self.position = Position::new(self.position.get() + step.occupied as i64);
                }
                Ok(None) | Err(JournalError::NotDurable { .. }) => return Ok(true),
                Err(JournalError::Damaged(_)) if over_damage == OverDamage::Yes => {
                    let end = self.files_end()?;
                    let Some(found) = self.find_frame(end)? else { return Ok(false) };
                    (self.position, self.sequence) = (found, None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The index entry of the recording's present start.
    fn first(&mut self) -> Result<IndexEntry, JournalError> {
        let start = self.recording.start_position();
        match self.first {
            Some(first) if first.position == start => Ok(first),
            _ => {
                let first = first_entry(&*self.recording.storage, self.recording.descriptor(), start)?;
                Ok(*self.first.insert(first))
            }
        }
    }

    /// The last index entry for which `holds` returns true, which it does for the first entries and for none after
    /// them. The start of the recording if there is none. An entry that cannot be believed is passed over.
    pub(super) fn anchor(&mut self, holds: impl Fn(&IndexEntry) -> bool) -> Result<IndexEntry, JournalError> {
        let first = self.first()?;
        // Entries behind it may be of frames that are lost.
        let mut certain = self.unproven_from().unwrap_or(Position::new(i64::MAX));
        self.refresh_bases(first.position)?;
        loop {
            let found = self.last_entry(&|entry: &IndexEntry| entry.position <= certain && holds(entry))?;
            let Some(entry) = found.filter(|entry| entry.position > first.position) else { return Ok(first) };
            if self.is_plausible(&entry)? {
                return Ok(entry);
            }
            certain = Position::new(entry.position.get() - 1);
        }
    }

    fn last_entry(&mut self, holds: &impl Fn(&IndexEntry) -> bool) -> Result<Option<IndexEntry>, JournalError> {
        let (mut below, mut above) = (0, self.bases.len());
        let mut found = None;
        while below < above {
            let middle = below + (above - below) / 2;
            // A segment without an index says nothing, but those before it do.
            let mut told = middle;
            let begins = loop {
                let sidecar = self.sidecar(self.bases[told])?;
                let begins = sidecar.and_then(|sidecar| Some((sidecar.first_entry()?, sidecar)));
                if begins.is_some() || told == below {
                    break begins;
                }
                told -= 1;
            };
            match begins.filter(|(first, _)| holds(first)) {
                Some(begins) => {
                    found = Some(begins);
                    below = middle + 1;
                }
                None => above = told,
            }
        }
        // Only one segment is searched, because each look at an entry takes its checksum.
        Ok(found.map(|(first, sidecar)| sidecar.last_entry(holds).unwrap_or(first)))
    }

    /// Whether an index entry has a checksum. An entry of an earlier version has none, and is believed if a frame begins
    /// at its position.
    fn is_plausible(&mut self, entry: &IndexEntry) -> Result<bool, JournalError> {
        let base = self.identity.layout.base(entry.position);
        if self.sidecar(base)?.is_some_and(|sidecar| sidecar.is_guarded()) {
            return Ok(true);
        }
        match self.enter(entry.position) {
            Ok(true) => {}
            Ok(false) | Err(JournalError::Damaged(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        let cursor = self.current.as_ref().and_then(|current| current.cursor_at(entry.position));
        Ok(cursor.is_some_and(|mut cursor| matches!(self.identity.look(&mut cursor, entry.position), At::Frame(_))))
    }

    /// Lists the segments again if there may be new ones. Listing a directory takes longer than the rest of a search.
    fn refresh_bases(&mut self, start: Position) -> Result<(), JournalError> {
        let layout = self.identity.layout;
        let begins = self.bases.first().is_some_and(|&first| first == layout.base(start));
        let last = self.bases.last().map(|&last| layout.next_base(last));
        let ends = last.zip(self.recording.recorded_hint()).is_some_and(|(end, recorded)| recorded <= end);
        if !begins || !ends {
            self.bases = self.recording.segment_bases()?;
        }
        Ok(())
    }

    pub(super) fn sidecar(&mut self, base: Position) -> Result<Option<Sidecar>, JournalError> {
        /// The maximum number of mapped sidecars.
        const MOST: usize = 4096;
        if let Some(sidecar) = self.sidecars.get(&base) {
            return Ok(Some(sidecar.clone()));
        }
        let storage = &*self.recording.storage;
        let opened = Sidecar::open(storage, self.recording.descriptor(), base, FileAccess::ReadOnly)?;
        if let Some(sidecar) = &opened {
            if self.sidecars.len() >= MOST {
                self.sidecars.clear();
            }
            self.sidecars.insert(base, sidecar.clone());
        }
        Ok(opened)
    }

    pub(super) fn no_position(&self, position: Position, reason: String) -> JournalError {
        JournalError::Position { recording_id: self.recording.descriptor().recording_id, position, reason }
    }

    pub(super) fn pruned(&self, what: &'static str, asked: i64, earliest: Position) -> JournalError {
        JournalError::Pruned { recording_id: self.recording.descriptor().recording_id, what, asked, earliest }
    }
}
