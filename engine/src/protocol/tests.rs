//! Known frames, byte for byte and both ways, and the common mistakes with frames.

use proptest::prelude::*;

use super::*;
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

const SESSION: SessionId = SessionId::new(0x0102_0304);
const STREAM: StreamId = StreamId::new(1001);
const RECEIVER: i64 = 0x1122_3344_5566_7788;
const TERM_64K: TermLength = TermLength::MIN;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn written(write: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut buffer = [0xAA; 2048];
    let length = write(&mut buffer);
    assert!(buffer[length..].iter().all(|&byte| byte == 0xAA), "nothing is written beyond the frame");
    buffer[..length].to_vec()
}

fn setup() -> Setup {
    Setup {
        term_offset: 0,
        session_id: SESSION,
        stream_id: STREAM,
        initial_term_id: TermId::new(7),
        active_term_id: TermId::new(7),
        term_length: TERM_64K,
        mtu: 1408,
        ttl: 0,
        asks_for_response: false,
        group: false,
    }
}

fn status_message() -> StatusMessage {
    StatusMessage {
        session_id: SESSION,
        stream_id: STREAM,
        consumption_term_id: TermId::new(7),
        consumption_term_offset: 4096,
        receiver_window: 32_768,
        receiver_id: RECEIVER,
        group_tag: GroupTag::None,
        asks_for_setup: false,
        end_of_stream: false,
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        term_offset: 8192,
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId::new(9),
        end_of_stream: false,
        revoked: false,
    }
}

fn data(term_offset: i32, frame_length: i32) -> DataHeader {
    DataHeader {
        frame_length,
        flags: DataFlags::UNFRAGMENTED,
        is_padding: false,
        term_offset,
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId::new(7),
        reserved_value: 0,
    }
}

