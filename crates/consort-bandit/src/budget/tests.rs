//! Claims about choosing under budgets.

use super::*;
use crate::codec::{from_bytes, to_bytes};
use crate::rng::{normal, uniform};

const ROUNDS: u64 = 2_000;

/// Arm 0 is cheap and fair, arm 1 dear and better where x > 0.
fn mean(x: f64, arm: usize) -> f64 {
    (0.4 + if arm == 1 { 0.1 + 0.3 * x } else { 0.0 }).clamp(0.0, 1.0)
}

fn policy(budget: f64) -> Budgeted<Ridge> {
    policy_until(ROUNDS, budget)
}

fn policy_until(horizon: u64, budget: f64) -> Budgeted<Ridge> {
    let money = Resource { budget, most: vec![0.2, 1.0] };
    let model = Ridge::new(linear::Config::new(2, 1)).unwrap();
    Budgeted::new(model, Config::new(horizon, vec![money])).unwrap()
}

/// Plays some rounds; every reward comes `delay` rounds late. Returns the sum of mean rewards.
fn play(policy: &mut Budgeted<Ridge>, rounds: std::ops::Range<u64>, delay: usize) -> f64 {
    let (mut odds, mut sum, mut late) = (Odds::new(), 0.0, std::collections::VecDeque::new());
    for t in rounds {
        let x = [normal(1, 0, t)];
        let draw = Draw { seed: 2, counter: t };
        let Some(chosen) = policy.decide(&x, &ArmSet::all(2), draw, &mut odds).unwrap() else {
            continue;
        };
        sum += mean(x[0], chosen.arm);
        let used = [0.2, 1.0][chosen.arm] * (0.5 + 0.5 * uniform(4, 0, t));
        policy.settle(&x, chosen.arm, &[used]).unwrap();
        let won = uniform(3, chosen.arm as u64, t) < mean(x[0], chosen.arm);
        late.push_back((x, chosen, if won { 1.0 } else { 0.0 }));
        while late.len() > delay {
            let (x, chosen, reward) = late.pop_front().unwrap();
            policy.learn(&Example::new(&x, chosen.arm, reward, chosen.propensity)).unwrap();
        }
    }
    sum
}

#[test]
fn the_budget_is_spent_and_never_exceeded() {
    for delay in [0, 50] {
        let budget = 0.3 * ROUNDS as f64;
        let mut policy = policy(budget);
        play(&mut policy, 0..ROUNDS, delay);
        let spent = policy.spent()[0];
        assert!(spent <= budget && spent > 0.97 * budget, "{spent} {budget}");
        assert_eq!((policy.overruns(), policy.reserved()), (vec![0], vec![0.0]));
    }
}

#[test]
fn money_goes_where_it_brings_most() {
    // A third of the rounds can have the dear arm: those with the largest x.
    let mut policy = policy(0.35 * ROUNDS as f64);
    let earned = play(&mut policy, 0..ROUNDS, 0) / ROUNDS as f64;
    let blind = 0.4 + 0.1 / 3.0;
    assert!(earned > blind + 0.05, "{earned} {blind}");
    assert!(policy.prices()[0] > 0.1, "{:?}", policy.prices());
}

#[test]
fn nothing_is_chosen_when_nothing_is_affordable() {
    let mut policy = policy(0.1);
    let (x, draw) = ([0.0], Draw { seed: 1, counter: 0 });
    assert_eq!(policy.decide(&x, &ArmSet::all(2), draw, &mut Odds::new()), Ok(None));
}

#[test]
fn what_is_under_way_counts_until_it_is_settled() {
    let mut policy = policy_until(1, 1.1);
    let (only, draw) = (ArmSet::EMPTY.with(1), Draw { seed: 1, counter: 0 });
    let decide = |policy: &mut Budgeted<Ridge>| {
        policy.decide(&[1.0], &only, draw, &mut Odds::new()).unwrap().is_some()
    };
    assert!(decide(&mut policy) && !decide(&mut policy));
    policy.settle(&[1.0], 1, &[0.05]).unwrap();
    assert!(decide(&mut policy));
    policy.settle(&[1.0], 1, &[2.0]).unwrap();
    assert_eq!((policy.overruns(), decide(&mut policy)), (vec![1], false));
}

#[test]
fn a_stored_policy_goes_on_bit_for_bit() {
    let mut policy = policy(600.0);
    play(&mut policy, 0..300, 3);
    let mut copy: Budgeted<Ridge> = from_bytes(&to_bytes(&policy)).unwrap();
    play(&mut policy, 300..700, 3);
    play(&mut copy, 300..700, 3);
    assert!(to_bytes(&policy) == to_bytes(&copy));
}

#[test]
fn settings_and_uses_out_of_range_are_refused() {
    let model = || Ridge::new(linear::Config::new(2, 1)).unwrap();
    let money = Resource { budget: 1.0, most: vec![0.2, 1.0] };
    let good = Config::new(10, vec![money.clone()]);
    for (bad, key) in [
        (Config { horizon: 0, ..good.clone() }, "horizon"),
        (Config { resources: vec![], ..good.clone() }, "resources"),
        (Config { alpha: f64::NAN, ..good.clone() }, "alpha"),
        (Config::new(10, vec![Resource { budget: 0.0, ..money.clone() }]), "budget"),
        (Config::new(10, vec![Resource { most: vec![1.0], ..money }]), "most"),
    ] {
        assert_eq!(Budgeted::new(model(), bad).map(|_| ()).map_err(|e| e.key), Err(key));
    }
    let mut policy = Budgeted::new(model(), good).unwrap();
    let refused = Refused::Cost { value: -1.0 };
    assert_eq!(policy.settle(&[0.0], 0, &[-1.0]), Err(refused));
    assert_eq!(policy.settle(&[0.0], 2, &[0.0]), Err(Refused::UnknownArm { arm: 2, arms: 2 }));
    assert_eq!(policy.spent(), [0.0]);
}
