//! Claims about coalescing.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::*;

type Shared = Arc<Coalesce<&'static str, usize>>;

/// Work that takes 10 ms and returns how often it was started.
fn work(starts: &Arc<AtomicUsize>) -> impl Future<Output = usize> + Send + 'static {
    let number = starts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
    async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        number
    }
}

#[tokio::test(start_paused = true)]
async fn equal_keys_share_and_different_ones_do_not() {
    let (coalesce, starts) = (Shared::default(), Arc::default());
    let ask = |key| coalesce.run(key, || work(&starts));
    let (a, b, c) = tokio::join!(ask("x"), ask("x"), ask("y"));
    assert_eq!((a, b, c), (Ok(1), Ok(1), Ok(2)));
    assert!(coalesce.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ended_call_is_not_an_answer_to_a_later_question() {
    let (coalesce, starts) = (Shared::default(), Arc::default());
    for number in 1..=3 {
        assert_eq!(coalesce.run("x", || work(&starts)).await, Ok(number));
    }
}

#[tokio::test(start_paused = true)]
async fn others_carry_on_when_the_first_caller_leaves() {
    let (coalesce, starts) = (Shared::default(), Arc::default());
    let mut first = Box::pin(coalesce.run("x", || work(&starts)));
    let mut second = Box::pin(coalesce.run("x", || work(&starts)));
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(second.await, Ok(1));
    assert!(coalesce.is_empty());
}

#[tokio::test(start_paused = true)]
async fn work_nobody_waits_for_is_dropped() {
    struct Gone(Arc<AtomicUsize>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let (coalesce, gone) = (Shared::default(), Arc::new(AtomicUsize::new(0)));
    let guard = Gone(gone.clone());
    let mut only = Box::pin(coalesce.run("x", || async move {
        let _guard = guard;
        std::future::pending().await
    }));
    assert!(futures_util::poll!(&mut only).is_pending());
    assert_eq!(coalesce.len(), 1);
    drop(only);
    assert_eq!(gone.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert!(coalesce.is_empty());
}

#[tokio::test(start_paused = true)]
async fn panic_is_told_to_all_and_forgotten() {
    let coalesce = Shared::default();
    let ask = || {
        coalesce.run("x", || async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            panic!("inside the shared call")
        })
    };
    assert_eq!(tokio::join!(ask(), ask()), (Err(Panicked), Err(Panicked)));
    assert_eq!(coalesce.run("x", || async { 7 }).await, Ok(7));
}

#[tokio::test]
async fn callers_on_other_threads_share_too() {
    let (coalesce, starts) = (Shared::default(), Arc::new(AtomicUsize::new(0)));
    let runtime = tokio::runtime::Handle::current();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (coalesce, starts, runtime) = (coalesce.clone(), starts.clone(), runtime.clone());
            std::thread::spawn(move || {
                runtime.block_on(async {
                    for _ in 0..200 {
                        let starts = starts.clone();
                        coalesce
                            .run("x", move || async move {
                                tokio::task::yield_now().await;
                                starts.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
                            })
                            .await
                            .unwrap();
                    }
                });
            })
        })
        .collect();
    tokio::task::spawn_blocking(|| threads.into_iter().for_each(|t| t.join().unwrap()))
        .await
        .unwrap();
    assert!(starts.load(std::sync::atomic::Ordering::SeqCst) <= 800);
    assert!(coalesce.is_empty());
}
