//! What the owner of a store last saw of its callees, in a file beside the store.
//!
//! A view and not a record: it is replaced as a whole, may lack the last seconds before a crash,
//! and nothing depends on it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use consort_core::{Category, StepError};
use consort_infrastructure::{Board, health::Report};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// What lies beside a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The process that saw it.
    pub process: u32,
    /// What it saw.
    pub report: Report,
}

/// What the owner of the store at `store` last saw, or `None` when no owner has shown anything.
/// Blocks.
///
/// # Errors
///
/// `store_unavailable` when the file cannot be read, `store_corrupt` when it makes no sense.
pub fn shown(store: &Path) -> Result<Option<Shown>, StepError> {
    let path = beside(store);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("cannot read `{}`", path.display());
            return Err(StepError::new(Category::StoreUnavailable, message).because(&error));
        }
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        let message = format!("`{}` makes no sense", path.display());
        StepError::new(Category::StoreCorrupt, message)
            .because(&error)
            .hint("delete it: it is only a view, and the owner of the store writes it again")
    })
}

fn beside(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push("-health");
    name.into()
}

/// Writes the file. One of an engine, which owns the store.
#[derive(Debug)]
pub(super) struct FileBoard {
    path: PathBuf,
    /// So that a full disk is told once and not every few seconds.
    failed: Arc<AtomicBool>,
}

impl FileBoard {
    pub(super) fn new(store: &Path) -> Self {
        Self { path: beside(store), failed: Arc::default() }
    }
}

impl Board for FileBoard {
    fn show(&self, report: Report) -> BoxFuture<'static, ()> {
        let (path, failed) = (self.path.clone(), self.failed.clone());
        Box::pin(async move {
            let shown = Shown { process: std::process::id(), report };
            let writing = tokio::task::spawn_blocking(move || write(&path, &shown)).await;
            match writing.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(()) => failed.store(false, Ordering::Relaxed),
                Err(error) if !failed.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(target: "consort", %error, "health cannot be shown to other processes");
                }
                Err(_) => {}
            }
        })
    }
}

/// Whoever reads sees the old file or the new one, whole.
fn write(path: &Path, shown: &Shown) -> io::Result<()> {
    let mut next = OsString::from(path);
    next.push(".next");
    fs::write(&next, serde_json::to_vec(shown)?)?;
    fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use consort_infrastructure::health::Health;

    use super::*;

    #[tokio::test]
    async fn what_was_shown_last_is_read_back_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("runs.db");
        assert_eq!(shown(&store).unwrap(), None);
        let board = FileBoard::new(&store);
        for at in [1, 2] {
            let at = consort_core::Timestamp(at);
            let (callees, isolations) = (Vec::new(), Vec::new());
            board.show(Report { at, overall: Health::NoData, callees, isolations }).await;
            let read = shown(&store).unwrap().unwrap();
            assert_eq!((read.report.at, read.process), (at, std::process::id()));
        }
        fs::write(beside(&store), "{").unwrap();
        assert_eq!(shown(&store).unwrap_err().category(), Category::StoreCorrupt);
    }
}
