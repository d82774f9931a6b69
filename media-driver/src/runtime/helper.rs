//! The driver's helper. It does the conductor's slow work, such as making and deleting logs, so no agent waits for a
//! file system. It has a thread of its own that sleeps until there is work, or works in line if the driver has no
//! threads.
//!
//! Logs of long terms take up to seconds to make and to delete. So each of these has a thread of its own, as many as
//! the conductor allows at once. The helper ends when these have ended.
//!
//! The helper starts a thread for each request to the operating system to look up names, as many as there may be
//! lookups at once. So a name server that does not answer delays no log, no socket and no other name. Nobody waits for
//! these threads: a driver can stop while they hang, and they end when the system gives up. They run on the helper's
//! CPU.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Scope, Thread};

use gannet::logbuffer::LogBuffers;

use super::affinity::{AffinityError, Pin};
use super::queue::{EndGone, Outlet};
use super::reply_to::ReplyTo;
use super::socket_orders::{SocketOrder, SocketOrders};
use crate::channel::SocketDefaults;
use crate::io::endpoints;
use crate::io::log_files;
use crate::mailbox::{IN_FLIGHT_LIMIT, Reply, Request, ResolveChannel, ResolveHost};
use crate::raw_access::RAW;

/// The conductor's port to the helper, for requests and replies.
#[derive(Debug)]
pub(super) enum HelperPort {
    /// The helper has a thread.
    Thread {
        requests: SyncSender<Request>,
        replies: Outlet<Reply>,
        /// The conductor's thread, which the helper wakes.
        conductor: Arc<OnceLock<Thread>>,
    },
    /// Requests are executed at once by the caller, and the replies are here. Replies about sockets come after their
    /// transport's next turn.
    InLine { executor: Executor, reply_to: Arc<ReplyTo>, replies: Outlet<Reply> },
}

/// Looks up a name. Returns the address if there is one, and the duration in nanoseconds.
pub(super) type LookUp = fn(&str) -> (Option<IpAddr>, i64);

/// Logs with longer terms than this, in bytes, are created and deleted by separate threads. Starting a thread takes no
/// longer than a log of this length.
const SHORT_TERM: i32 = 1 << 20;

/// The name of threads that create and delete logs.
const LOG_THREAD: &str = "aeron-md-log";
/// Creates or deletes a log.
pub(super) type Logs = fn(Request) -> Reply;

/// Creates or deletes a log file.
pub(super) fn log_files(request: Request) -> Reply {
    log_files::execute(request, RAW)
}

/// The name of threads that look up names.
const LOOKUP_THREAD: &str = "aeron-md-dns";

/// Executes requests: logs with the file system, endpoints with the sockets of the transports, names with the operating
/// system.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) orders: SocketOrders,
    pub(super) defaults: SocketDefaults,
    pub(super) look_up: LookUp,
    pub(super) logs: Logs,
}

