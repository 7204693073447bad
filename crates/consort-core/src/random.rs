//! The randomness port: every random choice has a source that a test can seed.

use std::{fmt, sync::Mutex};

/// Where random numbers come from.
pub trait Random: Send + Sync + fmt::Debug + 'static {
    /// 64 uniformly distributed bits.
    fn bits(&self) -> u64;

    /// 128 uniformly distributed bits.
    fn wide(&self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits())
    }

    /// Uniform in [0, 1), 53 bits of it.
    fn unit(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Thread-local generators seeded by the operating system. For ids and jitter, not for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bits(&self) -> u64 {
        fastrand::u64(..)
    }
}

/// One generator with a fixed seed: the same sequence of calls gives the same numbers.
#[derive(Debug)]
pub struct Seeded(Mutex<fastrand::Rng>);

impl Seeded {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Random for Seeded {
    fn bits(&self) -> u64 {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).u64(..)
    }
}
