//! Extraction, segmentation and gating against the labelled corpus and against hostile input.

mod corpus;
mod pages;
mod score;
mod sentences;
