//! Numerical health over many updates. Ten million ill-conditioned ones, with the figure printed:
//! `CONSORT_BANDIT_UPDATES=10000000 cargo test --release -p consort-bandit --test it numerics --
//! --nocapture`.

use consort_bandit::{
    Example, Model,
    linear::{Config, Ridge},
    rng::normal,
};

/// Updates to run, from the environment for the long version.
fn updates(default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "sizes a test; the library reads nothing")]
    let asked = std::env::var("CONSORT_BANDIT_UPDATES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Gaussian elimination with partial pivoting: an independent solver.
fn solve(mut m: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| m[p][i].abs().total_cmp(&m[q][i].abs())).unwrap();
        m.swap(i, pivot);
        b.swap(i, pivot);
        for row in i + 1..n {
            let factor = m[row][i] / m[i][i];
            let above = m[i].clone();
            m[row].iter_mut().zip(above).skip(i).for_each(|(cell, a)| *cell -= factor * a);
            b[row] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|j| m[i][j] * b[j]).sum();
        b[i] = (b[i] - sum) / m[i][i];
    }
    b
}

fn matrix(model: &Ridge) -> Vec<Vec<f64>> {
    let n = model.theta(0).len();
    (0..n).map(|i| (0..n).map(|j| model.gram(0, i, j)).collect()).collect()
}

#[test]
fn the_inverse_agrees_with_a_solver_after_a_hundred_thousand_updates() {
    let mut model = Ridge::new(Config::new(1, 31)).unwrap();
    for t in 0..100_000 {
        let x: [f64; 31] = std::array::from_fn(|i| normal(1, 0, t * 31 + i as u64));
        let reward = if x[0] + 0.5 * x[1] > 0.2 { 1.0 } else { 0.0 };
        model.learn(&Example::new(&x, 0, reward, 1.0));
    }
    let b: Vec<f64> = (0..32).map(|i| model.moment(0, i)).collect();
    let exact = solve(matrix(&model), b);
    let size = exact.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (found, exact) in model.theta(0).iter().zip(&exact) {
        assert!((found - exact).abs() <= 1e-9 * size, "{found} {exact}");
    }
    for j in 0..32 {
        let unit = (0..32).map(|i| if i == j { 1.0 } else { 0.0 }).collect();
        for (i, exact) in solve(matrix(&model), unit).into_iter().enumerate() {
            let found = model.inverse(0, i, j);
            assert!((found - exact).abs() <= 1e-9 * model.inverse(0, i, i), "{found} {exact}");
        }
    }
}

#[test]
fn ill_conditioned_features_keep_the_inverse_an_inverse() {
    // Five directions carry all the variance, the rest is a millionth of it.
    let mut model = Ridge::new(Config::new(1, 31)).unwrap();
    let updates = updates(100_000);
    for t in 0..updates {
        let z: [f64; 5] = std::array::from_fn(|i| normal(2, 0, t * 5 + i as u64));
        let x: [f64; 31] = std::array::from_fn(|i| {
            let mixed = z[i % 5] + 0.5 * z[(i + 1) % 5];
            mixed + 1e-3 * normal(2, 1, t * 31 + i as u64)
        });
        model.learn(&Example::new(&x, 0, if z[0] > 0.0 { 1.0 } else { 0.0 }, 1.0));
    }
    let n = 32;
    let mut worst: f64 = 0.0;
    for i in 0..n {
        for j in 0..n {
            let sum: f64 = (0..n).map(|k| model.gram(0, i, k) * model.inverse(0, k, j)).sum();
            worst = worst.max((sum - if i == j { 1.0 } else { 0.0 }).abs());
        }
    }
    println!("{updates} updates, largest entry of |A * A^-1 - I|: {worst:.2e}");
    assert!(worst <= 1e-6, "{worst:e} {:?}", model.health(0));
}
