//! Aeron's C client as a [`Stack`].

use super::{
    ClaimEnd, CounterEnd, CounterView, Delivery, Endpoint, EndpointError, EndpointSettings, ImageView, Kind,
    PublicationEnd, PublicationIdentity, Report, Stack, SubscriptionEnd,
};
use crate::client::{
    Action, Claim, Client, ClientOptions, Counter, Event, ExclusivePublication, Fragment, FragmentAssembler,
    OfferError, Publication, PublicationFacts, Subscription,
};
use crate::error::PeerError;
use std::path::Path;

/// Aeron's C client.
#[derive(Clone, Copy, Debug)]
pub struct CStack;

/// The C client's codes for the errors that end it.
const DRIVER_TIMEOUT: i32 = 1000;
const CLIENT_TIMEOUT: i32 = 1001;
const SERVICE_TIMEOUT: i32 = 1002;

impl Stack for CStack {
    fn name(&self) -> &'static str {
        "aeron-c"
    }

    fn connect(&self, dir: &Path, settings: &EndpointSettings) -> Result<Box<dyn Endpoint>, EndpointError> {
        let options = ClientOptions {
            driver_timeout: settings.driver_timeout,
            keepalive_interval: settings.keepalive_interval,
            ..ClientOptions::default()
        };
        Ok(Box::new(Client::connect_with(dir, &options)?))
    }
}

impl From<PeerError> for EndpointError {
    fn from(error: PeerError) -> Self {
        Self { code: error.code().filter(|&code| code < 0).map(|code| -code), message: error.to_string() }
    }
}

impl Endpoint for Client {
    fn client_id(&self) -> i64 {
        self.client_id()
    }

    fn add_publication(
        &self,
        kind: Kind,
        channel: &str,
        stream_id: i32,
    ) -> Result<Box<dyn PublicationEnd>, EndpointError> {
        Ok(match kind {
            Kind::Concurrent => Box::new(Client::add_publication(self, channel, stream_id)?),
            Kind::Exclusive => Box::new(self.add_exclusive_publication(channel, stream_id)?),
        })
    }

    fn add_subscription(&self, channel: &str, stream_id: i32) -> Result<Box<dyn SubscriptionEnd>, EndpointError> {
        let subscription = Client::add_subscription(self, channel, stream_id)?;
        Ok(Box::new(CSubscription { subscription, assembler: FragmentAssembler::new()? }))
    }

    fn add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Box<dyn CounterEnd>, EndpointError> {
        Ok(Box::new(Client::add_counter(self, type_id, key, label)?))
    }

    fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Box<dyn CounterEnd>, EndpointError> {
        Ok(Box::new(Client::add_static_counter(self, type_id, key, label, registration_id)?))
    }

    fn counters(&self) -> Vec<CounterView> {
        let records = Client::counters(self).into_iter();
        records
            .map(|record| CounterView {
                id: record.id,
                type_id: record.type_id,
                value: record.value,
                registration_id: record.registration_id,
                owner_id: record.owner_id,
                reference_id: record.reference_id,
                key: record.key,
                label: record.label,
            })
            .collect()
    }

    fn reports(&self) -> Vec<Report> {
        self.events().all().into_iter().map(report).collect()
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}

fn report(event: Event) -> Report {
    match event {
        Event::AvailableImage(facts) => Report::ImageAvailable {
            session_id: facts.session_id,
            correlation_id: facts.correlation_id,
            join_position: facts.join_position,
            source_identity: facts.source_identity,
        },
        Event::UnavailableImage(facts) => {
            Report::ImageUnavailable { session_id: facts.session_id, correlation_id: facts.correlation_id }
        }
        Event::AvailableCounter { registration_id, counter_id } => {
            Report::CounterAvailable { registration_id, counter_id }
        }
        Event::UnavailableCounter { registration_id, counter_id } => {
            Report::CounterUnavailable { registration_id, counter_id }
        }
        Event::PublicationError { session_id, code, message, .. } => {
            Report::PublicationError { session_id, code, message }
        }
        Event::Error { code: DRIVER_TIMEOUT, .. } => Report::DriverTimeout,
        Event::Error { code: CLIENT_TIMEOUT | SERVICE_TIMEOUT, .. } => Report::ClientTimeout,
        Event::Error { message, .. } => Report::Error { message },
        Event::Closed => Report::Closed,
    }
}

/// The two kinds differ only in type.
macro_rules! publication_end {
    ($publication:ty, $revoke:item) => {
        impl PublicationEnd for $publication {
            fn offer(&mut self, message: &[u8]) -> Result<i64, OfferError> {
                Self::offer(self, message)
            }

            fn offer_vectored(&mut self, parts: &[&[u8]]) -> Result<i64, OfferError> {
                Self::offer_vectored(self, parts)
            }

            fn claim(&mut self, message: &[u8], end: ClaimEnd) -> Result<i64, OfferError> {
                self.try_claim(message.len()).map(|claim| finish(claim, message, end))
            }

            fn identity(&self) -> PublicationIdentity {
                identity(&self.facts())
            }

            fn position(&self) -> Result<i64, OfferError> {
                Self::position(self)
            }

            fn position_limit(&self) -> Result<i64, OfferError> {
                Self::position_limit(self)
            }

            fn is_connected(&mut self) -> bool {
                Self::is_connected(self)
            }

            fn is_closed(&self) -> bool {
                Self::is_closed(self)
            }

            fn add_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
                Ok(Self::add_destination(self, channel)?)
            }

            fn remove_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
                Ok(Self::remove_destination(self, channel)?)
            }

            $revoke
        }
    };
}

