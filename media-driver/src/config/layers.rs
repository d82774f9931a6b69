//! Combines the sources of a configuration: default, profile, configuration file, environment, `-D`, properties files,
//! flags. `main.rs` reads the sources; this file decides between them. It takes texts and never opens a file. A
//! configuration that a program has created is checked in the same way.

use std::path::Path;

use gannet::nearest::nearest;
use toml::de::{DeTable, DeValue};

use super::DriverConfig;
use super::error::{ConfigError, ConfigErrors, Source, Stated};
use super::loaded::Loaded;
use super::properties::{self, Line};
use super::property::{Effect, Property, Refusal};
use super::relations;
use super::table::{PROPERTIES, SECTIONS, find};
use super::words::Profile;

/// Collects the settings of all sources.
#[derive(Debug, Default)]
pub struct Layers {
    settings: Vec<Setting>,
    errors: Vec<ConfigError>,
    notices: Vec<String>,
}

/// A setting from one source.
#[derive(Debug)]
struct Setting {
    /// Its index in the table.
    index: usize,
    text: String,
    source: Source,
}

/// Prefixes of names that belong to other programs of an Aeron installation, which share environment and properties
/// files with the driver.
const FOREIGN: &[&str] = &[
    "AERON_ARCHIVE_",
    "AERON_CLIENT_",
    "AERON_CLUSTER_",
    "AERON_DEBUG_",
    "AERON_EVENT_",
    "AERON_PRE_TOUCH_",
    "AERON_SAMPLE_",
];

