//! What becomes of network publications and images: moved on every duty cycle, judged on every timer tick, and dismantled when the
//! agent that had the other half has let go of it.

use std::collections::HashSet;

use gannet::command::{ErrorCode, Event, OnPublicationError, Text};
use gannet::counters::{CounterLabel, Stream};
use gannet::types::{CorrelationId, RegistrationId};

use super::Network;
use super::image::Image;
use crate::conductor::Core;
use crate::conductor::linking::{Linker, free_position};
use crate::mailbox::{Holder, Loss, MAX_DESTINATIONS, ReceiverCommand, ReceiverEvent, SenderCommand, SenderEvent};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// What stands for no destination: only those with manual control have any that were added.
const NO_DESTINATION: RegistrationId = RegistrationId::new(-1);
const NO_TAG: i64 = -1;

impl Core {
    /// Moves limits and cleans, for the publications and images of the network whose turn it is.
    pub(in crate::conductor) fn update_network(&mut self) -> usize {
        let (now, network) = (self.now.monotonic, &mut self.network);
        let publications = network.publications.look(now, |found| found.update(now));
        publications + network.images.look(now, Image::update)
    }

    /// Time has passed.
    pub(in crate::conductor) fn check_network(&mut self) {
        self.check_network_publications();
        self.check_images();
        self.check_names();
    }

    fn check_network_publications(&mut self) {
        let now = self.now.monotonic;
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let network = &mut self.network;
        let (mut revoked, mut unblocked) = (0, 0);
        for publication in network.publications.iter_mut() {
            let registration_id = publication.made_of.registration_id;
            linker.check_untethered(publication, &self.subscriptions);
            let tick = publication.on_tick(now);
            if tick.lose_spies {
                linker.take_from_all(publication, &self.subscriptions);
                for spy in publication.take_spies() {
                    free_position(linker.now, linker.counters, &spy);
                }
            }
            if let Some((position, is_revoked)) = tick.end {
                let end = SenderCommand::EndPublication { registration_id, position, revoked: is_revoked };
                network.to_sender.push_back(end);
                revoked += usize::from(is_revoked);
            }
            unblocked += usize::from(tick.unblocked);
            if tick.done {
                network.to_sender.push_back(SenderCommand::RemovePublication(registration_id));
            }
        }
        let done = network.publications.take(|publication| !publication.occupies_session());
        network.leaving.extend(done.into_iter().map(|publication| (publication.made_of.registration_id, publication)));
        (0..revoked).for_each(|_| self.counters.on_publication_revoked());
        (0..unblocked).for_each(|_| self.counters.on_unblocked_publication());
    }

    fn check_images(&mut self) {
        let mut done = HashSet::new();
        for index in 0..self.network.images.len() {
            self.check_untethered_of_image(index);
            let image = &mut self.network.images[index];
            let tick = image.on_tick(self.now.monotonic);
            let registration_id = image.made_of.registration_id;
            if tick.leave {
                self.network.to_receiver.push_back(ReceiverCommand::LeaveImage(registration_id));
            }
            if tick.gone {
                self.take_network_image_from_all(index);
                let made_of = &self.network.images[index].made_of;
                let (endpoint, stream_id, session_id) = (made_of.endpoint, made_of.stream_id, made_of.session_id);
                let rejoin = made_of.rejoin;
                self.network.to_receiver.push_back(ReceiverCommand::RemoveImage(registration_id));
                if rejoin {
                    let again = ReceiverCommand::EndCoolDown(endpoint, stream_id, session_id);
                    self.network.to_receiver.push_back(again);
                }
            }
            if tick.done {
                done.insert(registration_id);
            }
        }
        let done = self.network.images.take(|image| done.contains(&image.made_of.registration_id));
        self.network.vanishing.extend(done);
        self.dismantle_images();
    }

    /// The sender has said something.
    pub(in crate::conductor) fn on_sender_event(&mut self, event: SenderEvent) {
        match event {
            SenderEvent::PublicationRemoved(registration_id) => {
                if let Some(publication) = self.network.leaving.remove(&registration_id) {
                    let made_of = publication.made_of;
                    let held_by = made_of.held_by.map(|counter| counter.id);
                    for id in made_of.others.into_iter().chain(held_by).chain([made_of.limit.id, made_of.position.id]) {
                        self.counters.free(self.now.epoch, id);
                    }
                    self.give_up_log(registration_id, made_of.log_path, made_of.log);
                    self.close_endpoint_if_unused(made_of.endpoint);
                }
            }
            SenderEvent::Silent(place) => self.on_silent(place),
            SenderEvent::Fault(reason) => self.report_fault(&reason),
            SenderEvent::TooManyReceivers(endpoint) => {
                let channel = self.network.endpoint(endpoint).map(|found| found.channel.uri().text().to_owned());
                self.report(&format!(
                    "(11) {}: more receivers register than the {MAX_DESTINATIONS} that one endpoint sends to, and are sent nothing; \
                     they are counted as status messages rejected. Give some of them a publication on another control address",
                    channel.unwrap_or_default()
                ));
            }
            SenderEvent::Held(registration_id, holder) => self.show_holder(registration_id, holder),
            SenderEvent::ResponseSetup(request, session_id) => self.on_response_setup(request, session_id),
            SenderEvent::ResponseConnected(registration_id) => {
                let publication = self.network.publications.get(registration_id);
                if let Some(request) = publication.map(|found| found.made_of.response_correlation_id) {
                    self.tell_response_session(request, None);
                }
            }
            SenderEvent::Rejected {
                registration_id,
                destination,
                source,
                receiver_id,
                group_tag,
                error_code,
                text,
            } => {
                let Some(publication) = self.network.publications.get_mut(registration_id) else { return };
                let event = OnPublicationError {
                    registration_id,
                    destination_registration_id: destination.unwrap_or(NO_DESTINATION),
                    session_id: publication.made_of.session_id,
                    stream_id: publication.made_of.stream_id,
                    receiver_id,
                    group_tag: group_tag.unwrap_or(NO_TAG),
                    source: Some(source),
                    error_code: ErrorCode::new(error_code),
                    message: Text::new(&text),
                };
                self.events.send(&Event::PublicationError(event));
                let reason = String::from_utf8_lossy(&text);
                let text = publication.rejections.tell(format!(
                    "(13) onPublicationError: registrationId={registration_id} source={source} receiverId={receiver_id} \
                     reason={reason}"
                ));
                self.reporter.record(self.now.epoch, &self.counters, text);
            }
        }
    }

