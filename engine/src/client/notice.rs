//! Messages from the conductor to the application's handlers, as data. The conductor makes them under its lock. The
//! thread that ran the conductor hands them over outside the lock, so a handler may call the client.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{Handler, Handlers};
use super::error::ClientError;
use super::event::{ClientEvent, CounterEvent, PublicationErrorFrame};
use super::image_info::ImageInfo;

/// An image handler of a subscription.
pub(super) type ImageHandler = Arc<Mutex<Box<dyn FnMut(&ImageInfo) + Send>>>;

/// A call of a handler.
pub(super) enum Notice {
    AvailableImage(Option<ImageHandler>, ImageInfo),
    UnavailableImage(Option<ImageHandler>, ImageInfo),
    AvailableCounter(CounterEvent),
    UnavailableCounter(CounterEvent),
    PublicationError(PublicationErrorFrame),
    Event(ClientEvent),
    Error(ClientError),
    Closed,
}

impl Notice {
    /// Calls the handler for this notice, if there is one.
    pub(super) fn deliver(self, handlers: &mut Handlers) {
        match self {
            Self::AvailableImage(own, image) => call_image(own, &mut handlers.available_image, &image),
            Self::UnavailableImage(own, image) => call_image(own, &mut handlers.unavailable_image, &image),
            Self::AvailableCounter(counter) => call(&mut handlers.available_counter, |handler| handler(counter)),
            Self::UnavailableCounter(counter) => call(&mut handlers.unavailable_counter, |handler| handler(counter)),
            Self::PublicationError(frame) => call(&mut handlers.publication_error, |handler| handler(&frame)),
            Self::Event(event) => call(&mut handlers.event, |handler| handler(&event)),
            Self::Error(error) => match &mut handlers.error {
                Some(handler) => handler(&error),
                // Standard error may be closed, which must not end the conductor.
                None => drop(writeln!(io::stderr(), "gannet client: {error}")),
            },
            Self::Closed => {
                call(&mut handlers.event, |handler| handler(&ClientEvent::Closed));
                call(&mut handlers.close, |handler| handler());
                // No further notices follow. The handlers may own handles, which would keep the client's memory mapped
                // forever.
                drop(std::mem::take(handlers));
            }
        }
    }
}

fn call<H: ?Sized>(handler: &mut Option<Box<H>>, with: impl FnOnce(&mut H)) {
    if let Some(handler) = handler {
        with(handler);
    }
}

fn call_image(own: Option<ImageHandler>, general: &mut Handler<dyn FnMut(&ImageInfo) + Send>, image: &ImageInfo) {
    match own {
        // Nothing else locks it, because handlers are called one at a time. A handler that panicked is called again.
        Some(handler) => (handler.lock().unwrap_or_else(PoisonError::into_inner))(image),
        None => call(general, |handler| handler(image)),
    }
}
