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

/// What a counter that a client asked for is made of.
#[derive(Debug)]
pub(super) struct ClientCounter<'a> {
    pub(super) type_id: i32,
    pub(super) key: &'a [u8],
    pub(super) label: &'a [u8],
    pub(super) registration_id: RegistrationId,
    /// None for a static counter.
    pub(super) owner: Option<ClientId>,
}

/// What the counters of a publication are made of.
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

/// The counters of a network publication: the conductor's, and the sender's in the order in which they are made.
#[derive(Debug)]
pub(super) struct NetworkStreamCounters {
    pub(super) position: Counter,
    pub(super) limit: Counter,
    pub(super) sender: [Counter; 4],
    /// `fc-receivers`, where flow control goes by several.
    pub(super) receivers: Option<Counter>,
}

/// The counters of an image.
#[derive(Debug)]
pub(super) struct ImageStreamCounters {
    pub(super) highest: Counter,
    pub(super) position: Counter,
    pub(super) naks_sent: Counter,
    /// `rcv-cc-cubic-rtt` and `rcv-cc-cubic-wnd`, where the window goes by them.
    pub(super) cubic: Option<[Counter; 2]>,
}

/// What the counter of a subscriber is made of.
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

/// The counters.
#[derive(Debug)]
pub(super) struct Counters {
    manager: CountersManager,
    system: Vec<OwnedWord<i64>>,
}

impl Counters {
    /// # Panics
    ///
    /// When the system counters are not there: whoever made the counters has to allocate them first.
    pub(super) fn new(manager: CountersManager) -> Self {
        let system = SystemCounter::ALL
            .iter()
            .map(|counter| manager.value(counter.id()).expect("the system counters are allocated first"))
            .collect();
        Self { manager, system }
    }

    /// The counter that a new client stores the time in; it holds the present time.
    pub(super) fn allocate_heartbeat(&mut self, now: EpochMillis, id: ClientId) -> Result<Counter, CommandError> {
        self.allocate(now, &CounterSpec { value: now.get(), ..CounterSpec::client_heartbeat(id) })
    }

    /// A counter that a client asked for.
    pub(super) fn allocate_for_client(
        &mut self,
        now: EpochMillis,
        new: &ClientCounter<'_>,
    ) -> Result<CounterId, CommandError> {
        let owner = new.owner.unwrap_or(NO_OWNER);
        let spec = CounterSpec::application(new.type_id, new.key, new.label, new.registration_id, owner);
        self.allocate(now, &spec).map(|counter| counter.id)
    }

    /// The counters of a publication, at its start position: both, or none.
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

    /// The counters of a network publication, at its start position: all, or none.
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

    /// Which receiver holds a publication, and since when: `held` has the receiver where others have their channel, and `since` is 0 for
    /// nobody. Made when there is something to say for the first time.
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

    /// The counters of an image, at its join position: all, or none.
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

    /// The status of an endpoint, active. `local` is what its only socket is bound to.
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

    /// An endpoint or a socket is not used any more, and is being closed.
    pub(super) fn show_closing(&self, status: CounterId) {
        if let Some(value) = self.manager.value(status) {
            value.store_release(channel_status::CLOSING);
        }
    }

    /// The address that a socket is bound to, active.
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

    /// Counters of one stream, in this order: all, or none.
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

    /// The words of the system counters, for sender and receiver.
    pub(super) fn network_counters(&self) -> NetworkCounters {
        NetworkCounters::new(|counter| self.word(counter).clone())
    }

