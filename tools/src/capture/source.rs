//! Reads a capture file packet by packet: pcap in either byte order and either time resolution, and pcapng. Used by
//! `gannet pub --capture`. Never reads the whole file at once.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pcap_parser::pcapng::Block;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Linktype, PcapBlockOwned, PcapError, create_reader};

use super::passed_over::{Packet, PassedOver};
use crate::cli::{Stop, StoppableInput};

/// Bytes to read ahead. The buffer grows for larger packets, up to `MAX_BUFFER_LENGTH`.
const BUFFER_LENGTH: usize = 128 * 1024;
/// No link carries a larger packet. A greater length means that the file is damaged.
const MAX_BUFFER_LENGTH: usize = 16 * 1024 * 1024;

/// Why a capture could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// The file could not be opened or read.
    #[error("cannot read the capture {path}")]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The file does not start like a capture.
    #[error("{path} is not a capture: it starts neither like a pcap nor like a pcapng file")]
    NotACapture {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file ends in the middle of a packet.
    #[error(
        "the capture {path} ends in the middle of packet {packet}: it was cut short while it was written or copied"
    )]
    CutShort {
        /// The path of the file.
        path: PathBuf,
        /// The number of the packet, from 1.
        packet: u64,
    },
    /// The length or the type of a record is invalid.
    #[error("the capture {path} is damaged at packet {packet}, about {offset} bytes into the file")]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// The number of the packet, from 1.
        packet: u64,
        /// Offset of the record in the file, in bytes.
        offset: usize,
    },
}

/// A capture file that is being read.
pub(crate) struct Capture {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    stop: Stop,
    /// The link type of the file, or of each interface of the current section.
    links: Vec<Linktype>,
    payload: Vec<u8>,
    packets: u64,
    passed_over: PassedOver,
    buffer_length: usize,
}

