//! The conductor's reactions to the driver's events. Events are broadcast to all clients, and a client that has just
//! connected may receive an old one (trap 17). So an event that names nothing of this client is ignored.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::liveness::Loss;
use super::resource::{Phase, Resource, ResourceKey, Undo, Wanted};
use super::{Answer, Conductor};
use crate::channel_uri::ChannelUri;
use crate::client::bound::{
    Bound, CounterBinding, CounterShared, ExclusiveBinding, ExclusiveShared, PublicationBinding, PublicationIds,
    PublicationShared, SubscriptionShared,
};
use crate::client::error::{AddError, ClientError};
use crate::client::event::{CounterEvent, PublicationErrorFrame};
use crate::client::image::{Image, ImageParts};
use crate::client::image_info::ImageIdentity;
use crate::client::notice::Notice;
use crate::command::{ErrorCode, Event, OnAvailableImage, OnError, OnPublicationError, OnPublicationReady, Text};
use crate::counters::{CounterState, StreamKey, type_id};
use crate::logbuffer::Bell;
use crate::memory::RawAccess;
use crate::time::MonotonicNanos;
use crate::types::{CounterId, RegistrationId, SessionId};

impl Conductor {
    pub(super) fn on_event(&mut self, type_id: i32, bytes: &[u8], now: MonotonicNanos) {
        match Event::decode(type_id, bytes) {
            Ok(Event::Error(event)) => self.on_error(&event, now),
            Ok(Event::PublicationReady(event)) => self.on_publication_ready(&event, false, now),
            Ok(Event::ExclusivePublicationReady(event)) => self.on_publication_ready(&event, true, now),
            Ok(Event::SubscriptionReady(event)) => {
                self.on_subscription_ready(event.correlation_id.registration(), event.channel_status_id);
            }
            Ok(Event::AvailableImage(event)) => self.on_available_image(&event),
            Ok(Event::UnavailableImage(event)) => {
                let image = event.image_correlation_id.get();
                self.on_unavailable_image(event.subscription_registration_id, image, now);
            }
            Ok(Event::CounterReady(event)) => {
                self.on_counter_ready(event.registration_id, event.counter_id, false, now);
                let (registration_id, counter_id) = (event.registration_id, event.counter_id);
                self.notices.push_back(Notice::AvailableCounter(CounterEvent { registration_id, counter_id }));
            }
            Ok(Event::StaticCounter(event)) => {
                self.on_counter_ready(event.correlation_id.registration(), event.counter_id, true, now);
            }
            Ok(Event::UnavailableCounter(event)) => {
                let (registration_id, counter_id) = (event.registration_id, event.counter_id);
                self.notices.push_back(Notice::UnavailableCounter(CounterEvent { registration_id, counter_id }));
            }
            Ok(Event::OperationSuccess(event)) => self.answer(event.correlation_id.get(), Ok(Answer::Done), now),
            Ok(Event::NextAvailableSessionId(event)) => {
                self.answer(event.correlation_id.get(), Ok(Answer::SessionId(event.session_id)), now);
            }
            Ok(Event::PublicationError(event)) => self.on_publication_error(&event),
            Ok(Event::ClientTimeout(event)) => {
                if event.client_id == self.link.client_id() {
                    self.lose(Loss::TimedOut, now);
                }
            }
            Err(error) => self.report(ClientError::Event(error)),
        }
    }

    fn on_error(&mut self, event: &OnError<'_>, now: MonotonicNanos) {
        let message = event.message.to_string();
        if event.error_code == ErrorCode::ChannelEndpointError {
            // For this error, the field holds a 32-bit counter id.
            let channel_status_id = CounterId::new(event.offending_correlation_id.get() as i32);
            self.report(ClientError::ChannelEndpoint { channel_status_id, message });
            return;
        }
        let id = event.offending_correlation_id.get();
        if self.abandoned.remove(&id).is_some() {
            return;
        }
        if let Some(question) = self.questions.get(&id) {
            let request = question.request.clone();
            self.answer(id, Err(AddError::Refused { request, code: event.error_code, message }), now);
            return;
        }
        let Some((key, resource)) = self.resource_of(id) else { return };
        let Phase::Adding { was, .. } = resource.phase else { return };
        if let Some(was) = was
            && self.retry_restore(key, was, event.error_code, now)
        {
            return;
        }
        let error = AddError::Refused { request: self.describe(key), code: event.error_code, message };
        self.fail(key, error, now);
    }

