//! Claims about the rate limit.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::testing::{histories, moment};

fn limits(tokens: u32, burst: u32, max_wait_ms: u64) -> Limits {
    let max_wait = Duration::from_millis(max_wait_ms);
    Config { tokens, burst, max_wait, per: Duration::from_secs(1) }.validate().unwrap()
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn burst_then_rate() {
    let start = moment();
    let limit = RateLimit::new(&limits(10, 3, 0), start);
    let granted = (0..10_u64).filter(|_| limit.take(1, start).is_ok()).count();
    assert_eq!(granted, 3);
    let refused = limit.take(1, start).unwrap_err();
    assert_eq!(refused.retry_after, Some(ms(100)));
    assert!(limit.take(1, start + ms(99)).is_err());
    assert!(limit.take(1, start + ms(100)).is_ok());
    assert!(limit.take(1, start + ms(100)).is_err());
}

#[test]
fn idle_time_fills_no_more_than_the_burst() {
    let start = moment();
    let limit = RateLimit::new(&limits(10, 3, 0), start);
    let later = start + Duration::from_secs(1_000);
    assert_eq!((0..10).filter(|_| limit.take(1, later).is_ok()).count(), 3);
    assert_eq!(limit.available(later), 0);
    assert_eq!(limit.available(later + ms(250)), 2);
}

#[test]
fn asking_for_more_than_the_bucket_holds_is_refused_for_good() {
    let start = moment();
    let limit = RateLimit::new(&limits(10, 3, 0), start);
    assert_eq!(limit.take(4, start), Err(Refused { retry_after: None }));
    assert!(limit.take(3, start).is_ok());
}

#[test]
fn reservations_line_up_and_come_back_when_dropped() {
    let start = moment();
    let limit = RateLimit::new(&limits(10, 1, 250), start);
    limit.take(1, start).unwrap();
    let first = limit.reserve(1, start, Duration::MAX).unwrap();
    let second = limit.reserve(1, start, Duration::MAX).unwrap();
    assert_eq!(first.use_at() - start, ms(100));
    assert_eq!(second.use_at() - start, ms(200));
    let refused = limit.reserve(1, start, Duration::MAX).unwrap_err();
    assert_eq!(refused.retry_after, Some(ms(50)));
    drop(second);
    assert_eq!(limit.reserve(1, start, Duration::MAX).unwrap().use_at() - start, ms(200));
    assert!(limit.reserve(1, start, ms(150)).is_err(), "the caller's patience counts too");
    first.spend();
}

#[test]
fn new_limits_keep_what_is_missing() {
    let start = moment();
    let limit = RateLimit::new(&limits(10, 5, 0), start);
    limit.take(5, start).unwrap();
    limit.reconfigure(&limits(100, 50, 0));
    assert_eq!(limit.available(start), 0, "half a second of debt at ten a second is 50 at 100");
    assert!(limit.take(1, start + ms(10)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiting_callers_are_served_in_turn_and_cancelled_ones_give_back() {
    let clock = TokioClock;
    let start = clock.now();
    let limit = RateLimit::new(&limits(10, 1, 1_000), start);
    limit.acquire(1, &clock).await.unwrap();
    let gone = tokio::time::timeout(ms(50), limit.acquire(1, &clock)).await;
    assert!(gone.is_err());
    limit.acquire(1, &clock).await.unwrap();
    assert_eq!((clock.now() - start).as_millis(), 100);
}

#[test]
fn keys_do_not_share_tokens() {
    let start = moment();
    let keyed = Keyed::new(&limits(10, 2, 0), 100, start);
    for key in ["a", "b"] {
        assert_eq!((0..5).filter(|_| keyed.take(&key, 1, start).is_ok()).count(), 2);
    }
}

#[test]
fn memory_is_bounded_and_a_key_in_debt_is_never_forgotten() {
    let start = moment();
    let keyed = Keyed::new(&limits(1, 1, 0), 160, start);
    let debtors: Vec<u32> = (0..100_000).filter(|key| keyed.take(key, 1, start).is_ok()).collect();
    assert!(keyed.len() <= 160, "{}", keyed.len());
    assert_eq!(debtors.len(), keyed.len());
    assert!(debtors.iter().all(|key| keyed.take(key, 1, start).is_err()));
    let later = start + Duration::from_secs(1);
    let served = (200_000..200_100_u32).filter(|key| keyed.take(key, 1, later).is_ok()).count();
    assert!(served >= 80, "paid-back keys make room: {served}");
    assert!(keyed.len() <= 160);
}

#[test]
fn defaults_are_valid() {
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    assert_eq!(
        said(Config { tokens: 0, ..Config::default() }),
        "`rate.tokens` must be 1 to 1000000000, not 0"
    );
    assert_eq!(
        said(Config { per: Duration::ZERO, ..Config::default() }),
        "`rate.per` must be 1ms to 1day, not 0s"
    );
}

/// The textbook bucket: a count that grows with time. In integers, so that it is exact.
struct Textbook {
    level: u64,
    at: u64,
}

impl Textbook {
    fn take(&mut self, quota: Quota, tokens: u32, now: u64) -> bool {
        let full = quota.interval * u64::from(quota.burst);
        self.level = (self.level + (now - self.at)).min(full);
        self.at = now;
        let cost = quota.interval * u64::from(tokens);
        let granted = self.level >= cost;
        if granted {
            self.level -= cost;
        }
        granted
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn grants_exactly_what_the_textbook_bucket_grants(
        interval in 1_u64..50,
        burst in 1_u32..8,
        asks in prop::collection::vec((0_u64..60, 1_u32..4), 1..40),
    ) {
        let quota = Quota { interval, burst };
        let bucket = Bucket::new();
        let mut textbook = Textbook { level: interval * u64::from(burst), at: 0 };
        let mut now = 0;
        for (gap, tokens) in asks {
            now += gap;
            let granted = matches!(bucket.take(quota, tokens, now, 0), Take::Granted { .. });
            prop_assert_eq!(granted, textbook.take(quota, tokens, now));
        }
    }

    #[test]
    fn no_stretch_of_time_sees_more_than_burst_and_rate(
        interval in 1_u64..50,
        burst in 1_u32..8,
        patience in 0_u64..200,
        asks in prop::collection::vec((0_u64..60, 1_u32..4, any::<bool>()), 1..40),
    ) {
        let quota = Quota { interval, burst };
        let bucket = Bucket::new();
        let (mut now, mut used) = (0, Vec::new());
        for (gap, tokens, kept) in asks {
            now += gap;
            if let Take::Granted { wait } = bucket.take(quota, tokens, now, patience) {
                prop_assert!(wait <= patience);
                if kept {
                    used.push((now + wait, u64::from(tokens)));
                } else if wait > 0 {
                    bucket.refund(quota, tokens);
                } else {
                    used.push((now, u64::from(tokens)));
                }
            }
        }
        used.sort_unstable();
        for (i, &(from, _)) in used.iter().enumerate() {
            let mut sum = 0;
            for &(to, tokens) in &used[i..] {
                sum += tokens;
                let allowed = u64::from(burst) + (to - from) / interval;
                prop_assert!(sum <= allowed + 1, "{sum} in {} of {allowed}", to - from);
            }
        }
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn each_key_has_a_textbook_bucket_of_its_own(
        burst in 1_u32..6,
        asks in prop::collection::vec((0_u64..200, 0_u8..12, 1_u32..3), 1..60),
    ) {
        let start = moment();
        let keyed = Keyed::new(&limits(10, burst, 0), 400, start);
        let quota = Quota { interval: 100, burst };
        let mut books = std::collections::HashMap::new();
        let mut now = 0;
        for (gap, key, tokens) in asks {
            now += gap;
            let full = Textbook { level: 100 * u64::from(burst), at: 0 };
            let expected = books.entry(key).or_insert(full).take(quota, tokens, now);
            prop_assert_eq!(keyed.take(&key, tokens, start + ms(now)).is_ok(), expected);
        }
    }
}
