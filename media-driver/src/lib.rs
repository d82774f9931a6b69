//! Gannet's media driver: the process, and the same driver embedded in an application.

pub mod config;
pub mod io;
