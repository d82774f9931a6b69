//! The helper's orders to a transport: take over sockets that the helper has opened, change where they send, close
//! them. The transport belongs to its agent's thread, so orders wait in a queue that this thread checks in every turn.
//! The thread that carries an order out answers it, because an endpoint is open only when its transport serves it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender as Unbounded;

use super::queue::{Inlet, Outlet, unbounded};
use super::reply_to::ReplyTo;
use crate::io::transport::{Sockets, Transport};
use crate::mailbox::{EndpointError, EndpointId, Reply, Side};

/// An order of the helper to a transport.
#[derive(Debug)]
pub(super) enum SocketOrder<S = Sockets> {
    /// Adopt this endpoint, which is bound to this address, and reply.
    Adopt(EndpointId, SocketAddr, S, Arc<ReplyTo>),
    /// Connect it to another address, and reply.
    Reconnect(EndpointId, SocketAddr, Arc<ReplyTo>),
    /// Close it, and reply. Its port is free only then.
    Close(EndpointId, Arc<ReplyTo>),
}

/// The helper's ends of the order queues.
#[derive(Clone, Debug)]
pub(super) struct SocketOrders {
    sender: Inlet<Unbounded<SocketOrder>>,
    receiver: Inlet<Unbounded<SocketOrder>>,
}

impl SocketOrders {
    /// The helper's ends, and those of the sender's and the receiver's transport.
    pub(super) fn new() -> (Self, [Outlet<SocketOrder>; 2]) {
        let (sender, for_sender) = unbounded();
        let (receiver, for_receiver) = unbounded();
        (Self { sender, receiver }, [for_sender, for_receiver])
    }

    /// Sends an order to the transport of an agent. If the agent is gone, the order is not needed, because the driver
    /// ends.
    pub(super) fn give(&self, side: Side, order: SocketOrder) {
        // The queue is bounded by the number of the conductor's pending requests.
        let _ = match side {
            Side::Send => self.sender.give(order),
            Side::Receive => self.receiver.give(order),
        };
    }
}

/// Executes the orders. Returns how many.
#[cold]
pub(super) fn obey<T: Transport>(orders: &mut Outlet<SocketOrder<T::Sockets>>, transport: &mut T) -> usize {
    let mut work = 0;
    // The helper may be gone, which the conductor's queue reports.
    while let Ok(Some(order)) = orders.take() {
        match order {
            SocketOrder::Adopt(id, local, sockets, reply_to) => reply_to.give(match transport.adopt(id, sockets) {
                Ok(()) => Reply::EndpointOpened { id, local },
                Err(error) => Reply::EndpointNotOpened {
                    id,
                    error: EndpointError::System(format!(
                        "cannot have the socket of {local} watched: {error}; see that the limits on open files and on what \
                         one user has watched (fs.epoll.max_user_watches) leave room"
                    )),
                },
            }),
            SocketOrder::Reconnect(id, to, reply_to) => reply_to.give(if transport.reconnect(id, to) {
                Reply::Reconnected { id }
            } else {
                Reply::NotReconnected { id, to }
            }),
            SocketOrder::Close(id, reply_to) => {
                transport.close(id);
                reply_to.give(Reply::EndpointClosed { id });
            }
        }
        work += 1;
    }
    work
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::io::transport::{Datagram, Fault, TransportCounts};
    use crate::mailbox::{Completion, TransmitBatch};

    /// Serves what it is told to serve, unless there is no room for more.
    #[derive(Default)]
    struct Full {
        room: usize,
        serves: Vec<EndpointId>,
    }

    impl Transport for Full {
        type Sockets = ();

        fn adopt(&mut self, endpoint: EndpointId, (): ()) -> io::Result<()> {
            if self.serves.len() == self.room {
                return Err(io::Error::from_raw_os_error(libc::ENOSPC));
            }
            self.serves.push(endpoint);
            Ok(())
        }

        fn reconnect(&mut self, endpoint: EndpointId, _: SocketAddr) -> bool {
            self.serves.contains(&endpoint)
        }

        fn close(&mut self, endpoint: EndpointId) {
            self.serves.retain(|served| *served != endpoint);
        }

        fn send(&mut self, _: &mut TransmitBatch, _: impl FnMut(Completion)) -> usize {
            0
        }

        fn receive(&mut self, _: usize, _: impl FnMut(Datagram<'_>)) -> usize {
            0
        }

        fn take_fault(&mut self) -> Option<Fault> {
            None
        }

        fn counts(&self) -> TransportCounts {
            TransportCounts::default()
        }
    }

    /// Whoever asked for an endpoint hears of it when its transport serves it, and why if that cannot.
    #[test]
    fn an_endpoint_is_open_when_its_transport_serves_it() {
        let (orders, mut taken) = unbounded();
        let (reply_to, mut replies) = ReplyTo::new();
        let reply_to = Arc::new(reply_to);
        let mut transport = Full { room: 1, ..Full::default() };
        let local = SocketAddr::from(([127, 0, 0, 1], 40_123));
        for id in [1, 2] {
            let order = SocketOrder::Adopt(EndpointId::new(id), local, (), Arc::clone(&reply_to));
            orders.give(order).unwrap();
        }
        assert!(matches!(replies.take(), Ok(None)), "nobody serves it yet");
        assert_eq!(obey(&mut taken, &mut transport), 2);
        let first = replies.take();
        assert!(matches!(&first, Ok(Some(Reply::EndpointOpened { local: at, .. })) if *at == local), "{first:?}");
        match replies.take() {
            Ok(Some(Reply::EndpointNotOpened { id, error })) => {
                let text = error.to_string();
                assert_eq!(id, EndpointId::new(2));
                assert!(text.contains("127.0.0.1:40123") && text.contains("No space left"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(transport.serves, [EndpointId::new(1)]);
        let close = |id| orders.give(SocketOrder::Close(EndpointId::new(id), Arc::clone(&reply_to))).unwrap();
        for id in [1, 2] {
            orders.give(SocketOrder::Reconnect(EndpointId::new(id), local, Arc::clone(&reply_to))).unwrap();
        }
        obey(&mut taken, &mut transport);
        assert!(matches!(replies.take(), Ok(Some(Reply::Reconnected { .. }))));
        assert!(matches!(replies.take(), Ok(Some(Reply::NotReconnected { to, .. })) if to == local));
        close(1);
        assert!(matches!(replies.take(), Ok(None)), "it serves it still");
        obey(&mut taken, &mut transport);
        assert!(transport.serves.is_empty() && matches!(replies.take(), Ok(Some(Reply::EndpointClosed { .. }))));
    }
}
