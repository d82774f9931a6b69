//! The specification of a counter: everything that the manager stores when it allocates one. The driver's conductor
//! builds it, with one constructor per kind of counter, so keys and labels are made in one place.

use super::catalogue::{ChannelCounter, SockaddrCounter, StreamCounter, type_id};
use super::key::{ChannelKey, CounterKey, SockaddrKey, StreamKey};
use super::label::CounterLabel;
use super::system::{SystemCounter, SystemLabels};
use crate::types::{ClientId, CounterId, Position, RegistrationId, SessionId, StreamId};

/// The specification of a new counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterSpec {
    /// The type id.
    pub type_id: i32,
    /// The key, which identifies the counter among those of its type.
    pub key: CounterKey,
    /// The label.
    pub label: CounterLabel,
    /// The registration id: of a publication, a subscription, an image or a client, or the correlation id of the
    /// command.
    pub registration_id: RegistrationId,
    /// The client that owns the counter. -1 for none. 0 where the reference does not set it.
    pub owner_id: ClientId,
    /// The id of a related object: for a subscriber position, the image. 0 for none.
    pub reference_id: i64,
    /// The initial value.
    pub value: i64,
}

/// The stream of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream<'a> {
    /// The registration id of the publication, subscription or image.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The channel as the application wrote it.
    pub channel: &'a str,
}

impl CounterSpec {
    /// A counter for an application. Key and label are clipped.
    pub fn application(
        type_id: i32,
        key: &[u8],
        label: &[u8],
        registration_id: RegistrationId,
        owner_id: ClientId,
    ) -> Self {
        Self {
            type_id,
            key: CounterKey::new(key),
            label: CounterLabel::new(label),
            registration_id,
            owner_id,
            reference_id: 0,
            value: 0,
        }
    }

    /// A system counter. These are allocated first and in order, so that their ids are fixed.
    pub fn system(counter: SystemCounter, labels: &SystemLabels<'_>) -> Self {
        Self {
            type_id: type_id::SYSTEM,
            key: CounterKey::new(&counter.id().get().to_le_bytes()),
            label: counter.label(labels),
            registration_id: RegistrationId::new(counter.id().get().into()),
            owner_id: ClientId::new(-1),
            reference_id: 0,
            value: 0,
        }
    }

    /// A counter of one stream.
    pub fn stream(counter: StreamCounter, stream: &Stream<'_>) -> Self {
        let mut spec = Self::application(counter.type_id(), &[], &[], stream.registration_id, ClientId::new(0));
        spec.key = stream.key();
        spec.label = stream.label(counter.name());
        spec
    }

    /// The position of a subscriber in an image (`sub-pos`). Starts at the join position and refers to the image.
    pub fn subscriber_position(subscription: &Stream<'_>, image: RegistrationId, join: Position) -> Self {
        let mut spec =
            Self::application(type_id::SUBSCRIBER_POSITION, &[], &[], subscription.registration_id, ClientId::new(0));
        spec.key = subscription.key();
        spec.label = subscription.label("sub-pos");
        spec.label.push(format!(" @{join}").as_bytes());
        spec.reference_id = image.get();
        spec.value = join.get();
        spec
    }

    /// The heartbeat of a client (`client-heartbeat`): when it last ran its conductor. The client appends its name to
    /// the label later, so the label must not be stored again.
    pub fn client_heartbeat(client_id: ClientId) -> Self {
        Self {
            type_id: type_id::CLIENT_HEARTBEAT,
            key: CounterKey::client(client_id),
            label: CounterLabel::format(format_args!("client-heartbeat: id={client_id}")),
            registration_id: RegistrationId::new(client_id.get()),
            owner_id: client_id,
            reference_id: 0,
            value: 0,
        }
    }

    /// A counter of one channel. `registration_id` is that of the command that created the channel.
    pub fn channel(counter: ChannelCounter, channel: &str, registration_id: RegistrationId) -> Self {
        let mut spec = Self::application(counter.type_id(), &[], &[], registration_id, ClientId::new(0));
        spec.key = ChannelKey { channel: channel.as_bytes() }.key();
        spec.label = CounterLabel::format(format_args!("{}: {channel}", counter.name()));
        spec
    }

    /// The label of a channel status counter whose socket is bound. With an empty address, it ends with the space after
    /// the channel.
    pub fn bound_channel_label(counter: ChannelCounter, channel: &str, address: &str) -> CounterLabel {
        CounterLabel::format(format_args!("{}: {channel} {address}", counter.name()))
    }

    /// The status counter of a local socket address.
    pub fn local_sockaddr(
        counter: SockaddrCounter,
        channel_status_id: CounterId,
        address: &str,
        registration_id: RegistrationId,
    ) -> Self {
        let mut spec = Self::application(type_id::LOCAL_SOCKADDR, &[], &[], registration_id, ClientId::new(0));
        spec.key = SockaddrKey { channel_status_id, address: address.as_bytes() }.key();
        spec.label = CounterLabel::format(format_args!("{}: {channel_status_id} {address}", counter.name()));
        spec
    }

    /// Sets the owner.
    #[must_use]
    pub fn owned_by(mut self, client_id: ClientId) -> Self {
        self.owner_id = client_id;
        self
    }

    /// Sets the initial value.
    #[must_use]
    pub fn starting_at(mut self, value: i64) -> Self {
        self.value = value;
        self
    }
}

impl Stream<'_> {
    fn key(&self) -> CounterKey {
        let Self { registration_id, session_id, stream_id, channel } = *self;
        StreamKey { registration_id, session_id, stream_id, channel: channel.as_bytes() }.key()
    }

    fn label(&self, name: &str) -> CounterLabel {
        let Self { registration_id, session_id, stream_id, channel } = self;
        CounterLabel::format(format_args!("{name}: {registration_id} {session_id} {stream_id} {channel}"))
    }
}
