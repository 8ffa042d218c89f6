//! The whole program as a process against the services outside: payments, embeddings, the index and its
//! interruptions, MCP clients, webhook bodies, and the command line's contract.

mod arrivals;
mod assistants;
mod bodies;
mod clients;
mod command_line;
mod corpus;
mod crash;
mod desk_news;
mod embedding;
mod faults;
mod indexing;
mod kinds;
mod odd_lines;
mod shop;
mod stripe;
mod two;
