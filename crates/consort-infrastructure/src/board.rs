//! Where the state of the guards is shown to other processes.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::health::Report;

/// The port that takes the state of the guards whenever it has changed.
///
/// What it keeps is a view and not a record: it may lack the last second before a crash.
pub trait Board: Send + Sync + fmt::Debug + 'static {
    /// Shows `report` instead of what was shown before. Its own failures are its own affair.
    fn show(&self, report: Report) -> BoxFuture<'static, ()>;
}

/// Shows nothing to anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBoard;

impl Board for NoBoard {
    fn show(&self, _: Report) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
