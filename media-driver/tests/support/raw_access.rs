//! The promise of tests that access shared memory directly.
#![allow(unsafe_code, reason = "UNSAFE FENCE: tests that play a driver, or damage what one shares")]

use gannet::memory::RawAccess;

// SAFETY: what a test makes with it, it uses from one thread; a driver or a client that runs beside it has its own mapping.
pub(crate) const RAW: RawAccess = unsafe { RawAccess::promised() };
