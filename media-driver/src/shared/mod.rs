//! Words of shared memory that several parties use: the counters of a publication or an image, which clients store or
//! read, and words of the driver beside them. Each word has one writer.

mod beat;
mod blocked;
mod cleaning;
mod id_hash;
mod image_words;
mod network_counters;
mod publication_words;
mod seldom;
mod shown_position;
mod stall_tracker;
mod standstill;
mod subscribers;
mod tether;

pub use beat::next_beat;
pub use blocked::BlockedWatch;
pub use cleaning::{Cleaning, FRAME_STEP, MAX_CLEANED_PER_CYCLE, is_clean_for};
pub use id_hash::IdMap;
pub use image_words::{Condition, ImageWords};
pub use network_counters::NetworkCounters;
pub use publication_words::{PublicationWords, Receivers};
pub use seldom::Seldom;
pub use shown_position::ShownPosition;
pub use stall_tracker::StallTracker;
pub use standstill::StandstillWatch;
pub use subscribers::{DueTurn, LinkId, Span, Subscriber, Subscribers};
pub use tether::{Tether, Turn, UntetheredTimeouts};

use gannet::memory::OwnedWord;
use gannet::types::CounterId;

/// A counter that the driver allocated, and its value.
#[derive(Clone, Debug)]
pub struct Counter {
    /// The counter's id.
    pub id: CounterId,
    /// Its value.
    pub value: OwnedWord<i64>,
}
