//! The one command: gannet.

mod capture;

fn main() {}
