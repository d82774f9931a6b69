//! In a group that nobody holds back: the limit is where the furthest window ends. Receivers that are slower lose data, and a
//! reliable one asks for it again. Called by the strategy's dispatch; keeps nothing.

use super::ReceiverReport;

/// The limit after a status message.
pub(super) fn on_status_message(report: &ReceiverReport, limit: i64) -> i64 {
    limit.max(report.edge())
}