    fn on_publication_ready(&mut self, event: &OnPublicationReady<'_>, exclusive: bool, now: MonotonicNanos) {
        let registration_id = event.correlation_id.registration();
        let Some(key) = self.expected(registration_id) else { return };
        let expects = |wanted: &Wanted| match wanted {
            Wanted::Publication { .. } => !exclusive,
            Wanted::ExclusivePublication { .. } => exclusive,
            _ => false,
        };
        if !expects(&self.resources[&key].wanted) {
            return;
        }
        let log_key = event.registration_id.get();
        let error = match self.bind_publication(key, event, exclusive) {
            Ok(bound) => {
                self.make_live(key, registration_id, Some(log_key), bound);
                return;
            }
            Err(error) => error,
        };
        self.logs.release(log_key, now);
        // Nothing was ever published to an exclusive publication that could not be bound, so its subscribers need not
        // drain it. A shared publication may have other publishers, which a revocation would end.
        self.undo(registration_id, Undo::RemovePublication { revoke: exclusive });
        self.fail(key, error, now);
    }

    /// Binds the handle of a publication to the announced log. Creates the shared half if it is new.
    fn bind_publication(
        &mut self,
        key: ResourceKey,
        event: &OnPublicationReady<'_>,
        exclusive: bool,
    ) -> Result<Bound, AddError> {
        let request = self.describe(key);
        let (log, lending) = self
            .logs
            .acquire(event.registration_id.get(), path_of(event.log_file))
            .map_err(|source| AddError::Log { request: request.clone(), source })?;
        let Some(limit) = self.link.counters.own_value(event.limit_id, RawAccess::ENGINE) else {
            return Err(AddError::NoSuchCounter { request, counter_id: event.limit_id });
        };
        let ids = PublicationIds {
            registration_id: event.correlation_id.registration(),
            original_registration_id: event.registration_id,
            session_id: event.session_id,
            channel_status_id: event.channel_status_id,
            limit_id: event.limit_id,
            epoch: self.epoch,
        };
        let bells = &self.link.bells;
        let cannot_append = |source| AddError::Appender { request, source };
        let bound = self.resources[&key].bound.clone();
        if exclusive {
            let binding = ExclusiveBinding::new(ids, &log, lending, limit, bells).map_err(cannot_append)?;
            return Ok(match bound {
                Some(Bound::Exclusive(shared)) => {
                    shared.renew(binding);
                    Bound::Exclusive(shared)
                }
                _ => Bound::Exclusive(Arc::new(ExclusiveShared::new(binding))),
            });
        }
        let binding = PublicationBinding::new(ids, &log, &lending, limit, bells).map_err(cannot_append)?;
        Ok(match bound {
            Some(Bound::Publication(shared)) => {
                shared.renew(binding);
                Bound::Publication(shared)
            }
            _ => {
                let (channel, stream_id) = self.channel_of(key).unwrap_or_default();
                Bound::Publication(Arc::new(PublicationShared::new(channel, stream_id, binding)))
            }
        })
    }

    fn on_subscription_ready(&mut self, registration_id: RegistrationId, channel_status_id: CounterId) {
        let Some(key) = self.expected(registration_id) else { return };
        if !matches!(self.resources[&key].wanted, Wanted::Subscription { .. }) {
            return;
        }
        let bell = Bell::new(&self.link.bells, registration_id.get());
        let bound = match self.resources[&key].bound.clone() {
            Some(Bound::Subscription(shared)) => {
                shared.renew(registration_id, channel_status_id, bell);
                Bound::Subscription(shared)
            }
            _ => {
                let (channel, stream_id) = self.channel_of(key).unwrap_or_default();
                let shared = SubscriptionShared::new(channel, stream_id, registration_id, channel_status_id, bell);
                Bound::Subscription(Arc::new(shared))
            }
        };
        self.make_live(key, registration_id, None, bound);
    }

