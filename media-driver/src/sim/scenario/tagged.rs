//! Makes a group of a stream's receivers: the sender waits for those with the group's tag, and for nobody else. The others
//! may fall behind and lose their images. Some of them read seldom, or never.

use fastrand::Rng;

use super::plan::{CLIENTS, HostPlan, Place, StreamPlan, Subscriber};

/// The maximum time between two reads of a receiver that reads seldom, in nanoseconds.
const SELDOM_NS: i64 = 10_000_000_000;

/// Tags the receivers of a stream with a group, and adds some without its tag.
pub(super) fn tag(stream: &mut StreamPlan, hosts: &[HostPlan], random: &mut Rng) {
    stream.publication = stream.publication.replace("fc=min,g:/", "fc=tagged,g:77/");
    let known = stream.subscribers[0].clone();
    let is_free = |host: &usize| stream.subscribers.iter().all(|subscriber| subscriber.place.host != *host);
    let free: Vec<_> = (0..hosts.len()).filter(is_free).collect();
    stream.subscribers.iter_mut().for_each(|subscriber| subscriber.channel.push_str("|gtag=77"));
    for host in free {
        if random.u8(..) < 64 {
            continue;
        }
        let move_to = |channel: &str| {
            // A group's address stays, and the first address of other channels is the receiver's own.
            channel.replacen(&hosts[known.place.host].address.to_string(), &hosts[host].address.to_string(), 1)
        };
        let mut other = Subscriber::new(Place { host, client: random.usize(..CLIENTS) }, move_to(&known.channel));
        if random.bool() {
            other.channel.push_str("|gtag=78");
        }
        other.may_be_outrun = true;
        other.is_late = !stream.leaves_early && random.u8(..) < 64;
        other.pause_ns = match random.u8(..3) {
            0 => 0,
            1 => random.i64(0..SELDOM_NS),
            _ => i64::MAX,
        };
        if let Some(destination) = stream.destinations.first() {
            stream.destinations.push(move_to(destination));
        }
        stream.subscribers.push(other);
    }
}
