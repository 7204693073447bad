//! Claims about anytime validity, by simulation at sizes that suit every test run. The full
//! sizes: `cargo run --release -p consort-bandit --example peeking`.

use super::*;
use crate::rng::uniform;

fn coin(seed: u64, stream: u64, t: u64, p: f64) -> f64 {
    if uniform(seed, stream, t) < p { 1.0 } else { 0.0 }
}

/// Share of `runs` in which an interval ever fails to hold the truth.
fn ever_missed(runs: u64, mut misses: impl FnMut(u64) -> bool) -> f64 {
    (0..runs).filter(|&run| misses(run)).count() as f64 / runs as f64
}

#[test]
fn empirical_bernstein_hardly_ever_misses_under_peeking() {
    for (p, widest) in [(0.5, 0.09), (0.01, 0.03), (0.95, 0.06)] {
        let missed = ever_missed(200, |run| {
            let mut sequence = EmpiricalBernstein::new(0.05).unwrap();
            let missed = (0..2000).any(|t| {
                sequence.push(coin(run, 0, t, p)).unwrap();
                let interval = sequence.interval();
                interval.low > p || interval.high < p
            });
            assert!(missed || sequence.interval().high - sequence.interval().low < 2.0 * widest);
            missed
        });
        assert!(missed <= 0.05, "{p}: {missed}");
    }
}

#[test]
fn asymptotic_sequences_wait_and_then_hold() {
    let missed = ever_missed(300, |run| {
        let mut sequence = Asymptotic::new(0.05).unwrap();
        (0..2000).any(|t| {
            sequence.push(coin(run, 1, t, 0.5)).unwrap();
            assert_eq!(sequence.interval().is_some(), t >= 29);
            sequence.interval().is_some_and(|i| i.low > 0.5 || i.high < 0.5)
        })
    });
    assert!(missed <= 0.08, "{missed}");
}

/// One run of an ε-greedy logger that learns, evaluated for a fixed target policy: whether the
/// interval ever missed, and its final half-width.
fn gate(run: u64, floor: f64, k: f64, n: u64) -> (bool, f64) {
    const MEANS: [f64; 4] = [0.3, 0.5, 0.45, 0.6];
    let target = [0.1, 0.1, 0.7, 0.1];
    let truth: f64 = target.iter().zip(MEANS).map(|(p, m)| p * m).sum();
    let (mut pulls, mut sums) = ([1.0; 4], [0.5; 4]);
    let mut sequence = OffPolicy::new(0.05, k).unwrap();
    let mut missed = false;
    for t in 0..n {
        let predicted: [f64; 4] = std::array::from_fn(|a| sums[a] / pulls[a]);
        let best = (0..4).max_by(|&a, &b| predicted[a].total_cmp(&predicted[b])).unwrap();
        let logging: [f64; 4] =
            std::array::from_fn(|a| floor / 4.0 + if a == best { 1.0 - floor } else { 0.0 });
        let mut u = uniform(run, 2, t);
        let arm = logging
            .iter()
            .position(|p| {
                u -= p;
                u < 0.0
            })
            .unwrap_or(3);
        let reward = coin(run, 3, t, MEANS[arm]);
        sequence
            .push(&Step { arm, reward, target: &target, logging: &logging, predicted: &predicted })
            .unwrap();
        (pulls[arm], sums[arm]) = (pulls[arm] + 1.0, sums[arm] + reward);
        let interval = sequence.interval();
        missed |= interval.low > truth || interval.high < truth;
    }
    let interval = sequence.interval();
    (missed, 0.5 * (interval.high - interval.low))
}

#[test]
fn off_policy_sequences_hold_under_an_adaptive_logger() {
    for (floor, k) in [(0.3, 12.0), (0.1, 30.0)] {
        let mut widths = Vec::new();
        let missed = ever_missed(60, |run| {
            let (missed, width) = gate(run, floor, k, 2000);
            widths.push(width);
            missed
        });
        assert!(missed <= 0.05, "{floor}: {missed}");
        assert!(widths.iter().all(|width| *width < 0.25), "{widths:?}");
    }
}

#[test]
fn a_target_beyond_the_log_gets_an_honest_interval() {
    // The target plays an arm the logger never can: the interval must not shrink around a guess.
    let mut sequence = OffPolicy::new(0.05, 12.0).unwrap();
    let step =
        Step { arm: 0, reward: 1.0, target: &[0.5, 0.5], logging: &[1.0, 0.0], predicted: &[] };
    (0..5000).for_each(|_| sequence.push(&step).unwrap());
    let interval = sequence.interval();
    assert!(interval.low < 0.5 && interval.high > 0.99, "{interval:?}");
}

