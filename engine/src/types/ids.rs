//! Identifiers of clients, commands, resources, streams, sessions and counters.

use core::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name($repr);

        impl $name {
            /// Wraps the number in shared memory.
            #[inline]
            pub const fn new(value: $repr) -> Self {
                Self(value)
            }

            /// The number in shared memory.
            #[inline]
            pub const fn get(self) -> $repr {
                self.0
            }
        }

        impl From<$repr> for $name {
            #[inline]
            fn from(value: $repr) -> Self {
                Self(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

identifier!(
    /// The id of a driver's client: a correlation id that it drew when it connected.
    ClientId(i64)
);
identifier!(
    /// The id of a command to the driver, drawn from the counter in the to-driver ring. The ids of one client are not
    /// consecutive, because the driver and all clients draw from the same counter.
    CorrelationId(i64)
);
identifier!(
    /// The id of a driver's resource: the correlation id of the command that created it.
    RegistrationId(i64)
);
identifier!(
    /// The id of a session: one publisher's incarnation of a stream.
    SessionId(i32)
);
identifier!(
    /// The id of a stream within a channel, chosen by the application.
    StreamId(i32)
);
identifier!(
    /// The id of a counter: the index of its record in the counters regions.
    CounterId(i32)
);

identifier!(
    /// The id of a recording of an archive or a journal: consecutive from 0, never reused.
    RecordingId(i64)
);

impl CorrelationId {
    /// The registration id of the resource that the command with this id creates.
    #[inline]
    pub const fn registration(self) -> RegistrationId {
        RegistrationId(self.0)
    }
}

impl CounterId {
    /// No counter: the channel status of IPC publications, IPC subscriptions and spies (`NO_ID_ALLOCATED`).
    pub const NONE: Self = Self(-1);
}
