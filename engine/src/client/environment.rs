//! The environment variables from which a client's settings come, and the errors for variables that cannot be read. It
//! opens nothing; the environment is passed in.

use core::fmt;
use core::time::Duration;
use std::ffi::OsString;

use super::context::Context;
use crate::quantity::{DURATION_FORM, parse_duration_ns};

/// All environment variables whose values cannot be read.
///
/// Its text has one line for each variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Lines(.unreadable))]
pub struct EnvironmentError {
    /// The variables, at least one.
    pub unreadable: Vec<UnreadableVariable>,
}

/// An environment variable whose value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableVariable {
    /// The variable's name.
    pub name: &'static str,
    /// The variable's value, with replacement characters for bytes that are not valid text.
    pub found: String,
    /// The values that are accepted.
    pub expected: &'static str,
}

impl fmt::Display for UnreadableVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, expected } = self;
        write!(f, "environment variable {name}: {found:?} is not {expected}; correct it, or unset it for the default")
    }
}

struct Lines<'a>(&'a [UnreadableVariable]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for variable in self.0 {
            write!(f, "{separator}{variable}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl Context {
    /// The default settings, overridden by environment variables with the reference's names: `AERON_DIR`,
    /// `AERON_DRIVER_TIMEOUT` (plain milliseconds), `AERON_CLIENT_NAME`, `AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY` (`true`
    /// or `false`, `on` or `off`, `1` or `0`), and the durations `AERON_CLIENT_RESOURCE_LINGER_DURATION` and
    /// `AERON_CLIENT_IDLE_SLEEP_DURATION`. An empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`] names each variable whose value cannot be read. The reference's Java client refuses such
    /// values, too; its C client warns and uses the default.
    pub fn from_environment() -> Result<Self, EnvironmentError> {
        read(|name| std::env::var_os(name))
    }
}

/// Sets a client's settings from environment variables. An empty variable counts as not set, as it does for the driver.
fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Context, EnvironmentError> {
    let mut context = Context::new();
    let mut unreadable = Vec::new();
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    // A path need not be text.
    if let Some(dir) = set("AERON_DIR") {
        context = context.dir(dir);
    }
    let mut texts = Variables { set, unreadable: &mut unreadable };
    let driver_timeout = texts.read("AERON_DRIVER_TIMEOUT", "a whole number of milliseconds, without a unit", |text| {
        text.trim().parse().ok().map(Duration::from_millis)
    });
    let client_name = texts.read("AERON_CLIENT_NAME", "UTF-8 text", |text| Some(text.to_owned()));
    let resource_linger = texts.read("AERON_CLIENT_RESOURCE_LINGER_DURATION", DURATION_FORM, duration);
    let idle_sleep = texts.read("AERON_CLIENT_IDLE_SLEEP_DURATION", DURATION_FORM, duration);
    let pre_touch = texts.read("AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY", "true or false, on or off, 1 or 0", truth);
    if !unreadable.is_empty() {
        return Err(EnvironmentError { unreadable });
    }
    if let Some(timeout) = driver_timeout {
        context = context.driver_timeout(timeout);
    }
    if let Some(name) = client_name {
        context = context.client_name(&name);
    }
    if let Some(linger) = resource_linger {
        context = context.resource_linger(linger);
    }
    if let Some(sleep) = idle_sleep {
        context = context.idle_sleep(sleep);
    }
    if let Some(pre_touch) = pre_touch {
        context = context.pre_touch_mapped_memory(pre_touch);
    }
    Ok(context)
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn duration(text: &str) -> Option<Duration> {
    let duration_ns = parse_duration_ns(text).ok()?;
    u64::try_from(duration_ns).ok().map(Duration::from_nanos)
}

/// The variables that are set, and a place for those that cannot be read.
struct Variables<'a, F> {
    set: F,
    unreadable: &'a mut Vec<UnreadableVariable>,
}

impl<F: Fn(&str) -> Option<OsString>> Variables<'_, F> {
    /// What a variable says, if it is set and can be read.
    fn read<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = (self.set)(name)?;
        let parsed = value.to_str().and_then(parse);
        if parsed.is_none() {
            let found = value.to_string_lossy().into_owned();
            self.unreadable.push(UnreadableVariable { name, found, expected });
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::path::Path;

    use super::*;

    /// What a client makes of these variables and no others.
    fn read_from(variables: &[(&str, OsString)]) -> Result<Context, EnvironmentError> {
        read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn the_environment_overrides_the_defaults() {
        let settings = read_from(&[
            ("AERON_DIR", "/tmp/there".into()),
            ("AERON_DRIVER_TIMEOUT", "1500".into()),
            ("AERON_CLIENT_NAME", "me".into()),
            ("AERON_CLIENT_RESOURCE_LINGER_DURATION", "250ms".into()),
            ("AERON_CLIENT_IDLE_SLEEP_DURATION", "1000000".into()),
            ("AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY", "on".into()),
        ])
        .unwrap()
        .settings;
        assert_eq!(settings.dir, Path::new("/tmp/there"));
        assert_eq!(settings.driver_timeout, Duration::from_millis(1500));
        assert_eq!(settings.client_name, "me");
        assert_eq!(settings.resource_linger, Duration::from_millis(250));
        assert_eq!(settings.idle_sleep, Duration::from_millis(1));
        assert!(settings.pre_touch_mapped_memory);
    }

    #[test]
    fn what_is_not_set_or_empty_is_the_default() {
        let defaults = format!("{:?}", Context::new());
        assert_eq!(format!("{:?}", read_from(&[]).unwrap()), defaults);
        let empty = [
            "AERON_DIR",
            "AERON_DRIVER_TIMEOUT",
            "AERON_CLIENT_NAME",
            "AERON_CLIENT_RESOURCE_LINGER_DURATION",
            "AERON_CLIENT_IDLE_SLEEP_DURATION",
            "AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY",
        ]
        .map(|name| (name, OsString::new()));
        assert_eq!(format!("{:?}", read_from(&empty).unwrap()), defaults);
    }

    #[test]
    fn every_variable_that_cannot_be_read_is_named_with_what_was_expected() {
        let error = read_from(&[
            ("AERON_DRIVER_TIMEOUT", "10s".into()),
            ("AERON_CLIENT_NAME", OsString::from_vec(b"caf\xe9".to_vec())),
            ("AERON_CLIENT_RESOURCE_LINGER_DURATION", "250ms".into()),
            ("AERON_CLIENT_IDLE_SLEEP_DURATION", "many".into()),
            ("AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY", "perhaps".into()),
        ])
        .unwrap_err();
        let names: Vec<_> = error.unreadable.iter().map(|variable| variable.name).collect();
        assert_eq!(
            names,
            [
                "AERON_DRIVER_TIMEOUT",
                "AERON_CLIENT_NAME",
                "AERON_CLIENT_IDLE_SLEEP_DURATION",
                "AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY"
            ]
        );
        let shown = error.to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 4, "{shown}");
        assert!(lines[0].contains("AERON_DRIVER_TIMEOUT: \"10s\" is not a whole number of milliseconds"), "{shown}");
        assert!(lines[1].contains("AERON_CLIENT_NAME: \"caf\u{fffd}\" is not UTF-8 text"), "{shown}");
        assert!(lines[2].contains("\"many\" is not a duration"), "{shown}");
    }

    #[test]
    fn a_directory_need_not_be_text() {
        let dir = OsString::from_vec(b"/tmp/caf\xe9".to_vec());
        assert_eq!(read_from(&[("AERON_DIR", dir.clone())]).unwrap().settings.dir, Path::new(&dir));
    }
}
