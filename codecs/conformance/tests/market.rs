//! Shows how generated code is used, with the market data schema, and what it does when versions differ or bytes are
//! broken.

use gannet_codecs_runtime::{DecodeError, EncodeError};
use gannet_market::types::{Action, Conditions, Price, Side};
use gannet_market::{
    AnyMessage, BookUpdateDecoder, BookUpdateEncoder, Header, InstrumentDecoder, InstrumentEncoder, TradeDecoder,
    TradeEncoder,
};

fn price(mantissa: i64) -> Price {
    Price { mantissa }
}

fn instrument(buffer: &mut [u8]) -> Result<usize, EncodeError> {
    let mut instrument = InstrumentEncoder::wrap(buffer)?;
    instrument.instrument(7).symbol_str("GNT")?.tick(price(1_000_000)).lot(10);
    let legs: [(u32, i16, &[&str]); 2] = [(1, 1, &["XA", "XB"]), (2, -1, &[])];
    let length = instrument
        .legs(legs, |mut leg, (number, ratio, venues)| {
            leg.instrument(number).ratio(ratio);
            leg.venues(venues.iter().enumerate(), |mut venue, (at, code)| {
                venue.venue(at as u16);
                venue.code(code)?.end()
            })?
            .end()
        })?
        .description("a spread")?
        .url("")?
        .finish();
    Ok(length)
}

#[test]
fn a_message_reads_as_it_was_written() {
    let mut buffer = [0xAA; 256];
    let length = instrument(&mut buffer).expect("it fits");
    let decoder = InstrumentDecoder::decode(&buffer[..length]).expect("it is whole");
    assert_eq!(decoder.symbol_str(), Ok("GNT"));
    assert_eq!(decoder.symbol(), b"GNT\0\0\0\0\0");
    assert_eq!((decoder.tick(), decoder.lot()), (price(1_000_000), Some(10)));
    let legs: Vec<_> = decoder.legs().iter().map(|leg| (leg.instrument(), leg.ratio(), leg.venues().len())).collect();
    assert_eq!(legs, [(1, 1, 2), (2, -1, 0)]);
    // Groups and data can be read in any order, any number of times.
    assert_eq!(decoder.description_str(), Ok("a spread"));
    let codes: Vec<_> = decoder.legs().into_iter().flat_map(|leg| leg.venues()).map(|venue| venue.code_str()).collect();
    assert_eq!(codes, [Ok("XA"), Ok("XB")]);
    assert_eq!(decoder.encoded_length(), length - Header::LENGTH);
    assert_eq!(
        decoder.to_string(),
        r#"{"instrument":7,"symbol":"GNT","tick":{"mantissa":1000000,"exponent":-9},"lot":10,"legs":[{"instrument":1,"ratio":1,"venues":[{"venue":0,"code":"XA"},{"venue":1,"code":"XB"}]},{"instrument":2,"ratio":-1,"venues":[]}],"description":"a spread","url":""}"#
    );
}

#[test]
fn the_length_of_a_message_is_known_before_it_is_written() {
    let length = BookUpdateEncoder::encoded_length(3);
    let mut claim = vec![0xAA; length];
    let mut update = BookUpdateEncoder::wrap(&mut claim).expect("the claim is as long as the message");
    update.time(1).instrument(2).sequence(3).complete(None);
    let written = update
        .levels(1..=3, |mut level, at| {
            level.price(price(at)).quantity(5).orders(None).side(Side::BUY).action(Action::CHANGE);
            level.end()
        })
        .expect("the claim is as long as the message")
        .finish();
    assert_eq!(written, length);
    let levels = BookUpdateDecoder::decode(&claim).expect("it is whole").levels();
    assert_eq!(levels.iter().map(|level| level.price().mantissa).sum::<i64>(), 6);
    assert!(levels.iter().all(|level| level.orders().is_none() && level.quantity() == Some(5)));
    assert_eq!(
        BookUpdateEncoder::wrap(&mut claim[..20]).err().map(|error| error.to_string()).as_deref(),
        Some("the buffer ends inside BookUpdate, which takes 17 bytes where 12 are left")
    );
}

#[test]
fn what_is_not_written_is_none_or_zero_whatever_was_in_the_buffer() {
    let mut buffer = [0xAA; 64];
    let length = TradeEncoder::wrap(&mut buffer).expect("it fits").finish();
    let trade = TradeDecoder::decode(&buffer[..length]).expect("it is whole");
    assert_eq!(
        (trade.time(), trade.price(), trade.aggressor(), trade.conditions()),
        (0, price(0), None, Conditions::NONE)
    );
}

#[test]
fn unknown_values_and_bits_survive() {
    let mut buffer = [0; 64];
    let mut encoder = TradeEncoder::wrap(&mut buffer).expect("it fits");
    encoder.aggressor(Side(b'?')).conditions(Conditions(0x8001));
    let length = encoder.finish();
    let trade = TradeDecoder::decode(&buffer[..length]).expect("it is whole");
    assert_eq!(trade.aggressor(), Some(Side(b'?')));
    assert_eq!(trade.aggressor().and_then(Side::name), None);
    assert!(trade.conditions().contains(Conditions::AUCTION) && !trade.conditions().contains(Conditions::BLOCK));
    let mut again = [0; 64];
    assert_eq!(trade.rewrite(&mut again), Ok(length));
    assert_eq!(again, buffer);
}