    fn on_available_image(&mut self, event: &OnAvailableImage<'_>) {
        let subscription_id = event.subscription_registration_id;
        let Some((key, resource)) = self.resource_of(subscription_id.get()) else { return };
        let (Phase::Live { .. }, Some(Bound::Subscription(shared))) = (&resource.phase, &resource.bound) else {
            return;
        };
        let shared = Arc::clone(shared);
        let handler = resource.wanted.handlers().and_then(|handlers| handlers.available.clone());
        let image_id = event.image_correlation_id.get();
        if shared.has_image(image_id) {
            return;
        }
        let Some(position) = self.link.counters.own_value(event.subscriber_position_id, RawAccess::ENGINE) else {
            let (request, counter_id) = (self.describe(key), event.subscriber_position_id);
            self.report(ClientError::ImagePosition { request, counter_id });
            return;
        };
        let Some(owner) = self.link.counters.own_registration_id(event.subscriber_position_id) else { return };
        let is_allocated = self.link.counters.state(event.subscriber_position_id) == Some(CounterState::Allocated);
        if !is_allocated || owner.load_relaxed() != subscription_id.get() {
            // The image and its log were removed before this client received the event.
            return;
        }
        let (log, lending) = match self.logs.acquire(image_id, path_of(event.log_file)) {
            Ok(acquired) => acquired,
            Err(source) => {
                let request = self.describe(key);
                self.report(ClientError::Image { request, source });
                return;
            }
        };
        let image = Image::new(ImageParts {
            identity: ImageIdentity {
                correlation_id: event.image_correlation_id,
                session_id: event.session_id,
                stream_id: event.stream_id,
                subscription_registration_id: subscription_id,
                source_identity: event.source_identity.to_string(),
                position_id: event.subscriber_position_id,
            },
            log,
            lending,
            position,
            owner,
            bells: &self.link.bells,
        });
        let info = image.info();
        shared.add_image(image);
        self.notices.push_back(Notice::AvailableImage(handler, info));
    }

    fn on_unavailable_image(&mut self, subscription_id: RegistrationId, image_id: i64, now: MonotonicNanos) {
        let Some((_, resource)) = self.resource_of(subscription_id.get()) else { return };
        let Some(Bound::Subscription(shared)) = &resource.bound else { return };
        let Some(image) = shared.remove_image(image_id) else { return };
        let handler = resource.wanted.handlers().and_then(|handlers| handlers.unavailable.clone());
        self.logs.release(image_id, now);
        self.notices.push_back(Notice::UnavailableImage(handler, image));
    }

    /// Reports the images that were announced while events were lost: the driver has a position counter for them, but
    /// this client does not know them. It cannot read them, because the event contained their log.
    pub(super) fn tell_of_missed_images(&mut self) {
        if !std::mem::take(&mut self.may_miss_images) {
            return;
        }
        let mut missed = Vec::new();
        self.link.counters.for_each(|record| {
            if record.type_id != type_id::SUBSCRIBER_POSITION {
                return;
            }
            let Some(resource) =
                self.by_registration.get(&record.registration_id.get()).map(|key| &self.resources[key])
            else {
                return;
            };
            let (Phase::Live { .. }, Some(Bound::Subscription(shared))) = (&resource.phase, &resource.bound) else {
                return;
            };
            // An untethered subscription has a position counter even while it rests.
            let tethered = ChannelUri::parse(shared.channel()).is_ok_and(|uri| uri.params().tether != Some(false));
            if tethered && !shared.has_image(record.reference_id) {
                let session_id = StreamKey::read(&record.key).map_or(SessionId::new(0), |key| key.session_id);
                missed.push(ClientError::MissedImage { request: resource.wanted.describe(), session_id });
            }
        });
        missed.into_iter().for_each(|error| self.report(error));
    }

