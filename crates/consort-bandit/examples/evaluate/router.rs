//! A generated model router: the environment of the documented layout, drawn anew from a seed.
//!
//! Eight models on a ladder of capability and price serve six kinds of tasks over 10,000 requests.
//! The mix of tasks shifts half-way, the best model degrades from 40 to 65 %, a good cheap one
//! launches at 55 %, the cheapest retires at 80 %. Rewards come up to 200 requests late, one in
//! twenty never.

use std::array::from_fn;

use consort_bandit::rng::uniform;

use crate::data::{Set, Truth};

const ROWS: usize = 10_000;
const ARMS: usize = 8;
const DIM: usize = 16;
const TASKS: usize = 6;
const PRICES: [f64; ARMS] = [0.04, 0.06, 0.12, 0.2, 0.35, 0.6, 1.0, 0.3];
/// The model that launches late.
const LATE: usize = 7;

/// What a request asks for.
struct Request {
    task: usize,
    difficulty: f64,
    length: f64,
    tools: f64,
    language: f64,
    tier: usize,
    /// Two triangle waves over the day, a quarter apart.
    day: [f64; 2],
}

impl Request {
    fn draw(seed: u64, t: usize) -> Self {
        let u = |stream| uniform(seed, stream, t as u64);
        let shifted = if t >= ROWS / 2 { u(11) } else { 1.0 };
        let flag = |stream, share| if u(stream) < share { 1.0 } else { 0.0 };
        let triangle = |phase: f64| if phase < 0.5 { 2.0 * phase } else { 2.0 - 2.0 * phase };
        let phase = (t % 1440) as f64 / 1440.0;
        Self {
            task: ((u(10) * shifted * TASKS as f64) as usize).min(TASKS - 1),
            difficulty: u(12),
            length: u(13),
            tools: flag(14, 0.3),
            language: flag(15, 0.2),
            tier: ((u(16) * 3.0) as usize).min(2),
            day: [triangle(phase), triangle((phase + 0.25) % 1.0)],
        }
    }

    fn features(&self) -> [f64; DIM] {
        let mut x = [0.0; DIM];
        x[self.task] = 1.0;
        x[6..10].copy_from_slice(&[self.difficulty, self.length, self.tools, self.language]);
        x[10 + self.tier] = 1.0;
        x[13..15].copy_from_slice(&self.day);
        x[15] = self.difficulty * self.length;
        x
    }
}

/// One of the models.
struct Served {
    capability: f64,
    price: f64,
    latency: f64,
    skill: [f64; TASKS],
    clumsy: f64,
}

impl Served {
    fn draw(seed: u64, arm: usize) -> Self {
        let ladder = 0.25 + 0.75 * arm as f64 / (ARMS - 1) as f64;
        let capability = if arm == LATE { 0.9 } else { ladder };
        let clumsy = uniform(seed, 22, arm as u64) < 0.4;
        Self {
            capability,
            price: PRICES[arm],
            latency: 0.15 + 0.85 * uniform(seed, 20, arm as u64) * (0.4 + 0.6 * capability),
            skill: from_fn(|task| 0.5 * uniform(seed, 21, (task + TASKS * arm) as u64)),
            clumsy: if clumsy { 0.15 } else { 0.0 },
        }
    }

    fn quality(&self, request: &Request) -> f64 {
        let short = 1.0 - self.capability;
        let able = 0.42 + 0.28 * self.capability + 0.8 * self.skill[request.task];
        let hard = 1.1 * request.difficulty * (short + 0.08) + 0.12 * request.language * short;
        quality(able - hard - self.clumsy * request.tools)
    }

    fn cost(&self, request: &Request) -> f64 {
        self.price * (0.3 + 0.7 * request.length)
    }

    fn latency(&self, request: &Request, u: f64) -> f64 {
        let busy = 1.0 + 0.5 * request.day[0];
        (self.latency * (0.4 + 0.6 * request.length) * (0.7 + 0.6 * u) * busy).min(1.0)
    }
}

fn quality(value: f64) -> f64 {
    value.clamp(0.02, 0.98)
}

/// Draws the router of a seed.
pub(crate) fn generate(seed: u64) -> Set {
    let served: [Served; ARMS] = from_fn(|arm| Served::draw(seed, arm));
    let requests: Vec<Request> = (0..ROWS).map(|t| Request::draw(seed, t)).collect();
    let cells = || requests.iter().flat_map(|request| served.iter().map(move |one| (request, one)));
    let mut means: Vec<f64> = cells().map(|(request, one)| one.quality(request)).collect();
    let costs: Vec<f64> = cells().map(|(request, one)| one.cost(request)).collect();
    let latency = cells().enumerate().map(|(cell, (request, one))| {
        let u = uniform(seed, 30 + (cell % ARMS) as u64, (cell / ARMS) as u64);
        one.latency(request, u)
    });
    let latency = latency.collect();
    degrade(&mut means, &costs);
    let available = (0..ROWS).map(|t| {
        let launched = if t < ROWS * 55 / 100 { !(1 << LATE) } else { u64::MAX };
        launched & if t < ROWS * 8 / 10 { 0xff } else { 0xfe }
    });
    let delay = (0..ROWS as u64).map(|t| {
        let u = uniform(seed, 40, t);
        if uniform(seed, 41, t) < 0.05 { -1 } else { 1 + (200.0 * u * u * u) as i64 }
    });
    Set {
        name: format!("syn_llm_router_{seed}"),
        arms: ARMS,
        dim: DIM,
        contexts: requests.iter().flat_map(Request::features).collect(),
        available: available.collect(),
        delay: delay.collect(),
        latency,
        tenant: Vec::new(),
        truth: Truth::Means { means, costs },
    }
}

/// The model with the best mean utility so far loses 0.45 from 40 to 65 % of the requests.
fn degrade(means: &mut [f64], costs: &[f64]) {
    let (from, to) = (ROWS * 40 / 100, ROWS * 65 / 100);
    let utility = |arm: usize| -> f64 {
        let cells = (0..from).map(|t| t * ARMS + arm);
        cells.map(|cell| 0.7 * means[cell] + 0.3 * (1.0 - costs[cell])).sum()
    };
    let best = (0..LATE).max_by(|&a, &b| utility(a).total_cmp(&utility(b))).unwrap_or(0);
    for t in from..to {
        let mean = &mut means[t * ARMS + best];
        *mean = quality(*mean - 0.45);
    }
}
