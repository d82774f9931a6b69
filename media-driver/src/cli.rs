//! The command line of `gannet-driver`: its flags, and their effect on the configuration. It is compatible with
//! `aeronmd` in `-v`, `-D` and properties files as arguments. It only parses.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use gannet_driver::config::Layers;

/// A media driver compatible with Aeron's: clients on this host publish and subscribe through it.
#[derive(Debug, Parser)]
#[command(
    name = "gannet-driver",
    disable_version_flag = true,
    after_help = "\
Where several sources set a value, the last of these wins: default, profile, configuration file, AERON_* and GANNET_* \
environment variables, -D, properties files, the flags above. docs/configuration.md lists every setting.

Exit status: 0 if the driver was stopped by SIGTERM, SIGINT, SIGHUP or a client's request; 1 if it could not start, or \
failed; 2 if the command line or the configuration was wrong. A second SIGTERM or SIGINT, half a second or more after the \
first, ends the process at once, with the status of that signal. A driver that was started to ignore SIGHUP, as by nohup, is \
not stopped by it."
)]
pub(crate) struct Cli {
    /// Print the version and exit
    #[arg(short = 'v', short_alias = 'V', long = "version")]
    pub(crate) version: bool,

    /// Set a property: any aeron.* or gannet.* name, or AERON_* or GANNET_* variable
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,

    /// Read a configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print the configuration, each value with its source, and exit
    #[arg(long)]
    pub(crate) print_config: bool,

    /// Print the manual page and exit; man finds it in a file gannet-driver.1
    #[arg(long)]
    pub(crate) man: bool,

    /// The driver directory [aeron.dir]
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    dir: Option<String>,

    /// Empty the directory first, whenever its driver was last alive [aeron.dir.delete.on.start]
    #[arg(long)]
    delete_dir_on_start: bool,

    /// Remove the directory when the driver stops [aeron.dir.delete.on.shutdown]
    #[arg(long)]
    delete_dir_on_shutdown: bool,

    /// Who besides the driver's user may use it: private or group [gannet.dir.access]
    #[arg(long, value_name = "ACCESS")]
    dir_access: Option<String>,

    /// A profile: low-latency, balanced or frugal [gannet.profile]
    #[arg(long)]
    profile: Option<String>,

    /// Which agents share a thread: dedicated, shared-network, shared or invoker [aeron.threading.mode]
    #[arg(long, value_name = "MODE")]
    threading_mode: Option<String>,

    /// The conductor's CPU: a number, -1 or auto [aeron.conductor.cpu.affinity]
    #[arg(long, value_name = "CPU", allow_hyphen_values = true)]
    conductor_cpu: Option<String>,

    /// The sender's CPU [aeron.sender.cpu.affinity]
    #[arg(long, value_name = "CPU", allow_hyphen_values = true)]
    sender_cpu: Option<String>,

    /// The receiver's CPU [aeron.receiver.cpu.affinity]
    #[arg(long, value_name = "CPU", allow_hyphen_values = true)]
    receiver_cpu: Option<String>,

    /// The helper thread's CPU [aeron.driver.native.resource.agent.cpu.affinity]
    #[arg(long, value_name = "CPU", allow_hyphen_values = true)]
    helper_cpu: Option<String>,

    /// What the conductor does when idle: noop, spin, yield, backoff, sleep-ns [aeron.conductor.idle.strategy]
    #[arg(long, value_name = "STRATEGY")]
    conductor_idle: Option<String>,

    /// What the one thread of mode shared does when idle [aeron.shared.idle.strategy]
    #[arg(long, value_name = "STRATEGY")]
    shared_idle: Option<String>,

    /// The length of the terms of IPC publications [aeron.ipc.term.buffer.length]
    #[arg(long, value_name = "SIZE")]
    ipc_term_length: Option<String>,

    /// Whether clients may terminate the driver: deny, allow or token [aeron.driver.termination.validator]
    #[arg(long, value_name = "VALIDATOR")]
    termination_validator: Option<String>,

    /// How datagrams are sent and received: auto, io_uring or sockets [gannet.transport]
    #[arg(long)]
    transport: Option<String>,

    /// What to log to standard error: a level, such as warn or debug, or TARGET=LEVEL,... [gannet.log]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,

    /// Files in the format of Java properties
    #[arg(value_name = "PROPERTIES_FILE")]
    pub(crate) properties: Vec<PathBuf>,
}

impl Cli {
    /// The manual page, as man reads it.
    pub(crate) fn man() -> std::io::Result<String> {
        let mut page = Vec::new();
        clap_mangen::Man::new(Self::command()).render(&mut page)?;
        Ok(String::from_utf8_lossy(&page).into_owned())
    }

