//! Plays the scenarios of `docs/learning.md` and writes their plots as SVG:
//!
//! `cargo run --release -p consort-application --example plots -- docs/learning`
//!
//! Everything drawn comes from these runs: seeded worlds, the learning of this crate, no
//! smoothing but the one that is named.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use consort_application::learning::{Config, Spec, State};
use consort_bandit::{Rule, rng};
use consort_core::{
    Budget, Category, Component, Decision, Question, Random, Situation, StepError, TenantId,
    Timestamp,
    learning::{Feedback, Made, Record, Source, Subject},
};

/// A world: what each arm earns in a situation, and whether it fails.
trait World {
    fn arms(&self) -> usize;
    fn mean(&self, t: u64, x: f64, arm: usize) -> f64;
    fn failure(&mut self, _t: u64, _arm: usize) -> Option<Category> {
        None
    }
}

#[derive(Debug)]
struct Drawn(f64);

impl Random for Drawn {
    fn bits(&self) -> u64 {
        ((self.0 * (1_u64 << 53) as f64) as u64) << 11
    }
}

/// How the outcome becomes the reward that is learned.
type Reward = fn(won: bool, chosen: usize) -> f64;

struct Setting {
    rule: Rule,
    /// Tells categories and watches health.
    aware: bool,
    /// Whether the situation is among the features.
    sees: bool,
    reward: Reward,
}

struct Step {
    chosen: usize,
    /// Earned less than the best arm would have.
    regret: f64,
    /// True mean of what was chosen.
    earned: f64,
}

fn play(
    world: &mut dyn World,
    setting: &Setting,
    seed: u64,
    rounds: u64,
) -> Result<Vec<Step>, StepError> {
    let mut config = Config::default();
    config
        .policies
        .insert("point".into(), Spec { rule: setting.rule, floor: 0.01, ..Spec::default() });
    if !setting.aware {
        config.health.floor = usize::MAX;
    }
    let (mut state, tenant, arms) = (State::new(config), TenantId::default(), world.arms());
    let mut steps = Vec::new();
    for t in 0..rounds {
        let (now, x) = (Timestamp(t * 200), rng::uniform(seed, 1, t));
        let mut features = BTreeMap::new();
        if setting.sees {
            features.insert("hard".to_owned(), x);
        }
        let candidates = (0..arms).map(|arm| format!("arm {arm}")).collect();
        let question =
            Question { component: Component::Model, domain: "point".into(), candidates, features };
        let situation = Situation {
            tenant: &tenant,
            request: None,
            now,
            budget: Budget::UNLIMITED,
            random: &Drawn(rng::uniform(seed, 2, t)),
            registered: &|_| true,
        };
        let choice = state.choose(situation, &question)?;
        let (chosen, failure) = (choice.chosen, world.failure(t, choice.chosen));
        let mean = if failure.is_some() { 0.0 } else { world.mean(t, x, chosen) };
        let won = rng::uniform(seed, 3 + chosen as u64, t) < mean;
        let best = (0..arms).map(|arm| world.mean(t, x, arm)).fold(0.0, f64::max);
        steps.push(Step { chosen, regret: best - mean, earned: mean });
        let decision = Decision {
            id: format!("d{t}"),
            question,
            chosen,
            propensities: choice.propensities,
            scores: None,
            policy: choice.policy,
            policy_version: choice.version,
            skipped: choice.skipped,
        };
        let made = Made { tenant: tenant.clone(), run: None, at: now, decision };
        let feedback = Feedback {
            id: "outcome".into(),
            tenant: tenant.clone(),
            source: Source::ToolExecution,
            subject: Subject::Decision(format!("d{t}")),
            reward: if failure.is_some() { 0.0 } else { (setting.reward)(won, chosen) },
            confidence: 1.0,
            category: failure.filter(|_| setting.aware),
            at: now,
            metadata: serde_json::Value::Null,
        };
        state.apply(2 * t + 1, &Record::Made(Box::new(made)));
        state.apply(2 * t + 2, &Record::Feedback(Box::new(feedback)));
    }
    Ok(steps)
}

fn outcome(won: bool, _: usize) -> f64 {
    if won { 1.0 } else { 0.0 }
}

/// Easy situations are cheap for the small arm, hard ones need the large one.
struct Routing;

impl World for Routing {
    fn arms(&self) -> usize {
        4
    }

    fn mean(&self, _: u64, x: f64, arm: usize) -> f64 {
        [0.85 - 0.6 * x, 0.7 - 0.2 * x, 0.45 + 0.35 * x, 0.4][arm]
    }
}

/// The best arm is down between two rounds; a breaker stands before it.
#[derive(Default)]
struct Outage {
    failures: u32,
    open_until: u64,
}

const DOWN: std::ops::Range<u64> = 3_000..6_000;

impl World for Outage {
    fn arms(&self) -> usize {
        3
    }

    fn mean(&self, t: u64, _: f64, arm: usize) -> f64 {
        [if DOWN.contains(&t) { 0.0 } else { 0.8 }, 0.6, 0.4][arm]
    }

    fn failure(&mut self, t: u64, arm: usize) -> Option<Category> {
        if arm != 0 {
            return None;
        }
        if t < self.open_until {
            return Some(Category::CircuitOpen);
        }
        if !DOWN.contains(&t) {
            self.failures = 0;
            return None;
        }
        self.failures += 1;
        if self.failures >= 5 {
            self.open_until = t + 150;
        }
        Some(Category::Unavailable)
    }
}

// ===== drawing =====

struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

