//! Turns bytes into text and text into findings: extract, gate, segment, analyse, render.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no model, no async.
//! Every finding carries a byte span in [`Document::text`], so that it can be traced to its source.
//!
//! Read in the order of a run: [`mod@extract`] (bytes to a [`Document`]), [`mod@gate`] (is it worth
//! analysing), [`sentence`] and [`language`] (what it is made of), then [`analyse`] and
//! [`report`].

pub mod analyse;
pub mod decode;
pub mod document;
pub mod extract;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod gate;
pub mod language;
pub mod report;
pub mod sentence;

pub use document::{Cue, Document, Kind, Link, Method, Sentence, Span};
