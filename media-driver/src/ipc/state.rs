//! The states of an IPC publication: one function from state and event to the next state, so the whole table is in one
//! place. The publication calls it. It knows nothing of logs, counters or time.

/// The states, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Clients have handles and may publish.
    Active,
    /// No client has a handle. Subscribers read the rest.
    Draining,
    /// Subscribers were told that it is gone. Clients may still have handles if it was revoked.
    Linger,
    /// Nothing is left to wait for. Its counters and its log are freed.
    Done,
}

/// The events of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The last handle was removed.
    Released,
    /// The last handle was removed after a client had revoked the publication.
    ReleasedRevoked,
    /// A timer tick found it revoked.
    RevokeSeen,
    /// A timer tick found all subscribers that still read at its end.
    Drained,
    /// A timer tick found no handles.
    Unheld,
}

impl State {
    /// The next state. `None` if the event has no effect in this state.
    pub(super) const fn on(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Active, Event::Released) => Some(Self::Draining),
            // The next tick sees the revocation and acts on it.
            (Self::Active, Event::ReleasedRevoked) => Some(Self::Active),
            (Self::Active, Event::RevokeSeen) | (Self::Draining, Event::Drained) => Some(Self::Linger),
            (Self::Linger, Event::Released | Event::ReleasedRevoked) => Some(Self::Linger),
            (Self::Linger, Event::Unheld) => Some(Self::Done),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 4] = [State::Active, State::Draining, State::Linger, State::Done];
    const EVENTS: [Event; 5] =
        [Event::Released, Event::ReleasedRevoked, Event::RevokeSeen, Event::Drained, Event::Unheld];

    #[test]
    fn the_whole_table() {
        let mut table = String::new();
        for event in EVENTS {
            for state in STATES {
                let next = state.on(event).map_or("-".to_owned(), |next| format!("{next:?}"));
                table.push_str(&format!("{:<16} {:<9} {next}\n", format!("{event:?}"), format!("{state:?}")));
            }
        }
        assert_eq!(
            table,
            "\
Released         Active    Draining
Released         Draining  -
Released         Linger    Linger
Released         Done      -
ReleasedRevoked  Active    Active
ReleasedRevoked  Draining  -
ReleasedRevoked  Linger    Linger
ReleasedRevoked  Done      -
RevokeSeen       Active    Linger
RevokeSeen       Draining  -
RevokeSeen       Linger    -
RevokeSeen       Done      -
Drained          Active    -
Drained          Draining  Linger
Drained          Linger    -
Drained          Done      -
Unheld           Active    -
Unheld           Draining  -
Unheld           Linger    Done
Unheld           Done      -
"
        );
    }
}