    /// The position counter of a subscriber, at its join position.
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
        // Trap 39: it refers to its image, which tools and the archive look for.
        let spec = CounterSpec::subscriber_position(&subscription, new.image, new.join_position);
        self.allocate(now, &CounterSpec { owner_id: new.client_id, ..spec })
    }

    /// The static counter of this type and registration id, or the one that is in its way because it has an owner.
    pub(super) fn find_static(
        &self,
        type_id: i32,
        registration_id: RegistrationId,
    ) -> Option<Result<CounterId, CounterId>> {
        let (id, owner) = self.manager.find(type_id, registration_id)?;
        Some(if owner == NO_OWNER { Ok(id) } else { Err(id) })
    }

    /// How many counters each client owns.
    pub(super) fn count_by_owner(&self) -> BTreeMap<ClientId, usize> {
        let mut counts = BTreeMap::new();
        self.manager.reader().for_each(|counter| {
            if counter.owner_id != NO_OWNER {
                *counts.entry(counter.owner_id).or_default() += 1;
            }
        });
        counts
    }

    /// Frees a counter; its record rests for a while before it is used again (trap 35).
    pub(super) fn free(&mut self, now: EpochMillis, id: CounterId) {
        let freed = self.manager.free(now, id);
        debug_assert!(freed, "counter {id} is freed once");
    }

    fn free_all(&mut self, now: EpochMillis, counters: impl IntoIterator<Item = Counter>) {
        for counter in counters {
            self.free(now, counter.id);
        }
    }

    /// How many destinations an endpoint has.
    pub(super) fn allocate_for_destinations(
        &mut self,
        now: EpochMillis,
        channel: &str,
        registration_id: RegistrationId,
    ) -> Result<Counter, CommandError> {
        self.allocate(now, &CounterSpec::channel(ChannelCounter::MdcDestinations, channel, registration_id))
    }

    /// Restores what clients have stored over the states of up to `limit` counters; returns how many those were.
    pub(super) fn restore_states(&mut self, limit: usize) -> usize {
        self.manager.restore_states(limit)
    }

    /// An error was recorded.
    pub(super) fn on_error(&self) {
        // Every thread of the driver counts errors here.
        self.word(SystemCounter::Errors).fetch_add(1);
    }

    /// A log's file could not be deleted.
    pub(super) fn on_failed_deletion(&self) {
        self.add(SystemCounter::FreeFails, 1);
    }

    /// A dead publisher's claim was turned to padding.
    pub(super) fn on_unblocked_publication(&self) {
        self.add(SystemCounter::UnblockedPublications, 1);
    }

    /// A dead client's command was skipped.
    pub(super) fn on_unblocked_commands(&self) {
        self.add(SystemCounter::UnblockedCommands, 1);
    }

    /// A client was given up.
    pub(super) fn on_client_timeout(&self) {
        self.add(SystemCounter::ClientTimeouts, 1);
    }

    /// A name leads elsewhere.
    pub(super) fn on_resolution_change(&self) {
        self.add(SystemCounter::ResolutionChanges, 1);
    }

    /// A publication was revoked.
    pub(super) fn on_publication_revoked(&self) {
        self.add(SystemCounter::PublicationsRevoked, 1);
    }

    /// What a receiver says may not come as far as what its sender sends.
    pub(super) fn on_ttl_asymmetry(&self) {
        self.add(SystemCounter::PossibleTtlAsymmetry, 1);
    }

    /// An image was rejected.
    pub(super) fn on_image_rejected(&self) {
        self.add(SystemCounter::ImagesRejected, 1);
    }

    /// A file of this length was mapped.
    pub(super) fn on_mapped(&self, length: usize) {
        self.add(SystemCounter::BytesCurrentlyMapped, length as i64);
    }

    /// A file of this length is mapped no more.
    pub(super) fn on_unmapped(&self, length: usize) {
        self.add(SystemCounter::BytesCurrentlyMapped, -(length as i64));
    }

    /// A counter of name resolution, which belongs to nobody. None when there is no room for one more.
    pub(super) fn allocate_for_resolver(&mut self, type_id: i32, key: &[u8], label: &str) -> Option<Counter> {
        let spec = CounterSpec::application(type_id, key, label.as_bytes(), RegistrationId::new(0), ClientId::new(0));
        // Before the first duty cycle nothing was freed whose time would matter.
        self.allocate(EpochMillis::new(0), &spec).ok()
    }

    /// Says something else of a counter.
    pub(super) fn set_label(&mut self, counter: &Counter, label: &str) {
        self.manager.set_label(counter.id, &CounterLabel::new(label.as_bytes()));
    }

    /// A datagram was nothing that anybody says.
    pub(super) fn on_invalid_datagram(&self) {
        // Sender and receiver count these, too.
        self.word(SystemCounter::InvalidPackets).fetch_add(1);
    }

    /// What watches over something that should be short, and over which only the conductor watches.
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
