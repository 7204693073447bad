//! The locks and atomics every mechanism uses, in one place so that the model checker can swap them.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use std::sync::{MutexGuard, PoisonError};

/// Locks, ignoring poison: critical sections here only move plain numbers, so a panic in one
/// cannot leave them half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
