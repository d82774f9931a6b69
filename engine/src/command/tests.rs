//! Tests of every message against the layout tables of the reference, and against arbitrary bytes.

use std::net::{Ipv6Addr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::types::{ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId};

const COMMANDS: core::ops::RangeInclusive<i32> = 0x01..=0x12;
const EVENTS: core::ops::RangeInclusive<i32> = 0x0F01..=0x0F0D;

/// What a message is filled with. Every number differs from its neighbours, so that a swap shows.
#[derive(Clone, Debug)]
struct Filling {
    long: [i64; 6],
    short: [i32; 4],
    first: Vec<u8>,
    second: Vec<u8>,
    yes: bool,
}

fn filling() -> Filling {
    Filling {
        long: [0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666],
        short: [0x77, 0x88, 0x99, 0xAA],
        first: b"aeron:ipc".to_vec(),
        second: b"label".to_vec(),
        yes: true,
    }
}

fn command(type_id: i32, with: &Filling) -> Command<'_> {
    let client_id = ClientId::new(with.long[0]);
    let correlation_id = CorrelationId::new(with.long[1]);
    let registration_id = RegistrationId::new(with.long[2]);
    let stream_id = StreamId::new(with.short[0]);
    let type_of_counter = with.short[1];
    let first = Text::new(&with.first);
    let label = Text::new(&with.second);
    let key = &with.first[..];
    let destination = Destination { client_id, correlation_id, registration_id, channel: first };
    let publication = AddPublication { client_id, correlation_id, stream_id, channel: first };
    match type_id {
        0x01 => Command::AddPublication(publication),
        0x02 => Command::RemovePublication(RemovePublication {
            client_id,
            correlation_id,
            registration_id,
            revoke: with.yes,
        }),
        0x03 => Command::AddExclusivePublication(publication),
        0x04 => Command::AddSubscription(AddSubscription { client_id, correlation_id, stream_id, channel: first }),
        0x05 => Command::RemoveSubscription(RemoveSubscription { client_id, correlation_id, registration_id }),
        0x06 => Command::ClientKeepalive(ClientKeepalive { client_id, correlation_id }),
        0x07 => Command::AddDestination(destination),
        0x08 => Command::RemoveDestination(destination),
        0x09 => Command::AddCounter(AddCounter { client_id, correlation_id, type_id: type_of_counter, key, label }),
        0x0A => Command::RemoveCounter(RemoveCounter { client_id, correlation_id, registration_id }),
        0x0B => Command::ClientClose(ClientClose::new(client_id)),
        0x0C => Command::AddReceiveDestination(destination),
        0x0D => Command::RemoveReceiveDestination(destination),
        0x0E => Command::TerminateDriver(TerminateDriver { client_id, correlation_id, token: key }),
        0x0F => Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            registration_id,
            type_id: type_of_counter,
            key,
            label,
        }),
        0x10 => Command::RejectImage(RejectImage {
            client_id,
            correlation_id,
            image_correlation_id: CorrelationId::new(with.long[2]),
            position: Position::new(with.long[3]),
            reason: first,
        }),
        0x11 => Command::RemoveDestinationById(RemoveDestinationById {
            client_id,
            correlation_id,
            registration_id,
            destination_registration_id: RegistrationId::new(with.long[3]),
        }),
        0x12 => Command::GetNextAvailableSessionId(GetNextAvailableSessionId { client_id, correlation_id, stream_id }),
        _ => unreachable!("not a command: {type_id:#x}"),
    }
}

