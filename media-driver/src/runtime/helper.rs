//! The driver's helper: does the conductor's slow work, such as making and deleting logs, so that no agent waits for a file
//! system. On a thread of its own that sleeps until it has work, or in line where the driver has no threads.
//!
//! Logs that nobody wants any more are deleted when nothing else is to be done, or others have gone before them for long enough.
//!
//! The operating system is asked for names on threads that the helper starts for one request each, as many as there may be lookups
//! under way: a name server that says nothing holds up no log, no socket and no other name. Nobody waits for these threads, so a
//! driver stops while they hang, and they end when the system gives up. They run where the helper is pinned.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};

use super::affinity::{AffinityError, Pin};
use super::queue::{EndGone, Inlet, Outlet, bounded};
use super::socket_orders::{SocketOrder, SocketOrders};
use crate::channel::SocketDefaults;
use crate::io::endpoints;
use crate::io::log_files;
use crate::mailbox::{IN_FLIGHT_LIMIT, Reply, Request, ResolveChannel, ResolveHost};
use crate::raw_access::RAW;

/// The conductor's side: where requests go and replies come from.
#[derive(Debug)]
pub(super) enum HelperPort {
    /// The helper has a thread.
    Thread {
        requests: SyncSender<Request>,
        replies: Outlet<Reply>,
        /// The thread of the conductor, for the helper to wake.
        conductor: Arc<OnceLock<Thread>>,
    },
    /// Whoever asks does it at once, and has the answer here; of sockets when their transport has had its turn.
    InLine { executor: Executor, reply_to: Arc<ReplyTo>, replies: Outlet<Reply> },
}

/// How names are looked up: the address if there is one, and how long that took in nanoseconds.
pub(super) type LookUp = fn(&str) -> (Option<IpAddr>, i64);

/// How many requests go before a deletion that waits, at most.
const MAX_PASSED: usize = 16;

/// What threads that look names up are called.
const LOOKUP_THREAD: &str = "aeron-md-dns";

/// Carries requests out: logs by the file system, endpoints by the sockets of the transports, names by the operating system.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) orders: SocketOrders,
    pub(super) defaults: SocketDefaults,
    pub(super) look_up: LookUp,
}

/// Where replies go, from any thread, and who is to be woken for them. Shared, since each end of a queue that goes is looked after.
#[derive(Debug)]
pub(super) struct ReplyTo {
    done: Inlet<SyncSender<Reply>>,
    conductor: Arc<OnceLock<Thread>>,
}

impl Executor {
    /// Does what is asked for, and has it answered.
    fn execute(&self, request: Request, reply_to: &Arc<ReplyTo>) {
        reply_to.give(match request {
            Request::ResolveChannel(request) => resolve_channel(&request, self.look_up),
            Request::ResolveHost(request) => resolve_host(&request, self.look_up),
            Request::OpenEndpoint(request) => match endpoints::open(&request, &self.defaults) {
                Ok(sockets) => {
                    let (id, local) = (request.id, sockets.opened().local);
                    let adopt = SocketOrder::Adopt(id, local, sockets, Arc::clone(reply_to));
                    // The transport answers.
                    return self.orders.give(request.side, adopt);
                }
                Err(error) => Reply::EndpointNotOpened { id: request.id, error },
            },
            Request::Reconnect(side, id, to) => {
                return self.orders.give(side, SocketOrder::Reconnect(id, to, Arc::clone(reply_to)));
            }
            Request::CloseEndpoint(side, id) => {
                self.orders.give(side, SocketOrder::Close(id));
                Reply::EndpointClosed { id }
            }
            request => log_files::execute(request, RAW),
        });
    }
}

fn resolve_channel(request: &ResolveChannel, look_up: LookUp) -> Reply {
    let lookups_ns = RefCell::new(Vec::new());
    let channel = endpoints::resolve(request, |name| {
        let (address, took_ns) = look_up(name);
        lookups_ns.borrow_mut().push(took_ns);
        address
    });
    Reply::ChannelResolved { id: request.id, channel: channel.map(Box::new), lookups_ns: lookups_ns.into_inner() }
}

