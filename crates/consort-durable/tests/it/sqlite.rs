//! The journal on disk follows the rules of the port.

use std::sync::Arc;

use consort_core::{
    Clock,
    journal::{Journal, JournalError, Message},
};
use consort_durable::{
    SqliteJournal,
    sqlite::{self, Options},
};
use consort_testkit::journal::Store;
use futures_util::{FutureExt, future::BoxFuture};
use tempfile::TempDir;

struct OnDisk(TempDir);

impl OnDisk {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }
}

impl Store for OnDisk {
    fn open(&self, clock: Arc<dyn Clock>) -> BoxFuture<'_, Result<Arc<dyn Journal>, JournalError>> {
        let options = Options { clock, ..Options::default() };
        let journal = SqliteJournal::open(self.0.path().join("runs.db"), options);
        std::future::ready(journal.map(|journal| Arc::new(journal) as _)).boxed()
    }

    fn post(&self, message: Message) -> BoxFuture<'_, Result<(), JournalError>> {
        let sent = sqlite::post(self.0.path().join("runs.db"), &message);
        std::future::ready(sent.map(|_| ())).boxed()
    }
}

consort_testkit::journal_conformance!(OnDisk::new());

mod damage;
mod full;
mod guests;
mod owner;
#[cfg(target_os = "linux")]
mod power;
mod random;
mod recent;
mod size;
