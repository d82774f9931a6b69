//! A counter's key: 112 bytes, whose meaning depends on the counter's type. The driver builds keys; clients and tools
//! decode them. Keys to decode come from shared memory, so every length in them is checked.

use super::layout::KEY_LENGTH;
use crate::types::{ClientId, CounterId, RegistrationId, SessionId, StreamId};

/// The bytes of a key. Unused bytes are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterKey([u8; KEY_LENGTH]);

/// The key of a counter of one stream (types 1 to 5, 9, 10, 12, 13, 17, 19, 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey<'a> {
    /// The registration id of the publication, subscription or image. Equal to the registration id beside the value.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The channel, clipped to [`Self::MAX_CHANNEL_LENGTH`]. The label contains more of it.
    pub channel: &'a [u8],
}

/// The key of a counter of a channel (types 6, 7, 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelKey<'a> {
    /// The channel, clipped to [`Self::MAX_CHANNEL_LENGTH`]. The label contains more of it.
    pub channel: &'a [u8],
}

/// The key of a counter of a local socket address (type 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockaddrKey<'a> {
    /// The id of the status counter of the socket's channel.
    pub channel_status_id: CounterId,
    /// The address as text, clipped to [`Self::MAX_ADDRESS_LENGTH`].
    pub address: &'a [u8],
}

impl Default for CounterKey {
    fn default() -> Self {
        Self([0; KEY_LENGTH])
    }
}

impl CounterKey {
    /// The maximum length of a key in bytes.
    pub const MAX_LENGTH: usize = KEY_LENGTH;

    /// A key with these bytes, clipped to the maximum length.
    pub fn new(bytes: &[u8]) -> Self {
        let mut key = Self::default();
        key.put(0, bytes);
        key
    }

    /// The key of a client's heartbeat counter (type 11).
    pub fn client(client_id: ClientId) -> Self {
        Self::new(&client_id.get().to_le_bytes())
    }

    /// The whole key.
    pub fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8; KEY_LENGTH] {
        &mut self.0
    }

    /// The 32-bit number at `offset`, if it is within the key.
    pub fn get_i32(&self, offset: usize) -> Option<i32> {
        Some(i32::from_le_bytes(*self.0.get(offset..)?.first_chunk()?))
    }

    /// The 64-bit number at `offset`, if it is within the key.
    pub fn get_i64(&self, offset: usize) -> Option<i64> {
        Some(i64::from_le_bytes(*self.0.get(offset..)?.first_chunk()?))
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        let length = bytes.len().min(KEY_LENGTH - offset);
        self.0[offset..offset + length].copy_from_slice(&bytes[..length]);
    }

    /// Stores a length and a clipped text.
    fn put_text(&mut self, offset: usize, text: &[u8], max: usize) {
        let text = &text[..text.len().min(max)];
        self.put(offset, &(text.len() as i32).to_le_bytes());
        self.put(offset + 4, text);
    }

    /// The text after its length, if the length is at most `max`.
    fn text(&self, offset: usize, max: usize) -> Option<&[u8]> {
        let length = usize::try_from(self.get_i32(offset)?).ok().filter(|&length| length <= max)?;
        self.0.get(offset + 4..offset + 4 + length)
    }
}

impl<'a> StreamKey<'a> {
    const SESSION: usize = 8;
    const STREAM: usize = 12;
    const CHANNEL: usize = 16;

    /// The maximum length of a channel in the key, in bytes.
    pub const MAX_CHANNEL_LENGTH: usize = KEY_LENGTH - Self::CHANNEL - 4;

    /// Decodes the key. `None` if the length of the channel is invalid.
    pub fn read(key: &'a CounterKey) -> Option<Self> {
        Some(Self {
            registration_id: RegistrationId::new(key.get_i64(0)?),
            session_id: SessionId::new(key.get_i32(Self::SESSION)?),
            stream_id: StreamId::new(key.get_i32(Self::STREAM)?),
            channel: key.text(Self::CHANNEL, Self::MAX_CHANNEL_LENGTH)?,
        })
    }

    /// Encodes the key.
    pub fn key(&self) -> CounterKey {
        let mut key = CounterKey::new(&self.registration_id.get().to_le_bytes());
        key.put(Self::SESSION, &self.session_id.get().to_le_bytes());
        key.put(Self::STREAM, &self.stream_id.get().to_le_bytes());
        key.put_text(Self::CHANNEL, self.channel, Self::MAX_CHANNEL_LENGTH);
        key
    }
}

impl<'a> ChannelKey<'a> {
    /// The maximum length of a channel in the key, in bytes.
    pub const MAX_CHANNEL_LENGTH: usize = KEY_LENGTH - 4;

    /// Decodes the key. `None` if the length of the channel is invalid.
    pub fn read(key: &'a CounterKey) -> Option<Self> {
        Some(Self { channel: key.text(0, Self::MAX_CHANNEL_LENGTH)? })
    }

    /// Encodes the key.
    pub fn key(&self) -> CounterKey {
        let mut key = CounterKey::default();
        key.put_text(0, self.channel, Self::MAX_CHANNEL_LENGTH);
        key
    }
}

impl<'a> SockaddrKey<'a> {
    const ADDRESS: usize = 4;

    /// The maximum length of an address in the key, in bytes.
    pub const MAX_ADDRESS_LENGTH: usize = 103;

    /// Decodes the key. `None` if the length of the address is invalid.
    pub fn read(key: &'a CounterKey) -> Option<Self> {
        let channel_status_id = CounterId::new(key.get_i32(0)?);
        Some(Self { channel_status_id, address: key.text(Self::ADDRESS, Self::MAX_ADDRESS_LENGTH)? })
    }

    /// Encodes the key.
    pub fn key(&self) -> CounterKey {
        let mut key = CounterKey::new(&self.channel_status_id.get().to_le_bytes());
        key.put_text(Self::ADDRESS, self.address, Self::MAX_ADDRESS_LENGTH);
        key
    }
}

const _: () = assert!(StreamKey::MAX_CHANNEL_LENGTH == 92 && ChannelKey::MAX_CHANNEL_LENGTH == 108);
