//! The cost of a message from one thread to another over a log buffer, each on a core of its own. It includes the
//! transfer of cache lines between cores, but no driver process. The reading thread does the conductor's work after
//! each batch, as an invoked driver does. The figures are lower than those of `gannet bench ipc` and have no floor: use
//! them to compare one change with another.

#![allow(missing_docs, reason = "the harness's macro makes a function")]

#[path = "../src/raw_access.rs"]
mod raw_access;
#[path = "support/stream.rs"]
mod stream;

use std::hint::{black_box, spin_loop};
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gannet::logbuffer::{ConcurrentAppender, ExclusiveAppender, ImageReader, LogKind, OfferError};
use gannet::types::Position;
use gannet_benches::rig::cores::Cores;
use stream::Stream;

const SIZES: [usize; 2] = [32, 1024];
/// Fragments per poll.
const BATCH: usize = 64;

/// Publishes `count` messages on this thread while another reads them. Returns how long it took until the last was
/// read.
fn run(stream: &mut Stream, count: u64, mut publish: impl FnMut() -> Result<Position, OfferError>) -> Duration {
    let cores = Cores::choose();
    // Two threads that spin on one core would only wait for each other.
    let idle = if cores.far.is_some() { spin_loop } else { std::thread::yield_now };
    let mut reader = ImageReader::new(stream.log.clone(), stream.subscriber.clone());
    pin(cores.near);
    std::thread::scope(|scope| {
        let begin = Instant::now();
        let reading = scope.spawn(move || {
            pin(cores.far);
            let mut read = 0;
            while read < count {
                let polled = reader.poll(
                    |fragment| {
                        black_box(fragment.payload());
                    },
                    BATCH,
                );
                if polled == 0 {
                    idle();
                } else {
                    read += polled as u64;
                    stream.turn_over();
                }
            }
            Instant::now()
        });
        for _ in 0..count {
            // Publishing fails only at the end of the window or of a term, and both pass.
            while publish().is_err() {
                idle();
            }
        }
        let end = reading.join().expect("reading does not panic");
        end - begin
    })
}

fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(CoreId { id });
    }
}

fn one_thread_to_another(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("two threads");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let message = vec![7; size];
        group.bench_function(BenchmarkId::new("exclusive offer", size), |bencher| {
            let mut stream = Stream::new(LogKind::Exclusive);
            let mut appender = ExclusiveAppender::new(&stream.log, stream.limit.clone()).expect("a fresh log");
            bencher.iter_custom(|count| run(&mut stream, count, || appender.offer(black_box(&message))));
        });
        group.bench_function(BenchmarkId::new("concurrent offer", size), |bencher| {
            let mut stream = Stream::new(LogKind::Concurrent);
            let appender = ConcurrentAppender::new(&stream.log, stream.limit.clone()).expect("a fresh log");
            bencher.iter_custom(|count| run(&mut stream, count, || appender.offer(black_box(&message))));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = one_thread_to_another
}
criterion_main!(benches);
