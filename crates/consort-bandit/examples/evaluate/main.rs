//! Prints how well a tier of policies does on data sets: one line per set,
//! `set,tier,metric,mean,sd,shuffles`.
//!
//! ```console
//! cargo run --release -p consort-bandit --example evaluate -- SET.csv… --tier default|tuned --shuffles A..B
//! ```
//! Further options: `--policy NAME` (an entry of the tuned grid by its text), `--per-shuffle`
//! (one column per shuffle), `--immediate` (ignore the delay column), `--prefixes` (worst prefix
//! against the best fixed arm), `--budget COST[/LATENCY]` per round (several; the budgeted default
//! beside the clairvoyant linear programme), `--delays MEAN[,MEAN]` (the tier again with late and
//! lost rewards), `--tenants` (hierarchical beside pooled and separate models), `--offline` (a policy
//! learned from one uniform log), `--against BASELINES.json` (paired with the given baselines).
//! Instead of a file, `gradual:SEED` is a generated set with gradual drift and `router:SEED` a
//! generated model router.
//!
//! Layouts: `x0..,y` (classification), or `[tenant][,subject][,avail][,delay],x..,r..[,m..][,c..][,l..]`
//! (an environment). Contexts are never rescaled. Metrics: `loss` (mean of 1 − reward, for
//! environments 1 − expected reward) or, with costs, `utility` (0.7·m + 0.3·(1 − cost)), or,
//! without means, `reward`.

mod against;
mod budgets;
mod data;
mod grid;
mod offline;
mod play;
mod router;
mod tenants;

use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use data::Set;
use play::{Feedback, Outcome, Player};

/// What was asked for.
struct Asked {
    sets: Vec<String>,
    tier: String,
    policy: Option<String>,
    shuffles: std::ops::Range<u64>,
    per_shuffle: bool,
    feedback: Feedback,
    delays: Vec<f64>,
    tenants: bool,
    offline: bool,
    prefixes: bool,
    budgets: Vec<budgets::Budgets>,
    against: Option<String>,
}

fn parse() -> Result<Asked, Box<dyn Error>> {
    let mut asked = Asked {
        sets: Vec::new(),
        tier: "default".into(),
        policy: None,
        shuffles: 10..20,
        per_shuffle: false,
        feedback: Feedback::AsGiven,
        delays: Vec::new(),
        tenants: false,
        offline: false,
        prefixes: false,
        budgets: Vec::new(),
        against: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--tier" => asked.tier = value()?,
            "--policy" => asked.policy = Some(value()?),
            "--shuffles" => {
                let value = value()?;
                asked.shuffles = shuffles(&value).ok_or(format!(
                    "`--shuffles {value}`: give A..B with A below B, e.g. 10..20"
                ))?;
            }
            "--per-shuffle" => asked.per_shuffle = true,
            "--immediate" => asked.feedback = Feedback::Immediate,
            "--delays" => {
                let means = value()?;
                asked.delays = data::amounts(&means)
                    .ok_or(format!("`--delays {means}`: give mean rounds ≥ 0, e.g. 10,100"))?;
            }
            "--tenants" => asked.tenants = true,
            "--offline" => asked.offline = true,
            "--prefixes" => asked.prefixes = true,
            "--budget" => {
                let value = value()?;
                let budget = value.parse().map_err(|why| format!("`--budget {value}`: {why}"))?;
                asked.budgets.push(budget);
            }
            "--against" => asked.against = Some(value()?),
            _ if arg.starts_with("--") => return Err(format!("unknown option `{arg}`").into()),
            _ => asked.sets.push(arg),
        }
    }
    if asked.sets.is_empty() {
        return Err("usage: evaluate SET.csv… --tier default|tuned --shuffles A..B".into());
    }
    if !["default", "tuned"].contains(&asked.tier.as_str()) {
        return Err(format!("unknown tier `{}`: give default or tuned", asked.tier).into());
    }
    Ok(asked)
}

/// `A..B`, not empty.
fn shuffles(text: &str) -> Option<std::ops::Range<u64>> {
    let (from, to) = text.split_once("..")?;
    let range = from.parse().ok()?..to.parse().ok()?;
    (!range.is_empty()).then_some(range)
}

