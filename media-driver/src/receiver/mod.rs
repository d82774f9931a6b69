//! The receiver: images of streams that come from the network. A value: time, commands and datagrams are handed in, and what is
//! to leave is handed out.

pub mod congestion_control;
pub mod loss_detector;
pub mod nak_delay;
