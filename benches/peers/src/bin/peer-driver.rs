//! Aeron's C media driver as a program: `peer-driver [--dir DIR] [--threading-mode MODE] [--idle STRATEGY] [-Dname=value]...`
//!
//! Other settings come from the environment (`AERON_*`), as for the C driver's own program. Prints `ready PID VERSION`
//! once clients can connect. Stops on SIGTERM or SIGINT, when its standard input ends (so that it never outlives the
//! test that started it), or when a client is allowed to terminate it.
#![allow(unsafe_code, reason = "environment variables are how the C driver takes its settings")]

use gannet_peers::driver::{DriverSettings, EmbeddedDriver, IDLE_STRATEGY_PROPERTIES, ThreadingMode, environment_name};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, Read, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, thread};

const USAGE: &str = "usage: peer-driver [--dir DIR] [--threading-mode MODE] [--idle STRATEGY] [-Dname=value]...";

fn main() -> ExitCode {
    match parse(env::args().skip(1)) {
        Ok(properties) => {
            for (name, value) in properties {
                // SAFETY: the process has one thread yet, so nobody reads the environment meanwhile.
                unsafe { env::set_var(environment_name(&name), value) };
            }
        }
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut driver = EmbeddedDriver::start(&DriverSettings::default())?;
    println!("ready {} {}", process::id(), EmbeddedDriver::version());
    io::stdout().flush()?;
    let ended = Arc::clone(&stop);
    thread::spawn(move || {
        let mut ignored = [0; 256];
        while let Ok(1..) = io::stdin().read(&mut ignored) {}
        ended.store(true, Ordering::Release);
    });
    while !stop.load(Ordering::Acquire) && !driver.is_terminated() {
        let work = driver.do_work();
        driver.idle(work);
    }
    Ok(())
}

/// The properties that the command line sets.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Vec<(String, String)>, String> {
    let mut properties = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--dir" => properties.push(("aeron.dir".to_owned(), value()?)),
            "--threading-mode" => {
                let mode = value()?;
                ThreadingMode::from_name(&mode).ok_or_else(|| format!("no threading mode is called {mode}"))?;
                properties.push(("aeron.threading.mode".into(), mode));
            }
            "--idle" => {
                let strategy = value()?;
                properties.extend(IDLE_STRATEGY_PROPERTIES.map(|property| (property.to_owned(), strategy.clone())));
            }
            _ => {
                let property = argument.strip_prefix("-D").and_then(|property| property.split_once('='));
                let (name, value) = property.ok_or_else(|| format!("{argument} is not understood"))?;
                properties.push((name.into(), value.into()));
            }
        }
    }
    Ok(properties)
}
