//! UNSAFE FENCE: destinations that the C client adds to publications and subscriptions, and removes again.
#![allow(unsafe_code, reason = "calls of the C client")]

use super::{ANSWER_TIMEOUT, ClientCore, ExclusivePublication, Publication, Subscription, c_text, check};
use crate::error::PeerError;
use rusteron_client::bindings as c;
use std::ffi::{c_char, c_int};
use std::ptr;

type Begin<T> =
    unsafe extern "C" fn(*mut *mut c::aeron_async_destination_t, *mut c::aeron_t, *mut T, *const c_char) -> c_int;
type Poll = unsafe extern "C" fn(*mut c::aeron_async_destination_t) -> c_int;

/// Asks for a change and waits for the driver's answer.
///
/// # Safety
///
/// `handle` belongs to the client of `core` and is alive during the call; `begin` and `poll` are the C client's
/// functions for its type.
unsafe fn change<T>(
    core: &ClientCore,
    handle: *mut T,
    (begin, poll): (Begin<T>, Poll),
    attempted: impl Fn() -> String + Copy,
    channel: &str,
) -> Result<(), PeerError> {
    let uri = c_text(channel, attempted)?;
    let mut pending = ptr::null_mut();
    let guard = core.lock();
    // SAFETY: the caller's promise; the text is copied by the call, and `pending` takes the pointer that it stores.
    check(unsafe { begin(&mut pending, core.client.as_ptr(), handle, uri.as_ptr()) }, attempted)?;
    drop(guard);
    // SAFETY: `pending` came from the call above and is polled until it is answered, no longer.
    core.await_answer(attempted, ANSWER_TIMEOUT, || unsafe { poll(pending) })
}

macro_rules! destinations {
    ($handle:ty, $add:ident, $remove:ident, $poll:ident) => {
        impl $handle {
            /// Adds a destination and waits for the driver's answer.
            pub fn add_destination(&self, channel: &str) -> Result<(), PeerError> {
                let attempted = || format!("adding the destination {channel}");
                // SAFETY: the C object is alive as long as `self`, and these are its functions.
                unsafe { change(&self.core, self.raw.as_ptr(), (c::$add, c::$poll), attempted, channel) }
            }

            /// Removes the destination that was added with this channel, and waits for the driver's answer.
            pub fn remove_destination(&self, channel: &str) -> Result<(), PeerError> {
                let attempted = || format!("removing the destination {channel}");
                // SAFETY: as for `add_destination`.
                unsafe { change(&self.core, self.raw.as_ptr(), (c::$remove, c::$poll), attempted, channel) }
            }
        }
    };
}

destinations!(
    Publication,
    aeron_publication_async_add_destination,
    aeron_publication_async_remove_destination,
    aeron_publication_async_destination_poll
);
destinations!(
    ExclusivePublication,
    aeron_exclusive_publication_async_add_destination,
    aeron_exclusive_publication_async_remove_destination,
    aeron_exclusive_publication_async_destination_poll
);
destinations!(
    Subscription,
    aeron_subscription_async_add_destination,
    aeron_subscription_async_remove_destination,
    aeron_subscription_async_destination_poll
);
