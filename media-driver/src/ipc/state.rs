//! The states of an IPC publication: one function from state and event to the next state, so the whole table is in one
//! place. The publication calls it. It knows nothing of logs, counters or time.

/// The states, in the order in which they are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Clients hold it and may publish.
    Active,
    /// No client holds it; subscribers read what is left.
    Draining,
    /// Subscribers have been told that it is gone; a revoked one may still be held by clients.
    Linger,
    /// Nothing is left to wait for: its counters and its log go.
    Done,
}

/// What happens to a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The last client that held it gave it back.
    Released,
    /// The last client gave it back and a client has revoked it before.
    ReleasedRevoked,
    /// A tick found it revoked.
    RevokeSeen,
    /// A tick found every working subscriber at its end.
    Drained,
    /// A tick found it held by no client.
    Unheld,
}

impl State {
    /// Where the event leads, or `None` when it means nothing in this state.
    pub(super) const fn on(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Active, Event::Released) => Some(Self::Draining),
            // The next tick sees the revocation, and goes where it leads.
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
