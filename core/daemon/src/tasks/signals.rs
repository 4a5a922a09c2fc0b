//! SIGINT and SIGTERM, by which people and init systems end a process.

use super::Stopped;
use std::{future::Future, io};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals. From its creation on they no longer end the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over both.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one and returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Waits for `future`, but not longer than until a signal, which drops it: for what comes before a
    /// [`Supervisor`](super::Supervisor) runs, such as waiting for a node.
    ///
    /// # Errors
    /// [`Stopped`] when a signal came first.
    pub async fn race<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            _ = self.next() => Err(Stopped),
            value = future => Ok(value),
        }
    }
}
