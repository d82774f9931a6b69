//! The scenario `journal`: what a journal costs, part by part, each beside what it is measured by in the same run, in rounds that
//! alternate.
//!
//! | part | beside |
//! | --- | --- |
//! | `append`: what an append costs the thread that makes it | a bare copy into a mapped file |
//! | `processes`: two processes that append to one journal | one |
//! | `read`: reading from the start to the end | copying the same bytes from memory to memory |
//! | `tail`: how soon a tailer in another process sees an append | how soon a subscriber in another process sees a message over IPC |
//! | `seek`: finding a message by its number and by its time in a large journal | the same in one a sixteenth as large |
//! | `open`: opening a large journal that was left by a kill or a loss of power | the same for one a sixteenth as large |

mod append;
mod open;
mod processes;
mod read;
mod seek;
mod sparse;
mod tail;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Command;

use gannet::journal::{JournalOptions, Stamps};

use crate::rig::RigError;
use crate::rig::cores::Cores;
use crate::rig::measurement::Measurement;
use crate::systems::gannet::failed;

/// The scenario's name in results; of its parts but the first, it is the beginning.
pub const NAME: &str = "journal";

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What an append costs.
    Append,
    /// Two processes that append.
    Processes,
    /// Reading it all.
    Read,
    /// A tailer in another process.
    Tail,
    /// Finding messages.
    Seek,
    /// Opening after a crash.
    Open,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Append, Self::Processes, Self::Read, Self::Tail, Self::Seek, Self::Open];
}

/// What another process does in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Appends.
    Append,
    /// Tails the journal.
    Tail,
    /// Subscribes to the stream.
    Subscribe,
}

/// How to run the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where journals and the floor's file are made, in a directory of their own, which is removed again.
    pub dir: PathBuf,
    /// Bytes per message.
    pub size: usize,
    /// Appends per round.
    pub appends: usize,
    /// Rounds of each kind.
    pub rounds: u32,
    /// Bytes of a segment.
    pub segment_length: i64,
    /// What the journal stamps messages with.
    pub stamps: Stamps,
    /// Where the appender runs, and the other end.
    pub cores: Cores,
    /// What to measure.
    pub parts: Vec<Part>,
    /// Bytes of the large journal that is searched and opened. Its files are sparse: a hundredth of it is stored.
    pub large: u64,
    /// Makes the command that runs [`child`] in another process.
    pub command: fn(Role) -> std::io::Result<Command>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: std::env::temp_dir(),
            size: 64,
            appends: 400_000,
            rounds: 5,
            segment_length: 64 << 20,
            stamps: Stamps::Coarse,
            cores: Cores { near: None, far: None },
            parts: Part::ALL.to_vec(),
            large: 10_000_000_000,
            command: |_| Err(std::io::Error::other("nobody has said how")),
        }
    }
}

/// Hears of each round before it starts, and may end the run.
type Progress<'a> = dyn FnMut(&str) -> Result<(), RigError> + 'a;

/// A directory that is removed when the run is over, however it ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left for the user to see.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the parts: of each, the result that it is measured by, and then the journal's.
///
/// # Errors
///
/// [`RigError`] when files cannot be made or used, or another process does not answer.
pub fn run(
    options: &Options,
    mut progress: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let scratch = Scratch(options.dir.join(format!("gannet-bench-journal-{}", std::process::id())));
    let mut results = Vec::new();
    for part in &options.parts {
        std::fs::create_dir_all(&scratch.0).map_err(|error| RigError::system(NAME, "make a directory", error))?;
        let progress = &mut progress;
        results.extend(match part {
            Part::Append => append::run(&scratch.0, options, progress)?,
            Part::Processes => processes::run(&scratch.0, options, progress)?,
            Part::Read => read::run(&scratch.0, options, progress)?,
            Part::Tail => tail::run(&scratch.0, options, progress)?,
            Part::Seek => seek::run(&scratch.0, options, progress)?,
            Part::Open => open::run(&scratch.0, options, progress)?,
        });
        // The parts' files are in nobody's way.
        let _ = std::fs::remove_dir_all(&scratch.0);
    }
    Ok(results)
}

/// Does what another process does: reads what to do from standard input, and answers on standard output, until the one is closed.
///
/// # Errors
///
/// [`RigError`] when what is asked for cannot be done.
pub fn child(role: Role) -> Result<(), RigError> {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    match role {
        Role::Append => processes::child(&mut lines),
        Role::Tail => tail::child_of_journal(&mut lines),
        Role::Subscribe => tail::child_of_stream(&mut lines),
    }
}

/// Answers whoever started this process.
fn say(line: &str) -> Result<(), RigError> {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    let said = output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush());
    said.map_err(|error| RigError::system(NAME, "answer", error))
}

/// The next command, as its words; none when there are no more.
fn words(lines: &mut dyn Iterator<Item = String>) -> Option<Vec<String>> {
    lines.next().map(|line| line.split(' ').map(str::to_owned).collect())
}

/// A number among the words of a command.
fn number<T: std::str::FromStr>(words: &[String], index: usize) -> Option<T> {
    words.get(index)?.parse().ok()
}

fn other_process(role: Role, options: &Options) -> Result<crate::rig::child::OtherProcess, RigError> {
    let failed = |error| RigError::system(NAME, "start another process", error);
    crate::rig::child::OtherProcess::start(NAME, &mut (options.command)(role).map_err(failed)?)
}

fn journal_options(options: &Options) -> JournalOptions {
    JournalOptions::new().term_length(16 << 20).segment_length(options.segment_length).stamps(options.stamps)
}

fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}
