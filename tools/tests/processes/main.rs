//! The commands as users meet them: real processes, with a real driver beside them.

mod captures;
mod command_line;
mod journal;
mod network;
mod recording;
mod sbe;
mod seeing;
mod streams;
mod support;
mod terminating;
