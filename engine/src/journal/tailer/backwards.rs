//! Reading backwards. Frames do not say where the previous one begins. So message starts are found by reading forwards
//! from an entry of the index, or from the beginning of a term.

use crate::types::Position;

use super::super::error::{Damage, Fault, JournalError};
use super::damage::DamagedBehind;
use super::{Record, Tailer};

/// The place at which a backward search starts to read forwards.
#[derive(Clone, Copy)]
struct Anchor {
    position: Position,
    sequence: Option<i64>,
}

/// Damage, and the number of the message that begins there, if known.
struct Damaged {
    damage: Damage,
    sequence: Option<i64>,
}

impl Tailer {
    /// The message before the tailer's position. `None` at the start of the recording. The tailer moves to the message,
    /// so [`Self::next`] would return it again.
    ///
    /// # Errors
    ///
    /// As [`Self::next`], but [`Self::skip_damage_back`] skips the damage. All messages after the damage have been
    /// returned by then.
    pub fn previous(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        let (here, forward) = (self.position, self.sequence);
        loop {
            if self.behind.is_empty() {
                self.look_behind()?;
            }
            let Some((start, sequence)) = self.behind.pop() else { return Ok(None) };
            (self.position, self.sequence) = (start, sequence);
            match self.find_here() {
                Ok(Some(message)) => return Ok(self.record(message)),
                // The message was begun, but is not complete.
                Ok(None) => {}
                // The message ends in damage that the tailer has passed already.
                Err(JournalError::Damaged(damage)) if damage.position >= here => {}
                Err(error) => {
                    if matches!(error, JournalError::Damaged(_)) {
                        self.damaged_behind = Some(DamagedBehind { here, begins: start, sequence });
                    }
                    (self.position, self.sequence) = (here, forward);
                    self.behind.clear();
                    return Err(error);
                }
            }
            (self.position, self.sequence) = (start, sequence);
        }
    }

    /// Finds messages before the tailer's position: at least one, if there is any. Fails with the damage if there are
    /// no messages between it and the position.
    fn look_behind(&mut self) -> Result<(), JournalError> {
        let here = self.position;
        let start = self.recording.start_position();
        let mut until = here;
        let mut damaged = None;
        while self.behind.is_empty() && until > start {
            let term = self.term_start(Position::new(until.get() - 1));
            let indexed = self.anchor(|entry| entry.position < until)?;
            let anchor = if indexed.position >= term || term == start {
                Anchor { position: indexed.position, sequence: Some(indexed.sequence) }
            } else {
                Anchor { position: term, sequence: None }
            };
            let outcome = self.collect(anchor, until);
            self.position = here;
            match outcome? {
                Some(Damaged { damage, sequence }) => {
                    until = damage.position;
                    damaged = Some((damage, sequence));
                    // The beginning of the damage is certain once there is a frame before it.
                    if until > anchor.position {
                        break;
                    }
                }
                None if damaged.is_some() => break,
                None => until = anchor.position,
            }
        }
        if let Some((damage, sequence)) = damaged {
            self.behind.clear();
            self.damaged_behind = Some(DamagedBehind { here, begins: until, sequence });
            return Err(damage.into());
        }
        // If the index does not know the numbers, they are counted back from the message after them.
        if let Some(sequence) = self.sequence {
            let count = self.behind.len() as i64;
            for (index, (_, known)) in self.behind.iter_mut().enumerate() {
                *known = known.or(Some(sequence - count + index as i64)).filter(|&known| known >= 0);
            }
        }
        Ok(())
    }

    /// Collects the starts of messages between two positions: after the last damage there, if there is any. Returns
    /// that damage if no message follows it.
    fn collect(&mut self, from: Anchor, until: Position) -> Result<Option<Damaged>, JournalError> {
        self.position = from.position;
        let mut sequence = from.sequence;
        let mut damaged = None;
        while self.position < until {
            let damage = match self.peek() {
                Ok(Some(step)) => {
                    if step.begins.message {
                        self.behind.push((self.position, sequence));
                        sequence = sequence.map(|sequence| sequence + 1);
                    }
                    self.position = Position::new(self.position.get() + step.occupied as i64);
                    continue;
                }
                // The range was recorded, so this is a hole.
                Ok(None) => self.damage(Fault::Hole),
                Err(JournalError::Damaged(damage)) => damage,
                Err(error) => return Err(error),
            };
            self.behind.clear();
            damaged = Some(Damaged { damage, sequence: sequence.take() });
            self.position = self.find_frame(until)?.unwrap_or(until);
        }
        Ok(damaged.filter(|_| self.behind.is_empty()))
    }

    /// The position at which the term of a position begins, or at which the recording begins if that is later. A frame
    /// always begins there.
    fn term_start(&self, position: Position) -> Position {
        let layout = self.identity.layout;
        let begin = position.get() - i64::from(layout.term_length.offset(position));
        Position::new(begin).max(self.recording.start_position())
    }
}