impl Capture {
    /// Opens the capture at `path` and reads its header. `None` if the user wanted to stop before that was there.
    pub(crate) fn open(path: &Path, stop: &Stop) -> Result<Option<Self>, CaptureError> {
        let input =
            StoppableInput::open(path, stop).map_err(|source| CaptureError::Io { path: path.into(), source })?;
        match Self::new(path, input, stop) {
            Err(_) if stop.is_wanted() => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Checks that there is a capture at `path`. What can be read only once, such as a pipe, is not touched.
    pub(crate) fn check(path: &Path, stop: &Stop) -> Result<(), CaptureError> {
        match path.metadata() {
            Ok(found) if !found.is_file() && !found.is_dir() => Ok(()),
            _ => Self::open(path, stop).map(drop),
        }
    }

    fn new(path: &Path, input: impl Read + Send + 'static, stop: &Stop) -> Result<Self, CaptureError> {
        let reader = create_reader(BUFFER_LENGTH, Filled(input)).map_err(|error| match error {
            PcapError::ReadError => {
                CaptureError::Io { path: path.into(), source: io::Error::other("the file cannot be read") }
            }
            _ => CaptureError::NotACapture { path: path.into() },
        })?;
        Ok(Self {
            path: path.into(),
            reader,
            stop: stop.clone(),
            links: Vec::new(),
            payload: Vec::new(),
            packets: 0,
            passed_over: PassedOver::default(),
            buffer_length: BUFFER_LENGTH,
        })
    }

    /// Advances to the next UDP payload. Returns false at the end of the capture, and when the user wants to stop. No
    /// more can be read after an error.
    pub(crate) fn advance(&mut self) -> Result<bool, CaptureError> {
        while !self.stop.is_wanted() {
            let failure = match self.reader.next() {
                Ok((length, block)) => {
                    let found = match record(&block, &mut self.links) {
                        Some(packet) => {
                            self.packets += 1;
                            self.passed_over.judge(&packet)
                        }
                        None => None,
                    };
                    if let Some(payload) = found {
                        self.payload.clear();
                        self.payload.extend_from_slice(payload);
                    }
                    let is_message = found.is_some();
                    self.reader.consume(length);
                    if is_message {
                        return Ok(true);
                    }
                    continue;
                }
                Err(PcapError::Eof) => return Ok(false),
                Err(PcapError::Incomplete(_)) => Failure::NeedsBytes,
                Err(PcapError::BufferTooSmall) => Failure::NeedsRoom,
                Err(PcapError::UnexpectedEof) => Failure::CutShort,
                Err(_) => Failure::Damaged,
            };
            match self.recover(failure) {
                // The file may have ended early for that reason.
                Err(_) if self.stop.is_wanted() => break,
                recovered => recovered?,
            }
        }
        Ok(false)
    }

    /// The payload that [`Self::advance`] advanced to.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The counts of packets skipped so far.
    pub(crate) fn passed_over(&self) -> PassedOver {
        self.passed_over
    }

    /// Reads more after a record that is incomplete in the buffer, or returns why that is not possible.
    fn recover(&mut self, failure: Failure) -> Result<(), CaptureError> {
        let packet = self.packets + 1;
        let damaged = CaptureError::Damaged { path: self.path.clone(), packet, offset: self.reader.consumed() };
        match failure {
            Failure::NeedsBytes => {}
            Failure::NeedsRoom => {
                let larger = self.buffer_length * 2;
                if larger > MAX_BUFFER_LENGTH || !self.reader.grow(larger) {
                    return Err(damaged);
                }
                self.buffer_length = larger;
            }
            Failure::CutShort => return Err(CaptureError::CutShort { path: self.path.clone(), packet }),
            Failure::Damaged => return Err(damaged),
        }
        let before = self.reader.data().len();
        if self.reader.refill().is_err() {
            let source = io::Error::other("the file can be opened but not read");
            return Err(CaptureError::Io { path: self.path.clone(), source });
        }
        // The parser wants more, the file has no more, and the parser would never notice that.
        if self.reader.data().len() == before && failure == Failure::NeedsBytes && !self.reader.reader_exhausted() {
            return Err(damaged);
        }
        Ok(())
    }
}

/// Why the parser has no record. Unlike the parser's own error, it borrows nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    NeedsBytes,
    NeedsRoom,
    CutShort,
    Damaged,
}

/// The packet in a record of the file, or `None` if the record is of another kind. Keeps `links` up to date.
fn record<'a>(block: &'a PcapBlockOwned<'a>, links: &mut Vec<Linktype>) -> Option<Packet<'a>> {
    let (interface, data, captured, original) = match block {
        PcapBlockOwned::LegacyHeader(header) => {
            *links = vec![header.network];
            return None;
        }
        PcapBlockOwned::Legacy(packet) => (0, packet.data, packet.caplen, packet.origlen),
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            links.clear();
            return None;
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            links.push(interface.linktype);
            return None;
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            (packet.if_id as usize, packet.data, packet.caplen, packet.origlen)
        }
        // A simple packet does not state its captured length: its data is padded to whole words.
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let kept = u32::try_from(packet.data.len()).unwrap_or(u32::MAX).min(packet.origlen);
            (0, packet.data, kept, packet.origlen)
        }
        PcapBlockOwned::NG(_) => return None,
    };
    let bytes = data.get(..captured as usize).unwrap_or(data);
    // An interface without a description has no known link type.
    let link = links.get(interface).copied().unwrap_or(Linktype(i32::MAX));
    Some(Packet { link, bytes, is_whole: captured >= original })
}

/// A reader that fills the buffer on each read unless the file ends. The parser takes a short read for the end of the
/// header.
struct Filled<R>(R);

