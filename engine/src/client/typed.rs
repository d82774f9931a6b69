//! Messages of an SBE schema, written directly into a claim and read directly from a fragment. Applications call this
//! on publications and fragments. It adds only the checks between bytes and types, and never copies a message.

use gannet_codecs_runtime::{DecodeError, EncodeError, Message};

use super::claim::Claim;
use super::exclusive_publication::ExclusivePublication;
use super::publication::Publication;
use crate::logbuffer::{ClaimLost, Fragment, OfferError};
use crate::types::Position;

/// Why a message was not sent. Nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No space could be claimed. After [`OfferError::BackPressured`] or [`OfferError::AdminAction`], send the message
    /// again.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The message was not written: it is longer than the claimed space, or longer than its schema allows. The claim
    /// was aborted.
    #[error("the message was not written: {0}")]
    Encode(#[from] EncodeError),
    /// The claim was lost: writing the message took longer than the driver's unblock timeout.
    #[error(transparent)]
    ClaimLost(#[from] ClaimLost),
}

/// Why a fragment cannot be read as the requested message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The fragment is part of a longer message. Poll through a [`FragmentAssembler`](crate::FragmentAssembler).
    #[error("this is a part of a message that came in several fragments, and takes an assembler to be read")]
    Part,
    /// The message is of another schema or type, its version is older than the requested message, or it is truncated.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl ExclusivePublication {
    /// Sends a message of an SBE schema. Claims `length` bytes, at most [`Self::max_payload_length`], calls `write` to
    /// write the message there, and publishes the bytes that it wrote. Returns the position after the claim.
    ///
    /// `length` is the message's length with its header, which `encoded_length` of its encoder returns. If the length
    /// is not known beforehand, `length` may be larger: the rest becomes padding, which occupies the log and which
    /// subscribers skip. For messages longer than a frame, encode into a buffer and offer it.
    ///
    /// ```
    /// use gannet::{Client, Context, SendError};
    /// use gannet_market::types::{Price, Side};
    /// use gannet_market::{Trade, TradeEncoder};
    /// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
    /// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
    /// # let client = Client::connect(Context::new().dir(driver.dir()))?;
    /// # let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
    ///
    /// let mut publication = client.add_exclusive_publication("aeron:ipc?term-length=64k", 1001)?;
    /// # while publication.available_window().is_some_and(|window| window <= 0) {}
    /// publication.send::<Trade>(TradeEncoder::encoded_length(), |mut trade| {
    ///     trade.time(1_000).instrument(7).price(Price { mantissa: 101_500_000_000 }).quantity(3).aggressor(Side::BUY);
    ///     Ok(trade.finish())
    /// })?;
    ///
    /// let mut heard = None;
    /// while heard.is_none() {
    ///     subscription.poll(
    ///         |fragment| match fragment.decode::<Trade>() {
    ///             Ok(trade) => heard = Some((trade.instrument(), trade.quantity(), trade.aggressor())),
    ///             Err(error) => eprintln!("not a trade: {error}"),
    ///         },
    ///         10,
    ///     );
    /// }
    /// assert_eq!(heard, Some((7, 3, Some(Side::BUY))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing was published, and the claim was aborted.
    #[inline]
    pub fn send<M: Message>(
        &mut self,
        length: usize,
        write: impl FnOnce(M::Encoder<'_>) -> Result<usize, EncodeError>,
    ) -> Result<Position, SendError> {
        write_claim::<M>(self.try_claim(length)?, write)
    }
}

impl Publication {
    /// Sends a message of an SBE schema, as [`ExclusivePublication::send`] does.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing was published, and the claim was aborted.
    #[inline]
    pub fn send<M: Message>(
        &self,
        length: usize,
        write: impl FnOnce(M::Encoder<'_>) -> Result<usize, EncodeError>,
    ) -> Result<Position, SendError> {
        write_claim::<M>(self.try_claim(length)?, write)
    }
}

/// Writes a message into a claim and commits it. A claim that is not committed is aborted when it is dropped: also when `write`
/// fails or panics.
#[inline]
fn write_claim<M: Message>(
    mut claim: Claim<'_>,
    write: impl FnOnce(M::Encoder<'_>) -> Result<usize, EncodeError>,
) -> Result<Position, SendError> {
    let written = write(M::encode(claim.payload_mut())?)?;
    Ok(claim.commit_first(written)?)
}

impl<'a> Fragment<'a> {
    /// Reads the fragment as message `M`. Checks first that the header names this message, its schema and a version
    /// that has the message, and that the message is complete. The decoder's methods therefore cannot fail. Fields that
    /// a newer version added are ignored. See [`ExclusivePublication::send`] for an example.
    ///
    /// If a stream carries several kinds of messages, the schema's `AnyMessage` tells them apart.
    ///
    /// # Errors
    ///
    /// [`MessageError`].
    #[inline]
    pub fn decode<M: Message>(&self) -> Result<M::Decoder<'a>, MessageError> {
        Ok(M::decode(self.whole_message()?)?)
    }

    /// As [`decode`](Self::decode), but reads the message from front to back, and checks each group and data field
    /// once, when it is reached. This is the fastest way to read a whole message, especially one with nested groups.
    ///
    /// # Errors
    ///
    /// [`MessageError`]. A message that is too short is detected only when its end is reached.
    #[inline]
    pub fn decode_in_order<M: Message>(&self) -> Result<M::InOrder<'a>, MessageError> {
        Ok(M::in_order(self.whole_message()?)?)
    }

    /// The bytes of a message that arrived as one fragment.
    ///
    /// # Errors
    ///
    /// [`MessageError::Part`].
    #[inline]
    pub fn whole_message(&self) -> Result<&'a [u8], MessageError> {
        if self.is_unfragmented() { Ok(self.payload()) } else { Err(MessageError::Part) }
    }
}
