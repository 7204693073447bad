//! Both learning logs follow the rules of the port, and what the one on disk adds.

mod memory {
    use std::sync::{Arc, Mutex};

    use consort_core::{journal::JournalError, learning::LearningLog};
    use consort_durable::MemoryLearningLog;
    use consort_testkit::learning::Place;
    use futures_util::{FutureExt, future::BoxFuture};

    #[derive(Default)]
    struct Kept(Mutex<Option<MemoryLearningLog>>);

    impl Place for Kept {
        fn open(&self) -> BoxFuture<'_, Result<Arc<dyn LearningLog>, JournalError>> {
            let mut kept = self.0.lock().expect("no test panicked");
            let log = kept.take().map_or_else(MemoryLearningLog::new, |log| log.restarted());
            *kept = Some(log.clone());
            std::future::ready(Ok(Arc::new(log) as _)).boxed()
        }
    }

    consort_testkit::learning_conformance!(Kept::default());
}

mod sqlite {
    use std::sync::Arc;

    use consort_core::{
        journal::{JournalError, JournalErrorKind},
        learning::{LearningLog, Snapshot},
    };
    use consort_durable::{SqliteLearningLog, sqlite::learning::Options};
    use consort_testkit::learning::{Place, made, reward};
    use futures_util::{FutureExt, future::BoxFuture};
    use tempfile::TempDir;

    struct OnDisk(TempDir);

    impl OnDisk {
        fn new() -> Self {
            Self(TempDir::new().expect("a temporary directory"))
        }

        fn path(&self) -> std::path::PathBuf {
            SqliteLearningLog::beside(self.0.path().join("runs.db"))
        }

        fn owner(&self, options: Options) -> Result<SqliteLearningLog, JournalError> {
            SqliteLearningLog::open(self.path(), options)
        }
    }

    impl Place for OnDisk {
        fn open(&self) -> BoxFuture<'_, Result<Arc<dyn LearningLog>, JournalError>> {
            let log = self.owner(Options::default()).map(|log| Arc::new(log) as _);
            std::future::ready(log).boxed()
        }
    }

    consort_testkit::learning_conformance!(OnDisk::new());

    #[tokio::test]
    async fn one_process_owns_it_and_others_read_beside_it() {
        let disk = OnDisk::new();
        let owner = disk.owner(Options::default()).unwrap();
        assert_eq!(disk.owner(Options::default()).unwrap_err().kind(), JournalErrorKind::Locked);
        let guest = SqliteLearningLog::open_to_read(disk.path()).unwrap();
        owner.append([made(1)].into()).await.unwrap();
        assert_eq!(guest.read(0, 9).await.unwrap(), [(1, made(1))]);
        let refused = guest.append([made(2)].into()).await.unwrap_err();
        assert!(refused.to_string().contains("reading only"), "{refused}");
    }

    #[tokio::test]
    async fn a_queue_that_is_full_refuses_by_name() {
        let disk = OnDisk::new();
        let log = disk.owner(Options { queue: 1, ..Options::default() }).unwrap();
        let many: Vec<_> =
            (0..200).map(|n| log.append((0..500).map(|m| reward(n * 500 + m)).collect())).collect();
        let (mut kept, mut refused) = (0, 0);
        for append in many {
            match append.await {
                Ok(_) => kept += 500,
                Err(error) => {
                    assert_eq!(error.kind(), JournalErrorKind::Busy);
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "200 appends went through a queue of one");
        assert_eq!(log.extent().await.unwrap().last, kept);
    }

    #[tokio::test]
    async fn a_damaged_record_or_snapshot_is_named() {
        let disk = OnDisk::new();
        let log = disk.owner(Options::default()).unwrap();
        log.append([reward(1), reward(2)].into()).await.unwrap();
        log.save(Snapshot { position: 2, state: vec![7; 9].into() }).await.unwrap();
        log.close().await.unwrap();
        drop(log);
        let file = rusqlite::Connection::open(disk.path()).unwrap();
        file.execute("update log set body = replace(body, 'reward-2', 'reward-9')", []).unwrap();
        file.execute("update snapshot set state = x'00'", []).unwrap();
        drop(file);
        let log = disk.owner(Options::default()).unwrap();
        let error = log.read(0, 9).await.unwrap_err();
        assert_eq!(error.kind(), JournalErrorKind::Corrupt);
        assert!(error.to_string().contains("record 2"), "{error}");
        assert_eq!(log.snapshot().await.unwrap_err().kind(), JournalErrorKind::Corrupt);
    }

    #[tokio::test]
    async fn a_backup_is_a_log_of_its_own() {
        let disk = OnDisk::new();
        let copy = disk.0.path().join("copy");
        let none = SqliteLearningLog::backup(disk.path(), &copy).unwrap_err();
        assert!(none.to_string().contains("no learning log"), "{none}");
        let owner = disk.owner(Options::default()).unwrap();
        owner.append([made(1), reward(1)].into()).await.unwrap();
        owner.save(Snapshot { position: 1, state: vec![7; 9].into() }).await.unwrap();
        let size = SqliteLearningLog::backup(disk.path(), &copy).unwrap();
        assert_eq!(std::fs::metadata(&copy).unwrap().len(), size);
        owner.append([reward(2)].into()).await.unwrap();
        let copied = SqliteLearningLog::open(&copy, Options::default()).unwrap();
        assert_eq!(copied.read(0, 9).await.unwrap(), [(1, made(1)), (2, reward(1))]);
        assert_eq!(copied.snapshot().await.unwrap().unwrap().position, 1);
        let again = SqliteLearningLog::backup(disk.path(), &copy).unwrap_err();
        assert!(again.to_string().contains("exists already"), "{again}");
    }

    #[test]
    fn a_store_is_no_learning_log() {
        let disk = OnDisk::new();
        let store = disk.0.path().join("runs.db");
        drop(consort_durable::SqliteJournal::open(&store, Default::default()).unwrap());
        let error = SqliteLearningLog::open(&store, Options::default()).unwrap_err();
        assert!(error.to_string().contains("another kind"), "{error}");
    }
}
