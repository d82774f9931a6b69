//! The conductor, driven by hand: the events for clients, their order, and the state of their streams.

mod any_order;
mod blocked;
mod client_counters;
mod clients;
mod endings;
mod full;
mod hostile;
mod ids;
mod images;
mod limits;
mod log_metadata;
mod network;
mod publications;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod refusals;
mod resolution;
mod responses;
mod sharing;
mod slow_logs;
mod slow_names;
mod support;
mod untethered;
