//! Whether a recording is compared with its checksums when it is read, and advice for damage. Shared by all commands
//! that read recordings.

use gannet::journal::{Damage, Fault, JournalError, Recording, Start, Tailer};
use gannet::types::Position;

/// Whether what is read is compared with its checksums.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Checking {
    /// Do not compare frames with their checksums; this is faster
    #[arg(long)]
    no_verify: bool,
}

impl Checking {
    /// Whether checksums are compared.
    pub(super) fn is_wanted(self) -> bool {
        !self.no_verify
    }

    /// Sets up the tailer accordingly.
    pub(super) fn by(self, tailer: Tailer) -> Tailer {
        if self.is_wanted() { tailer.verifying() } else { tailer }
    }
}

/// The error that ended the reading of a recording. For damage it adds advice, since a stream cannot skip damage.
pub(super) fn advise(error: JournalError, recording: &Recording) -> anyhow::Error {
    let JournalError::Damaged(damage) = &error else { return error.into() };
    let repair = "`gannet journal repair` puts padding in its place";
    match behind(damage, recording) {
        Some(behind) => {
            anyhow::anyhow!("{error}; --from {behind} goes on behind it, --no-verify takes it as it is, and {repair}")
        }
        None => anyhow::anyhow!("{error}; {repair}"),
    }
}

/// The position of the frame after one that failed its checksum but has a valid length.
fn behind(damage: &Damage, recording: &Recording) -> Option<Position> {
    let Fault::Checksum { .. } = damage.fault else { return None };
    let mut tailer = recording.tailer(Start::Position(damage.position)).ok()?;
    tailer.skip_damage().ok()??;
    Some(tailer.position())
}
