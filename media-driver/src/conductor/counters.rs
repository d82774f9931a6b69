//! The counters that the conductor keeps. It makes those of clients, publications and subscribers in the order in which
//! Aeron makes them, frees them, and updates the driver's own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gannet::counters::{
    ChannelCounter, CounterLabel, CounterSpec, CountersManager, SockaddrCounter, Stream, StreamCounter, SystemCounter,
    channel_status,
};
use gannet::memory::OwnedWord;
use gannet::time::EpochMillis;
use gannet::types::{ClientId, CounterId, Position, RegistrationId, SessionId, StreamId};

use super::error::CommandError;
use crate::shared::{Counter, NetworkCounters, StallTracker};

/// The owner of a counter that belongs to no client.
const NO_OWNER: ClientId = ClientId::new(-1);

/// The properties of a counter that a client adds.
#[derive(Debug)]
pub(super) struct ClientCounter<'a> {
    pub(super) type_id: i32,
    pub(super) key: &'a [u8],
    pub(super) label: &'a [u8],
    pub(super) registration_id: RegistrationId,
    /// The owner. `None` for a static counter.
    pub(super) owner: Option<ClientId>,
}

/// The properties of a publication's counters.
#[derive(Debug)]
pub(super) struct PublicationCounters<'a> {
    pub(super) stream: Stream<'a>,
    pub(super) exclusive: bool,
    pub(super) client_id: ClientId,
    pub(super) start: Position,
}

/// The counters of a publication.
#[derive(Debug)]
pub(super) struct StreamCounters {
    pub(super) position: Counter,
    pub(super) limit: Counter,
}

/// The counters of a network publication: the conductor's, and the sender's in their order of allocation.
#[derive(Debug)]
pub(super) struct NetworkStreamCounters {
    pub(super) position: Counter,
    pub(super) limit: Counter,
    pub(super) sender: [Counter; 4],
    /// `fc-receivers`, if flow control tracks several receivers.
    pub(super) receivers: Option<Counter>,
}

/// The counters of an image.
#[derive(Debug)]
pub(super) struct ImageStreamCounters {
    pub(super) highest: Counter,
    pub(super) position: Counter,
    pub(super) naks_sent: Counter,
    /// `rcv-cc-cubic-rtt` and `rcv-cc-cubic-wnd`, with CUBIC congestion control.
    pub(super) cubic: Option<[Counter; 2]>,
}

/// The properties of a subscriber's position counter.
#[derive(Debug)]
pub(super) struct SubscriberCounter<'a> {
    pub(super) registration_id: RegistrationId,
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) channel: &'a str,
    pub(super) client_id: ClientId,
    pub(super) image: RegistrationId,
    pub(super) join_position: Position,
}

/// The counters of the conductor.
#[derive(Debug)]
pub(super) struct Counters {
    manager: CountersManager,
    system: Vec<OwnedWord<i64>>,
}

impl Counters {
    /// # Panics
    ///
    /// If the system counters are missing. The caller must have allocated them first.
    pub(super) fn new(manager: CountersManager) -> Self {
        let system = SystemCounter::ALL
            .iter()
            .map(|counter| manager.value(counter.id()).expect("the system counters are allocated first"))
            .collect();
        Self { manager, system }
    }

    /// Allocates a client's heartbeat counter, with the present time.
    pub(super) fn allocate_heartbeat(&mut self, now: EpochMillis, id: ClientId) -> Result<Counter, CommandError> {
        self.allocate(now, &CounterSpec { value: now.get(), ..CounterSpec::client_heartbeat(id) })
    }

    /// Allocates a counter for a client.
    pub(super) fn allocate_for_client(
        &mut self,
        now: EpochMillis,
        new: &ClientCounter<'_>,
    ) -> Result<CounterId, CommandError> {
        let owner = new.owner.unwrap_or(NO_OWNER);
        let spec = CounterSpec::application(new.type_id, new.key, new.label, new.registration_id, owner);
        self.allocate(now, &spec).map(|counter| counter.id)
    }

