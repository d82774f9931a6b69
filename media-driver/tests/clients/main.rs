//! Clients in processes of their own, with a driver in another, that are stopped, wait and reconnect. Every wait has a
//! deadline, and every process is gone when its test ends.
#![expect(clippy::disallowed_methods, reason = "waits for processes, with deadlines")]

mod client_process;
mod paused_client;
mod restarted_driver;
mod waiting_subscriber;

#[allow(dead_code, reason = "shared with the tests of the driver process")]
#[path = "../system/driver_process.rs"]
mod driver_process;
