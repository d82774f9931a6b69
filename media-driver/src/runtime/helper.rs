//! The driver's helper: does the conductor's slow work, such as making and deleting logs, so that no agent waits for a file
//! system. On a thread of its own that sleeps until it has work, or in line where the driver has no threads.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};

use super::affinity::{AffinityError, Pin};
use super::network_agents::{SocketOrder, SocketOrders};
use super::queue::{EndGone, Inlet, Outlet, bounded};
use crate::channel::SocketDefaults;
use crate::io::endpoints;
use crate::io::log_files;
use crate::io::resolver;
use crate::mailbox::{IN_FLIGHT_LIMIT, Reply, Request};
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
    /// Whoever asks does it at once, and has the answer here.
    InLine(Executor, Vec<Reply>),
}

/// Carries requests out: logs by the file system, endpoints by the sockets of the transports.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) orders: SocketOrders,
    pub(super) defaults: SocketDefaults,
}

impl Executor {
    fn execute(&self, request: Request) -> Reply {
        match request {
            Request::ResolveChannel(request) => {
                let mut lookups_ns = Vec::new();
                let channel = endpoints::resolve(&request, |took_ns| lookups_ns.push(took_ns)).map(Box::new);
                Reply::ChannelResolved { id: request.id, channel, lookups_ns }
            }
            Request::ResolveHost(request) => {
                let (address, lookup_ns) = resolver::timed(&request.host);
                Reply::HostResolved { index: request.index, address, lookup_ns }
            }
            Request::OpenEndpoint(request) => match endpoints::open(&request, &self.defaults) {
                Ok(sockets) => {
                    let local = sockets.opened().local;
                    self.orders.give(request.side, SocketOrder::Adopt(request.id, sockets));
                    Reply::EndpointOpened { id: request.id, local }
                }
                Err(error) => Reply::EndpointNotOpened { id: request.id, error },
            },
            Request::Reconnect(side, id, to) => {
                self.orders.give(side, SocketOrder::Reconnect(id, to));
                Reply::Reconnected { id }
            }
            Request::CloseEndpoint(side, id) => {
                self.orders.give(side, SocketOrder::Close(id));
                Reply::EndpointClosed { id }
            }
            request => log_files::execute(request, RAW),
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
        // Nobody has more requests under way than that, so that neither side ever finds its mailbox full.
        let (requests, to_do) = sync_channel(IN_FLIGHT_LIMIT);
        let (done, replies) = bounded(IN_FLIGHT_LIMIT);
        let conductor = Arc::new(OnceLock::new());
        let thread = thread::Builder::new().name(name.to_owned()).spawn({
            let conductor = Arc::clone(&conductor);
            move || {
                let _ = pinned.send(pin.apply());
                drop(pinned);
                run(&to_do, &done, &conductor, &executor);
            }
        })?;
        Ok((Self::Thread { requests, replies, conductor }, thread))
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
            Self::InLine(executor, replies) => {
                replies.push(executor.execute(request));
                Ok(())
            }
        }
    }

    /// Takes an answer, if there is one.
    pub(super) fn poll(&mut self) -> Result<Option<Reply>, EndGone> {
        match self {
            Self::Thread { replies, .. } => replies.take(),
            Self::InLine(_, replies) => Ok(replies.pop()),
        }
    }
}

fn run(to_do: &Receiver<Request>, done: &Inlet<SyncSender<Reply>>, conductor: &OnceLock<Thread>, executor: &Executor) {
    while let Ok(request) = to_do.recv() {
        // A reply that nobody waits for any more is dropped with what it holds; the files go with their directory.
        let _ = done.try_give(executor.execute(request));
        if let Some(conductor) = conductor.get() {
            conductor.unpark();
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at files and wait, with deadlines")]
mod tests {
    use std::time::{Duration, Instant};

    use gannet::types::RegistrationId;

    use super::*;
    use crate::config::Loss;
    use crate::io::transport::{SocketOptions, TransportKind};
    use crate::mailbox::DeleteLog;
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
        Executor { orders: parts.orders, defaults: SocketDefaults::default() }
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
    fn without_threads_it_is_done_at_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("7.logbuffer");
        std::fs::write(&path, b"").unwrap();
        let mut port = HelperPort::InLine(executor(), Vec::new());
        port.ask(delete(&path)).unwrap();
        assert!(!path.exists());
        assert!(matches!(port.poll(), Ok(Some(Reply::LogDeleted { .. }))));
        assert!(matches!(port.poll(), Ok(None)));
    }
}
