//! The driver's promise to follow the protocols of the memory that it shares with its clients. Used where the driver's
//! files are created. It never leaves this crate.
#![allow(unsafe_code, reason = "UNSAFE FENCE: promises what the driver's agents keep")]

use gannet::memory::RawAccess;

// SAFETY: the command file has one conductor, which alone consumes commands and writes events, counters, errors and losses. A log
// is cleaned, unblocked and rebuilt by the agent that owns it, below every position that anybody may still read at, as the
// counters say, and above what was announced as free; publishers and readers map it anew, in whichever process they are. Those of a
// simulation do not, but its drivers and clients take turns in one thread.
pub(crate) const RAW: RawAccess = unsafe { RawAccess::promised() };