fn event(type_id: i32, with: &Filling) -> Event<'_> {
    let correlation_id = CorrelationId::new(with.long[0]);
    let counter = OnCounter { registration_id: RegistrationId::new(with.long[0]), counter_id: with.short[0].into() };
    let publication = OnPublicationReady {
        correlation_id,
        registration_id: RegistrationId::new(with.long[1]),
        session_id: SessionId::new(with.short[0]),
        stream_id: StreamId::new(with.short[1]),
        limit_id: CounterId::new(with.short[2]),
        channel_status_id: CounterId::new(with.short[3]),
        log_file: Text::new(&with.first),
    };
    match type_id {
        0x0F01 => Event::Error(OnError {
            offending_correlation_id: correlation_id,
            error_code: ErrorCode::new(with.short[0]),
            message: Text::new(&with.first),
        }),
        0x0F02 => Event::AvailableImage(OnAvailableImage {
            image_correlation_id: correlation_id,
            session_id: SessionId::new(with.short[0]),
            stream_id: StreamId::new(with.short[1]),
            subscription_registration_id: RegistrationId::new(with.long[1]),
            subscriber_position_id: CounterId::new(with.short[2]),
            log_file: Text::new(&with.first),
            source_identity: Text::new(&with.second),
        }),
        0x0F03 => Event::PublicationReady(publication),
        0x0F04 => Event::OperationSuccess(OnOperationSuccess { correlation_id }),
        0x0F05 => Event::UnavailableImage(OnUnavailableImage {
            image_correlation_id: correlation_id,
            subscription_registration_id: RegistrationId::new(with.long[1]),
            stream_id: StreamId::new(with.short[0]),
            channel: Text::new(&with.first),
        }),
        0x0F06 => Event::ExclusivePublicationReady(publication),
        0x0F07 => Event::SubscriptionReady(OnSubscriptionReady {
            correlation_id,
            channel_status_id: CounterId::new(with.short[0]),
        }),
        0x0F08 => Event::CounterReady(counter),
        0x0F09 => Event::UnavailableCounter(counter),
        0x0F0A => Event::ClientTimeout(OnClientTimeout { client_id: ClientId::new(with.long[0]) }),
        0x0F0B => Event::StaticCounter(OnStaticCounter { correlation_id, counter_id: with.short[0].into() }),
        0x0F0C => Event::PublicationError(OnPublicationError {
            registration_id: RegistrationId::new(with.long[0]),
            destination_registration_id: RegistrationId::new(with.long[1]),
            session_id: SessionId::new(with.short[0]),
            stream_id: StreamId::new(with.short[1]),
            receiver_id: with.long[2],
            group_tag: with.long[3],
            source: match with.short[2] % 3 {
                0 => None,
                1 => Some(SocketAddr::from((with.short[2].to_be_bytes(), with.short[3] as u16))),
                _ => Some(SocketAddr::from((Ipv6Addr::from(with.long[4] as u128), with.short[3] as u16))),
            },
            error_code: ErrorCode::new(with.short[3]),
            message: Text::new(&with.first),
        }),
        0x0F0D => Event::NextAvailableSessionId(OnNextAvailableSessionId {
            correlation_id,
            session_id: SessionId::new(with.short[0]),
        }),
        _ => unreachable!("not an event: {type_id:#x}"),
    }
}

fn bytes_of_command(command: &Command<'_>) -> Vec<u8> {
    let mut bytes = vec![0xEE; command.encoded_length()];
    assert_eq!(command.encode(&mut bytes), Ok(bytes.len()));
    bytes
}

fn bytes_of_event(event: &Event<'_>) -> Vec<u8> {
    let mut bytes = vec![0xEE; event.encoded_length()];
    assert_eq!(event.encode(&mut bytes), Ok(bytes.len()));
    bytes
}

/// What a message is made of, in order: the expected bytes are put together from these alone.
enum Part {
    Long(i64),
    Short(i32),
    Bytes(&'static [u8]),
}
use Part::{Bytes, Long, Short};

fn bytes_of_parts(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        match part {
            Long(value) => bytes.extend(value.to_le_bytes()),
            Short(value) => bytes.extend(value.to_le_bytes()),
            Bytes(value) => bytes.extend(*value),
        }
    }
    bytes
}

