//! Tests of schema messages over shared memory: written into claims, read from fragments and from reassembled messages,
//! and refused when they are not the messages that the reader asks for.

use std::time::Duration;

use gannet::time::{Clock, SystemClock};
use gannet::{
    Client, Context, ExclusivePublication, FragmentAssembler, MessageError, OfferError, SendError, Subscription,
};
use gannet_codecs_runtime::{DecodeError, EncodeError};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};
use gannet_market::types::{Action, Price, Side};
use gannet_market::{BookUpdate, BookUpdateEncoder, Instrument, Trade, TradeDecoder, TradeEncoder};

const CHANNEL: &str = "aeron:ipc?term-length=64k";
const MINUTE: Duration = Duration::from_secs(60);

struct Stream {
    publication: ExclusivePublication,
    subscription: Subscription,
    client: Client,
    _driver: MediaDriver,
}

impl Stream {
    fn new() -> Self {
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        // A busy machine may keep any thread waiting for a while.
        (config.timeouts.client_liveness, config.timeouts.publication_unblock) = (MINUTE, MINUTE * 2);
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let client = Client::connect(Context::new().dir(driver.dir()).driver_timeout(MINUTE)).unwrap();
        let subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
        let publication = client.add_exclusive_publication(CHANNEL, 1001).unwrap();
        let deadline = deadline();
        while !publication.is_connected() || publication.available_window() == Some(0) || !subscription.is_connected() {
            assert!(now_ns() < deadline, "the two find each other");
            std::thread::yield_now();
        }
        Self { publication, subscription, client, _driver: driver }
    }

    /// Polls until there were `count` messages.
    fn hear(&mut self, count: usize, mut each: impl FnMut(gannet::Fragment<'_>)) {
        let deadline = deadline();
        let mut heard = 0;
        while heard < count {
            assert!(now_ns() < deadline, "{heard} of {count} messages came");
            let left = count - heard;
            let handler = |fragment: gannet::Fragment<'_>| {
                heard += 1;
                each(fragment);
            };
            self.subscription.poll_wait(handler, left, Duration::from_millis(100));
        }
    }
}

fn now_ns() -> i64 {
    SystemClock.monotonic().get()
}

/// The deadline of a test.
fn deadline() -> i64 {
    now_ns() + 180_000_000_000
}

fn price(mantissa: i64) -> Price {
    Price { mantissa }
}

fn send_trade(publication: &mut ExclusivePublication) -> Result<gannet::types::Position, SendError> {
    publication.send::<Trade>(TradeEncoder::encoded_length(), |mut trade| {
        trade.time(5).instrument(7).price(price(-3)).quantity(11).aggressor(Side::SELL);
        Ok(trade.finish())
    })
}

#[test]
fn a_message_goes_from_claim_to_fragment() {
    let mut stream = Stream::new();
    let exclusive = send_trade(&mut stream.publication).unwrap();
    assert_eq!(Some(exclusive), stream.publication.position());
    stream.hear(1, |fragment| {
        let trade = fragment.decode::<Trade>().unwrap();
        assert_eq!((trade.time(), trade.instrument(), trade.price()), (5, 7, price(-3)));
        assert_eq!(fragment.payload().len(), TradeEncoder::encoded_length());
    });

    let shared = stream.client.add_publication(CHANNEL, 1001).unwrap();
    let levels = 1..=3;
    let send = || {
        shared.send::<BookUpdate>(BookUpdateEncoder::encoded_length(3), |mut update| {
            update.time(6).sequence(1);
            let update = update.levels(levels.clone(), |mut level, at| {
                level.price(price(at)).side(Side::BUY).action(Action::NEW);
                level.end()
            })?;
            Ok(update.finish())
        })
    };
    let deadline = deadline();
    while let Err(error) = send() {
        assert!(matches!(error, SendError::Offer(OfferError::NotConnected | OfferError::BackPressured)), "{error}");
        assert!(now_ns() < deadline, "the subscription joins");
    }
    stream.hear(1, |fragment| {
        let update = fragment.decode::<BookUpdate>().unwrap();
        assert_eq!(update.levels().iter().map(|level| level.price().mantissa).sum::<i64>(), 6);
    });
}

