//! Tests of schema messages in a journal: written into claims, gathered or from a buffer, read forwards and backwards
//! by the generated decoders, also those of several frames, and refused when they are not the message asked for.

use std::io::IoSlice;

use gannet::MessageError;
use gannet::journal::{Record, Start, Tailer};
use gannet_codecs_runtime::DecodeError;
use gannet_market::types::{Action, Price, Side};
use gannet_market::{AnyMessage, BookUpdate, BookUpdateEncoder, Header, Instrument, Trade, TradeEncoder};

use crate::support::{all, journal, small};

const MESSAGES: u64 = 3_000;
/// Every so many messages there is a long one, of three frames.
const LONG: u64 = 50;

/// What a message is, as its number says.
#[derive(Debug, PartialEq)]
enum Content {
    Trade { time: u64, price: i64, side: Option<Side> },
    Update { time: u64, sequence: u32, levels: Vec<(i64, Action)> },
}

fn content(number: u64) -> Content {
    if number.is_multiple_of(3) {
        let side = [Some(Side::BUY), Some(Side::SELL), None][number as usize / 3 % 3];
        return Content::Trade { time: number, price: -(number as i64), side };
    }
    let count = if number % LONG == 1 { 200 } else { number as i64 % 5 };
    let level = |at: i64| (number as i64 + at, if at % 2 == 0 { Action::NEW } else { Action::DELETE });
    Content::Update { time: number, sequence: number as u32, levels: (0..count).map(level).collect() }
}

fn length(content: &Content) -> usize {
    match content {
        Content::Trade { .. } => TradeEncoder::encoded_length(),
        Content::Update { levels, .. } => BookUpdateEncoder::encoded_length(levels.len()),
    }
}

/// Writes a message. Returns its length.
fn write(buffer: &mut [u8], content: &Content) -> usize {
    match content {
        Content::Trade { time, price, side } => {
            let mut trade = TradeEncoder::wrap(buffer).unwrap();
            trade.time(*time).instrument(7).price(Price { mantissa: *price }).quantity(11).aggressor(*side);
            trade.finish()
        }
        Content::Update { time, sequence, levels } => {
            let mut update = BookUpdateEncoder::wrap(buffer).unwrap();
            update.time(*time).sequence(*sequence);
            let update = update.levels(levels, |mut level, &(mantissa, action)| {
                level.price(Price { mantissa }).side(Side::BUY).action(action);
                level.end()
            });
            update.unwrap().finish()
        }
    }
}

/// Reads a message by the decoder of what it is, and by the one that reads from front to back.
fn read(record: Record<'_>) -> Content {
    let fragment = record.fragment();
    if let Ok(trade) = fragment.decode::<Trade>() {
        let other = DecodeError::OtherTemplate { found: 2, expected: 1 };
        assert_eq!(fragment.decode::<BookUpdate>().err(), Some(MessageError::Decode(other)));
        assert_eq!((trade.instrument(), trade.quantity()), (7, 11));
        return Content::Trade { time: trade.time(), price: trade.price().mantissa, side: trade.aggressor() };
    }
    let update = fragment.decode::<BookUpdate>().unwrap();
    let levels: Vec<_> = update.levels().iter().map(|level| (level.price().mantissa, level.action())).collect();
    let mut in_order = fragment.decode_in_order::<BookUpdate>().unwrap().levels().unwrap();
    let mut again = Vec::new();
    while let Some(level) = in_order.next_entry().unwrap() {
        again.push((level.price().mantissa, level.action()));
    }
    assert_eq!(again, levels);
    assert!(matches!(AnyMessage::decode(record.payload()), Ok(AnyMessage::BookUpdate(_))));
    Content::Update { time: update.time(), sequence: update.sequence(), levels }
}

