//! Counters: 64-bit words in which the driver and its clients publish positions, limits, statuses and statistics to
//! each other and to tools. A key and a label describe each counter.
//!
//! ```text
//! metadata: 512 bytes per counter    │ state, type, reuse deadline │ key, 112 bytes │ label length │ label, 380 bytes │
//! values:   128 bytes per counter    │ value │ registration id │ owner id │ reference id │ unused                     │
//! ```
//!
//! The driver's conductor holds the only [`CountersManager`]. It allocates ids densely and reuses those of freed
//! counters after a cool-down. All others hold a [`CountersReader`]. A value has one writer: the party for which the
//! counter was made.

mod catalogue;
mod key;
mod label;
mod layout;
mod manager;
mod reader;
mod spec;
mod status;
mod system;

pub use catalogue::{ChannelCounter, SockaddrCounter, StreamCounter, channel_status, type_id};
pub use key::{ChannelKey, CounterKey, SockaddrKey, StreamKey};
pub use label::CounterLabel;
pub use layout::{COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH, CountersError};
pub use manager::{CountersFull, CountersManager};
pub use reader::{CounterRecord, CounterState, CountersReader};
pub use spec::{CounterSpec, Stream};
pub use status::ChannelStatus;
pub use system::{SystemCounter, SystemLabels};

#[cfg(all(test, not(engine_loom)))]
mod tests;
