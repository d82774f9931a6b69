//! A client on each host of a lively run. It subscribes and publishes where others do, reads nothing, and leaves again.
//! Nothing that it does may harm the others.

use fastrand::Rng;
use gannet::types::RegistrationId;

use super::plan::StreamPlan;
use crate::sim::{SimClient, SimDriver};

/// The maximum number of publications and subscriptions at any time.
const MOST: usize = 3;
/// The maximum time from one to the next, in nanoseconds.
const PAUSE_NS: i64 = 400_000_000;
/// The maximum time for which each of them exists, in nanoseconds.
const STAY_NS: i64 = 600_000_000;
/// The same for an untethered subscription. Again and again it holds the others up for a part of a second, so this is less
/// than they may wait.
const UNTETHERED_STAY_NS: i64 = 5_000_000_000;
/// The time without further subscriptions after an untethered one, in nanoseconds.
const RECOVERY_NS: i64 = 3_000_000_000;

/// One such client.
pub(super) struct Restless {
    client: SimClient,
    random: Rng,
    next_ns: i64,
    /// Each with the time of its end.
    subscriptions: Vec<(RegistrationId, i64)>,
    publications: Vec<(RegistrationId, i64)>,
    /// The publications that it shares with others, which it must not revoke.
    shared: Vec<RegistrationId>,
    is_gone: bool,
}

impl Restless {
    pub(super) fn new(driver: &SimDriver, seed: u64) -> Self {
        Self {
            client: SimClient::new(driver),
            random: Rng::with_seed(seed),
            next_ns: 0,
            subscriptions: Vec::new(),
            publications: Vec::new(),
            shared: Vec::new(),
            is_gone: false,
        }
    }

    /// Its turn on this host.
    pub(super) fn turn(&mut self, now_ns: i64, host: usize, streams: &[StreamPlan], driver: &SimDriver) {
        if self.is_gone {
            return;
        }
        self.client.turn(now_ns, driver);
        if now_ns >= self.next_ns && self.subscriptions.len() + self.publications.len() < MOST {
            self.begin(now_ns, host, streams);
        }
        let Self { client, random, subscriptions, publications, shared, .. } = self;
        for (id, _) in subscriptions.extract_if(.., |(_, end_ns)| now_ns >= *end_ns) {
            client.remove_subscription(id);
        }
        for (id, _) in publications.extract_if(.., |(_, end_ns)| now_ns >= *end_ns) {
            client.remove_publication(id, random.bool() && !shared.contains(&id));
        }
    }

    /// It closes for good.
    pub(super) fn close(&mut self) {
        if !self.is_gone {
            self.client.close();
            self.is_gone = true;
        }
    }

    fn begin(&mut self, now_ns: i64, host: usize, streams: &[StreamPlan]) {
        let Self { client, random, .. } = self;
        self.next_ns = now_ns + random.i64(0..PAUSE_NS);
        let stream = &streams[random.usize(..streams.len())];
        let here = stream.subscribers.iter().filter(|subscriber| subscriber.place.host == host);
        let here: Vec<_> = here.filter(|subscriber| subscriber.listens_at.is_none()).collect();
        if let Some(subscriber) = random.choice(here) {
            let is_tethered = !self.subscriptions.is_empty() || random.bool();
            let mut channel = subscriber.channel.clone();
            let mut end_ns = now_ns + random.i64(0..STAY_NS);
            if !is_tethered {
                channel.push_str("|tether=false");
                end_ns = now_ns + random.i64(0..UNTETHERED_STAY_NS);
                self.next_ns = end_ns + RECOVERY_NS;
            }
            let id = client.add_subscription(&channel, stream.stream_id).registration();
            self.subscriptions.push((id, end_ns));
        } else if stream.publishers.iter().any(|one| one.place().host == host) && stream.destinations.is_empty() {
            let id = if stream.is_shared {
                client.add_concurrent_publication(&stream.publication, stream.stream_id).registration()
            } else {
                client.add_publication(&stream.publication, stream.stream_id).registration()
            };
            if stream.is_shared {
                self.shared.push(id);
            }
            self.publications.push((id, now_ns + random.i64(0..STAY_NS)));
        }
    }
}
