//! How long a decision and an update take, beside bare loops over the same numbers.
//!
//! `cargo bench -p consort-bandit`. 16 arms, 32 features, one thread; 1,024 contexts in turn. The
//! batches are short, so that on a busy machine some of them are undisturbed. The loops stand
//! for what the machine can do: one pass over the matrices and vectors that the decision needs,
//! nothing else.
#![expect(clippy::needless_range_loop, reason = "closures hide vector code from the compiler")]

use std::{hint::black_box, time::Instant};

use consort_bandit::{
    Agent, ArmSet, Example, Model, Odds, Policy, Rule,
    linear::{Config, Hot, Ridge},
    rng::{Draw, normal, uniform},
};
use pulp::{Arch, Simd, WithSimd};

const ARMS: usize = 16;
const DIM: usize = 32;
const CONTEXTS: usize = 1_024;
const CALLS: usize = 256;
const BATCHES: usize = 4_000;
/// Distinct entries of a symmetric matrix.
const PACKED: usize = DIM * (DIM + 1) / 2;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds a call, of every batch.
#[derive(Default)]
struct Timed(Vec<f64>);

impl Timed {
    fn batch(&mut self, call: &mut impl FnMut(usize)) {
        let first = self.0.len() * CALLS;
        let began = now();
        (0..CALLS).for_each(|n| call((first + n) % CONTEXTS));
        self.0.push(began.elapsed().as_nanos() as f64 / CALLS as f64);
    }

    /// Prints the median and the best batch, returns the best.
    #[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
    fn report(mut self, what: &str, goal: &str) -> f64 {
        self.0.sort_by(f64::total_cmp);
        let (median, best) = (self.0[BATCHES / 2], self.0[0]);
        println!("{what:52} {median:>7.0} ns median {best:>7.0} ns best   goal {goal}");
        best
    }
}

fn time(what: &str, goal: &str, mut call: impl FnMut(usize)) -> f64 {
    let mut timed = Timed::default();
    (0..BATCHES).for_each(|_| timed.batch(&mut call));
    timed.report(what, goal)
}

/// Times `call` and the bare loops in turn, batch by batch, and returns the ratio of their best.
fn beside(
    (what, goal): (&str, &str),
    mut call: impl FnMut(usize),
    bare_what: &str,
    mut bare: impl FnMut(usize),
) -> f64 {
    let (mut timed, mut bare_timed) = (Timed::default(), Timed::default());
    for _ in 0..BATCHES {
        timed.batch(&mut call);
        bare_timed.batch(&mut bare);
    }
    timed.report(what, goal) / bare_timed.report(&format!("  bare loops: {bare_what}"), "-")
}

/// Starts on a cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Line<T>(T);

/// Numbers as the models keep them, and nothing else.
struct Bare {
    matrices: Vec<Line<[[f64; DIM]; DIM]>>,
    thetas: Vec<Line<[f64; DIM]>>,
    packed: Vec<Line<[f32; PACKED]>>,
}

impl Bare {
    fn of(model: &Ridge) -> Self {
        let row = |arm, i| std::array::from_fn(|j| model.inverse(arm, i, j));
        let matrix = |arm| Line(std::array::from_fn(|i| row(arm, i)));
        let theta = |arm| Line(std::array::from_fn(|i| model.theta(arm)[i]));
        // Any order of the entries reads the same bytes.
        let cell = |arm, at: usize| model.inverse(arm, at % DIM, at / DIM) as f32;
        let packed = |arm| Line(std::array::from_fn(|at| cell(arm, at)));
        Self {
            matrices: (0..ARMS).map(matrix).collect(),
            thetas: (0..ARMS).map(theta).collect(),
            packed: (0..ARMS).map(packed).collect(),
        }
    }
}

/// Sum of x_i·y_i.
#[inline(always)]
fn dot<S: Simd>(s: S, x: &[f64; DIM], y: &[f64; DIM]) -> f64 {
    let (x, y) = (S::as_simd_f64s(x).0, S::as_simd_f64s(y).0);
    let mut sums = [s.splat_f64s(0.0); 2];
    for at in (0..x.len()).step_by(2) {
        sums[0] = s.mul_add_f64s(x[at], y[at], sums[0]);
        sums[1] = s.mul_add_f64s(x[at + 1], y[at + 1], sums[1]);
    }
    s.reduce_sum_f64s(s.add_f64s(sums[0], sums[1]))
}

/// θ·x of every arm.
struct BareMeans<'a>(&'a Bare, &'a [f64; DIM]);

impl WithSimd for BareMeans<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f64 {
        let mut best = f64::MIN;
        for theta in &self.0.thetas {
            best = best.max(dot(s, &theta.0, self.1));
        }
        best
    }
}

