//! Makes the publications of a run concurrent: several clients, or several handles of one client, publish into one log.
//! Some claim space and die, so that the driver has to unblock the stream.

use fastrand::Rng;

use super::plan::{CLIENTS, HolderPlan, Place, PublisherPlan, StreamPlan};

/// The maximum number of handles of one publication.
const MOST_HOLDERS: usize = 3;
/// The range of the time after which the driver unblocks a stream, in nanoseconds: so short that several in a row do not
/// count as a stream that stopped.
const UNBLOCK_NS: std::ops::Range<i64> = 100_000_000..400_000_000;

/// Draws the holders of all publications. Returns the time after which drivers unblock a stream, in nanoseconds.
pub(super) fn share(streams: &mut [StreamPlan], random: &mut Rng) -> i64 {
    for stream in streams {
        stream.is_shared = true;
        stream.abandons = random.bool();
        merge(&mut stream.publishers);
        for publisher in &mut stream.publishers {
            let host = publisher.place().host;
            let missing = random.usize(2..=MOST_HOLDERS).saturating_sub(publisher.holders.len());
            for _ in 0..missing {
                // One that joins late must not find that all others have left.
                publisher.holders.push(HolderPlan {
                    place: Place { host, client: random.usize(..CLIENTS) },
                    leaves_early: stream.leaves_early || random.bool(),
                    is_late: !stream.leaves_early && random.u8(..) < 64,
                });
            }
        }
    }
    random.i64(UNBLOCK_NS)
}

/// Publishers of a stream on one host share its log.
fn merge(publishers: &mut Vec<PublisherPlan>) {
    let mut merged: Vec<PublisherPlan> = Vec::new();
    for publisher in publishers.drain(..) {
        match merged.iter_mut().find(|one| one.place().host == publisher.place().host) {
            Some(one) => one.holders.extend(publisher.holders),
            None => merged.push(publisher),
        }
    }
    *publishers = merged;
}
