//! Reading backwards. Frames do not say where the previous one begins. So message starts are found by reading forwards
//! from an entry of the index, or from the beginning of a term.

use crate::types::Position;

use super::super::error::{Damage, Fault, JournalError};
use super::damage::DamagedBehind;
use super::{Record, Tailer};

/// Where looking backwards starts to read forwards.
#[derive(Clone, Copy)]
struct Anchor {
    position: Position,
    sequence: Option<i64>,
}

/// Damage, and the number of the message that it begins with, if that is known.
struct Damaged {
    damage: Damage,
    sequence: Option<i64>,
}

impl Tailer {
    /// The message in front of where the tailer is; none at the start. The tailer goes there: [`Self::next`] would return the
    /// same again.
    ///
    /// # Errors
    ///
    /// As [`Self::next`], but that [`Self::skip_damage_back`] gets past damage. What is behind the damage has been returned by then.
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
                // It was begun, and never completed, or not yet.
                Ok(None) => {}
                // Its end is damaged, and the tailer has been there.
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

    /// Finds the messages in front of where the tailer is, some of them at least if there are any. Damage is told if there is none
    /// behind it.
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
                    // Where it begins is known once there is something in front of it.
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
        // Numbers that are not known by the index are known by that of the message behind them.
        if let Some(sequence) = self.sequence {
            let count = self.behind.len() as i64;
            for (index, (_, known)) in self.behind.iter_mut().enumerate() {
                *known = known.or(Some(sequence - count + index as i64)).filter(|&known| known >= 0);
            }
        }
        Ok(())
    }

    /// Keeps where messages begin between two frames: behind the last damage there, if there is any. That is returned if nothing is
    /// behind it.
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
                // There was something, or nobody could be behind it.
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

    /// Where the term of a position begins, or the recording if that is later: a frame begins there in any case.
    fn term_start(&self, position: Position) -> Position {
        let layout = self.identity.layout;
        let begin = position.get() - i64::from(layout.term_length.offset(position));
        Position::new(begin).max(self.recording.start_position())
    }
}
