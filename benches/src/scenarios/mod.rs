//! What is measured: which systems, which sizes, how long.

pub mod ipc;
