//! The states of network publications and images: for each, one function from state and event to the next state, so the
//! whole table is in one place. It knows nothing of logs, counters or time.

/// The states of a publication, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicationState {
    /// Clients have handles and may publish.
    Active,
    /// No client has a handle. The rest is being sent.
    Draining,
    /// Receivers are told that the stream has ended, and may request retransmits.
    Linger,
    /// The sender was told to release the publication. It is freed when the sender has done so.
    Done,
}

/// The events of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicationEvent {
    /// The last handle was removed.
    Released,
    /// A timer tick found it revoked.
    RevokeSeen,
    /// A timer tick found everything sent, or no receivers left.
    Drained,
    /// A timer tick found the linger over, or the only receiver gone, and no handles.
    Lingered,
}

impl PublicationState {
    /// The next state. `None` if the event has no effect in this state.
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

/// The states of an image, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageState {
    /// It receives data, and subscribers can join.
    Active,
    /// Its subscribers read the rest, and its sender is told that it leaves.
    Draining,
    /// Its subscribers were told that it is gone.
    Linger,
    /// The receiver was told to release the image. It is freed when the receiver has done so.
    Done,
}

/// The events of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageEvent {
    /// A timer tick found no subscribers.
    Unread,
    /// A timer tick found the stream ended and completely received.
    Ended,
    /// A timer tick found that nothing was received for too long.
    Silent,
    /// A timer tick found everything read, and the sender told often enough.
    Drained,
    /// A timer tick found no subscribers, or the linger over.
    Lingered,
}

impl ImageState {
    /// The next state. `None` if the event has no effect in this state.
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
