//! The one command: gannet.

fn main() {}
