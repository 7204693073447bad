//! Ctrl-C and its relatives: the first asks to stop in good order, the second means now.

use std::io;

use crate::fail::{self, Failure, INTERRUPTED};

/// Listens for the signals that end a program. From the moment there is one, they do nothing by
/// themselves.
#[derive(Debug)]
pub(crate) struct Interrupts {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let both = || -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        };
        both().map_err(|error| fail::io("listen for signals", &error).into())
    }

    /// Waits for the next one; the exit code that goes with it.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            Some(()) = self.interrupt.recv() => INTERRUPTED,
            Some(()) = self.terminate.recv() => 143,
            else => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Waits for the next one; the exit code that goes with it.
    pub(crate) async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPTED,
            Err(_) => std::future::pending().await,
        }
    }
}
