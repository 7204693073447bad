//! Tests of the contract, the facade and durable runs from outside.

mod facade_table;
mod fixtures;
