//! The journal in memory follows the rules of the port.

use std::sync::{Arc, Mutex};

use consort_core::{
    Clock,
    journal::{Batch, Journal, JournalError, JournalErrorKind, Message},
};
use consort_durable::MemoryJournal;
use consort_testkit::journal::{
    Store,
    sample::{put, root, started, step, text},
};
use futures_util::{FutureExt, future::BoxFuture};

#[derive(Default)]
struct Kept(Mutex<Option<MemoryJournal>>);

impl Store for Kept {
    fn open(&self, clock: Arc<dyn Clock>) -> BoxFuture<'_, Result<Arc<dyn Journal>, JournalError>> {
        let mut kept = self.0.lock().expect("no test panicked");
        let journal = match kept.take() {
            Some(journal) => journal.restarted(),
            None => MemoryJournal::with_clock(clock),
        };
        *kept = Some(journal.clone());
        std::future::ready(Ok(Arc::new(journal) as _)).boxed()
    }

    fn post(&self, message: Message) -> BoxFuture<'_, Result<(), JournalError>> {
        self.0.lock().expect("no test panicked").as_ref().expect("opened before").post(message);
        std::future::ready(Ok(())).boxed()
    }
}

consort_testkit::journal_conformance!(Kept::default());

#[tokio::test]
async fn an_older_handle_cannot_write_after_a_restart() {
    let before = MemoryJournal::new();
    before.commit(Batch::entry(root(1), started(&root(1)))).await.unwrap();
    let after = before.restarted();
    let refused = before.commit(Batch::entry(root(1), step(0))).await.unwrap_err();
    assert_eq!(refused.kind(), JournalErrorKind::Unavailable);
    after.commit(Batch::entry(root(1), step(1))).await.unwrap();
    assert_eq!(after.history(&root(1)).await.unwrap().unwrap().records, [step(1)]);
}

#[tokio::test]
async fn a_full_journal_says_so_and_goes_on_with_what_fits() {
    let journal = MemoryJournal::new().limited(100_000);
    journal.commit(Batch::entry(root(1), started(&root(1)))).await.unwrap();
    let large = text(100_000, 1).into_bytes();
    let refused = journal.commit(put(&large).1).await.unwrap_err();
    assert_eq!(refused.kind(), JournalErrorKind::Full);
    journal.commit(Batch::entry(root(1), step(0))).await.unwrap();
    assert_eq!(journal.history(&root(1)).await.unwrap().unwrap().records.len(), 1);
}