impl Executor {
    /// Executes a request, and sends the reply.
    fn execute(&self, request: Request, reply_to: &Arc<ReplyTo>) {
        reply_to.give(match request {
            Request::ResolveChannel(request) => resolve_channel(&request, self.look_up),
            Request::ResolveHost(request) => resolve_host(&request, self.look_up),
            Request::OpenEndpoint(request) => match endpoints::open(&request, &self.defaults) {
                Ok(sockets) => {
                    let (id, local) = (request.id, sockets.opened().local);
                    let adopt = SocketOrder::Adopt(id, local, sockets, Arc::clone(reply_to));
                    // The transport sends the reply.
                    return self.orders.give(request.side, adopt);
                }
                Err(error) => Reply::EndpointNotOpened { id: request.id, error },
            },
            Request::Reconnect(side, id, to) => {
                return self.orders.give(side, SocketOrder::Reconnect(id, to, Arc::clone(reply_to)));
            }
            Request::CloseEndpoint(side, id) => {
                return self.orders.give(side, SocketOrder::Close(id, Arc::clone(reply_to)));
            }
            request => (self.logs)(request),
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

impl HelperPort {
    /// Starts the helper's thread, pinned if configured. It ends when the port is dropped and all requests are done.
    ///
    /// # Errors
    ///
    /// An error of the operating system if the thread cannot be started. The result of pinning is sent through the
    /// channel.
    pub(super) fn start(
        name: &str,
        pin: Pin,
        pinned: SyncSender<Result<(), AffinityError>>,
        executor: Executor,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        // Never full, like the queue of replies.
        let (requests, to_do) = sync_channel(IN_FLIGHT_LIMIT);
        let (reply_to, replies) = ReplyTo::new();
        let conductor = reply_to.conductor();
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

    /// Called on the conductor's thread, so that a reply can wake it.
    pub(super) fn on_start(&self) {
        if let Self::Thread { conductor, .. } = self {
            // Set once, because an agent is started once.
            let _ = conductor.set(thread::current());
        }
    }

    /// Sends a request.
    pub(super) fn ask(&mut self, request: Request) -> Result<(), EndGone> {
        match self {
            Self::Thread { requests, .. } => requests.try_send(request).map_err(|_| EndGone),
            Self::InLine { executor, reply_to, .. } => {
                executor.execute(request, reply_to);
                Ok(())
            }
        }
    }

    /// Takes a reply, if there is one.
    pub(super) fn poll(&mut self) -> Result<Option<Reply>, EndGone> {
        match self {
            Self::Thread { replies, .. } | Self::InLine { replies, .. } => replies.take(),
        }
    }

    /// Whether there may be a reply, or the helper has ended.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        match self {
            Self::Thread { replies, .. } | Self::InLine { replies, .. } => replies.has_news(),
        }
    }
}

/// Executes requests until the port is dropped and all logs are created and deleted.
fn run(to_do: &Receiver<Request>, reply_to: &Arc<ReplyTo>, executor: &Executor) {
    let look_up = executor.look_up;
    thread::scope(|scope| {
        for request in to_do {
            match request {
                Request::ResolveChannel(request) if request.asks_system() => {
                    give_later(reply_to, move || resolve_channel(&request, look_up));
                }
                Request::ResolveHost(request) => give_later(reply_to, move || resolve_host(&request, look_up)),
                request if is_about_long_log(&request) => execute_apart(scope, request, reply_to, executor),
                request => executor.execute(request, reply_to),
            }
        }
    });
}

/// Executes something that may take very long on a thread of its own. If that cannot be started, executes it here.
fn give_later(reply_to: &Arc<ReplyTo>, reply: impl Fn() -> Reply + Send + Sync + 'static) {
    let reply = Arc::new(reply);
    let given = thread::Builder::new().name(LOOKUP_THREAD.to_owned()).spawn({
        let (to, reply) = (Arc::clone(reply_to), Arc::clone(&reply));
        move || to.give(reply())
    });
    if given.is_err() {
        reply_to.give(reply());
    }
}

/// Whether a request is for a log that takes long to create or delete.
fn is_about_long_log(request: &Request) -> bool {
    let term_length = match request {
        Request::CreateLog(create) => Some(create.parameters.term_length),
        Request::DeleteLog(delete) => delete.log.as_ref().map(LogBuffers::term_length),
        _ => None,
    };
    term_length.is_some_and(|length| length.get() > SHORT_TERM)
}

/// Executes a request on a thread of its own. If that cannot be started, executes it here.
fn execute_apart<'scope>(
    scope: &'scope Scope<'scope, '_>,
    request: Request,
    reply_to: &'scope Arc<ReplyTo>,
    executor: &'scope Executor,
) {
    let handed_over = Arc::new(Mutex::new(Some(request)));
    let carry_out = move || {
        // Nothing panics while holding it.
        let request = handed_over.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(request) = request {
            executor.execute(request, reply_to);
        }
    };
    if thread::Builder::new().name(LOG_THREAD.to_owned()).spawn_scoped(scope, carry_out.clone()).is_err() {
        carry_out();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at files and wait, with deadlines")]
mod tests {
    use std::time::{Duration, Instant};

    use gannet::channel_uri::ChannelUri;
    use gannet::logbuffer::{LogKind, LogParameters};
    use gannet::memory::Reserve;
    use gannet::types::{RegistrationId, SessionId, StreamId, TermId, TermLength};

    use super::*;
    use crate::channel::Usage;
    use crate::config::Loss;
    use crate::io::transport::{SocketOptions, TransportKind};
    use crate::mailbox::{CreateLog, DeleteLog, LOOKUP_LIMIT, LookupId};
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
        Executor { orders: parts.orders, defaults: SocketDefaults::default(), look_up: stuck, logs: slow }
    }

    /// While this is locked, the name server does not answer.
    static NAME_SERVER: Mutex<()> = Mutex::new(());

    fn stuck(_: &str) -> (Option<IpAddr>, i64) {
        drop(NAME_SERVER.lock());
        (None, 5)
    }

    /// While this is locked, the disk is slow for long logs.
    static DISK: Mutex<()> = Mutex::new(());

    fn slow(request: Request) -> Reply {
        if is_about_long_log(&request) {
            drop(DISK.lock());
        }
        log_files(request)
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

    fn create(path: &std::path::Path, term_length: i64) -> Request {
        let ids = (SessionId::new(1), StreamId::new(2), TermId::new(3));
        let term_length = TermLength::new(term_length).unwrap();
        Request::CreateLog(CreateLog {
            registration_id: RegistrationId::new(7),
            path: path.to_owned(),
            parameters: LogParameters::ipc(LogKind::Concurrent, term_length, ids.0, ids.1, ids.2),
            mode: 0o600,
            reserve: Reserve::Space,
        })
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

    /// Whoever waits for a short log or a socket does not wait for a long log, made or deleted; and those are done before the helper ends.
    #[test]
    fn long_logs_hold_nothing_up() {
        let temp = tempfile::tempdir().unwrap();
        let (pinned, _) = sync_channel(1);
        let pin = Pin { role: Role::Helper, cpu: None };
        let (mut port, thread) = HelperPort::start("helper", pin, pinned, executor()).unwrap();
        port.on_start();
        let [short, long, last] = ["short", "long", "last"].map(|name| temp.path().join(name));
        let disk = DISK.lock().unwrap();
        port.ask(create(&long, 2 << 20)).unwrap();
        port.ask(create(&short, 1 << 16)).unwrap();
        let is_short = |log: &LogBuffers| log.term_length().get() == 1 << 16;
        assert!(matches!(await_reply(&mut port), Reply::LogCreated { log, .. } if is_short(&log)));
        assert!(short.exists() && !long.exists());
        drop(disk);
        let Reply::LogCreated { registration_id, log, .. } = await_reply(&mut port) else { panic!("no log") };
        let disk = DISK.lock().unwrap();
        let path = long.clone();
        port.ask(Request::DeleteLog(DeleteLog { registration_id, path, log: Some(log) })).unwrap();
        port.ask(delete(&short)).unwrap();
        assert!(matches!(await_reply(&mut port), Reply::LogDeleted { .. }));
        assert!(!short.exists() && long.exists());
        port.ask(create(&last, 2 << 20)).unwrap();
        drop((port, disk));
        thread.join().unwrap();
        assert!(!long.exists() && last.exists());
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
