//! Claims about durable runs: what survives a restart, what waits without memory, what is never
//! repeated. A restart is a new facade on the surviving records of a journal in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod effects;
mod forks;
mod kit;
mod waits;
