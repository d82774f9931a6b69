//! Properties of transports besides carrying datagrams: they allocate nothing after a warm-up, can be taken over by
//! another thread, say when there is no room, and a driver works without io_uring where it is forbidden.

#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/counting.rs"]
mod counting;
mod forbidden;
mod full_buffer;
mod moved;
mod no_alloc;
mod path;
#[expect(unreachable_pub, clippy::disallowed_types, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/ports.rs"]
mod ports;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod refused;
#[expect(unreachable_pub, clippy::disallowed_methods, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
