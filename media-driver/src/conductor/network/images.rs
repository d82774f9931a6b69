//! Images of streams from the network: made when a setup of a wanted session arrives, linked to the subscriptions that
//! want them, and removed. Clients rely on the order of the steps, as in `linking`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use gannet::channel_uri::CongestionControl;
use gannet::counters::Stream;
use gannet::logbuffer::{FRAME_HEADER_LENGTH, LogBuffers, LogLayout};
use gannet::protocol::Setup;
use gannet::types::{Position, RegistrationId, TermLength};

use super::Network;
use super::image::{Image, NewImageHalf};
use crate::conductor::Core;
use crate::conductor::counters::ImageStreamCounters;
use crate::conductor::error::CommandError;
use crate::conductor::linking::{Linker, Readable, free_position};
use crate::conductor::log_requests::{ImageLog, StatedBuffers};
use crate::conductor::subscription_link::{NetworkLink, SubscriptionLink};
use crate::conductor::subscriptions::{SubscriptionRegistry, streams_of};
use crate::mailbox::{EndpointId, ImageCounters, NewImage, ReceiverCommand};
use crate::shared::{ImageWords, LinkId};

/// The maximum number of image logs that are being created. Further sessions are dropped and return with their next
/// setup.
pub(super) const MAX_COMING: usize = 8;

/// An image whose log is being created.
#[derive(Debug)]
pub(super) struct PendingImage {
    pub(super) registration_id: RegistrationId,
    pub(super) endpoint: EndpointId,
    transport: EndpointId,
    setup: Setup,
    join_position: Position,
    source: SocketAddr,
    control: SocketAddr,
    path: PathBuf,
}

/// A session that has sent a setup.
#[derive(Clone, Copy, Debug)]
pub(in crate::conductor) struct NewSession {
    pub(in crate::conductor) endpoint: EndpointId,
    pub(in crate::conductor) transport: EndpointId,
    pub(in crate::conductor) setup: Setup,
    pub(in crate::conductor) source: SocketAddr,
    pub(in crate::conductor) control: SocketAddr,
}

impl Core {
    /// Creates an image of a session for the receiver, with the given registration id. Without one, the session is
    /// dropped and may return.
    pub(in crate::conductor) fn create_image(&mut self, registration_id: Option<RegistrationId>, new: &NewSession) {
        let (stream_id, session_id) = (new.setup.stream_id, new.setup.session_id);
        let begun = registration_id.map_or(Err(None), |registration_id| self.begin_image(registration_id, new));
        if let Err(error) = begun {
            if let Some(error) = error {
                self.report_refusal(new.endpoint, &new.setup, new.source, &error);
            }
            let refuse = ReceiverCommand::RefuseImage(new.endpoint, stream_id, session_id);
            self.network.to_receiver.push_back(refuse);
        }
    }

    /// Reports why a session gets no image.
    fn report_refusal(&mut self, endpoint: EndpointId, setup: &Setup, source: SocketAddr, error: &CommandError) {
        let Setup { stream_id, session_id, .. } = setup;
        let describe = || format!("no image of session {session_id} of stream {stream_id} from {source}");
        if let Some(text) = self.network.refusals.tell(self.now.monotonic, endpoint, error, describe) {
            self.reporter.record(self.now.epoch, &self.counters, text);
        }
    }

    /// Checks the session and requests a log. A session that no subscription wants is not reported.
    fn begin_image(&mut self, registration_id: RegistrationId, new: &NewSession) -> Result<(), Option<CommandError>> {
        if self.network.coming.len() >= MAX_COMING {
            return Err(None);
        }
        let Some(endpoint) = self.network.endpoint(new.endpoint) else { return Err(None) };
        let buffers = StatedBuffers::of(&endpoint.channel);
        let is_group = endpoint.is_multicast(new.transport) || new.setup.group;
        if self.network.has_image(new.endpoint, &new.setup) {
            return Err(None);
        }
        self.check_room_for_log("publications and images")?;
        let Some((link, NetworkLink { subscription, sparse, untethered, .. })) =
            first_link(&self.subscriptions, new.endpoint, &new.setup)
        else {
            return Err(None);
        };
        let Some(join_position) = new.setup.position() else { return Err(None) };
        // Trap 62. A frame that is not longer than a header has no payload.
        if new.setup.mtu > subscription.window || new.setup.mtu <= FRAME_HEADER_LENGTH as i32 {
            return Err(Some(CommandError::ImageMtu { mtu: new.setup.mtu, window: subscription.window }));
        }
        let (capacity, page_size) = (self.config.capacity.image_bytes, self.config.logs.page_size);
        if self.network.image_bytes(page_size) + log_bytes(new.setup.term_length, page_size) > capacity {
            let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
            return Err(Some(CommandError::Full { what: "bytes of images (gannet.max.image.bytes)", capacity }));
        }
        if !self.network.refusals.may_try(self.now.monotonic, new.setup.term_length) {
            return Err(None);
        }
        let request = self.config.logs.of_image(&ImageLog {
            registration_id,
            setup: &new.setup,
            join_position,
            window: subscription.window,
            group: subscription.is_group(is_group),
            buffers,
            rejoin: link.rejoin,
            tether: link.tether,
            reliable: subscription.reliable,
            sparse,
            untethered,
        });
        let path = request.path.clone();
        self.logs.create_for_image(request);
        self.network.coming.push(PendingImage {
            registration_id,
            endpoint: new.endpoint,
            transport: new.transport,
            setup: new.setup,
            join_position,
            source: new.source,
            control: new.control,
            path,
        });
        Ok(())
    }

