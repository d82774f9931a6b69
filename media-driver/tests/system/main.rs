//! The driver as operators and clients meet it: a real process, started, stopped, killed, refused. Every wait has a deadline
//! and every process is gone when its test ends.

mod directory;
mod driver_process;
mod options;
mod stop;
