//! Models of the error log and the loss report: an entry that is added and then counted, against a reader.
#![cfg(engine_loom)]

use gannet::memory::AtomicBuffer;
use gannet::reports::{ErrorLog, ErrorLogReader, LossReport, LossReportReader};
use gannet::time::EpochMillis;
use gannet::types::{SessionId, StreamId};
use gannet_loom_tests::{Bounds, check, must_fail};
use loom::thread;

/// The reader finds no entry, or a whole one that may not have been counted yet.
#[test]
fn an_error_against_a_reader() {
    an_error_against_a_reader_model();
    must_fail("errors.entry:store", an_error_against_a_reader_model);
    must_fail("errors.entry:load", an_error_against_a_reader_model);
}

fn an_error_against_a_reader_model() {
    let allowed = [None, Some((0, 0)), Some((1, 0)), Some((1, 7))];
    check(Bounds::NONE, &allowed, || {
        let buffer = AtomicBuffer::model(256, &[8, 16]);
        let mut log = ErrorLog::new(buffer.clone());
        let tool = thread::spawn(move || {
            let mut found = None;
            let read = ErrorLogReader::new(buffer).for_each(EpochMillis::new(0), |error| {
                assert_eq!((error.first.get(), error.text.as_str()), (7, "(1) no"));
                found = Some((error.count, error.last.get()));
            });
            assert_eq!(read, Ok(usize::from(found.is_some())));
            found
        });
        log.record(EpochMillis::new(7), "(1) no");
        tool.join().unwrap()
    });
}

/// The reader finds no entry, or a whole one with the first loss, to which the bytes of the second may have been added
/// before it was counted.
#[test]
fn losses_against_a_reader() {
    losses_against_a_reader_model();
    must_fail("loss.entry:store", losses_against_a_reader_model);
    must_fail("loss.entry:load", losses_against_a_reader_model);
}

fn losses_against_a_reader_model() {
    let allowed = [None, Some((1, 100)), Some((1, 150)), Some((2, 150))];
    check(Bounds::NONE, &allowed, || {
        let buffer = AtomicBuffer::model(128, &[0, 8, 16, 24, 64]);
        let mut report = LossReport::new(buffer.clone());
        let tool = thread::spawn(move || {
            let mut found = None;
            let read = LossReportReader::new(buffer).for_each(|loss| {
                assert_eq!((loss.first.get(), loss.session_id.get(), loss.stream_id.get()), (7, -1, 2));
                assert_eq!((loss.channel.as_str(), loss.source.as_str()), ("c", "source"));
                assert!([7, 9].contains(&loss.last.get()));
                found = Some((loss.count, loss.bytes_lost));
            });
            assert_eq!(read, Ok(usize::from(found.is_some())));
            found
        });
        let stream = (SessionId::new(-1), StreamId::new(2));
        let entry = report.create_entry(EpochMillis::new(7), 100, stream, "c", "source").unwrap();
        entry.record(EpochMillis::new(9), 50);
        tool.join().unwrap()
    });
}
