//! Opening a journal after its writers were killed, or after a loss of power: a large one, and one a sixteenth as
//! large, in turn. A journal is open when it can be appended to, so creating the next segment is included.

use std::path::Path;

use gannet::journal::{Journal, LeftBy};

use crate::rig::RigError;
use crate::rig::cores::pin;
use crate::rig::histogram::LatencyHistogram;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::gannet::GANNET;

use super::sparse::Sparse;
use super::{NAME, Options, Progress, failed};

const LEFT: [(&str, LeftBy); 2] = [("after_kill", LeftBy::Kill), ("after_power_loss", LeftBy::PowerLoss)];

pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    pin(options.cores.near);
    let mut journals = Vec::new();
    for length in [options.large / 16, options.large] {
        progress(&format!("journal: making one of {} MB", length / 1_000_000))?;
        let dir = dir.join(length.to_string());
        journals.push((Sparse::create(&dir, length)?, dir));
    }
    let mut latencies = [(); 2].map(|()| [(); 2].map(|()| LatencyHistogram::default()));
    for round in 0..=options.rounds {
        for ((what, left_by), latencies) in LEFT.iter().zip(&mut latencies) {
            for ((sparse, dir), latencies) in journals.iter().zip(latencies) {
                progress(&format!("journal: opening {what}, round {round} of {}", options.rounds))?;
                sparse.leave(*left_by == LeftBy::Kill)?;
                let start_ns = now_ns();
                let journal = Journal::open(dir).map_err(failed("open the journal"))?;
                let latency_ns = now_ns() - start_ns;
                let report = journal.recovery();
                if report.left_by != *left_by || report.end.get().unsigned_abs() != sparse.end {
                    let found = std::io::Error::other(format!("{report:?}"));
                    return Err(RigError::system(GANNET, "recover what was left", found));
                }
                if round > 0 {
                    latencies.record(latency_ns);
                }
            }
        }
    }
    let mut results = Vec::new();
    for ((what, _), latencies) in LEFT.into_iter().zip(latencies) {
        let p50s = latencies.each_ref().map(|latencies| latencies.quantile_ns(0.5));
        for (index, ((sparse, _), latencies)) in journals.iter().zip(latencies).enumerate() {
            let ratio = match (index, p50s) {
                (1, [Some(small @ 1..), Some(large)]) => Some((large as f64 / small as f64 * 1e4).round() / 1e4),
                _ => None,
            };
            let details =
                Details::Journal { journal_bytes: sparse.end, by: what.to_owned(), ratio_to_sixteenth: ratio };
            results.push(Measurement::operation(&format!("{NAME}-open"), GANNET, latencies, details));
        }
    }
    Ok(results)
}
