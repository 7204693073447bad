//! Settings of everything that touches the world.

use crate::{egress, fetch, media, pdf};

/// Settings of the capabilities.
#[derive(Clone, Debug)]
pub struct Config {
    /// Largest content, in bytes, unpacked. Default 64 MiB.
    pub max_bytes: u64,
    /// Who may be connected to.
    pub egress: egress::Config,
    /// How pages are fetched.
    pub fetch: fetch::Config,
    /// How the words are got out of media pages.
    pub media: media::Config,
    /// How PDFs are read.
    pub pdf: pdf::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
            egress: egress::Config::default(),
            fetch: fetch::Config::default(),
            media: media::Config::default(),
            pdf: pdf::Config::default(),
        }
    }
}