    /// Allocates the counters of a publication, at its start position: both, or none.
    pub(super) fn allocate_for_publication(
        &mut self,
        now: EpochMillis,
        new: &PublicationCounters<'_>,
    ) -> Result<StreamCounters, CommandError> {
        let kind = if new.exclusive {
            StreamCounter::ExclusivePublisherPosition
        } else {
            StreamCounter::ConcurrentPublisherPosition
        };
        let spec = |kind| CounterSpec {
            owner_id: new.client_id,
            value: new.start.get(),
            ..CounterSpec::stream(kind, &new.stream)
        };
        let position = self.allocate(now, &spec(kind))?;
        match self.allocate(now, &spec(StreamCounter::PublisherLimit)) {
            Ok(limit) => Ok(StreamCounters { position, limit }),
            Err(error) => {
                self.free(now, position.id);
                Err(error)
            }
        }
    }

    /// Allocates the counters of a network publication, at its start position: all, or none.
    pub(super) fn allocate_for_network_publication(
        &mut self,
        now: EpochMillis,
        new: &PublicationCounters<'_>,
        has_receivers: bool,
    ) -> Result<NetworkStreamCounters, CommandError> {
        let receivers = if has_receivers {
            let kinds = [(StreamCounter::FlowControlReceivers, 0)];
            let [receivers] = self.allocate_streams(now, &new.stream, NO_OWNER, kinds)?;
            Some(receivers)
        } else {
            None
        };
        let StreamCounters { position, limit } = match self.allocate_for_publication(now, new) {
            Ok(counters) => counters,
            Err(error) => {
                self.free_all(now, receivers);
                return Err(error);
            }
        };
        let start = new.start.get();
        let kinds = [
            (StreamCounter::SenderPosition, start),
            (StreamCounter::SenderLimit, start),
            (StreamCounter::SenderBpe, 0),
            (StreamCounter::SenderNaksReceived, 0),
        ];
        match self.allocate_streams(now, &new.stream, new.client_id, kinds) {
            Ok(sender) => Ok(NetworkStreamCounters { position, limit, sender, receivers }),
            Err(error) => {
                self.free_all(now, [limit, position].into_iter().chain(receivers));
                Err(error)
            }
        }
    }

    /// Shows which receiver holds back a publication, and since when. `held` has the receiver in place of the channel.
    /// `since` is 0 for none. The counter is allocated on first use.
    pub(super) fn show_holder(
        &mut self,
        now: EpochMillis,
        shown: Option<Counter>,
        held: &Stream<'_>,
        since: i64,
    ) -> Result<Counter, CommandError> {
        let spec = CounterSpec::stream(StreamCounter::SenderHeldBy, held).starting_at(since);
        let Some(counter) = shown else { return self.allocate(now, &spec.owned_by(NO_OWNER)) };
        self.manager.set_label(counter.id, &spec.label);
        counter.value.store_release(since);
        Ok(counter)
    }

    /// Allocates the counters of an image, at its join position: all, or none.
    pub(super) fn allocate_for_image(
        &mut self,
        now: EpochMillis,
        stream: &Stream<'_>,
        client_id: ClientId,
        join: Position,
        has_cubic: bool,
    ) -> Result<ImageStreamCounters, CommandError> {
        let cubic = if has_cubic {
            let kinds = [(StreamCounter::CubicRtt, 0), (StreamCounter::CubicWindow, 0)];
            Some(self.allocate_streams(now, stream, NO_OWNER, kinds)?)
        } else {
            None
        };
        let kinds = [
            (StreamCounter::ReceiverHwm, join.get()),
            (StreamCounter::ReceiverPosition, join.get()),
            (StreamCounter::ReceiverNaksSent, 0),
        ];
        match self.allocate_streams(now, stream, client_id, kinds) {
            Ok([highest, position, naks_sent]) => Ok(ImageStreamCounters { highest, position, naks_sent, cubic }),
            Err(error) => {
                self.free_all(now, cubic.into_iter().flatten());
                Err(error)
            }
        }
    }

    /// Allocates the status counter of an endpoint, as active. `local` is the address of its only socket.
    pub(super) fn allocate_for_endpoint(
        &mut self,
        now: EpochMillis,
        status: ChannelCounter,
        channel: &str,
        registration_id: RegistrationId,
        local: Option<SocketAddr>,
    ) -> Result<CounterId, CommandError> {
        let spec = CounterSpec::channel(status, channel, registration_id).starting_at(channel_status::ACTIVE);
        let id = self.allocate(now, &spec)?.id;
        let local = local.map_or_else(String::new, |local| local.to_string());
        self.manager.set_label(id, &CounterSpec::bound_channel_label(status, channel, &local));
        Ok(id)
    }

