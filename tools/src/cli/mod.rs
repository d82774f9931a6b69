//! What all subcommands share: flags, output, exit codes, and the request to stop. A subcommand parses nothing itself
//! and never ends the process.

mod connection;
mod exit;
mod input;
mod moments;
mod output;
mod progress;
mod stop;
mod target;
mod values;

pub(crate) use connection::{Connection, DriverPatience};
pub(crate) use exit::{Outcome, Unsuccessful, Usage, exit};
pub(crate) use input::{LONGEST_MESSAGE, StoppableInput, read_line};
pub(crate) use moments::{moment, show_moment, utc};
pub(crate) use output::{
    Output, can_erase, counted, hex, in_one_line, json_text, seconds, seconds_since, tell, times, with_separators,
};
pub(crate) use progress::Progress;
pub(crate) use stop::Stop;
pub(crate) use target::{DriverDir, Stream, advise_on_driver};
pub(crate) use values::{
    Repeat, bytes, bytes_in, count, count_in, counter_type, duration, from_zero, mtu, position, positive_count,
    positive_duration, power_of_two, recording_id, session_id, stream_id,
};
