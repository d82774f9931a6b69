//! Destinations: the addresses to which a publication with manual control sends, or from which a subscription with
//! manual control receives. The driver forgets them with their publication or subscription. The client remembers them
//! here and adds them again after a reconnection.

use super::liveness::RESTORE_RETRY_NS;
use super::requests::not_sent;
use super::resource::Phase;
use super::{Conductor, Purpose, Question, ResourceKey, Wanted};
use crate::channel_uri::ChannelUri;
use crate::client::driver_link::SendError;
use crate::client::error::{AddError, Request};
use crate::client::event::ClientEvent;
use crate::client::notice::Notice;
use crate::command::{Command, Destination, RemoveDestinationById, Text};
use crate::time::MonotonicNanos;
use crate::types::{ClientId, CorrelationId, RegistrationId};

/// A change of the destinations of a publication or subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DestinationChange {
    /// Adds the destination with this channel.
    Add(String),
    /// Removes the destination with this channel.
    Remove(String),
    /// Removes the destination that was added with this id. For publications.
    RemoveById(RegistrationId),
}

/// The destinations of one publication or subscription, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Destinations(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// The application's id of the destination: the id of the command that first added it.
    id: RegistrationId,
    channel: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The driver has the destination, under this id.
    There(RegistrationId),
    /// The driver does not have the destination. It is requested at `retry_at`.
    Wanted { retry_at: MonotonicNanos },
    /// The destination was requested from the driver.
    Asked(CorrelationId),
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

impl Destinations {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The destinations that the driver has, with the driver's ids.
    #[cfg(test)]
    pub(super) fn there(&self) -> Vec<(i64, String)> {
        let there = self.0.iter().filter_map(|known| match known.state {
            State::There(id) => Some((id.get(), known.channel.clone())),
            State::Wanted { .. } | State::Asked(_) => None,
        });
        there.collect()
    }

    /// The number of destinations that the driver does not have.
    pub(super) fn missing(&self) -> usize {
        self.0.iter().filter(|known| !matches!(known.state, State::There(_))).count()
    }

    /// Marks all destinations as missing, because the driver is gone or has timed out the client.
    pub(super) fn lose(&mut self, now: MonotonicNanos) {
        self.0.iter_mut().for_each(|known| known.state = State::Wanted { retry_at: now });
    }

    /// The application's id of the destination with this driver's id.
    pub(super) fn name_of(&self, id: RegistrationId) -> RegistrationId {
        self.0.iter().find(|known| known.state == State::There(id)).map_or(id, |known| known.id)
    }

    /// The driver's id of the destination with this application's id.
    fn id_of(&self, name: RegistrationId) -> RegistrationId {
        let there = self.0.iter().filter(|known| known.id == name).find_map(|known| match known.state {
            State::There(id) => Some(id),
            State::Wanted { .. } | State::Asked(_) => None,
        });
        there.unwrap_or(name)
    }

    /// Applies a change that the driver has made.
    fn change(&mut self, change: DestinationChange, id: RegistrationId) {
        match change {
            DestinationChange::Add(channel) => self.0.push(Known { id, channel, state: State::There(id) }),
            DestinationChange::Remove(channel) => self.0.retain(|known| !is_same(&known.channel, &channel)),
            DestinationChange::RemoveById(id) => self.0.retain(|known| known.state != State::There(id)),
        }
    }
}

/// Whether both channels denote the same destination. Drivers compare only the endpoint.
fn is_same(one: &str, other: &str) -> bool {
    let endpoint = |channel: &str| {
        let uri = ChannelUri::parse(channel).ok().filter(|uri| !uri.is_spy())?;
        uri.params().endpoint.as_ref().map(|endpoint| endpoint.text().to_owned())
    };
    one == other || endpoint(one).is_some_and(|found| endpoint(other) == Some(found))
}

impl Conductor {
    /// Asks the driver to change the destinations of a publication or subscription. Take the answer with
    /// [`Self::answer_to`], or drop it with [`Self::forget`].
    pub(crate) fn change_destination(
        &mut self,
        key: ResourceKey,
        mut change: DestinationChange,
        now: MonotonicNanos,
    ) -> Result<CorrelationId, AddError> {
        self.check_may_ask(|| change.request())?;
        let request = change.request();
        let Some(resource) = self.resources.get(&key) else { return Err(AddError::Closed { request }) };
        let target = match resource.phase {
            // The destinations of a publication are shared by all its handles.
            Phase::Live { registration_id, log } => log.map_or(registration_id, RegistrationId::new),
            Phase::Adding { .. } | Phase::Down { .. } => return Err(AddError::NoDriver { request }),
            Phase::Failed(_) => return Err(AddError::NotRestored { request }),
        };
        if let DestinationChange::RemoveById(id) = &mut change {
            *id = resource.destinations.id_of(*id);
        }
        let correlation_id = self.link.next_correlation_id();
        let command = change.command(&resource.wanted, (self.link.client_id(), correlation_id), target);
        if let Err(error) = self.link.send(&command) {
            return Err(not_sent(request, error));
        }
        let deadline = self.deadline(now);
        let question =
            Question { request, deadline, answer: None, purpose: Purpose::Change(key, change), wanted: true };
        self.questions.insert(correlation_id.get(), question);
        Ok(correlation_id)
    }

    /// Records that the driver has changed the destinations of this resource.
    pub(super) fn destination_changed(&mut self, key: ResourceKey, change: DestinationChange, id: CorrelationId) {
        if let Some(resource) = self.resources.get_mut(&key) {
            resource.destinations.change(change, id.registration());
        }
    }

    /// Requests the missing destinations that are due and whose publication or subscription is live again.
    pub(super) fn restore_destinations(&mut self, now: MonotonicNanos) -> usize {
        let deadline = self.deadline(now);
        let (mut sent, mut failed) = (0, Vec::new());
        'send: for (key, resource) in &mut self.resources {
            let Phase::Live { registration_id, log } = resource.phase else { continue };
            let target = log.map_or(registration_id, RegistrationId::new);
            for known in &mut resource.destinations.0 {
                if !matches!(known.state, State::Wanted { retry_at } if now >= retry_at) {
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
                    Err(error) => failed.push((*key, known.id, not_sent(change.request(), error))),
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
        let asked = resource.destinations.0.iter_mut().find(|known| known.state == State::Asked(id));
        let Some(known) = asked else { return };
        match outcome {
            Ok(()) => {
                known.state = State::There(id.registration());
                self.restored(true);
            }
            Err(AddError::Refused { .. }) if in_time => {
                known.state = State::Wanted { retry_at: now.saturating_add_ns(RESTORE_RETRY_NS) };
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
        resource.destinations.0.retain(|known| known.id != id || matches!(known.state, State::There(_)));
        self.notices.push_back(Notice::Event(ClientEvent::NotRestored { was: id, error }));
        self.restored(false);
    }
}
