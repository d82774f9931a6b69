//! Requests of handles and the client. Each call takes effect at once, or sends a command to the driver, whose answer
//! the duty cycle receives.

use std::sync::Arc;

use super::destinations::Destinations;
use super::resource::{Gone, Phase, Resource, ResourceKey, Undo, Wanted};
use super::{Answer, Conductor, Purpose, Question, State};
use crate::client::bound::Bound;
use crate::client::driver_link::SendError;
use crate::client::error::{AddError, Request};
use crate::client::event::ClientEvent;
use crate::client::notice::Notice;
use crate::command::Command;
use crate::time::MonotonicNanos;
use crate::types::{ClientId, CorrelationId, StreamId};

impl Conductor {
    /// The deadline of a request that is made now.
    pub(crate) fn deadline(&self, now: MonotonicNanos) -> MonotonicNanos {
        now.saturating_add_ns(self.settings.driver_timeout_ns)
    }

    /// Sends the command that adds a resource.
    pub(crate) fn add(&mut self, wanted: Wanted, now: MonotonicNanos) -> Result<ResourceKey, AddError> {
        self.check_may_ask(|| wanted.describe())?;
        let correlation_id = self.link.next_correlation_id();
        let command = wanted.command(self.link.client_id(), correlation_id);
        if let Err(error) = self.link.send(&command) {
            return Err(error.for_request(wanted.describe()));
        }
        let key = ResourceKey(self.next_key);
        self.next_key += 1;
        let deadline = now.saturating_add_ns(self.settings.driver_timeout_ns);
        let phase = Phase::Adding { correlation_id, deadline, was: None };
        let destinations = Destinations::default();
        let named = self.named_by(&wanted);
        self.resources.insert(key, Resource { wanted, phase, bound: None, destinations, group: key, named });
        self.by_registration.insert(correlation_id.get(), key);
        Ok(key)
    }

    /// The shared half of the added resource, once the driver has answered. An error is returned once, together with
    /// what remains of the resource: see [`Gone`].
    pub(crate) fn added(&mut self, key: ResourceKey) -> Option<Result<Bound, (AddError, Gone)>> {
        let resource = self.resources.get_mut(&key)?;
        if let Some(bound) = &resource.bound {
            return Some(Ok(bound.clone()));
        }
        let Phase::Failed(error) = &mut resource.phase else { return None };
        let error = error.take().unwrap_or_else(|| AddError::NoDriver { request: resource.wanted.describe() });
        let gone = self.resources.remove(&key).map(|resource| resource.wanted);
        Some(Err((error, Gone::from(gone))))
    }

    /// Removes a resource in any state: its handle was closed or dropped, or its caller has stopped waiting.
    pub(crate) fn remove(&mut self, key: ResourceKey, revoke: bool, now: MonotonicNanos) -> Gone {
        self.hand_over_destinations(key, now);
        let Some(resource) = self.resources.remove(&key) else { return Gone::default() };
        let undo = match resource.wanted.undo() {
            Undo::RemovePublication { .. } => Undo::RemovePublication { revoke },
            undo => undo,
        };
        match resource.phase {
            Phase::Live { registration_id, log } => {
                self.by_registration.remove(&registration_id.get());
                if let Some(log) = log {
                    self.logs.release(log, now);
                }
                self.undo(registration_id, undo);
            }
            Phase::Adding { correlation_id, deadline, was } => {
                self.by_registration.remove(&correlation_id.get());
                self.abandon(correlation_id, deadline, undo);
                if was.is_some() {
                    self.not_to_be_restored();
                }
            }
            Phase::Down { .. } => self.not_to_be_restored(),
            Phase::Failed(_) => {}
        }
        if let Some(bound) = &resource.bound {
            if let Bound::Subscription(subscription) = bound {
                for image in subscription.image_ids() {
                    self.logs.release(image, now);
                }
            }
            Self::close_bound(bound, resource.wanted.handlers(), &mut self.notices);
        }
        self.finish_restoring(now);
        Gone::from(Some(resource.wanted))
    }

