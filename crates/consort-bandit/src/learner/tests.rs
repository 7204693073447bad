//! Claims about exactly-once learning, from single records to crashes at random points.

use super::*;
use crate::codec::{from_bytes, to_bytes};
use crate::linear::{Config, Ridge};
use crate::rng::{bits, uniform};
use crate::{Agent, linucb};

type Bandit = Learner<Agent<Ridge>>;

fn learner(limits: Limits) -> Bandit {
    Learner::new(linucb(Config::new(3, 2), 0.5).unwrap(), limits).unwrap()
}

fn decided(id: u128, at: u64) -> Record {
    let x = vec![uniform(1, 0, id as u64), uniform(1, 1, id as u64)];
    let arm = (bits(1, 2, id as u64) % 3) as usize;
    Record::Decided(Decided { id: DecisionId(id), at, x, arm, propensity: 0.4 })
}

fn rewarded(decision: u128, id: u128, at: u64) -> Record {
    let value = uniform(2, id as u64, decision as u64);
    let (decision, id) = (DecisionId(decision), RewardId(id));
    Record::Rewarded(Rewarded { decision, id, at, value, weight: 1.0 })
}

/// Applies records at positions 1, 2, … and compares what became of each.
#[track_caller]
fn check(limits: Limits, script: &[(Record, Applied)]) -> Bandit {
    let mut learner = learner(limits);
    for (position, (record, expected)) in script.iter().enumerate() {
        let applied = learner.apply(position as u64 + 1, record);
        assert_eq!(applied, *expected, "at {position}: {record:?}");
    }
    learner
}

fn learned(decision: u64) -> Applied {
    Applied::Learned { arm: (bits(1, 2, decision) % 3) as usize }
}

const SMALL: Limits = Limits { deadline: 100, open: 3, early: 2 };

#[test]
fn a_decision_takes_so_many_rewards_and_no_more() {
    let mut learner = learner(Limits::default());
    learner.apply(1, &decided(1, 0));
    let most = MOST_REWARDS as u64;
    for id in 0..most + 10 {
        let expected = if id < most { learned(1) } else { Applied::Closed };
        assert_eq!(learner.apply(id + 2, &rewarded(1, id.into(), 0)), expected, "{id}");
    }
    assert_eq!(learner.apply(most + 20, &rewarded(1, 7, 0)), Applied::Duplicate);
    assert_eq!((learner.counters().learned, learner.counters().closed), (most, 10));
}

#[test]
fn each_reward_id_counts_once_per_decision() {
    let learner = check(
        SMALL,
        &[
            (decided(1, 0), Applied::Opened),
            (decided(2, 0), Applied::Opened),
            (decided(1, 0), Applied::Duplicate),
            (rewarded(1, 1, 5), learned(1)),
            (rewarded(1, 1, 6), Applied::Duplicate),
            (rewarded(1, 2, 6), learned(1)),
            (rewarded(2, 1, 6), learned(2)),
        ],
    );
    assert_eq!(learner.policy().seen(), 3);
    assert_eq!(
        learner.counters(),
        Counters { opened: 2, learned: 3, duplicates: 2, ..Counters::default() }
    );
}

#[test]
fn rewards_may_come_before_their_decision() {
    let learner = check(
        SMALL,
        &[
            (rewarded(4, 1, 0), Applied::Early),
            (rewarded(4, 1, 1), Applied::Duplicate),
            (rewarded(4, 2, 2), Applied::Early),
            (decided(4, 0), Applied::OpenedAndLearned { rewards: 2 }),
            (rewarded(4, 2, 3), Applied::Duplicate),
        ],
    );
    assert_eq!((learner.counters().learned, learner.waiting()), (2, (1, 0)));
}

#[test]
fn a_closed_decision_stays_closed() {
    let learner = check(
        SMALL,
        &[
            (decided(1, 0), Applied::Opened),
            (rewarded(1, 1, 50), learned(1)),
            (decided(2, 60), Applied::Opened),
            // Log time 100 closes decision 1. Neither it nor its reward may come back.
            (rewarded(2, 1, 100), learned(2)),
            (decided(1, 0), Applied::Closed),
            (rewarded(1, 1, 100), Applied::Early),
        ],
    );
    let counters = learner.counters();
    assert_eq!((counters.learned, counters.expired, counters.unanswered), (2, 1, 0));
}

#[test]
fn space_is_bounded_and_what_gives_way_is_counted() {
    let mut learner = learner(SMALL);
    for id in 0..1000 {
        learner.apply(id + 1, &decided(u128::from(id), id / 100));
    }
    assert!(learner.waiting().0 <= 3);
    let counters = learner.counters();
    assert_eq!(counters.evicted, counters.unanswered);
    assert_eq!(counters.opened + counters.closed, 1000);
    assert_eq!(learner.apply(2000, &decided(0, 0)), Applied::Closed);
    for id in 5000..5010 {
        learner.apply(id, &rewarded(u128::from(id), 0, 9));
    }
    assert_eq!((learner.waiting().1, learner.counters().unmatched), (2, 8));
}

#[test]
fn a_million_unanswered_decisions_take_bounded_space() {
    let mut learner = learner(Limits { deadline: 1_000, open: 500, early: 10 });
    for id in 0..1_000_000_u64 {
        learner.apply(id + 1, &decided(u128::from(id), id));
    }
    assert_eq!(learner.waiting(), (500, 0));
    let counters = learner.counters();
    assert_eq!(counters.expired + counters.evicted, 999_500);
    assert_eq!(counters.unanswered, 999_500);
}

