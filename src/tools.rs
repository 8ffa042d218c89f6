//! The tools: one typed list that the agent, MCP, the page and the command line all read.
//!
//! A tool never takes the customer's identity, a price or an amount from its arguments; who is asking
//! travels beside them in a [`CallContext`].

mod registry;

pub use registry::{Annotations, Caller, CallContext, Registry, Tool, ToolError, ToolSpec};
