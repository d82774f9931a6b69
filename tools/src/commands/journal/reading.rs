//! Reading a recording to its end or its beginning, whatever is damaged in it: damage is told on standard error and passed over.

use gannet::journal::{Damage, JournalError, Record, Start, Tailer};
use gannet::types::Position;
use serde::Serialize;

use crate::cli::Outcome;

/// A place of damage, as JSON.
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

/// The damage that was met.
#[derive(Debug, Default)]
pub(super) struct Damages {
    /// In how many places.
    pub(super) count: u64,
    /// Where it was met last.
    last: Option<Position>,
}

impl Damages {
    /// Tells of it, once.
    fn tell(&mut self, damage: &Damage) {
        if self.last != Some(damage.position) {
            self.last = Some(damage.position);
            self.count += 1;
            crate::cli::tell(format_args!("{damage}"));
        }
    }
}

/// What stood where a tailer looked.
enum Met {
    /// A message, which was shown.
    Message,
    Nothing,
    /// What is pruned, which was told.
    Pruned,
    /// Damage, which was told.
    Damage,
}

/// Hands what a tailer found to `show`, and tells what is wrong with it.
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

/// Hands the next message to `show`. False if there is none; damage is passed over, and so is what is pruned meanwhile.
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

/// Hands the message in front to `show`. False if there is none; damage is passed over, and what is pruned meanwhile is the end.
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
