//! A counter's key: 112 bytes, whose meaning depends on the counter's type. The driver builds keys; clients and tools
//! decode them. Keys to decode come from shared memory, so every length in them is checked.

use super::layout::KEY_LENGTH;
use crate::types::{ClientId, CounterId, RegistrationId, SessionId, StreamId};

/// The bytes of a key. What a type does not use is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterKey([u8; KEY_LENGTH]);

/// The key of a counter of one stream (types 1 to 5, 9, 10, 12, 13, 17, 19, 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey<'a> {
    /// The publication, subscription or image; equal to the registration id beside the value.
    pub registration_id: RegistrationId,
    /// The stream's session.
    pub session_id: SessionId,
    /// The stream's id.
    pub stream_id: StreamId,
    /// The channel, clipped to [`Self::MAX_CHANNEL_LENGTH`]. The label has all of it.
    pub channel: &'a [u8],
}

/// The key of a counter of a channel (types 6, 7, 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelKey<'a> {
    /// The channel, clipped to [`Self::MAX_CHANNEL_LENGTH`]. The label has all of it.
    pub channel: &'a [u8],
}

/// The key of a counter of a local socket address (type 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockaddrKey<'a> {
    /// The status counter of the channel that the socket serves.
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
    /// The greatest length of a key in bytes.
    pub const MAX_LENGTH: usize = KEY_LENGTH;

    /// The key with these bytes, as many of them as fit.
    pub fn new(bytes: &[u8]) -> Self {
        let mut key = Self::default();
        key.put(0, bytes);
        key
    }

    /// The key of a client's heartbeat (type 11).
    pub fn client(client_id: ClientId) -> Self {
        Self::new(&client_id.get().to_le_bytes())
    }

    /// All the bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8; KEY_LENGTH] {
        &mut self.0
    }

    /// The 32-bit number at `offset`, if the key reaches that far.
    pub fn get_i32(&self, offset: usize) -> Option<i32> {
        Some(i32::from_le_bytes(*self.0.get(offset..)?.first_chunk()?))
    }

    /// The 64-bit number at `offset`, if the key reaches that far.
    pub fn get_i64(&self, offset: usize) -> Option<i64> {
        Some(i64::from_le_bytes(*self.0.get(offset..)?.first_chunk()?))
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        let length = bytes.len().min(KEY_LENGTH - offset);
        self.0[offset..offset + length].copy_from_slice(&bytes[..length]);
    }

    /// Stores a clipped text behind its length.
    fn put_text(&mut self, offset: usize, text: &[u8], max: usize) {
        let text = &text[..text.len().min(max)];
        self.put(offset, &(text.len() as i32).to_le_bytes());
        self.put(offset + 4, text);
    }

    /// The text behind its length, if it is within `max`.
    fn text(&self, offset: usize, max: usize) -> Option<&[u8]> {
        let length = usize::try_from(self.get_i32(offset)?).ok().filter(|&length| length <= max)?;
        self.0.get(offset + 4..offset + 4 + length)
    }
}

impl<'a> StreamKey<'a> {
    const SESSION: usize = 8;
    const STREAM: usize = 12;
    const CHANNEL: usize = 16;

    /// As much of a channel as the key holds, in bytes.
    pub const MAX_CHANNEL_LENGTH: usize = KEY_LENGTH - Self::CHANNEL - 4;

    /// The key's fields; nothing if its length of the channel is impossible.
    pub fn read(key: &'a CounterKey) -> Option<Self> {
        Some(Self {
            registration_id: RegistrationId::new(key.get_i64(0)?),
            session_id: SessionId::new(key.get_i32(Self::SESSION)?),
            stream_id: StreamId::new(key.get_i32(Self::STREAM)?),
            channel: key.text(Self::CHANNEL, Self::MAX_CHANNEL_LENGTH)?,
        })
    }

    /// The key with these fields.
    pub fn key(&self) -> CounterKey {
        let mut key = CounterKey::new(&self.registration_id.get().to_le_bytes());
        key.put(Self::SESSION, &self.session_id.get().to_le_bytes());
        key.put(Self::STREAM, &self.stream_id.get().to_le_bytes());
        key.put_text(Self::CHANNEL, self.channel, Self::MAX_CHANNEL_LENGTH);
        key
    }
}

impl<'a> ChannelKey<'a> {
    /// As much of a channel as the key holds, in bytes.
    pub const MAX_CHANNEL_LENGTH: usize = KEY_LENGTH - 4;

    /// The key's field; nothing if its length is impossible.
    pub fn read(key: &'a CounterKey) -> Option<Self> {
        Some(Self { channel: key.text(0, Self::MAX_CHANNEL_LENGTH)? })
    }

    /// The key with this field.
    pub fn key(&self) -> CounterKey {
        let mut key = CounterKey::default();
        key.put_text(0, self.channel, Self::MAX_CHANNEL_LENGTH);
        key
    }
}

impl<'a> SockaddrKey<'a> {
    const ADDRESS: usize = 4;

    /// As much of an address as the key holds, in bytes.
    pub const MAX_ADDRESS_LENGTH: usize = 103;

    /// The key's fields; nothing if the length of the address is impossible.
    pub fn read(key: &'a CounterKey) -> Option<Self> {
        let channel_status_id = CounterId::new(key.get_i32(0)?);
        Some(Self { channel_status_id, address: key.text(Self::ADDRESS, Self::MAX_ADDRESS_LENGTH)? })
    }

    /// The key with these fields.
    pub fn key(&self) -> CounterKey {
        let mut key = CounterKey::new(&self.channel_status_id.get().to_le_bytes());
        key.put_text(Self::ADDRESS, self.address, Self::MAX_ADDRESS_LENGTH);
        key
    }
}

const _: () = assert!(StreamKey::MAX_CHANNEL_LENGTH == 92 && ChannelKey::MAX_CHANNEL_LENGTH == 108);
