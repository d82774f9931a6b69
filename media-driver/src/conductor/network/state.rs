//! The states of network publications and images: for each, one function from state and event to the next state, so the
//! whole table is in one place. It knows nothing of logs, counters or time.

/// A publication's states, in the order in which they are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicationState {
    /// Clients hold it and may publish.
    Active,
    /// No client holds it; what is left is sent.
    Draining,
    /// Receivers are told that the stream has ended, and may ask for what they miss.
    Linger,
    /// The sender has been told to let go of it; when it has, everything goes.
    Done,
}

/// What happens to a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicationEvent {
    /// The last client that held it gave it back.
    Released,
    /// A tick found it revoked.
    RevokeSeen,
    /// A tick found everything sent, or nobody left to send it to.
    Drained,
    /// A tick found its one receiver gone, or its time over, and no client holding it.
    Lingered,
}

impl PublicationState {
    /// Where the event leads, or `None` when it means nothing in this state.
    pub(super) const fn on(self, event: PublicationEvent) -> Option<Self> {
        use PublicationEvent as Event;
        match (self, event) {
            (Self::Active, Event::Released) => Some(Self::Draining),
            (Self::Active | Self::Draining, Event::RevokeSeen) | (Self::Draining, Event::Drained) => Some(Self::Linger),
            (Self::Linger, Event::Lingered) => Some(Self::Done),
            _ => None,
        }
    }
}

/// An image's states, in the order in which they are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageState {
    /// It takes data, and subscribers join it.
    Active,
    /// Its subscribers read what is left, and its sender is told that it leaves.
    Draining,
    /// Its subscribers have been told that it is gone.
    Linger,
    /// The receiver has been told to let go of it; when it has, everything goes.
    Done,
}

/// What happens to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageEvent {
    /// A tick found that nobody reads it.
    Unread,
    /// A tick found that its stream has ended and has come whole.
    Ended,
    /// A tick found that nothing has come for too long.
    Silent,
    /// A tick found everything read, and its sender told often enough.
    Drained,
    /// A tick found its subscribers gone, or its time over.
    Lingered,
}

impl ImageState {
    /// Where the event leads, or `None` when it means nothing in this state.
    pub(super) const fn on(self, event: ImageEvent) -> Option<Self> {
        use ImageEvent as Event;
        match (self, event) {
            (Self::Active, Event::Unread | Event::Ended | Event::Silent) => Some(Self::Draining),
            (Self::Draining, Event::Drained) => Some(Self::Linger),
            (Self::Linger, Event::Lingered) => Some(Self::Done),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table<S: Copy + std::fmt::Debug, E: Copy + std::fmt::Debug>(
        states: [S; 4],
        events: &[E],
        on: impl Fn(S, E) -> Option<S>,
    ) -> String {
        let mut table = String::new();
        for &event in events {
            for state in states {
                let next = on(state, event).map_or("-".to_owned(), |next| format!("{next:?}"));
                table.push_str(&format!("{:<10} {:<9} {next}\n", format!("{event:?}"), format!("{state:?}")));
            }
        }
        table
    }

    #[test]
    fn the_whole_table_of_publications() {
        use PublicationEvent::{Drained, Lingered, Released, RevokeSeen};
        use PublicationState::{Active, Done, Draining, Linger};
        let events = [Released, RevokeSeen, Drained, Lingered];
        assert_eq!(
            table([Active, Draining, Linger, Done], &events, PublicationState::on),
            "\
Released   Active    Draining
Released   Draining  -
Released   Linger    -
Released   Done      -
RevokeSeen Active    Linger
RevokeSeen Draining  Linger
RevokeSeen Linger    -
RevokeSeen Done      -
Drained    Active    -
Drained    Draining  Linger
Drained    Linger    -
Drained    Done      -
Lingered   Active    -
Lingered   Draining  -
Lingered   Linger    Done
Lingered   Done      -
"
        );
    }

    #[test]
    fn the_whole_table_of_images() {
        use ImageEvent::{Drained, Ended, Lingered, Silent, Unread};
        use ImageState::{Active, Done, Draining, Linger};
        let events = [Unread, Ended, Silent, Drained, Lingered];
        assert_eq!(
            table([Active, Draining, Linger, Done], &events, ImageState::on),
            "\
Unread     Active    Draining
Unread     Draining  -
Unread     Linger    -
Unread     Done      -
Ended      Active    Draining
Ended      Draining  -
Ended      Linger    -
Ended      Done      -
Silent     Active    Draining
Silent     Draining  -
Silent     Linger    -
Silent     Done      -
Drained    Active    -
Drained    Draining  Linger
Drained    Linger    -
Drained    Done      -
Lingered   Active    -
Lingered   Draining  -
Lingered   Linger    Done
Lingered   Done      -
"
        );
    }
}
