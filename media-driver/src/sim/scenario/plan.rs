//! The plan that a seed determines: the hosts, the streams between them, the network's behaviour, and the faults and
//! their times. A plan is data; `world` carries it out.

use std::net::IpAddr;

use gannet::types::StreamId;

use super::kind::Kind;
use crate::sim::Weather;

/// The maximum duration of a fault that loses no image, in nanoseconds. Lingers and receiver timeouts are 5 s.
pub(super) const SHORT_NS: i64 = 2_000_000_000;
/// The number of clients per driver.
pub(super) const CLIENTS: usize = 2;

/// The plan of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) hosts: Vec<HostPlan>,
    pub(super) weather: Weather,
    pub(super) streams: Vec<StreamPlan>,
    pub(super) disturbances: Vec<Disturbance>,
    /// Whether corrupted datagrams reach the drivers, so that no received data is reliable.
    pub(super) is_hostile: bool,
    /// Whether a fault lasts so long that images, and the messages they miss, may be lost.
    pub(super) may_lose: bool,
    pub(super) kind: Kind,
    /// After how many nanoseconds drivers unblock a stream, if publications are concurrent.
    pub(super) unblock_timeout_ns: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct HostPlan {
    pub(super) address: IpAddr,
    /// The number of turns, out of 256, that each agent misses.
    pub(super) laziness: u8,
    /// The initial value of its clock in nanoseconds.
    pub(super) clock_ns: i64,
    /// The drift of its clock: 0.01 is one percent too fast.
    pub(super) drift: f64,
    pub(super) answers_late: bool,
}

/// A client, by host and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: usize,
    pub(super) client: usize,
}

#[derive(Clone, Debug)]
pub(super) struct StreamPlan {
    pub(super) stream_id: StreamId,
    pub(super) publishers: Vec<PublisherPlan>,
    pub(super) publication: String,
    pub(super) term_length: i32,
    /// Whether spies simulate that the publication is connected, so that it does not wait for receivers.
    pub(super) is_spied: bool,
    /// Whether its log may end before all messages are published.
    pub(super) may_end: bool,
    /// Whether the publications are concurrent.
    pub(super) is_shared: bool,
    /// Whether holders of concurrent publications abandon claims.
    pub(super) abandons: bool,
    pub(super) subscribers: Vec<Subscriber>,
    /// The number of messages of each holder of a publication.
    pub(super) messages: u32,
    pub(super) longest: usize,
    pub(super) is_reliable: bool,
    /// The manual destination of each subscriber.
    pub(super) destinations: Vec<String>,
    /// Whether publishers leave after their last message, even if it has not arrived.
    pub(super) leaves_early: bool,
}

impl StreamPlan {
    /// Whether its publications wait for a group of receivers.
    pub(super) fn has_group(&self) -> bool {
        self.publication.contains("|fc=")
    }
}

/// A publisher: those that publish into one log, all on one host.
#[derive(Clone, Debug)]
pub(super) struct PublisherPlan {
    /// One if the publication is exclusive.
    pub(super) holders: Vec<HolderPlan>,
}

#[derive(Clone, Debug)]
pub(super) struct HolderPlan {
    pub(super) place: Place,
    /// Whether it leaves after its last message, even if that has not arrived.
    pub(super) leaves_early: bool,
    /// Whether it joins late.
    pub(super) is_late: bool,
}

impl PublisherPlan {
    pub(super) fn new(place: Place) -> Self {
        Self { holders: vec![HolderPlan { place, leaves_early: false, is_late: false }] }
    }

    /// The place of its first holder.
    pub(super) fn place(&self) -> Place {
        self.holders[0].place
    }
}

#[derive(Clone, Debug)]
pub(super) struct Subscriber {
    pub(super) place: Place,
    pub(super) channel: String,
    /// The address that is added to its subscription, if its channel has none.
    pub(super) listens_at: Option<String>,
    /// Whether it joins the stream late.
    pub(super) is_late: bool,
    /// Whether the stream does not wait for it, so that it may miss messages and lose its image.
    pub(super) may_be_outrun: bool,
    /// The time from each read to the next, in nanoseconds.
    pub(super) pause_ns: i64,
}

impl Subscriber {
    pub(super) fn new(place: Place, channel: String) -> Self {
        Self { place, channel, listens_at: None, is_late: false, may_be_outrun: false, pause_ns: 0 }
    }

    pub(super) fn is_spy(&self) -> bool {
        self.channel.starts_with("aeron-spy:")
    }
}

/// A temporary fault.
#[derive(Clone, Debug)]
pub(super) struct Disturbance {
    /// The begin and the end, since the streams are connected, in nanoseconds.
    pub(super) from_ns: i64,
    pub(super) until_ns: i64,
    pub(super) what: Trouble,
}

#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Nothing from the first host reaches the second.
    Cut(usize, usize),
    /// Nothing passes between the two hosts.
    Partition(usize, usize),
    ConductorSleeps(usize),
    SenderSleeps(usize),
    ReceiverSleeps(usize),
    ClientSleeps(Place),
    /// A client dies for good, without a close command.
    ClientDies(Place),
}

impl Plan {
    /// Whether everything arrives that is published: nobody dies, and nothing is corrupted.
    pub(super) fn is_sound(&self) -> bool {
        let dies = |one: &Disturbance| matches!(one.what, Trouble::ClientDies(_));
        !self.is_hostile && !self.disturbances.iter().any(dies)
    }
}
