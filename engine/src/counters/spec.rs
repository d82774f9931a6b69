//! The specification of a counter: everything that the manager stores when it allocates one. The driver's conductor
//! builds it, with one constructor per kind of counter, so keys and labels are made in one place.

use super::catalogue::{ChannelCounter, SockaddrCounter, StreamCounter, type_id};
use super::key::{ChannelKey, CounterKey, SockaddrKey, StreamKey};
use super::label::CounterLabel;
use super::system::{SystemCounter, SystemLabels};
use crate::types::{ClientId, CounterId, Position, RegistrationId, SessionId, StreamId};

/// A counter to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterSpec {
    /// What kind of counter.
    pub type_id: i32,
    /// What tells it from others of its kind.
    pub key: CounterKey,
    /// What people are shown.
    pub label: CounterLabel,
    /// Whose counter it is: a publication, a subscription, an image, a client, or the command that asked for it.
    pub registration_id: RegistrationId,
    /// The client that it belongs to; -1 for none, 0 where the reference leaves it out.
    pub owner_id: ClientId,
    /// What else it refers to: the image, for a subscriber position. 0 for nothing.
    pub reference_id: i64,
    /// The value that it starts with.
    pub value: i64,
}

/// The stream that a counter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream<'a> {
    /// The publication, subscription or image.
    pub registration_id: RegistrationId,
    /// The stream's session.
    pub session_id: SessionId,
    /// The stream's id.
    pub stream_id: StreamId,
    /// The channel as its user wrote it.
    pub channel: &'a str,
}

impl CounterSpec {
    /// A counter that an application asked for. Key and label are clipped to what fits.
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

    /// One of the driver's own statistics. They are allocated first, in order, so that their ids are theirs.
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

    /// The position of one subscriber in one image (`sub-pos`): starts where the subscriber joins, and refers to the image.
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

    /// When a client last serviced its conductor (`client-heartbeat`). The client adds its name to the label later: it must not
    /// be stored again.
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

    /// A counter of one channel, made by the command `registration_id`.
    pub fn channel(counter: ChannelCounter, channel: &str, registration_id: RegistrationId) -> Self {
        let mut spec = Self::application(counter.type_id(), &[], &[], registration_id, ClientId::new(0));
        spec.key = ChannelKey { channel: channel.as_bytes() }.key();
        spec.label = CounterLabel::format(format_args!("{}: {channel}", counter.name()));
        spec
    }

    /// The label of a channel status once its socket is bound; an address of no bytes leaves the space behind the channel.
    pub fn bound_channel_label(counter: ChannelCounter, channel: &str, address: &str) -> CounterLabel {
        CounterLabel::format(format_args!("{}: {channel} {address}", counter.name()))
    }

    /// The status of a local socket address.
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

    /// The same, belonging to this client.
    #[must_use]
    pub fn owned_by(mut self, client_id: ClientId) -> Self {
        self.owner_id = client_id;
        self
    }

    /// The same, starting with this value.
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
