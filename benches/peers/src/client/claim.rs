//! UNSAFE FENCE: a claimed range of a term, lent by the C client until it is committed or aborted.
#![allow(unsafe_code, reason = "the claimed memory is the C client's")]

use rusteron_client::bindings as c;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::{mem, slice};

/// Space for one message inside the log. Aborted when dropped without [`commit`](Self::commit).
#[derive(Debug)]
pub struct Claim<'a> {
    raw: c::aeron_buffer_claim_t,
    position: i64,
    publication: PhantomData<&'a ()>,
}

impl Claim<'_> {
    /// Takes over a claim that a publication just got.
    ///
    /// # Safety
    ///
    /// `raw` was filled in by a successful claim and belongs to nobody else, and the log stays mapped for the claim's
    /// lifetime.
    pub(super) unsafe fn new(raw: c::aeron_buffer_claim_t, position: i64) -> Self {
        Self { raw, position, publication: PhantomData }
    }

    /// The stream position after the claimed message.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Publishes the message.
    pub fn commit(mut self) -> i64 {
        // SAFETY: the claim is ours and is finished only here, since `drop` does not run.
        unsafe { c::aeron_buffer_claim_commit(&mut self.raw) };
        let position = self.position;
        mem::forget(self);
        position
    }

    /// Aborts the claim. Subscribers never see it.
    pub fn abort(self) {}

    /// Leaves the claim neither committed nor aborted, as a publisher that dies does.
    pub fn abandon(self) {
        mem::forget(self);
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: data and length describe memory that is ours alone until the claim is finished.
        unsafe { slice::from_raw_parts(self.raw.data, self.raw.length) }
    }
}

impl DerefMut for Claim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`.
        unsafe { slice::from_raw_parts_mut(self.raw.data, self.raw.length) }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // SAFETY: the claim is ours and not yet finished.
        unsafe { c::aeron_buffer_claim_abort(&mut self.raw) };
    }
}
