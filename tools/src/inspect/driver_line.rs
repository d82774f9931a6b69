//! One line about a driver: which it is, and whether it is alive. The same facts as text and as JSON.

use std::fmt;

use gannet::cnc::DriverState;
use gannet::time::EpochMillis;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// The state of a driver at one moment.
#[derive(Debug, Clone)]
pub(crate) struct DriverLine {
    pub(super) dir: String,
    pub(super) state: DriverState,
    pub(super) pid: i64,
    pub(super) started: EpochMillis,
    /// The moment.
    pub(super) now: EpochMillis,
    pub(super) cnc_version: String,
    // Stated by some drivers only.
    pub(super) version: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) transport: Option<String>,
}

impl DriverLine {
    /// Whether clients can use the driver.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, DriverState::Alive { .. })
    }

    /// Whether another look must show whether the driver is alive.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, DriverState::Ahead { .. })
    }
}

impl fmt::Display for DriverLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "driver in {}: ", self.dir)?;
        match self.state {
            DriverState::Starting => f.write_str("starting"),
            DriverState::Alive { age_ms } => write!(f, "alive, heartbeat {} ms ago", age_ms.max(0)),
            DriverState::Ahead { ahead_ms } => write!(
                f,
                "heartbeat {:.1} s in the future, because the clock was set back; alive if that changes",
                ahead_ms as f64 / 1e3
            ),
            DriverState::Silent { age_ms } => {
                write!(f, "DEAD OR STOPPED: no heartbeat for {:.1} s", age_ms as f64 / 1e3)
            }
            DriverState::ShutDown => f.write_str("shut down"),
        }?;
        write!(f, "; pid {}", self.pid)?;
        for (name, told) in [("profile", &self.profile), ("transport", &self.transport)] {
            if let Some(told) = told {
                write!(f, ", {name} {told}")?;
            }
        }
        let up_s = self.now.since(self.started) as f64 / 1e3;
        write!(f, ", started {up_s:.1} s ago, CnC {}", self.cnc_version)
    }
}

impl Serialize for DriverLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (state, heartbeat_age_ms) = match self.state {
            DriverState::Starting => ("starting", None),
            DriverState::Alive { age_ms } => ("alive", Some(age_ms.max(0))),
            DriverState::Ahead { ahead_ms } => ("ahead", Some(-ahead_ms)),
            DriverState::Silent { age_ms } => ("silent", Some(age_ms)),
            DriverState::ShutDown => ("shut_down", None),
        };
        let mut line = serializer.serialize_struct("driver", 10)?;
        line.serialize_field("dir", &self.dir)?;
        line.serialize_field("state", state)?;
        line.serialize_field("pid", &self.pid)?;
        line.serialize_field("heartbeat_age_ms", &heartbeat_age_ms)?;
        line.serialize_field("started_ms", &self.started.get())?;
        line.serialize_field("cnc_version", &self.cnc_version)?;
        line.serialize_field("version", &self.version)?;
        line.serialize_field("commit", &self.commit)?;
        line.serialize_field("profile", &self.profile)?;
        line.serialize_field("transport", &self.transport)?;
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: DriverState) -> DriverLine {
        DriverLine {
            dir: "/d".to_owned(),
            state,
            pid: 7,
            started: EpochMillis::new(1_000),
            now: EpochMillis::new(13_500),
            cnc_version: "0.2.0".to_owned(),
            version: None,
            commit: None,
            profile: Some("frugal".to_owned()),
            transport: None,
        }
    }

    #[test]
    fn people_and_programs_are_told_the_same() {
        for (state, words, name, age_ms, is_alive) in [
            (DriverState::Starting, "starting", "starting", None, false),
            (DriverState::Alive { age_ms: -3 }, "alive, heartbeat 0 ms ago", "alive", Some(0), true),
            (
                DriverState::Silent { age_ms: 12_340 },
                "DEAD OR STOPPED: no heartbeat for 12.3 s",
                "silent",
                Some(12_340),
                false,
            ),
            (
                DriverState::Ahead { ahead_ms: 12_340 },
                "heartbeat 12.3 s in the future, because the clock was set back; alive if that changes",
                "ahead",
                Some(-12_340),
                false,
            ),
            (DriverState::ShutDown, "shut down", "shut_down", None, false),
        ] {
            let line = line(state);
            assert_eq!(line.is_open(), name == "ahead");
            assert_eq!(line.is_alive(), is_alive);
            let expected = format!("driver in /d: {words}; pid 7, profile frugal, started 12.5 s ago, CnC 0.2.0");
            assert_eq!(line.to_string(), expected);
            let expected = serde_json::json!({
                "dir": "/d", "state": name, "pid": 7, "heartbeat_age_ms": age_ms, "started_ms": 1000, "cnc_version": "0.2.0",
                "version": null, "commit": null, "profile": "frugal", "transport": null,
            });
            assert_eq!(serde_json::to_value(&line).expect("plain data"), expected);
        }
    }
}