    /// Shows whose window a publication waits for. Where there is no room for one more counter, that is not shown.
    fn show_holder(&mut self, registration_id: RegistrationId, holder: Option<Holder>) {
        let now = self.now;
        let Some(publication) = self.network.publications.get_mut(registration_id) else { return };
        let made_of = &mut publication.made_of;
        // Without asking for memory: it may be said ten times a second.
        let whom =
            holder.map(|held| CounterLabel::format(format_args!("{} receiver {}", held.address, held.receiver_id)));
        let whom = whom.as_ref().and_then(|label| std::str::from_utf8(label.as_bytes()).ok()).unwrap_or("-");
        let since = holder.map_or(0, |held| now.epoch.get() - now.monotonic.since(held.since) / NANOS_PER_MILLI);
        let held =
            Stream { registration_id, session_id: made_of.session_id, stream_id: made_of.stream_id, channel: whom };
        made_of.held_by = self.counters.show_holder(now.epoch, made_of.held_by.take(), &held, since).ok();
    }

    /// The receiver has said something. Sessions that present themselves are the caller's to name.
    pub(in crate::conductor) fn on_receiver_event(&mut self, event: ReceiverEvent) {
        match event {
            ReceiverEvent::ImageRemoved(registration_id) => {
                let Network { images, vanishing, .. } = &mut self.network;
                let mut vanishing = vanishing.iter_mut();
                let image = images.get_mut(registration_id);
                let image = image.or_else(|| vanishing.find(|image| image.made_of.registration_id == registration_id));
                if let Some(image) = image {
                    image.is_released = true;
                }
                self.dismantle_images();
            }
            ReceiverEvent::TooManySessions(endpoint) => {
                let channel = self.network.endpoint(endpoint).map(|found| found.channel.uri().text().to_owned());
                self.report(&format!(
                    "(11) {}: more sessions present themselves than are kept track of, and are not heard; they are counted as \
                     invalid packets. If they are wanted, see aeron.driver.stream.session.limit",
                    channel.unwrap_or_default()
                ));
            }
            ReceiverEvent::Silent(place) => self.on_silent(place),
            ReceiverEvent::Loss(loss) => self.report_loss(loss),
            ReceiverEvent::Fault(reason) => self.report_fault(&reason),
            ReceiverEvent::CreateImage { .. } => {}
        }
    }

    /// An image has missed something: its entry in the loss report says so. Without room for one, only its NAKs do.
    fn report_loss(&mut self, loss: Loss) {
        let (now, bytes_lost) = (self.now.epoch, i64::from(loss.length));
        let Network { images, losses, .. } = &mut self.network;
        let Some(image) = images.get_mut(loss.registration_id) else { return };
        if let Some(entry) = &image.losses {
            entry.record(now, bytes_lost);
            return;
        }
        let subscriber = image.subscribers().iter().next().map(|subscriber| subscriber.link);
        let channel = subscriber.and_then(|link| self.subscriptions.get(link)).map_or("", |link| &link.channel);
        let stream = (image.made_of.session_id, image.made_of.stream_id);
        let source = image.made_of.source.to_string();
        image.losses = losses.create_entry(now, bytes_lost, stream, channel, &source);
    }

    /// Frees what belongs to images that are at their end and that the receiver has let go of.
    fn dismantle_images(&mut self) {
        let gone: Vec<_> = self.network.vanishing.extract_if(.., |image| image.is_released).collect();
        for mut image in gone {
            for subscriber in image.take_subscribers() {
                free_position(self.now, &mut self.counters, &subscriber);
            }
            let made_of = image.made_of;
            for id in made_of.counters {
                self.counters.free(self.now.epoch, id);
            }
            self.give_up_log(made_of.registration_id, made_of.log_path, made_of.log);
            self.close_endpoint_if_unused(made_of.endpoint);
        }
    }

    /// A subscriber rejects an image of the network. Whether there is one with this id.
    pub(in crate::conductor) fn reject_network_image(&mut self, image: CorrelationId, reason: &[u8]) -> bool {
        let registration_id = image.registration();
        let is_there = self.network.images.get(registration_id).is_some();
        if is_there {
            self.network.to_receiver.push_back(ReceiverCommand::RejectImage(registration_id, reason.into()));
        }
        is_there
    }
}
