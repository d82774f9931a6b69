//! Gannet's client as a [`Stack`].

use super::{
    ClaimEnd, CounterEnd, CounterView, Delivery, Endpoint, EndpointError, EndpointSettings, ImageView, Kind,
    PublicationEnd, PublicationIdentity, Report, Stack, SubscriptionEnd,
};
use crate::client::{Action, OfferError};
use crate::error::PeerError;
use gannet::Claim;
use gannet::client::{
    AddError, Client, ClientEvent, Context, Counter, CounterEvent, ExclusivePublication, ImageInfo, Publication,
    Subscription,
};
use gannet::logbuffer::{ControlledAction, Fragment, FragmentAssembler};
use gannet::types::Position;
use std::io::IoSlice;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Gannet's client.
#[derive(Clone, Copy, Debug)]
pub struct GannetStack;

impl Stack for GannetStack {
    fn name(&self) -> &'static str {
        "gannet"
    }

    fn connect(&self, dir: &Path, settings: &EndpointSettings) -> Result<Box<dyn Endpoint>, EndpointError> {
        let reports = Reports::default();
        let mut context = reports.listen(Context::new().dir(dir));
        if let Some(timeout) = settings.driver_timeout {
            context = context.driver_timeout(timeout);
        }
        if let Some(interval) = settings.keepalive_interval {
            context = context.keepalive_interval(interval);
        }
        let client =
            Client::connect(context).map_err(|error| EndpointError { code: None, message: error.to_string() })?;
        Ok(Box::new(GannetEndpoint { client, reports }))
    }
}

impl From<AddError> for EndpointError {
    fn from(error: AddError) -> Self {
        let code = match &error {
            AddError::Refused { code, .. } => Some(code.get()),
            _ => None,
        };
        Self { code, message: error.to_string() }
    }
}

/// The events that the client's handlers received, oldest first.
#[derive(Clone, Debug, Default)]
struct Reports {
    heard: Arc<Mutex<Vec<Report>>>,
}

impl Reports {
    /// Sets all handlers of the context.
    fn listen(&self, context: Context) -> Context {
        let (client, errors, publications) = (self.clone(), self.clone(), self.clone());
        let (available, unavailable) = (self.clone(), self.clone());
        let (counters, no_counters, closed) = (self.clone(), self.clone(), self.clone());
        context
            .on_event(move |event| client.on_event(event))
            .on_error(move |error| errors.push(Report::Error { message: error.to_string() }))
            .on_publication_error(move |frame| {
                publications.push(Report::PublicationError {
                    session_id: frame.session_id.get(),
                    code: frame.code.get(),
                    message: frame.message.clone(),
                });
            })
            .on_available_image(move |image: &ImageInfo| {
                available.push(Report::ImageAvailable {
                    session_id: image.session_id().get(),
                    correlation_id: image.correlation_id().get(),
                    join_position: image.join_position().get(),
                    source_identity: image.source_identity().to_owned(),
                });
            })
            .on_unavailable_image(move |image: &ImageInfo| {
                unavailable.push(Report::ImageUnavailable {
                    session_id: image.session_id().get(),
                    correlation_id: image.correlation_id().get(),
                });
            })
            .on_available_counter(move |CounterEvent { registration_id, counter_id }| {
                let (registration_id, counter_id) = (registration_id.get(), counter_id.get());
                counters.push(Report::CounterAvailable { registration_id, counter_id });
            })
            .on_unavailable_counter(move |CounterEvent { registration_id, counter_id }| {
                let (registration_id, counter_id) = (registration_id.get(), counter_id.get());
                no_counters.push(Report::CounterUnavailable { registration_id, counter_id });
            })
            .on_close(move || closed.push(Report::Closed))
    }

    fn on_event(&self, event: &ClientEvent) {
        match event {
            ClientEvent::DriverLost { .. } => self.push(Report::DriverTimeout),
            ClientEvent::Paused { .. } | ClientEvent::TimedOut { .. } => self.push(Report::ClientTimeout),
            // The close is reported by a handler of its own.
            ClientEvent::Closed => {}
            other => self.push(Report::Error { message: other.to_string() }),
        }
    }

    fn push(&self, report: Report) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }
}

#[derive(Debug)]
struct GannetEndpoint {
    client: Client,
    reports: Reports,
}

