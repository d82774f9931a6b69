//! Gannet's media driver: the process, and the same driver embedded in an application.

pub mod conductor;
pub mod config;
pub mod io;
pub mod ipc;
pub mod mailbox;
pub mod shared;
