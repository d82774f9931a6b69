//! Gannet's engine: shared memory, log buffers, and the client that publishes and subscribes without copying.
