//! Market data messages for Gannet's demo, examples and tests: trades, order book changes and instrument definitions.
//! The build script generates all of this from `schemas/market.xml`, as an application would do with its own schema.
//!
//! ```
//! use gannet_market::types::{Price, Side};
//! use gannet_market::{TradeDecoder, TradeEncoder};
//!
//! let mut buffer = [0; TradeEncoder::encoded_length()];
//! let mut trade = TradeEncoder::wrap(&mut buffer)?;
//! trade.time(1_000).instrument(7).price(Price { mantissa: 101_500_000_000 }).quantity(3).aggressor(Side::BUY);
//! assert_eq!(trade.finish(), buffer.len());
//!
//! let trade = TradeDecoder::decode(&buffer)?;
//! assert_eq!((trade.instrument(), trade.quantity(), trade.aggressor()), (7, 3, Some(Side::BUY)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(doctest, doc = include_str!("../../README.md"))]
#![no_std]
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/market.rs"));
