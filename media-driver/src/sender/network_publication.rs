//! The sender's half of a network publication: the data that it sends, its setups and heartbeats, the messages of its
//! receivers, and its retransmits. The sender owns it; the conductor moves the publisher's limit and decides about the
//! publication's end.
//!
//! ```text
//!   end of the log's retransmittable range
//!       |              sent            next              limit
//!  -----|---------------|---------------|------------------|----------- position
//!       | may be asked  |  with the     |  allowed by flow |
//!       | for again     |  transport    |  control         |
//! ```
//!
//! Submitted is not sent: `sent` follows the transport's completions, oldest first. If the transport could not send a
//! transmit, everything from there on is sent again (trap 31).

use std::collections::VecDeque;

use gannet::counters::SystemCounter;
use gannet::logbuffer::{LogBuffers, NextFrame, Sendable, sendable};
use gannet::protocol::{ErrorFrame, GroupTag, Heartbeat, Nak, RttMeasurement, Setup, StatusMessage};
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId, TermId, TermLength};

use super::flow_control::{FlowControl, ReceiverReport, retransmit_length};
use super::outlet::{Outgoing, Outlet};
use super::retransmit::{NakAnswer, RetransmitHandler, TermRange};
use crate::mailbox::{MAX_RECEIVERS, NewNetworkPublication, Outcome};
use crate::shared::{NetworkCounters, Receivers, next_beat};

/// The interval of heartbeats while nothing is sent, in nanoseconds.
const HEARTBEAT_INTERVAL_NS: i64 = 100_000_000;
/// The interval of setups while there are no receivers, in nanoseconds.
const SETUP_INTERVAL_NS: i64 = 100_000_000;
/// The maximum number of datagrams of a publication that its transport holds.
const MAX_IN_FLIGHT: usize = 256;
/// The maximum number of pending round-trip responses. Further requests are dropped, and the receiver asks again.
const MAX_RTT_ANSWERS: usize = 16;
/// The maximum number of responses and retransmits per duty cycle, so that new data is sent as well.
const MAX_ANSWERS_PER_CYCLE: usize = 64;
/// The maximum number of retransmits that wait for space in the batch. Further ones count as overflows, and the
/// receiver asks again.
const MAX_RESENDS: usize = 256;

/// What the sender knows about an idle publication, so that it need not look at the publication. It may have thousands
/// of them.
#[derive(Debug)]
pub struct Rest {
    next_frame: NextFrame,
    until: MonotonicNanos,
}

impl Rest {
    /// When work is due.
    #[inline]
    pub fn until(&self) -> MonotonicNanos {
        self.until
    }

    /// Whether nothing was published since. Loads from the log: on another page for each publication, this may take a
    /// memory access and several more to translate the address.
    #[inline]
    pub fn is_undisturbed(&self) -> bool {
        self.next_frame.is_untouched()
    }
}

/// The sender's half of a network publication.
#[derive(Debug)]
pub struct NetworkPublication {
    made_of: NewNetworkPublication,
    flow_control: FlowControl,
    retransmit: RetransmitHandler,
    term_length: TermLength,
    initial_term_id: TermId,
    /// The position up to which the operating system has accepted everything.
    sent: i64,
    /// The position up to which everything was passed to the transport.
    next: i64,
    /// The limit: the position up to which receivers accept data.
    limit: i64,
    /// The transmits of the transport, oldest first.
    in_flight: VecDeque<InFlight>,
    /// Whether the transport has failed to send any of them.
    is_broken: bool,
    /// Why the next data was not sent, if that was tried.
    failed: Option<Outcome>,
    /// The ranges to retransmit.
    resends: VecDeque<Resend>,
    rtt_answers: VecDeque<RttMeasurement>,
    receivers: Vec<(i64, MonotonicNanos)>,
    last_setup: MonotonicNanos,
    last_sent: MonotonicNanos,
    has_initial_connection: bool,
    is_setup_elicited: bool,
    has_left: bool,
    is_limited: bool,
    /// The end-of-stream position, once known, and whether the publication was revoked.
    end: Option<(i64, bool)>,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    begin: i64,
    end: i64,
    /// The number of its datagrams that the transport has not completed.
    unanswered: usize,
}

#[derive(Clone, Copy, Debug)]
struct Resend {
    position: i64,
    end: i64,
}

