//! Reads a term full of frames that were written by another process. Every way to read must terminate and deliver only
//! bytes of the term.
#![no_main]

#[path = "../../tests/support/raw_access.rs"]
mod raw_access;

use gannet::logbuffer::{
    ControlledAction, FragmentAssembler, ImageReader, LogBuffers, LogKind, LogParameters, clean_to, unblock,
};
use gannet::memory::CacheLines;
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use libfuzzer_sys::fuzz_target;
use raw_access::RAW;

fuzz_target!(|input: (u16, &[u8])| {
    let (start, bytes) = input;
    let parameters =
        LogParameters::ipc(LogKind::Concurrent, TermLength::MIN, SessionId::new(1), StreamId::new(2), TermId::new(3));
    let log = LogBuffers::heap(&parameters, RAW);
    let term = log.term(0);
    let at = usize::from(start).min(term.len() - bytes.len().min(term.len()));
    term.put_bytes(at, &bytes[..bytes.len().min(term.len())]);

    let subscriber = CacheLines::new(1).word(0, 0);
    let within = |length: usize| assert!(length <= 65_536);
    for round in 0..4 {
        subscriber.store_release(i64::from(start) & !31);
        let mut reader = ImageReader::new(log.clone(), subscriber.clone());
        match round {
            0 => while reader.poll(|fragment| within(fragment.payload().len()), 100) > 0 {},
            1 => {
                let mut assembler = FragmentAssembler::new();
                while reader.poll(assembler.assemble(|message| within(message.payload().len())), 100) > 0 {}
            }
            2 => {
                let mut flip = false;
                for _ in 0..1000 {
                    reader.controlled_poll(
                        |fragment| {
                            within(fragment.payload().len());
                            flip = !flip;
                            if flip { ControlledAction::Abort } else { ControlledAction::Commit }
                        },
                        100,
                    );
                }
            }
            _ => while reader.block_poll(|block| within(block.bytes.len()), 65_536) > 0 {},
        }
        let _ = reader.check();
    }
    unblock(&log, Position::new(i64::from(start) & !31));
    let _ = clean_to(&log, Position::new(0), Position::new(i64::from(start)));
});
