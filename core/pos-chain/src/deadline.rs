//! A bound in time for answers of a chain.

use crate::ports::{ChainError, ErrorKind, Result};
use std::{future::Future, time::Duration};

/// Waits for an answer about `what`, but not longer than the deadline.
///
/// # Errors
/// Those of the answer; [`ErrorKind::Transient`] when it does not come in time.
pub async fn in_time<T>(
    deadline: Duration,
    what: &str,
    answer: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    tokio::time::timeout(deadline, answer).await.unwrap_or_else(|_| {
        let detail = format!("no answer about {what} within {} s", deadline.as_secs());
        Err(ChainError::new(ErrorKind::Transient, detail))
    })
}