    /// Removes the images that ended while events were lost.
    pub(super) fn drop_vanished_images(&mut self, now: MonotonicNanos) {
        let vanished: Vec<_> = self
            .resources
            .values()
            .filter_map(|resource| match (&resource.phase, &resource.bound) {
                (Phase::Live { registration_id, .. }, Some(Bound::Subscription(shared))) => {
                    Some((*registration_id, shared.images_unknown_to(&self.link.counters)))
                }
                _ => None,
            })
            .collect();
        for (subscription_id, images) in vanished {
            for image in images {
                self.on_unavailable_image(subscription_id, image, now);
            }
        }
    }

    fn on_counter_ready(
        &mut self,
        registration_id: RegistrationId,
        counter_id: CounterId,
        is_static: bool,
        now: MonotonicNanos,
    ) {
        let Some(key) = self.expected(registration_id) else { return };
        let resource = &self.resources[&key];
        let registration = match &resource.wanted {
            Wanted::Counter { .. } if !is_static => registration_id,
            Wanted::StaticCounter { registration_id, .. } if is_static => *registration_id,
            _ => return,
        };
        let counters = &self.link.counters;
        let words = counters.own_value(counter_id, RawAccess::ENGINE).zip(counters.own_registration_id(counter_id));
        let Some((value, owner)) = words else {
            let error = AddError::NoSuchCounter { request: self.describe(key), counter_id };
            self.undo(registration_id, self.resources[&key].wanted.undo());
            self.fail(key, error, now);
            return;
        };
        let binding = CounterBinding { registration_id: registration, counter_id, value, owner };
        let bound = match resource.bound.clone() {
            Some(Bound::Counter(shared)) => {
                shared.renew(binding);
                Bound::Counter(shared)
            }
            _ => Bound::Counter(Arc::new(CounterShared::new(binding))),
        };
        self.make_live(key, registration_id, None, bound);
    }

    fn on_publication_error(&mut self, event: &OnPublicationError<'_>) {
        // The error concerns a log. All publications of this client with that log get it. One of them has added the
        // destination.
        let is_of_log = |resource: &&Resource| matches!(resource.phase, Phase::Live { log: Some(log), .. } if log == event.registration_id.get());
        let id = event.destination_registration_id;
        let name = self.resources.values().filter(is_of_log).find_map(|resource| resource.destinations.name_of(id));
        for resource in self.resources.values() {
            let Phase::Live { registration_id, log: Some(log) } = resource.phase else { continue };
            if log != event.registration_id.get() || matches!(resource.bound, Some(Bound::Subscription(_))) {
                continue;
            }
            self.notices.push_back(Notice::PublicationError(PublicationErrorFrame {
                registration_id,
                destination_registration_id: name.unwrap_or(id),
                session_id: event.session_id,
                stream_id: event.stream_id,
                receiver_id: event.receiver_id,
                group_tag: event.group_tag,
                source: event.source,
                code: event.error_code,
                message: event.message.to_string(),
            }));
        }
    }

    /// The resource that waits for this answer. If its add was abandoned, undoes it instead.
    fn expected(&mut self, registration_id: RegistrationId) -> Option<ResourceKey> {
        if let Some(undo) = self.abandoned.remove(&registration_id.get()) {
            self.undo(registration_id, undo);
            return None;
        }
        let (key, resource) = self.resource_of(registration_id.get())?;
        matches!(resource.phase, Phase::Adding { .. }).then_some(key)
    }

    fn make_live(&mut self, key: ResourceKey, registration_id: RegistrationId, log: Option<i64>, bound: Bound) {
        let Some(resource) = self.resources.get_mut(&key) else { return };
        let restored = matches!(resource.phase, Phase::Adding { was: Some(_), .. });
        let before = resource.awaited();
        resource.bound = Some(bound);
        resource.phase = Phase::Live { registration_id, log };
        let awaited = resource.awaited() - before;
        if restored {
            self.restored(true);
            self.await_restored(awaited);
        }
        self.join_group(key, log);
    }
}

/// The path in an event, from its bytes.
fn path_of(text: Text<'_>) -> &Path {
    Path::new(OsStr::from_bytes(text.as_bytes()))
}