    /// The channel and the stream id of a publication or subscription.
    pub(crate) fn channel_of(&self, key: ResourceKey) -> Option<(String, StreamId)> {
        match &self.resources.get(&key)?.wanted {
            Wanted::Publication { channel, stream_id }
            | Wanted::ExclusivePublication { channel, stream_id }
            | Wanted::Subscription { channel, stream_id, .. } => Some((channel.clone(), *stream_id)),
            Wanted::Counter { .. } | Wanted::StaticCounter { .. } => None,
        }
    }

    /// Sends a command that creates no resource. Take the answer with [`Self::answer_to`].
    pub(crate) fn ask<'a>(
        &mut self,
        request: Request,
        now: MonotonicNanos,
        command: impl FnOnce(ClientId, CorrelationId) -> Command<'a>,
    ) -> Result<CorrelationId, AddError> {
        self.check_may_ask(|| request.clone())?;
        let correlation_id = self.link.next_correlation_id();
        let command = command(self.link.client_id(), correlation_id);
        if let Err(error) = self.link.send(&command) {
            return Err(error.for_request(request));
        }
        let deadline = now.saturating_add_ns(self.settings.driver_timeout_ns);
        let question = Question { request, deadline, answer: None, purpose: Purpose::Answer, wanted: true };
        self.questions.insert(correlation_id.get(), question);
        Ok(correlation_id)
    }

    /// The answer to a command, returned once.
    pub(crate) fn answer_to(&mut self, id: CorrelationId) -> Option<Result<Answer, AddError>> {
        self.questions.get(&id.get())?.answer.as_ref()?;
        self.questions.remove(&id.get())?.answer
    }

    /// Drops the future answer to a command. The command takes effect nevertheless.
    pub(crate) fn forget(&mut self, id: CorrelationId) {
        if let Some(question) = self.questions.get_mut(&id.get()) {
            question.wanted = false;
            if question.answer.is_some() {
                self.questions.remove(&id.get());
            }
        }
    }

    pub(super) fn answer(&mut self, id: i64, answer: Result<Answer, AddError>, now: MonotonicNanos) {
        let Some(question) = self.questions.get(&id).filter(|question| question.answer.is_none()) else { return };
        match question.purpose.clone() {
            Purpose::Answer => {}
            Purpose::Change(key, change) => {
                if answer.is_ok() {
                    self.destination_changed(key, &change, CorrelationId::new(id), now);
                }
            }
            Purpose::Restore(key) => {
                self.questions.remove(&id);
                self.destination_answered(key, CorrelationId::new(id), answer.map(|_| ()), now);
                return;
            }
        }
        if let Some(question) = self.questions.get_mut(&id) {
            question.answer = Some(answer);
            if !question.wanted {
                self.questions.remove(&id);
            }
        }
    }

    /// Ends an add with an error. Reports it if it was a restoration; otherwise the caller waits for it.
    pub(super) fn fail(&mut self, key: ResourceKey, error: AddError, now: MonotonicNanos) {
        let Some(resource) = self.resources.get(&key) else { return };
        let was = match resource.phase {
            Phase::Adding { correlation_id, was, .. } => {
                self.by_registration.remove(&correlation_id.get());
                was
            }
            Phase::Down { was, .. } => Some(was),
            Phase::Live { .. } | Phase::Failed(_) => return,
        };
        self.hand_over_destinations(key, now);
        let Some(resource) = self.resources.get_mut(&key) else { return };
        match was {
            None => resource.phase = Phase::Failed(Some(error)),
            Some(was) => {
                resource.phase = Phase::Failed(None);
                self.notices.push_back(Notice::Event(ClientEvent::NotRestored { was, error: Arc::new(error) }));
                self.restored(false);
            }
        }
    }

    pub(super) fn describe(&self, key: ResourceKey) -> Request {
        self.resources[&key].wanted.describe()
    }

    pub(super) fn cannot_send(&self, key: ResourceKey, error: SendError) -> AddError {
        error.for_request(self.describe(key))
    }

    pub(super) fn check_may_ask(&mut self, request: impl FnOnce() -> Request) -> Result<(), AddError> {
        match self.state {
            State::Connected => {}
            State::Down(_) => return Err(AddError::NoDriver { request: request() }),
            State::Closed => return Err(AddError::Closed { request: request() }),
        }
        // A removal that waits for room goes first. It may free what is requested, such as a session id.
        self.send_unsent();
        if self.unsent.is_empty() { Ok(()) } else { Err(AddError::RingFull { request: request() }) }
    }
}
