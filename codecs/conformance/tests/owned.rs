//! Owned forms: they outlive the bytes, are written as the same bytes again, and pass through serde without loss.

use gannet_codecs_conformance::market::book_update::LevelsOwned;
use gannet_codecs_conformance::market::instrument::LegsOwned;
use gannet_codecs_conformance::market::instrument::legs::VenuesOwned;
use gannet_codecs_conformance::market::types::{Action, Conditions, Price, Side};
use gannet_codecs_conformance::market::{
    AnyMessageOwned, BookUpdateDecoder, BookUpdateOwned, Header, InstrumentDecoder, InstrumentOwned, TradeDecoder,
    TradeOwned,
};
use gannet_codecs_conformance::real::own_big_endian;
use gannet_codecs_conformance::real::own_composites::types::Third;
use gannet_codecs_conformance::real::own_presence::types::Decimal;
use gannet_codecs_runtime::EncodeError;

fn instrument() -> InstrumentOwned {
    let venue = |venue, code: &[u8]| VenuesOwned { venue, code: code.to_vec() };
    InstrumentOwned {
        instrument: 7,
        symbol: *b"GNT\0\0\0\0\0",
        tick: Price { mantissa: -5 },
        lot: Some(10),
        legs: vec![
            LegsOwned { instrument: 1, ratio: 1, venues: vec![venue(1, b"XA"), venue(2, b"\xFF\0")] },
            LegsOwned { instrument: 2, ratio: -1, venues: vec![] },
        ],
        description: "zwei Füße".into(),
        url: vec![],
    }
}

fn trade() -> TradeOwned {
    TradeOwned {
        time: u64::MAX,
        instrument: 1,
        price: Price { mantissa: i64::MIN },
        quantity: 2,
        aggressor: Some(Side(b'?')),
        conditions: Conditions(0x8005),
        sequence: None,
    }
}

#[test]
fn an_owned_form_is_written_and_read_again() {
    let owned = instrument();
    let mut bytes = vec![0xAA; owned.encoded_length()];
    assert_eq!(owned.encode(&mut bytes), Ok(bytes.len()));
    let decoder = InstrumentDecoder::decode(&bytes).expect("it is whole");
    assert_eq!(decoder.encoded_length() + Header::LENGTH, bytes.len());
    assert_eq!(InstrumentOwned::from(decoder), owned);
    let mut again = vec![0x55; bytes.len()];
    assert_eq!(decoder.rewrite(&mut again), Ok(bytes.len()));
    assert_eq!(again, bytes);

    let short = owned.encode(&mut again[..bytes.len() - 1]);
    assert!(matches!(short, Err(EncodeError::BufferTooShort { what: "url", .. })), "{short:?}");
}

#[test]
fn what_an_older_writer_did_not_send_is_none() {
    // Version 0 of an instrument, which has neither `lot` nor `url`.
    let mut bytes = vec![20, 0, 3, 0, 0x67, 0x12, 0, 0];
    bytes.extend([7, 0, 0, 0]);
    bytes.extend(*b"GNT\0\0\0\0\0");
    bytes.extend([0; 8]);
    bytes.extend([6, 0, 0, 0]);
    bytes.extend([1, 0, b'x']);
    let owned = InstrumentOwned::from(InstrumentDecoder::decode(&bytes).expect("it is whole"));
    assert_eq!((owned.lot, owned.description.as_slice(), owned.url.as_slice()), (None, &b"x"[..], &b""[..]));
}