#[test]
fn inputs_out_of_range_are_refused() {
    assert!(EmpiricalBernstein::new(0.0).is_err() && Asymptotic::new(1.0).is_err());
    assert!(OffPolicy::new(0.05, 0.0).is_err() && Race::new(1, 0.05, Range::UNIT).is_err());
    assert!(Race::new(2, 0.05, Range { low: 1.0, high: 1.0 }).is_err());
    let mut sequence = EmpiricalBernstein::new(0.05).unwrap();
    assert!(sequence.push(1.5).is_err() && sequence.push(f64::NAN).is_err() && sequence.is_empty());
    let mut sequence = OffPolicy::new(0.05, 5.0).unwrap();
    let good =
        Step { arm: 0, reward: 0.5, target: &[0.5, 0.5], logging: &[0.5, 0.5], predicted: &[] };
    for bad in [
        Step { arm: 2, ..good },
        Step { reward: -0.1, ..good },
        Step { logging: &[0.0, 1.0], ..good },
        Step { logging: &[1.0], ..good },
        Step { predicted: &[1.0], ..good },
    ] {
        assert!(sequence.push(&bad).is_err(), "{bad:?}");
    }
    assert!(sequence.is_empty());
}

#[test]
fn capital_is_a_fair_game_and_grows_on_evidence() {
    let mut rich = 0;
    for run in 0..400 {
        let mut betting = Betting::default();
        rich += u32::from((0..1000).any(|t| {
            betting.push(coin(run, 5, t, 0.5) - coin(run, 6, t, 0.5));
            betting.capital() >= 20.0
        }));
    }
    assert!(rich <= 20, "{rich}");
    let mut betting = Betting::default();
    (0..100).for_each(|_| betting.push(0.3));
    assert!(betting.capital() > 1e4);
    betting.push(f64::NAN);
    assert!(betting.capital().is_finite());
}

/// Rounds until a verdict, and the verdict.
fn race(
    run: u64,
    delta: f64,
    range: Range,
    cap: u64,
    draw: impl Fn(u64, usize, u64) -> f64,
    arms: usize,
) -> (u64, Verdict) {
    let mut race = Race::new(arms, delta, range).unwrap();
    for t in 0..cap {
        for arm in 0..arms {
            race.push(arm, draw(run, arm, t)).unwrap();
        }
        if race.verdict() != Verdict::Open {
            break;
        }
    }
    (race.rounds(), race.verdict())
}

#[test]
fn races_name_the_best_arm_in_reasonable_time() {
    const P: [f64; 3] = [0.9, 0.6, 0.6];
    let (mut wrong, mut rounds) = (0, 0);
    for run in 0..40 {
        let (n, verdict) =
            race(run, 0.05, Range::UNIT, 20_000, |run, arm, t| coin(run, arm as u64, t, P[arm]), 3);
        wrong += u32::from(verdict != Verdict::Best(0));
        rounds += n;
    }
    assert!(wrong <= 1 && rounds / 40 < 150, "{wrong} {rounds}");
}

#[test]
fn a_rare_large_loss_is_never_promoted() {
    // Better by 0.02 nearly always, and −5 once in a hundred: truly worse.
    let draw = |run, arm: usize, t| {
        let base = coin(run, 10 + arm as u64, t, 0.5);
        match arm {
            1 if uniform(run, 20, t) < 0.01 => -5.0,
            1 => base * 0.98 + 0.02,
            _ => base,
        }
    };
    for run in 0..20 {
        let honest = Range { low: -5.0, high: 1.0 };
        let (_, verdict) = race(run, 0.05, honest, 3_000, draw, 2);
        assert_ne!(verdict, Verdict::Best(1));
        // Declared too narrow, the clipped losses are seen and nothing is promoted on them.
        let (_, verdict) = race(run, 0.05, Range::UNIT, 3_000, draw, 2);
        assert_ne!(verdict, Verdict::Best(1));
    }
}

fn settings() -> Settings {
    Settings { shadow: 0, share: 0.5, ..Settings::default() }
}

/// Runs one experiment over `units` units with the given means of control and candidates.
fn experiment(
    run: u64,
    settings: Settings,
    units: u64,
    control: f64,
    candidates: &[f64],
) -> Experiment {
    let mut experiment = Experiment::new(candidates.len(), run, settings).unwrap();
    for t in 0..units {
        let served = experiment.allocate(&t.to_string());
        let mean = match served {
            Allocation::Control => control,
            Allocation::Candidate(index) => candidates[index],
        };
        experiment.reward(served, coin(run, 30, t, mean)).unwrap();
    }
    experiment
}

fn phase(experiment: &Experiment, candidate: usize) -> Phase {
    experiment.standing(candidate).unwrap().phase
}

/// Two hundred here; the full 1,000 are in the example.
#[test]
fn peeked_at_identical_versions_are_hardly_ever_promoted() {
    let promoted = (0..200)
        .filter(|&run| phase(&experiment(run, settings(), 1500, 0.5, &[0.5]), 0) == Phase::Promoted)
        .count();
    assert!(promoted <= 10, "{promoted}");
}