/// A datagram of frames: offset of the first, then length and whether it is padding of each.
fn datagram(mut offset: i32, frames: &[(i32, bool)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &(frame_length, is_padding) in frames {
        let mut header = [0; 32];
        DataHeader { is_padding, ..data(offset, frame_length) }.write(&mut header);
        let aligned = (frame_length + 31) & !31;
        bytes.extend_from_slice(&header);
        if !is_padding {
            bytes.resize(bytes.len() + aligned as usize - 32, 0xDD);
        }
        offset += aligned;
    }
    bytes
}

#[test]
fn vector_setup() {
    let plain = hex("28000000 00000500 00000000 04030201 e9030000 07000000 07000000 00000100 80050000 00000000");
    assert_eq!(written(|buffer| setup().write(buffer)), plain);
    assert_eq!(Frame::parse(&plain), Ok(Frame::Setup(setup())));
    let mut group = plain;
    group[5] = 0x40;
    assert_eq!(written(|buffer| Setup { group: true, ..setup() }.write(buffer)), group);
    assert_eq!(Setup::parse(&group), Ok(Setup { group: true, ..setup() }));
    group[5] = 0x80;
    assert_eq!(Setup::parse(&group), Ok(Setup { asks_for_response: true, ..setup() }));
}

#[test]
fn vector_status_message() {
    let plain = hex("24000000 00000300 04030201 e9030000 07000000 00100000 00800000 88776655 44332211");
    assert_eq!(written(|buffer| status_message().write(buffer)), plain);
    assert_eq!(Frame::parse(&plain), Ok(Frame::StatusMessage(status_message())));
    let mut leaving = plain;
    leaving[5] = 0x40;
    assert_eq!(StatusMessage::parse(&leaving), Ok(StatusMessage { end_of_stream: true, ..status_message() }));
    assert_eq!(written(|buffer| StatusMessage { end_of_stream: true, ..status_message() }.write(buffer)), leaving);
    let request = StatusMessage::setup_request(SessionId::new(0), StreamId::new(0), RECEIVER, Some(-1));
    let bytes =
        hex("2c000000 00800300 00000000 00000000 00000000 00000000 00000000 88776655 44332211 ffffffff ffffffff");
    assert_eq!(written(|buffer| request.write(buffer)), bytes);
    assert_eq!(StatusMessage::parse(&bytes), Ok(request));
}

#[test]
fn vector_nak() {
    let bytes = hex("1c000000 00000200 04030201 e9030000 07000000 80050000 000b0000");
    let nak = Nak { session_id: SESSION, stream_id: STREAM, term_id: TermId::new(7), term_offset: 1408, length: 2816 };
    assert_eq!(written(|buffer| nak.write(buffer)), bytes);
    assert_eq!(Frame::parse(&bytes), Ok(Frame::Nak(nak)));
}

#[test]
fn vector_heartbeat() {
    let mut bytes = hex("00000000 00c00100 00200000 04030201 e9030000 09000000 00000000 00000000");
    for (flags, end_of_stream, revoked) in
        [(0xC0, false, false), (0xE0, true, false), (0xF0, true, true), (0xF0, false, true)]
    {
        bytes[5] = flags;
        assert_eq!(written(|buffer| Heartbeat { end_of_stream, revoked, ..heartbeat() }.write(buffer)), bytes);
        let Ok(Frame::Data(header)) = Frame::parse(&bytes) else { panic!("a data frame") };
        assert!(header.is_heartbeat(bytes.len()));
        assert_eq!(header.flags.contains(DataFlags::END_OF_STREAM), end_of_stream || revoked);
        assert_eq!(header.flags.contains(DataFlags::REVOKED), revoked);
        assert_eq!(header.position(TERM_64K, TermId::new(7)), Some(Position::new(139_264)));
    }
}

#[test]
fn vector_data() {
    let mut bytes = hex("25000000 00c00100 00000000 04030201 e9030000 07000000 00000000 00000000 68656c6c 6f000000");
    bytes.resize(64, 0);
    assert_eq!(Frame::parse(&bytes), Ok(Frame::Data(data(0, 37))));
    assert_eq!(written(|buffer| data(0, 37).write(buffer)), bytes[..32]);
    assert_eq!(extent(&bytes, TERM_64K), Ok(Extent::Frames(64)));
}

#[test]
fn vector_padding() {
    let bytes = hex("00040000 00c00000 00fc0000 04030201 e9030000 07000000 00000000 00000000");
    let padding =
        Padding { length: 1024, term_offset: 64_512, session_id: SESSION, stream_id: STREAM, term_id: TermId::new(7) };
    assert_eq!(written(|buffer| padding.write(buffer)), bytes);
    assert_eq!(Frame::parse(&bytes), Ok(Frame::Padding(padding.header())));
}

#[test]
fn vector_error() {
    let bytes = hex("2a000000 00000400 04030201 e9030000 88776655 44332211 ffffffff ffffffff 0d000000 02000000 6e6f");
    let error = ErrorFrame {
        session_id: SESSION,
        stream_id: STREAM,
        receiver_id: RECEIVER,
        group_tag: None,
        error_code: 13,
        text: b"no",
    };
    assert_eq!(written(|buffer| error.write(buffer)), bytes);
    assert_eq!(Frame::parse(&bytes), Ok(Frame::Error(error)));
    let tagged = ErrorFrame { group_tag: Some(-1), ..error };
    assert_eq!(ErrorFrame::parse(&written(|buffer| tagged.write(buffer))), Ok(tagged));
}

#[test]
fn vector_rtt_measurement() {
    let mut bytes = hex("28000000 00800600 04030201 e9030000 e8030000 00000000 00000000 00000000 88776655 44332211");
    let question = RttMeasurement {
        session_id: SESSION,
        stream_id: STREAM,
        echo_timestamp_ns: 1000,
        reception_delta_ns: 0,
        receiver_id: RECEIVER,
        wants_answer: true,
    };
    assert_eq!(written(|buffer| question.write(buffer)), bytes);
    assert_eq!(Frame::parse(&bytes), Ok(Frame::RttMeasurement(question)));
    bytes[5] = 0;
    assert_eq!(written(|buffer| question.answer(RECEIVER).write(buffer)), bytes);
}

#[test]
fn vector_response_setup() {
    let bytes = hex("14000000 00000b00 04030201 e9030000 4d000000");
    let response = ResponseSetup { session_id: SESSION, stream_id: STREAM, response_session_id: SessionId::new(77) };
    assert_eq!(written(|buffer| response.write(buffer)), bytes);
    assert_eq!(Frame::parse(&bytes), Ok(Frame::ResponseSetup(response)));
}

fn write_entries(entries: &[ResolutionEntry<'_>]) -> Vec<u8> {
    written(|buffer| {
        let mut writer = ResolutionWriter::new(buffer);
        assert!(writer.is_empty());
        entries.iter().for_each(|entry| assert!(writer.add(entry)));
        writer.finish()
    })
}

#[test]
fn vector_resolution() {
    let bytes = hex("18000000 00000700 0180721f 00000000 c0a80001 01004100");
    let entry = ResolutionEntry { is_self: true, address: [192, 168, 0, 1].into(), port: 8050, age_ms: 0, name: b"A" };
    assert_eq!(write_entries(&[entry]), bytes);
    let Ok(Frame::Resolution(resolution)) = Frame::parse(&bytes) else { panic!("a resolution") };
    assert_eq!(resolution.entries().collect::<Vec<_>>(), [Ok(entry)]);
}

#[test]
fn resolution_lengths_are_those_seen_on_the_wire() {
    let entry = |name| ResolutionEntry { is_self: false, address: [127, 0, 0, 1].into(), port: 1, age_ms: 2, name };
    assert_eq!(write_entries(&[entry(b"ab")]).len(), 24);
    assert_eq!(write_entries(&[entry(b"abcde")]).len(), 32);
    let v6 = ResolutionEntry { address: core::net::Ipv6Addr::LOCALHOST.into(), ..entry(b"sixteen_") };
    let both = [entry(b"ab"), v6, entry(b"abcde")];
    let bytes = write_entries(&both);
    let Ok(Frame::Resolution(resolution)) = Frame::parse(&bytes) else { panic!("a resolution") };
    assert_eq!(resolution.entries().map(Result::unwrap).collect::<Vec<_>>(), both);
    // What remains of the datagram is what an entry must fit into.
    for cut in 9..bytes.len() {
        let mut short = bytes[..cut].to_vec();
        short[..4].copy_from_slice(&(cut as i32).to_le_bytes());
        let Ok(resolution) = Resolution::parse(&short) else { continue };
        assert!(resolution.entries().count() <= 3);
    }
}

/// With a term length of 65 536.
#[test]
fn vector_positions() {
    for (initial, term, offset, position, partition) in [
        (7, 7, 0, 0, 0),
        (7, 9, 8192, 139_264, 2),
        (7, 10, 0, 196_608, 0),
        (i32::MAX, i32::MIN, 32, 65_568, 1),
        (-5, 3, 65_504, 589_792, 2),
    ] {
        let header = DataHeader { term_id: TermId::new(term), ..data(offset, 64) };
        let found = header.position(TERM_64K, TermId::new(initial)).unwrap();
        assert_eq!(found.get(), position);
        assert_eq!(TERM_64K.term_count(found) % 3, partition);
        assert_eq!(TERM_64K.term_id(found, TermId::new(initial)), TermId::new(term));
    }
}

/// Trap 1: term ids wrap, and the count since the first orders them; one before it is of another stream.
#[test]
fn wire_trap_01_term_ids_wrap() {
    let initial = TermId::new(i32::MAX);
    let at = |term| DataHeader { term_id: TermId::new(term), ..data(0, 64) }.position(TERM_64K, initial);
    assert_eq!(at(i32::MIN), Some(Position::new(65_536)));
    assert_eq!(at(i32::MAX - 1), None);
    let setup = |active| Setup { initial_term_id: initial, active_term_id: TermId::new(active), ..setup() };
    assert_eq!(setup(i32::MIN + 1).position(), Some(Position::new(131_072)));
    assert_eq!(setup(-2).position(), Some(Position::new(i64::from(i32::MAX) * 65_536)), "the last term");
    assert_eq!(setup(-1).position(), None, "2^31 terms on");
    assert_eq!(setup(i32::MAX - 1).position(), None);
}

/// A stream that has used up its last term ends 2^31 terms after its first. Heartbeats and status messages can say so; no data
/// is there.
#[test]
fn the_end_of_the_last_term_can_be_stated() {
    let (initial, term_id) = (TermId::new(-5), TermId::new(-5).wrapping_add(i32::MIN));
    let end = TERM_64K.max_position();
    let heartbeat = DataHeader { term_id, ..data(0, 0) };
    assert_eq!(heartbeat.position(TERM_64K, initial), Some(end));
    assert_eq!(DataHeader { term_id, ..data(32, 0) }.position(TERM_64K, initial), None);
    assert_eq!(DataHeader { term_id, ..data(0, 64) }.position(TERM_64K, initial), None, "no data");
    let status = StatusMessage { consumption_term_id: term_id, consumption_term_offset: 0, ..status_message() };
    assert_eq!(status.position(TERM_64K, initial), end);
}

/// Trap 2: positions are shifted as 64 bits.
#[test]
fn wire_trap_02_positions_do_not_overflow() {
    let header = DataHeader { term_id: TermId::new(i32::MAX), ..data(32, 64) };
    let position = header.position(TermLength::MAX, TermId::new(0)).unwrap();
    assert_eq!(position.get(), (i64::from(i32::MAX) << 30) + 32);
}

/// Trap 3: a boundary is offset 0 of the next term; an offset of a whole term is refused wherever it stands. So is a status message
/// that lies out of its term's bounds by more.
#[test]
fn wire_trap_03_no_offset_is_a_whole_term() {
    for offset in [65_536, 65_536 + 32_768, i32::MAX, -32, 8, 4097] {
        let status = StatusMessage { consumption_term_offset: offset, ..status_message() };
        assert!(status.check(TERM_64K).is_err(), "{offset}");
        let nak =
            Nak { session_id: SESSION, stream_id: STREAM, term_id: TermId::new(7), term_offset: offset, length: 0 };
        assert!(nak.check(TERM_64K).is_err(), "{offset}");
        assert!(Setup::parse(&written(|buffer| Setup { term_offset: offset, ..setup() }.write(buffer))).is_err());
        let mut heartbeat_bytes = [0; 32];
        Heartbeat { term_offset: offset, ..heartbeat() }.write(&mut heartbeat_bytes);
        assert!(extent(&heartbeat_bytes, TERM_64K).is_err(), "{offset}");
    }
    assert_eq!(status_message().position(TERM_64K, TermId::new(6)).get(), 65_536 + 4096);
}

/// Trap 6: no datagram leaves its term, and no gap does.
#[test]
fn wire_trap_06_nothing_crosses_a_term() {
    assert_eq!(extent(&datagram(65_472, &[(64, false)]), TERM_64K), Ok(Extent::Frames(64)));
    assert!(extent(&datagram(65_472, &[(96, false)]), TERM_64K).is_err());
    assert!(extent(&datagram(65_472, &[(32, false), (33, false)]), TERM_64K).is_err());
    assert!(extent(&datagram(65_472, &[(96, true)]), TERM_64K).is_err());
    let nak =
        |length| Nak { session_id: SESSION, stream_id: STREAM, term_id: TermId::new(7), term_offset: 65_472, length };
    assert_eq!(nak(64).check(TERM_64K), Ok(()));
    assert!(nak(65).check(TERM_64K).is_err());
    assert!(nak(i32::MAX).check(TERM_64K).is_err());
    assert!(nak(-1).check(TERM_64K).is_err());
}

/// Trap 7: frames advance by their aligned length, and what they say must add up to the datagram.
#[test]
fn wire_trap_07_frames_add_up() {
    let three = datagram(96, &[(132, false), (132, false), (132, false)]);
    assert_eq!(three.len(), 480, "as seen on the wire");
    assert_eq!(extent(&three, TERM_64K), Ok(Extent::Frames(480)));
    assert!(extent(&three[..448], TERM_64K).is_err(), "cut short");
    let mut longer = three.clone();
    longer.resize(512, 0);
    assert!(extent(&longer, TERM_64K).is_err(), "bytes that belong to no frame");
    assert!(Frame::parse(&three[..three.len() - 1]).is_err(), "no multiple of 32");
    let mut elsewhere = three.clone();
    elsewhere[160 + 8] ^= 0x20;
    assert!(extent(&elsewhere, TERM_64K).is_err(), "the second frame says that it is elsewhere");
    let mut other = three.clone();
    other[160 + 6] = 5;
    assert_eq!(extent(&other, TERM_64K), Err(FrameError::UnknownType { code: 5 }));
    for length in [i32::MAX, i32::MIN, -1, 0, 31] {
        let mut lying = three.clone();
        lying[160..164].copy_from_slice(&length.to_le_bytes());
        assert!(extent(&lying, TERM_64K).is_err(), "{length}");
    }
}

/// Trap 8: a padding header says what it covers, which was not sent.
#[test]
fn wire_trap_08_padding_covers_what_was_not_sent() {
    assert_eq!(extent(&datagram(64_512, &[(1024, true)]), TERM_64K), Ok(Extent::Frames(1024)));
    let behind_data = datagram(65_536 - 1056 - 96, &[(1056, false), (96, true)]);
    assert_eq!(behind_data.len(), 1088, "as seen on the wire");
    assert_eq!(extent(&behind_data, TERM_64K), Ok(Extent::Frames(1152)));
    let least = datagram(0, &[(32, true), (64, false)]);
    assert_eq!(extent(&least, TERM_64K), Ok(Extent::Frames(96)), "padding of a header alone may be followed");
}

/// Trap 9: a heartbeat is of length 0 in a datagram of 32 bytes; an empty message is of length 32 and is data.
#[test]
fn wire_trap_09_a_heartbeat_is_not_an_empty_message() {
    assert_eq!(extent(&datagram(64, &[(32, false)]), TERM_64K), Ok(Extent::Frames(32)));
    assert!(!data(64, 32).is_heartbeat(32));
    let mut bytes = [0; 64];
    heartbeat().write(&mut bytes);
    assert_eq!(extent(&bytes[..32], TERM_64K), Ok(Extent::Heartbeat));
    assert!(extent(&bytes, TERM_64K).is_err(), "length 0 in a longer datagram");
    assert!(!DataHeader { is_padding: true, ..heartbeat().header() }.is_heartbeat(32));
}

/// Trap 12: errors are not padded, a receiver's id is at an odd place in a status message, ports are little-endian beside addresses in
/// network order, and REPLY marks the question. The vectors above show each.
#[test]
fn wire_trap_12_small_differences() {
    let error = ErrorFrame {
        session_id: SESSION,
        stream_id: STREAM,
        receiver_id: 1,
        group_tag: None,
        error_code: 13,
        text: b"nine char",
    };
    assert_eq!(written(|buffer| error.write(buffer)).len(), 49, "as seen on the wire");
    let long = [b'x'; 2000];
    assert_eq!(written(|buffer| ErrorFrame { text: &long, ..error }.write(buffer)).len(), ErrorFrame::MAX_LENGTH);
    assert_eq!(written(|buffer| status_message().write(buffer))[28..36], RECEIVER.to_le_bytes());
}

/// Trap 13: control frames may state less than they have, and bytes may follow them; the datagram decides.
#[test]
fn wire_trap_13_control_frames_may_state_less() {
    let frames = [
        written(|buffer| setup().write(buffer)),
        written(|buffer| status_message().write(buffer)),
        written(|buffer| {
            Nak { session_id: SESSION, stream_id: STREAM, term_id: TermId::new(7), term_offset: 0, length: 32 }
                .write(buffer)
        }),
    ];
    for frame in frames {
        let mut stated = frame.clone();
        stated[..4].fill(0);
        assert!(Frame::parse(&stated).is_ok(), "a length of 0");
        stated.push(0);
        assert!(Frame::parse(&stated).is_ok(), "a byte more");
        let mut lying = frame.clone();
        lying[0] += 1;
        assert!(matches!(Frame::parse(&lying), Err(FrameError::LongerThanDatagram { .. })));
        assert!(matches!(Frame::parse(&frame[..frame.len() - 1]), Err(FrameError::TooShort { .. })));
    }
}

/// Trap 14: a status message has 36 bytes or 44; any other tail is no group tag.
#[test]
fn wire_trap_14_a_group_tag_is_eight_bytes() {
    let tagged = StatusMessage { group_tag: GroupTag::Tag(5), ..status_message() };
    let bytes = written(|buffer| tagged.write(buffer));
    assert_eq!(StatusMessage::parse(&bytes), Ok(tagged));
    assert!(tagged.group_tag.matches(5) && !tagged.group_tag.matches(6));
    for (stated, datagram_length) in [(40_i32, 40), (40, 44), (0, 44)] {
        let mut bytes = bytes[..datagram_length].to_vec();
        bytes[..4].copy_from_slice(&stated.to_le_bytes());
        let found = StatusMessage::parse(&bytes).unwrap().group_tag;
        assert_eq!(found, GroupTag::Malformed, "{stated} of {datagram_length}");
        assert!(!found.matches(5));
    }
    let mut short = bytes[..36].to_vec();
    short[..4].copy_from_slice(&36_i32.to_le_bytes());
    assert_eq!(StatusMessage::parse(&short).unwrap().group_tag, GroupTag::None, "a tag is only what the length covers");
}

/// Trap 30, its second half: a window of more than half a term is invalid. A peer once took a message that was half a term out of bounds.
#[test]
fn wire_trap_30_windows_are_at_most_half_a_term() {
    let check = |window| StatusMessage { receiver_window: window, ..status_message() }.check(TERM_64K);
    assert_eq!(check(32_768), Ok(()));
    assert_eq!(check(0), Ok(()));
    for window in [32_769, -1, i32::MAX, i32::MIN] {
        assert_eq!(check(window), Err(FrameError::OutOfRange { field: "receiver window", found: window.into() }));
    }
    assert_eq!(StatusMessage { receiver_window: 1 << 29, ..status_message() }.check(TermLength::MAX), Ok(()));
}

/// What the reference's driver counts as invalid.
#[test]
fn what_the_reference_refuses_is_refused() {
    assert_eq!(Frame::parse(&[0; 7]), Err(FrameError::TooShort { found: 7, least: 8 }));
    let mut bytes = written(|buffer| setup().write(buffer));
    bytes[6] = 8;
    assert_eq!(Frame::parse(&bytes), Err(FrameError::ReservedType(ReservedType::SecuredData)));
    bytes[6] = 0x0C;
    assert_eq!(Frame::parse(&bytes), Err(FrameError::UnknownType { code: 12 }));
    bytes[6..8].fill(0xFF);
    assert_eq!(Frame::parse(&bytes), Err(FrameError::ReservedType(ReservedType::Extension)));
    bytes[6..8].copy_from_slice(&[5, 0]);
    bytes[4] = 1;
    assert_eq!(Frame::parse(&bytes), Err(FrameError::Version { found: 1 }));
    bytes[4] = 0;
    bytes[3] = 0x80;
    assert!(matches!(Frame::parse(&bytes), Err(FrameError::NegativeLength { .. })));
    bytes[3] = 0;
    assert!(Frame::parse(&bytes).is_ok());
    assert!(Frame::parse(&bytes[..39]).is_err());
    for (field, wrong) in [(28, 65_535), (28, 1 << 15), (28, -65_536), (32, 1400), (32, 0), (32, 65_536), (32, -32)] {
        let mut wrong_bytes = bytes.clone();
        wrong_bytes[field..field + 4].copy_from_slice(&i32::to_le_bytes(wrong));
        assert!(matches!(Frame::parse(&wrong_bytes), Err(FrameError::OutOfRange { .. })), "{wrong} at {field}");
    }
    bytes[32..36].copy_from_slice(&32_i32.to_le_bytes());
    assert_eq!(Setup::parse(&bytes).unwrap().mtu, 32, "the least that the reference takes");
}

#[test]
fn error_texts_stay_within_their_frames() {
    let error = ErrorFrame {
        session_id: SESSION,
        stream_id: STREAM,
        receiver_id: RECEIVER,
        group_tag: None,
        error_code: 13,
        text: &[b'x'; MAX_ERROR_TEXT_LENGTH],
    };
    let mut bytes = written(|buffer| error.write(buffer));
    assert_eq!(ErrorFrame::parse(&bytes), Ok(error));
    for length in [1024, -1, i32::MAX, i32::MIN] {
        bytes[36..40].copy_from_slice(&length.to_le_bytes());
        assert!(ErrorFrame::parse(&bytes).is_err(), "{length}");
    }
    bytes[36..40].copy_from_slice(&100_i32.to_le_bytes());
    bytes[..4].copy_from_slice(&139_i32.to_le_bytes());
    assert!(ErrorFrame::parse(&bytes).is_err(), "beyond the frame, if not the datagram");
}

#[test]
fn a_frame_of_another_type_is_said_to_be_one() {
    let bytes = written(|buffer| setup().write(buffer));
    assert_eq!(Nak::parse(&bytes), Err(FrameError::OtherType { found: FrameType::Setup }));
    assert!(DataHeader::parse(&bytes).is_err());
    assert_eq!(Frame::parse(&bytes).unwrap().frame_type(), FrameType::Setup);
}

#[test]
fn every_code_is_a_type_or_is_refused() {
    for code in 0..=u16::MAX {
        let mut bytes = [0; 64];
        bytes[6..8].copy_from_slice(&code.to_le_bytes());
        match FrameHeader::parse(&bytes) {
            Ok(header) => assert_eq!(header.frame_type.code(), code),
            Err(FrameError::ReservedType(_)) => assert!(matches!(code, 8..=10 | 0xFFFF)),
            Err(FrameError::UnknownType { code: found }) => assert_eq!(found, code),
            Err(other) => panic!("{other}"),
        }
    }
}

proptest! {
    /// Data frames, and perhaps padding at the end.
    #[test]
    fn any_frames_cover_what_they_add_up_to(
        slot in 0..2048_i32,
        messages in prop::collection::vec(32..3000_i32, 1..6),
        padding in prop::option::of(32..65_536_i32),
    ) {
        let mut frames: Vec<_> = messages.into_iter().map(|length| (length, false)).collect();
        frames.extend(padding.map(|length| (length, true)));
        let covered: usize = frames.iter().map(|(length, _)| (*length as usize).next_multiple_of(32)).sum();
        let found = extent(&datagram(slot * 32, &frames), TERM_64K);
        if slot as usize * 32 + covered <= 65_536 {
            prop_assert_eq!(found, Ok(Extent::Frames(covered)));
        } else {
            prop_assert!(found.is_err(), "{:?}", found);
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), code in 0..13_u16) {
        if bytes.len() >= 8 {
            bytes[2..5].fill(0);
            bytes[6..8].copy_from_slice(&code.to_le_bytes());
        }
        if let Ok(Frame::Resolution(resolution)) = Frame::parse(&bytes) {
            prop_assert!(resolution.entries().count() <= bytes.len());
        }
        if let Ok(Extent::Frames(length)) = extent(&bytes, TERM_64K) {
            prop_assert!(length <= 65_536);
        }
    }
}