/// Means, the inverse of each gap to the best, and an arm drawn by them: what SquareCB cannot do
/// without.
struct BareGaps<'a>(&'a Bare, &'a [f64; DIM], f64);

impl WithSimd for BareGaps<'_> {
    type Output = (usize, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> (usize, f64) {
        let mut odds = Line([0.0; ARMS]);
        let mut best = (0, f64::MIN);
        for (arm, theta) in self.0.thetas.iter().enumerate() {
            odds.0[arm] = dot(s, &theta.0, self.1);
            best = if odds.0[arm] > best.1 { (arm, odds.0[arm]) } else { best };
        }
        let mut rest = 1.0;
        for arm in 0..ARMS {
            odds.0[arm] = 1.0 / (ARMS as f64 + 60.0 * (best.1 - odds.0[arm]));
        }
        for arm in 0..ARMS {
            rest -= if arm == best.0 { 0.0 } else { odds.0[arm] };
        }
        odds.0[best.0] = rest;
        let mut left = self.2;
        for arm in 0..ARMS {
            left -= odds.0[arm];
            if left < 0.0 {
                return (arm, odds.0[arm]);
            }
        }
        (best.0, rest)
    }
}

/// θ·x + √(xᵀMx) of every arm, from full matrices.
struct BareFull<'a>(&'a Bare, &'a [f64; DIM]);

impl WithSimd for BareFull<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f64 {
        let Self(bare, x) = self;
        let mut best = f64::MIN;
        for (matrix, theta) in bare.matrices.iter().zip(&bare.thetas) {
            let mut v = [0.0; DIM];
            let out = S::as_mut_simd_f64s(&mut v).0;
            for column in (0..out.len()).step_by(4) {
                let mut sums = [[s.splat_f64s(0.0); 4]; 2];
                for i in 0..DIM {
                    let (row, xi) = (S::as_simd_f64s(&matrix.0[i]).0, s.splat_f64s(x[i]));
                    for at in 0..4 {
                        sums[i % 2][at] = s.mul_add_f64s(xi, row[column + at], sums[i % 2][at]);
                    }
                }
                for at in 0..4 {
                    out[column + at] = s.add_f64s(sums[0][at], sums[1][at]);
                }
            }
            best = best.max(dot(s, &theta.0, x) + dot(s, &v, x).sqrt());
        }
        best
    }
}

/// θ·x + √(xᵀMx) of every arm, from its distinct entries in single precision. `.2` takes the
/// products of x.
struct BarePacked<'a>(&'a Bare, &'a [f64; DIM], &'a mut Line<[f32; PACKED]>);

impl WithSimd for BarePacked<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f64 {
        const GROUP: usize = 8;
        let Self(bare, x, products) = self;
        let mut twice = Line([0.0; 2 * DIM]);
        for i in 0..DIM {
            (twice.0[i], twice.0[DIM + i]) = (x[i] as f32, x[i] as f32);
        }
        for (i, row) in products.0.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let (own, from) = (s.splat_f32s(twice.0[i % DIM]), i % DIM);
            let others = S::as_simd_f32s(&twice.0[from..from + 16]).0;
            for (out, other) in S::as_mut_simd_f32s(row).0.iter_mut().zip(others) {
                *out = s.mul_f32s(own, *other);
            }
        }
        let products = S::as_simd_f32s(&products.0).0;
        let mut best = f64::MIN;
        for group in (0..ARMS).step_by(GROUP) {
            let mut sums = [s.splat_f32s(0.0); GROUP];
            let mut arms = [products; GROUP];
            for g in 0..GROUP {
                arms[g] = &S::as_simd_f32s(&bare.packed[group + g].0).0[..products.len()];
            }
            for at in 0..products.len() {
                for g in 0..GROUP {
                    sums[g] = s.mul_add_f32s(arms[g][at], products[at], sums[g]);
                }
            }
            for g in 0..GROUP {
                let square = f64::from(s.reduce_sum_f32s(sums[g]));
                best = best.max(dot(s, &bare.thetas[group + g].0, x) + square.sqrt());
            }
        }
        best
    }
}

/// M −= v·vᵀ/(1 + xᵀv) with v = Mx: what an update of the inverse cannot do without.
struct BareUpdate<'a>(&'a mut [[f64; DIM]; DIM], &'a [f64; DIM]);