impl Endpoint for GannetEndpoint {
    fn client_id(&self) -> i64 {
        self.client.client_id().get()
    }

    fn add_publication(
        &self,
        kind: Kind,
        channel: &str,
        stream_id: i32,
    ) -> Result<Box<dyn PublicationEnd>, EndpointError> {
        Ok(match kind {
            Kind::Concurrent => Box::new(self.client.add_publication(channel, stream_id)?),
            Kind::Exclusive => Box::new(self.client.add_exclusive_publication(channel, stream_id)?),
        })
    }

    fn add_subscription(&self, channel: &str, stream_id: i32) -> Result<Box<dyn SubscriptionEnd>, EndpointError> {
        let subscription = self.client.add_subscription(channel, stream_id)?;
        Ok(Box::new(GannetSubscription { subscription, assembler: FragmentAssembler::new() }))
    }

    fn add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Box<dyn CounterEnd>, EndpointError> {
        Ok(Box::new(self.client.add_counter(type_id, key, label)?))
    }

    fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Box<dyn CounterEnd>, EndpointError> {
        Ok(Box::new(self.client.add_static_counter(type_id, registration_id, key, label)?))
    }

    fn counters(&self) -> Vec<CounterView> {
        let mut views = Vec::new();
        self.client.counters().for_each(|record| {
            views.push(CounterView {
                id: record.id.get(),
                type_id: record.type_id,
                value: record.value,
                registration_id: record.registration_id.get(),
                owner_id: record.owner_id.get(),
                reference_id: record.reference_id,
                key: record.key.as_bytes().to_vec(),
                label: String::from_utf8_lossy(record.label.as_bytes()).into_owned(),
            });
        });
        views
    }

    fn reports(&self) -> Vec<Report> {
        self.reports.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_closed(&self) -> bool {
        // A client that can reconnect is not closed for good while its driver is gone, but its handles are.
        self.client.is_closed() || !self.client.is_connected()
    }
}

/// The two kinds differ in type, and in whether others may write.
macro_rules! publication_end {
    ($publication:ty, $original_registration_id:ident) => {
        impl PublicationEnd for $publication {
            fn offer(&mut self, message: &[u8]) -> Result<i64, OfferError> {
                Self::offer(self, message).map(Position::get).map_err(offer_error)
            }

            fn offer_vectored(&mut self, parts: &[&[u8]]) -> Result<i64, OfferError> {
                let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
                Self::offer_vectored(self, &parts).map(Position::get).map_err(offer_error)
            }

            fn claim(&mut self, message: &[u8], end: ClaimEnd) -> Result<i64, OfferError> {
                finish(self.try_claim(message.len()).map_err(offer_error)?, message, end);
                PublicationEnd::position(self)
            }

            fn identity(&self) -> PublicationIdentity {
                PublicationIdentity {
                    session_id: self.session_id().get(),
                    registration_id: self.registration_id().get(),
                    original_registration_id: self.$original_registration_id().get(),
                    term_length: usize::try_from(self.term_buffer_length()).expect("a length"),
                    max_message_length: self.max_message_length(),
                    max_payload_length: self.max_payload_length(),
                }
            }

            fn position(&self) -> Result<i64, OfferError> {
                Self::position(self).map(Position::get).ok_or(OfferError::Closed)
            }

            fn position_limit(&self) -> Result<i64, OfferError> {
                Self::position_limit(self).map(Position::get).ok_or(OfferError::Closed)
            }

            fn is_connected(&mut self) -> bool {
                Self::is_connected(self)
            }

            fn is_closed(&self) -> bool {
                Self::is_closed(self)
            }

            fn add_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
                Self::add_destination(self, channel)?;
                Ok(())
            }

            fn remove_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
                Ok(Self::remove_destination(self, channel)?)
            }

            fn revoke(self: Box<Self>) {
                Self::revoke(*self);
            }
        }
    };
}

publication_end!(Publication, original_registration_id);
publication_end!(ExclusivePublication, registration_id);

fn finish(mut claim: Claim<'_>, message: &[u8], end: ClaimEnd) {
    claim.payload_mut().copy_from_slice(message);
    match end {
        ClaimEnd::Commit => {
            claim.commit().expect("a claim that was not given up");
        }
        ClaimEnd::Abort => claim.abort(),
        ClaimEnd::Abandon => mem::forget(claim),
    }
}

