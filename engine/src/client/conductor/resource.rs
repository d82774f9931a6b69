//! A resource that the client has added or is adding: the request, so that it can be repeated, its progress, and the
//! shared half of its handle.

use super::destinations::Destinations;
use crate::client::bound::Bound;
use crate::client::error::{AddError, Request};
use crate::client::notice::ImageHandler;
use crate::command::{AddCounter, AddPublication, AddStaticCounter, AddSubscription, Command, Text};
use crate::time::MonotonicNanos;
use crate::types::{ClientId, CorrelationId, RegistrationId, StreamId};

/// Identifies a resource as long as its handle exists, in all session epochs. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResourceKey(pub(super) u64);

pub(super) struct Resource {
    pub(super) wanted: Wanted,
    pub(super) phase: Phase,
    /// The shared half of the handle, once the driver has first answered.
    pub(super) bound: Option<Bound>,
    pub(super) destinations: Destinations,
    /// The same for all handles of a publication, also while there is no driver: the key of one that is or was among them.
    pub(super) group: ResourceKey,
    /// The resource that its channel refers to.
    pub(super) named: Named,
}

/// A request that can be repeated.
pub(crate) enum Wanted {
    Publication { channel: String, stream_id: StreamId },
    ExclusivePublication { channel: String, stream_id: StreamId },
    Subscription { channel: String, stream_id: StreamId, handlers: ImageHandlers },
    Counter { type_id: i32, key: Vec<u8>, label: String },
    StaticCounter { registration_id: RegistrationId, type_id: i32, key: Vec<u8>, label: String },
}

/// The image handlers of a subscription.
#[derive(Clone, Default)]
pub(crate) struct ImageHandlers {
    pub(crate) available: Option<ImageHandler>,
    pub(crate) unavailable: Option<ImageHandler>,
}

/// What remains of a removed resource. Handlers may own handles of their client, whose drop takes the client's lock. So
/// this must be dropped without holding it.
#[derive(Default)]
#[must_use = "to be dropped without the client's lock"]
pub(crate) struct Gone(Vec<ImageHandlers>);

impl Gone {
    /// Adds these handlers.
    pub(super) fn add(&mut self, handlers: ImageHandlers) {
        self.0.push(handlers);
    }
}

impl From<Option<Wanted>> for Gone {
    fn from(wanted: Option<Wanted>) -> Self {
        match wanted {
            Some(Wanted::Subscription { handlers, .. }) => Self(vec![handlers]),
            _ => Self::default(),
        }
    }
}

/// The resource that a channel refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Nothing,
    /// A resource that this client has added.
    Own(ResourceKey),
    /// An image, or a resource of another client.
    Other,
}

/// The state of a resource.
#[derive(Debug)]
pub(super) enum Phase {
    /// The driver was asked with the command of this id. During a restoration, `was` is the id in the previous epoch.
    Adding { correlation_id: CorrelationId, deadline: MonotonicNanos, was: Option<RegistrationId> },
    /// The driver has the resource under this id. `log` is the key of its log mapping, if it has one.
    Live { registration_id: RegistrationId, log: Option<i64> },
    /// The resource was live. Now there is no driver, or the driver refused it and is asked again at `retry_at`.
    Down { was: RegistrationId, retry_at: MonotonicNanos },
    /// The resource could not be added. Holds the error until it is taken.
    Failed(Option<AddError>),
}

/// How to undo an add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    RemovePublication {
        revoke: bool,
    },
    RemoveSubscription,
    RemoveCounter,
    /// Static counters outlive their clients.
    Nothing,
}

impl Wanted {
    /// The request, for errors.
    pub(super) fn describe(&self) -> Request {
        match self {
            Self::Publication { channel, stream_id } => {
                Request::Publication { channel: channel.clone(), stream_id: *stream_id }
            }
            Self::ExclusivePublication { channel, stream_id } => {
                Request::ExclusivePublication { channel: channel.clone(), stream_id: *stream_id }
            }
            Self::Subscription { channel, stream_id, .. } => {
                Request::Subscription { channel: channel.clone(), stream_id: *stream_id }
            }
            Self::Counter { type_id, label, .. } | Self::StaticCounter { type_id, label, .. } => {
                Request::Counter { type_id: *type_id, label: label.clone() }
            }
        }
    }

    /// The resource's channel, if it has one.
    pub(super) fn channel(&self) -> Option<&str> {
        match self {
            Self::Publication { channel, .. }
            | Self::ExclusivePublication { channel, .. }
            | Self::Subscription { channel, .. } => Some(channel),
            Self::Counter { .. } | Self::StaticCounter { .. } => None,
        }
    }

    /// How to undo the request.
    pub(super) fn undo(&self) -> Undo {
        match self {
            Self::Publication { .. } | Self::ExclusivePublication { .. } => Undo::RemovePublication { revoke: false },
            Self::Subscription { .. } => Undo::RemoveSubscription,
            Self::Counter { .. } => Undo::RemoveCounter,
            Self::StaticCounter { .. } => Undo::Nothing,
        }
    }

    /// The command for the request.
    pub(super) fn command(&self, client_id: ClientId, correlation_id: CorrelationId) -> Command<'_> {
        match self {
            Self::Publication { channel, stream_id } => Command::AddPublication(AddPublication {
                client_id,
                correlation_id,
                stream_id: *stream_id,
                channel: Text::from(channel.as_str()),
            }),
            Self::ExclusivePublication { channel, stream_id } => Command::AddExclusivePublication(AddPublication {
                client_id,
                correlation_id,
                stream_id: *stream_id,
                channel: Text::from(channel.as_str()),
            }),
            Self::Subscription { channel, stream_id, .. } => Command::AddSubscription(AddSubscription {
                client_id,
                correlation_id,
                stream_id: *stream_id,
                channel: Text::from(channel.as_str()),
            }),
            Self::Counter { type_id, key, label } => Command::AddCounter(AddCounter {
                client_id,
                correlation_id,
                type_id: *type_id,
                key,
                label: Text::from(label.as_str()),
            }),
            Self::StaticCounter { registration_id, type_id, key, label } => {
                Command::AddStaticCounter(AddStaticCounter {
                    client_id,
                    correlation_id,
                    registration_id: *registration_id,
                    type_id: *type_id,
                    key,
                    label: Text::from(label.as_str()),
                })
            }
        }
    }
}
