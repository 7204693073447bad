//! The frozen default and the grid of the tuned tier.

use std::error::Error;

use consort_bandit::rng::Draw;
use consort_bandit::{
    Agent, ArmSet, Example, Map, Mapped, Odds, Policy, Rule, Tenants, TenantsConfig, auto,
    automatic,
    conservative::{self, Conservative},
    linear::{self, Ridge},
};

use crate::data::{Set, Truth};
use crate::play::Player;

/// Makes the default for a set: nothing about the set but its shape is used and, where arms have
/// fees, that the cheapest one is what a router leaves only for good reason.
pub(crate) fn default(set: &Set) -> Result<Box<dyn Player>, Box<dyn Error>> {
    if !set.tenant.is_empty() {
        return hierarchical(set);
    }
    let policy = automatic(auto::Config::new(set.arms, set.dim))?;
    let cheapest = match &set.truth {
        Truth::Rewards { fees, .. } if fees.iter().any(|fee| *fee > 0.0) => {
            (0..set.arms).min_by(|&a, &b| fees[a].total_cmp(&fees[b]))
        }
        _ => None,
    };
    match cheapest {
        Some(arm) => {
            let policy = Conservative::new(policy, conservative::Config::new(arm))?;
            Ok(Box::new(Guarded { policy, odds: Odds::new() }))
        }
        None => Ok(wrap(policy)),
    }
}

/// A policy that leaves its incumbent only when it can afford to.
struct Guarded<P> {
    policy: Conservative<P>,
    odds: Odds,
}

impl<P: Policy> Player for Guarded<P> {
    fn decide(
        &mut self,
        _tenant: usize,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
    ) -> (usize, f64) {
        let chosen = self.policy.decide(x, available, draw, &mut self.odds);
        chosen.map_or((0, 1.0), |chosen| (chosen.arm, chosen.propensity))
    }

    fn learn(&mut self, _tenant: usize, x: &[f64], (arm, propensity): (usize, f64), reward: f64) {
        // As below.
        let _ = self.policy.update(&Example::new(x, arm, reward, propensity));
    }
}

/// The grid: at most 144 names per set.
pub(crate) fn names(set: &Set) -> Vec<String> {
    let mut names = vec!["auto:0.5".to_owned(), "auto:0.75".to_owned(), "auto:1".to_owned()];
    let maps: &[&str] =
        if set.dim <= 16 { &["linear", "quadratic", "fourier"] } else { &["linear", "fourier"] };
    for map in maps {
        for lambda in ["0.1", "1"] {
            for keep in if *map == "linear" { &["1", "0.99", "0.98"][..] } else { &["1"] } {
                for rule in [
                    "linucb:0.1",
                    "linucb:0.25",
                    "linucb:0.5",
                    "linucb:1",
                    "thompson:0.1",
                    "squarecb:10",
                    "greedy",
                ] {
                    names.push(format!("{map}:{lambda}:{keep}:{rule}"));
                }
            }
        }
    }
    names
}

