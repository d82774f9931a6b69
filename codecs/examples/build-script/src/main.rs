//! SBE with a build script: `build.rs` generates the module `orders` from `../schemas/orders.xml` whenever the schema
//! changes. No generated code is checked in. Run it with `cargo run -p gannet-codecs-example-build-script`.

use orders::types::Price;
use orders::{AnyMessage, OrderFilledDecoder, OrderFilledEncoder};

/// The code that the build script generated: one decoder and one encoder per message.
pub mod orders {
    include!(concat!(env!("OUT_DIR"), "/orders.rs"));
}

/// Writes a message with two entries in its group. Returns how many bytes of the buffer the message takes.
fn write(buffer: &mut [u8]) -> Result<usize, gannet_codecs_runtime::EncodeError> {
    let mut filled = OrderFilledEncoder::wrap(buffer)?;
    filled.order_id(1001).time(1_700_000_000_000_000_000);
    // The next stage exists only once the group is written: code that forgets the group does not compile.
    let fills = [(1_010_000, 30), (1_010_500, 70)];
    let filled = filled.fills(fills, |mut fill, (mantissa, quantity)| {
        fill.price(Price { mantissa }).quantity(quantity);
        fill.end()
    })?;
    Ok(filled.finish())
}

/// The total quantity traded. The bytes may come from anyone: making a decoder checks all of them, and nothing fails
/// after that.
fn traded(message: &[u8]) -> Result<u32, gannet_codecs_runtime::DecodeError> {
    let filled = OrderFilledDecoder::decode(message)?;
    Ok(filled.fills().iter().map(|fill| fill.quantity()).sum())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut buffer = [0; 128];
    let length = write(&mut buffer)?;
    println!("{length} bytes: {}", AnyMessage::decode(&buffer[..length])?);
    println!("traded {}", traded(&buffer[..length])?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut buffer = [0xAA; 128];
        let length = write(&mut buffer).expect("it fits");
        assert_eq!(traded(&buffer[..length]), Ok(100));
        assert!(traded(&buffer[..length - 1]).is_err(), "a message that is cut is no message");
        assert!(write(&mut buffer[..length - 1]).is_err(), "a buffer that is too short is told");
    }
}