#[test]
fn a_clock_that_goes_back_reopens_nothing() {
    check(
        SMALL,
        &[
            (decided(1, 1_000), Applied::Opened),
            (decided(2, 200), Applied::Closed),
            (decided(3, 950), Applied::Opened),
            (rewarded(3, 1, 10), learned(3)),
            (rewarded(1, 1, 1_050), Applied::Learned { arm: (bits(1, 2, 1) % 3) as usize }),
            // Decision 3 was made at 950, so it closes before decision 1.
            (rewarded(3, 2, 0), Applied::Early),
        ],
    );
}

#[test]
fn values_no_learner_may_see_are_refused_and_counted() {
    let mut learner = learner(SMALL);
    let Record::Decided(good) = decided(1, 0) else { return };
    let bad = Record::Decided(Decided { x: vec![f64::NAN, 0.0], ..good.clone() });
    assert!(matches!(learner.apply(1, &bad), Applied::Refused(Refused::NotFinite { index: 0 })));
    let bad = Record::Decided(Decided { propensity: 0.0, ..good.clone() });
    assert!(matches!(learner.apply(2, &bad), Applied::Refused(Refused::Propensity { .. })));
    learner.apply(3, &Record::Decided(good));
    let Record::Rewarded(reward) = rewarded(1, 1, 0) else { return };
    let bad = Record::Rewarded(Rewarded { value: 7.0, ..reward });
    assert!(matches!(learner.apply(4, &bad), Applied::Refused(Refused::Reward { .. })));
    // The refused value did not use up its id.
    assert_eq!(learner.apply(5, &Record::Rewarded(reward)), learned(1));
    assert_eq!(learner.counters().refused, 3);
}

/// A log of `n` records with repeats, rewards before decisions, late and lost rewards.
fn messy_log(n: u64, seed: u64) -> Vec<Record> {
    let mut timed = Vec::new();
    for i in 0..n {
        let id = u128::from(i);
        let made = i + (bits(seed, 1, i) % 20);
        timed.push((made, decided(id, i)));
        if uniform(seed, 2, i) < 0.05 {
            timed.push((made + 3, decided(id, i)));
        }
        for reward in 0..bits(seed, 3, i) % 3 {
            let delay = (uniform(seed, 4 + reward, i).powi(3) * 300.0) as u64;
            // Some arrive before their decision was written.
            let arrival = i + delay;
            timed.push((arrival, rewarded(id, u128::from(reward), arrival)));
            if uniform(seed, 8 + reward, i) < 0.1 {
                timed.push((arrival + 40, rewarded(id, u128::from(reward), arrival + 40)));
            }
        }
    }
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, record)| record).collect()
}

#[test]
fn crashes_at_random_points_change_no_bit() {
    let limits = Limits { deadline: 200, open: 150, early: 60 };
    let log = messy_log(3_000, 9);
    let mut whole = learner(limits);
    for (i, record) in log.iter().enumerate() {
        whole.apply(i as u64 + 1, record);
    }
    let expected = to_bytes(&whole);
    let counters = whole.counters();
    assert!(
        counters.early > 100 && counters.duplicates > 100 && counters.expired > 100,
        "{counters:?}"
    );
    for crash in 0..20 {
        // Snapshots fall at random points; after each crash the log is replayed from a random
        // earlier point, as a reader that lost its place would.
        let mut disk = to_bytes(&learner(limits));
        let mut at = 0;
        while at < log.len() {
            let mut live: Bandit = from_bytes(&disk).unwrap();
            let back = (uniform(crash, 0, at as u64) * 30.0) as usize;
            let start = (live.position() as usize).saturating_sub(back);
            let end = (at + 1 + (uniform(crash, 1, at as u64) * 900.0) as usize).min(log.len());
            let snapshot =
                start.max(at) + (uniform(crash, 2, at as u64) * (end - at) as f64) as usize;
            for (i, record) in log.iter().enumerate().take(end).skip(start) {
                live.apply(i as u64 + 1, record);
                if i == snapshot {
                    disk = to_bytes(&live);
                }
            }
            at = from_bytes::<Bandit>(&disk).unwrap().position().max(at as u64 + 1) as usize;
            if end == log.len() {
                assert!(to_bytes(&live) == expected, "crash {crash}");
                break;
            }
            at = at.min(end);
        }
    }
}

#[test]
fn every_record_is_accounted_for() {
    let mut learner = learner(Limits { deadline: 200, open: 150, early: 60 });
    let log = messy_log(3_000, 4);
    for (i, record) in log.iter().enumerate() {
        learner.apply(i as u64 + 1, record);
    }
    let c = learner.counters();
    let waiting = learner.waiting().1 as u64;
    assert_eq!(
        c.opened + c.learned + c.duplicates + c.closed + c.refused + c.unmatched + waiting,
        log.len() as u64
    );
    assert_eq!(c.learned, learner.policy().seen());
}

#[test]
fn damaged_snapshots_are_refused() {
    let mut learner = learner(SMALL);
    for i in 0..9 {
        learner.apply(i + 1, &decided(u128::from(i), i));
    }
    let bytes = to_bytes(&learner);
    assert!(from_bytes::<Bandit>(&bytes).is_ok());
    for cut in 0..bytes.len() {
        assert!(from_bytes::<Bandit>(&bytes[..cut]).is_err());
    }
}
