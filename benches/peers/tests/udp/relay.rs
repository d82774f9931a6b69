//! A lossy network between two drivers: a relay at the address that the publication sends to. It forwards datagrams to
//! the subscription's address and answers back, and drops some in each direction.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A relay. It ends when dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    stops: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Forwards the datagrams that arrive at its address, except for `percent` of them each way. The seed determines
    /// which.
    pub(crate) fn start(to: SocketAddr, percent: u64, seed: u64) -> Self {
        let open = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
            socket
        };
        let (front, back) = (open(), open());
        let address = front.local_addr().expect("an address");
        let (stops, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        // The address for answers: the last sender's.
        let sender = Arc::new(std::sync::Mutex::new(None));
        let run = |from: UdpSocket, through: UdpSocket, fixed: Option<SocketAddr>, seed: u64| {
            let (stops, lost, sender) = (stops.clone(), lost.clone(), sender.clone());
            thread::spawn(move || {
                let mut buffer = vec![0; 65_536];
                let mut state = seed;
                while !stops.load(Ordering::Relaxed) {
                    let Ok((length, source)) = from.recv_from(&mut buffer) else { continue };
                    // A linear congruential generator, so that each run has the same losses.
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let to = match fixed {
                        Some(to) => {
                            *sender.lock().expect("nobody panics with it") = Some(source);
                            Some(to)
                        }
                        None => *sender.lock().expect("nobody panics with it"),
                    };
                    if (state >> 33) % 100 < percent {
                        lost.fetch_add(1, Ordering::Relaxed);
                    } else if let Some(to) = to {
                        // An error because the receiver is gone is ignored, as in a network.
                        let _ = through.send_to(&buffer[..length], to);
                    }
                }
            })
        };
        let clone = |socket: &UdpSocket| socket.try_clone().expect("another name of the socket");
        let threads = vec![run(clone(&front), clone(&back), Some(to), seed), run(back, front, None, seed + 1)];
        Self { address, stops, lost, threads }
    }

    /// The address for publications.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of datagrams dropped.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
