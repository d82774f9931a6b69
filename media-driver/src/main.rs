//! The media driver process: reads the configuration, starts the driver, waits for a signal or a client's request, and
//! stops. The library does everything else. The process never exits with a clean status unless the driver was closed
//! cleanly.
#![expect(
    clippy::disallowed_methods,
    reason = "an edge: reads the configuration's files, and what the system says of the process"
)]

mod cli;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use gannet::cnc::default_directory;
use gannet_driver::config::{DirectoryAccess, Layers, Loaded};
use gannet_driver::signals::StopSignals;
use gannet_driver::{MediaDriver, StopHandle, StopReason};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use cli::Cli;

/// The exit code for a failure.
const FAILED: u8 = 1;
/// The exit code for an invalid configuration. Nothing was changed, and trying again does not help. The command line
/// parser uses the same code.
const NOT_UNDERSTOOD: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // The command line was not understood: exit code 2.
        Err(error) if error.use_stderr() => error.exit(),
        // Help has colors on a terminal, so it is written in its own way.
        Err(help) => return end_after(help.print().and_then(|()| io::stdout().flush())),
    };
    if cli.version {
        return end_after(print(&format!("{}\n", version_line())));
    }
    if cli.man {
        return match Cli::man() {
            Ok(page) => end_after(print(&page)),
            Err(error) => refuse(FAILED, &format!("cannot make the manual page: {error}")),
        };
    }
    match load(&cli) {
        Ok(loaded) => run(&cli, loaded),
        Err(message) => refuse(NOT_UNDERSTOOD, &message),
    }
}

/// Reads all sources of the configuration.
fn load(cli: &Cli) -> Result<Loaded, String> {
    let mut layers = Layers::new();
    layers.environment(variables()?);
    if let Some(path) = &cli.config {
        layers.config_file(path, &read(path)?);
    }
    for path in &cli.properties {
        // The reference driver also fetches URLs, and ignores a file that does not exist. Here both are errors.
        let path = match path.to_str() {
            Some(url) if url.starts_with("http://") => {
                return Err(format!("cannot read {url}: properties are read from files only; fetch it first"));
            }
            Some(url) => Path::new(url.strip_prefix("file://").unwrap_or(url)),
            None => path,
        };
        layers.properties_file(path, &read(path)?);
    }
    cli.add_to(&mut layers);
    layers.load().map_err(|errors| errors.to_string())
}

/// The environment variables that may concern the driver.
fn variables() -> Result<Vec<(String, String)>, String> {
    let texts = std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text)));
    let ours = texts.filter(|(name, _)| name.starts_with("AERON_") || name.starts_with("GANNET_"));
    ours.map(|(name, text)| match text.into_string() {
        Ok(text) => Ok((name, text)),
        Err(text) => Err(format!("environment variable {name} is not UTF-8 text: {}", text.display())),
    })
    .collect()
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {} for settings: {error}", path.display()))
}

fn run(cli: &Cli, loaded: Loaded) -> ExitCode {
    if cli.print_config {
        loaded.notices.iter().for_each(|notice| tell(&format!("warning: {notice}")));
        return end_after(print(&loaded.print(&default_directory())));
    }
    if let Err(message) = start_logging(&loaded) {
        return refuse(NOT_UNDERSTOOD, &message);
    }
    if loaded.config.process.print_configuration
        && let Err(error) = print(&loaded.print(&default_directory()))
    {
        warn!("cannot print the configuration to standard output: {error}");
    }
    for notice in &loaded.notices {
        warn!("{notice}");
    }
    let config = loaded.config;
    restrict_new_files(config.directory.access);
    let (profile, mode) = (config.process.profile, config.threads.mode);
    // Before clients, or an operator's script, can see the driver, so that no signal is missed.
    let signals = match StopSignals::watch() {
        Ok(signals) => signals,
        Err(error) => return refuse(FAILED, &format!("cannot watch for signals: {error}")),
    };
    // The start may take long, and a second signal ends it.
    let stop = StopHandle::default();
    let heard = signals.call({
        let stop = stop.clone();
        move |signal| {
            info!("received {signal}");
            stop.stop();
        }
    });
    if let Err(error) = heard {
        return refuse(FAILED, &format!("cannot start the thread that watches for signals: {error}"));
    }
    let mut driver = match MediaDriver::launch_with(config, stop) {
        Ok(driver) => driver,
        Err(error) => return refuse(FAILED, &error.to_string()),
    };
    for warning in driver.warnings() {
        warn!("{warning}");
    }
    info!(dir = %driver.dir().display(), pid = std::process::id(), %profile, %mode, "{}", version_line());

    match driver.wait() {
        StopReason::TerminatedByClient => info!("a client asked the driver to terminate"),
        StopReason::AgentFailed => error!("the driver failed"),
        _ => {}
    }
    info!("shutting down");
    match driver.close() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Writes the log to standard error, because standard output is for requested output.
fn start_logging(loaded: &Loaded) -> Result<(), String> {
    let directives = &loaded.config.process.log;
    let refused = |reason: &str| {
        let source = loaded.source("gannet.log").map_or_else(String::new, ToString::to_string);
        format!("gannet.log={directives} ({source}): {reason}; expected a level, as in info, or target=level,...")
    };
    // The filter takes a lone word that is no level for a target, and would then log nothing else.
    let is_level = |word: &str| word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok();
    if let Some(word) = directives.split(',').map(str::trim).find(|word| !is_level(word)) {
        return Err(refused(&format!("\"{word}\" is no level")));
    }
    let filter = EnvFilter::try_new(directives).map_err(|error| refused(&error.to_string()))?;
    // A closed standard error is no reason to end, or to report anything.
    let log = tracing_subscriber::fmt().log_internal_errors(false);
    log.with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    Ok(())
}

/// Files are created with the modes for the access setting. The umask must neither widen nor narrow them.
fn restrict_new_files(access: DirectoryAccess) {
    let mask = match access {
        DirectoryAccess::Private => 0o077,
        DirectoryAccess::Group => 0o007,
    };
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
}

/// Ends after the requested text was printed to standard output.
fn end_after(printed: io::Result<()>) -> ExitCode {
    match printed {
        // The reader has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => refuse(FAILED, &format!("cannot write to standard output: {error}")),
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn refuse(status: u8, message: &str) -> ExitCode {
    message.lines().for_each(tell);
    ExitCode::from(status)
}

/// Prints a line to standard error, which may be closed.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "gannet-driver: {line}");
}

/// The version in the reference driver's format, which scripts may look for.
fn version_line() -> String {
    format!(
        "gannet-driver <{}> major {} minor {} patch {} git {}",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
        gannet_driver::COMMIT,
    )
}
