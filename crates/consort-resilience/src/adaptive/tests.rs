//! Claims about adaptive concurrency.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::testing::histories;

/// Lets a callee that serves `capacity` calls at once in 10 ms, and queues the rest, run into the
/// limit for `rounds` rounds; returns the limits after each.
fn drive(adaptive: &Adaptive, capacity: f64, rounds: usize) -> Vec<u32> {
    let mut seen = Vec::new();
    for _ in 0..rounds {
        let limit = adaptive.limit();
        let took = Duration::from_secs_f64(0.01 * (f64::from(limit) / capacity).max(1.0));
        for _ in 0..limit.max(SMALLEST_ROUND) {
            let sample = Sample { took, charge: Charge::Success, in_flight: limit };
            let _ = adaptive.sample(sample);
        }
        seen.push(adaptive.limit());
    }
    seen
}

fn adaptive(config: Config, limit: u32) -> Adaptive {
    Adaptive::new(config.validate().unwrap(), limit)
}

#[test]
fn limit_grows_by_one_per_round_while_latency_is_flat() {
    let adaptive = adaptive(Config::default(), 10);
    assert_eq!(drive(&adaptive, 1_000.0, 5), [11, 12, 13, 14, 15]);
}

#[test]
fn limit_settles_near_what_the_callee_can_take() {
    let adaptive = adaptive(Config::default(), 10);
    let settled = drive(&adaptive, 40.0, 2_000).split_off(500);
    // Latency doubles at twice the capacity: the limit swings below that and above the knee, apart
    // from the moments in which it measures.
    let searching = settled.iter().filter(|&&limit| (40..=90).contains(&limit)).count();
    assert!(searching * 100 >= settled.len() * 90, "{settled:?}");
    assert!(settled.iter().all(|&limit| limit <= 90), "{settled:?}");
}

#[test]
fn limit_stays_inside_its_bounds() {
    let low = adaptive(Config { min: 4, ..Config::default() }, 10);
    for _ in 0..1_000 {
        let took = Duration::from_millis(10);
        let _ = low.sample(Sample { took, charge: Charge::Failure, in_flight: 10 });
    }
    assert_eq!(low.limit(), 4);
    let high = adaptive(Config { max: 12, ..Config::default() }, 10);
    let limits = drive(&high, 1_000.0, 200);
    assert_eq!(limits.iter().max(), Some(&12));
    assert_eq!(adaptive(Config::default(), 5_000).limit(), 200);
}

#[test]
fn idle_callee_teaches_nothing() {
    let adaptive = adaptive(Config::default(), 50);
    for _ in 0..1_000 {
        let took = Duration::from_millis(10);
        let sample = Sample { took, charge: Charge::Success, in_flight: 3 };
        assert_eq!(adaptive.sample(sample), None);
    }
}

#[test]
fn callee_that_became_slower_for_good_is_believed_in_the_end() {
    let adaptive = adaptive(Config::default(), 20);
    drive(&adaptive, 1_000.0, 10);
    let mut limits = Vec::new();
    for _ in 0..400 {
        let limit = adaptive.limit();
        for _ in 0..limit.max(SMALLEST_ROUND) {
            let took = Duration::from_millis(50);
            let sample = Sample { took, charge: Charge::Success, in_flight: limit };
            let _ = adaptive.sample(sample);
        }
        limits.push(adaptive.limit());
    }
    assert!(limits.iter().any(|&limit| limit < 10), "first it backs off");
    assert!(limits[399] > 30 || limits[390] > 30, "then it learns: {limits:?}");
}

#[test]
fn fixed_latency_needs_no_learning() {
    let config = Config { latency: Some(Duration::from_millis(15)), ..Config::default() };
    let adaptive = adaptive(config, 100);
    let settled = drive(&adaptive, 40.0, 200).split_off(100);
    assert!(settled.iter().all(|&limit| (50..=62).contains(&limit)), "{settled:?}");
}

