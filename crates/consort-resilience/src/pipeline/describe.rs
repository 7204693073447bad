//! A pipeline in words: its guards in their order, with settings and the reason for each place.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::call::Guard;
use super::config::Limits;
use crate::config::Shown;
use crate::{breaker, retry};

/// The guards of one callee, outermost first. `Display` prints them as a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The callee.
    pub callee: String,
    /// Its guards, those that are on.
    pub guards: Vec<Line>,
}

/// One guard of a [`Description`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The guard.
    pub guard: Guard,
    /// Its settings, the ones an operator asks for first.
    pub settings: String,
    /// Why it stands where it stands.
    pub why_here: &'static str,
}

impl Guard {
    /// Why the guard stands where it stands.
    pub const fn why_here(self) -> &'static str {
        match self {
            Guard::Shed => "refuses before a doomed call spends time or a retry",
            Guard::Deadline => "bounds everything below it, pauses and queues included",
            Guard::Retry => "never repeats a refusal by a guard below it",
            Guard::Hedge => {
                "inside retry, so that a retry may be hedged and a hedge is never retried"
            }
            Guard::Breaker => {
                "inside retry, so that every attempt is counted; refuses before any wait"
            }
            Guard::Rate => "below the breaker, so that refused calls cost no tokens",
            Guard::Adaptive => "sets the limit of the bulkhead below it",
            Guard::Bulkhead => {
                "after all that could still refuse, so that slots are only held by calls"
            }
            Guard::AttemptTimeout => "innermost: a hung attempt is a failure the breaker sees",
        }
    }
}

impl Description {
    pub(crate) fn new(callee: &str, limits: &Limits) -> Self {
        let line = |guard: Guard| Line {
            guard,
            settings: settings(guard, limits),
            why_here: guard.why_here(),
        };
        Description {
            callee: callee.to_owned(),
            guards: limits.guards().iter().map(line).collect(),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.callee)?;
        for line in &self.guards {
            write!(f, "\n  {:<16} {}", line.guard.name(), line.settings)?;
        }
        Ok(())
    }
}

fn settings(guard: Guard, limits: &Limits) -> String {
    let time = |value: Option<Duration>| value.map(|time| time.shown()).unwrap_or_default();
    match guard {
        Guard::Deadline => time(limits.deadline),
        Guard::AttemptTimeout => time(limits.attempt_timeout),
        Guard::Shed => limits.shed.as_ref().map_or_else(String::new, |limits| {
            let c = limits.config();
            format!("waits {}, {} at most", c.target.shown(), c.interval.shown())
        }),
        Guard::Hedge => limits.hedge.as_ref().map_or_else(String::new, |limits| {
            let c = limits.config();
            let (low, high) = (c.min_delay.shown(), c.max_delay.shown());
            let (share, ratio) = (c.percentile * 100.0, c.ratio * 100.0);
            format!("after {share}% of calls, {low} to {high}, {ratio}% of calls at most")
        }),
        Guard::Adaptive => limits.adaptive.as_ref().map_or_else(String::new, |limits| {
            let c = limits.config();
            let latency = c.latency.map_or(format!("{}x unpressed", c.tolerance), |l| l.shown());
            format!("{} to {} at once, slow is {latency}", c.min, c.max)
        }),
        Guard::Retry => limits.retry.as_ref().map(|l| of_retry(l.config())).unwrap_or_default(),
        Guard::Breaker => {
            limits.breaker.as_ref().map(|l| of_breaker(l.config())).unwrap_or_default()
        }
        Guard::Rate => limits.rate.as_ref().map_or_else(String::new, |limits| {
            let c = limits.config();
            let wait = c.max_wait.shown();
            format!("{} per {}, burst {}, wait {wait}", c.tokens, c.per.shown(), c.burst)
        }),
        Guard::Bulkhead => limits.bulkhead.as_ref().map_or_else(String::new, |limits| {
            let c = limits.config();
            format!("{} at once, {} waiting up to {}", c.limit, c.queue, c.max_wait.shown())
        }),
    }
}

fn of_retry(config: &retry::Config) -> String {
    let jitter = match config.jitter {
        retry::Jitter::None => "no",
        retry::Jitter::Full => "full",
        retry::Jitter::Decorrelated => "decorrelated",
    };
    let budget = config.budget.as_ref().map_or("no budget".to_owned(), |budget| {
        format!("budget {}% + {}/s", budget.ratio * 100.0, budget.min_per_second)
    });
    let (base, cap) = (config.base.shown(), config.cap.shown());
    format!("{} attempts, {base} to {cap}, {jitter} jitter, {budget}", config.attempts)
}

fn of_breaker(config: &breaker::Config) -> String {
    let mut opens = Vec::new();
    if let Some(failures) = config.consecutive_failures {
        opens.push(format!("{failures} failures in a row"));
    }
    for (rate, what) in [(config.failure_rate, "failed"), (config.slow_rate, "slow")] {
        if let Some(rate) = rate {
            opens.push(format!("{}% {what} of {}+ calls", rate * 100.0, config.minimum_calls));
        }
    }
    let opens = if opens.is_empty() { "by hand only".to_owned() } else { opens.join(" or ") };
    let (rest, longest) = (config.rest.shown(), config.rest_max.shown());
    format!("opens at {opens}; rests {rest} to {longest}")
}