#[test]
fn a_claim_that_was_longer_than_its_message_is_cut_to_it() {
    let mut stream = Stream::new();
    let mut send = |description: &str| {
        stream.publication.send::<Instrument>(1000, |mut instrument| {
            instrument.instrument(7);
            let legs = instrument.legs(0..2, |leg, at| leg.venues(0..at, |venue, _| venue.code("XY")?.end())?.end())?;
            Ok(legs.description(description)?.url("")?.finish())
        })
    };
    for description in ["a", &"d".repeat(700), ""] {
        send(description).unwrap();
    }
    send_trade(&mut stream.publication).unwrap();
    let mut found = Vec::new();
    stream.hear(4, |fragment| match fragment.decode::<Instrument>() {
        Ok(instrument) => {
            assert_eq!(fragment.payload().len(), gannet_market::Header::LENGTH + instrument.encoded_length());
            found.push(instrument.description().len());
            let mut legs = fragment.decode_in_order::<Instrument>().unwrap().legs().unwrap();
            let mut venues = Vec::new();
            while let Some(leg) = legs.next_entry().unwrap() {
                venues.push(leg.venues().unwrap().len());
            }
            assert_eq!(venues, [0, 1]);
            assert_eq!(legs.end().unwrap().description().unwrap().0, instrument.description());
        }
        Err(error) => {
            let other = DecodeError::OtherTemplate { found: 2, expected: 3 };
            assert_eq!(error, MessageError::Decode(other));
            assert!(fragment.decode::<Trade>().is_ok());
        }
    });
    assert_eq!(found, [1, 700, 0]);
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    let mut stream = Stream::new();
    let publication = &mut stream.publication;
    let short = publication.send::<Trade>(TradeEncoder::encoded_length() - 1, |trade| Ok(trade.finish()));
    assert!(matches!(short, Err(SendError::Encode(EncodeError::BufferTooShort { what: "Trade", .. }))), "{short:?}");
    let levels =
        publication.send::<BookUpdate>(100, |update| Ok(update.levels(0..9, |level, _| level.end())?.finish()));
    assert!(matches!(levels, Err(SendError::Encode(EncodeError::BufferTooShort { what: "levels", .. }))), "{levels:?}");
    let long = publication.max_payload_length() + 1;
    let long = publication.send::<Trade>(long, |trade| Ok(trade.finish()));
    assert!(matches!(long, Err(SendError::Offer(OfferError::MessageTooLong { .. }))), "{long:?}");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = publication.send::<Trade>(TradeEncoder::encoded_length(), |_| panic!("in the middle of writing"));
    }));
    assert!(panic.is_err());
    send_trade(publication).unwrap();
    stream.hear(1, |fragment| assert!(fragment.decode::<Trade>().is_ok()));
}

#[test]
fn a_message_in_several_fragments_is_read_once_assembled() {
    let mut stream = Stream::new();
    let mut buffer = vec![0; BookUpdateEncoder::encoded_length(200)];
    let update = BookUpdateEncoder::wrap(&mut buffer).unwrap();
    let length = update
        .levels(0..200, |mut level, at| {
            level.price(price(at));
            level.end()
        })
        .unwrap()
        .finish();
    stream.publication.offer(&buffer[..length]).unwrap();
    stream.publication.offer(&buffer[..length]).unwrap();

    let mut parts = 0;
    stream.hear(3, |part| {
        assert_eq!(part.decode::<BookUpdate>().err(), Some(MessageError::Part));
        assert_eq!(part.decode_in_order::<BookUpdate>().err(), Some(MessageError::Part));
        parts += 1;
    });
    let (mut assembler, mut sums) = (FragmentAssembler::new(), Vec::new());
    {
        let mut assemble = assembler.assemble(|message| {
            let update = message.decode::<BookUpdate>().expect("it is whole");
            sums.push(update.levels().iter().map(|level| level.price().mantissa).sum::<i64>());
        });
        stream.hear(3, &mut assemble);
    }
    assert_eq!((parts, sums), (3, vec![199 * 100]));
}

#[test]
fn another_schema_message_or_version_is_told_apart() {
    let mut stream = Stream::new();
    let mut good = [0; TradeEncoder::encoded_length()];
    assert_eq!(TradeEncoder::wrap(&mut good).unwrap().finish(), TradeEncoder::encoded_length());
    let mut changed = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        stream.publication.offer(&bytes).unwrap();
    };
    changed(4, 1);
    changed(2, 1);
    // A newer version is read as far as it is known.
    changed(6, 9);
    stream.publication.offer(&good[..good.len() - 1]).unwrap();
    let mut verdicts = Vec::new();
    stream.hear(4, |fragment| verdicts.push(fragment.decode::<Trade>().map(|trade| trade.time())));
    let other = DecodeError::OtherSchema { found: 0x1201, expected: gannet_market::SCHEMA_ID };
    assert_eq!(verdicts[0], Err(MessageError::Decode(other)));
    let other = DecodeError::OtherTemplate { found: 1, expected: TradeDecoder::TEMPLATE_ID };
    assert_eq!(verdicts[1], Err(MessageError::Decode(other)));
    assert_eq!(verdicts[2], Ok(0));
    assert!(matches!(verdicts[3], Err(MessageError::Decode(DecodeError::Truncated { what: "Trade", .. }))));
}