#[test]
fn quick_failures_do_not_look_like_a_fast_callee() {
    let adaptive = adaptive(Config::default(), 10);
    for i in 0..2_000 {
        let failed = i % 4 == 0;
        let took = Duration::from_millis(if failed { 0 } else { 50 });
        let charge = if failed { Charge::Failure } else { Charge::Success };
        let _ = adaptive.sample(Sample { took, charge, in_flight: adaptive.limit() });
    }
    assert!(adaptive.limit() > 20, "{}", adaptive.limit());
}

#[test]
fn neutral_results_do_not_count() {
    let adaptive = adaptive(Config::default(), 10);
    for _ in 0..1_000 {
        let took = Duration::from_secs(9);
        assert_eq!(adaptive.sample(Sample { took, charge: Charge::Nothing, in_flight: 10 }), None);
    }
}

#[test]
fn new_limits_keep_what_was_learned() {
    let adaptive = adaptive(Config::default(), 10);
    drive(&adaptive, 1_000.0, 20);
    adaptive.reconfigure(Config { max: 300, ..Config::default() }.validate().unwrap());
    assert_eq!(adaptive.limit(), 30);
    adaptive.reconfigure(Config { max: 20, ..Config::default() }.validate().unwrap());
    assert_eq!(adaptive.limit(), 20);
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    let default = Config::default;
    assert_eq!(
        said(Config { backoff: 1.0, ..default() }),
        "`adaptive.backoff` must be 0.5 to 0.99, not 1"
    );
    assert_eq!(
        said(Config { min: 10, max: 5, ..default() }),
        "`adaptive.max` must not be less than `adaptive.min`"
    );
    assert_eq!(default().validate(), Ok(Limits::default()));
}

proptest! {
    #![proptest_config(histories())]

    /// With a fixed latency it is plain additive increase and multiplicative decrease.
    #[test]
    fn fixed_latency_gives_the_textbook_limit(
        first in 1_u32..60,
        samples in prop::collection::vec((0_u64..30, 0_u8..8, any::<bool>()), 1..400),
    ) {
        // No average of forty whole milliseconds is that, so rounding decides nothing.
        let latency = Some(Duration::from_micros(15_003));
        let adaptive = adaptive(Config { min: 3, max: 40, latency, ..Config::default() }, first);
        let mut limit = f64::from(first.clamp(3, 40));
        let mut round: Vec<(u64, bool, bool)> = Vec::new();
        for (took, kind, busy) in samples {
            let charge = match kind {
                0 => Charge::Nothing,
                1 | 2 => Charge::Failure,
                _ => Charge::Success,
            };
            let in_flight = if busy { adaptive.limit() } else { 1 };
            let _ = adaptive.sample(Sample { took: Duration::from_millis(took), charge, in_flight });
            if charge != Charge::Nothing {
                let much = f64::from(in_flight) * 2.0 > limit;
                round.push((took, charge == Charge::Failure, much));
            }
            if round.len() >= (limit as usize).max(10) {
                let good: Vec<u64> =
                    round.iter().filter(|call| !call.1).map(|call| call.0).collect();
                let sum = good.iter().sum::<u64>() as f64;
                let is_slow = !good.is_empty() && sum / good.len() as f64 > 15.003;
                if is_slow || round.len() > 2 * good.len() {
                    limit *= 0.9;
                } else if round.iter().any(|call| call.2) {
                    limit += 1.0;
                }
                limit = limit.clamp(3.0, 40.0);
                round.clear();
            }
            prop_assert_eq!(adaptive.limit(), limit as u32);
        }
    }

    #[test]
    fn limit_keeps_its_bounds_whatever_is_seen(
        (min, more, first) in (1_u32..20, 0_u32..50, 1_u32..100),
        samples in prop::collection::vec((0_u64..5_000_000, 0_u8..3, 0_u32..200), 1..400),
    ) {
        let max = min + more;
        let adaptive = adaptive(Config { min, max, ..Config::default() }, first);
        for (micros, kind, in_flight) in samples {
            let charge = [Charge::Success, Charge::Failure, Charge::Nothing][usize::from(kind)];
            let before = adaptive.limit();
            let told = adaptive.sample(Sample { took: Duration::from_micros(micros), charge, in_flight });
            let limit = adaptive.limit();
            prop_assert!((min..=max).contains(&limit), "{limit}");
            prop_assert_eq!(told, (limit != before).then_some(limit));
        }
    }
}