fn resolve_host(request: &ResolveHost, look_up: LookUp) -> Reply {
    let (address, lookup_ns) = look_up(&request.host);
    Reply::HostResolved { index: request.index, address, lookup_ns }
}

impl ReplyTo {
    /// Where the answers of one driver go, and where they come out.
    pub(super) fn new() -> (Self, Outlet<Reply>) {
        // Nobody has more requests under way than that, so that it is never full.
        let (done, replies) = bounded(IN_FLIGHT_LIMIT);
        (Self { done, conductor: Arc::default() }, replies)
    }

    /// Answers a request.
    pub(super) fn give(&self, reply: Reply) {
        // A reply that nobody waits for any more is dropped with what it holds; the files go with their directory.
        let _ = self.done.try_give(reply);
        if let Some(conductor) = self.conductor.get() {
            conductor.unpark();
        }
    }

    /// Has what may take very long done by a thread of its own. If the system grants none, it is done here.
    fn give_later(self: &Arc<Self>, reply: impl Fn() -> Reply + Send + Sync + 'static) {
        let reply = Arc::new(reply);
        let given = thread::Builder::new().name(LOOKUP_THREAD.to_owned()).spawn({
            let (to, reply) = (Arc::clone(self), Arc::clone(&reply));
            move || to.give(reply())
        });
        if given.is_err() {
            self.give(reply());
        }
    }
}

impl HelperPort {
    /// Starts the helper's thread, pinned as told. It ends when the port is dropped, with what it was asked for done.
    ///
    /// # Errors
    ///
    /// When the system grants no thread. What came of the pin is in the channel.
    pub(super) fn start(
        name: &str,
        pin: Pin,
        pinned: SyncSender<Result<(), AffinityError>>,
        executor: Executor,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        // Never full, like the replies'.
        let (requests, to_do) = sync_channel(IN_FLIGHT_LIMIT);
        let (reply_to, replies) = ReplyTo::new();
        let conductor = Arc::clone(&reply_to.conductor);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ = pinned.send(pin.apply());
            drop(pinned);
            run(&to_do, &Arc::new(reply_to), &executor);
        })?;
        Ok((Self::Thread { requests, replies, conductor }, thread))
    }

    /// A helper without a thread.
    pub(super) fn in_line(executor: Executor) -> Self {
        let (reply_to, replies) = ReplyTo::new();
        Self::InLine { executor, reply_to: Arc::new(reply_to), replies }
    }

    /// Called on the conductor's thread, so that a reply wakes it from idling.
    pub(super) fn on_start(&self) {
        if let Self::Thread { conductor, .. } = self {
            // Set once: an agent is started once.
            let _ = conductor.set(thread::current());
        }
    }

    /// Hands over a request.
    pub(super) fn ask(&mut self, request: Request) -> Result<(), EndGone> {
        match self {
            Self::Thread { requests, .. } => requests.try_send(request).map_err(|_| EndGone),
            Self::InLine { executor, reply_to, .. } => {
                executor.execute(request, reply_to);
                Ok(())
            }
        }
    }

    /// Takes an answer, if there is one.
    pub(super) fn poll(&mut self) -> Result<Option<Reply>, EndGone> {
        match self {
            Self::Thread { replies, .. } | Self::InLine { replies, .. } => replies.take(),
        }
    }

    /// Whether there may be an answer, or the helper is gone.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        match self {
            Self::Thread { replies, .. } | Self::InLine { replies, .. } => replies.has_news(),
        }
    }
}

/// In which order requests are carried out: as they come, but that deleting a log, which takes long and which nobody waits for, lets
/// others go first, though not for ever.
#[derive(Debug, Default)]
struct Order {
    deletions: VecDeque<Request>,
    /// How many have gone before the oldest deletion that waits.
    passed: usize,
}