impl Layers {
    /// Without any settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the text of a configuration file. It has a table per group and a key per field. `profile`, and any property
    /// by its full quoted name, can also be at the top level.
    pub fn config_file(&mut self, path: &Path, text: &str) {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                let message = error.message().to_owned();
                self.errors.push(ConfigError::Syntax { path: path.to_owned(), line, message });
                return;
            }
        };
        for (key, value) in table.get_ref() {
            let at = |start| Source::ConfigFile { path: path.to_owned(), line: line_of(text, start) };
            let name = key.get_ref().as_ref();
            let source = at(key.span().start);
            match value.get_ref() {
                DeValue::Table(section) if SECTIONS.iter().any(|(known, _)| *known == name) => {
                    for (key, value) in section {
                        self.config_key(&format!("{name}.{}", key.get_ref()), value.get_ref(), at(key.span().start));
                    }
                }
                DeValue::Table(_) => {
                    let known = SECTIONS.iter().map(|(known, _)| *known);
                    let nearest = nearest(name, known).map(|(known, _)| format!("[{known}]"));
                    self.errors.push(ConfigError::UnknownName {
                        name: format!("[{name}]"),
                        source_of_name: source,
                        nearest,
                    });
                }
                value => {
                    let name = if name == "profile" { "process.profile" } else { name };
                    match nearest_outside_a_section(name) {
                        Some(nearest) if find(name).is_none() => {
                            let (name, nearest) = (name.to_owned(), Some(nearest));
                            self.errors.push(ConfigError::UnknownName { name, source_of_name: source, nearest });
                        }
                        _ => self.config_key(name, value, source),
                    }
                }
            }
        }
    }

    /// Adds the environment variables. Only considers names that begin with `AERON_` or `GANNET_`. If a setting has
    /// several of them, its own name counts, and no alias.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let is_ours = |(name, _): &(String, String)| name.starts_with("AERON_") || name.starts_with("GANNET_");
        let mut variables: Vec<_> = variables.into_iter().filter(is_ours).collect();
        // The system lists them in any order, and the last one of a setting wins.
        variables.sort_by_cached_key(|(name, _)| {
            (PROPERTIES.iter().any(|property| property.variable == name), name.clone())
        });
        for (name, text) in variables {
            match find(&name) {
                Some(index) => self.settings.push(Setting { index, text, source: Source::Environment(name) }),
                None if foreign(&name) => {}
                // The environment is shared with other programs. An unknown name may be meant for a newer client.
                None => self.ignored(&name, &Source::Environment(name.clone())),
            }
        }
    }

    /// Adds a `-D` argument, `name=value` or `name:value`.
    pub fn define(&mut self, text: &str) {
        match properties::lines(text).next() {
            Some(Line::Property { name, value, .. }) => {
                let source = Source::Define(name.clone());
                match find(&name) {
                    Some(index) => self.settings.push(Setting { index, text: value, source }),
                    None if foreign(&name) => self.ignored(&name, &source),
                    None => self.unknown(&name, source),
                }
            }
            _ => self.errors.push(ConfigError::Define { text: text.to_owned() }),
        }
    }

    /// Adds the text of a file in the format of Java properties.
    pub fn properties_file(&mut self, path: &Path, text: &str) {
        for line in properties::lines(text) {
            match line {
                Line::Property { name, value, line } => {
                    let source = Source::PropertiesFile { path: path.to_owned(), line };
                    let ours = ["aeron.", "aeron_", "gannet.", "gannet_"]
                        .iter()
                        .any(|start| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)));
                    match find(&name) {
                        Some(index) => self.settings.push(Setting { index, text: value, source }),
                        // Such a file often serves several Java programs and their libraries.
                        None if foreign(&name) || !ours => self.ignored(&name, &source),
                        None => self.unknown(&name, source),
                    }
                }
                Line::Malformed { line, text } => self.errors.push(ConfigError::Syntax {
                    path: path.to_owned(),
                    line,
                    message: format!("expected name=value, found `{text}`"),
                }),
            }
        }
    }

    /// Adds a command line flag that sets a property.
    ///
    /// # Panics
    ///
    /// If there is no such property, because flags are part of the program.
    pub fn flag(&mut self, flag: &'static str, property: &str, text: &str) {
        let index = find(property).expect("flags name properties of the table");
        self.settings.push(Setting { index, text: text.to_owned(), source: Source::Flag(flag) });
    }

    /// Selects, parses and checks all settings.
    ///
    /// # Errors
    ///
    /// All errors, not only the first.
    pub fn load(self) -> Result<Loaded, ConfigErrors> {
        let Self { settings, mut errors, mut notices } = self;
        let mut config = DriverConfig::default();
        let mut sources = vec![Source::Default; PROPERTIES.len()];

        let profile_index = find("gannet.profile").expect("the profile is in the table");
        if let Some(setting) = winner(&settings, profile_index) {
            apply(&mut config, &mut sources, setting, &mut errors);
        }
        let profile: Profile = config.process.profile;
        for (name, text) in profile.settings() {
            let index = find(name).expect("profiles name properties of the table");
            let setting = Setting { index, text: (*text).to_owned(), source: Source::Profile(profile.as_str()) };
            apply(&mut config, &mut sources, &setting, &mut errors);
        }
        for (index, property) in PROPERTIES.iter().enumerate() {
            let Some(setting) = winner(&settings, index).filter(|_| index != profile_index) else { continue };
            apply(&mut config, &mut sources, setting, &mut errors);
            let asks_for_change = property.show(&config) != property.default;
            match property.effect {
                Effect::Never(why) if asks_for_change => {
                    notices.push(format!("{} has no effect: {why}", setting.stated()));
                }
                _ => {}
            }
        }
        // The arguments of a profile are for its own strategies, and mean nothing to another one that is stated.
        for (strategy, text) in profile.settings() {
            let Some(index) = find(&format!("{strategy}.init.args")) else { continue };
            let is_another = find(strategy).is_some_and(|strategy| PROPERTIES[strategy].show(&config) != *text);
            if is_another && matches!(sources[index], Source::Profile(_)) {
                let setting = Setting { index, text: PROPERTIES[index].default.to_owned(), source: Source::Default };
                apply(&mut config, &mut sources, &setting, &mut errors);
            }
        }
        let loaded = Loaded { config, notices, sources };
        // The rules between settings are only checked if all settings could be parsed.
        if errors.is_empty() {
            errors = relations::broken(&loaded);
        }
        ConfigErrors::check(errors)?;
        Ok(loaded)
    }

    fn config_key(&mut self, name: &str, value: &DeValue<'_>, source: Source) {
        let text = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => number.to_string(),
            },
            DeValue::Float(number) => number.to_string(),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let Source::ConfigFile { path, line } = source else { return };
                let message = format!("{name}: expected a string, a number, true or false");
                self.errors.push(ConfigError::Syntax { path, line, message });
                return;
            }
        };
        match find(name) {
            Some(index) => self.config_setting(index, text, source),
            None => self.unknown(name, source),
        }
    }

    /// Adds a setting of a configuration file. One that the file states by two names is an error, as one that it states
    /// twice by the same name is in TOML.
    fn config_setting(&mut self, index: usize, text: String, source: Source) {
        let place = |source: &Source| match source {
            Source::ConfigFile { path, line } => Some((path.clone(), *line)),
            _ => None,
        };
        let earlier = self.settings.iter().filter(|known| known.index == index).find_map(|known| place(&known.source));
        if let (Some((path, line)), Some((other_path, other))) = (place(&source), earlier)
            && path == other_path
        {
            let property = PROPERTIES[index].property;
            let message = format!("{property} is stated on line {}, too; leave one out", line.min(other));
            self.errors.push(ConfigError::Syntax { path, line: line.max(other), message });
            return;
        }
        self.settings.push(Setting { index, text, source });
    }

    fn unknown(&mut self, name: &str, source_of_name: Source) {
        let nearest = nearest_name(name).map(|(known, _)| known);
        self.errors.push(ConfigError::UnknownName { name: name.to_owned(), source_of_name, nearest });
    }

    fn ignored(&mut self, name: &str, source: &Source) {
        let hint = nearest_name(name).map_or_else(String::new, |(known, _)| format!("; did you mean {known}?"));
        self.notices.push(format!("{source}: {name} is not a setting of the driver and is ignored{hint}"));
    }
}

