//! Reports for operators: the distinct error log (a region of the CnC file) and the loss report (a file of its own).
//! Both are sequences of entries, which are appended once and then only updated. One agent writes each, and anyone may
//! read it at any time. No entry is removed while the driver lives.

mod error_log;
mod loss_report;

pub use error_log::{ErrorLog, ErrorLogReader, ErrorObservation, Recorded};
pub use loss_report::{LOSS_REPORT_FILE_NAME, LossEntry, LossObservation, LossReport, LossReportReader};

/// An entry that no driver writes. What came before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {report} is damaged at byte {offset}: an entry of {length} bytes cannot be there")]
pub struct DamagedReport {
    /// Which report.
    pub report: &'static str,
    /// Where in it.
    pub offset: usize,
    /// The length found.
    pub length: i64,
}

/// Reads text that was published, private from then on.
fn read_text(buffer: &crate::memory::AtomicBuffer, offset: usize, length: usize) -> String {
    let mut bytes = vec![0; length];
    buffer.get_bytes(offset, &mut bytes);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
