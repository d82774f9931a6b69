//! The media driver process.

fn main() {}
