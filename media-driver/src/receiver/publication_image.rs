//! The receiver's half of an image. It places arriving data into the image's log, asks for missing data, and tells the
//! sender how far the subscribers have read. The receiver owns it; the conductor samples the subscribers and decides
//! about the image's end.
//!
//! ```text
//!   underrun    |      window that was announced        |     accepted anyway      |  overrun
//!  -------------|---------------------------------------|--------------------------|-----------
//!            announced                          announced + window      announced + half a term
//! ```
//!
//! The receiver looks for loss, not the conductor: it knows itself what has arrived, and can ask for a gap without
//! waiting for another thread's turn.

use std::net::SocketAddr;

use fastrand::Rng;
use gannet::counters::SystemCounter;
use gannet::logbuffer::{gap_fill, gap_scan, rebuild};
use gannet::protocol::{
    DataFlags, DataHeader, ErrorFrame, Extent, GroupTag, MAX_ERROR_TEXT_LENGTH, Nak, ResponseSetup, RttMeasurement,
    StatusMessage, extent,
};
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId, TermId, TermLength};

use super::arrivals::Arrivals;
use super::congestion_control::{CongestionControl, Progress};
use super::connections::{CONNECTION_TIMEOUT_NS, Connections};
use super::loss_detector::{Detection, Gap, LossDetector};
use super::nak_delay::NakDelay;
use super::report::{Report, ReportOutlet};
use super::rest::{AT_ONCE, Rest};
use crate::mailbox::{EndpointId, Loss, LossRules, NewImage};
use crate::shared::{Condition, ImageWords, NetworkCounters, next_beat};

/// The error code that receivers send: the image was rejected.
const IMAGE_REJECTED: i32 = 13;

/// The effect of a datagram on an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A heartbeat without news, or an ignored datagram.
    Nothing,
    /// The next data in order, with nothing missing. Without further data there is nothing to do until subscribers have
    /// read beyond this position, which is far away if they cannot.
    Next(i64),
    /// Anything else: the image needs a turn.
    News,
}

/// The receiver's half of an image.
#[derive(Debug)]
pub struct PublicationImage {
    made_of: NewImage,
    congestion_control: CongestionControl,
    loss_detector: LossDetector,
    term_length: TermLength,
    initial_term_id: TermId,
    /// The maximum length of the sender's datagrams.
    mtu: i32,
    connections: Connections,
    /// The highest position that the stream is known to reach.
    highest: i64,
    /// The rebuilt position: everything below was received.
    rebuilt: i64,
    arrivals: Arrivals,
    /// The position in the next status message, and in the last one.
    scheduled: i64,
    scheduled_window: i32,
    announced: i64,
    /// Data that ends beyond this is dropped.
    overrun_threshold: i64,
    status_due: MonotonicNanos,
    last_packet: MonotonicNanos,
    phase: Phase,
    /// Whether it gets what arrives of its session.
    is_fed: bool,
    end: Option<End>,
    /// The number of transports in its log.
    shown_transports: usize,
    /// The session of the response, until the response has its receivers, and when it is to be sent next.
    response: Option<(SessionId, MonotonicNanos)>,
}

/// The phase of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// It receives data and sends status messages.
    Active,
    /// It tells with each status message that it leaves.
    Leaving,
    /// It receives nothing, and sends errors instead of status messages.
    Rejected(Box<[u8]>),
    /// It sends nothing any more.
    Mute,
}

#[derive(Clone, Copy, Debug)]
struct End {
    position: i64,
    revoked: bool,
}

impl PublicationImage {
    /// A new image. Its first duty cycle sends a status message (trap 42).
    pub fn new(made_of: NewImage, now: MonotonicNanos) -> Self {
        let join = made_of.join_position.get();
        let term_length = made_of.log.term_length();
        let congestion_control =
            CongestionControl::new(made_of.congestion_control, made_of.log.mtu() as i32, term_length, now);
        made_of.words.set_window(congestion_control.initial_window());
        let mut connections = Connections::new();
        connections.on_datagram(now, made_of.transport, made_of.control_address);
        Self {
            term_length,
            initial_term_id: made_of.log.initial_term_id(),
            mtu: made_of.log.mtu() as i32,
            connections,
            highest: join,
            rebuilt: join,
            arrivals: Arrivals::new(join),
            scheduled: join,
            scheduled_window: congestion_control.initial_window(),
            announced: join,
            overrun_threshold: join + i64::from(term_length.get() / 2),
            status_due: AT_ONCE,
            last_packet: now,
            phase: Phase::Active,
            is_fed: true,
            end: None,
            response: None,
            shown_transports: 0,
            congestion_control,
            loss_detector: LossDetector::new(NakDelay::new(made_of.loss)),
            made_of,
        }
    }

