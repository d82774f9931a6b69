//! Reading a recording to its end or its beginning, whatever is damaged in it: damage is told on standard error and passed over.

use gannet::journal::{Damage, JournalError, Record, Start, Tailer};
use gannet::types::Position;

use crate::cli::Outcome;

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
            eprintln!("{damage}");
        }
    }
}

/// Hands the next message to `show`. False if there is none; damage is passed over, and so is what is pruned meanwhile.
pub(super) fn forward(
    tailer: &mut Tailer,
    damages: &mut Damages,
    show: impl FnOnce(&Record<'_>) -> Outcome,
) -> anyhow::Result<bool> {
    match tailer.next() {
        Ok(Some(record)) => {
            show(&record)?;
            Ok(true)
        }
        Err(error @ JournalError::Pruned { .. }) => {
            eprintln!("{error}");
            tailer.seek(Start::Begin)?;
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(JournalError::Damaged(damage)) => {
            damages.tell(&damage);
            Ok(tailer.skip_damage()?.is_some())
        }
        Err(error) => Err(error.into()),
    }
}

/// Hands the message in front to `show`. False if there is none; damage is passed over, and what is pruned meanwhile is the end.
pub(super) fn backward(
    tailer: &mut Tailer,
    damages: &mut Damages,
    show: impl FnOnce(&Record<'_>) -> Outcome,
) -> anyhow::Result<bool> {
    match tailer.previous() {
        Ok(Some(record)) => {
            show(&record)?;
            Ok(true)
        }
        Err(error @ JournalError::Pruned { .. }) => {
            eprintln!("{error}");
            Ok(false)
        }
        Ok(None) => Ok(false),
        Err(JournalError::Damaged(damage)) => {
            damages.tell(&damage);
            Ok(tailer.skip_damage_back().is_some())
        }
        Err(error) => Err(error.into()),
    }
}
