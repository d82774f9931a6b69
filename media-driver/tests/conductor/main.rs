//! The conductor, driven by hand: what clients are told, in which order, and what becomes of their streams.

mod publications;
mod support;
