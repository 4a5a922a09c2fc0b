//! Named tasks with an owner and a way to stop.
//!
//! A [`Supervisor`] owns the tasks of a process. A task that fails or panics is started again after a backoff, with
//! the reason in the log and on the health board; one that ends with [`TaskError::Fatal`] stops the process, as does
//! SIGTERM or SIGINT. Stopping means: every task sees its [`Stop`], has until the deadline to finish what it is
//! doing, and is cut off then.

mod signals;
mod stop;
mod supervisor;

pub use signals::Signals;
pub use stop::{Stop, StopSource, Stopped};
pub use supervisor::{Ended, Outcome, Supervisor};

use std::{error::Error, fmt};

/// Why a task ended early.
#[derive(Debug)]
pub enum TaskError {
    /// Worth another try after a while. Any error turns into this one.
    Retry(Box<dyn Error + Send + Sync>),
    /// Going on would be wrong, such as after a record that could not be made durable. The process stops.
    Fatal(Box<dyn Error + Send + Sync>),
}

impl TaskError {
    /// A failure after which the process has to stop.
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Fatal(error.into())
    }
    /// A failure that another try may get over.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry(error.into())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Retry(error) | Self::Fatal(error)) = self;
        write!(f, "{error}")?;
        std::iter::successors(error.source(), |&cause| cause.source())
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

#[cfg(test)]
mod tests;
