//! How often intervals ever miss what they are about, watched all the time.

use std::error::Error;
use std::io::Write;

use consort_bandit::inference::{Asymptotic, EmpiricalBernstein, OffPolicy, Step};
use consort_bandit::rng::uniform;

use crate::{coin, mean};

const ALPHA: f64 = 0.05;
/// Two-sided 95 % of the normal.
const Z: f64 = 1.959_963_985;

/// Bernoulli rewards, looked at after each of 10,000.
pub(crate) fn of_means(out: &mut impl Write, runs: u64) -> Result<(), Box<dyn Error>> {
    writeln!(out, "interval,p,runs,ever missed,half-width at 10000,beside the usual interval")?;
    for p in [0.5, 0.01] {
        let (mut missed, mut widths) = ([0; 3], [const { Vec::new() }; 2]);
        for run in 0..runs {
            let mut bernstein = EmpiricalBernstein::new(ALPHA)?;
            let mut asymptotic = Asymptotic::new(ALPHA)?;
            let (mut ever, mut sum) = ([false; 3], 0.0);
            for t in 0..10_000 {
                let reward = coin(run, 0, t, p);
                bernstein.push(reward)?;
                asymptotic.push(reward)?;
                sum += reward;
                let n = (t + 1) as f64;
                let (m, interval) = (sum / n, bernstein.interval());
                let usual = Z * (m * (1.0 - m) / n).sqrt();
                // The usual interval is given the same thirty observations to settle.
                ever[0] |= t >= 30 && (m - p).abs() > usual;
                ever[1] |= interval.low > p || interval.high < p;
                ever[2] |= asymptotic.interval().is_some_and(|i| i.low > p || i.high < p);
            }
            missed.iter_mut().zip(ever).for_each(|(count, ever)| *count += u64::from(ever));
            let interval = bernstein.interval();
            widths[0].push((interval.high - interval.low) / 2.0);
            widths[1].extend(asymptotic.interval().map(|i| (i.high - i.low) / 2.0));
        }
        let usual = Z * (p * (1.0 - p) / 10_000.0).sqrt();
        let rows = [
            ("usual (central limit)", usual),
            ("empirical Bernstein", mean(&widths[0])),
            ("asymptotic sequence", mean(&widths[1])),
        ];
        for ((name, width), missed) in rows.into_iter().zip(missed) {
            let rate = missed as f64 / runs as f64;
            writeln!(out, "{name},{p},{runs},{rate:.4},{width:.4},{:.2}", width / usual)?;
        }
    }
    Ok(())
}

/// What the logger's four arms earn in round `t`; with drift they turn slowly.
fn means(drift: bool, t: u64) -> [f64; 4] {
    let turn = if drift { 0.2 * ((t % 10_000) as f64 / 10_000.0 - 0.5) } else { 0.0 };
    [0.3 + turn, 0.5 - turn, 0.45 + turn, 0.6 - turn]
}

/// A learning ε-greedy logger, its log read for a fixed target after each of 20,000 rounds.
pub(crate) fn off_policy(out: &mut impl Write, runs: u64) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "off-policy interval,floor,k,drift,runs,ever missed,half-width at 20000,\
         the same of inverse propensities with the central limit,width beside it"
    )?;
    for (floor, k) in [(0.3, 12.0), (0.3, 30.0), (0.1, 12.0), (0.1, 30.0)] {
        for drift in [false, true] {
            let (mut missed, mut widths) = ([0; 2], [const { Vec::new() }; 2]);
            for run in 0..runs {
                for (i, (ever, width)) in one(run, floor, k, drift)?.into_iter().enumerate() {
                    missed[i] += u64::from(ever);
                    widths[i].push(width);
                }
            }
            let rate = missed.map(|missed| missed as f64 / runs as f64);
            let width = widths.map(|widths| mean(&widths));
            writeln!(
                out,
                "doubly robust,{floor},{k},{drift},{runs},{:.4},{:.4},missed {:.4} width {:.4},{:.2}",
                rate[0],
                width[0],
                rate[1],
                width[1],
                width[0] / width[1]
            )?;
        }
    }
    Ok(())
}

/// Whether the interval ever missed and its last half-width; the same of the usual interval around
/// inverse propensity weighting.
fn one(run: u64, floor: f64, k: f64, drift: bool) -> Result<[(bool, f64); 2], Box<dyn Error>> {
    let target = [0.1, 0.1, 0.7, 0.1];
    let (mut pulls, mut sums, mut truth) = ([1.0; 4], [0.5; 4], 0.0);
    let mut sequence = OffPolicy::new(ALPHA, k)?;
    let (mut missed, mut usual) = ([false; 2], Usual::default());
    for t in 0..20_000 {
        let means = means(drift, t);
        truth += target.iter().zip(means).map(|(p, m)| p * m).sum::<f64>();
        let predicted: [f64; 4] = std::array::from_fn(|a| sums[a] / pulls[a]);
        let best = (1..4).fold(0, |best, a| if predicted[a] > predicted[best] { a } else { best });
        let logging: [f64; 4] =
            std::array::from_fn(|a| floor / 4.0 + if a == best { 1.0 - floor } else { 0.0 });
        let mut u = uniform(run, 2, t);
        let drawn = logging.iter().position(|p| {
            u -= p;
            u < 0.0
        });
        let arm = drawn.unwrap_or(3);
        let reward = coin(run, 3, t, means[arm]);
        sequence.push(&Step {
            arm,
            reward,
            target: &target,
            logging: &logging,
            predicted: &predicted,
        })?;
        (pulls[arm], sums[arm]) = (pulls[arm] + 1.0, sums[arm] + reward);
        usual.push(target[arm] / logging[arm] * reward);
        let (interval, truth) = (sequence.interval(), truth / (t + 1) as f64);
        missed[0] |= interval.low > truth || interval.high < truth;
        missed[1] |= t >= 30 && (usual.mean() - truth).abs() > usual.half_width();
    }
    let interval = sequence.interval();
    Ok([(missed[0], 0.5 * (interval.high - interval.low)), (missed[1], usual.half_width())])
}

/// Mean and variance for the usual interval.
#[derive(Default)]
struct Usual {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Usual {
    fn push(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.n
    }

    fn half_width(&self) -> f64 {
        let variance = self.squares / self.n - self.mean() * self.mean();
        Z * (variance.max(0.0) / self.n).sqrt()
    }
}
