//! Errors in a configuration. Each says what was found where, what is allowed, and what to do.

use std::fmt;
use std::path::PathBuf;

/// Where a setting's value came from, weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The table's default.
    Default,
    /// The profile.
    Profile(&'static str),
    /// A configuration file.
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A `-D name=value` argument, by its name.
    Define(String),
    /// A file in the format of Java properties.
    PropertiesFile {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A command line flag, such as `--dir`.
    Flag(&'static str),
    /// The program that the driver is embedded in.
    Program,
}

impl Source {
    /// Later sources win over earlier ones. Properties files come after `-D`, as the reference driver loads them.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Profile(_) => 1,
            Self::ConfigFile { .. } => 2,
            Self::Environment(_) => 3,
            Self::Define(_) => 4,
            Self::PropertiesFile { .. } => 5,
            Self::Flag(_) => 6,
            Self::Program => 7,
        }
    }

    /// Whether an empty text from here takes back what the environment and the properties said: the reference driver keeps
    /// all of these in its environment and unsets what is empty.
    pub(super) fn takes_back_when_empty(&self) -> bool {
        matches!(self, Self::Environment(_) | Self::Define(_) | Self::PropertiesFile { .. })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::ConfigFile { path, line } | Self::PropertiesFile { path, line } => {
                write!(f, "{}:{line}", path.display())
            }
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Define(name) => write!(f, "-D{name}"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Program => f.write_str("set by the program"),
        }
    }
}

/// One setting as an error shows it: name, value, source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The property.
    pub property: &'static str,
    /// Its value.
    pub value: String,
    /// Where that came from.
    pub source: Source,
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} ({})", self.property, self.value, self.source)
    }
}

/// Something wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A name that no setting has.
    #[error("{source_of_name}: there is no setting {name}{}", suggestion(.nearest.as_deref()))]
    UnknownName {
        /// The name found.
        name: String,
        /// Where it was found.
        source_of_name: Source,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
    /// A value that is not of the setting's form.
    #[error("{stated}: not understood; expected {expected}")]
    Unreadable {
        /// The setting with the text found.
        stated: Stated,
        /// What would be understood.
        expected: String,
    },
    /// A value outside the setting's limits. It is refused and not moved to the nearest limit, which would hide that the
    /// driver runs differently than it was told to.
    #[error("{stated}: out of range; allowed is {allowed}")]
    OutOfRange {
        /// The setting with the text found.
        stated: Stated,
        /// The range.
        allowed: String,
    },
    /// Values that do not go together.
    #[error("{cause}: {}; {remedy}", listed(.settings))]
    Relation {
        /// The rule that is broken.
        cause: &'static str,
        /// The settings that break it.
        settings: Vec<Stated>,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that is not in its format.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A `-D` argument that is not `name=value`.
    #[error("-D{text}: expected name=value")]
    Define {
        /// The argument.
        text: String,
    },
}

/// All that is wrong with a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Ok` when there are none.
    pub(super) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn listed(settings: &[Stated]) -> String {
    settings.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
