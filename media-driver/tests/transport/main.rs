//! What transports do beside carrying datagrams: they allocate nothing once warm, and a driver does without io_uring where it is
//! forbidden.

mod counting;
mod forbidden;
mod no_alloc;
mod path;