fn offer_error(error: gannet::logbuffer::OfferError) -> OfferError {
    use gannet::logbuffer::OfferError as Ours;
    match error {
        Ours::NotConnected => OfferError::NotConnected,
        Ours::BackPressured => OfferError::BackPressured,
        Ours::AdminAction => OfferError::AdminAction,
        Ours::Closed => OfferError::Closed,
        Ours::MaxPositionExceeded => OfferError::MaxPositionExceeded,
        other => OfferError::Refused(PeerError::Refused {
            attempted: "offering a message".into(),
            code: 0,
            message: other.to_string(),
        }),
    }
}

#[derive(Debug)]
struct GannetSubscription {
    subscription: Subscription,
    assembler: FragmentAssembler,
}

impl SubscriptionEnd for GannetSubscription {
    fn poll(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize {
        self.subscription.poll(|fragment| handler(delivery(fragment)), limit)
    }

    fn poll_messages(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize {
        self.subscription.poll(self.assembler.assemble(|message| handler(delivery(message))), limit)
    }

    fn controlled_poll(&mut self, handler: &mut dyn FnMut(Delivery) -> Action, limit: usize) -> usize {
        let ours = |action| match action {
            Action::Abort => ControlledAction::Abort,
            Action::Break => ControlledAction::Break,
            Action::Commit => ControlledAction::Commit,
            Action::Continue => ControlledAction::Continue,
        };
        self.subscription.controlled_poll(|fragment| ours(handler(delivery(fragment))), limit)
    }

    fn bounded_poll(&mut self, handler: &mut dyn FnMut(Delivery), limit_position: i64, limit: usize) -> usize {
        let image = self.subscription.images_mut().first_mut();
        let bound = Position::new(limit_position);
        image.map_or(0, |image| image.bounded_poll(|fragment| handler(delivery(fragment)), bound, limit))
    }

    fn block_poll(&mut self, handler: &mut dyn FnMut(&[u8]), limit: usize) -> usize {
        let image = self.subscription.images_mut().first_mut();
        image.map_or(0, |image| image.block_poll(|block| handler(block.bytes), limit))
    }

    fn images(&mut self) -> Vec<ImageView> {
        let images = self.subscription.images().iter();
        images
            .map(|image| ImageView {
                session_id: image.session_id().get(),
                correlation_id: image.correlation_id().get(),
                join_position: image.join_position().get(),
                position: image.position().get(),
                is_end_of_stream: image.is_end_of_stream(),
                is_revoked: image.is_revoked(),
                source_identity: image.source_identity().to_owned(),
            })
            .collect()
    }

    fn registration_id(&self) -> i64 {
        self.subscription.registration_id().get()
    }

    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    fn is_closed(&self) -> bool {
        self.subscription.is_closed()
    }

    fn add_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
        self.subscription.add_destination(channel)?;
        Ok(())
    }

    fn remove_destination(&mut self, channel: &str) -> Result<(), EndpointError> {
        self.subscription.remove_destination(channel)?;
        Ok(())
    }

    fn reject(&mut self, session_id: i32, reason: &str) -> Result<(), EndpointError> {
        let image = self.subscription.images().iter().find(|image| image.session_id().get() == session_id);
        let image =
            image.ok_or_else(|| EndpointError { code: None, message: format!("no image of session {session_id}") })?;
        let image = image.info();
        Ok(self.subscription.reject_image(&image, reason)?)
    }
}

fn delivery(fragment: Fragment<'_>) -> Delivery {
    Delivery {
        payload: fragment.payload().to_vec(),
        position: fragment.position().get(),
        flags: fragment.flags(),
        term_offset: fragment.term_offset(),
        term_id: fragment.term_id().get(),
        session_id: fragment.session_id().get(),
        stream_id: fragment.stream_id().get(),
        reserved_value: fragment.reserved_value(),
    }
}

impl CounterEnd for Counter {
    fn id(&self) -> i32 {
        self.id().get()
    }

    fn registration_id(&self) -> i64 {
        self.registration_id().get()
    }

    fn get(&self) -> i64 {
        self.get().expect("a counter that is open")
    }

    fn set(&self, value: i64) {
        self.set(value).expect("a counter that is open");
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}
