//! How a component does lately, and whether it may be chosen.
//!
//! A window of recent rewards per component gives `health = mean · (1 − bad share) · (1 − spread)`,
//! with the spread (standard deviation) counted up to one half. A component below the limit is
//! disabled, rests, and comes back on probation: it may be chosen again and is judged afresh from
//! a few outcomes. Health only decides who may be chosen. It never enters a score, where it could
//! make a sick arm look better.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a component is disabled, and how it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rewards in the window. Default 100.
    pub window: usize,
    /// Rewards needed before anything is judged. Default 11.
    pub floor: usize,
    /// A reward below this is a bad one. Default 0.3.
    pub bad: f64,
    /// Disabled below this health. Default 0.05: with outcomes of nothing but 0 and 1, fewer than
    /// three good ones in ten.
    pub disable: f64,
    /// Leaves probation at this health or above. Default 0.1.
    pub enable: f64,
    /// Outcomes on probation before it is judged. Default 5.
    pub probation: usize,
    /// Milliseconds of the first rest; doubles with each failed probation. Default 60,000.
    pub rest_ms: u64,
    /// Longest rest. Default one hour.
    pub longest_rest_ms: u64,
    /// Milliseconds that a component is left out after a failure that says "not now" (breaker
    /// open, rate limited, overloaded). Default 30,000.
    pub not_now_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: 100,
            floor: 11,
            bad: 0.3,
            disable: 0.05,
            enable: 0.1,
            probation: 5,
            rest_ms: 60_000,
            longest_rest_ms: 3_600_000,
            not_now_ms: 30_000,
        }
    }
}

/// Where a component stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// May be chosen.
    Enabled,
    /// May not be chosen until then, in milliseconds of log time.
    Disabled {
        /// When it comes back on probation.
        until: u64,
        /// Times it was disabled since it last was well.
        times: u32,
    },
    /// May be chosen, and is judged soon.
    Probation {
        /// Times it was disabled since it last was well.
        times: u32,
    },
}

/// A move that somebody should hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// It was switched off.
    Disabled,
    /// It is well again.
    Enabled,
}

/// The recent past of one component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    rewards: VecDeque<f64>,
    standing: Standing,
    /// Until when it is left out because it said "not now".
    not_before: u64,
    /// Moving average of all rewards: 0.9 of the old, 0.1 of the new.
    average: Option<f64>,
    /// When the last reward came.
    last: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            rewards: VecDeque::new(),
            standing: Standing::Enabled,
            not_before: 0,
            average: None,
            last: 0,
        }
    }
}

impl Window {
    /// Takes a reward at log time `now`.
    pub fn push(&mut self, reward: f64, now: u64, limits: &Limits) -> Option<Moved> {
        self.wake(now);
        self.last = now;
        self.average = Some(self.average.map_or(reward, |old| 0.9 * old + 0.1 * reward));
        self.rewards.push_back(reward);
        if self.rewards.len() > limits.window.max(1) {
            self.rewards.pop_front();
        }
        let (health, count) = (self.health(limits)?, self.rewards.len());
        match self.standing {
            Standing::Enabled if count >= limits.floor && health < limits.disable => {
                self.disable(1, now, limits)
            }
            Standing::Probation { times } if count >= limits.probation => {
                if health >= limits.enable {
                    self.standing = Standing::Enabled;
                    Some(Moved::Enabled)
                } else {
                    self.disable(times + 1, now, limits)
                }
            }
            _ => None,
        }
    }

    fn disable(&mut self, times: u32, now: u64, limits: &Limits) -> Option<Moved> {
        let doubled = limits.rest_ms.saturating_mul(1 << (times - 1).min(32));
        let until = now.saturating_add(doubled.min(limits.longest_rest_ms));
        self.standing = Standing::Disabled { until, times };
        Some(Moved::Disabled)
    }

    /// It said "not now": left out for a while, and charged nothing.
    pub fn not_now(&mut self, now: u64, limits: &Limits) {
        self.not_before = self.not_before.max(now.saturating_add(limits.not_now_ms));
    }

    /// Judged afresh once the rest is over.
    fn wake(&mut self, now: u64) {
        if let Standing::Disabled { until, times } = self.standing
            && now >= until
        {
            self.standing = Standing::Probation { times };
            self.rewards.clear();
        }
    }