impl DriverConfig {
    /// Checks a configuration that a program has created: the limits of each setting, then the rules between them.
    ///
    /// # Errors
    ///
    /// All errors.
    pub fn validate(&self) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        let mut checked = self.clone();
        let mut sources = Vec::with_capacity(PROPERTIES.len());
        for (index, property) in PROPERTIES.iter().enumerate() {
            let text = property.show(self);
            let source = if text == property.default { Source::Default } else { Source::Program };
            sources.push(source.clone());
            apply(&mut checked, &mut sources, &Setting { index, text, source }, &mut errors);
        }
        let loaded = Loaded { config: checked, notices: Vec::new(), sources };
        if errors.is_empty() {
            errors = relations::broken(&loaded);
        }
        ConfigErrors::check(errors)
    }
}

impl Setting {
    fn stated(&self) -> Stated {
        Stated { property: PROPERTIES[self.index].property, value: self.text.clone(), source: self.source.clone() }
    }
}

/// The effective value of a setting: from the highest source, and the last one within a source. An empty text in the
/// environment or the properties unsets all of them.
fn winner(settings: &[Setting], index: usize) -> Option<&Setting> {
    let of_setting = || settings.iter().filter(|setting| setting.index == index);
    let best = of_setting().max_by_key(|setting| setting.source.rank())?;
    if best.source.takes_back_when_empty() && best.text.trim().is_empty() {
        return of_setting()
            .filter(|setting| !setting.source.takes_back_when_empty())
            .max_by_key(|setting| setting.source.rank());
    }
    Some(best)
}

fn apply(config: &mut DriverConfig, sources: &mut [Source], setting: &Setting, errors: &mut Vec<ConfigError>) {
    let property: &Property = &PROPERTIES[setting.index];
    match (property.set)(config, &setting.text, property.limits) {
        Ok(()) => sources[setting.index] = setting.source.clone(),
        Err(Refusal::Form) => {
            errors.push(ConfigError::Unreadable { stated: setting.stated(), expected: property.form.to_string() })
        }
        Err(refusal @ (Refusal::Limits | Refusal::TooGreat)) => {
            let allowed = property.allowed_instead(refusal);
            errors.push(ConfigError::OutOfRange { stated: setting.stated(), allowed });
        }
    }
}

