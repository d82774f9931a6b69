//! The events of the sender and the receiver, and their consequences: an event for clients, a report for operators, or
//! the end of a publication or image of which the agent had the other half.

use gannet::command::{ErrorCode, Event, OnPublicationError, Text};
use gannet::counters::{CounterLabel, Stream};
use gannet::types::RegistrationId;

use super::Network;
use crate::conductor::Core;
use crate::conductor::linking::Readable;
use crate::mailbox::{EndpointId, Holder, Loss, MAX_DESTINATIONS, MAX_RECEIVERS, ReceiverEvent, SenderEvent};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// The id that stands for no destination. Only publications with manual control have destinations that were added.
const NO_DESTINATION: RegistrationId = RegistrationId::new(-1);
const NO_TAG: i64 = -1;

impl Core {
    /// Handles an event of the sender.
    pub(in crate::conductor) fn on_sender_event(&mut self, event: SenderEvent) {
        match event {
            SenderEvent::PublicationRemoved(registration_id) => self.dismantle_publication(registration_id),
            SenderEvent::Silent(place) => self.on_silent(place),
            SenderEvent::Fault(reason) => self.report_fault(&reason),
            SenderEvent::TooManyReceivers(endpoint) => {
                let channel = self.channel_of(endpoint);
                self.report(&format!(
                    "(11) {channel}: more receivers register than the {MAX_DESTINATIONS} that one endpoint sends to, and are sent \
                     nothing; they are counted as status messages rejected. Give some of them a publication on another control address"
                ));
            }
            SenderEvent::TooManyFollowed(registration_id) => {
                let Some(publication) = self.network.publications.get(registration_id) else { return };
                let (stream, session) = (publication.made_of.stream_id, publication.made_of.session_id);
                self.report(&format!(
                    "(11) stream {stream}, session {session}: the group has more receivers than the {MAX_RECEIVERS} that flow \
                     control follows. The others do not hold the publication back, and may lose what they are too slow for; \
                     they are counted as status messages rejected. Let fc=tagged follow only some of them"
                ));
            }
            SenderEvent::Held(registration_id, holder) => self.show_holder(registration_id, holder),
            SenderEvent::ResponseSetup(request, session_id) => self.on_response_setup(request, session_id),
            SenderEvent::ResponseConnected(registration_id) => {
                let Some(publication) = self.network.publications.get_mut(registration_id) else { return };
                publication.was_heard = true;
                let request = RegistrationId::new(publication.made_of.response_correlation_id);
                self.announce_response(request, None);
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

    /// The channel with which an endpoint was created.
    fn channel_of(&self, endpoint: EndpointId) -> String {
        self.network.endpoint(endpoint).map(|found| found.channel.uri().text().to_owned()).unwrap_or_default()
    }

    /// Shows which receiver holds back a publication, if there is space for the counter.
    fn show_holder(&mut self, registration_id: RegistrationId, holder: Option<Holder>) {
        let now = self.now;
        let Some(publication) = self.network.publications.get_mut(registration_id) else { return };
        let made_of = &mut publication.made_of;
        // Without allocating, because this may happen ten times a second.
        let whom =
            holder.map(|held| CounterLabel::format(format_args!("{} receiver {}", held.address, held.receiver_id)));
        let whom = whom.as_ref().and_then(|label| std::str::from_utf8(label.as_bytes()).ok()).unwrap_or("-");
        let since = holder.map_or(0, |held| now.epoch.get() - now.monotonic.since(held.since) / NANOS_PER_MILLI);
        let held =
            Stream { registration_id, session_id: made_of.session_id, stream_id: made_of.stream_id, channel: whom };
        made_of.held_by = self.counters.show_holder(now.epoch, made_of.held_by.take(), &held, since).ok();
    }

    /// Handles an event of the receiver. The caller chooses the ids of new images.
    pub(in crate::conductor) fn on_receiver_event(&mut self, event: ReceiverEvent) {
        match event {
            ReceiverEvent::ImageRemoved(registration_id) => self.release_image(registration_id),
            ReceiverEvent::TooManySessions(endpoint) => {
                let channel = self.channel_of(endpoint);
                self.report(&format!(
                    "(11) {channel}: more sessions present themselves than are kept track of, and are not heard; they are counted as \
                     invalid packets. If they are wanted, see aeron.driver.stream.session.limit"
                ));
            }
            ReceiverEvent::Silent(place) => self.on_silent(place),
            ReceiverEvent::Loss(loss) => self.report_loss(loss),
            ReceiverEvent::Fault(reason) => self.report_fault(&reason),
            ReceiverEvent::CreateImage { .. } => {}
        }
    }

    /// Records a loss of an image in the loss report. If the report is full, only the counter of NAKs shows the loss.
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
}
