//! What the tests of several mechanisms share.

use std::time::Instant;

use proptest::test_runner::{Config, RngSeed};

use crate::{Clock, TokioClock};

/// Some moment to start from; which one makes no difference to a machine that is told the time.
pub(crate) fn moment() -> Instant {
    TokioClock.now()
}

/// 10,000 random histories from a fixed seed: the same in every run, on every machine.
pub(crate) fn histories() -> Config {
    Config {
        cases: 10_000,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..Config::default()
    }
}