    /// Sets a status counter to closing.
    pub(super) fn show_closing(&self, status: CounterId) {
        if let Some(value) = self.manager.value(status) {
            value.store_release(channel_status::CLOSING);
        }
    }

    /// Allocates the status counter of a socket's local address, as active.
    pub(super) fn allocate_for_socket(
        &mut self,
        now: EpochMillis,
        kind: SockaddrCounter,
        status: CounterId,
        registration_id: RegistrationId,
        local: SocketAddr,
    ) -> Result<CounterId, CommandError> {
        let spec = CounterSpec::local_sockaddr(kind, status, &local.to_string(), registration_id);
        self.allocate(now, &spec.starting_at(channel_status::ACTIVE)).map(|counter| counter.id)
    }

    /// Allocates several counters of one stream, in this order: all, or none.
    fn allocate_streams<const N: usize>(
        &mut self,
        now: EpochMillis,
        stream: &Stream<'_>,
        client_id: ClientId,
        kinds: [(StreamCounter, i64); N],
    ) -> Result<[Counter; N], CommandError> {
        let mut made: Vec<Counter> = Vec::with_capacity(N);
        for (kind, value) in kinds {
            let spec = CounterSpec { owner_id: client_id, value, ..CounterSpec::stream(kind, stream) };
            match self.allocate(now, &spec) {
                Ok(counter) => made.push(counter),
                Err(error) => {
                    self.free_all(now, made);
                    return Err(error);
                }
            }
        }
        let made: Result<[Counter; N], _> = made.try_into();
        Ok(made.expect("as many as there are kinds"))
    }

    /// The words of the system counters for the sender and the receiver.
    pub(super) fn network_counters(&self) -> NetworkCounters {
        NetworkCounters::new(|counter| self.word(counter).clone())
    }

    /// Allocates the position counter of a subscriber, at its join position.
    pub(super) fn allocate_for_subscriber(
        &mut self,
        now: EpochMillis,
        new: &SubscriberCounter<'_>,
    ) -> Result<Counter, CommandError> {
        let subscription = Stream {
            registration_id: new.registration_id,
            session_id: new.session_id,
            stream_id: new.stream_id,
            channel: new.channel,
        };
        // Trap 39: it refers to its image, which tools and the archive look up.
        let spec = CounterSpec::subscriber_position(&subscription, new.image, new.join_position);
        self.allocate(now, &CounterSpec { owner_id: new.client_id, ..spec })
    }

    /// The static counter with this type and registration id, or a counter with an owner that conflicts with it.
    pub(super) fn find_static(
        &self,
        type_id: i32,
        registration_id: RegistrationId,
    ) -> Option<Result<CounterId, CounterId>> {
        let (id, owner) = self.manager.find(type_id, registration_id)?;
        Some(if owner == NO_OWNER { Ok(id) } else { Err(id) })
    }

    /// The number of counters that each client owns.
    pub(super) fn count_by_owner(&self) -> BTreeMap<ClientId, usize> {
        let mut counts = BTreeMap::new();
        self.manager.reader().for_each(|counter| {
            if counter.owner_id != NO_OWNER {
                *counts.entry(counter.owner_id).or_default() += 1;
            }
        });
        counts
    }

    /// Frees a counter. Its record is not reused for a while (trap 35).
    pub(super) fn free(&mut self, now: EpochMillis, id: CounterId) {
        let freed = self.manager.free(now, id);
        debug_assert!(freed, "counter {id} is freed once");
    }

    fn free_all(&mut self, now: EpochMillis, counters: impl IntoIterator<Item = Counter>) {
        for counter in counters {
            self.free(now, counter.id);
        }
    }

    /// Allocates the counter of an endpoint's destinations.
    pub(super) fn allocate_for_destinations(
        &mut self,
        now: EpochMillis,
        channel: &str,
        registration_id: RegistrationId,
    ) -> Result<Counter, CommandError> {
        self.allocate(now, &CounterSpec::channel(ChannelCounter::MdcDestinations, channel, registration_id))
    }

