//! Claims about coalescing.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::testing::histories;

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

/// Looks, when it is dropped, whether anybody holds a lock.
struct Looks(Shared, Arc<AtomicUsize>);

impl Looks {
    fn locked(&self) -> usize {
        self.0.shards.iter().filter(|shard| shard.try_lock().is_err()).count()
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.1.fetch_add(self.locked(), std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_made_and_dropped_without_a_lock() {
    let (coalesce, locked) = (Shared::default(), Arc::new(AtomicUsize::new(0)));
    let make = || {
        let looks = Looks(coalesce.clone(), locked.clone());
        locked.fetch_add(looks.locked(), std::sync::atomic::Ordering::SeqCst);
        async move {
            let _looks = looks;
            std::future::pending().await
        }
    };
    let mut first = Box::pin(coalesce.run("x", make));
    let mut second = Box::pin(coalesce.run("x", make));
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(coalesce.len(), 1, "the second carries on");
    drop(second);
    assert!(coalesce.is_empty());
    assert_eq!(locked.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[test]
fn callers_who_come_and_go_at_once_leave_nothing() {
    let (coalesce, dropped) = (Shared::default(), Arc::new(AtomicUsize::new(0)));
    let made = AtomicUsize::new(0);
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let come_and_go = || {
        for _ in 0..2_000 {
            let mut call = Box::pin(coalesce.run("x", || {
                made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let counts = Counts(dropped.clone());
                async move {
                    let _counts = counts;
                    std::future::pending().await
                }
            }));
            let mut cx = Context::from_waker(Waker::noop());
            assert_eq!(call.as_mut().poll(&mut cx), Poll::Pending);
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(come_and_go);
        threads.spawn(come_and_go);
    });
    assert!(coalesce.is_empty());
    let count = |of: &AtomicUsize| of.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(count(&dropped), count(&made), "each call that was begun was dropped");
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

/// A call as one would draw it: which start it was, who shares it, and whether it has ended.
struct Drawn {
    number: usize,
    callers: Vec<usize>,
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<usize, Panicked>> + 'a>>;

fn poll(call: &mut Waiting<'_>) -> Option<usize> {
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result.unwrap()),
        Poll::Pending => None,
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn callers_share_exactly_the_call_that_is_under_way(
        events in prop::collection::vec((0_u8..4, 0_usize..8, 0_u8..3), 1..80),
    ) {
        let coalesce = Coalesce::<u8, usize>::new();
        // How many calls were started; those whose number is marked are ready to end.
        let starts = AtomicUsize::new(0);
        let ready = Arc::new(Mutex::new(vec![false; 100]));
        let mut callers: Vec<Option<(u8, Waiting<'_>)>> = (0..8).map(|_| None).collect();
        let mut drawn: HashMap<u8, Drawn> = HashMap::new();
        for (event, who, key) in events {
            match event {
                0 if callers[who].is_none() => {
                    let start = || {
                        let number = starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let ready = ready.clone();
                        std::future::poll_fn(move |_| match lock(&ready)[number] {
                            true => Poll::Ready(number),
                            false => Poll::Pending,
                        })
                    };
                    let before = starts.load(std::sync::atomic::Ordering::Relaxed);
                    let mut call: Waiting<'_> = Box::pin(coalesce.run(key, start));
                    let flight = drawn.entry(key).or_insert(Drawn { number: before, callers: vec![] });
                    match poll(&mut call) {
                        Some(number) => {
                            prop_assert_eq!(number, flight.number);
                            drawn.remove(&key);
                        }
                        None => {
                            flight.callers.push(who);
                            callers[who] = Some((key, call));
                        }
                    }
                }
                1 => {
                    let Some((key, call)) = &mut callers[who] else { continue };
                    if let Some(number) = poll(call) {
                        prop_assert!(lock(&ready)[number]);
                        if drawn.get(key).is_some_and(|flight| flight.number == number) {
                            drawn.remove(key);
                        }
                        callers[who] = None;
                    }
                }
                2 => {
                    let Some((key, _)) = callers[who].take() else { continue };
                    if let Some(flight) = drawn.get_mut(&key) {
                        flight.callers.retain(|&caller| caller != who);
                        if flight.callers.is_empty() {
                            drawn.remove(&key);
                        }
                    }
                }
                _ => {
                    if let Some(flight) = drawn.get(&key) {
                        lock(&ready)[flight.number] = true;
                    }
                }
            }
            prop_assert_eq!(coalesce.len(), drawn.len());
        }
    }
}
