//! The destinations of a publication or subscription with manual control: the addresses to which it sends, or from which
//! it receives. The driver forgets them with their publication or subscription. The client remembers them here and adds
//! them again after a reconnection.

use crate::channel_uri::ChannelUri;
use crate::time::MonotonicNanos;
use crate::types::{CorrelationId, RegistrationId};

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

/// A destination that the client remembers.
#[derive(Debug)]
pub(super) struct Known {
    /// The application's id of the destination: the id of the command that first added it.
    pub(super) id: RegistrationId,
    pub(super) channel: String,
    pub(super) state: State,
}

/// The state of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The driver has the destination, under this id.
    There(RegistrationId),
    /// The driver does not have the destination. It is requested at `retry_at`.
    Wanted { retry_at: MonotonicNanos },
    /// The destination was requested from the driver.
    Asked(CorrelationId),
}

impl Known {
    /// Whether this change removes the destination.
    pub(super) fn is_removed_by(&self, change: &DestinationChange) -> bool {
        match change {
            DestinationChange::Add(_) => false,
            DestinationChange::Remove(channel) => is_same(&self.channel, channel),
            DestinationChange::RemoveById(name) => self.id == *name,
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

    /// The application's ids of the destinations.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = RegistrationId> + '_ {
        self.0.iter().map(|known| known.id)
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
    pub(super) fn name_of(&self, id: RegistrationId) -> Option<RegistrationId> {
        self.0.iter().find(|known| known.state == State::There(id)).map(|known| known.id)
    }

    /// Whether there is a destination with this application's id.
    pub(super) fn has(&self, name: RegistrationId) -> bool {
        self.0.iter().any(|known| known.id == name)
    }

    /// Takes over the destinations of a handle that is gone.
    pub(super) fn inherit(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The driver's id of the destination with this application's id: also while the driver is only asked for it, since it
    /// does what it is asked in order. An id that is not known here is the driver's. `None` if the driver does not have
    /// the destination, and may have another one by this id.
    pub(super) fn id_of(&self, name: RegistrationId) -> Option<RegistrationId> {
        let Some(known) = self.0.iter().find(|known| known.id == name) else { return Some(name) };
        match known.state {
            State::There(id) => Some(id),
            State::Asked(id) => Some(id.registration()),
            State::Wanted { .. } => None,
        }
    }

    /// The destinations to request from the driver now.
    pub(super) fn due(&mut self, now: MonotonicNanos) -> impl Iterator<Item = &mut Known> {
        self.0.iter_mut().filter(move |known| matches!(known.state, State::Wanted { retry_at } if now >= retry_at))
    }

    /// The destination that was requested with this command.
    pub(super) fn asked(&mut self, id: CorrelationId) -> Option<&mut Known> {
        self.0.iter_mut().find(|known| known.state == State::Asked(id))
    }

    /// Forgets the destination with this application's id, unless the driver has it.
    pub(super) fn give_up(&mut self, id: RegistrationId) {
        self.0.retain(|known| known.id != id || matches!(known.state, State::There(_)));
    }

    /// Applies a change that the driver has made. `id` is that of the command.
    pub(super) fn change(&mut self, change: &DestinationChange, id: RegistrationId) {
        match change {
            DestinationChange::Add(channel) => {
                self.0.push(Known { id, channel: channel.clone(), state: State::There(id) });
            }
            DestinationChange::RemoveById(id) if !self.has(*id) => {
                self.0.retain(|known| known.state != State::There(*id));
            }
            removal => self.0.retain(|known| !known.is_removed_by(removal)),
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
