//! The life of network publications and images: updated in duty cycles, checked on every timer tick, and freed when the
//! agent with the other half has released it.

use std::collections::HashSet;

use gannet::types::{CorrelationId, RegistrationId};

use super::Network;
use super::image::Image;
use crate::conductor::Core;
use crate::conductor::linking::{Linker, free_position};
use crate::mailbox::{ReceiverCommand, SenderCommand};

impl Core {
    /// Updates limits and cleans the logs of the network publications and images whose turn it is.
    pub(in crate::conductor) fn update_network(&mut self) -> usize {
        let (now, network) = (self.now.monotonic, &mut self.network);
        let publications = network.publications.look(now, |found| found.update(now));
        publications + network.images.look(now, Image::update)
    }

    /// Handles a timer tick.
    pub(in crate::conductor) fn check_network(&mut self) {
        self.check_network_publications();
        self.check_responses();
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
            let tick = publication.on_tick(now, self.now.attended);
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

    /// Frees the resources of a publication that the sender has released.
    pub(super) fn dismantle_publication(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.network.leaving.remove(&registration_id) else { return };
        let made_of = publication.made_of;
        let held_by = made_of.held_by.map(|counter| counter.id);
        for id in made_of.others.into_iter().chain(held_by).chain([made_of.limit.id, made_of.position.id]) {
            self.counters.free(self.now.epoch, id);
        }
        self.give_up_log(registration_id, made_of.log_path, made_of.log);
        self.close_endpoint_if_unused(made_of.endpoint);
    }

    /// Handles an image that the receiver has released.
    pub(super) fn release_image(&mut self, registration_id: RegistrationId) {
        let Network { images, vanishing, .. } = &mut self.network;
        let mut vanishing = vanishing.iter_mut();
        let image = images.get_mut(registration_id);
        let image = image.or_else(|| vanishing.find(|image| image.made_of.registration_id == registration_id));
        if let Some(image) = image {
            image.is_released = true;
        }
        self.dismantle_images();
    }

    /// Frees the resources of images that have ended and that the receiver has released.
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

    /// Rejects a network image. Returns whether there is one with this id.
    pub(in crate::conductor) fn reject_network_image(&mut self, image: CorrelationId, reason: &[u8]) -> bool {
        let registration_id = image.registration();
        let is_there = self.network.images.get(registration_id).is_some();
        if is_there {
            self.network.to_receiver.push_back(ReceiverCommand::RejectImage(registration_id, reason.into()));
        }
        is_there
    }
}