impl Order {
    /// The next request; waits until there is one. None when there will be no more.
    fn next(&mut self, to_do: &Receiver<Request>) -> Option<Request> {
        while self.passed < MAX_PASSED {
            let request = if self.deletions.is_empty() {
                to_do.recv().ok()?
            } else {
                let Ok(request) = to_do.try_recv() else { break };
                request
            };
            if !matches!(request, Request::DeleteLog(_)) {
                self.passed += usize::from(!self.deletions.is_empty());
                return Some(request);
            }
            self.deletions.push_back(request);
        }
        self.passed = 0;
        self.deletions.pop_front()
    }
}

fn run(to_do: &Receiver<Request>, reply_to: &Arc<ReplyTo>, executor: &Executor) {
    let look_up = executor.look_up;
    let mut order = Order::default();
    while let Some(request) = order.next(to_do) {
        match request {
            Request::ResolveChannel(request) if request.asks_system() => {
                reply_to.give_later(move || resolve_channel(&request, look_up));
            }
            Request::ResolveHost(request) => reply_to.give_later(move || resolve_host(&request, look_up)),
            request => executor.execute(request, reply_to),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at files and wait, with deadlines")]
mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use gannet::channel_uri::ChannelUri;
    use gannet::types::RegistrationId;

    use super::*;
    use crate::channel::Usage;
    use crate::config::Loss;
    use crate::io::transport::{SocketOptions, TransportKind};
    use crate::mailbox::{DeleteLog, EndpointId, LOOKUP_LIMIT, LookupId, Side};
    use crate::runtime::Role;
    use crate::runtime::network_agents::NetworkParts;
    use crate::shared::NetworkCounters;

    fn executor() -> Executor {
        let parts = NetworkParts::new(
            &NetworkCounters::heap(),
            0,
            (TransportKind::Sockets, SocketOptions::default(), &Loss::default()),
            6,
            [0; 2],
        )
        .unwrap();
        Executor { orders: parts.orders, defaults: SocketDefaults::default(), look_up: stuck }
    }

    /// Whoever holds this is the name server, which says nothing.
    static NAME_SERVER: Mutex<()> = Mutex::new(());

    fn stuck(_: &str) -> (Option<IpAddr>, i64) {
        drop(NAME_SERVER.lock());
        (None, 5)
    }

    fn delete(path: &std::path::Path) -> Request {
        Request::DeleteLog(DeleteLog { registration_id: RegistrationId::new(7), path: path.to_owned(), log: None })
    }

    fn await_reply(port: &mut HelperPort) -> Reply {
        let deadline = Instant::now() + Duration::from_secs(180);
        loop {
            if let Some(reply) = port.poll().unwrap() {
                return reply;
            }
            assert!(Instant::now() < deadline, "no reply");
            thread::park_timeout(Duration::from_secs(20));
        }
    }

    /// A log that somebody waits for does not wait for logs that nobody wants any more; and those are deleted all the same.
    #[test]
    fn deletions_let_others_go_first_but_not_for_ever() {
        let (ask, to_do) = sync_channel(64);
        let mut order = Order::default();
        let mut take = || match order.next(&to_do) {
            Some(Request::DeleteLog(request)) => format!("delete {}", request.registration_id),
            Some(Request::CloseEndpoint(_, id)) => format!("close {}", id.get()),
            Some(other) => panic!("{other:?}"),
            None => "end".to_owned(),
        };
        let deletion = |id| {
            let registration_id = RegistrationId::new(id);
            Request::DeleteLog(DeleteLog { registration_id, path: "log".into(), log: None })
        };
        let close = |id| Request::CloseEndpoint(Side::Send, EndpointId::new(id));
        for request in [deletion(1), deletion(2), close(1), deletion(3), close(2)] {
            ask.send(request).unwrap();
        }
        assert_eq!([take(), take(), take()], ["close 1", "close 2", "delete 1"]);
        let closes = 40_u32;
        (3..closes).for_each(|id| ask.send(close(id)).unwrap());
        drop(ask);
        let order: Vec<_> = std::iter::from_fn(|| Some(take()).filter(|what| what != "end")).collect();
        let at = |what: &str| order.iter().position(|found| found == what);
        assert_eq!((at("delete 2"), at("delete 3")), (Some(MAX_PASSED), Some(2 * MAX_PASSED + 1)), "{order:?}");
        assert_eq!(order.len(), 2 + closes as usize - 3);
    }

    #[test]
    fn work_is_done_on_its_thread_and_the_conductor_is_woken() {
        let temp = tempfile::tempdir().unwrap();
        let (pinned, outcome) = sync_channel(1);
        let pin = Pin { role: Role::Helper, cpu: None };
        let (mut port, thread) = HelperPort::start("helper", pin, pinned, executor()).unwrap();
        assert_eq!(outcome.recv().unwrap(), Ok(()));
        port.on_start();
        let path = temp.path().join("7.logbuffer");
        std::fs::write(&path, b"").unwrap();
        port.ask(delete(&path)).unwrap();
        assert!(matches!(await_reply(&mut port), Reply::LogDeleted { .. }));
        assert!(!path.exists());
        // What was asked for last is done even when nobody stays for the answer.
        std::fs::write(&path, b"").unwrap();
        port.ask(delete(&path)).unwrap();
        drop(port);
        thread.join().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_name_server_that_says_nothing_holds_nothing_up() {
        let temp = tempfile::tempdir().unwrap();
        let (pinned, _) = sync_channel(1);
        let pin = Pin { role: Role::Helper, cpu: None };
        let (mut port, thread) = HelperPort::start("helper", pin, pinned, executor()).unwrap();
        port.on_start();
        let silence = NAME_SERVER.lock().unwrap();
        let uri = Box::new(ChannelUri::parse("aeron:udp?endpoint=silent.example:1").unwrap());
        let id = LookupId::new(7);
        let channel = ResolveChannel { id, uri, usage: Usage::Publication, unique: 1, leads: Vec::new() };
        port.ask(Request::ResolveChannel(channel)).unwrap();
        for index in 1..LOOKUP_LIMIT {
            port.ask(Request::ResolveHost(ResolveHost { index, host: "silent.example".to_owned() })).unwrap();
        }
        port.ask(delete(&temp.path().join("7.logbuffer"))).unwrap();
        assert!(matches!(await_reply(&mut port), Reply::LogDeleted { .. }));
        drop(silence);
        let mut hosts = Vec::new();
        for _ in 0..LOOKUP_LIMIT {
            match await_reply(&mut port) {
                Reply::HostResolved { index, address: None, lookup_ns: 5 } => hosts.push(index),
                Reply::ChannelResolved { channel: Err(_), lookups_ns, .. } => assert_eq!(lookups_ns, [5]),
                reply => panic!("{reply:?}"),
            }
        }
        hosts.sort_unstable();
        assert!(hosts.into_iter().eq(1..LOOKUP_LIMIT));
        // A driver stops without the name server's leave, too.
        let silence = NAME_SERVER.lock().unwrap();
        port.ask(Request::ResolveHost(ResolveHost { index: 1, host: "silent.example".to_owned() })).unwrap();
        drop(port);
        thread.join().unwrap();
        drop(silence);
    }

    #[test]
    fn without_threads_it_is_done_at_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("7.logbuffer");
        std::fs::write(&path, b"").unwrap();
        let mut port = HelperPort::in_line(executor());
        port.ask(delete(&path)).unwrap();
        assert!(!path.exists());
        assert!(matches!(port.poll(), Ok(Some(Reply::LogDeleted { .. }))));
        assert!(matches!(port.poll(), Ok(None)));
    }
}
