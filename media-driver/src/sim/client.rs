//! A client of a simulated driver. It uses the ring and the broadcast buffer like any client, and gets its logs by the
//! names in events.

use gannet::broadcast::Receiver;
use gannet::command::{
    AddPublication, AddSubscription, ClientClose, ClientKeepalive, Command, Destination, Event, RejectImage,
    RemovePublication, RemoveSubscription, Text,
};
use gannet::logbuffer::{ConcurrentAppender, ExclusiveAppender, ImageReader, OfferError};
use gannet::ringbuffer::ManyToOneRingBuffer;
use gannet::types::{ClientId, CorrelationId, Position, RegistrationId, SessionId, StreamId};

use super::SimDriver;
use crate::raw_access::RAW;

/// The interval of keepalives in nanoseconds.
const KEEPALIVE_NS: i64 = 1_000_000_000;

/// A publication that is ready.
#[derive(Debug)]
pub struct SimPublication {
    /// The correlation id of the command that added it.
    pub correlation_id: CorrelationId,
    /// The original registration id: that of the first who added it.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// Its appender.
    pub appender: SimAppender,
}

/// The appender of a publication.
#[derive(Debug)]
pub enum SimAppender {
    /// Of a log of its own.
    Exclusive(ExclusiveAppender),
    /// Of a log that others may append to.
    Concurrent(ConcurrentAppender),
}

impl SimAppender {
    /// Appends a message. Returns the position after it.
    ///
    /// # Errors
    ///
    /// [`OfferError`]. Nothing was appended.
    pub fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        self.offer_with(message, 0)
    }

    /// Appends a message with a reserved value.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    pub fn offer_with(&mut self, message: &[u8], reserved: i64) -> Result<Position, OfferError> {
        match self {
            Self::Exclusive(appender) => appender.offer_with(message, reserved),
            Self::Concurrent(appender) => appender.offer_with(message, reserved),
        }
    }

    /// The position after the last message or claim.
    pub fn position(&self) -> Position {
        match self {
            Self::Exclusive(appender) => appender.position(),
            Self::Concurrent(appender) => appender.position(),
        }
    }

    /// The position up to which messages can be published.
    pub fn position_limit(&self) -> Position {
        match self {
            Self::Exclusive(appender) => appender.position_limit(),
            Self::Concurrent(appender) => appender.position_limit(),
        }
    }
}

/// An available image.
#[derive(Debug)]
pub struct SimImage {
    /// The image's id.
    pub correlation_id: CorrelationId,
    /// The registration id of the subscription.
    pub subscription: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// Its reader.
    pub reader: ImageReader,
    /// Whether it is unavailable by now.
    pub is_gone: bool,
}

/// A client.
#[derive(Debug)]
pub struct SimClient {
    id: ClientId,
    ring: ManyToOneRingBuffer,
    events: Receiver,
    alive_due_ns: i64,
    /// The correlation ids of its commands. Events with other ids are for other clients.
    asked: Vec<CorrelationId>,
    /// Its publications, oldest first.
    pub publications: Vec<SimPublication>,
    /// Its images, oldest first.
    pub images: Vec<SimImage>,
    /// The subscriptions that are ready.
    pub subscriptions: Vec<RegistrationId>,
    /// The commands that were refused, and the errors.
    pub refusals: Vec<(CorrelationId, String)>,
}

