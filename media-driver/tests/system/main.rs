//! The driver as operators and clients use it: a real process that is started, stopped, killed or refuses to start.
//! Every wait has a deadline, and every process is gone when its test ends.
#![expect(clippy::disallowed_methods, reason = "waits for processes, with deadlines, and looks at their files")]

mod cnc_file;
mod directory;
mod driver_process;
mod network;
mod options;
#[path = "../support/raw_access.rs"]
mod raw_access;
#[expect(dead_code, reason = "what clients said of the files is for the engine's tests")]
#[path = "../../../engine/tests/support/reference.rs"]
mod reference;
mod room;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod stop;
mod three_hosts;