/// Makes a member of the grid: `auto:ALPHA`, `MAP:LAMBDA:KEEP:RULE[:PARAMETER]` or, for sets with
/// tenants, `hierarchical`, `pooled` (tenants are not told apart) or `separate` (nothing is shared).
pub(crate) fn named(name: &str, set: &Set) -> Result<Box<dyn Player>, Box<dyn Error>> {
    match name {
        "hierarchical" => return hierarchical(set),
        "pooled" => return named("linear:1:1:linucb:0.5", set),
        "separate" => return separate(set),
        _ => {}
    }
    let parts: Vec<&str> = name.split(':').collect();
    if let ["auto", alpha] = parts[..] {
        let rule = Rule::LinUcb { alpha: number(name, alpha)? };
        let model = automatic(auto::Config::new(set.arms, set.dim))?.into_model();
        return Ok(wrap(Agent::new(model, rule)?));
    }
    let [map, lambda, keep, rule, ..] = parts[..] else {
        let forms =
            "give auto:ALPHA, MAP:LAMBDA:KEEP:RULE[:PARAMETER], hierarchical, pooled or separate";
        return Err(format!("unknown policy `{name}`: {forms}").into());
    };
    let parameter = || number(name, parts.get(4).unwrap_or(&"0"));
    let rule = match rule {
        "linucb" => Rule::LinUcb { alpha: parameter()? },
        "thompson" => Rule::Thompson { scale: parameter()? },
        "squarecb" => Rule::SquareCb { gamma: parameter()?, exponent: 0.5 },
        "regcb" => Rule::RegCb { c0: parameter()? },
        "epsilon" => Rule::EpsilonGreedy { epsilon: parameter()?, decay: false },
        "greedy" => Rule::Greedy,
        other => return Err(format!("unknown rule `{other}`").into()),
    };
    let map = match map {
        "linear" => Map::Identity,
        "quadratic" => Map::Quadratic,
        "thresholds" => Map::Thresholds,
        "fourier" => Map::Fourier { features: 128, bandwidth: 0.5 },
        other => return Err(format!("unknown map `{other}`").into()),
    };
    let (lambda, keep) = (number(name, lambda)?, number(name, keep)?);
    let ridge =
        |dim| Ridge::new(linear::Config { lambda, keep, ..linear::Config::new(set.arms, dim) });
    Ok(wrap(Agent::new(Mapped::new(map, set.dim, ridge)?, rule)?))
}

fn number(policy: &str, text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("policy `{policy}`: `{text}` is no number"))
}

fn tenants(set: &Set) -> usize {
    set.tenant.iter().max().map_or(1, |most| most + 1)
}

/// One model of what all tenants share and how each differs.
fn hierarchical(set: &Set) -> Result<Box<dyn Player>, Box<dyn Error>> {
    let config = TenantsConfig { tenants: tenants(set), arms: set.arms, dim: set.dim };
    Ok(Box::new(Hierarchical { policy: Tenants::new(config)?, odds: Odds::new() }))
}

struct Hierarchical {
    policy: Tenants,
    odds: Odds,
}

impl Player for Hierarchical {
    fn decide(&mut self, tenant: usize, x: &[f64], available: &ArmSet, draw: Draw) -> (usize, f64) {
        let chosen = self.policy.decide(tenant, x, available, draw, &mut self.odds);
        chosen.map_or((0, 1.0), |chosen| (chosen.arm, chosen.propensity))
    }

    fn learn(&mut self, tenant: usize, x: &[f64], (arm, propensity): (usize, f64), reward: f64) {
        // As below.
        let _ = self.policy.update(tenant, &Example::new(x, arm, reward, propensity));
    }
}

/// A model for each tenant.
struct Separate(Vec<Box<dyn Player>>);

fn separate(set: &Set) -> Result<Box<dyn Player>, Box<dyn Error>> {
    let own = (0..tenants(set)).map(|_| named("pooled", set));
    Ok(Box::new(Separate(own.collect::<Result<_, _>>()?)))
}

impl Player for Separate {
    fn decide(&mut self, tenant: usize, x: &[f64], available: &ArmSet, draw: Draw) -> (usize, f64) {
        self.0[tenant].decide(tenant, x, available, draw)
    }

    fn learn(&mut self, tenant: usize, x: &[f64], chosen: (usize, f64), reward: f64) {
        self.0[tenant].learn(tenant, x, chosen, reward);
    }
}

/// A policy that takes no notice of tenants.
struct Plain<P> {
    policy: P,
    odds: Odds,
}

fn wrap<P: Policy + 'static>(policy: P) -> Box<dyn Player> {
    Box::new(Plain { policy, odds: Odds::new() })
}

impl<P: Policy> Player for Plain<P> {
    fn decide(
        &mut self,
        _tenant: usize,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
    ) -> (usize, f64) {
        let chosen = self.policy.decide(x, available, draw, &mut self.odds);
        chosen.map_or((0, 1.0), |chosen| (chosen.arm, chosen.propensity))
    }

    fn learn(&mut self, _tenant: usize, x: &[f64], (arm, propensity): (usize, f64), reward: f64) {
        // Refusals would mean a broken data file; the round then teaches nothing.
        let _ = self.policy.update(&Example::new(x, arm, reward, propensity));
    }
}
