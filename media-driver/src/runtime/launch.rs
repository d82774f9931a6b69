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
use crate::io::transport::{self, LossPlan, SocketOptions, TransportCounts, TransportKind, TransportUnavailable};
use crate::shared::NetworkCounters;

/// A running media driver. Dropping it stops it.
///
/// The driver runs on its own threads, unless its threading mode is `INVOKER`. In that mode its owner calls
/// [`MediaDriver::invoke`] repeatedly as long as it has clients.
#[derive(Debug)]
pub struct MediaDriver {
    host: Host,
    /// The helper's thread, which ends when its port in the conductor's agent is dropped.
    helper: Option<JoinHandle<()>>,
    stop: StopHandle,
    /// For a thread that waits and invokes the driver.
    idle_strategy: IdleStrategy,
    /// Held until everything else is dropped. Taken by closing.
    directory: Option<DriverDirectory>,
    path: PathBuf,
    delete_on_shutdown: bool,
    warnings: Vec<String>,
    transport: &'static str,
}

/// What runs the agents.
#[derive(Debug)]
enum Host {
    Threads(Vec<AgentRunner>),
    Invoker(Box<AgentInvoker<ConductorAgent<SystemClock>>>),
}

/// Why a driver could not be started, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The arguments of an idle strategy are invalid.
    #[error(transparent)]
    IdleStrategy(#[from] IdleStrategyError),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The memory that it shares with clients could not be created.
    #[error(transparent)]
    SharedMemory(#[from] SharedMemoryError),
    /// The threads cannot be pinned.
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    /// The required transport is not available.
    #[error(transparent)]
    NoTransport(#[from] TransportUnavailable),
    /// The socket of name resolution could not be opened.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// The transports could not be created.
    #[error("cannot set up a transport: {0}; see that the limit on the user's open files leaves room")]
    Transport(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start the {role}'s thread: {source}; see that the limit on the user's threads leaves room")]
    Thread {
        /// The thread.
        role: Role,
        /// The operating system's error.
        source: io::Error,
    },
}

/// An error of closing a driver. The driver is closed nevertheless.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// An agent had panicked.
    #[error(transparent)]
    AgentPanic(#[from] AgentPanic),
    /// The helper's thread had panicked.
    #[error("the helper thread panicked; its message is on standard error")]
    HelperPanic,
    /// The directory could not be removed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// The directory of a driver that is starting. It is emptied if the start fails: with half a command file the next
/// start would wait for the other half, and with a whole one it would consider this driver alive.
struct Taken(Option<DriverDirectory>);

impl Taken {
    /// Keeps the directory, because the driver has started.
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
    /// Starts a driver. Clients find it in its directory once this returns.
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
    /// [`LaunchError`]. Nothing of the driver is running.
    pub fn launch(config: DriverConfig) -> Result<Self, LaunchError> {
        Self::launch_with(config, StopHandle::default())
    }

    /// As [`MediaDriver::launch`], with the handle that stops the driver. Others can have it before the driver starts,
    /// which may take long: it waits for another one that may be starting in the directory. A driver that was asked to
    /// stop meanwhile starts, and has a reason to stop.
    ///
    /// ```
    /// use gannet_driver::config::{DriverConfig, Profile};
    /// use gannet_driver::{MediaDriver, StopHandle, StopReason};
    ///
    /// let mut config = DriverConfig::for_profile(Profile::Frugal);
    /// # let temp = tempfile::tempdir()?;
    /// # let path = temp.path().join("driver");
    /// config.directory.dir = Some(path);
    /// let stop = StopHandle::default();
    /// stop.stop();
    /// let mut driver = MediaDriver::launch_with(config, stop)?;
    /// assert_eq!(driver.wait(), StopReason::Requested);
    /// # driver.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LaunchError`]. Nothing of the driver is running.
    pub fn launch_with(config: DriverConfig, stop: StopHandle) -> Result<Self, LaunchError> {
        config.validate()?;
        let delete_on_shutdown = config.directory.delete_on_shutdown;
        Self::start(&config, delete_on_shutdown, stop)
    }

    /// Starts a driver for this process, in a new directory that is removed with it. Ignores `dir`, `delete_on_start` and
    /// `delete_on_shutdown` of [`config.directory`](crate::config::Directory).
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
        Self::start(&config, true, StopHandle::default())
    }

    fn start(config: &DriverConfig, delete_on_shutdown: bool, stop: StopHandle) -> Result<Self, LaunchError> {
        let threads = &config.threads;
        let idle_strategy = threads.conductor_idle_strategy()?;
        // Checks that change nothing come first.
        let (pins, mut warnings) = pins(threads)?;
        let chosen = transport::choose(config.process.transport)?;
        warnings.extend(chosen.warning());
        let loss = LossPlan::of_config(&config.loss, 0);
        warnings.extend(loss.map(|plan| plan.warning()));
        let transport = format!("{}{}", chosen.kind.name(), if loss.is_some() { "+loss-on-purpose" } else { "" });

        let clock = SystemClock;
        // If anything fails from here on, everything that was created after the directory is dropped first, and clients
        // are told.
        let directory = Taken(Some(DriverDirectory::take(&DirectoryRequest::of(config), &clock)?));
        warnings.extend(warnings_of_directory(&directory, config));
        // After the directory, whose driver may have this socket, too, if it is alive or about to end.
        let (resolver, resolver_port) = resolver_port::open(config)?;
        let endpoints = endpoint_defaults(config);
        warnings.extend(socket_defaults::warnings(endpoints.send_buffer as u64, endpoints.receive_buffer as u64));
        let sockets = SocketDefaults::of_system();
        warnings.extend(socket_defaults::misfits(config, sockets));
        let memory = SharedMemory::create(config, &directory, &clock, &transport)?;
        let conductor_config = conductor_config(config, &directory, sockets, resolver);
        let seed = conductor_config.seed;
        let conductor = Conductor::new(conductor_config, memory.announce(&clock));
        let NetworkParts { sender, receiver, ports, orders } =
            network_parts(config, chosen.kind, &conductor.network_counters(), seed).map_err(LaunchError::Transport)?;
        let executor = Executor { orders, defaults: endpoints, look_up: resolver::timed, logs: log_files };

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
        // Each thread reports the result of pinning once. An error closes the driver again.
        for pinned in outcome.iter().flatten() {
            pinned?;
        }
        Ok(driver)
    }

    /// The directory in which clients find it.
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// The transport of its datagrams: `io_uring` or `sockets`.
    pub const fn transport(&self) -> &'static str {
        self.transport
    }

    /// The warnings for its operator, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A handle that asks the driver to stop, for example from a signal handler's thread. [`MediaDriver::wait`] then
    /// returns.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Runs one duty cycle of each agent on the calling thread. Returns the work count. Always 0 for a driver with its
    /// own threads.
    pub fn invoke(&mut self) -> usize {
        match &mut self.host {
            Host::Invoker(invoker) => invoker.invoke(),
            Host::Threads(_) => 0,
        }
    }

    /// The counts of the sender's and the receiver's transport so far, for measurements. `None` for a driver with its
    /// own threads.
    pub fn transport_counts(&self) -> Option<[TransportCounts; 2]> {
        let Host::Invoker(invoker) = &self.host else { return None };
        let [sender, receiver] = invoker.agent().transport_counts();
        Some([sender?, receiver?])
    }

    /// Waits until the driver is to stop. Returns the reason. In mode `INVOKER` the calling thread runs the agents
    /// meanwhile.
    pub fn wait(&mut self) -> StopReason {
        let Host::Invoker(invoker) = &mut self.host else { return self.stop.wait() };
        loop {
            if let Some(reason) = self.stop.reason() {
                return reason;
            }
            if !invoker.is_running() {
                self.stop.state(StopReason::AgentFailed);
                continue;
            }
            self.idle_strategy.idle(invoker.invoke());
        }
    }

    /// Stops the driver: its agents complete their duty cycle, clients are told, and its directory is released.
    ///
    /// # Errors
    ///
    /// [`CloseError`] if something had failed before, or if the directory could not be removed.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), CloseError> {
        let Some(directory) = self.directory.take() else { return Ok(()) };
        self.stop.stop();
        let agent = match &mut self.host {
            Host::Threads(runners) => {
                // All of them, even if the first one fails.
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
        // Call `close` to get the outcome.
        let _ = self.shut_down();
    }
}

/// The CPU of each thread, and warnings.
fn pins(threads: &Threads) -> Result<(Vec<Pin>, Vec<String>), AffinityError> {
    let all = [
        (Role::Conductor, threads.conductor_cpu),
        (Role::Helper, threads.helper_cpu),
        (Role::Sender, threads.sender_cpu),
        (Role::Receiver, threads.receiver_cpu),
    ];
    let (wanted, without): (Vec<_>, Vec<_>) = all.into_iter().partition(|(role, _)| has_thread(*role, threads.mode));
    let warnings = without.into_iter().filter(|(_, cpu)| matches!(cpu, Cpu::Number(_))).map(|(role, _)| {
        format!(
            "in mode {} the {role} has no thread of its own, and the CPU that is set for it has no effect",
            threads.mode
        )
    });
    let rules =
        affinity::Rules { offsets: threads.cpuset_offsets, warnings_are_errors: threads.cpuset_warnings_as_errors };
    affinity::plan(&wanted, &affinity::available(), rules, warnings.collect())
}

/// Whether there is a thread that is called after this one. An invoked driver has no threads.
const fn has_thread(role: Role, mode: ThreadingMode) -> bool {
    match role {
        Role::Conductor | Role::Helper => !matches!(mode, ThreadingMode::Invoker),
        Role::Sender => matches!(mode, ThreadingMode::Dedicated | ThreadingMode::SharedNetwork),
        Role::Receiver => matches!(mode, ThreadingMode::Dedicated),
    }
}

/// The socket settings for channels that do not state them.
fn endpoint_defaults(config: &DriverConfig) -> channel::SocketDefaults {
    let bytes = |length: Option<crate::config::ByteLength>| length.map_or(0, |length| length.as_usize());
    channel::SocketDefaults {
        multicast_ttl: config.network.multicast_ttl as u8,
        send_buffer: bytes(config.network.so_sndbuf),
        receive_buffer: bytes(config.network.so_rcvbuf),
        connect: config.network.connect,
        // -1 is the operating system's default.
        type_of_service: u8::try_from(config.network.tos).ok(),
    }
}

/// Sender and receiver with their transports.
fn network_parts(
    config: &DriverConfig,
    transport: TransportKind,
    counters: &NetworkCounters,
    seed: u64,
) -> io::Result<NetworkParts> {
    let offload = config.process.segmentation_offload;
    let tried_directly = config.process.sockets_tried_directly as usize;
    let options = SocketOptions { segmentation: offload, coalescing: offload, tried_directly };
    let poll_ratio = config.network.send_to_status_poll_ratio as usize;
    let thresholds = [config.timeouts.sender_cycle_threshold, config.timeouts.receiver_cycle_threshold].map(ns);
    NetworkParts::new(counters, seed, (transport, options, &config.loss), poll_ratio, thresholds)
}

/// What the operator should know of the driver's directory: what was found there, and where it is.
fn warnings_of_directory(directory: &DriverDirectory, config: &DriverConfig) -> Vec<String> {
    let mut warnings: Vec<_> = directory.findings().iter().filter_map(|finding| describe(finding, config)).collect();
    if !directory.is_in_memory() {
        warnings.push(format!(
            "{} is not on a file system in memory (tmpfs): the system writes its files to a disk now and then, and who \
             publishes or subscribes may wait for that; a directory in /dev/shm does not",
            directory.path().display()
        ));
    }
    warnings
}

/// The message for the operator about a finding, if there is one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;

    #[test]
    fn a_cpu_for_a_thread_that_there_is_not_is_warned_about() {
        let told = |mode: ThreadingMode, cpu: Cpu| {
            let mut threads = Threads { mode, ..Threads::default() };
            (threads.sender_cpu, threads.receiver_cpu) = (cpu, cpu);
            pins(&threads).unwrap().1
        };
        let first = u16::try_from(affinity::available()[0]).unwrap();
        let cpu = Cpu::Number(first);
        assert_eq!(told(ThreadingMode::Shared, cpu).len(), 2);
        let warnings = told(ThreadingMode::SharedNetwork, cpu);
        assert_eq!(
            warnings,
            [
                "in mode SHARED_NETWORK the receiver has no thread of its own, and the CPU that is set for it has no effect"
            ]
        );
        assert_eq!(told(ThreadingMode::Invoker, cpu).len(), 2);
        assert_eq!(told(ThreadingMode::Invoker, Cpu::Auto), [""; 0], "it is the profile's, and not asked for");
        assert_eq!(told(ThreadingMode::Dedicated, cpu), [format!("the sender and the receiver share CPU {first}")]);
    }

    /// Nobody else would ever state a reason.
    #[test]
    fn who_waits_for_an_invoked_driver_whose_agents_have_ended_is_told() {
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        config.threads.mode = ThreadingMode::Invoker;
        let mut driver = MediaDriver::launch_embedded(config).expect("a driver");
        let Host::Invoker(invoker) = &mut driver.host else { unreachable!("as configured") };
        invoker.close();
        assert_eq!((driver.invoke(), driver.wait()), (0, StopReason::AgentFailed));
        driver.close().expect("its directory can be removed");
    }
}