publication_end!(
    Publication,
    fn revoke(self: Box<Self>) {
        panic!("the C client revokes exclusive publications only");
    }
);
publication_end!(
    ExclusivePublication,
    fn revoke(self: Box<Self>) {
        ExclusivePublication::revoke(*self);
    }
);

fn finish(mut claim: Claim<'_>, message: &[u8], end: ClaimEnd) -> i64 {
    claim.copy_from_slice(message);
    let position = claim.position();
    match end {
        ClaimEnd::Commit => {
            claim.commit();
        }
        ClaimEnd::Abort => claim.abort(),
        ClaimEnd::Abandon => claim.abandon(),
    }
    position
}

fn identity(facts: &PublicationFacts) -> PublicationIdentity {
    PublicationIdentity {
        session_id: facts.session_id,
        registration_id: facts.registration_id,
        original_registration_id: facts.original_registration_id,
        term_length: facts.term_length,
        max_message_length: facts.max_message_length,
        max_payload_length: facts.max_payload_length,
    }
}

#[derive(Debug)]
struct CSubscription {
    subscription: Subscription,
    assembler: FragmentAssembler,
}

impl SubscriptionEnd for CSubscription {
    fn poll(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize {
        self.subscription.poll(|fragment| handler(delivery(fragment)), limit)
    }

    fn poll_messages(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize {
        self.assembler.poll(&self.subscription, |message| handler(delivery(message)), limit)
    }

    fn controlled_poll(&mut self, handler: &mut dyn FnMut(Delivery) -> Action, limit: usize) -> usize {
        self.subscription.controlled_poll(|fragment| handler(delivery(fragment)), limit)
    }

    fn bounded_poll(&mut self, handler: &mut dyn FnMut(Delivery), limit_position: i64, limit: usize) -> usize {
        let image = self.subscription.image(0);
        image.map_or(0, |image| image.bounded_poll(|fragment| handler(delivery(fragment)), limit_position, limit))
    }

    fn block_poll(&mut self, handler: &mut dyn FnMut(&[u8]), limit: usize) -> usize {
        self.subscription.image(0).map_or(0, |image| image.block_poll(|block, _, _| handler(block), limit))
    }

    fn images(&mut self) -> Vec<ImageView> {
        (0..)
            .map_while(|index| self.subscription.image(index))
            .map(|image| {
                let facts = image.facts();
                ImageView {
                    session_id: facts.session_id,
                    correlation_id: facts.correlation_id,
                    join_position: facts.join_position,
                    position: image.position(),
                    is_end_of_stream: image.is_end_of_stream(),
                    is_revoked: image.is_publication_revoked(),
                    source_identity: facts.source_identity,
                }
            })
            .collect()
    }

    fn registration_id(&self) -> i64 {
        self.subscription.registration_id()
    }

    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    fn is_closed(&self) -> bool {
        self.subscription.is_closed()
    }

    fn add_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
        Ok(self.subscription.add_destination(channel)?)
    }

    fn remove_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
        Ok(self.subscription.remove_destination(channel)?)
    }

    fn reject(&mut self, session_id: i32, reason: &str) -> Result<(), EndpointError> {
        match self.subscription.image_by_session_id(session_id) {
            Some(image) => Ok(image.reject(reason)?),
            None => Err(EndpointError { code: None, message: format!("no image of session {session_id}") }),
        }
    }
}

fn delivery(fragment: Fragment<'_>) -> Delivery {
    Delivery {
        payload: fragment.payload().to_vec(),
        position: fragment.position(),
        flags: fragment.flags(),
        term_offset: fragment.term_offset(),
        term_id: fragment.term_id(),
        session_id: fragment.session_id(),
        stream_id: fragment.stream_id(),
        reserved_value: fragment.reserved_value(),
    }
}

impl CounterEnd for Counter {
    fn id(&self) -> i32 {
        self.id()
    }

    fn registration_id(&self) -> i64 {
        self.registration_id()
    }

    fn get(&self) -> i64 {
        self.get()
    }

    fn set(&self, value: i64) {
        self.set(value);
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}
