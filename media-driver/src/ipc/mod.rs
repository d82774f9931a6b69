//! IPC publications: streams whose readers map the publisher's own log. Everything here is done by the conductor; there is no
//! sender and no receiver between publisher and subscriber.

mod limits;
mod publication;
mod state;

pub use publication::{Change, IpcPublication, NewIpcPublication, RESPONSE_PROTOTYPE, Tick};
pub use state::State;
