//! Claims about what a pipeline does when a callee is slow or pressed.

use super::*;
use crate::shed::Priority;

/// A call that takes as long as its attempt says, in milliseconds.
async fn takes(attempt: Attempt, times: [u64; 2]) -> Result<u32, &'static str> {
    tokio::time::sleep(ms(times[usize::from(attempt.hedge)])).await;
    Ok(u32::from(attempt.hedge))
}

#[tokio::test(start_paused = true)]
async fn slow_call_is_hedged_if_it_may_be_repeated() {
    let hedge = hedge::Config { max_delay: ms(50), ..hedge::Config::default() };
    let watched = watched(Config { hedge: Some(hedge), ..config() });
    let outcome = watched.call(Call::repeatable(), |attempt| takes(attempt, [400, 20])).await;
    assert_eq!(outcome.result, Ok(1));
    assert_eq!((outcome.report.attempts, outcome.report.took.as_millis()), (2, 70));
    assert!(outcome.report.fired.contains(Guard::Hedge));
    assert_eq!(watched.events(), "hedged");
    assert_eq!(watched.pipeline.snapshot().bulkhead.unwrap().taken, 0, "the loser left");
    let outcome = watched.call(Call::once(), |attempt| takes(attempt, [400, 20])).await;
    assert_eq!((outcome.result, outcome.report.attempts), (Ok(0), 1));
}

#[tokio::test(start_paused = true)]
async fn hedge_asks_the_breaker_and_takes_a_slot_of_its_own() {
    let hedge = hedge::Config { max_delay: ms(50), ..hedge::Config::default() };
    let bulkhead = bulkhead::Config { limit: 1, queue: 0, max_wait: ms(0) };
    let watched = watched(Config { hedge: Some(hedge), bulkhead: Some(bulkhead), ..config() });
    let outcome = watched.call(Call::repeatable(), |attempt| takes(attempt, [400, 20])).await;
    assert_eq!((outcome.result, outcome.report.attempts), (Ok(0), 1));
    assert!(outcome.report.fired.contains(Guard::Bulkhead));
}

#[tokio::test(start_paused = true)]
async fn second_call_that_finds_no_slot_does_not_hide_what_the_callee_said() {
    let hedge = hedge::Config { max_delay: ms(50), ..hedge::Config::default() };
    let bulkhead = bulkhead::Config { limit: 2, queue: 1, max_wait: ms(200) };
    let watched = watched(Config { hedge: Some(hedge), bulkhead: Some(bulkhead), ..config() });
    let neighbour = watched.call(Call::once(), |attempt| takes(attempt, [450, 0]));
    let tried = watched.call(Call::repeatable(), async |attempt| {
        tokio::time::sleep(ms(100)).await;
        if attempt.number == 1 { Err("down") } else { Ok(attempt.number) }
    });
    let (_, tried) = tokio::join!(neighbour, tried);
    assert!(tried.report.fired.contains(Guard::Hedge));
    assert_eq!((tried.result, tried.report.attempts), (Ok(2), 2), "the failure was tried again");
}

#[tokio::test(start_paused = true)]
async fn call_whose_wait_ends_with_its_time_is_not_sent() {
    let rate = rate::Config { tokens: 1, per: ms(1_000), burst: 1, max_wait: ms(5_000) };
    let watched = watched(Config { rate: Some(rate), ..config() });
    let first = watched.call(Call::once(), async |_| Ok(1)).await;
    assert_eq!(first.result, Ok(1));
    let call = Call::once().until(watched.now() + ms(1_000));
    let outcome = watched.call(call, async |_| Ok(2)).await;
    assert_eq!(stopped(outcome), (Guard::Deadline, Why::TimedOut));
    assert_eq!(outcome.report.attempts, 0);
    assert_eq!(watched.pipeline.snapshot().tokens, Some(1), "its token went back");
}

#[tokio::test(start_paused = true)]
async fn overload_sheds_low_priority_first_and_by_name() {
    let shed = shed::Config { target: ms(20), interval: ms(100) };
    let bulkhead = bulkhead::Config { limit: 1, queue: 100, max_wait: ms(5_000) };
    let watched =
        watched(Config { shed: Some(shed), retry: None, bulkhead: Some(bulkhead), ..config() });
    let call = |priority| {
        watched.call(Call::once().priority(priority), async |_| {
            tokio::time::sleep(ms(40)).await;
            Ok(1)
        })
    };
    // Eight calls a 40 ms through one slot: the queue stands, and after 100 ms that is overload.
    let started = watched.now();
    let many = async {
        let normal = std::iter::repeat_with(|| call(Priority::Normal)).take(12);
        futures_join(normal).await
    };
    let late = async {
        tokio::time::sleep(ms(110)).await;
        tokio::join!(call(Priority::Low), call(Priority::Normal), call(Priority::High))
    };
    let (many, (low, normal, high)) = tokio::join!(many, late);
    let served = many.iter().filter(|outcome| outcome.result.is_ok()).count();
    assert!((2..=4).contains(&served), "{served}");
    assert_eq!(stopped(low), (Guard::Shed, Why::Overloaded));
    assert_eq!(low.report.took, ms(0), "at once");
    assert!(normal.result.is_ok() || stopped(normal) == (Guard::Shed, Why::Overloaded));
    assert_eq!(high.result, Ok(1));
    assert!(watched.now() - started < ms(400));
}

/// Runs them all at once.
pub(super) async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(move |cx| {
        for (one, output) in &mut running {
            if output.is_none()
                && let std::task::Poll::Ready(value) = one.as_mut().poll(cx)
            {
                *output = Some(value);
            }
        }
        match running.iter().all(|(_, output)| output.is_some()) {
            true => std::task::Poll::Ready(running.drain(..).filter_map(|(_, o)| o).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn limit_follows_what_the_callee_can_take() {
    let adaptive = adaptive::Config { min: 1, max: 50, ..adaptive::Config::default() };
    let bulkhead = bulkhead::Config { limit: 4, queue: 1_000, max_wait: ms(5_000) };
    let watched =
        watched(Config { adaptive: Some(adaptive), bulkhead: Some(bulkhead), ..config() });
    let quick = std::iter::repeat_with(|| {
        watched.call(Call::once(), async |_| {
            tokio::time::sleep(ms(10)).await;
            Ok(1)
        })
    });
    futures_join(quick.take(300)).await;
    let limit = watched.pipeline.snapshot().bulkhead.unwrap().limit;
    assert!((15..=35).contains(&limit), "{limit}");
    assert!(watched.events().contains("limit_moved"));
    // Other limits keep what was found.
    let wider = bulkhead::Config { limit: 4, queue: 5, max_wait: ms(50) };
    let mut changed = watched.pipeline.limits().config();
    changed.bulkhead = Some(wider);
    watched.pipeline.reconfigure(changed.validate().unwrap());
    assert_eq!(watched.pipeline.snapshot().bulkhead.unwrap().limit, limit);
}