#[test]
fn commands_lie_as_the_reference_says() {
    let ids = [Long(0x1111), Long(0x2222)];
    let channel = || [Short(9), Bytes(b"aeron:ipc")];
    let key_and_label = || [Short(9), Bytes(b"aeron:ipc\0\0\0"), Short(5), Bytes(b"label")];
    let cases: [(i32, Vec<Part>, usize); 18] = [
        (0x01, [Short(0x77)].into_iter().chain(channel()).collect(), 24 + 9),
        (0x02, vec![Long(0x3333), Long(1)], 32),
        (0x03, [Short(0x77)].into_iter().chain(channel()).collect(), 24 + 9),
        (0x04, [Long(-1), Short(0x77)].into_iter().chain(channel()).collect(), 32 + 9),
        (0x05, vec![Long(0x3333)], 24),
        (0x06, vec![], 16),
        (0x07, [Long(0x3333)].into_iter().chain(channel()).collect(), 28 + 9),
        (0x08, [Long(0x3333)].into_iter().chain(channel()).collect(), 28 + 9),
        (0x09, [Short(0x88)].into_iter().chain(key_and_label()).collect(), 24 + 12 + 4 + 5),
        (0x0A, vec![Long(0x3333)], 24),
        (0x0B, vec![], 16),
        (0x0C, [Long(0x3333)].into_iter().chain(channel()).collect(), 28 + 9),
        (0x0D, [Long(0x3333)].into_iter().chain(channel()).collect(), 28 + 9),
        (0x0E, channel().into_iter().collect(), 20 + 9),
        (0x0F, [Long(0x3333), Short(0x88)].into_iter().chain(key_and_label()).collect(), 32 + 12 + 4 + 5),
        (0x10, [Long(0x3333), Long(0x4444)].into_iter().chain(channel()).collect(), 36 + 9),
        (0x11, vec![Long(0x3333), Long(0x4444)], 32),
        (0x12, vec![Short(0x77)], 20),
    ];
    let with = filling();
    for (type_id, body, size) in cases {
        let command = command(type_id, &with);
        let mut expected = bytes_of_parts(&ids);
        if type_id == 0x0B {
            expected[8..].fill(0xFF);
        }
        expected.extend(bytes_of_parts(&body));
        assert_eq!(expected.len(), size, "{}", command.name());
        assert_eq!(bytes_of_command(&command), expected, "{}", command.name());
        assert_eq!(command.type_id(), type_id);
    }
}

#[test]
fn events_lie_as_the_reference_says() {
    let text = || [Short(9), Bytes(b"aeron:ipc")];
    let ready = || [Long(0x1111), Long(0x2222), Short(0x77), Short(0x88), Short(0x99), Short(0xAA)].into_iter();
    let pair = || vec![Long(0x1111), Short(0x77)];
    let cases: [(i32, Vec<Part>, usize); 12] = [
        (0x0F01, [Long(0x1111), Short(0x77)].into_iter().chain(text()).collect(), 16 + 9),
        (
            0x0F02,
            vec![
                Long(0x1111),
                Short(0x77),
                Short(0x88),
                Long(0x2222),
                Short(0x99),
                Short(9),
                Bytes(b"aeron:ipc\0\0\0"),
                Short(5),
                Bytes(b"label"),
            ],
            32 + 12 + 4 + 5,
        ),
        (0x0F03, ready().chain(text()).collect(), 36 + 9),
        (0x0F04, vec![Long(0x1111)], 8),
        (0x0F05, [Long(0x1111), Long(0x2222), Short(0x77)].into_iter().chain(text()).collect(), 24 + 9),
        (0x0F06, ready().chain(text()).collect(), 36 + 9),
        (0x0F07, pair(), 12),
        (0x0F08, pair(), 12),
        (0x0F09, pair(), 12),
        (0x0F0A, vec![Long(0x1111)], 8),
        (0x0F0B, pair(), 12),
        (0x0F0D, pair(), 12),
    ];
    let with = filling();
    for (type_id, body, size) in cases {
        let event = event(type_id, &with);
        let expected = bytes_of_parts(&body);
        assert_eq!(expected.len(), size, "{}", event.name());
        assert_eq!(bytes_of_event(&event), expected, "{}", event.name());
        assert_eq!(event.type_id(), type_id);
    }
}

fn rejection(message: &[u8]) -> Event<'_> {
    Event::PublicationError(OnPublicationError {
        registration_id: RegistrationId::new(5),
        destination_registration_id: RegistrationId::new(-1),
        session_id: SessionId::new(6),
        stream_id: StreamId::new(7),
        receiver_id: 8,
        group_tag: -1,
        source: Some(SocketAddr::from(([127, 0, 0, 1], 0x1234))),
        error_code: ErrorCode::ImageRejected,
        message: Text::new(message),
    })
}

