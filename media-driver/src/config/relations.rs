//! The rules between settings. They are checked after all settings were parsed, and for a configuration that a program
//! has created.

use std::time::Duration;

use gannet::agent::IdleStrategyError;
use gannet::protocol::MAX_RESOLUTION_NAME_LENGTH;

use super::DriverConfig;
use super::error::ConfigError;
use super::idle::idle_strategy;
use super::loaded::Loaded;
use super::words::{NameResolverName, TerminationValidator};

/// The maximum length of the command file.
const CNC_MAX_LENGTH: u64 = i32::MAX as u64;
/// The maximum length of a token that clients of the reference can send.
const TOKEN_MAX_LENGTH: usize = 4096;
/// The length of the command file's header.
const CNC_HEADER_LENGTH: u64 = 128;

impl DriverConfig {
    /// The length of the command file in bytes, as computed from the buffer lengths.
    pub fn cnc_file_length(&self) -> u64 {
        let buffers = &self.buffers;
        let sum = CNC_HEADER_LENGTH
            .saturating_add(buffers.to_driver_length.get())
            .saturating_add(buffers.to_clients_length.get())
            .saturating_add(buffers.counter_values_length.get().saturating_mul(5))
            .saturating_add(buffers.error_log_length.get());
        let page = self.directory.file_page_size.get().max(1);
        sum.div_ceil(page).saturating_mul(page)
    }
}

/// All violated rules.
pub(super) fn broken(loaded: &Loaded) -> Vec<ConfigError> {
    let mut rules = Rules { loaded, broken: Vec::new() };
    rules.timeouts();
    rules.buffers();
    rules.streams();
    rules.resolver();
    rules.process();
    rules.addresses();
    rules.idle_strategies();
    rules.broken
}

/// The configuration, and the rules that were found violated.
struct Rules<'l> {
    loaded: &'l Loaded,
    broken: Vec<ConfigError>,
}

