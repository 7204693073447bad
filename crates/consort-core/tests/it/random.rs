//! Claims about whatever happens: seeded random trees of runs, crowds of callers, and threads that
//! register and unregister under each other's hands.

mod crowd;
mod plan;
mod registry;
mod trees;
mod witness;
