//! Data sets in the documented layouts.

use std::error::Error;
use std::path::Path;

use consort_bandit::rng::normal;

use crate::router;

/// A data set, rows in file order.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) arms: usize,
    pub(crate) dim: usize,
    pub(crate) contexts: Vec<f64>,
    pub(crate) truth: Truth,
    /// Bit mask of available arms of each row; empty when all are.
    pub(crate) available: Vec<u64>,
    /// Rounds until the reward of each row is known, −1 for never; empty when at once.
    pub(crate) delay: Vec<i64>,
    /// Latency of all arms of each row; empty when there is none.
    pub(crate) latency: Vec<f64>,
    /// Tenant of each row; empty when there is none.
    pub(crate) tenant: Vec<usize>,
}

/// Where rewards come from.
pub(crate) enum Truth {
    /// The right class of each row.
    Classes(Vec<usize>),
    /// Mean rewards of all arms, redrawn for each shuffle; costs where there are any.
    Means { means: Vec<f64>, costs: Vec<f64> },
    /// Observed rewards of all arms, with a fee for each use of arm `a`.
    Rewards { rewards: Vec<f64>, fees: Vec<f64> },
}

/// Fee of the strong one of two models in observed routing outcomes.
const STRONG_FEE: f64 = 0.2;

/// Generated sets are asked for by `gradual:SEED` or `router:SEED` instead of a path.
const GRADUAL: &str = "gradual:";
const ROUTER: &str = "router:";

impl Set {
    pub(crate) fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        if let Some(seed) = path.strip_prefix(GRADUAL) {
            return Ok(Self::gradual(seed.parse()?));
        }
        if let Some(seed) = path.strip_prefix(ROUTER) {
            return Ok(router::generate(seed.parse()?));
        }
        let text = std::fs::read_to_string(path)?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().ok_or("no header")?.split(',').collect();
        let many = |prefix: char| -> Vec<usize> {
            let numbered =
                |name: &str| name.strip_prefix(prefix).is_some_and(|n| n.parse::<usize>().is_ok());
            (0..header.len()).filter(|&i| numbered(header[i])).collect()
        };
        let one = |name: &str| header.iter().position(|column| *column == name);
        let (x, r, m, c, l) = (many('x'), many('r'), many('m'), many('c'), many('l'));
        let (class, subject) = (one("y"), one("subject"));
        if x.is_empty() || class.is_none() && r.is_empty() {
            return Err(format!("`{path}` is in none of the documented layouts").into());
        }
        let rows: Vec<Vec<f64>> = lines
            .map(|line| line.split(',').map(str::parse).collect::<Result<_, _>>())
            .collect::<Result<_, _>>()?;
        let take = |columns: &[usize]| -> Vec<f64> {
            rows.iter().flat_map(|row| columns.iter().map(|&i| row[i])).collect()
        };
        let whole = |column: Option<usize>| take(&column.into_iter().collect::<Vec<_>>());
        let classes: Vec<usize> = whole(class).into_iter().map(|y| y as usize).collect();
        let arms =
            if class.is_some() { classes.iter().max().map_or(0, |y| y + 1) } else { r.len() };
        let truth = if class.is_some() {
            Truth::Classes(classes)
        } else if m.is_empty() {
            let fees =
                (0..arms).map(|arm| if subject.is_some() && arm == 1 { STRONG_FEE } else { 0.0 });
            Truth::Rewards { rewards: take(&r), fees: fees.collect() }
        } else {
            Truth::Means { means: take(&m), costs: take(&c) }
        };
        let (contexts, dim) = with_subject(take(&x), x.len(), &whole(subject));
        Ok(Self {
            name: Path::new(path).file_stem().map_or(path.into(), |s| s.to_string_lossy().into()),
            arms,
            dim,
            contexts,
            truth,
            available: whole(one("avail")).into_iter().map(|mask| mask as u64).collect(),
            delay: whole(one("delay")).into_iter().map(|delay| delay as i64).collect(),
            latency: take(&l),
            tenant: whole(one("tenant")).into_iter().map(|tenant| tenant as usize).collect(),
        })
    }

    /// The drifting environment of the documented layouts, except that its arms turn all the time
    /// instead of jumping: 10,000 rounds, 8 features, 6 arms, directions that move along a chord
    /// from one random unit vector to the next every 2,500 rounds.
    pub(crate) fn gradual(seed: u64) -> Self {
        const ROWS: usize = 10_000;
        const DIM: usize = 8;
        const ARMS: usize = 6;
        const LEG: usize = 2500;
        let unit = |knot: usize, arm: usize| -> [f64; DIM] {
            let w: [f64; DIM] =
                std::array::from_fn(|i| normal(seed, 2 + knot as u64, (arm * DIM + i) as u64));
            let size = w.iter().map(|w| w * w).sum::<f64>().sqrt();
            w.map(|w| w / size)
        };
        let contexts: Vec<f64> = (0..ROWS * DIM).map(|i| normal(seed, 0, i as u64)).collect();
        let mut means = Vec::with_capacity(ROWS * ARMS);
        for (t, x) in contexts.chunks_exact(DIM).enumerate() {
            let (knot, along) = (t / LEG, (t % LEG) as f64 / LEG as f64);
            for arm in 0..ARMS {
                let (from, to) = (unit(knot, arm), unit(knot + 1, arm));
                let w: [f64; DIM] =
                    std::array::from_fn(|i| (1.0 - along) * from[i] + along * to[i]);
                let size = w.iter().map(|w| w * w).sum::<f64>().sqrt().max(1e-9);
                let along: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                means.push((0.5 + 0.25 * along / size).clamp(0.02, 0.98));
            }
        }
        Self {
            name: format!("syn_drift_gradual_{seed}"),
            arms: ARMS,
            dim: DIM,
            contexts,
            truth: Truth::Means { means, costs: Vec::new() },
            available: Vec::new(),
            delay: Vec::new(),
            latency: Vec::new(),
            tenant: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.contexts.len() / self.dim
    }

    pub(crate) fn x(&self, row: usize) -> &[f64] {
        &self.contexts[row * self.dim..(row + 1) * self.dim]
    }

    /// Whether rows are independent of each other, so that they may be shuffled.
    pub(crate) fn shuffled(&self) -> bool {
        !matches!(self.truth, Truth::Means { .. })
    }

    pub(crate) fn metric(&self) -> &'static str {
        match &self.truth {
            Truth::Means { costs, .. } if !costs.is_empty() => "utility",
            Truth::Rewards { .. } => "reward",
            _ => "loss",
        }
    }
}

/// A subject number is a category: one feature for each.
fn with_subject(x: Vec<f64>, dim: usize, subject: &[f64]) -> (Vec<f64>, usize) {
    if subject.is_empty() {
        return (x, dim);
    }
    let count = subject.iter().fold(0.0, |most: f64, s| most.max(*s)) as usize + 1;
    let rows = x.chunks_exact(dim).zip(subject);
    let wide = rows.flat_map(|(x, subject)| {
        let one = (0..count).map(|i| if i == *subject as usize { 1.0 } else { 0.0 });
        x.iter().copied().chain(one).collect::<Vec<f64>>()
    });
    (wide.collect(), dim + count)
}