    /// Handles the log of an image, if it is still needed.
    pub(in crate::conductor) fn on_image_log(&mut self, registration_id: RegistrationId, log: LogBuffers) {
        let Some(index) = self.network.coming.iter().position(|image| image.registration_id == registration_id) else {
            return;
        };
        let coming = self.network.coming.remove(index);
        if let Err(error) = self.finish_image(&coming, &log) {
            // Neither the subscriber that left meanwhile nor the sender did anything wrong.
            if !matches!(error, CommandError::UnwantedImage) {
                self.report_refusal(coming.endpoint, &coming.setup, coming.source, &error);
            }
            self.give_up_log(registration_id, coming.path.clone(), log);
            self.refuse_image(&coming);
        }
    }

    /// Handles a failure to create the log of an image.
    pub(in crate::conductor) fn on_no_image_log(&mut self, registration_id: RegistrationId, error: &CommandError) {
        let Some(index) = self.network.coming.iter().position(|image| image.registration_id == registration_id) else {
            return;
        };
        let coming = self.network.coming.remove(index);
        self.network.refusals.on_no_log(self.now.monotonic, coming.setup.term_length);
        self.report_refusal(coming.endpoint, &coming.setup, coming.source, error);
        self.refuse_image(&coming);
    }

    fn refuse_image(&mut self, coming: &PendingImage) {
        let setup = &coming.setup;
        let refuse = ReceiverCommand::RefuseImage(coming.endpoint, setup.stream_id, setup.session_id);
        self.network.to_receiver.push_back(refuse);
        self.close_endpoint_if_unused(coming.endpoint);
    }

    /// Creates and announces the image for a log. An error leaves nothing behind but the log.
    fn finish_image(&mut self, coming: &PendingImage, log: &LogBuffers) -> Result<(), CommandError> {
        let now = self.now;
        let setup = coming.setup;
        // The subscriptions that wanted it may have been removed meanwhile.
        let Some((link, NetworkLink { subscription, untethered, .. })) =
            first_link(&self.subscriptions, coming.endpoint, &setup)
        else {
            return Err(CommandError::UnwantedImage);
        };
        let Some(endpoint) = self.network.endpoint(coming.endpoint) else { return Err(CommandError::UnwantedImage) };
        let (multicast, receiver_id) = (endpoint.is_multicast(coming.transport), endpoint.receiver_id);
        // Status messages and NAKs have the TTL of the subscription's own channel.
        if multicast && endpoint.ttl(coming.transport) < setup.ttl {
            self.counters.on_ttl_asymmetry();
        }
        let rejoin = link.rejoin;
        let has_cubic = subscription.congestion_control == CongestionControl::Cubic;
        let ImageStreamCounters { highest, position, naks_sent, cubic } = self.counters.allocate_for_image(
            now.epoch,
            &Stream {
                registration_id: coming.registration_id,
                session_id: setup.session_id,
                stream_id: setup.stream_id,
                channel: &link.channel,
            },
            link.client_id,
            coming.join_position,
            has_cubic,
        )?;
        let ids = [&highest, &position, &naks_sent].into_iter().chain(cubic.iter().flatten());
        let ids = ids.map(|counter| counter.id).collect();
        let words = ImageWords::new(coming.join_position.get());
        let image = Image::new(
            NewImageHalf {
                registration_id: coming.registration_id,
                session_id: setup.session_id,
                stream_id: setup.stream_id,
                endpoint: coming.endpoint,
                source: coming.source,
                join_position: coming.join_position,
                window: subscription.window.min(setup.term_length.get() / 2),
                rejoin,
                asks_for_response: setup.asks_for_response,
                liveness_timeout_ns: self.config.image_liveness_timeout_ns,
                status_message_timeout_ns: self.config.network.status_message_timeout_ns,
                untethered,
                log: log.clone(),
                log_path: coming.path.clone(),
                words: words.clone(),
                counters: ids,
            },
            now.monotonic,
        );
        let new = NewImage {
            registration_id: coming.registration_id,
            session_id: setup.session_id,
            stream_id: setup.stream_id,
            log: log.clone(),
            join_position: coming.join_position,
            congestion_control: subscription.congestion_rules(&self.config.network),
            loss: subscription.loss_rules(multicast || setup.group, &self.config.network),
            transport: coming.transport,
            control_address: coming.control,
            receiver_id,
            group_tag: subscription.group_tag,
            liveness_timeout_ns: self.config.image_liveness_timeout_ns,
            status_message_timeout_ns: self.config.network.status_message_timeout_ns,
            words,
            counters: ImageCounters {
                highest: highest.value,
                position: position.value,
                naks_sent: naks_sent.value,
                cubic: cubic.map(|counters| counters.map(|counter| counter.value)),
            },
        };
        self.network.images.push(image);
        self.link_image(coming.registration_id);
        self.network.to_receiver.push_back(ReceiverCommand::AddImage(coming.endpoint, Box::new(new)));
        Ok(())
    }

