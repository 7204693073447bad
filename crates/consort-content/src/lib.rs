//! Turns bytes into text and text into findings: extract, gate, segment, analyse, render.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no model, no async.
//! Every finding carries a byte span in [`Document::text`], so that it can be traced to its source.
//!
//! Read in the order of a run: `extract` (bytes to a [`Document`]), `gate` (is it worth
//! analysing), `sentence` and `language` (what it is made of), then [`analyse`] and
//! [`report`].

pub mod analyse;
pub mod document;
pub mod report;

pub use document::{Cue, Document, Kind, Link, Method, Sentence, Span};
