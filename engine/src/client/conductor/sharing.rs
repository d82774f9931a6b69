//! The handles of one publication share its destinations: the driver keeps them until the last handle is gone, whichever
//! handle added them. The client keeps each with the handle that added it, and hands it to another one when that handle
//! goes. So handles must know each other also while there is no driver, and while some of them are not restored yet.

use super::resource::{Phase, Resource, ResourceKey, Wanted};
use super::{Conductor, Purpose};
use crate::time::MonotonicNanos;

impl Conductor {
    /// The handles that share their destinations with this one, which is the first: those of the same publication.
    pub(super) fn sharing_with(&self, key: ResourceKey) -> Vec<ResourceKey> {
        let of = self.resources.get(&key);
        let shares = |other: &Resource| of.is_some_and(|of| share(of, other));
        let others = self.resources.iter().filter(|(other, resource)| **other != key && shares(resource));
        std::iter::once(key).chain(others.map(|(other, _)| *other)).collect()
    }

    /// Puts a handle that has just got its log into the group of the others that have this log.
    pub(super) fn join_group(&mut self, key: ResourceKey, log: Option<i64>) {
        let Some(log) = log.filter(|log| self.logs.users(*log) > 1) else { return };
        let Some(Resource { wanted: Wanted::Publication { .. }, group, .. }) = self.resources.get(&key) else { return };
        let left = *group;
        let has_log = |(other, resource): &(&ResourceKey, &Resource)| **other != key && resource.log() == Some(log);
        let Some(joined) = self.resources.iter().find(has_log).map(|(_, other)| other.group) else { return };
        if joined != left {
            let moved = self.resources.values_mut().filter(|resource| resource.group == left);
            moved.for_each(|resource| resource.group = joined);
        }
    }

    /// Hands the destinations of a handle that goes to another handle of its publication, and changes of them that are
    /// under way. Without another handle, they go with it.
    pub(super) fn hand_over_destinations(&mut self, key: ResourceKey, now: MonotonicNanos) {
        let Some(from) = self.resources.get(&key) else { return };
        let concerns = |purpose: &Purpose| match purpose {
            Purpose::Change(of, _) | Purpose::Restore(of) => *of == key,
            Purpose::Answer => false,
        };
        let is_concerned = from.destinations.len() > 0 || self.questions.values().any(|one| concerns(&one.purpose));
        if !is_concerned {
            return;
        }
        let counted = from.awaited();
        let others = self.sharing_with(key).into_iter().skip(1);
        // Rather to one for which the driver keeps the publication.
        let heir = others.min_by_key(|other| match self.resources[other].phase {
            Phase::Live { .. } => 0,
            Phase::Adding { .. } => 1,
            Phase::Down { .. } | Phase::Failed(_) => 2,
        });
        let handed = self.resources.get_mut(&key).map(|from| std::mem::take(&mut from.destinations));
        let mut awaited = 0;
        if let (Some(heir), Some(handed)) = (heir, handed)
            && let Some(to) = self.resources.get_mut(&heir)
        {
            let before = to.awaited();
            to.destinations.inherit(handed);
            awaited = to.awaited() - before;
            if matches!(to.phase, Phase::Down { .. }) {
                to.destinations.lose(now);
            }
            for question in self.questions.values_mut().filter(|question| concerns(&question.purpose)) {
                match &mut question.purpose {
                    Purpose::Change(of, _) | Purpose::Restore(of) => *of = heir,
                    Purpose::Answer => {}
                }
            }
        }
        // First, so that the restoration does not come to an end in between.
        self.await_restored(awaited);
        (0..counted).for_each(|_| self.not_to_be_restored());
    }
}

impl Resource {
    /// How many of its destinations the restoration waits for. If it is itself restored, only once it is there.
    pub(super) fn awaited(&self) -> usize {
        match self.phase {
            Phase::Live { .. } | Phase::Adding { was: None, .. } => self.destinations.missing(),
            Phase::Adding { .. } | Phase::Down { .. } | Phase::Failed(_) => 0,
        }
    }

    /// The key of its log, if it is live and has one.
    pub(super) fn log(&self) -> Option<i64> {
        match self.phase {
            Phase::Live { log, .. } => log,
            _ => None,
        }
    }
}

/// Whether both are handles of one publication. While either has no log, that is so if they were the last time, or if
/// the other one is being added with the same words: a driver finds the publication by them.
fn share(one: &Resource, other: &Resource) -> bool {
    match (one.log(), other.log(), &other.phase) {
        (Some(one), Some(other), _) => one == other,
        (_, _, Phase::Failed(_)) => false,
        (_, _, Phase::Adding { was: None, .. }) => match (&one.wanted, &other.wanted) {
            (
                Wanted::Publication { channel, stream_id },
                Wanted::Publication { channel: other_channel, stream_id: other_stream_id },
            ) => (channel, stream_id) == (other_channel, other_stream_id),
            _ => false,
        },
        _ => one.group == other.group,
    }
}
