//! Contextual bandits: choosing among arms so that every outcome makes the next choice better.
//!
//! A [`Policy`] turns a context `x` and the set of available arms into the probabilities of all
//! arms ([`Odds`]); a counter-based [`Draw`](rng::Draw) picks one; the reward, whenever it comes,
//! goes back with the context, the arm and the recorded propensity. Nothing here is async, does
//! I/O, reads a clock or owns a source of randomness: the same calls give the same bits.
//!
//! | to | see |
//! |---|---|
//! | decide and learn with linear models | [`linucb`], [`linear_thompson`], [`squarecb`], [`epsilon_greedy`], [`Rule`] |
//! | decide from a packed copy in `f32` | [`linear::Hot`] |
//! | build contexts from named facts | [`features`] |
//! | see why an arm was preferred | [`Agent::explain`] |
//! | evaluate a policy on another's log | [`ope`] |
//! | learn a policy from another's log | [`offline`] |
//! | promote or withdraw without peeking errors | [`inference`] |
//! | learn from a log exactly once | [`learner`] |
//! | store and restore what was learned | [`codec`] |
//!
//! ```
//! use consort_bandit::{ArmSet, Example, Odds, Policy, linear, linucb, rng::Draw};
//!
//! let mut policy = linucb(linear::Config::new(3, 2), 0.5)?;
//! let mut odds = Odds::new();
//! for counter in 0..200 {
//!     let x = [rng(counter), 1.0 - rng(counter)];
//!     let draw = Draw { seed: 7, counter };
//!     let chosen = policy.decide(&x, &ArmSet::all(3), draw, &mut odds)?;
//!     // Arm 0 is right when the first feature is large, arm 2 when it is small.
//!     let right = if x[0] > 0.5 { 0 } else { 2 };
//!     let reward = if chosen.arm == right { 1.0 } else { 0.0 };
//!     policy.update(&Example::new(&x, chosen.arm, reward, chosen.propensity))?;
//! }
//! policy.odds(&[0.9, 0.1], &ArmSet::all(3), &mut odds)?;
//! assert_eq!(odds.probabilities(), [1.0, 0.0, 0.0]);
//!
//! fn rng(counter: u64) -> f64 {
//!     consort_bandit::rng::uniform(1, 0, counter)
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod arms;
pub mod auto;
mod blocks;
pub mod budget;
pub mod codec;
pub mod conservative;
mod counts;
mod detect;
mod error;
mod exclusive;
mod explain;
pub mod features;
mod hybrid;
pub mod inference;
mod knowledge;
pub mod learner;
pub mod linear;
mod maps;
mod model;
mod odds;
pub mod offline;
pub mod ope;
pub mod rng;
mod rule;
mod special;
mod tenants;

pub use agent::{Agent, Exploration, Policy, epsilon_greedy, linear_thompson, linucb, squarecb};
pub use arms::{ArmSet, MAX_ARMS};
pub use auto::{Auto, automatic};
pub use counts::{BetaThompson, Counts, ucb1};
pub use detect::Detector;
pub use error::{CannotMerge, Corrupt, InvalidConfig, Refused};
pub use exclusive::Exclusive;
pub use explain::{ArmExplanation, Explain, Explanation, Part};
pub use hybrid::{Hybrid, HybridConfig};
pub use knowledge::Knowledge;
pub use maps::{Map, Mapped};
pub use model::{Example, MAX_DIM, MAX_FEATURE, Model, Persist, Scores};
pub use odds::{Decision, Odds};
pub use rule::{Rule, Ties};
pub use tenants::{Tenants, TenantsConfig};
