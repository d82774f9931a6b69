//! Timestamps in frames, for channels that ask for them: where in each message a receiver writes the arrival time of
//! its datagram. The receiver calls it before it looks at the datagram; times are passed in.

use gannet::channel_uri::TimestampOffset;
use gannet::protocol::{DATA_HEADER_LENGTH, DataFlags, DataHeader};

/// The offset of the reserved value in a frame's header, in bytes.
const RESERVED_VALUE: usize = 24;
const LENGTH: usize = 8;

/// Writes the time into every message that begins in the datagram, is complete in it, and has space for it.
pub fn stamp(datagram: &mut [u8], offset: TimestampOffset, time_ns: i64) {
    let mut at = 0;
    while let Some(frame) = datagram.get_mut(at..)
        && let Ok(header) = DataHeader::parse(frame)
        && let Ok(length) = usize::try_from(header.frame_length)
        && length >= DATA_HEADER_LENGTH
    {
        let is_whole = length <= frame.len();
        if is_whole && !header.is_padding && header.flags.contains(DataFlags::BEGIN) {
            let place = match offset {
                TimestampOffset::Reserved => Some(RESERVED_VALUE),
                TimestampOffset::Payload(offset) => usize::try_from(offset)
                    .ok()
                    .and_then(|offset| offset.checked_add(DATA_HEADER_LENGTH))
                    .filter(|place| place.saturating_add(LENGTH) <= length),
            };
            if let Some(place) = place {
                frame[place..place + LENGTH].copy_from_slice(&time_ns.to_le_bytes());
            }
        }
        at += length.next_multiple_of(DATA_HEADER_LENGTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::types::{SessionId, StreamId, TermId};

    fn frame(payload: usize, flags: DataFlags) -> Vec<u8> {
        let mut bytes = vec![0; (DATA_HEADER_LENGTH + payload).next_multiple_of(DATA_HEADER_LENGTH)];
        DataHeader {
            frame_length: (DATA_HEADER_LENGTH + payload) as i32,
            flags,
            is_padding: false,
            term_offset: 0,
            session_id: SessionId::new(1),
            stream_id: StreamId::new(2),
            term_id: TermId::new(3),
            reserved_value: 0,
        }
        .write(&mut bytes);
        bytes
    }

    /// Every message that begins in the datagram, in its payload if that is long enough, or in its reserved value.
    #[test]
    fn times_are_written_where_they_are_wanted() {
        let whole = DataFlags::UNFRAGMENTED;
        let time = 0x0102_0304_0506_0708_i64;
        let written = |bytes: &[u8], at: usize| bytes[at..at + LENGTH] == time.to_le_bytes();
        let mut datagram = [frame(16, whole), frame(15, whole), frame(40, whole)].concat();
        stamp(&mut datagram, TimestampOffset::Payload(8), time);
        assert_eq!([40, 104, 168].map(|at| written(&datagram, at)), [true, false, true], "one is too short");
        stamp(&mut datagram, TimestampOffset::Reserved, time);
        assert_eq!([24, 88, 152].map(|at| written(&datagram, at)), [true; 3]);
        for mut untouched in
            [frame(32, DataFlags::END), vec![0; 32], vec![1; 64], frame(32, whole)[..32].to_vec(), Vec::new()]
        {
            let before = untouched.clone();
            stamp(&mut untouched, TimestampOffset::Payload(0), time);
            stamp(&mut untouched, TimestampOffset::Reserved, time);
            assert_eq!(before, untouched);
        }
        let mut negative = frame(32, whole);
        stamp(&mut negative, TimestampOffset::Payload(-8), time);
        stamp(&mut negative, TimestampOffset::Payload(i32::MAX), time);
        assert_eq!(negative, frame(32, whole));
    }
}
