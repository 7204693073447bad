//! Claims about hedging.

use std::cell::Cell;
use std::task::{Context, Poll, Waker};

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::testing::{ByHand, histories, moment};

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

#[test]
fn good_answer_is_not_lost_to_a_failure_of_the_same_moment() {
    assert_eq!(by_hand(10, false, [30, 20], [false, true]), (30, Ok(2), 2));
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

/// One call, looked at once a millisecond: when it ended, how, and how many attempts were sent.
fn by_hand(
    delay: u32,
    is_broke: bool,
    takes: [u32; 2],
    well: [bool; 2],
) -> (u32, Result<u32, u32>, u32) {
    let clock = ByHand::new();
    let config = Config { min_delay: ms(1), max_delay: ms(delay.into()), ..Config::default() };
    let hedge = Hedge::new(config.validate().unwrap(), clock.now());
    while is_broke && hedge.may_send(clock.now()) {}
    let sent = Cell::new(0);
    let work = |number: u32| {
        sent.set(sent.get() + 1);
        let (clock, at) = (&clock, number as usize - 1);
        async move {
            clock.sleep(takes[at]).await;
            if well[at] { Ok(number) } else { Err(number) }
        }
    };
    let mut call = Box::pin(hedge.run(&clock, Verdict::of_result, work));
    loop {
        if let Poll::Ready(result) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (clock.millis(), result, sent.get());
        }
        clock.advance(1);
    }
}

/// Who answers when, worked out from the times alone: each attempt as its end and whether it is
/// good, `second` only when it was sent.
fn foretell(first: (u32, bool), second: Option<(u32, bool)>) -> (u32, Result<u32, u32>) {
    let result = |number, is_good| if is_good { Ok(number) } else { Err(number) };
    let Some(second) = second else { return (first.0, result(1, first.1)) };
    match (first.1, second.1) {
        (true, true) if second.0 < first.0 => (second.0, Ok(2)),
        (true, _) => (first.0, Ok(1)),
        (false, true) => (second.0, Ok(2)),
        (false, false) if first.0 > second.0 => (first.0, Err(1)),
        (false, false) => (second.0, Err(2)),
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn first_good_answer_wins_and_a_failure_waits_for_the_other(
        (takes, delay) in ([0_u32..50, 0_u32..50], 1_u32..40),
        well in any::<[bool; 2]>(),
        is_broke in any::<bool>(),
    ) {
        let second = (takes[0] > delay && !is_broke).then_some((delay + takes[1], well[1]));
        let (end, result) = foretell((takes[0], well[0]), second);
        let sent = 1 + u32::from(second.is_some());
        prop_assert_eq!(by_hand(delay, is_broke, takes, well), (end, result, sent));
    }
}
