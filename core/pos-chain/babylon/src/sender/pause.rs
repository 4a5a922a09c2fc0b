//! How long to wait before asking again.

use std::time::Duration;

/// Longest pause while a node is in trouble.
const LONGEST: Duration = Duration::from_secs(10);

/// Pauses of a steady length, which double while there is trouble.
#[derive(Debug)]
pub(super) struct Pause {
    steady: Duration,
    next: Duration,
}

impl Pause {
    pub(super) fn new(steady: Duration) -> Self {
        Self { steady, next: steady }
    }

    /// Waits the steady length; trouble is over.
    pub(super) async fn wait(&mut self) {
        self.next = self.steady;
        tokio::time::sleep(self.steady).await;
    }

    /// Waits, each time twice as long as before.
    pub(super) async fn wait_longer(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = self.next.saturating_mul(2).min(LONGEST.max(self.steady));
    }
}
