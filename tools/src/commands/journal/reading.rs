//! Reads a recording to its end or its beginning in spite of damage. Damage is reported on standard error and skipped.

use gannet::journal::{Damage, JournalError, Record, Start, Tailer};
use gannet::types::Position;
use serde::Serialize;

use crate::cli::Outcome;

/// The place of damage, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) position: i64,
    pub(super) offset: u64,
    pub(super) fault: String,
}

impl Place {
    pub(super) fn of(damage: &Damage) -> Self {
        Self {
            file: damage.path.display().to_string(),
            position: damage.position.get(),
            offset: damage.offset,
            fault: damage.fault.to_string(),
        }
    }
}

/// The damage found so far.
#[derive(Debug, Default)]
pub(super) struct Damages {
    /// The number of damaged places.
    pub(super) count: u64,
    /// The position of the last one.
    last: Option<Position>,
}

impl Damages {
    /// Reports the damage, once per place.
    fn tell(&mut self, damage: &Damage) {
        if self.last != Some(damage.position) {
            self.last = Some(damage.position);
            self.count += 1;
            crate::cli::tell(format_args!("{damage}"));
        }
    }
}

/// What a tailer found.
enum Met {
    /// A message. It was shown.
    Message,
    Nothing,
    /// Pruned data. It was reported.
    Pruned,
    /// Damage. It was reported.
    Damage,
}

/// Passes what a tailer found to `show`, or reports what is wrong with it.
fn meet(
    found: Result<Option<Record<'_>>, JournalError>,
    damages: &mut Damages,
    show: impl FnOnce(&Record<'_>) -> Outcome,
) -> anyhow::Result<Met> {
    match found {
        Ok(Some(record)) => show(&record).map(|()| Met::Message),
        Ok(None) => Ok(Met::Nothing),
        Err(error @ JournalError::Pruned { .. }) => {
            crate::cli::tell(format_args!("{error}"));
            Ok(Met::Pruned)
        }
        Err(JournalError::Damaged(damage)) => {
            damages.tell(&damage);
            Ok(Met::Damage)
        }
        Err(error) => Err(error.into()),
    }
}

/// Passes the next message to `show`. Returns false if there is none. Damage, and data pruned in the meantime, is
/// skipped.
pub(super) fn forward(
    tailer: &mut Tailer,
    damages: &mut Damages,
    show: impl FnOnce(&Record<'_>) -> Outcome,
) -> anyhow::Result<bool> {
    match meet(tailer.next(), damages, show)? {
        Met::Message => Ok(true),
        Met::Nothing => Ok(false),
        Met::Pruned => {
            tailer.seek(Start::Begin)?;
            Ok(true)
        }
        Met::Damage => Ok(tailer.skip_damage()?.is_some()),
    }
}

/// Passes the message before the tailer to `show`. Returns false if there is none. Damage is skipped, and data pruned
/// in the meantime ends the recording.
pub(super) fn backward(
    tailer: &mut Tailer,
    damages: &mut Damages,
    show: impl FnOnce(&Record<'_>) -> Outcome,
) -> anyhow::Result<bool> {
    match meet(tailer.previous(), damages, show)? {
        Met::Message => Ok(true),
        Met::Nothing | Met::Pruned => Ok(false),
        Met::Damage => Ok(tailer.skip_damage_back().is_some()),
    }
}
