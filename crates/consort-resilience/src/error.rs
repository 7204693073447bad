//! The two ways a guarded call fails: the guard said no, or the callee did.

use std::fmt;

/// What a single guard's `run` returns instead of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure<R, E> {
    /// The guard stopped the call; `R` says why.
    Refused(R),
    /// The callee's own error.
    Callee(E),
}

impl<R, E> Failure<R, E> {
    /// The callee's error, if it was the callee.
    pub fn callee(self) -> Option<E> {
        match self {
            Failure::Callee(error) => Some(error),
            Failure::Refused(_) => None,
        }
    }
}

impl<R: fmt::Display, E> fmt::Display for Failure<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refused) => write!(f, "call stopped: {refused}"),
            Failure::Callee(_) => f.write_str("callee failed"),
        }
    }
}

impl<R, E> std::error::Error for Failure<R, E>
where
    R: std::error::Error + 'static,
    E: std::error::Error + 'static,
{
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Refused(refused) => Some(refused),
            Failure::Callee(error) => Some(error),
        }
    }
}
