//! Claims about learning, from outside: through the facade, across processes, over time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod bandits;
mod crash;
mod evaluate;
mod hostile;
mod hub;
mod kit;
mod outage;
mod runs;
mod trials;