    /// The registration id.
    pub fn registration_id(&self) -> RegistrationId {
        self.made_of.registration_id
    }

    /// The session id.
    pub fn session_id(&self) -> SessionId {
        self.made_of.session_id
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.made_of.stream_id
    }

    /// Whether its sender has ended the stream.
    pub fn is_end_of_stream(&self) -> bool {
        self.end.is_some()
    }

    /// The rebuilt position: everything below was received.
    pub fn rebuilt(&self) -> i64 {
        self.rebuilt
    }

    /// The position in the last status message.
    pub fn announced(&self) -> i64 {
        self.announced
    }

    /// Starts leaving: from now on each status message tells so. Datagrams still arrive meanwhile.
    pub fn leave(&mut self) {
        if self.phase == Phase::Active {
            self.phase = Phase::Leaving;
            self.status_due = AT_ONCE;
        }
    }

    /// Rejects the image. From now on it receives nothing, and tells its sender why. A silent image tells nothing, because
    /// the sender would apply it to the session's new image.
    pub fn reject(&mut self, reason: &[u8]) {
        if self.phase == Phase::Mute {
            return;
        }
        let reason = &reason[..reason.len().min(MAX_ERROR_TEXT_LENGTH)];
        self.phase = Phase::Rejected(reason.into());
        self.status_due = AT_ONCE;
    }

    /// Sets the session that responds to the request that is this image. Its sender is told with the next status
    /// message, which is due at once, and then periodically, until this is set to `None`.
    pub fn set_response_session(&mut self, session_id: Option<SessionId>) {
        self.response = session_id.map(|session_id| (session_id, AT_ONCE));
        if session_id.is_some() {
            self.status_due = AT_ONCE;
        }
    }

    /// Changes the control address of one of its endpoint's sockets.
    pub fn move_control(&mut self, transport: EndpointId, control: SocketAddr) {
        self.connections.move_control(transport, control);
    }

    /// Handles that one of its endpoint's sockets was removed.
    pub fn remove_transport(&mut self, transport: EndpointId) {
        self.connections.remove(transport);
    }

    /// Makes the image silent, because its session has a new image. It must not report that their common receiver
    /// leaves (trap 32).
    pub fn fall_silent(&mut self) {
        self.phase = Phase::Mute;
        self.starve();
    }

    /// Handles that it gets no more of what arrives. It requests nothing any more, because that would arrive in vain.
    pub fn starve(&mut self) {
        self.is_fed = false;
    }

