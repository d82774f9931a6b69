//! Loom models that run the engine's shipping code over tiny buffers.