#[test]
fn json_has_names_where_there_are_any_and_loses_nothing() {
    let json = serde_json::to_string(&instrument()).expect("it can be written");
    assert_eq!(
        json,
        r#"{"instrument":7,"symbol":"GNT","tick":{"mantissa":-5},"lot":10,"legs":[{"instrument":1,"ratio":1,"venues":[{"venue":1,"code":"XA"},{"venue":2,"code":[255,0]}]},{"instrument":2,"ratio":-1,"venues":[]}],"description":"zwei Füße","url":""}"#
    );
    assert_eq!(serde_json::from_str::<InstrumentOwned>(&json).expect("it can be read"), instrument());

    let json = serde_json::to_string(&trade()).expect("it can be written");
    assert_eq!(
        json,
        r#"{"time":18446744073709551615,"instrument":1,"price":{"mantissa":-9223372036854775808},"quantity":2,"aggressor":63,"conditions":["Auction","Late",32768],"sequence":null}"#
    );
    assert_eq!(serde_json::from_str::<TradeOwned>(&json).expect("it can be read"), trade());

    let level = LevelsOwned {
        price: Price { mantissa: 1 },
        quantity: None,
        orders: Some(3),
        side: Side::BUY,
        action: Action::NEW,
    };
    let update = BookUpdateOwned { time: 1, instrument: 2, sequence: 3, complete: Some(1), levels: vec![level] };
    let json = serde_json::to_string(&update).expect("it can be written");
    assert!(json.contains(r#""quantity":null,"orders":3,"side":"Buy","action":"New""#), "{json}");
    assert_eq!(serde_json::from_str::<BookUpdateOwned>(&json).expect("it can be read"), update);
}

#[test]
fn any_message_goes_through_serde_even_one_that_is_not_known() {
    let through = |message: &AnyMessageOwned| {
        let json = serde_json::to_string(message).expect("it can be written");
        serde_json::from_str::<AnyMessageOwned>(&json).expect("it can be read")
    };
    let mut bytes = vec![0; 256];
    let length = instrument().encode(&mut bytes).expect("it fits");
    let known = AnyMessageOwned::decode(&bytes[..length]).expect("it is whole");
    assert_eq!(through(&known), AnyMessageOwned::Instrument(instrument()));

    // The same schema, template 999.
    bytes[2..4].copy_from_slice(&999_u16.to_le_bytes());
    let unknown = AnyMessageOwned::decode(&bytes[..length]).expect("what is behind a header may be anything");
    assert!(matches!(&unknown, AnyMessageOwned::Unknown { header, body }
        if header.template_id == 999 && body[..] == bytes[Header::LENGTH..length]));
    assert_eq!(through(&unknown), unknown);
}

#[test]
fn what_may_lack_may_lack_and_what_does_not_fit_is_refused() {
    let read = |json: &str| serde_json::from_str::<InstrumentOwned>(json);
    let least = r#"{"instrument":7,"symbol":"GNT","tick":{"mantissa":1}}"#;
    let owned = read(least).expect("groups, data and optional fields may lack");
    assert_eq!((owned.lot, owned.legs.len(), owned.url.len()), (None, 0, 0));
    let long = read(&least.replace("GNT", "NINE BYTES")).expect_err("a symbol has eight");
    assert!(long.to_string().contains("text that fits its field"), "{long}");
    assert!(read(&least.replace("7", "-7")).is_err());

    let mut json = serde_json::to_value(trade()).expect("it can be written");
    json["aggressor"] = "Neither".into();
    let unknown = serde_json::from_value::<TradeOwned>(json.clone()).expect_err("there is no such side");
    assert!(unknown.to_string().contains("Neither"), "{unknown}");
    json["aggressor"] = 300.into();
    assert!(serde_json::from_value::<TradeOwned>(json.clone()).is_err());
    json["aggressor"] = "Sell".into();
    json["conditions"] = serde_json::json!(["Block", 65536]);
    assert!(serde_json::from_value::<TradeOwned>(json.clone()).is_err());
    json["conditions"] = serde_json::json!(["Block", 8]);
    let read = serde_json::from_value::<TradeOwned>(json).expect("it is in order");
    assert_eq!((read.aggressor, read.conditions), (Some(Side::SELL), Conditions(10)));
}

#[test]
fn a_message_without_groups_goes_through_too() {
    let owned = trade();
    let mut bytes = vec![0; owned.encoded_length()];
    assert_eq!(owned.encode(&mut bytes), Ok(bytes.len()));
    // The version that has `sequence` writes zero for a value that was not given.
    let read = TradeOwned::from(TradeDecoder::decode(&bytes).expect("it is whole"));
    assert_eq!(read, TradeOwned { sequence: Some(0), ..owned });
    assert!(BookUpdateDecoder::decode(&bytes).is_err());
}

/// JSON has no number for them, and serde_json writes all of them as null.
#[test]
fn floats_that_are_no_numbers_go_through_json() {
    use own_big_endian::{MEncoder, MOwned};

    let mut bytes = [0; 256];
    let message = MEncoder::wrap(&mut bytes).expect("there is room");
    let message = message.g([0; 0], |entry, _| entry.end()).expect("there is room").t("").expect("there is room");
    let length = message.finish();
    let mut message = MOwned::decode(&bytes[..length]).expect("it is whole");
    for (f, d, words) in [
        (1.1_f32, -0.0, r#""f":1.1,"d":-0.0"#),
        (f32::INFINITY, f64::NEG_INFINITY, r#""f":"Infinity","d":"-Infinity""#),
        (f32::NAN, 5e-324, r#""f":"NaN","d":5e-324"#),
    ] {
        (message.f, message.d) = (f, d);
        let json = serde_json::to_string(&message).expect("it can be written");
        assert!(json.contains(words), "{json}");
        let again = serde_json::from_str::<MOwned>(&json).expect("it can be read");
        assert_eq!((again.f.is_nan(), again.d.to_bits()), (f.is_nan(), d.to_bits()));
        assert!(f.is_nan() || again == message, "{json}");
        assert!(serde_json::from_str::<MOwned>(&json.replace(words, r#""f":"inf","d":0"#)).is_err());
    }

    // In arrays, and where another value than NaN says none.
    let third = Third { numbers: [1, -2, 3], f: [f32::NEG_INFINITY, 2.5] };
    let json = serde_json::to_string(&third).expect("it can be written");
    assert_eq!(json, r#"{"numbers":[1,-2,3],"f":["-Infinity",2.5]}"#);
    assert_eq!(serde_json::from_str::<Third>(&json).expect("it can be read"), third);
    for (z, expected) in [(Some(f64::NAN), r#""NaN""#), (Some(1.0), "1.0"), (None, "null")] {
        let json = serde_json::to_string(&Decimal { mantissa: None, z }).expect("it can be written");
        assert_eq!(json, format!(r#"{{"mantissa":null,"z":{expected}}}"#));
        let again = serde_json::from_str::<Decimal>(&json).expect("it can be read");
        assert_eq!(format!("{:?}", again.z), format!("{z:?}"));
    }
}
