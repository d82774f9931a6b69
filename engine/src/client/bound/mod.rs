//! The halves of handles that the conductor shares with their owners. Through them the conductor closes a handle and
//! rebinds it. The owner's half reads one word of its shared half before it accesses shared memory.

mod counter;
mod exclusive;
mod ids;
mod publication;
mod subscription;

use std::sync::Arc;

pub(super) use counter::{CounterBinding, CounterShared};
pub(super) use exclusive::{CLOSED, ExclusiveBinding, ExclusiveShared};
pub(super) use ids::PublicationIds;
pub(super) use publication::{PublicationBinding, PublicationShared};
pub(super) use subscription::{ImageChange, SubscriptionShared};

/// The shared half of any handle.
#[derive(Clone)]
pub(crate) enum Bound {
    Publication(Arc<PublicationShared>),
    Exclusive(Arc<ExclusiveShared>),
    Subscription(Arc<SubscriptionShared>),
    Counter(Arc<CounterShared>),
}
