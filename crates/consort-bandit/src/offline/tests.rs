//! What is learned from a log, and what the log must not be believed about.

use super::*;
use crate::rng::uniform;

/// Rows of one feature in [−1, 1), logged with probability `p(x)` for arm 1.
struct World {
    xs: Vec<[f64; 2]>,
    chosen: Vec<(usize, f64, f64)>,
}

impl World {
    fn new(n: u64, p: impl Fn(&[f64; 2]) -> f64, mean: impl Fn(&[f64; 2], usize) -> f64) -> Self {
        let x = |t| [2.0 * uniform(1, 0, t) - 1.0, 2.0 * uniform(1, 1, t) - 1.0];
        let xs: Vec<[f64; 2]> = (0..n).map(x).collect();
        let choose = |(t, x): (usize, &[f64; 2])| {
            let arm = usize::from(uniform(1, 2, t as u64) < p(x));
            let reward = f64::from(u8::from(uniform(1, 3, t as u64) < mean(x, arm)));
            (arm, reward, if arm == 1 { p(x) } else { 1.0 - p(x) })
        };
        let chosen = xs.iter().enumerate().map(choose).collect();
        Self { xs, chosen }
    }

    fn rows(&self) -> Vec<Observation<'_>> {
        let row = |(x, &(arm, reward, propensity)): (_, &(usize, f64, f64))| {
            let x: &[f64; 2] = x;
            Observation { x, arm, reward, propensity }
        };
        self.xs.iter().zip(&self.chosen).map(row).collect()
    }
}

const METHODS: [Method; 3] = [Method::Direct, Method::DoublyRobust, Method::OffsetTree];

#[test]
fn every_method_learns_which_side_is_which() {
    let world =
        World::new(600, |_| 0.5, |x, arm| if (x[0] > 0.0) == (arm == 1) { 0.8 } else { 0.2 });
    for method in METHODS {
        let policy = learn(&world.rows(), &Config::new(2, 2, method)).unwrap();
        for x in [[0.5, 0.0], [0.9, -0.5], [-0.4, 0.3], [-0.8, -0.9]] {
            let arm = policy.choose(&x, &ArmSet::all(2)).unwrap();
            assert_eq!(arm, usize::from(x[0] > 0.0), "{method:?} {x:?}");
        }
    }
}

#[test]
fn doubly_robust_learning_sees_through_a_log_that_chose_the_bad_moments() {
    // Arm 1 is better on the whole (0.6 to 0.5) but was played mostly where it is bad, and the
    // model has no feature to know that by.
    let world = World::new(
        4000,
        |x| if x[0] > 0.0 { 0.1 } else { 0.9 },
        |x, arm| {
            if arm == 0 {
                0.5
            } else if x[0] > 0.0 {
                1.0
            } else {
                0.2
            }
        },
    );
    let choice = |method| {
        let config = Config { map: Map::Nothing, ..Config::new(2, 2, method) };
        learn(&world.rows(), &config).unwrap().choose(&[0.0, 0.0], &ArmSet::all(2)).unwrap()
    };
    assert_eq!((choice(Method::Direct), choice(Method::DoublyRobust)), (0, 1));
    assert_eq!(choice(Method::OffsetTree), 1);
}

#[test]
fn the_tree_grows_below_its_root_and_passes_by_what_is_not_available() {
    for arms in [1, 2, 3, 5, 8] {
        let xs: Vec<[f64; 2]> =
            (0..400 * arms as u64).map(|t| [uniform(2, 0, t) * arms as f64, 0.0]).collect();
        // Bands of x belong to the arms in turn; squares make a band a question of one sign.
        let rows: Vec<Observation<'_>> = xs
            .iter()
            .enumerate()
            .map(|(t, x)| {
                let arm = t % arms;
                let reward = 1.0 - ((x[0] - arm as f64 - 0.5).abs() / arms as f64).min(1.0);
                Observation { x, arm, reward, propensity: 1.0 / arms as f64 }
            })
            .collect();
        let map = Map::Fourier { features: 60, bandwidth: 0.3 };
        let config = Config { map, lambda: 0.1, ..Config::new(arms, 2, Method::OffsetTree) };
        let policy = learn(&rows, &config).unwrap();
        let all = ArmSet::all(arms);
        let reached: ArmSet = xs.iter().map(|x| policy.choose(x, &all).unwrap()).collect();
        assert_eq!(reached.len(), arms, "every arm is somebody's best");
        let first = policy.choose(&xs[0], &all).unwrap();
        match policy.choose(&xs[0], &all.without(first)) {
            Ok(other) => assert!(other != first && other < arms),
            Err(refused) => assert_eq!((refused, arms), (Refused::NoArm, 1)),
        }
    }
}

#[test]
fn selection_finds_the_map_in_which_the_world_is_simple() {
    let xor = |x: &[f64; 2], arm| if (x[0] * x[1] > 0.0) == (arm == 1) { 0.9 } else { 0.1 };
    let world = World::new(900, |_| 0.5, xor);
    let with = |map| Config { map, ..Config::new(2, 2, Method::DoublyRobust) };
    let candidates = [Map::Identity, Map::Quadratic, Map::Nothing].map(with);
    let found = select(&world.rows(), &candidates, &Gate::default()).unwrap();
    assert_eq!(found.chosen, 1);
    let value = |i: usize| found.estimates[i].unwrap().value;
    assert!(value(1) > 0.8 && value(0) < 0.6);
    assert_eq!(found.policy.choose(&[0.5, 0.5], &ArmSet::all(2)), Ok(1));
}

#[test]
fn what_cannot_be_learned_from_is_refused_by_name() {
    let config = Config::new(2, 2, Method::Direct);
    let row = |arm, reward| Observation { x: &[0.0, 1.0], arm, reward, propensity: 0.5 };
    assert_eq!(learn(&[], &config), Err(NoPolicy::Support(NoSupport::Empty)));
    let error = learn(&[row(0, 1.0), row(2, 1.0)], &config).unwrap_err().to_string();
    assert_eq!(error, "row 1: arm 2 where the model has 2");
    let error = learn(&[row(0, 1.0)], &Config { folds: 1, ..config }).unwrap_err().to_string();
    assert_eq!(error, "`folds` must be 2 to 20");
    assert!(matches!(select(&[row(0, 1.0)], &[], &Gate::default()), Err(NoPolicy::Config(_))));
    let policy = learn(&[row(0, 1.0), row(1, 0.0)], &config).unwrap();
    assert_eq!(
        policy.choose(&[0.0], &ArmSet::all(2)),
        Err(Refused::Dimension { expected: 2, got: 1 })
    );
    assert_eq!(policy.choose(&[0.0, 1.0], &ArmSet::EMPTY), Err(Refused::NoArm));
}

#[test]
fn candidates_the_log_cannot_judge_are_passed_over() {
    // Arm 1 was played where x is large, and there alone: a policy that plays it everywhere
    // cannot be judged from this log, whatever it promises.
    let world = World::new(
        1500,
        |x| if x[0] > 0.0 { 0.5 } else { 0.002 },
        |_, arm| if arm == 1 { 0.9 } else { 0.2 },
    );
    let config = |map| Config { map, ..Config::new(2, 2, Method::Direct) };
    let found = select(&world.rows(), &[config(Map::Nothing)], &Gate::default());
    assert!(matches!(found, Err(NoPolicy::Support(_))), "{found:?}");
}
