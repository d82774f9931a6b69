//! Flow control for a single receiver: the limit is the end of its window, and never moves back. The strategy's
//! dispatch calls this; it has no state.

use super::ReceiverReport;

/// The limit after a status message.
pub(super) fn on_status_message(report: &ReceiverReport, limit: i64) -> i64 {
    limit.max(report.edge())
}
