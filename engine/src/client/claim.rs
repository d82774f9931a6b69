//! Claims as publications lend them: claims of the log buffer that ring the log's doorbell after the commit.

use core::ops::{Deref, DerefMut};

use crate::logbuffer::{self, ClaimLost, Doorbell};
use crate::types::Position;

/// The payload of one message, which the application writes directly into the log. [`commit`](Self::commit) publishes
/// the message. Dropping the claim aborts it, and subscribers skip it.
///
/// Subscribers cannot read past an open claim, so keep it short. The driver assumes that the publisher of a claim is
/// dead once it has been open for longer than the unblock timeout (default 15 s). The claim is then lost.
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

    /// The payload. Its initial contents are unspecified.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.claim.payload_mut()
    }

    /// Sets the frame's flags. Default: [`UNFRAGMENTED`](crate::logbuffer::flags::UNFRAGMENTED).
    pub fn set_flags(&mut self, flags: u8) {
        self.claim.set_flags(flags);
    }

    /// Sets the reserved value: eight bytes in the frame's header for the application's use. Default: 0.
    #[inline]
    pub fn set_reserved_value(&mut self, value: i64) {
        self.claim.set_reserved_value(value);
    }

    /// Publishes the message. Returns the position after it.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the claim was open for longer than the driver's unblock timeout.
    #[inline]
    pub fn commit(self) -> Result<Position, ClaimLost> {
        let position = self.claim.commit()?;
        self.doorbell.after_commit();
        Ok(position)
    }

    /// Publishes the first `length` bytes of the payload, or all of it if it is shorter. Returns the position after the
    /// claim. The rest of the claimed space becomes padding, which subscribers skip.
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

    /// Aborts the claim. Its space becomes padding, which subscribers skip.
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

/// The payloads of several messages, which the application writes directly into the log. [`commit`](Self::commit)
/// publishes all of them. Dropping the batch aborts it. Everything else is as for [`Claim`].
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

    /// Calls `write` with the number (from 0) and the payload of each message. A payload has the requested length. Its
    /// initial contents are unspecified.
    #[inline]
    pub fn for_each(&mut self, write: impl FnMut(usize, &mut [u8])) {
        self.batch.for_each(write);
    }

    /// Publishes all messages. Returns the position after the last one.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the batch was open for longer than the driver's unblock timeout.
    #[inline]
    pub fn commit(self) -> Result<Position, ClaimLost> {
        let position = self.batch.commit()?;
        self.doorbell.after_commit();
        Ok(position)
    }

    /// Aborts the batch. Its space becomes padding, which subscribers skip.
    pub fn abort(self) {}
}
