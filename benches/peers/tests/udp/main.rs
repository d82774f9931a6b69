//! Our driver and Aeron's C driver over UDP on the loopback interface, each as sender and as receiver. A pairing of Aeron's own proves the
//! scenario; the others then prove ours.

mod deaths;
mod features;
mod groups;
mod hosts;
mod loss;
mod names;
mod relay;
mod streams;