    /// Restores the states that clients have overwritten, checking up to `limit` counters. Returns how many.
    pub(super) fn restore_states(&mut self, limit: usize) -> usize {
        self.manager.restore_states(limit)
    }

    /// Counts a recorded error.
    pub(super) fn on_error(&self) {
        // All threads of the driver count errors here.
        self.word(SystemCounter::Errors).fetch_add(1);
    }

    /// Counts a log file that could not be deleted.
    pub(super) fn on_failed_deletion(&self) {
        self.add(SystemCounter::FreeFails, 1);
    }

    /// Counts a publication that was unblocked.
    pub(super) fn on_unblocked_publication(&self) {
        self.add(SystemCounter::UnblockedPublications, 1);
    }

    /// Counts a blocked command that was skipped.
    pub(super) fn on_unblocked_commands(&self) {
        self.add(SystemCounter::UnblockedCommands, 1);
    }

    /// Counts a client that was timed out.
    pub(super) fn on_client_timeout(&self) {
        self.add(SystemCounter::ClientTimeouts, 1);
    }

    /// Counts a name with a new address.
    pub(super) fn on_resolution_change(&self) {
        self.add(SystemCounter::ResolutionChanges, 1);
    }

    /// Counts a publication that was revoked.
    pub(super) fn on_publication_revoked(&self) {
        self.add(SystemCounter::PublicationsRevoked, 1);
    }

    /// Counts a subscription whose control frames may not reach the sender because of their TTL.
    pub(super) fn on_ttl_asymmetry(&self) {
        self.add(SystemCounter::PossibleTtlAsymmetry, 1);
    }

    /// Counts an image that was rejected.
    pub(super) fn on_image_rejected(&self) {
        self.add(SystemCounter::ImagesRejected, 1);
    }

    /// Counts a mapped file of this length.
    pub(super) fn on_mapped(&self, length: usize) {
        self.add(SystemCounter::BytesCurrentlyMapped, length as i64);
    }

    /// Counts an unmapped file of this length.
    pub(super) fn on_unmapped(&self, length: usize) {
        self.add(SystemCounter::BytesCurrentlyMapped, -(length as i64));
    }

    /// Allocates a counter of name resolution, which no client owns. `None` if there is no space for it.
    pub(super) fn allocate_for_resolver(&mut self, type_id: i32, key: &[u8], label: &str) -> Option<Counter> {
        let spec = CounterSpec::application(type_id, key, label.as_bytes(), RegistrationId::new(0), ClientId::new(0));
        // Nothing was freed before the first duty cycle, so the time does not matter.
        self.allocate(EpochMillis::new(0), &spec).ok()
    }

    /// Replaces a counter's label.
    pub(super) fn set_label(&mut self, counter: &Counter, label: &str) {
        self.manager.set_label(counter.id, &CounterLabel::new(label.as_bytes()));
    }

    /// Counts an invalid datagram.
    pub(super) fn on_invalid_datagram(&self) {
        // Sender and receiver also count these.
        self.word(SystemCounter::InvalidPackets).fetch_add(1);
    }

    /// The tracker of a duration that should be short and that only the conductor measures.
    pub(super) fn stall_tracker(
        &self,
        longest: SystemCounter,
        too_long: SystemCounter,
        threshold_ns: i64,
    ) -> StallTracker {
        StallTracker::new(self.word(longest).clone(), self.word(too_long).clone(), threshold_ns)
    }

    fn allocate(&mut self, now: EpochMillis, spec: &CounterSpec) -> Result<Counter, CommandError> {
        let id = self.manager.allocate(now, spec)?;
        let value = self.manager.value(id).expect("it was just allocated");
        Ok(Counter { id, value })
    }

    fn word(&self, counter: SystemCounter) -> &OwnedWord<i64> {
        &self.system[counter as usize]
    }

    /// Adds to a counter that only the conductor stores.
    fn add(&self, counter: SystemCounter, amount: i64) {
        let word = self.word(counter);
        word.store_release(word.load_relaxed().wrapping_add(amount));
    }
}
