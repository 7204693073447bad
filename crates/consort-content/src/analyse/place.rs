//! Where a finding stands in the source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::Index;
use crate::document::Span;

/// Evidence of a finding: a stretch of the text, and the moment it was said where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Byte range in the document's text.
    pub span: Span,
    /// Id of the sentence in which the range starts.
    pub sentence: u32,
    /// Start of the caption or segment that holds the range's first byte, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
}

impl Index<'_> {
    /// The place of `span`, which starts in sentence `id`.
    pub(crate) fn place(&self, span: Span, id: usize) -> Place {
        let time_ms = self.doc.cue_at(span.start).map(|cue| cue.start_ms);
        Place { span, sentence: self.sentences[id].id, time_ms }
    }

    /// The place of the whole sentence `id`.
    pub(crate) fn sentence_place(&self, id: usize) -> Place {
        self.place(self.sentences[id].span, id)
    }

    /// The sentence that holds byte `at`, or the nearest one before it.
    pub(crate) fn sentence_at(&self, at: usize) -> usize {
        self.sentences.partition_point(|sentence| sentence.span.start <= at).saturating_sub(1)
    }
}