    /// Adds what the flags and `-D` say.
    pub(crate) fn add_to(&self, layers: &mut Layers) {
        self.define.iter().for_each(|definition| layers.define(definition));
        let mut flag = |flag, property, text: Option<&str>| {
            if let Some(text) = text {
                layers.flag(flag, property, text);
            }
        };
        let set = |is_set: bool| is_set.then_some("true");
        flag("--dir", "aeron.dir", self.dir.as_deref());
        flag("--delete-dir-on-start", "aeron.dir.delete.on.start", set(self.delete_dir_on_start));
        flag("--delete-dir-on-shutdown", "aeron.dir.delete.on.shutdown", set(self.delete_dir_on_shutdown));
        flag("--dir-access", "gannet.dir.access", self.dir_access.as_deref());
        flag("--profile", "gannet.profile", self.profile.as_deref());
        flag("--threading-mode", "aeron.threading.mode", self.threading_mode.as_deref());
        flag("--conductor-cpu", "aeron.conductor.cpu.affinity", self.conductor_cpu.as_deref());
        flag("--sender-cpu", "aeron.sender.cpu.affinity", self.sender_cpu.as_deref());
        flag("--receiver-cpu", "aeron.receiver.cpu.affinity", self.receiver_cpu.as_deref());
        flag("--helper-cpu", "aeron.driver.native.resource.agent.cpu.affinity", self.helper_cpu.as_deref());
        flag("--conductor-idle", "aeron.conductor.idle.strategy", self.conductor_idle.as_deref());
        flag("--shared-idle", "aeron.shared.idle.strategy", self.shared_idle.as_deref());
        flag("--ipc-term-length", "aeron.ipc.term.buffer.length", self.ipc_term_length.as_deref());
        flag("--termination-validator", "aeron.driver.termination.validator", self.termination_validator.as_deref());
        flag("--transport", "gannet.transport", self.transport.as_deref());
        flag("--log", "gannet.log", self.log.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use gannet_driver::config::{Cpu, Profile, ThreadingMode};

    use super::*;

    fn loaded(arguments: &[&str]) -> gannet_driver::config::Loaded {
        let cli = Cli::try_parse_from([&["gannet-driver"], arguments].concat()).unwrap();
        let mut layers = Layers::new();
        cli.add_to(&mut layers);
        layers.load().unwrap()
    }

    #[test]
    fn every_flag_reaches_its_setting() {
        let flags = [
            ("--dir", "/tmp/x", "aeron.dir"),
            ("--dir-access", "group", "gannet.dir.access"),
            ("--profile", "frugal", "gannet.profile"),
            ("--threading-mode", "INVOKER", "aeron.threading.mode"),
            ("--conductor-cpu", "3", "aeron.conductor.cpu.affinity"),
            ("--sender-cpu", "auto", "aeron.sender.cpu.affinity"),
            ("--receiver-cpu", "2", "aeron.receiver.cpu.affinity"),
            ("--helper-cpu", "1", "aeron.driver.native.resource.agent.cpu.affinity"),
            ("--conductor-idle", "yield", "aeron.conductor.idle.strategy"),
            ("--shared-idle", "spin", "aeron.shared.idle.strategy"),
            ("--ipc-term-length", "1m", "aeron.ipc.term.buffer.length"),
            ("--termination-validator", "allow", "aeron.driver.termination.validator"),
            ("--transport", "sockets", "gannet.transport"),
            ("--log", "debug", "gannet.log"),
        ];
        for (flag, value, property) in flags {
            let loaded = loaded(&[flag, value]);
            assert_eq!(loaded.source(property).unwrap().to_string(), flag);
            let property = gannet_driver::config::PROPERTIES.iter().find(|known| known.property == property).unwrap();
            assert_eq!(property.show(&loaded.config), value);
        }
        for (flag, property) in [
            ("--delete-dir-on-start", "aeron.dir.delete.on.start"),
            ("--delete-dir-on-shutdown", "aeron.dir.delete.on.shutdown"),
        ] {
            assert_eq!(loaded(&[flag]).source(property).unwrap().to_string(), flag);
        }
    }

    #[test]
    fn the_manual_page_has_every_flag_and_the_exit_status() {
        let page = Cli::man().unwrap();
        for flag in Cli::command().get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(page.contains(&flag.replace('-', "\\-")), "{flag}");
        }
        assert!(
            page.starts_with(".ie") && page.contains(".TH gannet-driver 1") && page.contains("Exit status: 0"),
            "{page}"
        );
    }

    #[test]
    fn definitions_are_written_either_way_and_yield_to_flags() {
        let loaded = loaded(&[
            "-Dgannet.profile=frugal",
            "-D",
            "AERON_CONDUCTOR_CPU_AFFINITY=2",
            "--conductor-cpu",
            "-1",
            "--threading-mode=dedicated",
        ]);
        assert_eq!(loaded.config.process.profile, Profile::Frugal);
        assert_eq!(loaded.config.threads.conductor_cpu, Cpu::Any);
        assert_eq!(loaded.config.threads.mode, ThreadingMode::Dedicated);
    }
}
