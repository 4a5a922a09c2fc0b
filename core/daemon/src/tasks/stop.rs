//! The stop signal.

use std::{future::Future, time::Duration};
use tokio::sync::watch;

/// Gives the stop signal.
#[derive(Debug, Clone)]
pub struct StopSource {
    sender: watch::Sender<bool>,
}

/// Sees the stop signal. Every task and every loop gets a clone.
///
/// The signal also counts as given once its source is gone, so that nothing runs on without an owner.
#[derive(Debug, Clone)]
pub struct Stop {
    receiver: watch::Receiver<bool>,
}

/// The signal came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

impl StopSource {
    /// A signal that has not been given.
    pub fn new() -> Self {
        Self { sender: watch::Sender::new(false) }
    }
    /// Gives the signal, once and for good.
    pub fn trigger(&self) {
        self.sender.send_replace(true);
    }
    /// A receiver of this signal.
    pub fn stop(&self) -> Stop {
        Stop { receiver: self.sender.subscribe() }
    }
}

impl Default for StopSource {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Whether it is time to stop.
    pub fn is_stopping(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }

    /// Waits for the signal.
    pub async fn stopped(&mut self) {
        // An error means that the source is gone, which counts as the signal.
        let _ = self.receiver.wait_for(|stopping| *stopping).await;
    }

    /// Waits, but not longer than until the signal.
    ///
    /// # Errors
    /// [`Stopped`] when the signal came first.
    pub async fn sleep(&mut self, duration: Duration) -> Result<(), Stopped> {
        self.race(tokio::time::sleep(duration)).await
    }

    /// Waits for `future`, but not longer than until the signal, which drops it.
    ///
    /// # Errors
    /// [`Stopped`] when the signal came first.
    pub async fn race<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.stopped() => Err(Stopped),
            value = future => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_signal_ends_every_wait() {
        let source = StopSource::new();
        let mut stop = source.stop();
        assert!(!stop.is_stopping());
        assert_eq!(stop.race(async { 7 }).await, Ok(7));
        let mut waiting = source.stop();
        let waiter = tokio::spawn(async move { waiting.sleep(Duration::from_secs(3600)).await });
        source.trigger();
        assert_eq!(waiter.await.unwrap(), Err(Stopped));
        assert!(stop.is_stopping());
        assert_eq!(stop.race(async { 7 }).await, Err(Stopped), "the signal stays given");
    }

    #[tokio::test]
    async fn a_lost_source_counts_as_the_signal() {
        let mut stop = StopSource::new().stop();
        assert!(stop.is_stopping());
        stop.stopped().await;
    }
}
