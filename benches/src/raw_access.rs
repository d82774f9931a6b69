//! The rig's promise to follow the protocols of the memory that it accesses without a client.
#![allow(unsafe_code, reason = "UNSAFE FENCE: floors and small logs that are measured without a driver")]

use gannet::memory::RawAccess;

// SAFETY: what is made with it is used by one thread; or, in `handover`, by two that hand ranges over by the words that say so: a range
// is the writer's from the limit that lets it in to the release store of its length, and the reader's from the acquiring load of that
// to the limit behind it.
pub(crate) const RAW: RawAccess = unsafe { RawAccess::promised() };
