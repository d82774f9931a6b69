//! The settings of each profile, as texts. They only override the table's defaults. Used when layers are combined.

use super::words::Profile;
use super::{DriverConfig, Layers};

impl DriverConfig {
    /// The defaults with a profile's settings, as a starting point for a program that embeds a driver.
    pub fn for_profile(profile: Profile) -> Self {
        let mut layers = Layers::new();
        layers.flag("--profile", "gannet.profile", profile.as_str());
        layers.load().expect("profiles are of their form and within limits, as their tests make sure").config
    }
}

impl Profile {
    /// The settings of the profile, as pairs of property and text.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::LowLatency => &[
                ("aeron.threading.mode", "DEDICATED"),
                ("aeron.conductor.idle.strategy", "spin"),
                ("aeron.sender.idle.strategy", "spin"),
                ("aeron.receiver.idle.strategy", "spin"),
                ("aeron.shared.idle.strategy", "spin"),
                ("aeron.sharednetwork.idle.strategy", "spin"),
                ("aeron.conductor.cpu.affinity", "auto"),
                ("aeron.sender.cpu.affinity", "auto"),
                ("aeron.receiver.cpu.affinity", "auto"),
                ("aeron.term.buffer.sparse.file", "false"),
            ],
            Self::Balanced => &[("aeron.threading.mode", "SHARED_NETWORK")],
            // Sleeps four milliseconds per duty cycle. An idle driver costs a fraction of a percent of a core, and work
            // for the conductor (a command, a position limit) waits no longer than that.
            Self::Frugal => &[
                ("aeron.threading.mode", "SHARED"),
                ("aeron.conductor.idle.strategy", "sleep-ns"),
                ("aeron.conductor.idle.strategy.init.args", "4ms"),
                ("aeron.sender.idle.strategy", "sleep-ns"),
                ("aeron.sender.idle.strategy.init.args", "4ms"),
                ("aeron.receiver.idle.strategy", "sleep-ns"),
                ("aeron.receiver.idle.strategy.init.args", "4ms"),
                ("aeron.shared.idle.strategy", "sleep-ns"),
                ("aeron.shared.idle.strategy.init.args", "4ms"),
                ("aeron.sharednetwork.idle.strategy", "sleep-ns"),
                ("aeron.sharednetwork.idle.strategy.init.args", "4ms"),
                // The space of files is reserved when they are created. A container's /dev/shm has 64 MiB. With these
                // settings, a driver takes 12 MiB and an IPC stream as many, instead of 47 and 192.
                ("aeron.counters.buffer.length", "1m"),
                ("aeron.ipc.term.buffer.length", "4m"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::PROPERTIES;
    use super::super::value::Cpu;
    use super::super::words::{IdleStrategyName, ThreadingMode};
    use super::*;

    #[test]
    fn words_are_read_as_they_are_shown() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(*profile));
        }
        assert_eq!("shared".parse(), Ok(ThreadingMode::Shared));
        let error = "Frugal".parse::<Profile>().unwrap_err();
        assert_eq!(error.to_string(), "expected one of low-latency, balanced, frugal");
    }

    #[test]
    fn profiles_state_known_settings_with_allowed_values() {
        for profile in [Profile::LowLatency, Profile::Balanced, Profile::Frugal] {
            for (name, text) in profile.settings() {
                let property = PROPERTIES.iter().find(|property| property.property == *name).expect(name);
                let mut config = DriverConfig::default();
                assert_eq!((property.set)(&mut config, text, property.limits), Ok(()), "{name}={text}");
            }
            let mut layers = Layers::new();
            layers.flag("--profile", "gannet.profile", profile.as_str());
            let loaded = layers.load().unwrap();
            assert_eq!(loaded.config.process.profile, profile);
            assert!(loaded.notices.is_empty(), "what a profile states needs no notice: {:?}", loaded.notices);
        }
    }

    /// Dedicated, pinned, spinning and with all memory at hand; sharing and backing off; on one thread, asleep.
    #[test]
    fn profiles_run_threads_as_their_names_promise() {
        let of = |profile| {
            let config = DriverConfig::for_profile(profile);
            let threads = config.threads;
            let idle = [
                threads.conductor_idle,
                threads.sender_idle,
                threads.receiver_idle,
                threads.shared_idle,
                threads.shared_network_idle,
            ];
            assert!(idle.iter().all(|each| *each == idle[0]), "{profile}: {idle:?}");
            let cpus = [threads.conductor_cpu, threads.sender_cpu, threads.receiver_cpu];
            (threads.mode, idle[0], cpus, config.terms.sparse)
        };
        let low_latency = (ThreadingMode::Dedicated, IdleStrategyName::Spin, [Cpu::Auto; 3], false);
        let balanced = (ThreadingMode::SharedNetwork, IdleStrategyName::Backoff, [Cpu::Any; 3], true);
        let frugal = (ThreadingMode::Shared, IdleStrategyName::Sleep, [Cpu::Any; 3], true);
        assert_eq!(of(Profile::LowLatency), low_latency);
        assert_eq!(of(Profile::Balanced), balanced);
        assert_eq!(of(Profile::Frugal), frugal);
        assert_eq!(DriverConfig::default().process.profile, Profile::Balanced, "unless another is asked for");
    }
}
