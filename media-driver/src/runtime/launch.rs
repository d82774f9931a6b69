//! The driver as a whole: launching it, waiting for it, stopping it. `main.rs` and embedders use this.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use gannet::agent::{AgentInvoker, AgentPanic, AgentRunner, IdleStrategy, IdleStrategyError};
use gannet::time::SystemClock;

use super::Role;
use super::affinity::{self, AffinityError, Pin};
use super::conductor_agent::ConductorAgent;
use super::conductor_config::{conductor_config, ns};
use super::helper::{Executor, HelperPort, log_files};
use super::network_agents::{NetworkAgent, NetworkDuty, NetworkParts};
use super::resolver_port::{self, ResolverError};
use super::shared_memory::{SharedMemory, SharedMemoryError};
use super::stop::{StopHandle, StopReason};
use crate::channel;
use crate::conductor::Conductor;
use crate::config::{ConfigErrors, Cpu, DriverConfig, ThreadingMode, Threads};
use crate::io::directory::{self, DirectoryError, DirectoryRequest, DriverDirectory, Finding};
use crate::io::resolver;
use crate::io::socket_defaults::{self, SocketDefaults};
use crate::io::transport::{self, LossPlan, SocketOptions, TransportCounts, TransportUnavailable};

/// A media driver that runs. Dropping it stops it.
///
/// Unless its threading mode is `INVOKER` it runs on threads of its own. In that mode whoever owns it calls
/// [`MediaDriver::invoke`], again and again, for as long as it has clients.
#[derive(Debug)]
pub struct MediaDriver {
    host: Host,
    /// The helper's thread, which ends when its port in the conductor's agent is gone.
    helper: Option<JoinHandle<()>>,
    stop: StopHandle,
    /// For a thread that waits by invoking.
    idle_strategy: IdleStrategy,
    /// Held until all else is gone; taken by closing.
    directory: Option<DriverDirectory>,
    path: PathBuf,
    delete_on_shutdown: bool,
    warnings: Vec<String>,
    transport: &'static str,
}

/// Who runs the agents.
#[derive(Debug)]
enum Host {
    Threads(Vec<AgentRunner>),
    Invoker(Box<AgentInvoker<ConductorAgent<SystemClock>>>),
}

