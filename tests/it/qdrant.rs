//! The index: one contract for the engine in the process and for a server, then what differs.

mod contract;
mod edge;
mod remote;
mod shop;