impl Rules<'_> {
    fn rule(&mut self, holds: bool, cause: &'static str, settings: &[&'static str], remedy: &'static str) {
        if !holds {
            let settings = settings.iter().map(|property| self.loaded.stated(property)).collect();
            self.broken.push(ConfigError::Relation { cause, settings, remedy });
        }
    }

    /// A setting whose text has an invalid form.
    fn unreadable(&mut self, property: &'static str, expected: String) {
        self.broken.push(ConfigError::Unreadable { stated: self.loaded.stated(property), expected });
    }

    /// Checks that periodic signs of life occur more than once within their timeouts.
    fn timeouts(&mut self) {
        let config = &self.loaded.config;
        let timeouts = &config.timeouts;
        self.rule(
            Duration::from_millis(config.directory.driver_timeout.get()) > timeouts.timer_interval,
            "a driver shows itself once per timer interval, and must not count as dead in between",
            &["aeron.driver.timeout", "aeron.timer.interval"],
            "raise the first or lower the second",
        );
        self.rule(
            timeouts.client_liveness > timeouts.timer_interval,
            "a client must have more than one timer interval to show itself",
            &["aeron.client.liveness.timeout", "aeron.timer.interval"],
            "raise the first or lower the second",
        );
        self.rule(
            timeouts.publication_unblock > timeouts.client_liveness,
            "a publication must not be unblocked before its publisher counts as dead",
            &["aeron.publication.unblock.timeout", "aeron.client.liveness.timeout"],
            "raise the first or lower the second",
        );
        self.rule(
            timeouts.untethered_window_limit > timeouts.timer_interval,
            "an untethered subscription's window limit timeout must be longer than the timer interval",
            &["aeron.untethered.window.limit.timeout", "aeron.timer.interval"],
            "raise the first or lower the second",
        );
        self.rule(
            timeouts.untethered_linger.is_none_or(|linger| linger > timeouts.timer_interval),
            "an untethered subscription's linger timeout must be longer than the timer interval",
            &["aeron.untethered.linger.timeout", "aeron.timer.interval"],
            "raise the first, lower the second, or leave the first out",
        );
        self.rule(
            timeouts.untethered_resting > timeouts.timer_interval,
            "an untethered subscription's resting timeout must be longer than the timer interval",
            &["aeron.untethered.resting.timeout", "aeron.timer.interval"],
            "raise the first or lower the second",
        );
    }

    fn buffers(&mut self) {
        let config = &self.loaded.config;
        self.rule(
            config.cnc_file_length() <= CNC_MAX_LENGTH,
            "the command file may be 2147483647 bytes long at most, with four times the counters buffer for metadata",
            &[
                "aeron.conductor.buffer.length",
                "aeron.clients.buffer.length",
                "aeron.counters.buffer.length",
                "aeron.error.buffer.length",
                "aeron.file.page.size",
            ],
            "lower the largest",
        );
    }

    fn streams(&mut self) {
        let DriverConfig { streams, capacity, .. } = &self.loaded.config;
        let (low, high) = (streams.reserved_session_id_low.get(), streams.reserved_session_id_high.get());
        self.rule(
            (1 << 32) - (i64::from(high) - i64::from(low) + 1) > capacity.publications.into(),
            "the range of reserved session ids leaves too few for the driver to choose one for each publication",
            &[
                "aeron.publication.reserved.session.id.low",
                "aeron.publication.reserved.session.id.high",
                "gannet.max.publications",
            ],
            "make it smaller",
        );
        self.rule(
            low <= high,
            "the range of reserved session ids is empty",
            &["aeron.publication.reserved.session.id.low", "aeron.publication.reserved.session.id.high"],
            "state the lower first",
        );
        self.rule(
            u64::try_from(streams.nak_unicast_delay.as_nanos())
                .ok()
                .and_then(|delay| delay.checked_mul(streams.nak_unicast_retry_delay_ratio))
                .is_some_and(|delay| i64::try_from(delay).is_ok()),
            "the delay before a NAK is repeated is too long to be counted",
            &["aeron.nak.unicast.delay", "aeron.nak.unicast.retry.delay.ratio"],
            "lower either",
        );
    }

    /// Checks that each resolver has the settings that it needs, and no others.
    fn resolver(&mut self) {
        let resolver = &self.loaded.config.resolver;
        let gossips = resolver.supplier == NameResolverName::Driver;
        let has_table = resolver.supplier == NameResolverName::CsvTable;
        self.rule(
            resolver.interface.is_empty() || !resolver.name.is_empty(),
            "a resolver with an interface needs a name",
            &["aeron.driver.resolver.interface", "aeron.driver.resolver.name"],
            "state the second or leave out the first",
        );
        self.rule(
            !gossips || (!resolver.name.is_empty() && !resolver.interface.is_empty()),
            "resolution by what drivers tell each other needs a name and an interface",
            &["aeron.name.resolver.supplier", "aeron.driver.resolver.name", "aeron.driver.resolver.interface"],
            "state all three, or leave them out",
        );
        self.rule(
            gossips || (resolver.interface.is_empty() && resolver.bootstrap_neighbor.is_empty()),
            "only the supplier driver has an interface and neighbors",
            &[
                "aeron.name.resolver.supplier",
                "aeron.driver.resolver.interface",
                "aeron.driver.resolver.bootstrap.neighbor",
            ],
            "state driver for the first, or leave out the others",
        );
        self.rule(
            has_table != resolver.init_args.is_empty(),
            "the supplier csv_table needs its table, and no other has one",
            &["aeron.name.resolver.supplier", "aeron.name.resolver.init.args"],
            "state both, or neither",
        );
        self.rule(
            resolver.name.len() <= MAX_RESOLUTION_NAME_LENGTH,
            "the resolver's name is longer than the 512 bytes that drivers can tell each other",
            &["aeron.driver.resolver.name"],
            "choose a shorter one",
        );
        self.rule(
            !gossips || resolver.name.is_empty() || resolver.has_name_of_a_host(),
            "no channel can have the resolver's name as its host",
            &["aeron.driver.resolver.name"],
            "choose a word without blanks, brackets, colons and slashes that is not an address",
        );
        self.rule(
            resolver.neighbor_timeout > resolver.self_resolution_interval,
            "a neighbor must have more than one self resolution interval to tell its name",
            &["aeron.driver.resolver.neighbor.timeout", "aeron.driver.resolver.self.resolution.interval"],
            "raise the first or lower the second",
        );
    }

    /// Checks the settings for terminating the driver.
    fn process(&mut self) {
        let process = &self.loaded.config.process;
        self.rule(
            process.termination_validator != TerminationValidator::Token || !process.termination_token.is_empty(),
            "validation by token needs a token",
            &["aeron.driver.termination.validator"],
            "state gannet.termination.token, or choose allow or deny",
        );
        self.rule(
            process.termination_token.len() <= TOKEN_MAX_LENGTH,
            "the termination token is longer than the 4096 bytes that clients can send",
            &["aeron.driver.termination.validator"],
            "choose a shorter gannet.termination.token",
        );
    }

    /// Checks lists of names and addresses that are used.
    fn addresses(&mut self) {
        let resolver = &self.loaded.config.resolver;
        let has_table = resolver.supplier == NameResolverName::CsvTable && !resolver.init_args.is_empty();
        let lists = [
            (has_table, resolver.table().err(), "aeron.name.resolver.init.args"),
            (true, resolver.bootstrap_neighbors().err(), "aeron.driver.resolver.bootstrap.neighbor"),
            (!resolver.interface.is_empty(), resolver.local().err(), "aeron.driver.resolver.interface"),
        ];
        for (is_used, expected, property) in lists {
            if let Some(expected) = expected.filter(|_| is_used) {
                self.unreadable(property, expected);
            }
        }
    }

    fn idle_strategies(&mut self) {
        let threads = &self.loaded.config.threads;
        for (name, args, property) in [
            (threads.conductor_idle, &threads.conductor_idle_args, "aeron.conductor.idle.strategy.init.args"),
            (threads.sender_idle, &threads.sender_idle_args, "aeron.sender.idle.strategy.init.args"),
            (threads.receiver_idle, &threads.receiver_idle_args, "aeron.receiver.idle.strategy.init.args"),
            (threads.shared_idle, &threads.shared_idle_args, "aeron.shared.idle.strategy.init.args"),
            (
                threads.shared_network_idle,
                &threads.shared_network_idle_args,
                "aeron.sharednetwork.idle.strategy.init.args",
            ),
        ] {
            if let Err(error) = idle_strategy(name, args) {
                let expected = match error {
                    IdleStrategyError::Args { name, expected, .. } => format!("for {name}: {expected}"),
                    error => error.to_string(),
                };
                self.unreadable(property, expected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteLength, Layers};

    fn refused(definitions: &[&str]) -> String {
        let mut layers = Layers::new();
        definitions.iter().for_each(|definition| layers.define(definition));
        layers.load().unwrap_err().to_string()
    }

    #[test]
    fn the_timeout_relations_of_the_reference_hold() {
        let error = refused(&["aeron.publication.unblock.timeout=10s"]);
        assert_eq!(
            error,
            "a publication must not be unblocked before its publisher counts as dead: \
             aeron.publication.unblock.timeout=10s (-Daeron.publication.unblock.timeout), \
             aeron.client.liveness.timeout=10s (default); raise the first or lower the second"
        );
        for definition in [
            "aeron.client.liveness.timeout=1s",
            "aeron.untethered.window.limit.timeout=1s",
            "aeron.untethered.linger.timeout=999ms",
            "aeron.untethered.resting.timeout=0",
        ] {
            assert!(refused(&[definition]).contains("aeron.timer.interval=1s (default)"), "{definition}");
        }
    }

    /// Trap 66: the heartbeat is stored on timer ticks only.
    #[test]
    fn trap_66_a_timer_interval_as_long_as_the_driver_timeout_is_refused() {
        let error = refused(&["aeron.driver.timeout=1000"]);
        assert!(error.contains("must not count as dead in between: aeron.driver.timeout=1000"), "{error}");
        assert!(refused(&["aeron.timer.interval=10s"]).contains("aeron.driver.timeout=10000 (default)"));
    }

    #[test]
    fn the_command_file_has_a_greatest_length() {
        assert_eq!(DriverConfig::default().cnc_file_length(), 48_238_592, "as the reference driver makes it");
        let mut config = DriverConfig::default();
        config.directory.file_page_size = ByteLength::new(65_536);
        assert_eq!(config.cnc_file_length(), 48_300_032, "as the reference driver makes it");
        let error = refused(&["aeron.counters.buffer.length=500m"]);
        assert!(error.contains("2147483647") && error.contains("aeron.counters.buffer.length=500m"), "{error}");
    }

    #[test]
    fn other_relations_hold() {
        assert!(refused(&["aeron.publication.reserved.session.id.low=1001"]).contains("range of reserved"));
        let all_but = |left: i64| {
            let high = format!("aeron.publication.reserved.session.id.high={}", i64::from(i32::MAX) - left);
            let mut layers = Layers::new();
            for definition in
                ["aeron.publication.reserved.session.id.low=-2147483648", &high, "gannet.max.publications=7"]
            {
                layers.define(definition);
            }
            layers.load()
        };
        assert!(all_but(7).unwrap_err().to_string().contains("leaves too few"));
        assert!(all_but(8).is_ok());
        assert!(
            refused(&["aeron.nak.unicast.delay=10s", "aeron.nak.unicast.retry.delay.ratio=1000000000"])
                .contains("too long")
        );
        assert!(refused(&["aeron.driver.resolver.interface=localhost:8050"]).contains("needs a name"));
        assert!(refused(&["aeron.driver.termination.validator=token"]).contains("needs a token"));
        let error =
            refused(&["aeron.conductor.idle.strategy=sleep-ns", "aeron.conductor.idle.strategy.init.args=10-20"]);
        assert!(error.contains("not understood; expected for sleep-ns: a duration"), "{error}");
    }

    #[test]
    fn settings_of_name_resolution_go_together() {
        let name = "aeron.driver.resolver.name=one";
        let interface = "aeron.driver.resolver.interface=localhost:8050";
        let supplier = "aeron.name.resolver.supplier=driver";
        let mut layers = Layers::new();
        [name, interface, supplier, "aeron.driver.resolver.bootstrap.neighbor=two:8050"]
            .iter()
            .for_each(|definition| layers.define(definition));
        let loaded = layers.load().unwrap();
        assert_eq!((loaded.config.resolver.supplier, loaded.notices), (NameResolverName::Driver, Vec::new()));
        for (definitions, reason) in [
            (&[supplier, name][..], "needs a name and an interface"),
            (&[supplier, interface], "needs a name"),
            (&[name, interface], "only the supplier driver"),
            (&["aeron.driver.resolver.bootstrap.neighbor=two:8050"], "only the supplier driver"),
            (&["aeron.name.resolver.supplier=csv_table"], "needs its table"),
            (&["aeron.name.resolver.init.args=a,b,c"], "no other has one"),
            (
                &["aeron.name.resolver.supplier=csv_table", "aeron.name.resolver.init.args=a,b,c|d,e"],
                "(-Daeron.name.resolver.init.args): not understood; expected name,initial host,re-resolution host for each name, \
                 rows separated by |; row 2 has 2 columns",
            ),
            (&[supplier, name, interface, "aeron.driver.resolver.bootstrap.neighbor=two"], "number 1, \"two\""),
            (&[supplier, name, "aeron.driver.resolver.interface={eth0}"], "expected host:port"),
            (&[supplier, interface, "aeron.driver.resolver.name=my driver"], "no channel can have"),
            (&[supplier, interface, "aeron.driver.resolver.name=10.0.0.1"], "no channel can have"),
            (&[supplier, interface, "aeron.driver.resolver.name=one|two"], "no channel can have"),
            (
                &["aeron.driver.resolver.neighbor.timeout=1s"],
                "aeron.driver.resolver.self.resolution.interval=1s (default)",
            ),
            (&["aeron.name.resolver.supplier=dns"], "expected"),
        ] {
            let error = refused(definitions);
            assert!(error.contains(reason), "{definitions:?}: {error}");
        }
        let long = format!("aeron.driver.resolver.name={}", "n".repeat(513));
        assert!(refused(&[&long]).contains("longer than the 512 bytes"));
    }

    #[test]
    fn a_program_s_own_configuration_is_checked_alike() {
        let mut config = DriverConfig::default();
        assert_eq!(config.validate(), Ok(()));
        config.timeouts.timer_interval = Duration::from_secs(60);
        assert!(config.validate().unwrap_err().to_string().contains("timer interval"));
        let mut config = DriverConfig::default();
        config.buffers.counter_values_length = ByteLength::new(7);
        assert!(config.validate().unwrap_err().to_string().contains("out of range"));
    }
}
