//! Changes the destinations of publications and subscriptions at the driver, and adds them again after a reconnection.

use std::sync::Arc;

use super::destinations::{DestinationChange, State};
use super::resource::{Phase, ResourceKey, Wanted};
use super::restoring::RETRY_NS;
use super::{Answer, Conductor, Purpose, Question};
use crate::client::driver_link::SendError;
use crate::client::error::{AddError, Request};
use crate::client::event::ClientEvent;
use crate::client::notice::Notice;
use crate::command::{Command, Destination, RemoveDestinationById, Text};
use crate::time::MonotonicNanos;
use crate::types::{ClientId, CorrelationId, RegistrationId};

impl Conductor {
    /// Asks the driver to change the destinations of a publication or subscription. Take the answer with
    /// [`Self::answer_to`], or drop it with [`Self::forget`].
    pub(crate) fn change_destination(
        &mut self,
        key: ResourceKey,
        change: DestinationChange,
        now: MonotonicNanos,
    ) -> Result<CorrelationId, AddError> {
        self.check_may_ask(|| change.request())?;
        let request = change.request();
        let Some(resource) = self.resources.get(&key) else { return Err(AddError::Closed { request }) };
        let owner = self.owner_of(key, &change);
        let target = match resource.phase {
            // The destinations of a publication are shared by all its handles.
            Phase::Live { registration_id, log } => log.map_or(registration_id, RegistrationId::new),
            Phase::Adding { .. } | Phase::Down { .. } => return Err(AddError::NoDriver { request }),
            Phase::Failed(_) => return Err(AddError::NotRestored { request }),
        };
        let correlation_id = self.unused_id(key);
        let asked = match &change {
            DestinationChange::RemoveById(name) => {
                self.resources[&owner].destinations.id_of(*name).map(DestinationChange::RemoveById)
            }
            change => Some(change.clone()),
        };
        if let Some(asked) = &asked {
            let command = asked.command(&resource.wanted, (self.link.client_id(), correlation_id), target);
            if let Err(error) = self.link.send(&command) {
                return Err(error.for_request(request));
            }
        }
        let deadline = self.deadline(now);
        let question =
            Question { request, deadline, answer: None, purpose: Purpose::Change(owner, change), wanted: true };
        self.questions.insert(correlation_id.get(), question);
        if asked.is_none() {
            // The driver has nothing to remove.
            self.answer(correlation_id.get(), Ok(Answer::Done), now);
        }
        Ok(correlation_id)
    }

    /// Records that the driver has changed the destinations of this resource.
    pub(super) fn destination_changed(
        &mut self,
        key: ResourceKey,
        change: &DestinationChange,
        id: CorrelationId,
        now: MonotonicNanos,
    ) {
        let concerned = match change {
            // The driver removes them whichever handle added them.
            DestinationChange::Remove(_) => self.sharing_with(key),
            DestinationChange::Add(_) | DestinationChange::RemoveById(_) => vec![key],
        };
        let mut forgotten = 0;
        for key in concerned {
            let Some(resource) = self.resources.get_mut(&key) else { continue };
            let awaited = resource.awaited();
            resource.destinations.change(change, id.registration());
            forgotten += awaited - resource.awaited();
            if matches!(resource.phase, Phase::Down { .. }) {
                // It is inherited from a handle that went with the publication.
                resource.destinations.lose(now);
            }
        }
        (0..forgotten).for_each(|_| self.not_to_be_restored());
        self.finish_restoring(now);
    }

    /// The handle that added the destination that is to be removed by its id, and otherwise the given one.
    fn owner_of(&self, key: ResourceKey, change: &DestinationChange) -> ResourceKey {
        let DestinationChange::RemoveById(name) = change else { return key };
        let has_it = |key: &ResourceKey| self.resources.get(key).is_some_and(|one| one.destinations.has(*name));
        self.sharing_with(key).into_iter().find(has_it).unwrap_or(key)
    }

    /// An id for a command that may add a destination. Not the name of another one, which an earlier driver may have given.
    fn unused_id(&self, key: ResourceKey) -> CorrelationId {
        let sharing = self.sharing_with(key);
        let is_name = |id: CorrelationId| {
            let mut all = sharing.iter().filter_map(|key| self.resources.get(key));
            all.any(|resource| resource.destinations.has(id.registration()))
        };
        loop {
            let id = self.link.next_correlation_id();
            if !is_name(id) {
                return id;
            }
        }
    }

