//! The promise of tests that access shared memory directly.
#![allow(unsafe_code, reason = "UNSAFE FENCE: tests that play a driver, or damage what one shares")]

use gannet::memory::RawAccess;

// SAFETY: what a test makes with it, it uses from one thread; journals in memory have helper threads that keep to the journal's protocol.
pub(crate) const RAW: RawAccess = unsafe { RawAccess::promised() };
