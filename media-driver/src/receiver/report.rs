//! The frames that images send, and where they wait for space in the transport's batch.

use std::collections::VecDeque;
use std::net::SocketAddr;

use gannet::protocol::{ErrorFrame, Nak, ResponseSetup, RttMeasurement, StatusMessage};

use crate::mailbox::{Content, EndpointId, InlineFrame, Transmit, TransmitBatch, TransmitTag};

/// The maximum number of frames that wait for space in the batch. Further ones are not sent.
pub(super) const MAX_REPLIES: usize = 1024;

/// A frame that an image sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report<'a> {
    /// Its position and window.
    Status(StatusMessage),
    /// A gap.
    Nak(Nak),
    /// A round-trip request or response.
    Rtt(RttMeasurement),
    /// That it was rejected.
    Error(ErrorFrame<'a>),
    /// The session that responds to the request that is this image.
    Response(ResponseSetup),
}

/// The way of an image's frames. `Replies` is the receiver's.
pub trait ReportOutlet {
    /// Takes a frame for this address, through that socket. A frame without space is not sent; it is sent again in
    /// time.
    fn put(&mut self, transport: EndpointId, to: SocketAddr, report: &Report<'_>);
}

/// The frames of all images that wait for space in the batch.
#[derive(Debug)]
pub(super) struct Replies(VecDeque<Transmit>);

impl Replies {
    /// No frames, and space for the maximum number.
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(MAX_REPLIES))
    }

    /// The number of waiting frames.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no frame waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves frames to the batch, as far as it has space.
    #[inline(never)]
    pub(super) fn hand_out(&mut self, out: &mut TransmitBatch) {
        while out.room() > 0
            && let Some(reply) = self.0.pop_front()
        {
            out.push(reply);
        }
    }
}

impl ReportOutlet for Replies {
    fn put(&mut self, transport: EndpointId, to: SocketAddr, report: &Report<'_>) {
        if self.0.len() >= MAX_REPLIES {
            return;
        }
        let content = match report {
            Report::Status(message) => Content::Frame(InlineFrame::new(|bytes| message.write(bytes))),
            Report::Nak(nak) => Content::Frame(InlineFrame::new(|bytes| nak.write(bytes))),
            Report::Rtt(measurement) => Content::Frame(InlineFrame::new(|bytes| measurement.write(bytes))),
            Report::Response(setup) => Content::Frame(InlineFrame::new(|bytes| setup.write(bytes))),
            Report::Error(error) => {
                let mut bytes = vec![0; ErrorFrame::MAX_LENGTH];
                let length = error.write(&mut bytes);
                bytes.truncate(length);
                Content::Long(bytes.into())
            }
        };
        self.0.push_back(Transmit { endpoint: transport, to, content, tag: TransmitTag::Control });
    }
}
