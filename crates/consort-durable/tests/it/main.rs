//! Tests of the journals from outside: the conformance suite, and what SQLite adds to it.

mod learning;
mod memory;
mod sqlite;
mod support;