/// Trap 20: within 4-byte packing nothing is aligned to 8: the receiver id is at 24, and the error code at 60.
#[test]
fn trap_20_fields_are_packed_to_four_bytes() {
    let expected = bytes_of_parts(&[
        Long(5),
        Long(-1),
        Short(6),
        Short(7),
        Long(8),
        Long(-1),
        Bytes(&[1, 0, 0x34, 0x12, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Short(13),
        Short(4),
        Bytes(b"stop"),
    ]);
    assert_eq!(expected.len(), 72);
    assert_eq!(bytes_of_event(&rejection(b"stop")), expected);
}

/// Trap 21: padded to what C clients demand, and read without that padding, as C drivers send it.
#[test]
fn trap_21_publication_errors_are_padded_to_72_bytes() {
    let event = rejection(b"no");
    let bytes = bytes_of_event(&event);
    assert_eq!(bytes.len(), 72);
    assert_eq!(bytes[64..], *b"\x02\0\0\0no\0\0");
    assert_eq!(Event::decode(0x0F0C, &bytes), Ok(event));
    assert_eq!(Event::decode(0x0F0C, &bytes[..70]), Ok(event), "without padding");
    assert_eq!(bytes_of_event(&rejection(b"five!")).len(), 73);
}

/// Trap 22: what old and foreign clients send.
#[test]
fn trap_22_old_forms_are_accepted() {
    let with = filling();
    let bytes = bytes_of_command(&command(0x02, &with));
    let Ok(Command::RemovePublication(old)) = Command::decode(0x02, &bytes[..24]) else { panic!("24 bytes refused") };
    assert_eq!((old.registration_id.get(), old.revoke), (0x3333, false));
    for cut in 25..32 {
        assert!(Command::decode(0x02, &bytes[..cut]).is_err(), "neither form, {cut} bytes");
    }

    // The C client's rejection: ids left zero, one byte more than the text and its padding.
    let mut bytes = vec![0; 40 + 2 + 1];
    bytes[16..24].copy_from_slice(&77_i64.to_le_bytes());
    bytes[32..36].copy_from_slice(&2_i32.to_le_bytes());
    bytes[36..38].copy_from_slice(b"no");
    let Ok(Command::RejectImage(image)) = Command::decode(0x10, &bytes) else { panic!("rejection refused") };
    assert_eq!((image.client_id.get(), image.correlation_id.get(), image.image_correlation_id.get()), (0, 0, 77));
    assert_eq!(image.reason, Text::from("no"));
    // Java sends no padding.
    assert_eq!(Command::decode(0x10, &bytes[..38]), Ok(Command::RejectImage(image)));
    // Ours satisfies both.
    assert_eq!(Command::RejectImage(image).encoded_length(), 40);

    assert!(matches!(Command::decode(0x06, &[0; 16]), Ok(Command::ClientKeepalive(_))));
}

/// Trap 23: the second text starts at the 4-aligned end of the first, counted from the start of the message; and the
/// message is not padded at its end (section 14, item 8).
#[test]
fn trap_23_second_texts_are_aligned_to_four_bytes() {
    for (path, size) in [(44, 89), (45, 93)] {
        let path = vec![b'p'; path];
        let event = Event::AvailableImage(OnAvailableImage {
            image_correlation_id: CorrelationId::new(1),
            session_id: SessionId::new(2),
            stream_id: StreamId::new(3),
            subscription_registration_id: RegistrationId::new(4),
            subscriber_position_id: CounterId::new(5),
            log_file: Text::new(&path),
            source_identity: Text::from("aeron:ipc"),
        });
        assert_eq!(event.encoded_length(), size);
    }
}

/// Trap 71: a negative length is refused, wherever it stands.
#[test]
fn trap_71_negative_lengths_are_refused() {
    let with = filling();
    for (type_id, offset, field) in [
        (0x01, 20, "channel"),
        (0x03, 20, "channel"),
        (0x04, 28, "channel"),
        (0x07, 24, "channel"),
        (0x08, 24, "channel"),
        (0x09, 20, "key"),
        (0x09, 36, "label"),
        (0x0C, 24, "channel"),
        (0x0D, 24, "channel"),
        (0x0E, 16, "token"),
        (0x0F, 28, "key"),
        (0x0F, 44, "label"),
        (0x10, 32, "reason"),
    ] {
        let command = command(type_id, &with);
        let mut bytes = bytes_of_command(&command);
        let available = bytes.len() - offset - 4;
        for length in [-1, i32::MIN, i32::MAX, available as i32 + 1] {
            bytes[offset..offset + 4].copy_from_slice(&length.to_le_bytes());
            let refused = Command::decode(type_id, &bytes);
            // A key that is one byte too long takes the label's length with it, and runs out of record there.
            if (field, length) != ("key", available as i32 + 1) {
                let expected = MalformedCommand::BadLength { message: command.name(), field, length, available };
                assert_eq!(refused, Err(expected));
                assert_eq!(expected.error_code(), ErrorCode::MalformedCommand);
            } else {
                assert!(refused.is_err());
            }
        }
    }
}

#[test]
fn unknown_types_are_refused() {
    for type_id in [i32::MIN, -1, 0, 0x13, 0x0F00, 0x0F0E, i32::MAX] {
        let error = MalformedCommand::UnknownType { type_id };
        assert_eq!(Command::decode(type_id, &[0; 64]), Err(error));
        assert_eq!(Event::decode(type_id, &[0; 64]), Err(error));
        assert_eq!(error.error_code(), ErrorCode::UnknownCommandTypeId);
    }
}

#[test]
fn a_refused_command_can_still_be_answered() {
    let with = filling();
    let bytes = bytes_of_command(&command(0x01, &with));
    assert!(Command::decode(0x01, &bytes[..16]).is_err());
    assert_eq!(Command::correlation_id_of(&bytes[..16]), Some(CorrelationId::new(0x2222)));
    assert_eq!(Command::correlation_id_of(&bytes[..15]), None);
}

#[test]
fn encoding_needs_room_and_leaves_the_rest_alone() {
    let with = filling();
    let command = command(0x10, &with);
    let mut buffer = [0xEE; 64];
    assert_eq!(
        command.encode(&mut buffer[..44]),
        Err(EncodeError::NoRoom { message: "REJECT_IMAGE", needed: 45, available: 44 })
    );
    assert_eq!(buffer, [0xEE; 64]);
    assert_eq!(command.encode(&mut buffer), Ok(45));
    assert_eq!(buffer[45..], [0xEE; 19]);
}

fn fillings() -> impl Strategy<Value = Filling> {
    (any::<[i64; 6]>(), any::<[i32; 4]>(), vec(any::<u8>(), 0..60), vec(any::<u8>(), 0..60), any::<bool>())
        .prop_map(|(long, short, first, second, yes)| Filling { long, short, first, second, yes })
}

proptest! {
    #[test]
    fn commands_come_back_as_they_went(type_id in COMMANDS, with in fillings()) {
        let command = command(type_id, &with);
        let bytes = bytes_of_command(&command);
        prop_assert_eq!(Command::decode(type_id, &bytes), Ok(command));
        // Whatever is cut off is missed, except padding and the flags of the old form of a removal.
        for cut in 0..bytes.len() {
            match Command::decode(type_id, &bytes[..cut]) {
                Err(_) => {}
                Ok(Command::RemovePublication(_)) => prop_assert_eq!(cut, 24),
                Ok(shorter) => {
                    prop_assert_eq!(shorter, command);
                    prop_assert!(type_id == 0x10 && cut >= 36);
                }
            }
        }
    }

    #[test]
    fn events_come_back_as_they_went(type_id in EVENTS, with in fillings()) {
        let event = event(type_id, &with);
        let bytes = bytes_of_event(&event);
        prop_assert_eq!(Event::decode(type_id, &bytes), Ok(event));
        for cut in 0..bytes.len() {
            if let Ok(shorter) = Event::decode(type_id, &bytes[..cut]) {
                prop_assert_eq!(shorter, event);
                prop_assert!(type_id == 0x0F0C && cut >= 68);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        type_id in prop_oneof![COMMANDS, EVENTS, any::<i32>()],
        bytes in vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..100),
    ) {
        if let Ok(command) = Command::decode(type_id, &bytes) {
            let again = bytes_of_command(&command);
            prop_assert_eq!(Command::decode(type_id, &again), Ok(command));
        }
        if let Ok(event) = Event::decode(type_id, &bytes) {
            let again = bytes_of_event(&event);
            prop_assert_eq!(Event::decode(type_id, &again), Ok(event));
        }
    }
}
