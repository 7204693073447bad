//! The best arm is down for ten minutes: what that costs a learner that knows which failures say
//! nothing about an arm, and one that takes every failure for a bad outcome. The same policy on
//! the same draws, with and without categories, with and without health: what each brings.

use std::collections::BTreeMap;

use consort_application::learning::{Config, Fate, Spec, State};
use consort_bandit::{Rule, rng};
use consort_core::{
    Budget, Category, Choice, Component, Decision, Question, Random, Situation, TenantId,
    Timestamp,
    learning::{Feedback, Made, Record, Source, Subject},
};

const ARMS: [&str; 3] = ["best", "second", "third"];
const MEANS: [f64; 3] = [0.8, 0.6, 0.4];
/// Decisions each second.
const PER_SECOND: u64 = 5;
const BEFORE: u64 = 600 * PER_SECOND;
const DURING: u64 = 600 * PER_SECOND;
const AFTER: u64 = 1_800 * PER_SECOND;

#[derive(Debug)]
struct Drawn(f64);

impl Random for Drawn {
    fn bits(&self) -> u64 {
        ((self.0 * (1_u64 << 53) as f64) as u64) << 11
    }
}

/// Trips after five failures; while open, every thirty seconds one call may try.
#[derive(Default)]
struct Breaker {
    failures: u32,
    open_until: u64,
}

impl Breaker {
    fn call(&mut self, now: u64, down: bool) -> Option<Category> {
        if now < self.open_until {
            return Some(Category::CircuitOpen);
        }
        if !down {
            self.failures = 0;
            return None;
        }
        self.failures += 1;
        if self.failures >= 5 {
            self.open_until = now + 30_000;
        }
        Some(Category::Unavailable)
    }
}

struct Played {
    /// Regret against the best arm that works, during and after the outage.
    regret: f64,
    /// Decisions after the outage until the best arm has 90 % of the last 200.
    back_after: Option<u64>,
}

/// What a learner has besides its policy.
#[derive(Clone, Copy)]
struct Has {
    /// It is told why a call failed.
    categories: bool,
    /// It leaves out who is sick.
    health: bool,
}

const AWARE: Has = Has { categories: true, health: true };
/// In all the same, but for the reason of a failure.
const BLIND: Has = Has { categories: false, ..AWARE };
const NO_HEALTH: Has = Has { health: false, ..AWARE };
const NEITHER: Has = Has { categories: false, health: false };

fn play(seed: u64, outage: bool, has: Has) -> Played {
    let mut config = Config::default();
    let rule = Rule::LinUcb { alpha: 0.3 };
    config.policies.insert("route".into(), Spec { rule, floor: 0.01, ..Spec::default() });
    if !has.health {
        config.health.floor = usize::MAX;
    }
    let (mut state, tenant) = (State::new(config), TenantId::default());
    let (mut position, mut breaker) = (0, Breaker::default());
    let (mut regret, mut recent, mut back_after) = (0.0, Vec::new(), None);
    for t in 0..BEFORE + DURING + AFTER {
        let now = t * 1_000 / PER_SECOND;
        let down = outage && (BEFORE..BEFORE + DURING).contains(&t);
        let question = Question {
            component: Component::Model,
            domain: "route".into(),
            candidates: ARMS.map(str::to_owned).to_vec(),
            features: BTreeMap::from([("load".into(), rng::uniform(seed, 1, t))]),
        };
        let situation = Situation {
            tenant: &tenant,
            request: None,
            now: Timestamp(now),
            budget: Budget::UNLIMITED,
            random: &Drawn(rng::uniform(seed, 2, t)),
            registered: &|_| true,
        };
        let Choice { chosen, propensities, skipped, .. } =
            state.choose(situation, &question).unwrap();
        let failure = if chosen == 0 { breaker.call(now, down) } else { None };
        let won = rng::uniform(seed, 3 + chosen as u64, t) < MEANS[chosen];
        let reward = if failure.is_none() && won { 1.0 } else { 0.0 };
        let earned = if failure.is_some() { 0.0 } else { MEANS[chosen] };
        if t >= BEFORE {
            regret += if down { MEANS[1] } else { MEANS[0] } - earned;
        }
        if t >= BEFORE + DURING {
            recent.push(chosen);
            let last = &recent[recent.len().saturating_sub(200)..];
            let share = last.iter().filter(|arm| **arm == 0).count() as f64 / 200.0;
            if share >= 0.9 && back_after.is_none() {
                back_after = Some(t + 1 - BEFORE - DURING);
            }
        }
        let id = format!("d{t}");
        let decision = Decision {
            id: id.clone(),
            question,
            chosen,
            propensities,
            scores: None,
            policy: String::new(),
            policy_version: 1,
            skipped,
        };
        let made = Made { tenant: tenant.clone(), run: None, at: Timestamp(now), decision };
        let feedback = Feedback {
            id: "r".into(),
            tenant: tenant.clone(),
            source: Source::ToolExecution,
            subject: Subject::Decision(id),
            reward,
            confidence: 1.0,
            category: failure.filter(|_| has.categories),
            at: Timestamp(now),
            metadata: serde_json::Value::Null,
        };
        position += 2;
        assert_eq!(state.apply(position - 1, &Record::Made(Box::new(made))), Fate::Opened);
        state.apply(position, &Record::Feedback(Box::new(feedback)));
    }
    Played { regret, back_after }
}

/// Extra regret of an outage over several seeds, and the longest way back.
#[expect(clippy::print_stdout, reason = "the figures that docs/learning.md quotes")]
fn cost(name: &str, has: Has) -> (f64, Option<u64>) {
    let (mut extra, mut back) = (0.0, Some(0));
    for seed in 1..=2 {
        let calm = play(seed, false, has).regret;
        let down = play(seed, true, has);
        extra += down.regret - calm;
        back = back.zip(down.back_after).map(|(a, b): (u64, u64)| a.max(b));
    }
    println!("{name:11} extra regret {extra:7.1}, back after {back:?} decisions");
    (extra, back)
}

#[test]
fn what_an_outage_costs_with_and_without_categories_and_health() {
    let (aware, back) = cost("both", AWARE);
    let (blind, _) = cost("health", BLIND);
    let (unwell, _) = cost("categories", NO_HEALTH);
    let (neither, _) = cost("neither", NEITHER);
    println!("ratio to both: {:.2} {:.2} {:.2}", blind / aware, unwell / aware, neither / aware);
    assert!(back.is_some_and(|back| back <= 1_000), "back after {back:?}");
    assert!(blind >= 5.0 * aware, "aware {aware:.1}, blind {blind:.1}");
}