#[test]
fn an_older_writer_lacks_what_came_later() {
    // Version 0 of BookUpdate: no `complete`.
    let mut bytes = vec![16, 0, 1, 0, 0x67, 0x12, 0, 0];
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 20, 0, 0, 0]);
    let update = BookUpdateDecoder::decode(&bytes).expect("it is whole");
    assert_eq!((update.time(), update.sequence(), update.complete(), update.complete_if_sent()), (1, 3, None, None));
    assert_eq!(update.to_string(), r#"{"time":1,"instrument":2,"sequence":3,"levels":[]}"#);
    // The same block with a version that has `complete`: the block does not have its byte, so it was not sent.
    bytes[6] = 2;
    assert_eq!(BookUpdateDecoder::decode(&bytes).expect("it is whole").complete_if_sent(), None);
}

#[test]
fn a_newer_writer_s_additions_are_stepped_over() {
    // A block of 20 bytes instead of 17, entries of 18 instead of 17, and a group after the known ones.
    let mut bytes = vec![20, 0, 1, 0, 0x67, 0x12, 9, 0];
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 9, 9, 9]);
    bytes.extend([18, 0, 2, 0]);
    for mantissa in [5, 6] {
        bytes.extend([mantissa, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0xFF, 0xFF, b'S', 1, 9, 9]);
    }
    let known = bytes.len();
    bytes.extend([1, 0, 1, 0, 7]);
    let update = BookUpdateDecoder::decode(&bytes).expect("it is whole");
    assert_eq!(update.complete_if_sent(), Some(Some(1)));
    assert_eq!(update.levels().iter().map(|level| level.price().mantissa).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(update.encoded_length(), known - Header::LENGTH);
}

#[test]
fn other_messages_are_told_apart() {
    let mut buffer = [0; 256];
    let length = instrument(&mut buffer).expect("it fits");
    assert!(matches!(AnyMessage::decode(&buffer[..length]), Ok(AnyMessage::Instrument(_))));
    assert!(matches!(
        TradeDecoder::decode(&buffer[..length]),
        Err(DecodeError::OtherTemplate { found: 3, expected: 2 })
    ));
    buffer[4] = 0;
    assert!(matches!(AnyMessage::decode(&buffer[..length]), Err(DecodeError::OtherSchema { .. })));
    buffer[4] = 0x67;
    buffer[2] = 99;
    assert!(matches!(AnyMessage::decode(&buffer[..length]), Ok(AnyMessage::Unknown { .. })));
}

#[test]
fn every_prefix_and_every_flipped_byte_ends_in_a_value_or_an_error() {
    let mut buffer = [0; 256];
    let length = instrument(&mut buffer).expect("it fits");
    for end in 0..length {
        assert!(InstrumentDecoder::decode(&buffer[..end]).is_err());
        let mut short = vec![0; end];
        assert!(instrument(&mut short).is_err());
    }
    for at in 0..length {
        for byte in 0..=255 {
            let mut changed = buffer;
            changed[at] = byte;
            if let Ok(message) = AnyMessage::decode(&changed[..length]) {
                assert!(!format!("{message}{message:?}").is_empty());
            }
        }
    }
}

#[test]
fn counts_and_lengths_stay_in_bounds() {
    let mut buffer = vec![0; 1 << 21];
    let update = BookUpdateEncoder::wrap(&mut buffer).expect("it fits");
    let full = update.levels(0..65534, |level, _| level.end());
    assert!(full.is_ok());
    let update = BookUpdateEncoder::wrap(&mut buffer).expect("it fits");
    let over = update.levels(0..65535, |level, _| level.end());
    assert_eq!(over.err(), Some(EncodeError::EntryCount { what: "levels", least: 0, most: 65534 }));

    let text = vec![b'x'; 65535];
    let instrument = InstrumentEncoder::wrap(&mut buffer).expect("it fits");
    let instrument =
        instrument.legs(0..0, |leg, _: i32| leg.venues(0..0, |venue, _: i32| venue.code("")?.end())?.end());
    let over = instrument.expect("it fits").description(&text);
    assert_eq!(over.err(), Some(EncodeError::TooLong { what: "description", most: 65534, found: 65535 }));
}

#[test]
fn trap_19_fields_of_the_root_can_be_written_after_groups() {
    let mut buffer = [0xAA; 256];
    let instrument = InstrumentEncoder::wrap(&mut buffer).expect("it fits");
    let mut legs = 0;
    let mut instrument = instrument
        .legs(0..2, |leg, _| {
            legs += 1;
            leg.venues(0..0, |venue, _: i32| venue.code("")?.end())?.end()
        })
        .expect("it fits");
    instrument.lot(legs);
    let length = instrument.description("").expect("it fits").url("").expect("it fits").finish();
    assert_eq!(InstrumentDecoder::decode(&buffer[..length]).expect("it is whole").lot(), Some(2));
}
