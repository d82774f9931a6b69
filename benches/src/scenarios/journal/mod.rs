//! The scenario `journal`: the cost of each part of a journal, compared with a floor in the same run. Rounds alternate.
//!
//! | part | compared with |
//! | --- | --- |
//! | `append`: the cost of an append to the thread that makes it | a copy into a mapped file |
//! | `processes`: two processes that append to one journal | one process |
//! | `read`: reading from the start to the end | copying the same bytes from memory to memory |
//! | `tail`: how soon a tailer in another process sees an append | how soon a subscriber in another process sees a message over IPC |
//! | `seek`: finding a message by its number and by its time in a large journal | the same in one a sixteenth as large |
//! | `open`: opening a large journal after a kill or a loss of power | the same for one a sixteenth as large |

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

/// The scenario's name in results, and the start of the names of its other parts.
pub const NAME: &str = "journal";

/// A part of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The cost of an append.
    Append,
    /// Two processes that append.
    Processes,
    /// Reading the whole journal.
    Read,
    /// A tailer in another process.
    Tail,
    /// Finding messages.
    Seek,
    /// Opening after a crash.
    Open,
}

impl Part {
    /// All parts, in order.
    pub const ALL: [Self; 6] = [Self::Append, Self::Processes, Self::Read, Self::Tail, Self::Seek, Self::Open];
}

/// The role of another process in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Appends.
    Append,
    /// Tails the journal.
    Tail,
    /// Subscribes to the stream.
    Subscribe,
}

/// The options of the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where journals and the floor's file are made. They are in a directory of their own, which is removed again.
    pub dir: PathBuf,
    /// Bytes per message.
    pub size: usize,
    /// Appends per round.
    pub appends: usize,
    /// Rounds of each kind.
    pub rounds: u32,
    /// The length of a segment in bytes.
    pub segment_length: i64,
    /// The stamps of messages.
    pub stamps: Stamps,
    /// The cores of the appender and of the other end.
    pub cores: Cores,
    /// The parts to measure.
    pub parts: Vec<Part>,
    /// The length in bytes of the large journal that is searched and opened. Its files are sparse: a hundredth of it is
    /// stored.
    pub large: u64,
    /// Creates the command that runs [`child`] in another process.
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

/// Called before each round; may end the run.
type Progress<'a> = dyn FnMut(&str) -> Result<(), RigError> + 'a;

/// A directory that is removed when the run ends in any way.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that cannot be removed is left to the user.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the parts. For each it returns the result to compare with, then the journal's.
///
/// # Errors
///
/// [`RigError`] when files cannot be made or used, or when another process does not answer.
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
        // The files of a part would only take space.
        let _ = std::fs::remove_dir_all(&scratch.0);
    }
    Ok(results)
}

/// Runs the role of another process: reads commands from standard input and answers on standard output, until the input
/// ends.
///
/// # Errors
///
/// [`RigError`] when a command fails.
pub fn child(role: Role) -> Result<(), RigError> {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    match role {
        Role::Append => processes::child(&mut lines),
        Role::Tail => tail::child_of_journal(&mut lines),
        Role::Subscribe => tail::child_of_stream(&mut lines),
    }
}

/// Answers the process that started this one.
fn say(line: &str) -> Result<(), RigError> {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    let said = output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush());
    said.map_err(|error| RigError::system(NAME, "answer", error))
}

/// The words of the next command. `None` at the end of the input.
fn words(lines: &mut dyn Iterator<Item = String>) -> Option<Vec<String>> {
    lines.next().map(|line| line.split(' ').map(str::to_owned).collect())
}

/// Parses a word of a command as a number.
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
