//! Messages of an SBE schema, written directly into a claim and read directly from a fragment. Applications call this
//! on publications and fragments. It adds only the checks between bytes and types, and never copies a message.

use gannet_codecs_runtime::{DecodeError, EncodeError, Message};

use super::claim::Claim;
use super::exclusive_publication::ExclusivePublication;
use super::publication::Publication;
use crate::logbuffer::{ClaimLost, Fragment, OfferError};
use crate::types::Position;

/// Why a message was not sent. Nothing was published then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No room could be claimed. After [`OfferError::BackPressured`] and [`OfferError::AdminAction`] the message may simply be
    /// sent again.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The message was not written: it is longer than the room that was claimed for it, or more than its schema allows. The
    /// claim was aborted.
    #[error("the message was not written: {0}")]
    Encode(#[from] EncodeError),
    /// Writing took so long that the driver gave up waiting for it.
    #[error(transparent)]
    ClaimLost(#[from] ClaimLost),
}

/// Why a fragment is not the message that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is a part of a message that came in several: poll by way of a [`FragmentAssembler`](crate::FragmentAssembler).
    #[error("this is a part of a message that came in several fragments, and takes an assembler to be read")]
    Part,
    /// It is of another schema or message, or of a version that did not have the message yet, or it is cut off.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl ExclusivePublication {
    /// Sends a message of an SBE schema: claims `length` bytes, at most [`Self::max_payload_length`], has `write` write the
    /// message there, and publishes as much as it wrote. The position after it comes back.
    ///
    /// `length` is the message's length with its header, as `encoded_length` of its encoder tells it. Where that is not known
    /// beforehand it may be more: what is left over becomes padding, which takes up room in the log and is skipped by
    /// subscribers. Messages that are longer than a frame are written to a buffer and offered.
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
    /// [`SendError`]; nothing was published then, and a claim was given up.
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
    /// [`SendError`]; nothing was published then, and a claim was given up.
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
    /// Reads the message that this is, checking that its header names that message and its schema and a version that had it,
    /// and that all of it is there: what is asked of it then cannot fail. Newer versions are read as far as they are known. See
    /// [`ExclusivePublication::send`] for an example.
    ///
    /// Where messages of several kinds share a stream, the schema's `AnyMessage` tells them apart.
    ///
    /// # Errors
    ///
    /// [`MessageError`].
    #[inline]
    pub fn decode<M: Message>(&self) -> Result<M::Decoder<'a>, MessageError> {
        Ok(M::decode(self.whole_message()?)?)
    }

    /// Reads the message as [`decode`](Self::decode) does, but from front to back: groups and data are checked when they are
    /// reached, each once. It is the fastest way to read all of a message, above all one with nested groups.
    ///
    /// # Errors
    ///
    /// [`MessageError`]; that the bytes end too soon is found when the end is reached.
    #[inline]
    pub fn decode_in_order<M: Message>(&self) -> Result<M::InOrder<'a>, MessageError> {
        Ok(M::in_order(self.whole_message()?)?)
    }

    /// The bytes of a whole message.
    ///
    /// # Errors
    ///
    /// [`MessageError::Part`].
    #[inline]
    pub fn whole_message(&self) -> Result<&'a [u8], MessageError> {
        if self.is_unfragmented() { Ok(self.payload()) } else { Err(MessageError::Part) }
    }
}
