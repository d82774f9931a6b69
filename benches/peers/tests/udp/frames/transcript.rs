//! What drivers tell each other, written down in words: one line for each frame, without what differs from run to run.

use crate::hosts::wait_for;
use crate::relay::Tap;
use std::sync::{Arc, Mutex};

/// From the sender to the receiver.
pub(super) const FORTH: usize = 0;
/// From the receiver to the sender.
pub(super) const BACK: usize = 1;
/// How the heartbeat of a stream that goes on begins.
const HEARTBEAT: &str = "DATA c0 0 ";
/// Between a frame and the position that it is about.
const AT: &str = " at ";

/// The frames heard each way.
#[derive(Clone, Default)]
pub(super) struct Transcript(Arc<Mutex<[Vec<String>; 2]>>);

impl Transcript {
    /// Writes down everything that goes this way.
    pub(super) fn tap(&self, way: usize) -> impl Tap + use<> {
        let transcript = self.clone();
        move |datagram: &[u8]| {
            transcript.hear(way, datagram);
            false
        }
    }

    /// The same for the way forth, except that the first message at this place does not arrive.
    pub(super) fn tap_without(&self, lost: Option<String>) -> impl Tap + use<> {
        let (transcript, mut lost) = (self.clone(), lost.map(|place| format!("{AT}{place}")));
        move |datagram: &[u8]| {
            let is_data = |frame: &String| frame.starts_with("DATA") && !frame.starts_with(HEARTBEAT);
            let is_it = |frame: &String| lost.as_ref().is_some_and(|lost| is_data(frame) && frame.ends_with(lost));
            let takes = frames(datagram).iter().any(is_it);
            if takes {
                lost = None;
            } else {
                transcript.hear(FORTH, datagram);
            }
            takes
        }
    }

    fn hear(&self, way: usize, datagram: &[u8]) {
        self.0.lock().expect("nobody panics with it")[way].extend(frames(datagram));
    }

    /// Everything heard so far.
    pub(super) fn heard(&self) -> [Vec<String>; 2] {
        self.0.lock().expect("nobody panics with it").clone()
    }

    fn count(&self, way: usize, frame: &str) -> usize {
        let heard = self.0.lock().expect("nobody panics with it");
        heard[way].iter().filter(|heard| heard.starts_with(frame)).count()
    }

    /// Waits for a frame that begins so.
    pub(super) fn wait_for(&self, way: usize, frame: &str) {
        wait_for(frame, || self.count(way, frame) > 0);
    }

    /// Waits until a frame that begins so was heard several times from now on.
    pub(super) fn wait_for_more(&self, way: usize, frame: &str) {
        let before = self.count(way, frame);
        wait_for(&format!("more of {frame}"), || self.count(way, frame) >= before + 3);
    }

    /// The frames up to those that begin so, once they were sent. Of equal ones only the first, and without the
    /// positions of receivers.
    pub(super) fn until(&self, last: [&str; 2]) -> [Vec<String>; 2] {
        self.wait_for(FORTH, last[FORTH]);
        self.wait_for(BACK, last[BACK]);
        let [mut forth, mut back] = self.heard();
        for (frames, last) in [(&mut forth, last[FORTH]), (&mut back, last[BACK])] {
            let end = frames.iter().position(|frame| frame.starts_with(last)).expect("it was waited for");
            frames.truncate(end + 1);
        }
        // A busy machine makes more of them, and each that should be there was waited for.
        forth.retain(|frame| !frame.starts_with(HEARTBEAT));
        back.iter_mut().filter(|frame| frame.starts_with("SM")).for_each(|frame| {
            frame.truncate(frame.find(AT).expect("each has its position"));
        });
        [forth, back].map(first_of_equals)
    }
}

fn first_of_equals(frames: Vec<String>) -> Vec<String> {
    let mut firsts = Vec::new();
    for frame in frames {
        if !firsts.contains(&frame) {
            firsts.push(frame);
        }
    }
    firsts
}

/// The frames of a datagram, in words.
fn frames(datagram: &[u8]) -> Vec<String> {
    let word = |at: usize| datagram.get(at..at + 4).map_or(-1, |bytes| i32::from_le_bytes(bytes.try_into().unwrap()));
    let (mut found, mut at) = (Vec::new(), 0);
    while at + 8 <= datagram.len() {
        let (length, flags) = (word(at), datagram[at + 5]);
        let kind = u16::from_le_bytes([datagram[at + 6], datagram[at + 7]]);
        let head = format!("{flags:02x} {length}");
        match kind {
            0 | 1 => {
                let name = if kind == 0 { "PAD" } else { "DATA" };
                found.push(format!("{name} {head}{AT}{}:{}", word(at + 20), word(at + 8)));
                if kind == 1 && length > 0 {
                    at += (length as usize).next_multiple_of(32);
                    continue;
                }
            }
            2 => found.push(format!("NAK {head} for {}{AT}{}:{}", word(at + 24), word(at + 16), word(at + 20))),
            3 => {
                let of = format!("{}:{}", word(at + 8), word(at + 12));
                let place = format!("{}:{}", word(at + 16), word(at + 20));
                found.push(format!("SM {head} of {of} window {}{AT}{place}", word(at + 24)));
            }
            4 => {
                let text = String::from_utf8_lossy(&datagram[(at + 40).min(datagram.len())..]);
                found.push(format!("ERR {head} code {} {text}", word(at + 32)));
            }
            5 => {
                let terms = format!("{} {}:{}", word(at + 20), word(at + 24), word(at + 8));
                found.push(format!(
                    "SETUP {head} terms {terms} of {}, {} {}",
                    word(at + 28),
                    word(at + 32),
                    word(at + 36)
                ));
            }
            _ => found.push(format!("type {kind:x} {head}")),
        }
        break;
    }
    found
}
