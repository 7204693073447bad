//! What a document says: findings computed from its text, each with a span.
