//! SBE with code that is checked in: `orders.rs` beside this file was written by
//!
//! ```sh
//! gannet sbe generate codecs/examples/schemas/orders.xml --out codecs/examples/checked-in/src
//! ```
//!
//! No schema compiler is needed to build it. Run it with `cargo run -p gannet-codecs-example-checked-in`.

/// The generated code, formatted by its generator.
#[rustfmt::skip]
pub mod orders;

use orders::types::{Instructions, Price, Side};
use orders::{AnyMessage, NewOrderDecoder, NewOrderEncoder};

/// Writes an order to the front of a buffer, such as a claim in a log. Returns how many bytes the order takes.
fn write(buffer: &mut [u8]) -> Result<usize, gannet_codecs_runtime::EncodeError> {
    let mut order = NewOrderEncoder::wrap(buffer)?;
    order
        .order_id(1001)
        .symbol_str("GNT")?
        .side(Side::BUY)
        .price(Price { mantissa: 1_012_500 })
        .quantity(100)
        .shown(None)
        .instructions(Instructions::POST_ONLY);
    // The text comes last, and only what writing it returns can be finished: code that forgets the text does not
    // compile.
    Ok(order.note("the first")?.finish())
}

/// Describes an order. The bytes may come from anyone: making a decoder checks all of them, and nothing fails after
/// that.
fn describe(message: &[u8]) -> Result<String, gannet_codecs_runtime::DecodeError> {
    let order = NewOrderDecoder::decode(message)?;
    let side = if order.side() == Side::BUY { "buy" } else { "sell" };
    let shown = order.shown().map_or("all".to_owned(), |shown| shown.to_string());
    let (price, exponent) = (order.price().mantissa, Price::EXPONENT);
    Ok(format!("{side} {} at {price}e{exponent}, {shown} of it shown", order.quantity()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut buffer = [0; 128];
    let length = write(&mut buffer)?;
    println!("{length} bytes: {}", AnyMessage::decode(&buffer[..length])?);
    println!("{}", describe(&buffer[..length])?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut buffer = [0xAA; 128];
        let length = write(&mut buffer).expect("it fits");
        let described = describe(&buffer[..length]).expect("it is whole");
        assert_eq!(described, "buy 100 at 1012500e-4, all of it shown");
        assert!(describe(&buffer[..length - 1]).is_err(), "a message that is cut is no message");
        assert!(write(&mut buffer[..length - 1]).is_err(), "a buffer that is too short is told");
    }
}
