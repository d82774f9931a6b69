//! Errors in a configuration. Each says what was found where, what is allowed, and what to do.

use std::fmt;
use std::path::PathBuf;

/// The source of a setting's value, weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The default.
    Default,
    /// The profile.
    Profile(&'static str),
    /// A configuration file.
    ConfigFile {
        /// The file's path.
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
    /// The precedence of a source: higher ones override lower ones. Properties files come after `-D`, as in the
    /// reference driver.
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

    /// Whether an empty text from this source unsets the environment variable and the properties. The reference driver
    /// keeps all of them in its environment and unsets empty ones.
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

/// A setting with its value and source, for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The property's name.
    pub property: &'static str,
    /// Its value.
    pub value: String,
    /// The value's source.
    pub source: Source,
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} ({})", self.property, self.value, self.source)
    }
}

/// An error in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An unknown name.
    #[error("{source_of_name}: there is no setting {name}{}", suggestion(.nearest.as_deref()))]
    UnknownName {
        /// The name found.
        name: String,
        /// The source of the name.
        source_of_name: Source,
        /// The most similar known name.
        nearest: Option<String>,
    },
    /// A value that cannot be parsed.
    #[error("{stated}: not understood; expected {expected}")]
    Unreadable {
        /// The setting with the text found.
        stated: Stated,
        /// The expected form.
        expected: String,
    },
    /// A value outside the allowed range. It is not replaced by the nearest limit, because that would hide that the
    /// driver runs differently than configured.
    #[error("{stated}: out of range; allowed is {allowed}")]
    OutOfRange {
        /// The setting with the text found.
        stated: Stated,
        /// The allowed range.
        allowed: String,
    },
    /// Settings that conflict.
    #[error("{cause}: {}; {remedy}", listed(.settings))]
    Relation {
        /// The violated rule.
        cause: &'static str,
        /// The settings that violate it.
        settings: Vec<Stated>,
        /// The remedy.
        remedy: &'static str,
    },
    /// A syntax error in a file.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A `-D` argument that does not have the form `name=value`.
    #[error("-D{text}: expected name=value")]
    Define {
        /// The argument.
        text: String,
    },
}

/// All errors of a configuration. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Returns `Ok` if there are no errors.
    pub(super) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The errors.
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