    /// Why it may not be chosen at `now`.
    pub fn refusal(&self, now: u64) -> Option<String> {
        match self.standing {
            Standing::Disabled { until, .. } if now < until => {
                Some(format!("disabled for its health, {} s to go", (until - now).div_ceil(1000)))
            }
            _ if now < self.not_before => Some(format!(
                "asked for a pause, {} s to go",
                (self.not_before - now).div_ceil(1000)
            )),
            _ => None,
        }
    }

    /// True while it asks for a pause.
    pub fn is_paused(&self, now: u64) -> bool {
        now < self.not_before
    }

    /// Where it stands at `now`.
    pub fn standing(&self, now: u64) -> Standing {
        match self.standing {
            Standing::Disabled { until, times } if now >= until => Standing::Probation { times },
            standing => standing,
        }
    }

    /// In [0, 1]; none without a reward.
    pub fn health(&self, limits: &Limits) -> Option<f64> {
        let count = self.rewards.len() as f64;
        if count == 0.0 {
            return None;
        }
        let mean = self.rewards.iter().sum::<f64>() / count;
        let variance = self.rewards.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / count;
        let bad = self.rewards.iter().filter(|reward| **reward < limits.bad).count() as f64 / count;
        Some((mean * (1.0 - bad) * (1.0 - variance.sqrt().min(0.5))).clamp(0.0, 1.0))
    }

    /// Rewards in the window.
    pub fn samples(&self) -> usize {
        self.rewards.len()
    }

    /// Moving average of all rewards.
    pub fn average(&self) -> Option<f64> {
        self.average
    }

    /// When the last reward came.
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> Limits = Limits::default;

    fn feed(window: &mut Window, reward: f64, times: usize, now: u64) -> Option<Moved> {
        (0..times).filter_map(|_| window.push(reward, now, &LIMITS())).last()
    }

    #[test]
    fn few_samples_judge_nobody() {
        let mut window = Window::default();
        assert_eq!(window.health(&LIMITS()), None);
        assert_eq!(feed(&mut window, 0.0, 10, 0), None);
        assert_eq!(window.refusal(0), None);
        assert_eq!(feed(&mut window, 0.0, 1, 0), Some(Moved::Disabled));
    }

    #[test]
    fn perfect_rewards_are_perfect_health() {
        let mut window = Window::default();
        feed(&mut window, 1.0, 90, 0);
        assert_eq!(window.health(&LIMITS()), Some(1.0));
    }

    #[test]
    fn outcomes_of_nothing_but_0_and_1_are_no_disease() {
        let mut window = Window::default();
        let moved =
            (0..100).filter_map(|n| window.push(if n % 5 < 2 { 1.0 } else { 0.0 }, n, &LIMITS()));
        assert_eq!(moved.count(), 0);
    }

    #[test]
    fn health_can_recover() {
        let mut window = Window::default();
        feed(&mut window, 0.0, 11, 1_000);
        assert!(window.refusal(60_999).is_some());
        assert_eq!(window.refusal(61_000), None);
        assert_eq!(window.standing(61_000), Standing::Probation { times: 1 });
        assert_eq!(feed(&mut window, 0.9, 5, 61_000), Some(Moved::Enabled));
        assert_eq!(window.standing(61_000), Standing::Enabled);
    }

    #[test]
    fn a_failed_probation_rests_twice_as_long() {
        let mut window = Window::default();
        feed(&mut window, 0.0, 11, 0);
        assert_eq!(feed(&mut window, 0.1, 5, 60_000), Some(Moved::Disabled));
        assert_eq!(window.standing(60_001), Standing::Disabled { until: 180_000, times: 2 });
        for _ in 0..40 {
            let Standing::Disabled { until, .. } = window.standing(0) else { panic!() };
            feed(&mut window, 0.0, 5, until);
        }
        let Standing::Disabled { until, .. } = window.standing(0) else { panic!() };
        assert!(until - window.last() <= 3_600_000);
    }

    #[test]
    fn not_now_costs_no_health() {
        let mut window = Window::default();
        feed(&mut window, 0.8, 20, 0);
        let before = window.health(&LIMITS());
        window.not_now(5_000, &LIMITS());
        assert!(window.refusal(34_999).is_some());
        assert_eq!(window.refusal(35_000), None);
        assert_eq!(window.health(&LIMITS()), before);
    }
}
