//! A synthetic market data feed, sent as messages of the market schema. The content of a message follows from its
//! number, so that a receiver can compute what it should be. Sizes vary as in a real feed, with an occasional snapshot
//! of several frames or definition of an instrument.

use gannet::types::Position;
use gannet::{ExclusivePublication, SendError};
use gannet_codecs_runtime::EncodeError;
use gannet_market::types::{Action, Conditions, Price, Side};
use gannet_market::{
    AnyMessage, BookUpdate, BookUpdateDecoder, BookUpdateEncoder, Instrument, InstrumentDecoder, InstrumentEncoder,
    Trade, TradeDecoder, TradeEncoder,
};

/// Updates have between 1 and this many levels.
const MAX_UPDATE_LEVELS: u64 = 12;
/// One of this many messages is a snapshot, which is too long for one frame.
const SNAPSHOT_EVERY: u64 = 500;
const SNAPSHOT_LEVELS: u64 = 150;
/// One of this many messages defines an instrument, and one of `TRADE_EVERY` is a trade.
const INSTRUMENT_EVERY: u64 = 100;
const TRADE_EVERY: u64 = 4;
/// Upper limit for the length of an instrument definition, in bytes.
const MAX_INSTRUMENT_LENGTH: usize = 200;
const VENUES: [&str; 4] = ["XA", "XLON", "", "XCME"];

/// The kind of a message, which follows from its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update { levels: u64 },
    Trade,
    Instrument,
}

impl Kind {
    fn of(number: u64) -> Self {
        match number {
            _ if number % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1 => Self::Update { levels: SNAPSHOT_LEVELS },
            _ if number.is_multiple_of(INSTRUMENT_EVERY) => Self::Instrument,
            _ if number.is_multiple_of(TRADE_EVERY) => Self::Trade,
            _ => Self::Update { levels: 1 + Random(number).next() % MAX_UPDATE_LEVELS },
        }
    }
}

/// Sends message `number`, due at `due_ns`: encoded directly into the log, or through `buffer` when it is longer than a
/// frame.
pub(super) fn send(
    publication: &mut ExclusivePublication,
    number: u64,
    due_ns: i64,
    buffer: &mut Vec<u8>,
) -> Result<Position, SendError> {
    match Kind::of(number) {
        Kind::Update { levels } => {
            let length = BookUpdateEncoder::encoded_length(levels as usize);
            if length <= publication.max_payload_length() {
                return publication.send::<BookUpdate>(length, |update| write_update(update, number, due_ns, levels));
            }
            buffer.resize(length, 0);
            let length = write_update(BookUpdateEncoder::wrap(buffer)?, number, due_ns, levels)?;
            Ok(publication.offer(&buffer[..length])?)
        }
        Kind::Trade => publication.send::<Trade>(TradeEncoder::encoded_length(), |mut trade| {
            let Level { price, quantity, side, instrument, .. } = Level::of(number, 0);
            trade.time(due_ns as u64).sequence(number as u32).instrument(instrument).price(price);
            trade.quantity(quantity.unwrap_or(1)).aggressor(side).conditions(conditions(number));
            Ok(trade.finish())
        }),
        Kind::Instrument => publication
            .send::<Instrument>(MAX_INSTRUMENT_LENGTH, |instrument| write_instrument(instrument, number, due_ns)),
    }
}

fn write_update(
    mut update: BookUpdateEncoder<'_>,
    number: u64,
    due_ns: i64,
    levels: u64,
) -> Result<usize, EncodeError> {
    update.time(due_ns as u64).sequence(number as u32).instrument(Level::of(number, 0).instrument);
    update.complete((levels == SNAPSHOT_LEVELS).then_some(1));
    let update = update.levels(0..levels, |mut entry, at| {
        let Level { price, quantity, orders, side, action, .. } = Level::of(number, at);
        entry.price(price).quantity(quantity).orders(orders).side(side).action(action);
        entry.end()
    })?;
    Ok(update.finish())
}

fn write_instrument(mut instrument: InstrumentEncoder<'_>, number: u64, due_ns: i64) -> Result<usize, EncodeError> {
    instrument.instrument(number as u32).symbol_str(symbol(number))?.tick(Price { mantissa: due_ns }).lot(1);
    let instrument = instrument.legs(legs(number), |mut leg, (instrument, ratio)| {
        leg.instrument(instrument).ratio(ratio);
        leg.venues(VENUES, |mut venue, code| {
            venue.venue(code.len() as u16);
            venue.code(code)?.end()
        })?
        .end()
    })?;
    Ok(instrument.description("made up")?.url("")?.finish())
}

/// The number and due time that a message carries. `None` for a kind of message that the feed does not send.
pub(super) fn claim(message: &AnyMessage<'_>) -> Option<(u64, i64)> {
    let (number, due) = match message {
        AnyMessage::BookUpdate(update) => (update.sequence(), update.time() as i64),
        AnyMessage::Trade(trade) => (trade.sequence()?, trade.time() as i64),
        AnyMessage::Instrument(instrument) => (instrument.instrument(), instrument.tick().mantissa),
        AnyMessage::Unknown { .. } => return None,
    };
    Some((u64::from(number), due))
}

/// Whether a message has the content that message `number`, due at `due_ns`, should have.
pub(super) fn is_as_sent(message: &AnyMessage<'_>, number: u64, due_ns: i64) -> bool {
    if claim(message) != Some((number, due_ns)) {
        return false;
    }
    match (message, Kind::of(number)) {
        (AnyMessage::BookUpdate(update), Kind::Update { levels }) => is_update(update, number, levels),
        (AnyMessage::Trade(trade), Kind::Trade) => is_trade(trade, number),
        (AnyMessage::Instrument(instrument), Kind::Instrument) => is_instrument(instrument, number),
        _ => false,
    }
}

