//! The sender: publications on the network, and what receivers say about them. A value: time, commands and datagrams are handed
//! in, and what is to leave is handed out.

pub mod flow_control;
pub mod retransmit;
