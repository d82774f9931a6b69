//! Names that the operating system looks up, which may take seconds: a name server may not answer at all. Commands that
//! need a name wait here, and other commands pass. Lookups without a command, such as names of silent peers, are made
//! one after the other, and take no place from commands.

use std::collections::VecDeque;

use gannet::types::{ClientId, RegistrationId};

use super::pending::{Pending, PendingNetwork};
use crate::channel::UdpChannel;
use crate::mailbox::{EndpointError, LOOKUP_LIMIT, LookupId, Request, ResolveChannel};

/// The maximum number of waiting commands. A further one is refused, and its client must try again.
const WAITING_LIMIT: usize = 64;
/// One place is reserved for lookups without a command.
const COMMANDS_ASKED: usize = LOOKUP_LIMIT - 1;

/// The result of a lookup.
pub(super) type Answer = Result<Box<UdpChannel>, EndpointError>;

/// All pending lookups.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// Oldest first.
    waiting: Vec<Waiting>,
    /// Lookup requests of commands that are to be sent, and those that were sent.
    commands: VecDeque<ResolveChannel>,
    asked: Vec<LookupId>,
    /// The same for lookups without a command.
    others: VecDeque<Request>,
    is_other_asked: bool,
}

/// A waiting command.
#[derive(Debug)]
struct Waiting {
    pending: PendingNetwork,
    answer: Option<Answer>,
}

impl Waiting {
    fn id(&self) -> LookupId {
        self.pending.lookup
    }
}

impl Lookups {
    /// Adds a waiting command.
    pub(super) fn wait(&mut self, pending: PendingNetwork, request: ResolveChannel) {
        self.waiting.push(Waiting { pending, answer: None });
        self.commands.push_back(request);
    }

    /// Requests a lookup for which no command waits.
    pub(super) fn ask(&mut self, request: Request) {
        self.others.push_back(request);
    }

    /// Whether there may be requests to send.
    #[inline]
    pub(super) fn has_requests(&self) -> bool {
        !(self.commands.is_empty() && self.others.is_empty())
    }

    /// Whether any command waits.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the next request to send.
    pub(super) fn take_request(&mut self) -> Option<Request> {
        if self.asked.len() < COMMANDS_ASKED
            && let Some(request) = self.commands.pop_front()
        {
            self.asked.push(request.id);
            return Some(Request::ResolveChannel(request));
        }
        if self.is_other_asked {
            return None;
        }
        let request = self.others.pop_front();
        self.is_other_asked = request.is_some();
        request
    }

    /// Handles a result for a command. Returns it if there is no lookup with this id. The command may not wait any
    /// more.
    pub(super) fn on_answer(&mut self, id: LookupId, answer: Answer) -> Option<Answer> {
        let Some(index) = self.asked.iter().position(|asked| *asked == id) else { return Some(answer) };
        self.asked.swap_remove(index);
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.id() == id && waiting.answer.is_none());
        if let Some(waiting) = waiting {
            waiting.answer = Some(answer);
        }
        None
    }

    /// Handles a result for which no command waits.
    pub(super) fn on_other_answer(&mut self) {
        self.is_other_asked = false;
    }

    /// Takes the oldest command that has its result and is not held back otherwise.
    pub(super) fn take_answered(
        &mut self,
        is_held_back: impl Fn(&Pending) -> bool,
    ) -> Option<(PendingNetwork, Answer)> {
        let may_go_on = |waiting: &Waiting| waiting.answer.is_some() && !is_held_back(&waiting.pending.what);
        let index = self.waiting.iter().position(may_go_on)?;
        let Waiting { pending, answer } = self.waiting.remove(index);
        Some((pending, answer?))
    }

    /// Whether a command of this client waits.
    pub(super) fn is_waiting(&self, client_id: ClientId) -> bool {
        self.waiting.iter().any(|waiting| waiting.pending.client_id == client_id)
    }

    /// Whether a command with this id waits.
    pub(super) fn holds(&self, registration_id: RegistrationId) -> bool {
        self.waiting.iter().any(|waiting| waiting.pending.correlation_id.registration() == registration_id)
    }

    /// The waiting commands.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &PendingNetwork> {
        self.waiting.iter().map(|waiting| &waiting.pending)
    }

    /// Whether no further command should wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_LIMIT
    }

    /// Drops the command of a client that is gone.
    pub(super) fn forget(&mut self, client_id: ClientId) {
        let Self { waiting, commands, .. } = self;
        for gone in waiting.extract_if(.., |waiting| waiting.pending.client_id == client_id) {
            commands.retain(|request| request.id != gone.id());
        }
    }
}