impl<R: Read> Read for Filled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::tests::ethernet;
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn read_all(bytes: Vec<u8>) -> Result<(Vec<Vec<u8>>, PassedOver), CaptureError> {
        let mut capture = Capture::new(Path::new("test.pcap"), Cursor::new(bytes), &Stop::default())?;
        let mut payloads = Vec::new();
        while capture.advance()? {
            payloads.push(capture.payload().to_vec());
        }
        Ok((payloads, capture.passed_over()))
    }

    /// A pcap with a header in the byte order of `word`, and one record per packet.
    fn pcap(magic: u32, word: fn(u32) -> [u8; 4], packets: &[Vec<u8>]) -> Vec<u8> {
        let mut file = Vec::new();
        for value in [magic, 0, 0, 0, 65_535, 1] {
            file.extend(word(value));
        }
        // Version 2.4 as two 16-bit numbers, in the order that the magic number announces.
        let version = if word(1) == 1_u32.to_le_bytes() { [2, 0, 4, 0] } else { [0, 2, 0, 4] };
        file[4..8].copy_from_slice(&version);
        for packet in packets {
            let length = u32::try_from(packet.len()).expect("small");
            for value in [1, 2, length, length] {
                file.extend(word(value));
            }
            file.extend(packet);
        }
        file
    }

    fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
        fn block(kind: u32, body: &[u8]) -> Vec<u8> {
            let padded = body.len().next_multiple_of(4);
            let total = u32::try_from(12 + padded).expect("small");
            let mut block = [kind.to_le_bytes(), total.to_le_bytes()].concat();
            block.extend(body);
            block.resize(8 + padded, 0);
            block.extend(total.to_le_bytes());
            block
        }
        let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        let interface = [1, 0, 0, 0, 0, 0, 0, 0];
        let mut file = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
        for packet in packets {
            let length = u32::try_from(packet.len()).expect("small").to_le_bytes();
            let body = [&[0; 12][..], &length, &length, packet].concat();
            file.extend(block(6, &body));
        }
        file
    }

    fn three() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let payloads = vec![b"first".to_vec(), Vec::new(), vec![7; 1400]];
        let packets = payloads.iter().map(|payload| ethernet(payload)).collect();
        (payloads, packets)
    }

    #[test]
    fn reads_every_flavour() {
        let (payloads, packets) = three();
        for file in [
            pcap(0xa1b2_c3d4, u32::to_le_bytes, &packets),
            pcap(0xa1b2_c3d4, u32::to_be_bytes, &packets),
            pcap(0xa1b2_3c4d, u32::to_le_bytes, &packets),
            pcap(0xa1b2_3c4d, u32::to_be_bytes, &packets),
            pcapng(&packets),
        ] {
            let (read, passed_over) = read_all(file).expect("a sound capture");
            assert_eq!(read, payloads);
            assert_eq!(passed_over, PassedOver::default());
        }
    }

    #[test]
    fn reads_a_file_longer_than_the_buffer() {
        let packets = vec![ethernet(&[9; 1000]); 1000];
        for file in [pcap(0xa1b2_c3d4, u32::to_le_bytes, &packets), pcapng(&packets)] {
            assert_eq!(read_all(file).expect("a sound capture").0.len(), 1000);
        }
    }

    #[test]
    fn reads_a_packet_longer_than_the_buffer() {
        let mut long = ethernet(b"short");
        long.resize(3 * BUFFER_LENGTH, 0);
        for file in [pcap(0xa1b2_c3d4, u32::to_le_bytes, &[long.clone()]), pcapng(&[long.clone()])] {
            assert_eq!(read_all(file).expect("a sound capture").0, [b"short"]);
        }
    }

    #[test]
    fn counts_what_a_length_limit_cut() {
        let (_, packets) = three();
        let mut file = pcap(0xa1b2_c3d4, u32::to_le_bytes, &packets[..1]);
        file[24 + 12..24 + 16].copy_from_slice(&1500_u32.to_le_bytes());
        let (read, passed_over) = read_all(file).expect("a sound capture");
        assert!(read.is_empty());
        assert_eq!(passed_over, PassedOver { cut_short: 1, ..PassedOver::default() });
        assert_eq!(passed_over.describe(), "1 cut short by the capture's length limit");
    }

    #[test]
    fn a_file_that_ends_early_says_where() {
        let (_, packets) = three();
        for mut file in [pcap(0xa1b2_c3d4, u32::to_le_bytes, &packets), pcapng(&packets)] {
            file.truncate(file.len() - 10);
            let error = read_all(file).expect_err("the third packet is not whole");
            assert!(matches!(error, CaptureError::CutShort { packet: 3, .. }), "{error:?}");
        }
    }

    #[test]
    fn a_length_beyond_reason_is_damage() {
        let (_, packets) = three();
        let mut file = pcap(0xa1b2_c3d4, u32::to_le_bytes, &packets);
        file[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        file.resize(MAX_BUFFER_LENGTH + file.len(), 0);
        let error = read_all(file).expect_err("no packet has 4 GiB");
        assert!(matches!(error, CaptureError::Damaged { packet: 1, .. }), "{error:?}");
    }

    #[test]
    fn other_files_are_no_captures() {
        for bytes in [Vec::new(), b"GET / HTTP/1.1\r\n\r\n and some more text to be sure".to_vec(), vec![0; 100]] {
            assert!(matches!(read_all(bytes), Err(CaptureError::NotACapture { .. })));
        }
    }

    proptest! {
        #[test]
        fn any_damage_ends_in_an_answer(ng: bool, damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8), cut in any::<usize>()) {
            let (_, packets) = three();
            let mut file = if ng { pcapng(&packets) } else { pcap(0xa1b2_c3d4, u32::to_le_bytes, &packets) };
            let length = file.len();
            for (at, value) in damage {
                file[at % length] = value;
            }
            file.truncate(cut % (length + 1));
            let _ = read_all(file);
        }
    }
}
