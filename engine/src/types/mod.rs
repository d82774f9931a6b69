//! The identifiers and quantities that the parts of the engine exchange. Each has its own type, so two of them cannot
//! be swapped. In shared memory and on the wire they are plain integers. Nothing here does I/O or allocates.

mod ids;
mod mtu;
mod position;
mod semantic_version;
mod term_id;
mod term_length;

pub use ids::{ClientId, CorrelationId, CounterId, RecordingId, RegistrationId, SessionId, StreamId};
pub use mtu::{Mtu, MtuError};
pub use position::Position;
pub use semantic_version::SemanticVersion;
pub use term_id::TermId;
pub use term_length::{TermLength, TermLengthError};