    /// Links the new image with all subscriptions that want it.
    fn link_image(&mut self, registration_id: RegistrationId) {
        let Some(image) = self.network.images.get_mut(registration_id) else { return };
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let linked = linker.link_all(image, &self.subscriptions);
        self.report_unlinked(linked);
    }

    /// Links a new subscription with the images that it wants.
    pub(super) fn link_network_subscription(&mut self, link: LinkId) {
        let Some(link) = self.subscriptions.get(link) else { return };
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let linked = linker.link_stream(&mut self.network.images, link);
        self.report_unlinked(linked);
    }

    /// Tells all subscribers that the image is gone.
    pub(super) fn take_network_image_from_all(&mut self, index: usize) {
        Linker { now: self.now, counters: &mut self.counters, events: &mut self.events }
            .take_from_all(&self.network.images[index], &self.subscriptions);
    }

    /// Executes the steps that are due for untethered subscribers of the image at this index.
    pub(super) fn check_untethered_of_image(&mut self, index: usize) {
        Linker { now: self.now, counters: &mut self.counters, events: &mut self.events }
            .check_untethered(&mut self.network.images[index], &self.subscriptions);
    }

    /// Removes images from the links.
    pub(in crate::conductor) fn unlink_images(&mut self, links: &[SubscriptionLink]) {
        let ids = links.iter().map(|link| link.id).collect();
        let mut gone = Vec::new();
        for stream_id in streams_of(links) {
            self.network.images.change_of_stream(stream_id, |image| gone.extend(image.remove_subscribers(&ids)));
            self.network.publications.change_of_stream(stream_id, |found| gone.extend(found.remove_spies(&ids)));
        }
        gone.extend(self.network.vanishing.iter_mut().flat_map(|image| image.remove_subscribers(&ids)));
        gone.extend(self.network.leaving.values_mut().flat_map(|found| found.remove_spies(&ids)));
        for subscriber in gone {
            free_position(self.now, &mut self.counters, &subscriber);
        }
        let mut endpoints = BTreeSet::new();
        for link in links {
            let Some(network) = link.network() else { continue };
            if !self.is_stream_wanted(network.endpoint, link.stream_id, link.session) {
                let loses = link.session.loses(network.endpoint, link.stream_id);
                self.network.to_receiver.extend(loses);
            }
            endpoints.insert(network.endpoint);
        }
        // Each once, because looking for other users looks at all publications and images.
        endpoints.into_iter().for_each(|endpoint| self.close_endpoint_if_unused(endpoint));
    }
}

/// The length of an image's log with this term length in bytes.
fn log_bytes(term_length: TermLength, page_size: i32) -> u64 {
    LogLayout { term_length, page_size }.file_length() as u64
}

impl Network {
    /// Whether a session has an image with subscribers, or is getting one. The receiver drops sessions that are not
    /// wanted for a moment, and they then return.
    fn has_image(&self, endpoint: EndpointId, setup: &Setup) -> bool {
        let key = (endpoint, setup.stream_id, setup.session_id);
        let coming = self.coming.iter().map(|image| (image.endpoint, image.setup.stream_id, image.setup.session_id));
        let mut read = self.images.of_session(setup.stream_id, setup.session_id);
        coming.into_iter().any(|other| other == key)
            || read.any(|image| image.admits_subscribers() && image.made_of.endpoint == endpoint)
    }

    /// The total length of all image logs in bytes, including those that are being created or deleted.
    fn image_bytes(&self, page_size: i32) -> u64 {
        let images = self.images.iter().chain(&self.vanishing).map(|image| image.made_of.log.term_length());
        let all = images.chain(self.coming.iter().map(|image| image.setup.term_length));
        all.map(|term_length| log_bytes(term_length, page_size)).sum()
    }
}

/// The first subscription that wants the session, and its channel's parameters.
fn first_link<'a>(
    subscriptions: &'a SubscriptionRegistry,
    endpoint: EndpointId,
    setup: &Setup,
) -> Option<(&'a SubscriptionLink, NetworkLink)> {
    let link = subscriptions
        .of_endpoint(endpoint, setup.stream_id)
        .find(|link| link.wants_image(endpoint, setup.stream_id, setup.session_id))?;
    Some((link, link.network()?))
}