#[test]
fn messages_of_a_schema_are_read_in_both_directions() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let mut buffer = vec![0; 8 << 10];
    let mut positions = Vec::new();
    for number in 0..MESSAGES {
        let content = content(number);
        let length = length(&content);
        // In each of the ways to append, a message of several frames in all but one.
        if number % 2 == 0 && length <= appender.max_payload_length() {
            let mut claim = appender.claim(length).unwrap();
            assert_eq!(write(claim.payload_mut(), &content), length);
            positions.push(claim.commit().unwrap());
            continue;
        }
        let written = write(&mut buffer, &content);
        let message = &buffer[..written];
        positions.push(if number % 4 == 1 {
            let (header, rest) = message.split_at(Header::LENGTH);
            appender.append_vectored(&[IoSlice::new(header), IoSlice::new(rest)]).unwrap()
        } else {
            appender.append(message).unwrap()
        });
    }
    drop(appender);
    let is_long = |number: u64| length(&content(number)) > small_payload();
    assert!((0..MESSAGES).filter(|&number| is_long(number)).count() as u64 > MESSAGES / LONG / 2);

    let recording = journal.recording().unwrap();
    let check = |tailer: &mut Tailer| {
        for number in 0..MESSAGES {
            let record = tailer.next().unwrap().unwrap();
            assert_eq!((read(record), record.next_position()), (content(number), positions[number as usize]));
        }
        assert!(tailer.next().unwrap().is_none());
        for number in (0..MESSAGES).rev() {
            let record = tailer.previous().unwrap().unwrap();
            assert_eq!((read(record), record.next_position()), (content(number), positions[number as usize]));
        }
        assert!(tailer.previous().unwrap().is_none());
    };
    check(&mut recording.tailer(Start::Begin).unwrap());
    check(&mut recording.tailer(Start::Begin).unwrap().verifying());
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    let mut number = 0;
    let handler = |record: Record<'_>| {
        assert_eq!(read(record), content(number));
        number += 1;
    };
    assert_eq!(tailer.poll(handler, usize::MAX).unwrap() as u64, MESSAGES);
    for number in [LONG * 4 + 1, LONG * 4, 0, MESSAGES - 1] {
        tailer.seek(Start::Sequence(number as i64)).unwrap();
        assert_eq!(read(tailer.next().unwrap().unwrap()), content(number));
        assert_eq!(read(tailer.previous().unwrap().unwrap()), content(number));
    }
}

/// The payload of one frame.
fn small_payload() -> usize {
    1408 - 32
}

#[test]
fn what_is_not_the_message_asked_for_is_refused_in_both_directions() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let mut good = [0; TradeEncoder::encoded_length()];
    write(&mut good, &content(0));
    let changed = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        bytes
    };
    for message in [&changed(4, 1)[..], &changed(2, 3), &good[..good.len() - 1], &good[..3], &[]] {
        appender.append(message).unwrap();
    }
    // One of several frames, whose group is said to be longer than it is.
    let mut long = vec![0; length(&content(1))];
    write(&mut long, &content(1));
    long.pop();
    appender.append(&long).unwrap();
    let recording = journal.recording().unwrap();
    assert_eq!(all(&recording).len(), 6);
    let verdict = |record: Record<'_>| {
        assert!(record.fragment().decode::<Instrument>().is_err());
        let trade = record.fragment().decode::<Trade>().map(drop).unwrap_err();
        (trade, record.fragment().decode::<BookUpdate>().map(drop).unwrap_err())
    };
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    let mut forwards = Vec::new();
    while let Some(record) = tailer.next().unwrap() {
        forwards.push(verdict(record));
    }
    let mut backwards = Vec::new();
    while let Some(record) = tailer.previous().unwrap() {
        backwards.push(verdict(record));
    }
    backwards.reverse();
    assert_eq!(forwards, backwards);
    let other_schema = DecodeError::OtherSchema { found: 0x1201, expected: gannet_market::SCHEMA_ID };
    assert_eq!(forwards[0].0, MessageError::Decode(other_schema));
    assert_eq!(forwards[1].0, MessageError::Decode(DecodeError::OtherTemplate { found: 3, expected: 2 }));
    for truncated in [&forwards[2].0, &forwards[3].0, &forwards[4].0, &forwards[5].1] {
        assert!(matches!(truncated, MessageError::Decode(DecodeError::Truncated { .. })), "{truncated:?}");
    }
}
