//! Claims about new limits that come while calls are under way.

use super::*;

/// One slot, and a call that holds it for 100 ms.
async fn holds(watched: &Watched) -> Outcome<u32, &'static str> {
    let work = async |_| {
        tokio::time::sleep(ms(100)).await;
        Ok(1)
    };
    watched.call(Call::once(), work).await
}

#[tokio::test(start_paused = true)]
async fn switching_timeouts_off_does_not_cut_calls_that_wait() {
    let bulkhead = bulkhead::Config { limit: 1, queue: 4, max_wait: ms(1_000) };
    let watched = watched(Config { bulkhead: Some(bulkhead), ..config() });
    let off = async {
        tokio::time::sleep(ms(50)).await;
        let without =
            Config { attempt_timeout: None, deadline: None, ..watched.pipeline.limits().config() };
        watched.pipeline.reconfigure(without.validate().unwrap());
    };
    let (first, second, ()) = tokio::join!(holds(&watched), holds(&watched), off);
    assert_eq!((first.result, second.result), (Ok(1), Ok(1)));
    assert_eq!(watched.pipeline.breaker().snapshot(watched.now()).failures_in_row, 0);
}

#[tokio::test(start_paused = true)]
async fn adaptive_that_is_switched_off_moves_the_limit_no_more() {
    let adaptive = adaptive::Config { latency: Some(ms(10)), ..adaptive::Config::default() };
    let bulkhead = bulkhead::Config { limit: 20, queue: 0, max_wait: ms(0) };
    let watched =
        watched(Config { adaptive: Some(adaptive), bulkhead: Some(bulkhead), ..config() });
    let off = async {
        tokio::time::sleep(ms(50)).await;
        let without = Config { adaptive: None, ..watched.pipeline.limits().config() };
        watched.pipeline.reconfigure(without.validate().unwrap());
    };
    // One whole round of slow calls, which ends when nobody asks for its lesson any more.
    let calls = load::futures_join((0..20).map(|_| holds(&watched)));
    let (outcomes, ()) = tokio::join!(calls, off);
    assert!(outcomes.iter().all(|outcome| outcome.result == Ok(1)));
    assert_eq!(watched.pipeline.snapshot().bulkhead.unwrap().limit, 20);
}