/// The most similar known name of the same kind.
fn nearest_name(name: &str) -> Option<(String, usize)> {
    let shell_like = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if shell_like {
        let variables = PROPERTIES.iter().map(|property| property.variable);
        return nearest(name, variables).map(|(known, edits)| (known.to_owned(), edits));
    }
    let keys: Vec<String> =
        PROPERTIES.iter().map(|property| format!("{}.{}", property.section, property.key)).collect();
    let names = PROPERTIES.iter().map(|property| property.property).chain(keys.iter().map(String::as_str));
    nearest(name, names).map(|(known, edits)| (known.to_owned(), edits))
}

/// What an unknown name at the top level of a configuration file may mean: `profile`, or a key whose section is
/// missing.
fn nearest_outside_a_section(name: &str) -> Option<String> {
    if name.contains('.') {
        return None;
    }
    let keys = PROPERTIES.iter().map(|property| property.key);
    let (key, _) = nearest(name, keys)?;
    if key == "profile" {
        return Some(key.to_owned());
    }
    let property = PROPERTIES.iter().find(|property| property.key == key)?;
    Some(format!("{key} in section [{}]", property.section))
}

/// Whether an unknown name belongs to another program. A name that is similar to a setting is probably meant for the
/// driver.
fn foreign(name: &str) -> bool {
    let folded = name.replace('.', "_").to_ascii_uppercase();
    FOREIGN.iter().any(|start| folded.starts_with(start)) && nearest_name(name).is_none_or(|(_, edits)| edits > 2)
}