fn is_update(update: &BookUpdateDecoder<'_>, number: u64, levels: u64) -> bool {
    update.instrument() == Level::of(number, 0).instrument
        && update.complete() == (levels == SNAPSHOT_LEVELS).then_some(1)
        && update.levels().len() as u64 == levels
        && update.levels().iter().zip(0..).all(|(entry, at)| {
            let Level { price, quantity, orders, side, action, .. } = Level::of(number, at);
            (entry.price(), entry.quantity(), entry.orders()) == (price, quantity, orders)
                && (entry.side(), entry.action()) == (side, action)
        })
}

fn is_trade(trade: &TradeDecoder<'_>, number: u64) -> bool {
    let Level { price, quantity, side, instrument, .. } = Level::of(number, 0);
    (trade.instrument(), trade.price(), trade.quantity()) == (instrument, price, quantity.unwrap_or(1))
        && (trade.aggressor(), trade.conditions()) == (Some(side), conditions(number))
}

fn is_instrument(instrument: &InstrumentDecoder<'_>, number: u64) -> bool {
    let legs_are_right = instrument.legs().iter().map(|leg| (leg.instrument(), leg.ratio())).eq(legs(number));
    let mut venues = instrument.legs().into_iter().map(|leg| leg.venues());
    let venues_are_right = venues.all(|venues| {
        venues
            .iter()
            .map(|venue| (venue.venue() as usize, venue.code()))
            .eq(VENUES.map(|code| (code.len(), code.as_bytes())))
    });
    legs_are_right
        && venues_are_right
        && (instrument.symbol_str(), instrument.lot()) == (Ok(symbol(number)), Some(1))
        && instrument.description_str() == Ok("made up")
        && instrument.url() == Some(&[])
}

fn symbol(number: u64) -> &'static str {
    ["GNT", "SOLAN", "MORUS", "BASSANUS"][number as usize / INSTRUMENT_EVERY as usize % 4]
}

fn conditions(number: u64) -> Conditions {
    if number.is_multiple_of(8) { Conditions::AUCTION | Conditions::LATE } else { Conditions::NONE }
}

/// The instruments and ratios of an instrument's legs.
fn legs(number: u64) -> impl Iterator<Item = (u32, i16)> {
    let count = Random(number).next() % 3;
    (0..count).map(move |leg| ((number + leg) as u32, if leg == 0 { 1 } else { -2 }))
}

/// The values of one entry of a message.
#[derive(Debug, PartialEq)]
struct Level {
    instrument: u32,
    price: Price,
    quantity: Option<u32>,
    orders: Option<u16>,
    side: Side,
    action: Action,
}

impl Level {
    fn of(number: u64, at: u64) -> Self {
        let mut random = Random(number << 8 | at);
        let (price, rest) = (random.next(), random.next());
        Self {
            instrument: (rest >> 32) as u32 % 500,
            price: Price { mantissa: 10_000_000_000 + (price % 1_000_000_000) as i64 },
            // A deleted level has no quantity.
            quantity: (rest & 6 != 4).then_some(1 + rest as u32 % 10_000),
            orders: (rest & 8 != 0).then_some((rest >> 16) as u16 % 100),
            side: if rest & 1 == 0 { Side::BUY } else { Side::SELL },
            action: [Action::NEW, Action::CHANGE, Action::DELETE, Action::CHANGE][(rest >> 1 & 3) as usize],
        }
    }
}

/// SplitMix64: one multiplication on top of a counter, and random enough for prices.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of an update, whatever its number is.
    fn update(number: u64, due_ns: i64, levels: u64) -> Vec<u8> {
        let mut bytes = vec![0xAA; BookUpdateEncoder::encoded_length(levels as usize)];
        let length = write_update(BookUpdateEncoder::wrap(&mut bytes).expect("it fits"), number, due_ns, levels);
        assert_eq!(length, Ok(bytes.len()));
        bytes
    }

    #[test]
    fn a_message_follows_from_its_number_and_every_change_is_seen() {
        let Kind::Update { levels } = Kind::of(7) else { panic!("message 7 is an update") };
        let bytes = update(7, 70, levels);
        let message = AnyMessage::decode(&bytes).expect("it is whole");
        assert!(is_as_sent(&message, 7, 70));
        assert!(!is_as_sent(&message, 7, 71) && !is_as_sent(&message, 9, 70));
        // But for the header's version, no byte is without a meaning.
        for at in (0..bytes.len()).filter(|at| !(6..8).contains(at)) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let seen = AnyMessage::decode(&changed).is_ok_and(|message| is_as_sent(&message, 7, 70));
            assert!(!seen, "byte {at}");
        }
    }

    #[test]
    fn the_feed_has_messages_of_every_kind() {
        let kinds: Vec<_> = (0..1000).map(Kind::of).collect();
        let count = |kind: Kind| kinds.iter().filter(|&&other| other == kind).count();
        assert_eq!(count(Kind::Update { levels: SNAPSHOT_LEVELS }), 2);
        assert_eq!(count(Kind::Instrument), 10);
        assert_eq!(count(Kind::Trade), 240);
        assert!((1..=MAX_UPDATE_LEVELS).all(|levels| count(Kind::Update { levels }) > 20));
        let mut buffer = [0; MAX_INSTRUMENT_LENGTH];
        for number in (0..10_000).step_by(INSTRUMENT_EVERY as usize) {
            let length = write_instrument(InstrumentEncoder::wrap(&mut buffer).expect("it fits"), number, 5);
            let bytes = &buffer[..length.expect("the longest fits")];
            assert!(is_as_sent(&AnyMessage::decode(bytes).expect("it is whole"), number, 5));
        }
    }
}
