//! Tests of the test kit: what the explorer finds, and what it must not find.

mod explore;
