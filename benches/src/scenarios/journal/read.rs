//! Reading a journal from its start to its end, every byte of every message, compared with copying the same bytes from
//! memory to memory. The rates count the bytes of the segments, headers included.

use std::path::Path;

use gannet::journal::{Journal, Record, Recording, Start};
use gannet::memory::{AtomicBuffer, FileAccess, MappedFile};

use crate::raw_access::RAW;
use crate::rig::RigError;
use crate::rig::cores::pin;
use crate::rig::measurement::Measurement;
use crate::rig::schedule::now_ns;
use crate::systems::FLOOR;
use crate::systems::gannet::GANNET;

use super::{NAME, Options, Progress, failed, journal_dir, journal_options};

/// Segments that are read in a round.
const SEGMENTS: i64 = 2;
/// A second message size besides the requested one, for which headers matter less.
const LARGER: usize = 1_024;
/// The limit of a poll, in messages.
const BATCH: usize = 256;

pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    let mut results = Vec::new();
    let sizes = if options.size == LARGER { vec![LARGER] } else { vec![options.size, LARGER] };
    for size in sizes {
        results.extend(of_size(dir, options, size, progress)?);
    }
    Ok(results)
}

fn of_size(
    dir: &Path,
    options: &Options,
    size: usize,
    progress: &mut Progress<'_>,
) -> Result<[Measurement; 2], RigError> {
    pin(options.cores.near);
    let path = journal_dir(dir);
    let journal = Journal::create(&path, &journal_options(options)).map_err(failed("make a journal"))?;
    let mut appender = journal.appender().map_err(failed("make an appender"))?;
    let (mut messages, message) = (0_u64, vec![0x5a_u8; size]);
    while journal.tail().get() < SEGMENTS * options.segment_length - (64 << 10) {
        for _ in 0..16 {
            appender.append(&message).map_err(failed("append"))?;
            messages += 1;
        }
    }
    let bytes = journal.tail().get() as u64;
    drop(appender);
    journal.close().map_err(failed("close the journal"))?;
    let recording = Recording::open(&path).map_err(failed("open the recording"))?;
    let mut copy = Copy::new(&path, &recording, options.segment_length)?;
    let mut per_second = [Vec::new(), Vec::new()];
    for round in 0..=options.rounds {
        for (index, system) in [FLOOR, GANNET].into_iter().enumerate() {
            progress(&format!(
                "journal: reading messages of {size} bytes, {system}, round {round} of {}",
                options.rounds
            ))?;
            let start_ns = now_ns();
            match index {
                0 => copy.run(bytes),
                _ => read(&recording, messages)?,
            }
            if round > 0 {
                per_second[index].push(1e9 / (now_ns() - start_ns).max(1) as f64);
            }
        }
    }
    std::fs::remove_dir_all(&path).map_err(failed("remove the journal"))?;
    let scenario = format!("{NAME}-read");
    let samples = messages * u64::from(options.rounds);
    let [floor, mut ours] = per_second.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        let median = rounds[rounds.len() / 2];
        let result = Measurement::throughput(&scenario, GANNET, size, samples, 0, median * messages as f64);
        Measurement { bytes_per_s: Some((median * bytes as f64).round()), ..result }
    });
    let floor = Measurement { system: FLOOR.to_owned(), ..floor };
    ours.compare_with(&floor);
    Ok([floor, ours])
}

/// Polls for every message and reads each of its bytes.
fn read(recording: &Recording, messages: u64) -> Result<(), RigError> {
    let mut tailer = recording.tailer(Start::Begin).map_err(failed("make a tailer"))?;
    let (mut count, mut sum) = (0, 0_u64);
    loop {
        let handler = |record: Record<'_>| {
            let (words, rest) = record.payload().as_chunks::<8>();
            sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
            sum = rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
        };
        match tailer.poll(handler, BATCH).map_err(failed("read"))? {
            0 => break,
            read => count += read as u64,
        }
    }
    std::hint::black_box(sum);
    if count == messages {
        Ok(())
    } else {
        Err(RigError::OutOfOrder { system: GANNET.to_owned(), expected: messages, found: count })
    }
}

/// Copies the same bytes.
struct Copy {
    segments: Vec<AtomicBuffer>,
    target: Vec<u8>,
}

impl Copy {
    fn new(dir: &Path, recording: &Recording, segment_length: i64) -> Result<Self, RigError> {
        let segments = recording.segments().map_err(failed("list the segments"))?;
        let open =
            |name: &str| MappedFile::open(&dir.join(name), 1, FileAccess::ReadOnly).map(|file| file.into_view(RAW));
        let segments: Result<Vec<_>, _> = segments.iter().map(|segment| open(&segment.name)).collect();
        // Written once, so that every page is mapped.
        Ok(Self { segments: segments.map_err(failed("map a segment"))?, target: vec![1; segment_length as usize] })
    }

    fn run(&mut self, mut bytes: u64) {
        for segment in &self.segments {
            let length = segment.len().min(self.target.len()).min(bytes as usize);
            segment.get_bytes(0, &mut self.target[..length]);
            bytes -= length as u64;
        }
        std::hint::black_box(&self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, run};
    use super::*;

    #[test]
    fn two_sizes_are_read_and_copied() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            dir: dir.path().to_owned(),
            rounds: 1,
            segment_length: 16 << 20,
            parts: vec![Part::Read],
            ..Options::default()
        };
        let results = run(&options, |_| Ok(())).expect("it runs");
        let systems: Vec<_> = results.iter().map(|result| (result.system.as_str(), result.size)).collect();
        assert_eq!(systems, [("floor", 64), ("gannet", 64), ("floor", 1_024), ("gannet", 1_024)]);
        assert!(results[1].ratio_to_floor.is_some() && results[3].bytes_per_s > Some(0.0));
    }
}
