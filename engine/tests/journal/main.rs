//! The journal from the outside: what is appended is read, in every way to read, by whoever may, after whatever happened.

mod appending;
mod crashes;
mod cut_short;
mod hostile;
mod keeping;
mod killed;
mod model;
mod reading;
mod regressions;
mod support;
