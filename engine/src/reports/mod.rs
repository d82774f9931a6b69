//! Reports for operators: the distinct error log (a region of the CnC file) and the loss report (a file of its own).
//! Both are sequences of entries, which are appended once and then only updated. One agent writes each, and anyone may
//! read it at any time. No entry is removed while the driver lives.

mod error_log;
mod loss_report;

pub use error_log::{ErrorLog, ErrorLogReader, ErrorObservation, Recorded};
pub use loss_report::{LOSS_REPORT_FILE_NAME, LossEntry, LossObservation, LossReport, LossReportReader};

/// A report has an invalid entry. The entries before it have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {report} is damaged at byte {offset}: an entry of {length} bytes cannot be there")]
pub struct DamagedReport {
    /// The name of the report.
    pub report: &'static str,
    /// The offset of the entry.
    pub offset: usize,
    /// The length found.
    pub length: i64,
}

/// Copies a published text.
fn read_text(buffer: &crate::memory::AtomicBuffer, offset: usize, length: usize) -> String {
    let mut bytes = vec![0; length];
    buffer.get_bytes(offset, &mut bytes);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
