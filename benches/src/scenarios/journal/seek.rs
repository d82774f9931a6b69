//! Finding a message by its number and by its time, in a large journal and in one a sixteenth as large, in turn, for
//! messages anywhere in them. The journals are warm: everything was read before. The seek is timed, without making the
//! tailer.

use std::path::Path;

use gannet::journal::{Recording, Start, Tailer};
use gannet::time::EpochNanos;

use crate::rig::RigError;
use crate::rig::cores::pin;
use crate::rig::histogram::LatencyHistogram;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::gannet::GANNET;

use super::sparse::{Sparse, time_of};
use super::{NAME, Options, Progress, failed};

/// Seeks per round, journal and way.
const SEEKS: u32 = 1_000;
const WAYS: [&str; 2] = ["sequence", "time"];

pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    pin(options.cores.near);
    let lengths = [options.large / 16, options.large];
    let mut journals = Vec::new();
    for length in lengths {
        progress(&format!("journal: making one of {} MB", length / 1_000_000))?;
        let dir = dir.join(length.to_string());
        let sparse = Sparse::create(&dir, length)?;
        sparse.leave(true)?;
        let recording = Recording::open(&dir).map_err(failed("open the recording"))?;
        journals.push((sparse, recording.tailer(Start::Begin).map_err(failed("make a tailer"))?));
    }
    let mut latencies = [(); 2].map(|()| [(); 2].map(|()| LatencyHistogram::default()));
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for round in 0..=options.rounds {
        for (way, latencies) in WAYS.iter().zip(&mut latencies) {
            for ((sparse, tailer), latencies) in journals.iter_mut().zip(latencies) {
                progress(&format!("journal: finding by {way}, round {round} of {}", options.rounds))?;
                for _ in 0..SEEKS {
                    let latency_ns = seek(tailer, way, random() % sparse.messages)?;
                    if round > 0 {
                        latencies.record(latency_ns);
                    }
                }
            }
        }
    }
    let mut results = Vec::new();
    for (way, latencies) in WAYS.into_iter().zip(latencies) {
        let p50s = latencies.each_ref().map(|latencies| latencies.quantile_ns(0.5));
        for (index, ((sparse, _), latencies)) in journals.iter().zip(latencies).enumerate() {
            let ratio = match (index, p50s) {
                (1, [Some(small @ 1..), Some(large)]) => Some((large as f64 / small as f64 * 1e4).round() / 1e4),
                _ => None,
            };
            let details = Details::Journal { journal_bytes: sparse.end, by: way.to_owned(), ratio_to_sixteenth: ratio };
            results.push(Measurement::operation(&format!("{NAME}-seek"), GANNET, latencies, details));
        }
    }
    Ok(results)
}

/// Times a seek to the message, and checks that it was found.
fn seek(tailer: &mut Tailer, way: &str, message: u64) -> Result<i64, RigError> {
    let start = match way {
        "time" => Start::Time(EpochNanos::new(time_of(message))),
        _ => Start::Sequence(message.cast_signed()),
    };
    let start_ns = now_ns();
    tailer.seek(start).map_err(failed("find a message"))?;
    let latency_ns = now_ns() - start_ns;
    let found = tailer.next().map_err(failed("read"))?;
    let found = found.and_then(|record| record.payload().first_chunk().map(|number| u64::from_le_bytes(*number)));
    if found == Some(message) {
        Ok(latency_ns)
    } else {
        let found = found.unwrap_or(u64::MAX);
        Err(RigError::OutOfOrder { system: GANNET.to_owned(), expected: message, found })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, run};
    use super::*;

    #[test]
    fn messages_are_found_and_journals_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            dir: dir.path().to_owned(),
            rounds: 1,
            large: 320 << 20,
            parts: vec![Part::Seek, Part::Open],
            ..Options::default()
        };
        let results = run(&options, |_| Ok(())).expect("it runs");
        let by: Vec<_> = results
            .iter()
            .map(|result| match &result.details {
                Some(Details::Journal { by, journal_bytes, .. }) => (by.as_str(), *journal_bytes > 100 << 20),
                other => panic!("{other:?}"),
            })
            .collect();
        let ways = ["sequence", "time", "after_kill", "after_power_loss"];
        assert_eq!(by, ways.map(|way| [(way, false), (way, true)]).concat());
        assert!(results.iter().all(|result| result.p50_ns > Some(0)));
    }
}