#[test]
fn a_canary_ten_points_worse_is_withdrawn_and_a_better_one_promoted() {
    for run in 0..20 {
        let worse = experiment(run, settings(), 6_000, 0.6, &[0.5]);
        assert_eq!(phase(&worse, 0), Phase::Withdrawn(Reason::Worse), "{:?}", worse.standing(0));
        let better = experiment(run, settings(), 6_000, 0.5, &[0.6]);
        assert_eq!(phase(&better, 0), Phase::Promoted, "{:?}", better.standing(0));
    }
}

#[test]
fn only_one_of_several_candidates_is_promoted() {
    let done = experiment(1, Settings { share: 0.6, ..settings() }, 20_000, 0.4, &[0.45, 0.7, 0.2]);
    assert_eq!(phase(&done, 1), Phase::Promoted);
    assert!(matches!(phase(&done, 0), Phase::Withdrawn(_)));
    assert!(matches!(phase(&done, 2), Phase::Withdrawn(_)));
}

#[test]
fn the_shadow_earns_nothing_and_can_fail() {
    let mut watched = Experiment::new(2, 1, Settings { shadow: 10, ..settings() }).unwrap();
    for i in 0..10 {
        assert_eq!(watched.allocate(&i.to_string()), Allocation::Control);
        watched.shadowed(0, i % 2 == 0, false);
        watched.shadowed(1, true, true);
        watched.reward(Allocation::Control, 1.0).unwrap();
    }
    let standing = watched.standing(0).unwrap();
    assert_eq!(
        (standing.phase, standing.agreed, standing.rewards, standing.mean),
        (Phase::Canary, 5, 0, None)
    );
    assert_eq!((standing.better, standing.worse), (1.0, 1.0));
    assert_eq!(phase(&watched, 1), Phase::Withdrawn(Reason::Failures));
    assert_eq!(watched.control(), (10, Some(1.0)));
}

#[test]
fn allocation_is_sticky_and_has_the_declared_shares() {
    let running =
        Experiment::new(2, 9, Settings { shadow: 0, share: 0.2, ..Settings::default() }).unwrap();
    let mut counts = [0_u32; 3];
    for unit in 0..20_000 {
        let name = format!("user-{unit}");
        let served = running.allocate(&name);
        assert_eq!(served, running.allocate(&name));
        counts[match served {
            Allocation::Control => 0,
            Allocation::Candidate(i) => i + 1,
        }] += 1;
    }
    assert!(counts[1].abs_diff(2000) < 200 && counts[2].abs_diff(2000) < 200, "{counts:?}");
}

#[test]
fn lift_comes_from_means_not_sums() {
    // A canary with a tenth of the traffic and better rewards has a smaller sum.
    let done = experiment(3, Settings { share: 0.1, ..settings() }, 60_000, 0.5, &[0.6]);
    assert_eq!(phase(&done, 0), Phase::Promoted);
    let standing = done.standing(0).unwrap();
    assert!(standing.mean.unwrap() > done.control().1.unwrap());
    assert!((standing.rewards as f64) < 0.2 * done.control().0 as f64);
}

#[test]
fn one_reward_each_decides_nothing() {
    let mut started = Experiment::new(1, 5, settings()).unwrap();
    started.reward(Allocation::Control, 0.0).unwrap();
    started.reward(Allocation::Candidate(0), 1.0).unwrap();
    assert_eq!(phase(&started, 0), Phase::Canary);
    assert_eq!(race(5, 0.05, Range::UNIT, 1, |_, arm, _| arm as f64, 2).1, Verdict::Open);
}

#[test]
fn every_setting_of_an_experiment_is_read_by_it() {
    let base =
        Settings { shadow: 4, shadow_failures: 1, share: 0.5, patience: 60, ..Settings::default() };
    // One is better, one fails now and then in the shadow, one is worse.
    let told = |settings: Settings| {
        let mut running = Experiment::new(3, 6, settings).unwrap();
        for t in 0..12 {
            (0..3).for_each(|index| running.shadowed(index, true, index == 1 && t % 3 == 0));
        }
        for t in 0..400 {
            let served = running.allocate(&t.to_string());
            let mean = match served {
                Allocation::Control => 0.4,
                Allocation::Candidate(index) => [0.75, 0.4, 0.1][index],
            };
            running.reward(served, coin(6, 31, t, mean)).unwrap();
        }
        format!("{:?} {:?}", [0, 1, 2].map(|index| running.standing(index)), running.control())
    };
    let usual = told(base);
    for other in [
        Settings { shadow: 8, ..base },
        Settings { shadow_failures: 0, ..base },
        Settings { share: 0.3, ..base },
        Settings { promote_alpha: 0.9, ..base },
        Settings { withdraw_alpha: 0.9, ..base },
        Settings { patience: 5, ..base },
        Settings { range: Range { low: -1.0, high: 1.0 }, ..base },
    ] {
        assert_ne!(told(other), usual, "{other:?}");
    }
}
