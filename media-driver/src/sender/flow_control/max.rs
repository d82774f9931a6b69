//! Flow control of a group that follows its fastest receiver: the limit is the end of the furthest window. Slower
//! receivers lose data; reliable ones ask for it again. The strategy's dispatch calls this; it has no state.

use super::ReceiverReport;

/// The limit after a status message.
pub(super) fn on_status_message(report: &ReceiverReport, limit: i64) -> i64 {
    limit.max(report.edge())
}