impl NetworkPublication {
    /// A new publication. Its first duty cycle sends a setup.
    pub fn new(made_of: NewNetworkPublication, now: MonotonicNanos) -> Self {
        let start = made_of.start_position.get();
        let long_ago = now.saturating_add_ns(-SETUP_INTERVAL_NS - 1);
        Self {
            flow_control: FlowControl::new(made_of.flow_control),
            retransmit: RetransmitHandler::new(made_of.retransmit),
            term_length: made_of.log.term_length(),
            initial_term_id: made_of.log.initial_term_id(),
            sent: start,
            next: start,
            limit: start,
            in_flight: VecDeque::with_capacity(MAX_IN_FLIGHT),
            is_broken: false,
            failed: None,
            resends: VecDeque::with_capacity(MAX_RESENDS),
            rtt_answers: VecDeque::with_capacity(MAX_RTT_ANSWERS),
            receivers: Vec::with_capacity(MAX_RECEIVERS),
            last_setup: long_ago,
            last_sent: long_ago,
            has_initial_connection: false,
            is_setup_elicited: false,
            has_left: false,
            is_limited: false,
            end: None,
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

    /// Whether it asks for a response channel.
    pub fn asks_for_response(&self) -> bool {
        self.made_of.asks_for_response
    }

    /// Its log.
    pub fn log(&self) -> &LogBuffers {
        &self.made_of.log
    }

    /// The position up to which everything was sent.
    pub fn sent(&self) -> i64 {
        self.sent
    }

    /// The position up to which receivers accept data.
    pub fn limit(&self) -> i64 {
        self.limit
    }

    /// Whether any receiver is alive.
    pub fn has_receivers(&self) -> bool {
        !self.receivers.is_empty()
    }

    /// Sets the end-of-stream position. A revoked stream ends even if not everything was sent.
    pub fn end_at(&mut self, position: i64, revoked: bool) {
        self.end = Some((position, revoked));
    }

    /// Whether it has data that its receivers do not accept yet.
    pub fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Whether the stream has ended: everything was sent, or it was revoked.
    pub fn is_end_of_stream(&self) -> bool {
        self.end.is_some_and(|(position, revoked)| revoked || self.sent >= position)
    }

    /// Runs one duty cycle: hands out what is due. Returns the number of datagrams and frames, without setups and
    /// heartbeats, which are periodic and do not mean that there is more work.
    pub fn poll(&mut self, now: MonotonicNanos, counters: &NetworkCounters, out: &mut impl Outlet) -> usize {
        if !self.has_initial_connection || self.is_setup_elicited {
            self.present(now, out);
        }
        while self.resends.len() < MAX_RESENDS
            && let Some(range) = self.retransmit.poll_due(now)
        {
            self.queue_resend(range);
        }
        // Before new data, because receivers wait for what they are missing.
        let is_asked = !(self.rtt_answers.is_empty() && self.resends.is_empty());
        let answered = if is_asked { self.answer(counters, out) } else { 0 };
        let sent = if self.is_left_to_spies() { 0 } else { self.send_data(now, counters, out) };
        // A receiver to which sending fails must not count as alive.
        if sent == 0 || self.failed.is_some() {
            self.be_idle(now, counters, out);
        }
        // What is refused now is refused again at once. It is tried again, but does not keep the thread awake.
        answered + if self.failed == Some(Outcome::Refused) { 0 } else { sent }
    }

    /// Runs a duty cycle of an idle publication: does what is due by time, mostly a heartbeat, and continues to rest.
    /// Returns false, without doing anything, if there may be more to do.
    pub fn poll_resting(
        &mut self,
        now: MonotonicNanos,
        rest: &mut Rest,
        counters: &NetworkCounters,
        out: &mut impl Outlet,
    ) -> bool {
        if self.retransmit.next_deadline().is_some_and(|due| now >= due) {
            return false;
        }
        if !self.has_initial_connection || self.is_setup_elicited {
            self.present(now, out);
        }
        self.be_idle(now, counters, out);
        rest.until = self.next_change();
        true
    }

    /// Handles the completion of a datagram of new data that starts at `begin`. It is sent again if it was not sent.
    pub fn on_completion(&mut self, begin: i64, outcome: Outcome) {
        if outcome != Outcome::Sent {
            self.is_broken = true;
            self.failed = Some(outcome);
        }
        if let Some(entry) = self.in_flight.iter_mut().find(|entry| entry.begin == begin) {
            entry.unanswered = entry.unanswered.saturating_sub(1);
        }
        self.settle();
    }

    /// How often a receiver was not followed, because there are too many.
    pub fn not_followed(&self) -> u64 {
        self.flow_control.turned_away()
    }

    /// The consumption position in a status message. `None` if it belongs to another stream, or is invalid.
    pub fn position_in(&self, message: &StatusMessage) -> Option<i64> {
        message.check(self.term_length).ok()?;
        let position = message.position(self.term_length, self.initial_term_id).get();
        // Trap 30. A position this far off must not change the limit. Padding may have exceeded the limit: unlike in the
        // reference, a receiver that has not read anything since is not taken for a stranger.
        let half = i64::from(self.term_length.get() / 2);
        let oldest = self.sent.min(self.limit) - half;
        (position >= 0 && (oldest..=self.sent + half).contains(&position)).then_some(position)
    }

    /// Handles a status message or a request for a setup.
    pub fn on_status_message(&mut self, now: MonotonicNanos, message: &StatusMessage, counters: &NetworkCounters) {
        if message.check(self.term_length).is_err() {
            counters.count(SystemCounter::InvalidPackets);
            return;
        }
        let group_tag = match message.group_tag {
            GroupTag::Tag(tag) => Some(tag),
            GroupTag::None | GroupTag::Malformed => None,
        };
        if message.asks_for_setup {
            // Trap 23: neither a sign of life nor a position. And an ended stream cannot be joined.
            if !self.is_end_of_stream() {
                self.flow_control.on_setup_requested(message.receiver_id, group_tag);
                self.is_setup_elicited = true;
            }
            return;
        }
        let Some(position) = self.position_in(message) else {
            counters.count(SystemCounter::StatusMessagesRejected);
            return;
        };
        counters.count(SystemCounter::StatusMessagesReceived);
        if message.end_of_stream {
            self.receivers.retain(|&(id, _)| id != message.receiver_id);
        } else if let Some(known) = self.receivers.iter_mut().find(|(id, _)| *id == message.receiver_id) {
            known.1 = now;
        } else if self.receivers.len() < MAX_RECEIVERS {
            self.receivers.push((message.receiver_id, now));
        }
        // The successor of the only receiver that left may still miss something.
        self.has_left = message.end_of_stream && self.receivers.is_empty() && !self.made_of.group;
        self.has_initial_connection = true;
        let report = ReceiverReport {
            receiver_id: message.receiver_id,
            group_tag,
            position,
            window: message.receiver_window,
            is_leaving: message.end_of_stream,
        };
        let limit = self.flow_control.on_status_message(now, &report, self.limit);
        self.set_limit(limit);
        self.tell_of_receivers();
    }

    /// Handles a NAK.
    pub fn on_nak(&mut self, now: MonotonicNanos, nak: &Nak, counters: &NetworkCounters) {
        if nak.check(self.term_length).is_err() {
            counters.count(SystemCounter::InvalidPackets);
            return;
        }
        counters.count(SystemCounter::NaksReceived);
        self.made_of.counters.naks_received.fetch_add(1);
        let length = retransmit_length(
            self.term_length,
            nak.term_offset,
            nak.length,
            self.made_of.retransmit_windows,
            self.made_of.initial_window,
        );
        let range = TermRange { term_id: nak.term_id, offset: nak.term_offset, length };
        // What cannot be retransmitted must not take a slot.
        if self.resendable(&range).is_none() {
            return;
        }
        if self.resends.len() >= MAX_RESENDS {
            counters.count(SystemCounter::RetransmitOverflow);
            return;
        }
        match self.retransmit.on_nak(now, range) {
            NakAnswer::Resend(range) => self.queue_resend(range),
            NakAnswer::Overflow => counters.count(SystemCounter::RetransmitOverflow),
            NakAnswer::Delayed | NakAnswer::Ignored => {}
        }
    }

    /// Handles a round-trip request.
    pub fn on_rtt_measurement(&mut self, question: &RttMeasurement) {
        if question.wants_answer && self.rtt_answers.len() < MAX_RTT_ANSWERS {
            self.rtt_answers.push_back(question.answer(question.receiver_id));
        }
    }

    /// Handles a rejection. Returns whether the receiver was known, because its further rejections are no news.
    pub fn on_error(&mut self, error: &ErrorFrame<'_>, counters: &NetworkCounters) -> bool {
        counters.count(SystemCounter::ErrorFramesReceived);
        self.flow_control.on_error(error.receiver_id, error.group_tag);
        let before = self.receivers.len();
        self.receivers.retain(|&(id, _)| id != error.receiver_id);
        self.tell_of_receivers();
        self.receivers.len() < before
    }

    /// Handles that nothing was received for so long because the sender did not run. That does not count for the liveness
    /// of receivers.
    pub fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        for (_, heard) in &mut self.receivers {
            *heard = heard.saturating_add_ns(duration_ns).min(now);
        }
        self.flow_control.on_standstill(now, duration_ns);
    }

    /// When work is due even if nothing arrives and nothing is published.
    pub fn next_deadline(&self) -> MonotonicNanos {
        self.next_sign().min(self.next_resend())
    }

    /// When the next heartbeat or setup is due.
    fn next_sign(&self) -> MonotonicNanos {
        let heartbeat = if self.has_initial_connection {
            self.last_sent.saturating_add_ns(HEARTBEAT_INTERVAL_NS + 1)
        } else {
            MonotonicNanos::NEVER
        };
        let setup = if !self.has_initial_connection || self.is_setup_elicited {
            self.last_setup.saturating_add_ns(SETUP_INTERVAL_NS + 1)
        } else {
            MonotonicNanos::NEVER
        };
        heartbeat.min(setup)
    }

    /// When the next retransmit is due.
    fn next_resend(&self) -> MonotonicNanos {
        self.retransmit.next_deadline().unwrap_or(MonotonicNanos::NEVER)
    }

    /// The publication's rest after a turn without work. `None` if its next turn may find work even if nothing is
    /// published and nothing arrives.
    pub fn rest(&self) -> Option<Rest> {
        if !self.may_rest() {
            return None;
        }
        let (log, at) = (&self.made_of.log, Position::new(self.next));
        // In this order, because data that is published after the first look changes the result of the first look.
        let next_frame = NextFrame::of(log, at)?;
        if !next_frame.was_free() && sendable(log, at, 0) != Sendable::default() {
            return None;
        }
        Some(Rest { next_frame, until: self.next_change() })
    }

    /// Whether the rest continues without a turn, after the transport has completed the last published data, for which
    /// it had ended. Nothing else has happened that would end it.
    #[inline]
    pub fn goes_on_resting(&self, rest: &mut Rest) -> bool {
        if !self.may_rest() {
            return false;
        }
        let next_frame = NextFrame::of(&self.made_of.log, Position::new(self.next)).filter(NextFrame::was_free);
        let is_free = next_frame.is_some();
        if let Some(next_frame) = next_frame {
            rest.next_frame = next_frame;
        }
        is_free
    }

    /// Whether only its publisher and time can cause work.
    #[inline]
    fn may_rest(&self) -> bool {
        // With a group or with spies, each turn may find work.
        let is_paced_by_one = matches!(self.flow_control, FlowControl::Unicast | FlowControl::Max);
        is_paced_by_one
            && !self.made_of.spies_simulate_connection
            && !self.is_broken
            && !self.is_limited
            && self.in_flight.is_empty()
            && self.resends.is_empty()
            && self.rtt_answers.is_empty()
    }

    /// When periodic work is due, rounded so that it coincides with that of other publications.
    fn next_change(&self) -> MonotonicNanos {
        let timeout_ns = self.made_of.connection_timeout_ns;
        let expiry = self.receivers.iter().map(|&(_, heard)| heard.saturating_add_ns(timeout_ns)).min();
        next_beat(self.next_sign().min(expiry.unwrap_or(MonotonicNanos::NEVER))).min(self.next_resend())
    }

    /// Sends a setup if it is due.
    fn present(&mut self, now: MonotonicNanos, out: &mut impl Outlet) {
        if now <= self.last_setup.saturating_add_ns(SETUP_INTERVAL_NS) || !out.has_room() {
            return;
        }
        if self.is_setup_elicited {
            self.flow_control.on_setup(now, self.limit);
        }
        let at = Position::new(self.sent);
        let setup = Setup {
            term_offset: self.term_length.offset(at),
            session_id: self.made_of.session_id,
            stream_id: self.made_of.stream_id,
            initial_term_id: self.initial_term_id,
            // Trap 4: the term of the sender's position, not of the publisher's.
            active_term_id: self.term_length.term_id(at, self.initial_term_id),
            term_length: self.term_length,
            mtu: self.made_of.log.mtu() as i32,
            ttl: self.made_of.ttl,
            asks_for_response: self.made_of.asks_for_response,
            group: self.made_of.group,
        };
        out.put(&self.made_of.log, Outgoing::Setup(setup));
        self.last_setup = now;
        if !self.receivers.is_empty() {
            // Trap 25: without receivers the request stays pending.
            self.is_setup_elicited = false;
        }
    }

    /// Whether nobody but spies reads, and what is still within the limit of the receivers that are gone cannot be sent.
    fn is_left_to_spies(&self) -> bool {
        self.failed.is_some() && self.receivers.is_empty() && self.simulating_spy().is_some()
    }

    /// The position of the furthest spy, if spies simulate a connection.
    fn simulating_spy(&self) -> Option<i64> {
        self.made_of.words.spy_position().filter(|_| self.made_of.spies_simulate_connection)
    }

    fn send_data(&mut self, now: MonotonicNanos, counters: &NetworkCounters, out: &mut impl Outlet) -> usize {
        if self.is_broken {
            return 0;
        }
        let mtu = self.made_of.log.mtu();
        let mut sent = 0;
        while sent < self.made_of.max_datagrams_per_cycle && self.in_flight.len() < MAX_IN_FLIGHT && out.has_room() {
            let window = self.limit - self.next;
            let most = usize::try_from(window).unwrap_or(0).min(mtu);
            let found = sendable(&self.made_of.log, Position::new(self.next), most);
            if found.advance == 0 {
                // Trap 26: only whole frames are sent.
                self.note_limit(found.is_too_long || window <= 0, counters);
                break;
            }
            self.is_limited = false;
            out.put(&self.made_of.log, Outgoing::Data(Position::new(self.next), found.wire));
            let (end, unanswered) = (self.next + found.advance as i64, out.destinations());
            self.in_flight.push_back(InFlight { begin: self.next, end, unanswered });
            self.next = end;
            sent += 1;
            if unanswered == 0 {
                // Without destinations there is no completion to wait for.
                self.settle();
            }
            if found.is_last {
                break;
            }
        }
        // What is refused is no sign of life. A heartbeat may be sent where the path takes no longer datagram.
        if sent > 0 && self.failed.is_none() {
            self.last_sent = now;
        }
        sent
    }

    /// Records whether the limit holds it back. Counted once each time.
    fn note_limit(&mut self, is_limited: bool, counters: &NetworkCounters) {
        if is_limited && !self.is_limited && self.next < self.made_of.log.producer_position().get() {
            self.is_limited = true;
            self.made_of.counters.back_pressure.fetch_add(1);
            counters.count(SystemCounter::SenderFlowControlLimits);
        }
    }

    /// Handles a duty cycle without data: sends heartbeats, and checks whether receivers are alive.
    fn be_idle(&mut self, now: MonotonicNanos, counters: &NetworkCounters, out: &mut impl Outlet) {
        let is_due = now > self.last_sent.saturating_add_ns(HEARTBEAT_INTERVAL_NS);
        // Trap 22: for the rest of its life, even without receivers.
        if self.has_initial_connection && is_due && out.has_room() {
            let at = Position::new(self.sent);
            let ended = self.is_end_of_stream();
            let heartbeat = Heartbeat {
                term_offset: self.term_length.offset(at),
                session_id: self.made_of.session_id,
                stream_id: self.made_of.stream_id,
                term_id: self.term_length.term_id(at, self.initial_term_id),
                end_of_stream: ended && self.made_of.signal_eos,
                revoked: self.end.is_some_and(|(_, revoked)| revoked),
            };
            out.put(&self.made_of.log, Outgoing::Heartbeat(heartbeat));
            counters.add(SystemCounter::HeartbeatsSent, out.destinations() as i64);
            self.last_sent = now;
        }
        let limit = match self.simulating_spy() {
            Some(spy) if self.receivers.is_empty() && self.in_flight.is_empty() => {
                self.sent = self.sent.max(spy);
                self.next = self.sent;
                self.failed = None;
                self.show_sent();
                self.flow_control.on_idle(now, self.sent)
            }
            _ => self.flow_control.on_idle(now, self.limit),
        };
        self.set_limit(limit);
        let timeout_ns = self.made_of.connection_timeout_ns;
        self.receivers.retain(|&(_, heard)| heard.saturating_add_ns(timeout_ns) > now);
        self.tell_of_receivers();
    }

    /// Hands out retransmits and round-trip responses, as far as there is space.
    fn answer(&mut self, counters: &NetworkCounters, out: &mut impl Outlet) -> usize {
        let mut work = 0;
        while out.has_room()
            && let Some(answer) = self.rtt_answers.pop_front()
        {
            out.put(&self.made_of.log, Outgoing::Rtt(answer));
            work += 1;
        }
        while work < MAX_ANSWERS_PER_CYCLE
            && out.has_room()
            && let Some(resend) = self.resends.front().copied()
        {
            // The retransmit may have waited for so long that its range in the log is being cleaned, or belongs to a
            // later term.
            if resend.position < self.oldest_resendable() {
                self.resends.pop_front();
                continue;
            }
            let most = usize::try_from(resend.end - resend.position).unwrap_or(0).min(self.made_of.log.mtu());
            let found = sendable(&self.made_of.log, Position::new(resend.position), most);
            if found.advance == 0 {
                self.resends.pop_front();
                continue;
            }
            out.put(&self.made_of.log, Outgoing::Resend(Position::new(resend.position), found.wire));
            counters.count(SystemCounter::RetransmitsSent);
            counters.add(SystemCounter::RetransmittedBytes, found.wire as i64);
            let position = resend.position + found.advance as i64;
            match self.resends.front_mut().filter(|resend| position < resend.end) {
                Some(resend) => resend.position = position,
                None => _ = self.resends.pop_front(),
            }
            work += 1;
        }
        work
    }

    fn queue_resend(&mut self, range: TermRange) {
        // Checked again, because a delayed range may not be in the log any more.
        if let Some(position) = self.resendable(&range) {
            // Not beyond what was sent, because a NAK does not extend the limit.
            let end = (position + i64::from(range.length)).min(self.sent);
            self.resends.push_back(Resend { position, end });
        }
    }

    /// The position of a range, if it is close enough behind what was sent to be retransmitted (trap 35).
    fn resendable(&self, range: &TermRange) -> Option<i64> {
        let count = range.term_id.wrapping_count_since(self.initial_term_id);
        let position = self.term_length.position(count, range.offset).get();
        (position >= 0 && (self.oldest_resendable()..self.sent).contains(&position)).then_some(position)
    }

    /// The lowest position from which frames are retransmitted.
    fn oldest_resendable(&self) -> i64 {
        self.sent - i64::from(self.term_length.get() / 2) - self.made_of.log.max_message_length() as i64
    }

    /// Advances `sent` over everything that the transport has completed, oldest first.
    fn settle(&mut self) {
        if self.is_broken {
            if self.in_flight.iter().all(|entry| entry.unanswered == 0) {
                // Datagrams before the failure may have arrived. Receivers drop duplicates.
                self.in_flight.clear();
                self.next = self.sent;
                self.is_broken = false;
            }
            return;
        }
        let before = self.sent;
        while let Some(done) = self.in_flight.front().filter(|entry| entry.unanswered == 0) {
            self.sent = done.end;
            self.in_flight.pop_front();
        }
        if self.sent != before {
            self.failed = None;
            self.show_sent();
        }
    }

    fn show_sent(&self) {
        self.made_of.words.set_sender_position(self.sent);
        self.made_of.counters.position.store_release(self.sent);
    }

    fn set_limit(&mut self, limit: i64) {
        if limit != self.limit {
            self.limit = limit;
            self.made_of.counters.limit.store_release(limit);
        }
    }

    fn tell_of_receivers(&self) {
        if let Some(receivers) = &self.made_of.counters.receivers {
            let count = self.flow_control.receivers().unwrap_or(0) as i64;
            if receivers.load_relaxed() != count {
                receivers.store_release(count);
            }
        }
        let alive = !self.receivers.is_empty();
        let enough = alive && self.flow_control.has_required_receivers();
        self.made_of.words.set_receivers(Receivers { alive, enough, left: self.has_left });
    }
}
