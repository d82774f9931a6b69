//! Claims as publications lend them: claims of the log buffer that ring the log's doorbell after the commit.

use core::ops::{Deref, DerefMut};

use crate::logbuffer::{self, ClaimLost, Doorbell};
use crate::types::Position;

/// The payload of one message, lent for writing in the log itself. It is sent with [`commit`](Self::commit); dropped without,
/// it is aborted, and subscribers skip it.
///
/// Subscribers wait for a claim, so it should be short-lived: one that is held for longer than the driver's unblock timeout
/// (15 s unless configured) is taken for a dead publisher's, and lost.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
/// # let subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// # while publication.available_window().is_some_and(|window| window <= 0) {}
/// let mut claim = publication.try_claim(4)?;
/// claim[..2].copy_from_slice(b"ab");
/// claim[2..].copy_from_slice(b"cd");
/// claim.set_reserved_value(7);
/// claim.commit()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a claim that is dropped is aborted"]
pub struct Claim<'a> {
    claim: logbuffer::Claim<'a>,
    doorbell: &'a Doorbell,
}

impl<'a> Claim<'a> {
    #[inline]
    pub(super) fn new(claim: logbuffer::Claim<'a>, doorbell: &'a Doorbell) -> Self {
        Self { claim, doorbell }
    }

    /// The payload. What it holds at first is unspecified.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.claim.payload_mut()
    }

    /// Sets the frame's flags, [`UNFRAGMENTED`](crate::logbuffer::flags::UNFRAGMENTED) unless set.
    pub fn set_flags(&mut self, flags: u8) {
        self.claim.set_flags(flags);
    }

    /// Sets the reserved value, which is 0 unless set: eight bytes in the frame's header that belong to the
    /// application.
    #[inline]
    pub fn set_reserved_value(&mut self, value: i64) {
        self.claim.set_reserved_value(value);
    }

    /// Publishes the message and returns the position after it.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the driver has given up waiting for it.
    #[inline]
    pub fn commit(self) -> Result<Position, ClaimLost> {
        let position = self.claim.commit()?;
        self.doorbell.after_commit();
        Ok(position)
    }

    /// Publishes the first `length` bytes of the payload, or all of it if it is shorter, and returns the position after
    /// the claim. The rest of the claimed space becomes padding, which subscribers skip.
    ///
    /// # Errors
    ///
    /// As [`Self::commit`].
    #[inline]
    pub fn commit_first(self, length: usize) -> Result<Position, ClaimLost> {
        let position = self.claim.commit_first(length)?;
        self.doorbell.after_commit();
        Ok(position)
    }

    /// Aborts the claim: its space becomes padding, which subscribers skip.
    #[inline]
    pub fn abort(self) {}
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.claim
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.claim
    }
}

/// The payloads of several messages, lent for writing in the log itself. They are sent together with
/// [`commit`](Self::commit); dropped without, they are aborted. Otherwise as [`Claim`].
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
/// # let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// # while publication.available_window().is_some_and(|window| window <= 0) {}
/// let lengths = [8; 16];
/// let mut batch = publication.claim_batch(&lengths)?;
/// batch.for_each(|number, payload| payload.copy_from_slice(&(number as u64).to_le_bytes()));
/// batch.commit()?;
///
/// let mut received = 0;
/// while received < 16 {
///     received += subscription.poll(|fragment| assert_eq!(fragment.payload().len(), 8), 16);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a batch that is dropped is aborted"]
pub struct BatchClaim<'a> {
    batch: logbuffer::BatchClaim<'a>,
    doorbell: &'a Doorbell,
}

impl<'a> BatchClaim<'a> {
    #[inline]
    pub(super) fn new(batch: logbuffer::BatchClaim<'a>, doorbell: &'a Doorbell) -> Self {
        Self { batch, doorbell }
    }

    /// Calls `write` for each message, with its number, from 0, and its payload, which has the length that was asked
    /// for. What the payload holds at first is unspecified.
    #[inline]
    pub fn for_each(&mut self, write: impl FnMut(usize, &mut [u8])) {
        self.batch.for_each(write);
    }

    /// Publishes all messages and returns the position after the last.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the driver has given up waiting for them.
    #[inline]
    pub fn commit(self) -> Result<Position, ClaimLost> {
        let position = self.batch.commit()?;
        self.doorbell.after_commit();
        Ok(position)
    }

    /// Aborts the batch: its space becomes padding, which subscribers skip.
    pub fn abort(self) {}
}
