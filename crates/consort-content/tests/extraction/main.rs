//! Extraction, segmentation and gating against the labelled corpus and against hostile input.

mod corpus;
mod documents;
mod gates;
mod hostile;
mod languages;
mod pages;
#[cfg(feature = "pdf")]
mod pdf;
mod reports;
mod score;
mod sentences;
