//! Reports errors to the client whose command failed, and to operators in the error log.

use std::path::Path;

use gannet::command::{ErrorCode, Text};
use gannet::reports::ErrorLog;
use gannet::time::EpochMillis;
use gannet::types::CorrelationId;

use super::Core;
use super::counters::Counters;
use super::error::CommandError;
use super::events::clip;

/// The maximum length of a channel in the error log, in bytes: enough to recognise it. A faulty client must not fill
/// the log.
pub(super) const MAX_REPORTED_CHANNEL: usize = 256;

/// The writer of the distinct error log.
#[derive(Debug)]
pub(super) struct Reporter {
    log: ErrorLog,
}

impl Reporter {
    pub(super) fn new(log: ErrorLog) -> Self {
        Self { log }
    }

    /// Records an error and counts it.
    pub(super) fn record(&mut self, now: EpochMillis, counters: &Counters, text: &str) {
        self.log.record(now, text);
        counters.on_error();
    }
}

impl Core {
    /// Records an error.
    pub(super) fn report(&mut self, text: &str) {
        self.reporter.record(self.now.epoch, &self.counters, text);
    }

    /// Reports that datagrams cannot be sent or received.
    pub(super) fn report_fault(&mut self, reason: &str) {
        self.report(&format!("(11) {reason}"));
    }

    /// Responds to a refused command with an error. Also reports it, unless the error is "try again": first, so that whoever
    /// has the response finds the report.
    pub(super) fn refuse(
        &mut self,
        command: &str,
        correlation_id: CorrelationId,
        channel: Option<Text<'_>>,
        error: &CommandError,
    ) {
        let code = error.code();
        if code != ErrorCode::ResourceTemporarilyUnavailable {
            let channel = channel.map(|channel| channel.to_string());
            let channel = channel.map(|channel| format!(" {}", clip(&channel, MAX_REPORTED_CHANNEL)));
            self.report(&format!("({}) {command}{}: {error}", code.get(), channel.unwrap_or_default()));
            if matches!(error, CommandError::NoCounter(_)) {
                self.report_hoarder();
            }
        }
        self.events.send_error(correlation_id, code, &error.to_string());
    }

    /// Warns when a file system has become nearly full.
    pub(super) fn warn_if_low(&mut self, space_left: Option<u64>, path: &Path) {
        let Some(threshold) = self.config.logs.low_space_warning else { return };
        if space_left.is_some_and(|left| left <= threshold) {
            let directory = path.parent().unwrap_or(path).display();
            let code = ErrorCode::StorageSpace.get();
            let text = format!("({code}) the file system of {directory} has {threshold} bytes or less left");
            self.report(&text);
        }
    }
}