/// The line, counted from 1, that contains a byte offset.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::config::{Cpu, IdleStrategyName, ThreadingMode};

    fn error_of(fill: impl FnOnce(&mut Layers)) -> String {
        let mut layers = Layers::new();
        fill(&mut layers);
        layers.load().unwrap_err().to_string()
    }

    #[test]
    fn each_source_wins_over_the_one_before_it() {
        let name = "aeron.timer.interval";
        let steps: [fn(&mut Layers); 5] = [
            |layers| layers.config_file(Path::new("driver.toml"), "[timeouts]\n\ntimer_interval = \"200ms\"\n"),
            |layers| layers.environment([("AERON_TIMER_INTERVAL".to_owned(), "300ms".to_owned())]),
            |layers| layers.define("aeron.timer.interval=400ms"),
            |layers| layers.properties_file(Path::new("driver.properties"), "# first\naeron.timer.interval=500ms\n"),
            |layers| layers.flag("--timer", "aeron.timer.interval", "600ms"),
        ];
        let expected = [
            (1000, Source::Default),
            (200, Source::ConfigFile { path: PathBuf::from("driver.toml"), line: 3 }),
            (300, Source::Environment("AERON_TIMER_INTERVAL".to_owned())),
            (400, Source::Define(name.to_owned())),
            (500, Source::PropertiesFile { path: PathBuf::from("driver.properties"), line: 2 }),
            (600, Source::Flag("--timer")),
        ];
        for (count, (ms, source)) in expected.into_iter().enumerate() {
            // In reverse order of strength: it is the source that counts, not who speaks last.
            let mut layers = Layers::new();
            steps[..count].iter().rev().for_each(|step| step(&mut layers));
            let loaded = layers.load().unwrap();
            assert_eq!(loaded.config.timeouts.timer_interval, Duration::from_millis(ms));
            assert_eq!(loaded.source(name), Some(&source));
        }
    }

    #[test]
    fn the_profile_is_above_the_defaults_and_below_all_else() {
        let mut layers = Layers::new();
        layers.environment([("GANNET_PROFILE".to_owned(), "low-latency".to_owned())]);
        layers.config_file(Path::new("f"), "profile = \"frugal\"\n[threads]\nconductor_cpu = 1\n");
        let loaded = layers.load().unwrap();
        assert_eq!(loaded.config.process.profile, Profile::LowLatency, "the environment is above the file");
        assert_eq!(loaded.config.threads.mode, ThreadingMode::Dedicated);
        assert_eq!(loaded.config.threads.conductor_idle, IdleStrategyName::Spin);
        assert_eq!(loaded.config.threads.conductor_cpu, Cpu::Number(1), "what is stated is above the profile");
        assert_eq!(loaded.source("aeron.conductor.idle.strategy"), Some(&Source::Profile("low-latency")));
        assert!(!loaded.config.terms.sparse);
        let unstated = Layers::new().load().unwrap();
        assert_eq!(unstated.config.threads.mode, ThreadingMode::SharedNetwork, "balanced unless stated");
    }

    #[test]
    fn a_stated_idle_strategy_does_not_get_the_arguments_of_the_profile_s() {
        let load = |definitions: &[&str]| {
            let mut layers = Layers::new();
            layers.define("gannet.profile=frugal");
            definitions.iter().for_each(|definition| layers.define(definition));
            let threads = layers.load().unwrap().config.threads;
            threads.conductor_idle_strategy().unwrap().to_string()
        };
        assert_eq!(load(&["aeron.shared.idle.strategy=backoff"]), "backoff:10-20-1us-1ms");
        assert_eq!(load(&["aeron.shared.idle.strategy=sleeping"]), "sleep-ns:4ms", "it is the same");
        let stated = "aeron.shared.idle.strategy.init.args=1-2-3us-4us";
        assert_eq!(load(&["aeron.shared.idle.strategy=backoff", stated]), "backoff:1-2-3us-4us");
    }

    #[test]
    fn an_empty_property_takes_back_the_environment_but_not_the_file() {
        let mut layers = Layers::new();
        layers.config_file(Path::new("f"), "[terms]\nipc_mtu = 2048\n");
        layers.environment([("AERON_IPC_MTU_LENGTH".to_owned(), "4096".to_owned())]);
        layers.define("aeron.ipc.mtu.length=");
        assert_eq!(layers.load().unwrap().config.terms.ipc_mtu.get(), 2048);
        let mut layers = Layers::new();
        layers.environment([("AERON_IPC_MTU_LENGTH".to_owned(), " ".to_owned())]);
        assert_eq!(layers.load().unwrap().config.terms.ipc_mtu.get(), 1408, "blanks are no part of a value");
    }

    #[test]
    fn of_several_variables_of_a_setting_its_own_name_counts() {
        let own = ("AERON_THREAD_AFFINITY_USE_CPUSET_OFFSETS", "true");
        for other in ["AERON_DRIVER_CPUSET_AFFINITY", "AERON_THREAD_AFFINITY_use_cpuset_offsets"] {
            for variables in [[own, (other, "false")], [(other, "false"), own]] {
                let mut layers = Layers::new();
                layers.environment(variables.map(|(name, text)| (name.to_owned(), text.to_owned())));
                assert!(layers.load().unwrap().config.threads.cpuset_offsets, "{other}");
            }
        }
    }

    /// TOML refuses a key that is stated twice, and knows no other names of it.
    #[test]
    fn a_setting_that_a_file_states_by_two_names_is_an_error() {
        for (text, expected) in [
            (
                "profile = \"frugal\"\n[process]\nprofile = \"low-latency\"\n",
                "d.toml:3: gannet.profile is stated on line 1, too",
            ),
            ("terms.mtu = 4096\n\"aeron.mtu.length\" = 2048\n", "d.toml:2: aeron.mtu.length is stated on line 1, too"),
        ] {
            let error = error_of(|layers| layers.config_file(Path::new("d.toml"), text));
            assert_eq!(error, format!("{expected}; leave one out"));
        }
    }

    #[test]
    fn unknown_names_are_errors_that_name_the_nearest() {
        let error = error_of(|layers| layers.define("aeron.term.bufer.length=64k"));
        assert_eq!(
            error,
            "-Daeron.term.bufer.length: there is no setting aeron.term.bufer.length; did you mean \
             aeron.term.buffer.length?"
        );
        let error = error_of(|layers| layers.config_file(Path::new("d.toml"), "[terms]\nipc_term_lenght = \"64k\"\n"));
        assert_eq!(error, "d.toml:2: there is no setting terms.ipc_term_lenght; did you mean terms.ipc_term_length?");
        let error = error_of(|layers| layers.config_file(Path::new("d.toml"), "[thread]\nmode = \"SHARED\"\n"));
        assert_eq!(error, "d.toml:1: there is no setting [thread]; did you mean [threads]?");
        let error = error_of(|layers| layers.config_file(Path::new("d.toml"), "profil = \"frugal\"\n"));
        assert_eq!(error, "d.toml:1: there is no setting profil; did you mean profile?");
        let error = error_of(|layers| layers.config_file(Path::new("d.toml"), "ipc_term_length = \"64k\"\n"));
        assert_eq!(
            error,
            "d.toml:1: there is no setting ipc_term_length; did you mean ipc_term_length in section [terms]?"
        );
        let error = error_of(|layers| layers.config_file(Path::new("d.toml"), "\"aeron.mtu.lenght\" = 1408\n"));
        assert_eq!(error, "d.toml:1: there is no setting aeron.mtu.lenght; did you mean aeron.mtu.length?");
        let error = error_of(|layers| layers.properties_file(Path::new("p"), "a=b\naeron.mtu.lenght=1408\n"));
        assert_eq!(error, "p:2: there is no setting aeron.mtu.lenght; did you mean aeron.mtu.length?");
    }

    #[test]
    fn names_of_other_programs_are_left_alone() {
        let mut layers = Layers::new();
        layers.environment([
            ("AERON_ARCHIVE_CONTROL_CHANNEL".to_owned(), "aeron:udp".to_owned()),
            ("AERON_CLIENT_LIVENES_TIMEOUT".to_owned(), "5s".to_owned()),
            ("PATH".to_owned(), "/bin".to_owned()),
        ]);
        layers.properties_file(Path::new("p"), "agrona.disable.bounds.checks=true\n");
        let notices = layers.load().unwrap().notices;
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert!(notices[0].contains("did you mean AERON_CLIENT_LIVENESS_TIMEOUT?"), "{notices:?}");
        assert!(notices[1].contains("p:1: agrona.disable.bounds.checks"), "{notices:?}");
    }

    #[test]
    fn a_value_out_of_range_is_refused_and_not_clamped() {
        let error = error_of(|layers| layers.environment([("AERON_IPC_TERM_BUFFER_LENGTH".into(), "32k".into())]));
        assert_eq!(
            error,
            "aeron.ipc.term.buffer.length=32k (environment variable AERON_IPC_TERM_BUFFER_LENGTH): out of range; \
             allowed is 64k to 1g, a power of two"
        );
        let error = error_of(|layers| layers.define("aeron.ipc.mtu.length=1400"));
        assert!(error.contains("out of range; allowed is 64 to 65504, a multiple of 32"), "{error}");
        let error = error_of(|layers| layers.define("aeron.conductor.buffer.length=1m"));
        assert!(error.contains("1049344 to 2147483647, a power of two plus 768"), "{error}");
        let error = error_of(|layers| layers.define("aeron.counters.buffer.length=1g"));
        assert!(error.contains("1m to 500m"), "{error}");
        let error = error_of(|layers| layers.define("aeron.timer.interval=soon"));
        assert!(
            error.contains("not understood; expected a whole number of nanoseconds, or one with suffix"),
            "{error}"
        );
        let error = error_of(|layers| layers.define("aeron.mtu.length=1.5k"));
        assert!(error.contains("not understood; expected a whole number of bytes, or one with suffix"), "{error}");
        for (definition, allowed) in [
            ("aeron.receiver.group.tag=9223372036854775808", "at most 9223372036854775807"),
            ("aeron.receiver.group.tag=-9223372036854775809", "at least -9223372036854775808"),
            ("aeron.nak.unicast.retry.delay.ratio=18446744073709551616", "at most 9223372036854775807"),
            ("gannet.loss.seed=18446744073709551616", "at most 18446744073709551615"),
            ("aeron.low.file.store.warning.threshold=8589934592g", "at most 9223372036854775807"),
            ("aeron.counters.buffer.length=99999999999999999999g", "1m to 500m, a multiple of 128"),
            ("aeron.image.liveness.timeout=9223372037s", "at most 9223372036854775807ns"),
            ("aeron.image.liveness.timeout=-1s", "at least 1us"),
            ("aeron.driver.timeout=99999999999999999999999", "at most 9223372036854775807ns"),
        ] {
            let error = error_of(|layers| layers.define(definition));
            assert!(error.ends_with(&format!("out of range; allowed is {allowed}")), "{error}");
        }
        let error = error_of(|layers| layers.define("aeron.threading.mode=MANY"));
        assert!(error.contains("expected one of DEDICATED, SHARED_NETWORK, SHARED, INVOKER"), "{error}");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let error = error_of(|layers| {
            layers.define("aeron.mtu.length=7");
            layers.define("nonsense");
            layers.config_file(Path::new("broken.toml"), "[terms\n");
        });
        assert_eq!(error.lines().count(), 3, "{error}");
        assert!(error.contains("broken.toml:1: "), "{error}");
    }

    #[test]
    fn settings_without_effect_are_named() {
        let mut layers = Layers::new();
        layers.define("aeron.sender.io.vector.capacity=8");
        layers.define("aeron.driver.dynamic.libraries=libplug.so");
        layers.define("aeron.mtu.length=1408");
        let loaded = layers.load().unwrap();
        assert_eq!(loaded.config.network.sender_io_vector_capacity, 8, "kept typed all the same");
        assert_eq!(loaded.notices.len(), 2, "{:?}", loaded.notices);
        assert!(loaded.notices.iter().any(|notice| notice.contains("as many datagrams go in one call as are ready")));
        assert!(loaded.notices.iter().any(|notice| notice.contains("libplug.so (-D") && notice.contains("no effect")));
    }

    #[test]
    fn what_is_printed_is_a_file_that_gives_the_same_again() {
        let mut layers = Layers::new();
        layers.define("gannet.profile=frugal");
        layers.define("aeron.dir=/tmp/a \"quoted\" \\ name");
        layers.define("aeron.receiver.group.tag=-7");
        layers.define("aeron.sender.wildcard.port.range=20000 20100");
        let loaded = layers.load().unwrap();
        let page = loaded.print(Path::new("/nowhere"));
        assert!(!page.contains("/nowhere"), "{page}");
        assert!(page.contains("# aeron.threading.mode: profile frugal"), "{page}");
        let mut again = Layers::new();
        again.config_file(Path::new("printed"), &page);
        assert_eq!(again.load().unwrap().config, loaded.config);
    }

    #[test]
    fn the_token_is_not_printed() {
        let mut layers = Layers::new();
        layers.define("aeron.driver.termination.validator=token");
        layers.define("gannet.termination.token=hush");
        assert!(!layers.load().unwrap().print(Path::new("/nowhere")).contains("hush"));
    }

    #[test]
    fn where_the_driver_is_is_told_when_nobody_chose_it_and_not_chosen_by_that() {
        let loaded = Layers::new().load().unwrap();
        let page = loaded.print(Path::new("/dev/shm/aeron-me"));
        assert!(page.contains("\n# dir = \"/dev/shm/aeron-me\" ") && page.contains("# aeron.dir: default\n"), "{page}");
        let mut again = Layers::new();
        again.config_file(Path::new("printed"), &page);
        assert_eq!(again.load().unwrap().config, loaded.config);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_holds(
            name in "(aeron|gannet|AERON|terms|threads)[._](term|ipc|mtu|timer|dir|mode)?[._]?[a-z._]{0,20}",
            value in ".{0,20}|[0-9]{1,20}[kmgs]?",
            text in "(\\[terms\\]\n)?(ipc_mtu|profile|mode|[a-z]{1,9}) = (\"[^\"\\\\]{0,9}\"|[0-9]{1,30}|\\[\\]|true|.{0,9})\n?",
        ) {
            let mut layers = Layers::new();
            layers.config_file(Path::new("f"), &text);
            layers.define(&format!("{name}={value}"));
            layers.environment([(name, value)]);
            if let Ok(loaded) = layers.load() {
                proptest::prop_assert_eq!(loaded.config.validate(), Ok(()));
            }
        }
    }
}