impl SimClient {
    /// A client of this driver.
    ///
    /// # Panics
    ///
    /// Never, because the driver's buffers have valid sizes.
    pub fn new(driver: &SimDriver) -> Self {
        let ring = driver.memory().ring.clone();
        Self {
            id: ClientId::new(ring.next_correlation_id().get()),
            events: Receiver::new(&driver.memory().events).expect("a broadcast of a size that fits"),
            ring,
            alive_due_ns: 0,
            asked: Vec::new(),
            publications: Vec::new(),
            images: Vec::new(),
            subscriptions: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Adds an exclusive publication.
    pub fn add_publication(&mut self, channel: &str, stream_id: StreamId) -> CorrelationId {
        let correlation_id = self.ring.next_correlation_id();
        let (client_id, channel) = (self.id, Text::from(channel));
        self.send(&Command::AddExclusivePublication(AddPublication { client_id, correlation_id, stream_id, channel }));
        correlation_id
    }

    /// Adds a publication that shares its log with others.
    pub fn add_concurrent_publication(&mut self, channel: &str, stream_id: StreamId) -> CorrelationId {
        let correlation_id = self.ring.next_correlation_id();
        let (client_id, channel) = (self.id, Text::from(channel));
        self.send(&Command::AddPublication(AddPublication { client_id, correlation_id, stream_id, channel }));
        correlation_id
    }

    /// Adds a subscription.
    pub fn add_subscription(&mut self, channel: &str, stream_id: StreamId) -> CorrelationId {
        let correlation_id = self.ring.next_correlation_id();
        let (client_id, channel) = (self.id, Text::from(channel));
        self.send(&Command::AddSubscription(AddSubscription { client_id, correlation_id, stream_id, channel }));
        correlation_id
    }

    /// Rejects an image at this position, with a reason for its publisher.
    pub fn reject_image(&mut self, image: CorrelationId, position: Position, reason: &str) {
        let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
        let (image_correlation_id, reason) = (image, Text::from(reason));
        self.send(&Command::RejectImage(RejectImage {
            client_id,
            correlation_id,
            image_correlation_id,
            position,
            reason,
        }));
    }

    /// Adds a destination to a publication.
    pub fn add_destination(&mut self, registration_id: RegistrationId, channel: &str) {
        let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
        let channel = Text::from(channel);
        self.send(&Command::AddDestination(Destination { client_id, correlation_id, registration_id, channel }));
    }

    /// Adds a destination to a subscription with several, or removes it.
    pub fn change_receive_destination(&mut self, registration_id: RegistrationId, channel: &str, adds: bool) {
        let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
        let channel = Text::from(channel);
        let body = Destination { client_id, correlation_id, registration_id, channel };
        self.send(&if adds { Command::AddReceiveDestination(body) } else { Command::RemoveReceiveDestination(body) });
    }

    /// Removes or revokes a publication.
    pub fn remove_publication(&mut self, registration_id: RegistrationId, revoke: bool) {
        let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
        self.publications.retain(|publication| publication.correlation_id.registration() != registration_id);
        self.send(&Command::RemovePublication(RemovePublication {
            client_id,
            correlation_id,
            registration_id,
            revoke,
        }));
    }

    /// Removes a subscription.
    pub fn remove_subscription(&mut self, registration_id: RegistrationId) {
        let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
        self.images.retain(|image| image.subscription != registration_id);
        self.send(&Command::RemoveSubscription(RemoveSubscription { client_id, correlation_id, registration_id }));
    }

    /// Closes the client.
    pub fn close(&mut self) {
        let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
        self.publications.clear();
        self.images.clear();
        self.send(&Command::ClientClose(ClientClose { client_id, correlation_id }));
        self.alive_due_ns = i64::MAX;
    }

    /// Sends a keepalive if it is due, and handles the driver's events.
    ///
    /// # Panics
    ///
    /// If the driver sends an invalid event, which simulations are meant to find.
    pub fn turn(&mut self, now_ns: i64, driver: &SimDriver) {
        if now_ns >= self.alive_due_ns {
            self.alive_due_ns = now_ns + KEEPALIVE_NS;
            let (client_id, correlation_id) = (self.id, self.ring.next_correlation_id());
            self.send(&Command::ClientKeepalive(ClientKeepalive { client_id, correlation_id }));
            // The command has no response.
            self.asked.pop();
        }
        let Self { events, publications, images, subscriptions, refusals, asked, .. } = self;
        let is_own = |id: RegistrationId| asked.iter().any(|asked| asked.registration() == id);
        let mut hear = |event: &Event<'_>| match event {
            Event::ExclusivePublicationReady(ready) | Event::PublicationReady(ready)
                if is_own(ready.correlation_id.registration()) =>
            {
                let log = driver.log(&ready.log_file.to_string()).expect("the log that is announced");
                let limit = driver.counters().own_value(ready.limit_id, RAW).expect("the limit that is announced");
                let appender = if matches!(event, Event::PublicationReady(_)) {
                    SimAppender::Concurrent(ConcurrentAppender::new(log, limit).expect("nobody has it for itself"))
                } else {
                    SimAppender::Exclusive(ExclusiveAppender::new(log, limit).expect("nobody else writes it"))
                };
                publications.push(SimPublication {
                    correlation_id: ready.correlation_id,
                    registration_id: ready.registration_id,
                    session_id: ready.session_id,
                    appender,
                });
            }
            Event::SubscriptionReady(ready) if is_own(ready.correlation_id.registration()) => {
                subscriptions.push(ready.correlation_id.registration())
            }
            Event::AvailableImage(image) if is_own(image.subscription_registration_id) => {
                let log = driver.log(&image.log_file.to_string()).expect("the log that is announced");
                let position = driver.counters().own_value(image.subscriber_position_id, RAW);
                images.push(SimImage {
                    correlation_id: image.image_correlation_id,
                    subscription: image.subscription_registration_id,
                    session_id: image.session_id,
                    reader: ImageReader::new(log.clone(), position.expect("the position that is announced")),
                    is_gone: false,
                });
            }
            Event::UnavailableImage(gone) => {
                let is_it = |image: &&mut SimImage| {
                    image.correlation_id == gone.image_correlation_id
                        && image.subscription == gone.subscription_registration_id
                };
                images.iter_mut().filter(is_it).for_each(|image| image.is_gone = true);
            }
            Event::Error(error) if is_own(error.offending_correlation_id.registration()) => {
                refusals.push((error.offending_correlation_id, error.message.to_string()))
            }
            _ => {}
        };
        loop {
            let heard = events.receive(|type_id, bytes| hear(&Event::decode(type_id, bytes).expect("a sound event")));
            if heard.expect("clients keep up") == 0 {
                break;
            }
        }
    }

    fn send(&mut self, command: &Command<'_>) {
        self.asked.push(command.correlation_id());
        let mut bytes = vec![0; command.encoded_length()];
        command.encode(&mut bytes).expect("as long as it said");
        self.ring.write(command.type_id(), &bytes).expect("drivers keep up");
    }
}