impl WithSimd for BareUpdate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self(matrix, x) = self;
        let mut v = [0.0; DIM];
        for i in 0..DIM {
            v[i] = dot(s, &matrix[i], x);
        }
        let shrink = 1.0 / (1.0 + dot(s, &v, x));
        let wide = S::as_simd_f64s(&v).0;
        for (row, vi) in matrix.iter_mut().zip(&v) {
            let factor = s.splat_f64s(-vi * shrink);
            for (cell, part) in S::as_mut_simd_f64s(row).0.iter_mut().zip(wide) {
                *cell = s.mul_add_f64s(factor, *part, *cell);
            }
        }
    }
}

fn contexts() -> Vec<[f64; DIM]> {
    let context = |n| std::array::from_fn(|i| 0.2 * normal(1, n as u64, i as u64));
    (0..CONTEXTS).map(context).collect()
}

/// A model that has learned 4,000 outcomes.
fn learned(contexts: &[[f64; DIM]]) -> Ridge {
    let config = Config { intercept: false, ..Config::new(ARMS, DIM) };
    let mut model = Ridge::new(config).expect("valid settings");
    for n in 0..4_000 {
        let reward = uniform(2, 0, n as u64);
        model.learn(&Example::new(&contexts[n % CONTEXTS], n % ARMS, reward, 1.0));
    }
    model
}

/// One decision after the other.
fn decisions<M: Model + Clone>(
    model: &M,
    rule: Rule,
    contexts: &[[f64; DIM]],
) -> impl FnMut(usize) {
    let (all, mut odds) = (ArmSet::all(ARMS), Odds::new());
    let policy = Agent::new(model.clone(), rule).expect("a valid rule");
    move |n| {
        let draw = Draw { seed: 1, counter: n as u64 };
        let chosen = policy.decide(black_box(&contexts[n]), &all, draw, &mut odds);
        black_box(chosen.expect("a usable context"));
    }
}

/// One update after the other, of the arm `arm` says.
fn updates<M: Model + Clone>(
    model: &M,
    contexts: &[[f64; DIM]],
    arm: impl Fn(usize) -> usize,
) -> impl FnMut(usize) {
    let mut policy = Agent::new(model.clone(), Rule::Greedy).expect("a valid rule");
    move |n| {
        let example = Example::new(black_box(&contexts[n]), arm(n), 0.5, 1.0);
        policy.update(&example).expect("a usable outcome");
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
fn main() {
    let contexts = &contexts()[..];
    let model = &learned(contexts);
    let hot = &Hot::of(model.clone()).expect("not centred");
    let (bare, arch, mut products) = (&Bare::of(model), Arch::new(), Line([0.0; PACKED]));
    let (linucb, squarecb) =
        (Rule::LinUcb { alpha: 0.3 }, Rule::SquareCb { gamma: 10.0, exponent: 0.5 });
    let single = beside(
        ("LinUCB, copy in single precision: decision", "250"),
        decisions(hot, linucb, contexts),
        "means, widths from packed f32, 37 KiB",
        |n| {
            black_box(arch.dispatch(BarePacked(bare, black_box(&contexts[n]), &mut products)));
        },
    );
    let double = beside(
        ("LinUCB, double precision: decision", "-"),
        decisions(model, linucb, contexts),
        "means, widths from full f64, 132 KiB",
        |n| {
            black_box(arch.dispatch(BareFull(bare, black_box(&contexts[n]))));
        },
    );
    let gaps = beside(
        ("SquareCB: decision", "70"),
        decisions(hot, squarecb, contexts),
        "means, gaps, one draw, 4 KiB",
        |n| {
            let unit = uniform(1, 0, n as u64);
            black_box(arch.dispatch(BareGaps(bare, black_box(&contexts[n]), unit)));
        },
    );
    let means = beside(
        ("greedy: decision", "-"),
        decisions(hot, Rule::Greedy, contexts),
        "means, 4 KiB",
        |n| {
            black_box(arch.dispatch(BareMeans(bare, black_box(&contexts[n]))));
        },
    );
    let mut inverse = bare.matrices[0].clone();
    let update = beside(
        ("double precision: updates, one arm", "120"),
        updates(model, contexts, |_| 0),
        "update of one inverse, 8 KiB",
        |n| arch.dispatch(BareUpdate(&mut inverse.0, black_box(&contexts[n]))),
    );
    time("double precision: updates, arms in turn", "-", updates(model, contexts, |n| n % ARMS));
    time("with a copy: updates, one arm", "-", updates(hot, contexts, |_| 0));
    time("with a copy: updates, arms in turn", "-", updates(hot, contexts, |n| n % ARMS));
    println!("best of all batches, beside the bare loops over the same numbers:");
    println!("  LinUCB with a copy     {single:.2}");
    println!("  LinUCB                 {double:.2}");
    println!("  SquareCB               {gaps:.2}");
    println!("  greedy, beside means   {means:.2}");
    println!("  update                 {update:.2}");
}
