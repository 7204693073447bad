//! The locks and atomics every mechanism uses, in one place so that the model checker can swap them.

#[cfg(consort_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(consort_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(consort_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(consort_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

use std::sync::PoisonError;

/// Locks, ignoring poison: critical sections here only move plain numbers, so a panic in one
/// cannot leave them half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