    /// Handles that nothing was received for so long because the receiver did not run. That does not count for its
    /// liveness.
    pub fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        self.last_packet = self.last_packet.saturating_add_ns(duration_ns).min(now);
    }

    /// Handles another setup of its session.
    pub fn on_setup(&mut self, now: MonotonicNanos, transport: EndpointId, control: SocketAddr) {
        self.connections.on_datagram(now, transport, control);
    }

    /// Handles a datagram of data, padding, or a heartbeat. `control` is the address for control frames.
    pub fn on_data(
        &mut self,
        now: MonotonicNanos,
        (transport, control): (EndpointId, SocketAddr),
        header: &DataHeader,
        datagram: &[u8],
        counters: &NetworkCounters,
    ) -> Arrival {
        // A term before the first: dropped, and not counted, as in the reference.
        let Some(position) = header.position(self.term_length, self.initial_term_id) else { return Arrival::Nothing };
        if matches!(self.phase, Phase::Rejected(_)) {
            return Arrival::Nothing;
        }
        let Ok(found) = extent(datagram, self.term_length) else {
            counters.count(SystemCounter::InvalidPackets);
            return Arrival::Nothing;
        };
        let position = position.get();
        let end = position + found.length() as i64;
        // Trap 27: the limit is half a term beyond the announced position, and not the window, which padding may
        // exceed.
        // Of padding its header counts, and a heartbeat may be where padding has led: unlike in the reference, a stream that
        // waits for its subscribers behind such padding stays alive.
        let placed = position + found.length().min(datagram.len()) as i64;
        let threshold = match found {
            Extent::Heartbeat => self.overrun_threshold.max(self.highest),
            Extent::Frames(_) => self.overrun_threshold,
        };
        if placed > threshold {
            counters.count(SystemCounter::FlowControlOverRuns);
            // A sender exceeds its limit by padding, and then waits. If everything since the last status message were
            // lost, nobody would request it, and both sides would wait until the image timed out. So what its heartbeat
            // shows is requested, as far as it could be placed. The reference waits.
            let is_news = matches!(found, Extent::Heartbeat) && self.raise_highest(self.overrun_threshold);
            return if is_news { Arrival::News } else { Arrival::Nothing };
        }
        let is_news = match found {
            Extent::Heartbeat => {
                let oldest = (self.announced - i64::from(self.term_length.get())).max(0);
                if position < oldest {
                    counters.count(SystemCounter::FlowControlUnderRuns);
                    return Arrival::Nothing;
                }
                counters.count(SystemCounter::HeartbeatsReceived);
                self.connections.on_datagram(now, transport, control);
                let ends = header.flags.contains(DataFlags::END_OF_STREAM);
                if ends {
                    self.on_end_of_stream(transport, position, header.flags.contains(DataFlags::REVOKED), counters);
                }
                ends
            }
            Extent::Frames(_) => {
                if position < self.announced {
                    // Trap 48: a late duplicate is normal, and no sign of life; but it shows that the slower of two
                    // transports is alive.
                    counters.count(SystemCounter::FlowControlUnderRuns);
                    if end >= self.announced - i64::from(self.congestion_control.max_window()) {
                        self.connections.on_datagram(now, transport, control);
                    }
                    return Arrival::Nothing;
                }
                self.connections.on_datagram(now, transport, control);
                // Received data is being read, or will be. A frame that claims to start within it is a duplicate at
                // best.
                if self.arrivals.admits(position) && rebuild(&self.made_of.log, Position::new(position), datagram) {
                    self.arrivals.on_placed(position, end);
                }
                true
            }
        };
        // Trap 53: accepted frames only.
        self.last_packet = now;
        // Trap 47: a heartbeat also raises it, or the loss of the last datagram would never be detected.
        if !self.raise_highest(end.max(position)) && !is_news {
            return Arrival::Nothing;
        }
        match &self.congestion_control {
            CongestionControl::Static(window) if self.arrivals.frontier() == self.highest && self.end.is_none() => {
                let window = window.get();
                self.complete_to(self.highest);
                Arrival::Next(self.awaited_reads(window))
            }
            _ => Arrival::News,
        }
    }

    /// Records that everything up to there was received or filled.
    fn complete_to(&mut self, position: i64) {
        if position > self.rebuilt {
            self.rebuilt = position;
            self.arrivals.complete_to(position);
            self.made_of.words.set_rebuilt(position);
            self.made_of.counters.position.store_release(position);
        }
    }

    /// Records that the sender has sent up to `position`. Returns whether that is news.
    fn raise_highest(&mut self, position: i64) -> bool {
        let is_higher = position > self.highest;
        if is_higher {
            self.highest = position;
            self.made_of.words.set_highest(position);
            self.made_of.counters.highest.store_release(position);
        }
        is_higher
    }

    /// Handles a round-trip request or response.
    pub fn on_rtt_measurement(
        &mut self,
        now: MonotonicNanos,
        (transport, from): (EndpointId, SocketAddr),
        found: &RttMeasurement,
        out: &mut impl ReportOutlet,
    ) {
        if found.wants_answer {
            out.put(transport, from, &Report::Rtt(found.answer(self.made_of.receiver_id)));
        } else if let Some(rtt_ns) = measured_rtt(now, found) {
            self.congestion_control.on_rtt(now, rtt_ns);
        }
    }

    /// Runs one duty cycle: finds gaps, and sends what is due. Returns the work count without periodic frames, and a
    /// newly detected loss.
    pub fn poll(
        &mut self,
        now: MonotonicNanos,
        random: &mut Rng,
        counters: &NetworkCounters,
        out: &mut impl ReportOutlet,
    ) -> (usize, Option<Loss>) {
        let is_revoked = self.end.is_some_and(|end| end.revoked);
        let mut loss = None;
        let mut gaps = 0;
        if !matches!(self.phase, Phase::Rejected(_)) {
            let scanned = gap_scan(&self.made_of.log, Position::new(self.rebuilt), Position::new(self.highest));
            self.complete_to(scanned.rebuilt.get());
            let found = match scanned.gap {
                Some((position, length)) => {
                    let first = Gap { position: position.get(), length };
                    let gaps = with_later_gaps(&self.arrivals, first, self.highest, self.term_length);
                    self.loss_detector.on_scan(now, gaps, random)
                }
                None => Detection::default(),
            };
            if found.lost > 0 {
                let length = i32::try_from(found.lost).unwrap_or(i32::MAX);
                loss = Some(Loss { registration_id: self.made_of.registration_id, length });
            }
            gaps = if self.is_fed { found.gaps } else { 0 };
            self.schedule(now, found.lost > 0);
        }
        let mut work = self.report_status(now, counters, out);
        for number in 0..gaps {
            if let Some(gap) = self.loss_detector.report(now, number, random).filter(|_| !is_revoked) {
                self.mend(gap, now, counters, out);
                work += 1;
            }
        }
        if self.phase == Phase::Active && self.congestion_control.is_rtt_request_due(now) {
            let question = RttMeasurement {
                session_id: self.made_of.session_id,
                stream_id: self.made_of.stream_id,
                echo_timestamp_ns: now.get(),
                reception_delta_ns: 0,
                receiver_id: self.made_of.receiver_id,
                wants_answer: true,
            };
            self.connections.send(now, &Report::Rtt(question), out);
            work += 1;
        }
        self.tell_condition(now);
        (work, loss)
    }

    /// When work is due even if nothing arrives.
    pub fn next_deadline(&self) -> MonotonicNanos {
        self.next_report().min(self.next_look_at_gaps())
    }

    /// When the next status message is due.
    fn next_report(&self) -> MonotonicNanos {
        if self.phase == Phase::Mute { MonotonicNanos::NEVER } else { self.status_due.saturating_add_ns(1) }
    }

    /// When the next NAK or gap fill is due.
    fn next_look_at_gaps(&self) -> MonotonicNanos {
        let has_gap = self.rebuilt < self.highest && self.is_fed && !matches!(self.phase, Phase::Rejected(_));
        let gap = self.loss_detector.next_deadline().filter(|_| has_gap);
        gap.unwrap_or(MonotonicNanos::NEVER)
    }

    /// The image's rest after a turn without work. `None` if its next turn may find work even if nothing arrives and no
    /// subscriber reads.
    pub(super) fn rest(&self) -> Option<Rest> {
        // Other windows change with time.
        let CongestionControl::Static(window) = &self.congestion_control else { return None };
        let silence = if self.made_of.words.condition() == Condition::Live {
            self.last_packet.saturating_add_ns(self.made_of.liveness_timeout_ns).saturating_add_ns(1)
        } else {
            MonotonicNanos::NEVER
        };
        let is_rejected = matches!(self.phase, Phase::Rejected(_));
        let reads = if is_rejected { i64::MAX } else { self.awaited_reads(window.get()) };
        // Periodic frames are sent together with those of other images.
        Some(Rest { reads, until: next_beat(self.next_report()).min(self.next_look_at_gaps()).min(silence) })
    }

    /// The words that it shares with the conductor.
    pub fn words(&self) -> &ImageWords {
        &self.made_of.words
    }

    /// The number of transports from which data was received lately.
    fn active_transports(&self, now: MonotonicNanos) -> usize {
        self.connections.active(now, self.made_of.liveness_timeout_ns)
    }

    /// Whether the announced window has room for another datagram of the maximum length.
    fn has_room(&self, window: i32) -> bool {
        self.scheduled + i64::from(window) - self.highest >= i64::from(self.mtu)
    }

    /// The position beyond which subscribers must read for a status message to be due; the maximum if they cannot read so
    /// far.
    fn awaited_reads(&self, window: i32) -> i64 {
        let quarter = self.scheduled + i64::from(window / 4);
        let reads = if self.has_room(window) { quarter } else { quarter.min(self.highest - 1) };
        // Subscribers cannot read beyond what was received.
        if self.highest <= reads { i64::MAX } else { reads }
    }

    /// Decides whether a status message is due early.
    fn schedule(&mut self, now: MonotonicNanos, loss_found: bool) {
        let consumed = self.made_of.words.consumed();
        let progress = Progress { consumed, scheduled: self.scheduled, loss_found };
        let decision = self.congestion_control.on_progress(now, progress);
        if let Some([rtt, window]) = &self.made_of.counters.cubic {
            let (rtt_ns, window_bytes) = (self.congestion_control.rtt_ns(), i64::from(decision.window));
            for (word, value) in [(rtt, rtt_ns), (window, window_bytes)] {
                if word.load_relaxed() != value {
                    word.store_release(value);
                }
            }
        }
        // Trap 45: strictly more than a quarter, counted from the scheduled position.
        let is_far = consumed > self.scheduled + i64::from(decision.window / 4);
        // Everything was read, and the sender may wait for the window. Unlike the reference, this sends a status message:
        // if the window is hardly longer than a datagram, the stream would stop for ever.
        let is_awaited = consumed > self.scheduled && consumed >= self.highest && !self.has_room(decision.window);
        if decision.force || is_far || is_awaited || decision.window != self.scheduled_window {
            self.scheduled = consumed;
            self.scheduled_window = decision.window;
            self.made_of.words.set_window(decision.window);
            self.status_due = AT_ONCE;
        }
    }

    /// Sends a status message, or an error if the image was rejected, if it is due.
    fn report_status(&mut self, now: MonotonicNanos, counters: &NetworkCounters, out: &mut impl ReportOutlet) -> usize {
        if self.status_due >= now || self.phase == Phase::Mute {
            return 0;
        }
        let work = usize::from(self.status_due == AT_ONCE);
        self.status_due = now.saturating_add_ns(self.made_of.status_message_timeout_ns);
        if let Phase::Rejected(reason) = &self.phase {
            let error = ErrorFrame {
                session_id: self.made_of.session_id,
                stream_id: self.made_of.stream_id,
                receiver_id: self.made_of.receiver_id,
                group_tag: self.made_of.group_tag,
                error_code: IMAGE_REJECTED,
                text: reason,
            };
            let sent = self.connections.send_to_all(&Report::Error(error), out);
            counters.add(SystemCounter::ErrorFramesSent, sent as i64);
            return work;
        }
        if let Some((response_session_id, due)) = self.response
            && due < now
        {
            self.response = Some((response_session_id, self.status_due));
            let (session_id, stream_id) = (self.made_of.session_id, self.made_of.stream_id);
            let setup = ResponseSetup { session_id, stream_id, response_session_id };
            self.connections.send(now, &Report::Response(setup), out);
        }
        if !self.has_room(self.scheduled_window) {
            // Otherwise the last position is repeated, as in the reference, even if a part of a quarter was read since.
            self.scheduled = self.scheduled.max(self.made_of.words.consumed());
        }
        let at = Position::new(self.scheduled);
        let message = StatusMessage {
            session_id: self.made_of.session_id,
            stream_id: self.made_of.stream_id,
            consumption_term_id: self.term_length.term_id(at, self.initial_term_id),
            consumption_term_offset: self.term_length.offset(at),
            receiver_window: self.scheduled_window,
            receiver_id: self.made_of.receiver_id,
            group_tag: self.made_of.group_tag.map_or(GroupTag::None, GroupTag::Tag),
            asks_for_setup: false,
            end_of_stream: self.phase == Phase::Leaving,
        };
        let sent = self.connections.send(now, &Report::Status(message), out);
        counters.add(SystemCounter::StatusMessagesSent, sent as i64);
        // Trap 46: only what was actually sent.
        if sent > 0 {
            self.announced = self.scheduled;
            self.overrun_threshold = self.announced + i64::from(self.term_length.get() / 2);
        }
        self.show_transports(now);
        work
    }

    /// Stores the number of transports in the log, for clients.
    fn show_transports(&mut self, now: MonotonicNanos) {
        let count = self.active_transports(now);
        if count != self.shown_transports {
            self.shown_transports = count;
            self.made_of.log.metadata().set_active_transport_count(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    /// Requests missing data, or fills the gap.
    fn mend(&mut self, gap: Gap, now: MonotonicNanos, counters: &NetworkCounters, out: &mut impl ReportOutlet) {
        let at = Position::new(gap.position);
        if self.made_of.loss == LossRules::Fill {
            if gap_fill(&self.made_of.log, at, gap.length) {
                counters.count(SystemCounter::LossGapFills);
                // Readers continue at once, so what begins in the padding must not be placed: it may reach beyond.
                self.arrivals.complete_to(gap.position + i64::from(gap.length));
            }
            return;
        }
        let nak = Nak {
            session_id: self.made_of.session_id,
            stream_id: self.made_of.stream_id,
            term_id: self.term_length.term_id(at, self.initial_term_id),
            term_offset: self.term_length.offset(at),
            length: gap.length,
        };
        let sent = self.connections.send(now, &Report::Nak(nak), out);
        counters.add(SystemCounter::NaksSent, sent as i64);
        self.made_of.counters.naks_sent.fetch_add(sent as i64);
    }

    /// Handles an end of stream. The stream ends once all transports have reported it (trap 54).
    fn on_end_of_stream(&mut self, from: EndpointId, position: i64, revoked: bool, counters: &NetworkCounters) {
        let ends = self.connections.on_end_of_stream(from, position);
        if self.end.is_some() || !ends {
            return;
        }
        let position = self.connections.end().unwrap_or(position);
        self.end = Some(End { position, revoked });
        if revoked {
            counters.count(SystemCounter::PublicationImagesRevoked);
        }
    }

    /// Tells the conductor the condition of the image.
    fn tell_condition(&mut self, now: MonotonicNanos) {
        let condition = match self.end {
            Some(End { position, revoked: true }) => Condition::Ended { position, revoked: true },
            // Trap 55: only once everything was received, because lost data may still arrive.
            Some(End { position, revoked: false }) if self.rebuilt >= self.highest => {
                Condition::Ended { position, revoked: false }
            }
            _ if now.since(self.last_packet) > self.made_of.liveness_timeout_ns => Condition::Silent,
            _ => return,
        };
        if self.made_of.words.condition() == Condition::Live {
            self.made_of.words.set_condition(condition);
            if matches!(condition, Condition::Ended { .. }) {
                self.leave();
            }
        }
    }
}

/// The round-trip time according to an answer. `None` if it answers no question of the last seconds: a long time would
/// be believed for a multiple of it, because the next question waits for that long.
fn measured_rtt(now: MonotonicNanos, answer: &RttMeasurement) -> Option<i64> {
    let waited = now.get().checked_sub(answer.echo_timestamp_ns)?;
    let rtt_ns = waited.checked_sub(answer.reception_delta_ns)?;
    ((0..=CONNECTION_TIMEOUT_NS).contains(&waited) && (0..=waited).contains(&rtt_ns)).then_some(rtt_ns)
}

/// The first gap, and the later ones in its term (trap 50).
fn with_later_gaps(
    arrivals: &Arrivals,
    first: Gap,
    highest: i64,
    term_length: TermLength,
) -> impl Iterator<Item = Gap> + '_ {
    let term = i64::from(term_length.get());
    let end_of_term = first.position - first.position.rem_euclid(term) + term;
    let later = arrivals.gaps_after(first.position, highest).filter_map(move |(begin, end)| {
        let length = end.min(end_of_term) - begin;
        (length > 0).then_some(Gap { position: begin, length: length as i32 })
    });
    std::iter::once(first).chain(later)
}
