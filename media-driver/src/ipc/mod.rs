//! IPC publications: streams whose subscribers map the publisher's own log. The conductor does all the work; there is
//! no sender and no receiver between publisher and subscriber.

mod limits;
mod publication;
mod state;

pub use publication::{Change, IpcPublication, NewIpcPublication, RESPONSE_PROTOTYPE, Tick};
pub use state::State;
