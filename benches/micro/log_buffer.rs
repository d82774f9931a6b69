//! The cost of an offer and a poll in one thread: no cache line moves between cores, so it consists of instructions and
//! memory access.
//!
//! Each measurement is a burst: messages are published until a quarter of a term is full and then read; then the memory
//! is cleaned and the limit moved, as the driver does it. The floor copies the same payloads to memory at the same
//! distances, and reads them.

#![allow(missing_docs, reason = "the harness's macro makes a function")]

#[path = "../src/raw_access.rs"]
mod raw_access;
#[path = "support/stream.rs"]
mod stream;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gannet::logbuffer::{ConcurrentAppender, ExclusiveAppender, ImageReader, LogKind, OfferError};
use gannet::memory::AtomicBuffer;
use gannet::types::Position;
use raw_access::RAW;
use stream::Stream;

const SIZES: [usize; 2] = [32, 1024];

/// Publishes and reads `count` messages in bursts. Returns how long publishing and reading took.
fn run(stream: &mut Stream, count: u64, mut publish: impl FnMut() -> Result<Position, OfferError>) -> Duration {
    let mut reader = ImageReader::new(stream.log.clone(), stream.subscriber.clone());
    let mut taken = Duration::ZERO;
    let (mut sent, mut read) = (0, 0);
    while read < count {
        let start = Instant::now();
        while sent < count {
            match publish() {
                Ok(_) => sent += 1,
                Err(OfferError::AdminAction) => {}
                Err(_) => break,
            }
        }
        while reader.poll(
            |fragment| {
                black_box(fragment.payload());
                read += 1;
            },
            usize::MAX,
        ) > 0
        {}
        taken += start.elapsed();
        stream.turn_over();
    }
    taken
}

fn offer_and_poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log_buffer");
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
        group.bench_function(BenchmarkId::new("exclusive claim", size), |bencher| {
            let mut stream = Stream::new(LogKind::Exclusive);
            let mut appender = ExclusiveAppender::new(&stream.log, stream.limit.clone()).expect("a fresh log");
            bencher.iter_custom(|count| {
                run(&mut stream, count, || {
                    let mut claim = appender.try_claim(size)?;
                    claim.copy_from_slice(black_box(&message));
                    Ok(claim.commit().expect("a claim that nobody took"))
                })
            });
        });
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            let memory = AtomicBuffer::zeroed(3 << 20, RAW);
            let stride = (size + 32).next_multiple_of(32);
            let burst = (1 << 18) / stride;
            let mut read = vec![0; size];
            let mut at = 0;
            bencher.iter_custom(|count| {
                let start = Instant::now();
                let mut done = 0;
                while done < count {
                    let now = burst.min((count - done) as usize);
                    at = if at + burst * stride > memory.len() { 0 } else { at };
                    (0..now).for_each(|index| memory.put_bytes(at + index * stride + 32, black_box(&message)));
                    (0..now).for_each(|index| {
                        memory.get_bytes(at + index * stride + 32, &mut read[..8]);
                        black_box(&read);
                    });
                    at += burst * stride;
                    done += now as u64;
                }
                start.elapsed()
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("log_buffer batch");
    let lengths = [32; 16];
    group.throughput(Throughput::Elements(lengths.len() as u64));
    group.bench_function("16 x 32", |bencher| {
        let mut stream = Stream::new(LogKind::Exclusive);
        let mut appender = ExclusiveAppender::new(&stream.log, stream.limit.clone()).expect("a fresh log");
        let message = vec![7; 32];
        bencher.iter_custom(|count| {
            run(&mut stream, count * lengths.len() as u64, || {
                let mut batch = appender.claim_batch(&lengths)?;
                batch.for_each(|_, payload| payload.copy_from_slice(black_box(&message)));
                Ok(batch.commit().expect("a claim that nobody took"))
            })
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = offer_and_poll
}
criterion_main!(benches);
