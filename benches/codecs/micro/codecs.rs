//! Measures each operation of each system with criterion. On a busy machine `compare` is more reliable, since it
//! alternates.

#![allow(missing_docs, reason = "the harness's macro makes a function")]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use gannet_codec_benches::{OPERATIONS, SYSTEMS, repeat};

fn codecs(criterion: &mut Criterion) {
    for (name, operation) in OPERATIONS {
        let mut group = criterion.benchmark_group(name);
        for system in &SYSTEMS {
            group.bench_function(system.name, |bencher| {
                bencher.iter_custom(|count| {
                    let start = Instant::now();
                    repeat(system, operation, count);
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = codecs
}
criterion_main!(benches);
