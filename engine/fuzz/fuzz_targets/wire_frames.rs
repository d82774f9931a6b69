//! Parses arbitrary datagrams. They are parsed or refused; a parsed frame is written as a frame that reads the same.
#![no_main]

use gannet::protocol::{Extent, Frame, GroupTag, MAX_DATAGRAM_LENGTH, ResolutionWriter, extent};
use gannet::types::TermLength;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    for term_length in [TermLength::MIN, TermLength::MAX] {
        if let Ok(Extent::Frames(length)) = extent(datagram, term_length) {
            assert!(length % 32 == 0 && (32..=term_length.get() as usize).contains(&length));
        }
    }
    let Ok(frame) = Frame::parse(datagram) else { return };
    let mut buffer = vec![0; MAX_DATAGRAM_LENGTH];
    let length = match frame {
        Frame::Data(header) | Frame::Padding(header) => header.write(&mut buffer),
        Frame::Nak(nak) => nak.write(&mut buffer),
        // A malformed group tag is not written.
        Frame::StatusMessage(status) if status.group_tag == GroupTag::Malformed => return,
        Frame::StatusMessage(status) => status.write(&mut buffer),
        Frame::Error(error) => error.write(&mut buffer),
        Frame::Setup(setup) => setup.write(&mut buffer),
        Frame::RttMeasurement(measurement) => measurement.write(&mut buffer),
        Frame::ResponseSetup(response) => response.write(&mut buffer),
        Frame::Resolution(resolution) => {
            let entries: Vec<_> = resolution.entries().map_while(Result::ok).collect();
            let mut writer = ResolutionWriter::new(&mut buffer);
            let written = entries.iter().take_while(|entry| writer.add(entry)).count();
            let length = writer.finish();
            if let Ok(Frame::Resolution(again)) = Frame::parse(&buffer[..length]) {
                assert!(again.entries().map(Result::unwrap).eq(entries.into_iter().take(written)));
            }
            return;
        }
    };
    assert_eq!(Frame::parse(&buffer[..length]), Ok(frame));
});
