//! The scenarios, one per file: which systems are measured, in which rounds, with which plan.

pub mod idle;
pub mod ipc;
pub mod journal;
pub mod replay;
pub mod stall;
pub mod udp;
mod usage;