/// Why a driver could not be started, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// An idle strategy's arguments.
    #[error(transparent)]
    IdleStrategy(#[from] IdleStrategyError),
    /// Its directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What it shares with clients.
    #[error(transparent)]
    SharedMemory(#[from] SharedMemoryError),
    /// The CPUs of its threads.
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    /// The transport that was insisted on.
    #[error(transparent)]
    NoTransport(#[from] TransportUnavailable),
    /// Where it gossips with other drivers.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// What it sends and receives with.
    #[error("cannot set up a transport: {0}; see that the limit on the user's open files leaves room")]
    Transport(#[source] io::Error),
    /// A thread.
    #[error("cannot start the {role}'s thread: {source}; see that the limit on the user's threads leaves room")]
    Thread {
        /// Which.
        role: Role,
        /// The system's answer.
        source: io::Error,
    },
}

/// What went wrong as a driver was closed. It is closed all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// An agent had panicked before.
    #[error(transparent)]
    AgentPanic(#[from] AgentPanic),
    /// The helper's thread had panicked before.
    #[error("the helper thread panicked; its message is on standard error")]
    HelperPanic,
    /// The directory could not be removed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// The directory of a driver that is being started, given back empty if that fails: half a command file would have the next start wait
/// for the other half, and a whole one be taken for that of a driver that lives.
struct Taken(Option<DriverDirectory>);

impl Taken {
    /// The start has come to its end.
    fn keep(mut self) -> Option<DriverDirectory> {
        self.0.take()
    }
}

impl Deref for Taken {
    type Target = DriverDirectory;

    fn deref(&self) -> &DriverDirectory {
        self.0.as_ref().expect("taken out by whoever keeps it, and nobody looks after that")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(directory) = self.0.take() {
            directory.abandon();
        }
    }
}

impl MediaDriver {
    /// Starts a driver. From when this returns, clients find it in its directory.
    ///
    /// ```
    /// use gannet_driver::MediaDriver;
    /// use gannet_driver::config::{DriverConfig, Profile};
    ///
    /// let mut config = DriverConfig::for_profile(Profile::Frugal);
    /// # let temp = tempfile::tempdir()?;
    /// # let path = temp.path().join("driver");
    /// config.directory.dir = Some(path);
    /// let driver = MediaDriver::launch(config)?;
    /// println!("clients find it in {}", driver.dir().display());
    /// driver.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; nothing of the driver is left running then.
    pub fn launch(config: DriverConfig) -> Result<Self, LaunchError> {
        config.validate()?;
        let delete_on_shutdown = config.directory.delete_on_shutdown;
        Self::start(&config, delete_on_shutdown)
    }

    /// Starts a driver of this process's own, in a new directory that is removed with it. Whatever the configuration says
    /// of the directory is not heeded, but for who may use it.
    ///
    /// ```
    /// use gannet_driver::MediaDriver;
    /// use gannet_driver::config::{DriverConfig, Profile};
    ///
    /// let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
    /// let dir = driver.dir().to_owned();
    /// assert!(dir.join("cnc.dat").exists());
    /// drop(driver);
    /// assert!(!dir.exists());
    /// # Ok::<(), gannet_driver::LaunchError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LaunchError`].
    pub fn launch_embedded(mut config: DriverConfig) -> Result<Self, LaunchError> {
        config.validate()?;
        config.directory.dir = Some(directory::new_private_path());
        config.directory.delete_on_start = false;
        Self::start(&config, true)
    }

    fn start(config: &DriverConfig, delete_on_shutdown: bool) -> Result<Self, LaunchError> {
        let threads = &config.threads;
        let idle_strategy = threads.conductor_idle_strategy()?;
        // Whatever can be refused without touching anything comes first.
        let (pins, mut warnings) = pins(threads)?;
        let chosen = transport::choose(config.process.transport)?;
        warnings.extend(chosen.warning());
        let loss = LossPlan::of_config(&config.loss, 0);
        warnings.extend(loss.map(|plan| plan.warning()));
        let transport = format!("{}{}", chosen.kind.name(), if loss.is_some() { "+loss-on-purpose" } else { "" });

        let (resolver, resolver_port) = resolver_port::open(config)?;

        let clock = SystemClock;
        // Whatever goes wrong from here on, all that is made after it goes first, and says farewell to clients.
        let directory = Taken(Some(DriverDirectory::take(&DirectoryRequest::of(config), &clock)?));
        warnings.extend(directory.findings().iter().filter_map(|finding| describe(finding, config)));
        if !directory.is_in_memory() {
            warnings.push(format!(
                "{} is not on a file system in memory (tmpfs): the system writes its files to a disk now and then, and who \
                 publishes or subscribes may wait for that; a directory in /dev/shm does not",
                directory.path().display()
            ));
        }
        let endpoints = endpoint_defaults(config);
        warnings.extend(socket_defaults::warnings(endpoints.send_buffer as u64, endpoints.receive_buffer as u64));
        let memory = SharedMemory::create(config, &directory, &clock, &transport)?;
        let sockets = SocketDefaults::of_system();
        let conductor_config = conductor_config(config, &directory, sockets, resolver);
        let seed = conductor_config.seed;
        let offload = config.process.segmentation_offload;
        let tried_directly = config.process.sockets_tried_directly as usize;
        let options = SocketOptions { segmentation: offload, coalescing: offload, tried_directly };
        let poll_ratio = config.network.send_to_status_poll_ratio as usize;
        let thresholds = [config.timeouts.sender_cycle_threshold, config.timeouts.receiver_cycle_threshold].map(ns);
        let conductor = Conductor::new(conductor_config, memory.announce(&clock));
        let NetworkParts { sender, receiver, ports, orders } = NetworkParts::new(
            &conductor.network_counters(),
            seed,
            (chosen.kind, options, &config.loss),
            poll_ratio,
            thresholds,
        )
        .map_err(LaunchError::Transport)?;
        let executor = Executor { orders, defaults: endpoints, look_up: resolver::timed, logs: log_files };

        let stop = StopHandle::default();
        let thread_name = |role: Role| role.thread_name(threads.mode, threads.naming);
        let (here, elsewhere) = NetworkDuty::divided(threads.mode, sender, receiver);
        let name = thread_name(Role::Conductor);
        let agent =
            |port| ConductorAgent::new(name, conductor, port, (ports, resolver_port, here), clock, stop.clone());
        let (host, helper, outcome) = match pins[..] {
            [conductor_pin, helper_pin, ref network_pins @ ..] => {
                let (pinned, outcome) = sync_channel(pins.len());
                let failed = |role| move |source| LaunchError::Thread { role, source };
                let (port, helper) = HelperPort::start(thread_name(Role::Helper), helper_pin, pinned.clone(), executor)
                    .map_err(failed(Role::Helper))?;
                let pin_itself = |pin: Pin| {
                    let pinned = pinned.clone();
                    move || drop(pinned.send(pin.apply()))
                };
                let conductor = AgentRunner::start(agent(port), idle_strategy.clone(), pin_itself(conductor_pin))
                    .map_err(failed(Role::Conductor))?;
                let mut runners = vec![conductor];
                for ((role, duty), &pin) in elsewhere.into_iter().zip(network_pins) {
                    let idle_strategy = match role {
                        Role::Receiver => threads.receiver_idle_strategy()?,
                        _ => threads.sender_idle_strategy()?,
                    };
                    let agent = NetworkAgent::new(thread_name(role), duty, clock, stop.clone());
                    let runner = AgentRunner::start(agent, idle_strategy, pin_itself(pin)).map_err(failed(role))?;
                    runners.push(runner);
                }
                drop(pinned);
                (Host::Threads(runners), Some(helper), Some(outcome))
            }
            _ => {
                let mut invoker = AgentInvoker::new(agent(HelperPort::in_line(executor)));
                invoker.start();
                (Host::Invoker(Box::new(invoker)), None, None)
            }
        };
        let driver = Self {
            host,
            helper,
            stop,
            idle_strategy,
            path: directory.path().to_owned(),
            directory: directory.keep(),
            delete_on_shutdown,
            warnings,
            transport: chosen.kind.name(),
        };
        // Each thread says what came of its pin, and then nothing any more; an error closes the driver again.
        for pinned in outcome.iter().flatten() {
            pinned?;
        }
        Ok(driver)
    }

    /// Where clients find it.
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// What its datagrams go through: `io_uring` or `sockets`.
    pub const fn transport(&self) -> &'static str {
        self.transport
    }

    /// What its operator should know though it did not keep it from starting. One sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Asks it to stop from elsewhere, such as a signal handler's thread. It is [`MediaDriver::wait`] that returns then.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Runs the agents once on the calling thread and returns how much they did; 0 when there was nothing to do, and always
    /// for a driver with threads of its own.
    pub fn invoke(&mut self) -> usize {
        match &mut self.host {
            Host::Invoker(invoker) => invoker.invoke(),
            Host::Threads(_) => 0,
        }
    }

    /// What the transports of the sender and of the receiver have done so far, for whoever measures: system calls, datagrams. None
    /// for a driver with threads of its own.
    pub fn transport_counts(&self) -> Option<[TransportCounts; 2]> {
        let Host::Invoker(invoker) = &self.host else { return None };
        let [sender, receiver] = invoker.agent().transport_counts();
        Some([sender?, receiver?])
    }

    /// Waits until the driver is to stop, and says why. In mode `INVOKER` the calling thread runs the agents meanwhile.
    pub fn wait(&mut self) -> StopReason {
        let Host::Invoker(invoker) = &mut self.host else { return self.stop.wait() };
        loop {
            if let Some(reason) = self.stop.reason() {
                return reason;
            }
            self.idle_strategy.idle(invoker.invoke());
        }
    }

    /// Stops it: its agents end their duty cycle, clients are told that it is gone, its directory is free for the next.
    ///
    /// # Errors
    ///
    /// [`CloseError`], when something had gone wrong before or its directory could not be removed.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), CloseError> {
        let Some(directory) = self.directory.take() else { return Ok(()) };
        self.stop.stop();
        let agent = match &mut self.host {
            Host::Threads(runners) => {
                // All of them, whatever became of the first.
                let outcomes: Vec<_> = runners.iter_mut().map(AgentRunner::close).collect();
                outcomes.into_iter().collect()
            }
            Host::Invoker(invoker) => {
                invoker.close();
                Ok(())
            }
        };
        let helper = self.helper.take().map_or(Ok(()), JoinHandle::join).map_err(|_| CloseError::HelperPanic);
        let removed = if self.delete_on_shutdown { directory.remove() } else { Ok(()) };
        agent?;
        helper?;
        Ok(removed?)
    }
}

impl Drop for MediaDriver {
    fn drop(&mut self) {
        // Who wants to know how it ended calls `close`.
        let _ = self.shut_down();
    }
}

/// Which CPU each thread is to be on, and what is odd about that. An invoked driver has no threads.
fn pins(threads: &Threads) -> Result<(Vec<Pin>, Vec<String>), AffinityError> {
    if threads.mode != ThreadingMode::Invoker {
        let (offsets, sharing_is_an_error) = (threads.cpuset_offsets, threads.cpuset_warnings_as_errors);
        let rules = affinity::Rules { offsets, sharing_is_an_error };
        return affinity::plan(&wanted_threads(threads), &affinity::available(), rules);
    }
    let pinned = [threads.conductor_cpu, threads.helper_cpu].iter().any(|cpu| matches!(cpu, Cpu::Number(_)));
    let warning = "a driver that is invoked has no threads to pin; pin the one that invokes it";
    Ok((Vec::new(), pinned.then(|| warning.to_owned()).into_iter().collect()))
}

/// The threads of a driver in one of the modes that have threads, and where each is to run.
fn wanted_threads(threads: &Threads) -> Vec<(Role, Cpu)> {
    let mut wanted = vec![(Role::Conductor, threads.conductor_cpu), (Role::Helper, threads.helper_cpu)];
    if matches!(threads.mode, ThreadingMode::Dedicated | ThreadingMode::SharedNetwork) {
        wanted.push((Role::Sender, threads.sender_cpu));
    }
    if threads.mode == ThreadingMode::Dedicated {
        wanted.push((Role::Receiver, threads.receiver_cpu));
    }
    wanted
}

/// What channels that say nothing of their sockets get.
fn endpoint_defaults(config: &DriverConfig) -> channel::SocketDefaults {
    let bytes = |length: Option<crate::config::ByteLength>| length.map_or(0, |length| length.as_usize());
    channel::SocketDefaults {
        multicast_ttl: config.network.multicast_ttl as u8,
        send_buffer: bytes(config.network.so_sndbuf),
        receive_buffer: bytes(config.network.so_rcvbuf),
        connect: config.network.connect,
        // -1 is what the system gives.
        type_of_service: u8::try_from(config.network.tos).ok(),
    }
}

/// What an operator is told of a finding, if anything.
fn describe(finding: &Finding, config: &DriverConfig) -> Option<String> {
    match finding {
        Finding::Existed => config.directory.warn_if_exists.then(|| "the driver directory existed before".to_owned()),
        Finding::DeadDriver { silent_for_ms: None, .. } => None,
        Finding::DeadDriver { pid, silent_for_ms: Some(ms) } => Some(format!(
            "took the directory over from a driver that died: process {pid}, whose last heartbeat was {ms} ms ago"
        )),
        Finding::UnfinishedStart => Some("took the directory over from a driver that died while it started".to_owned()),
        Finding::ErrorsSaved(path) => {
            Some(format!("the errors that the driver before had logged are in {}", path.display()))
        }
        Finding::ErrorsNotSaved(path, why) => {
            Some(format!("the driver before had logged errors, which could not be saved to {}: {why}", path.display()))
        }
        Finding::NotOurs(path) => Some(format!("left alone in the driver directory: {}", path.display())),
    }
}
