//! Seeded scenarios in virtual time, each with the bound it is held to.

mod brown_out;
mod dead;
mod flapping;
mod many;
mod recovery;
mod slow;

use consort_resilience::pipeline::Config;
use consort_resilience::{breaker, bulkhead, retry};

use crate::sim::{ms, secs};

/// What the scenarios start from: all five default guards, quick.
fn quick() -> Config {
    Config {
        deadline: Some(secs(1)),
        retry: Some(retry::Config { base: ms(50), cap: ms(500), ..retry::Config::default() }),
        breaker: Some(breaker::Config {
            rest: secs(1),
            rest_max: secs(30),
            ..breaker::Config::default()
        }),
        bulkhead: Some(bulkhead::Config { limit: 8, queue: 8, max_wait: ms(100) }),
        attempt_timeout: Some(ms(300)),
        ..Config::OFF
    }
}