fn main() -> ExitCode {
    match evaluate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if even that cannot be told.
            let _ = writeln!(stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn evaluate() -> Result<(), Box<dyn Error>> {
    let asked = parse()?;
    let mut out = stdout().lock();
    writeln!(out, "set,tier,metric,mean,sd,shuffles")?;
    for path in &asked.sets {
        let set = Set::read(path).map_err(|why| format!("`{path}`: {why}"))?;
        let (tier, outcomes) = run(&set, &asked, asked.feedback)?;
        let values: Vec<f64> = outcomes.iter().map(|outcome| outcome.value).collect();
        let (mean, sd) = mean_sd(&values);
        let shuffles = format!("{}..{}", asked.shuffles.start, asked.shuffles.end);
        writeln!(out, "{},{tier},{},{mean:.5},{sd:.5},{shuffles}", set.name, set.metric())?;
        if asked.per_shuffle {
            writeln!(out, "# {}: {values:?}", set.name)?;
        }
        if asked.prefixes {
            let worst: Vec<f64> = outcomes.iter().map(|outcome| outcome.worst_prefix).collect();
            let safe = worst.iter().filter(|gap| **gap >= -0.003).count();
            writeln!(
                out,
                "# {}: at worst {worst:.4?} beside the best fixed arm at a prefix of 1000 or more; {safe} of {} within 0.003",
                set.name,
                worst.len()
            )?;
        }
        if !asked.delays.is_empty() {
            delays(&mut out, &set, &asked)?;
        }
        if asked.tenants {
            tenants::report(&mut out, &set, asked.shuffles.clone())?;
        }
        if asked.offline {
            offline::report(&mut out, &set, asked.shuffles.clone())?;
        }
        for budget in &asked.budgets {
            budgets::report(&mut out, &set, *budget, asked.shuffles.clone())?;
        }
        if let Some(baselines) = &asked.against {
            against::compare(&mut out, baselines, &set, &asked.tier, &asked.shuffles, &values)?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Prints what late and lost rewards cost beside immediate ones, as a share of what was earned.
fn delays(out: &mut impl Write, set: &Set, asked: &Asked) -> Result<(), Box<dyn Error>> {
    let earned = |when| -> Result<f64, Box<dyn Error>> {
        let values: Vec<f64> = run(set, asked, when)?.1.iter().map(|o| o.value).collect();
        let mean = mean_sd(&values).0;
        Ok(if set.metric() == "loss" { 1.0 - mean } else { mean })
    };
    let at_once = earned(Feedback::Immediate)?;
    for &mean in &asked.delays {
        let late = earned(Feedback::Late(mean))?;
        let cost = 100.0 * (1.0 - late / at_once);
        writeln!(
            out,
            "# {}: earned {late:.4} with rewards {mean} rounds late on average and 5 % lost, {at_once:.4} at once: {cost:.2} % less",
            set.name
        )?;
    }
    Ok(())
}

/// Plays the asked tier on a set: the frozen default, one named policy, or the best of the grid,
/// chosen on shuffles 0 to 9.
fn run(set: &Set, asked: &Asked, when: Feedback) -> Result<(String, Vec<Outcome>), Box<dyn Error>> {
    let play = |make: &dyn Fn() -> Result<Box<dyn Player>, Box<dyn Error>>,
                shuffles: std::ops::Range<u64>| {
        shuffles
            .map(|shuffle| Ok(play::play(set, make()?.as_mut(), shuffle, when)))
            .collect::<Result<Vec<Outcome>, Box<dyn Error>>>()
    };
    if let Some(name) = &asked.policy {
        return Ok((name.clone(), play(&|| grid::named(name, set), asked.shuffles.clone())?));
    }
    match asked.tier.as_str() {
        "default" => {
            let outcomes = play(&|| grid::default(set), asked.shuffles.clone())?;
            Ok(("default".into(), outcomes))
        }
        "tuned" => {
            let sign = if set.metric() == "loss" { 1.0 } else { -1.0 };
            let mut best: Option<(f64, String)> = None;
            for name in grid::names(set) {
                let values: Vec<f64> =
                    play(&|| grid::named(&name, set), 0..10)?.iter().map(|o| o.value).collect();
                let score = sign * mean_sd(&values).0;
                if best.as_ref().is_none_or(|(least, _)| score < *least) {
                    best = Some((score, name));
                }
            }
            let (_, name) = best.ok_or("the grid is empty")?;
            let outcomes = play(&|| grid::named(&name, set), asked.shuffles.clone())?;
            Ok((format!("tuned ({name})"), outcomes))
        }
        other => Err(format!("unknown tier `{other}`: give default or tuned").into()),
    }
}

fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, if n > 1.0 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}
