//! The subcommands, one per file: its flags, and what it does.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod errors;
pub(crate) mod journal;
pub(crate) mod loss;
pub(crate) mod man;
pub(crate) mod publish;
pub(crate) mod record;
mod recorded;
pub(crate) mod replay;
pub(crate) mod sbe;
pub(crate) mod stat;
pub(crate) mod streams;
pub(crate) mod subscribe;
pub(crate) mod terminate;
mod watch;
pub(crate) mod why;
