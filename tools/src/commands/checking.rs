//! Whether what is read of a recording is compared with its checksums, and what to do about damage: what all that read recordings
//! share.

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
    /// Whether it is.
    pub(super) fn is_wanted(self) -> bool {
        !self.no_verify
    }

    /// The tailer, set up for that.
    pub(super) fn by(self, tailer: Tailer) -> Tailer {
        if self.is_wanted() { tailer.verifying() } else { tailer }
    }
}

/// What ended the reading of a recording; with what to do, if that is damage, which a stream cannot pass over.
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

/// Where the next frame begins behind one whose bytes are wrong and whose length is not.
fn behind(damage: &Damage, recording: &Recording) -> Option<Position> {
    let Fault::Checksum { .. } = damage.fault else { return None };
    let mut tailer = recording.tailer(Start::Position(damage.position)).ok()?;
    tailer.skip_damage().ok()??;
    Some(tailer.position())
}
