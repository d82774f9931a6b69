//! The cost of appending to a journal, of reading it from start to end, and of finding a message in it.
//!
//! Appends come in bursts of about a segment, each of which includes a roll; after a burst the journal is pruned, which
//! is not measured. The floor of an append is a copy into a mapped file whose pages are at hand, and that of reading a
//! copy of as many bytes of the same segments to memory.

#![allow(missing_docs, reason = "the harness's macro makes a function")]

#[path = "../src/raw_access.rs"]
mod raw_access;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gannet::journal::{Journal, JournalOptions, Prune, Record, Recording, Start, Tailer};
use gannet::memory::{AtomicBuffer, FileAccess, MappedFile, Reserve};
use gannet::time::EpochNanos;
use raw_access::RAW;
use tempfile::TempDir;

const SIZES: [usize; 2] = [64, 1024];
const SEGMENT: i64 = 16 << 20;
/// Messages per poll and per copy.
const BATCH: u64 = 256;

fn options() -> JournalOptions {
    JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT)
}

/// What a message takes in a segment.
fn stride(size: usize) -> usize {
    (size + 32).next_multiple_of(32)
}

/// A journal that is appended to and pruned.
struct Bursts {
    journal: Journal,
    /// Messages of a burst, and since the journal was pruned.
    most: u64,
    appended: u64,
    _dir: TempDir,
}

impl Bursts {
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = Journal::create(dir.path(), &options()).expect("a journal");
        Self { journal, most: SEGMENT as u64 / stride(size) as u64, appended: 0, _dir: dir }
    }

    /// Appends `count` messages. Returns how long that took.
    fn run(&mut self, count: u64, mut append: impl FnMut()) -> Duration {
        let mut taken = Duration::ZERO;
        let mut left = count;
        while left > 0 {
            let now = left.min(self.most - self.appended);
            let start = Instant::now();
            (0..now).for_each(|_| append());
            taken += start.elapsed();
            left -= now;
            self.appended += now;
            if self.appended == self.most {
                self.prune();
            }
        }
        taken
    }

    fn prune(&mut self) {
        let end = self.journal.tail();
        while self.journal.indexed() < end {
            std::thread::yield_now();
        }
        self.journal.prune(&Prune::default().before_position(end)).expect("nobody else prunes");
        self.appended = 0;
    }
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal append");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let message = vec![7; size];
        group.bench_function(BenchmarkId::new("exclusive", size), |bencher| {
            let mut bursts = Bursts::new(size);
            let mut appender = bursts.journal.exclusive_appender().expect("the only one");
            let mut append = || _ = appender.append(black_box(&message)).expect("there is room");
            bencher.iter_custom(|count| bursts.run(count, &mut append));
        });
        group.bench_function(BenchmarkId::new("among others", size), |bencher| {
            let mut bursts = Bursts::new(size);
            let _other = bursts.journal.appender().expect("one of a few");
            let mut appender = bursts.journal.appender().expect("one of a few");
            let mut append = || _ = appender.append(black_box(&message)).expect("there is room");
            bencher.iter_custom(|count| bursts.run(count, &mut append));
        });
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("floor");
            let length = 2 * SEGMENT as usize;
            let file = MappedFile::create(&path, length as u64, 0o600, Reserve::SpaceAndPages).expect("there is room");
            let view = file.into_view(RAW);
            let mut at = 0;
            bencher.iter(|| {
                at = if at + stride(size) > length { 0 } else { at };
                view.put_bytes(at, black_box(&message));
                at += stride(size);
            });
        });
    }
    group.finish();
}

/// A journal of `messages` messages whose times are their numbers in microseconds, from 1 on.
fn filled(size: usize, messages: u64) -> (Recording, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::create(dir.path(), &options()).expect("a journal");
    let mut appender = journal.exclusive_appender().expect("the only one");
    let message = vec![7; size];
    for number in 1..=messages {
        appender.append_with(&message, time_of(number)).expect("there is room");
    }
    drop(appender);
    journal.close().expect("everything is indexed");
    (Recording::open(dir.path()).expect("a recording"), dir)
}

fn time_of(number: u64) -> i64 {
    number.cast_signed() * 1_000
}

/// Reads `count` messages and each of their bytes, from the start again when the end is reached.
fn read(tailer: &mut Tailer, count: u64) -> u64 {
    let (mut done, mut sum) = (0, 0_u64);
    while done < count {
        let handler = |record: Record<'_>| {
            let (words, _) = record.payload().as_chunks::<8>();
            sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
        };
        match tailer.poll(handler, BATCH.min(count - done) as usize).expect("it is whole") {
            0 => tailer.seek(Start::Begin).expect("it has a start"),
            polled => done += polled as u64,
        }
    }
    sum
}

fn sequential_read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal read");
    for size in SIZES {
        group.throughput(Throughput::Bytes(stride(size) as u64));
        let (recording, dir) = filled(size, 4 * SEGMENT as u64 / stride(size) as u64);
        group.bench_function(BenchmarkId::new("poll", size), |bencher| {
            let mut tailer = recording.tailer(Start::Begin).expect("it is whole");
            bencher.iter_custom(|count| {
                let start = Instant::now();
                black_box(read(&mut tailer, count));
                start.elapsed()
            });
        });
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            let segments = recording.segments().expect("it has some").into_iter();
            let segments: Vec<AtomicBuffer> = segments
                .map(|segment| MappedFile::open(&dir.path().join(segment.name), 1, FileAccess::ReadOnly))
                .map(|file| file.expect("a segment").into_view(RAW))
                .collect();
            let mut target = vec![1; BATCH as usize * stride(size)];
            let (mut segment, mut at) = (0, 0);
            bencher.iter_custom(|count| {
                let start = Instant::now();
                let mut left = count;
                while left > 0 {
                    let now = left.min(BATCH);
                    let length = now as usize * stride(size);
                    if at + length > segments[segment].len() {
                        (segment, at) = ((segment + 1) % segments.len(), 0);
                    }
                    segments[segment].get_bytes(at, &mut target[..length]);
                    black_box(&target);
                    at += length;
                    left -= now;
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

fn seek(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal seek");
    // One is sixteen times as long as the other.
    for megabytes in [16, 256] {
        let messages = (megabytes << 20) / stride(64) as u64;
        let (recording, _dir) = filled(64, messages);
        let mut tailer = recording.tailer(Start::Begin).expect("it is whole");
        // Everything was read before.
        read(&mut tailer, messages);
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1 + (state >> 33) % messages
        };
        for way in ["sequence", "time"] {
            group.bench_function(BenchmarkId::new(way, format!("{megabytes} MiB")), |bencher| {
                bencher.iter(|| {
                    let number = random();
                    let sequence = number.cast_signed() - 1;
                    tailer
                        .seek(match way {
                            "sequence" => Start::Sequence(sequence),
                            _ => Start::Time(EpochNanos::new(time_of(number))),
                        })
                        .expect("the message is there");
                    assert_eq!(tailer.sequence(), Some(sequence));
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = append, sequential_read, seek
}
criterion_main!(benches);
