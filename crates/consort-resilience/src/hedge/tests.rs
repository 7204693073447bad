//! Claims about hedging.

use std::cell::Cell;

use super::*;
use crate::TokioClock;
use crate::testing::moment;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn hedge(config: Config) -> Hedge {
    Hedge::new(config.validate().unwrap(), moment())
}

fn quick() -> Config {
    Config { max_delay: ms(100), ..Config::default() }
}

/// Makes one call whose attempts take the given times (an odd number fails), and says what came
/// out after how long, and how many were sent.
async fn call(hedge: &Hedge, times: [u64; 2]) -> (Result<u32, u32>, u64, u32) {
    let (clock, sent) = (TokioClock, Cell::new(0));
    let start = clock.now();
    let result = hedge
        .run(&clock, Verdict::of_result, |number| {
            sent.set(number);
            let time = times[number as usize - 1];
            async move {
                tokio::time::sleep(ms(time)).await;
                if time.is_multiple_of(2) { Ok(number) } else { Err(number) }
            }
        })
        .await;
    (result, (clock.now() - start).as_millis() as u64, sent.get())
}

#[tokio::test(start_paused = true)]
async fn quick_call_is_sent_once() {
    assert_eq!(call(&hedge(quick()), [90, 0]).await, (Ok(1), 90, 1));
}

#[tokio::test(start_paused = true)]
async fn slow_call_is_overtaken_by_the_second() {
    assert_eq!(call(&hedge(quick()), [5_000, 20]).await, (Ok(2), 120, 2));
}

#[tokio::test(start_paused = true)]
async fn first_may_still_win() {
    assert_eq!(call(&hedge(quick()), [110, 5_000]).await, (Ok(1), 110, 2));
}

#[tokio::test(start_paused = true)]
async fn failure_waits_for_the_other_call() {
    assert_eq!(call(&hedge(quick()), [5_000, 21]).await, (Ok(1), 5_000, 2));
    assert_eq!(call(&hedge(quick()), [121, 60]).await, (Ok(2), 160, 2));
    assert_eq!(call(&hedge(quick()), [201, 51]).await, (Err(1), 201, 2));
}

#[tokio::test(start_paused = true)]
async fn failure_before_the_second_call_is_the_answer() {
    assert_eq!(call(&hedge(quick()), [51, 0]).await, (Err(1), 51, 1));
}

#[tokio::test(start_paused = true)]
async fn second_calls_are_a_share_of_all_calls() {
    let hedge = hedge(Config { ratio: 0.05, minimum_calls: 500, ..quick() });
    let mut seconds = 0;
    for _ in 0..1_000 {
        seconds += call(&hedge, [200, 200]).await.2 - 1;
    }
    assert!((50..=60).contains(&seconds), "{seconds}");
}

#[test]
fn delay_follows_the_percentile_between_its_bounds() {
    let hedge = hedge(Config { max_delay: ms(10_000), ..Config::default() });
    assert_eq!(hedge.delay(), ms(10_000), "nothing seen yet");
    (0..960).for_each(|i| hedge.record(ms(20 + i % 20)));
    let delay = hedge.delay().as_millis();
    assert!((38..=45).contains(&delay), "{delay}");
    (0..4_000).for_each(|_| hedge.record(ms(1)));
    assert_eq!(hedge.delay(), ms(10), "not below the lower bound");
    (0..4_000).for_each(|_| hedge.record(ms(60_000)));
    assert_eq!(hedge.delay(), ms(10_000), "nor above the upper");
}

#[test]
fn new_limits_keep_what_was_seen() {
    let hedge = hedge(Config { max_delay: ms(10_000), ..Config::default() });
    (0..320).for_each(|_| hedge.record(ms(100)));
    hedge.reconfigure(Config { min_delay: ms(200), ..Config::default() }.validate().unwrap());
    assert_eq!(hedge.delay(), ms(200));
    hedge.reconfigure(Config::default().validate().unwrap());
    assert!((100..=113).contains(&hedge.delay().as_millis()), "{:?}", hedge.delay());
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    assert_eq!(
        said(Config { percentile: 1.0, ..quick() }),
        "`hedge.percentile` must be 0.5 to 0.999, not 1"
    );
    assert_eq!(
        said(Config { min_delay: ms(200), ..quick() }),
        "`hedge.max_delay` must not be shorter than `hedge.min_delay`"
    );
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}
