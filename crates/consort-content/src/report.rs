//! How findings are shown: Markdown, JSON, JSON-LD and HTML.