    /// The removals that the driver was asked for, and of which handles. If it were asked for such a destination now, it
    /// would have it afterwards.
    fn removals(&self) -> Vec<(ResourceKey, DestinationChange)> {
        let mut removals = Vec::new();
        for question in self.questions.values().filter(|question| question.answer.is_none()) {
            match &question.purpose {
                Purpose::Change(of, change @ DestinationChange::Remove(_)) => {
                    removals.extend(self.sharing_with(*of).into_iter().map(|of| (of, change.clone())));
                }
                Purpose::Change(of, change @ DestinationChange::RemoveById(_)) => removals.push((*of, change.clone())),
                Purpose::Change(_, DestinationChange::Add(_)) | Purpose::Answer | Purpose::Restore(_) => {}
            }
        }
        removals
    }

    /// Requests the missing destinations that are due and whose publication or subscription is live again.
    pub(super) fn restore_destinations(&mut self, now: MonotonicNanos) -> usize {
        let deadline = self.deadline(now);
        let (mut sent, mut failed) = (0, Vec::new());
        let removals = self.removals();
        'send: for (key, resource) in &mut self.resources {
            let Phase::Live { registration_id, log } = resource.phase else { continue };
            let target = log.map_or(registration_id, RegistrationId::new);
            for known in resource.destinations.due(now) {
                if removals.iter().any(|(of, change)| of == key && known.is_removed_by(change)) {
                    continue;
                }
                let correlation_id = self.link.next_correlation_id();
                let change = DestinationChange::Add(known.channel.clone());
                let command = change.command(&resource.wanted, (self.link.client_id(), correlation_id), target);
                match self.link.send(&command) {
                    Ok(()) => {
                        known.state = State::Asked(correlation_id);
                        let (request, purpose) = (change.request(), Purpose::Restore(*key));
                        let question = Question { request, deadline, answer: None, purpose, wanted: false };
                        self.questions.insert(correlation_id.get(), question);
                        sent += 1;
                    }
                    Err(SendError::Full) => break 'send,
                    Err(error) => failed.push((*key, known.id, error.for_request(change.request()))),
                }
            }
        }
        for (key, id, error) in failed {
            self.destination_lost(key, id, error);
        }
        sent
    }

    /// Handles the driver's answer to the request to restore a destination.
    pub(super) fn destination_answered(
        &mut self,
        key: ResourceKey,
        id: CorrelationId,
        outcome: Result<(), AddError>,
        now: MonotonicNanos,
    ) {
        // The previous socket may still be open, so every refusal may be temporary.
        let in_time = self.may_still_be_restored(now);
        let Some(resource) = self.resources.get_mut(&key) else { return };
        let Some(known) = resource.destinations.asked(id) else { return };
        match outcome {
            Ok(()) => {
                known.state = State::There(id.registration());
                self.restored(true);
            }
            Err(AddError::Refused { .. }) if in_time => {
                known.state = State::Wanted { retry_at: now.saturating_add_ns(RETRY_NS) };
            }
            Err(error) => {
                let id = known.id;
                self.destination_lost(key, id, error);
            }
        }
    }

    /// Gives up restoring a destination.
    fn destination_lost(&mut self, key: ResourceKey, id: RegistrationId, error: AddError) {
        let Some(resource) = self.resources.get_mut(&key) else { return };
        resource.destinations.give_up(id);
        self.notices.push_back(Notice::Event(ClientEvent::NotRestored { was: id, error: Arc::new(error) }));
        self.restored(false);
    }
}

impl DestinationChange {
    fn request(&self) -> Request {
        match self {
            Self::Add(channel) | Self::Remove(channel) => Request::Destination { channel: channel.clone() },
            Self::RemoveById(id) => Request::DestinationById { id: *id },
        }
    }

    /// The command that asks the driver for the destination.
    fn command<'a>(
        &'a self,
        of: &Wanted,
        ids: (ClientId, CorrelationId),
        registration_id: RegistrationId,
    ) -> Command<'a> {
        let (client_id, correlation_id) = ids;
        let body =
            |channel: &'a str| Destination { client_id, correlation_id, registration_id, channel: Text::from(channel) };
        let receives = matches!(of, Wanted::Subscription { .. });
        match self {
            Self::Add(channel) if receives => Command::AddReceiveDestination(body(channel)),
            Self::Add(channel) => Command::AddDestination(body(channel)),
            Self::Remove(channel) if receives => Command::RemoveReceiveDestination(body(channel)),
            Self::Remove(channel) => Command::RemoveDestination(body(channel)),
            Self::RemoveById(id) => Command::RemoveDestinationById(RemoveDestinationById {
                client_id,
                correlation_id,
                registration_id,
                destination_registration_id: *id,
            }),
        }
    }
}
