//! Gannet's SBE codecs.
