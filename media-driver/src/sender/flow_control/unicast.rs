//! Between two: the limit is where the receiver's window ends, and never goes back. Called by the strategy's dispatch; keeps
//! nothing.

use super::ReceiverReport;

/// The limit after a status message.
pub(super) fn on_status_message(report: &ReceiverReport, limit: i64) -> i64 {
    limit.max(report.edge())
}
