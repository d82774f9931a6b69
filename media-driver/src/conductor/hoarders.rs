//! Finds the client with the most counters when none is left. The clients that are refused then are mostly not the
//! cause. Static counters outlive their clients and do not name them, so this file counts who asked for how many.

use std::collections::BTreeMap;

use gannet::types::ClientId;

use super::Core;
use crate::shared::Seldom;

/// The minimum interval between two reports in nanoseconds, because a report looks at all counters.
const INTERVAL_NS: i64 = 1_000_000_000;

/// The owners of static counters, and the last report.
#[derive(Debug)]
pub(super) struct Hoarders {
    /// The number of static counters that each client has added.
    statics: BTreeMap<ClientId, usize>,
    /// The number of static counters of clients that are gone.
    left_behind: usize,
    /// Limits the rate of reports.
    told: Seldom,
}

impl Default for Hoarders {
    fn default() -> Self {
        Self { statics: BTreeMap::new(), left_behind: 0, told: Seldom::every(INTERVAL_NS) }
    }
}

impl Hoarders {
    /// Counts a static counter that was added by a client.
    pub(super) fn on_static_counter(&mut self, client_id: ClientId) {
        *self.statics.entry(client_id).or_default() += 1;
    }

    /// The client is gone. Its static counters stay.
    pub(super) fn on_gone(&mut self, client_id: ClientId) {
        self.left_behind += self.statics.remove(&client_id).unwrap_or(0);
    }

    /// The report for the clients' numbers of counters. Has the same text as long as the same client is the cause.
    fn describe(&self, owned: BTreeMap<ClientId, usize>) -> String {
        let mut all = owned;
        self.statics.iter().for_each(|(client_id, count)| *all.entry(*client_id).or_default() += count);
        // The one with the lowest id, if there are several.
        let most = all.into_iter().rev().max_by_key(|(_, count)| *count);
        match most.filter(|(_, count)| *count >= self.left_behind) {
            Some((client_id, _)) => format!(
                "(11) no counter is left, and client {client_id} has the most: the label of its heartbeat names it, see `gannet stat`"
            ),
            None => "(11) no counter is left, and most that clients have had are static ones of clients that are gone: they stay \
                     until the driver ends"
                .to_owned(),
        }
    }
}

impl Core {
    /// Reports the client with the most counters when none is left, at a limited rate.
    pub(super) fn report_hoarder(&mut self) {
        let now = self.now.monotonic;
        if self.hoarders.told.may_tell(now) {
            let text = self.hoarders.describe(self.counters.count_by_owner());
            self.report(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_most_is_named() {
        let mut hoarders = Hoarders::default();
        let client = ClientId::new;
        let named = |hoarders: &Hoarders| hoarders.describe(BTreeMap::from([(client(1), 3), (client(2), 3)]));
        assert!(named(&hoarders).contains("client 1 has"), "{}", named(&hoarders));
        hoarders.on_static_counter(client(2));
        assert!(named(&hoarders).contains("client 2 has"), "{}", named(&hoarders));
        (0..5).for_each(|_| hoarders.on_static_counter(client(3)));
        assert!(named(&hoarders).contains("client 3 has"), "{}", named(&hoarders));
        hoarders.on_gone(client(3));
        assert!(named(&hoarders).contains("clients that are gone"), "{}", named(&hoarders));
    }
}
