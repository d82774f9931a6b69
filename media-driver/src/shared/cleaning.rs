//! How far a log is zeroed for reuse, and the limit that this allows. The conductor's half of a publication or image
//! owns it, and says how far the log is not needed any more. It never zeroes beyond that, and only a little at a time.

use gannet::logbuffer::{FRAME_ALIGNMENT, LogBuffers, clean_to};
use gannet::types::Position;

/// Every valid position is a multiple of this, in bytes.
pub const FRAME_STEP: i64 = FRAME_ALIGNMENT as i64;

/// The maximum number of bytes that are zeroed per publication or image and duty cycle: enough to keep up with any
/// publisher, and few enough not to delay the limits of other streams.
pub const MAX_CLEANED_PER_CYCLE: i64 = 256 << 10;

/// Whether a log that is zero below `clean` may be written up to `limit`. Publishers and readers look up to the end of
/// the following term, which was last written three terms before.
pub const fn is_clean_for(limit: i64, clean: i64, term_length: i64) -> bool {
    limit <= clean + 2 * term_length - FRAME_STEP
}

/// The clean position of a log.
#[derive(Debug)]
pub struct Cleaning {
    clean: i64,
}

impl Cleaning {
    /// A log that is zero from `start` on, and has nothing before it.
    pub const fn new(start: i64) -> Self {
        Self { clean: start }
    }

    /// The clean position: everything below is zero.
    pub const fn position(&self) -> i64 {
        self.clean
    }

    /// Zeroes more of the log, at most up to `target`, and only a limited amount. Returns whether there was anything to
    /// zero.
    pub fn go_towards(&mut self, target: i64, log: &LogBuffers) -> bool {
        let to = target.min(self.clean + MAX_CLEANED_PER_CYCLE);
        if to <= self.clean {
            return false;
        }
        self.clean = clean_to(log, Position::new(self.clean), Position::new(to)).get();
        true
    }
}