const COLOURS: [&str; 6] = ["#1b6ca8", "#c8553d", "#3a7d44", "#7b5ea7", "#b8860b", "#555555"];
const W: f64 = 720.0;
const H: f64 = 320.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 44.0;

fn svg(title: &str, x: &str, y: &str, lines: &[Line], shade: Option<(f64, f64)>) -> String {
    let all = lines.iter().flat_map(|line| &line.points);
    let (right, top) = all.fold((1.0_f64, 1e-9_f64), |(r, t), (x, y)| (r.max(*x), t.max(*y)));
    let across = |value: f64| LEFT + value / right * (W - LEFT - RIGHT);
    let up = |value: f64| H - BOTTOM - value / top * (H - TOP - BOTTOM);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {W} {H}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{title}</title>\n<rect width=\"{W}\" height=\"{H}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    if let Some((from, to)) = shade {
        let (from, to) = (across(from), across(to));
        let _ = writeln!(
            text,
            "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#eee\"/>",
            to - from,
            H - TOP - BOTTOM
        );
    }
    for part in 0..=4 {
        let (xv, yv) = (right * f64::from(part) / 4.0, top * f64::from(part) / 4.0);
        let digits = if top < 5.0 { 2 } else { 0 };
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{xv:.0}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{yv:.digits$}</text>\
             <line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>",
            across(xv),
            H - BOTTOM + 16.0,
            LEFT - 6.0,
            up(yv) + 4.0,
            W - RIGHT,
            up(yv),
            up(yv)
        );
    }
    for (at, line) in lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let path: Vec<String> =
            line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
        let _ = writeln!(
            text,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            W - RIGHT + 10.0,
            TOP + 16.0 + 18.0 * at as f64,
            line.name
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x}</text>\
         <text x=\"14\" y=\"{:.1}\" transform=\"rotate(-90 14 {:.1})\" text-anchor=\"middle\">{y}</text>\n</svg>",
        LEFT + (W - LEFT - RIGHT) / 2.0,
        H - 8.0,
        H / 2.0,
        H / 2.0
    );
    text
}

/// Sums, one point each 50 rounds.
fn summed(steps: &[Step]) -> Vec<(f64, f64)> {
    let mut sum = 0.0;
    let sums = steps.iter().enumerate().map(|(t, step)| {
        sum += step.regret;
        (t as f64, sum)
    });
    sums.step_by(50).collect()
}

/// Means of the last 200 rounds, one point each 50.
fn recent(steps: &[Step], of: fn(&Step) -> f64) -> Vec<(f64, f64)> {
    let at = (200..steps.len()).step_by(50);
    at.map(|t| (t as f64, steps[t - 200..t].iter().map(of).sum::<f64>() / 200.0)).collect()
}

fn rules() -> Result<String, StepError> {
    let named = [
        ("LinUCB", Rule::LinUcb { alpha: 0.5 }),
        ("Thompson", Rule::Thompson { scale: 0.25 }),
        ("SquareCB", Rule::SquareCb { gamma: 10.0, exponent: 0.5 }),
        ("ε-greedy", Rule::EpsilonGreedy { epsilon: 0.1, decay: false }),
        ("greedy", Rule::Greedy),
    ];
    let mut lines = Vec::new();
    for (name, rule) in named {
        let setting = Setting { rule, aware: true, sees: true, reward: outcome };
        lines.push(Line { name, points: summed(&play(&mut Routing, &setting, 7, 5_000)?) });
    }
    let blind =
        Setting { rule: Rule::LinUcb { alpha: 0.5 }, aware: true, sees: false, reward: outcome };
    let points = summed(&play(&mut Routing, &blind, 7, 5_000)?);
    lines.push(Line { name: "without features", points });
    Ok(svg("What learning costs: regret, summed", "decisions", "regret", &lines, None))
}

fn outage() -> Result<String, StepError> {
    let mut lines = Vec::new();
    for (name, aware) in [("knows categories", true), ("takes all as bad", false)] {
        let rule = Rule::LinUcb { alpha: 0.3 };
        let setting = Setting { rule, aware, sees: true, reward: outcome };
        let steps = play(&mut Outage::default(), &setting, 3, 12_000)?;
        let best = |step: &Step| if step.chosen == 0 { 1.0 } else { 0.0 };
        lines.push(Line { name, points: recent(&steps, best) });
    }
    let shade = Some((DOWN.start as f64, DOWN.end as f64));
    Ok(svg(
        "Share of the best arm, which is down in the grey part",
        "decisions",
        "share of the last 200",
        &lines,
        shade,
    ))
}

fn hacked() -> Result<String, StepError> {
    // Half of the reward is what the arm says of itself: arm 3 praises itself.
    fn praised(won: bool, chosen: usize) -> f64 {
        0.5 * outcome(won, chosen) + if chosen == 3 { 0.5 } else { 0.1 }
    }
    let mut lines = Vec::new();
    for (name, reward) in [("outcome", outcome as Reward), ("self-praise", praised)] {
        let rule = Rule::SquareCb { gamma: 10.0, exponent: 0.5 };
        let setting = Setting { rule, aware: true, sees: true, reward };
        let steps = play(&mut Routing, &setting, 11, 5_000)?;
        lines.push(Line { name, points: recent(&steps, |step| step.earned) });
    }
    Ok(svg(
        "What is really earned when an arm can write its own reward",
        "decisions",
        "mean of the last 200",
        &lines,
        None,
    ))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "docs/learning".into());
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    for (name, plot) in [("rules", rules()?), ("outage", outage()?), ("hacked", hacked()?)] {
        std::fs::write(directory.join(format!("{name}.svg")), plot)?;
    }
    Ok(())
}
