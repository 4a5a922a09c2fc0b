//! The supervisor: starts tasks, restarts them, and drains them at the end.

use super::{Signals, Stop, StopSource, Stopped, TaskError};
use crate::cli::{Exit, Failure};
use crate::{
    backoff::{Backoff, Policy},
    entropy::Entropy,
    health::{Check, Health},
};
use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{Id, JoinError, JoinSet};

/// A task that ran this long before it failed starts its backoff from the beginning.
const HEALTHY_RUN: Duration = Duration::from_secs(60);

/// Owner of a process' tasks.
pub struct Supervisor {
    stop: StopSource,
    health: Health,
    entropy: Arc<dyn Entropy>,
    policy: Policy,
    signals: Option<Signals>,
    tasks: JoinSet<Result<(), String>>,
    names: BTreeMap<Id, String>,
}

/// How a supervised process came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What ended it.
    pub outcome: Outcome,
    /// Tasks that did not finish before the deadline and were cut off.
    pub cut_off: Vec<String>,
}

/// What ended a supervised process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// SIGTERM or SIGINT.
    Signal(&'static str),
    /// Somebody triggered [`Supervisor::stop_source`].
    Stopped,
    /// Every task finished by itself.
    Finished,
    /// A task gave up for all of them.
    Fatal {
        /// The task.
        task: String,
        /// Why.
        reason: String,
    },
}

impl Supervisor {
    /// An owner without tasks; its tasks' states appear on `health` as `task.NAME`.
    pub fn new(health: Health, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            stop: StopSource::new(),
            health,
            entropy,
            policy: Policy::default(),
            signals: None,
            tasks: JoinSet::new(),
            names: BTreeMap::new(),
        }
    }

    /// Uses another backoff than the default one for tasks started from now on. A task whose backoff is exhausted
    /// stops the process.
    pub fn with_backoff(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Listens to signals that were taken over before, so that none is lost that comes while a daemon starts.
    pub fn with_signals(mut self, signals: Signals) -> Self {
        self.signals = Some(signals);
        self
    }

    /// The signal that stops all tasks.
    pub fn stop_source(&self) -> StopSource {
        self.stop.clone()
    }

    /// Starts a task. `start` is called once, and again after each failure.
    ///
    /// A task that returns `Ok` is done and not started again.
    pub fn spawn<F, Fut>(&mut self, name: &str, mut start: F)
    where
        F: FnMut(Stop) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let mut run = Run {
            name: name.to_owned(),
            check: self.health.check(&format!("task.{name}")),
            backoff: Backoff::new(self.policy),
            entropy: Arc::clone(&self.entropy),
            stop: self.stop.stop(),
        };
        let handle = self.tasks.spawn(async move {
            loop {
                let started = Instant::now();
                run.check.ok();
                // A task of its own, so that a panic ends that and not this loop.
                let attempt = Attempt(tokio::spawn(start(run.stop.clone()))).await;
                if let Some(end) = run.judge(attempt, started.elapsed()).await {
                    return end;
                }
            }
        });
        self.names.insert(handle.id(), name.to_owned());
    }

    /// Serves a daemon's boards and runs its tasks until it is told to stop; what a daemon's `start` ends with.
    ///
    /// # Errors
    /// A [`Failure`] that names the task that gave up for all.
    pub async fn serve(mut self, server: crate::http::Server, deadline: Duration) -> Result<(), Failure> {
        // Before anybody can see that the daemon is up: a signal sent from then on must drain it, not kill it.
        let signals = self.take_signals()?;
        server.supervise(&mut self);
        let ended = self.run_until(signals, deadline).await?;
        match ended.outcome {
            Outcome::Fatal { task, reason } => {
                Err(Failure::new(Exit::Failure, format!("task {task} gave up: {reason}")))
            }
            Outcome::Signal(_) | Outcome::Stopped | Outcome::Finished => Ok(()),
        }
    }

    /// Runs until a signal, a fatal failure, a call of the stop signal or the end of all tasks; then drains the
    /// remaining tasks for at most `deadline`. A second signal cuts them off at once.
    ///
    /// # Errors
    /// [`io::Error`] when signal handlers cannot be installed.
    pub async fn run(mut self, deadline: Duration) -> io::Result<Ended> {
        let signals = self.take_signals()?;
        self.run_until(signals, deadline).await
    }

    fn take_signals(&mut self) -> io::Result<Signals> {
        self.signals.take().map_or_else(Signals::new, Ok)
    }

    async fn run_until(mut self, mut signals: Signals, deadline: Duration) -> io::Result<Ended> {
        let mut stop = self.stop.stop();
        let mut outcome = loop {
            tokio::select! {
                biased;
                name = signals.next() => break Outcome::Signal(name),
                () = stop.stopped() => break Outcome::Stopped,
                ended = self.next_end() => match ended {
                    None => break Outcome::Finished,
                    Some(fatal @ Outcome::Fatal { .. }) => break fatal,
                    Some(_) => {}
                },
            }
        };
        tracing::info!(?outcome, "stopping");
        self.stop.trigger();
        let drain = async {
            while let Some(ended) = self.next_end().await {
                // A record that fails while draining is as fatal as before.
                if matches!(ended, Outcome::Fatal { .. }) && !matches!(outcome, Outcome::Fatal { .. }) {
                    outcome = ended;
                }
            }
        };
        tokio::select! {
            () = drain => {}
            () = tokio::time::sleep(deadline) => tracing::error!("tasks did not stop in time"),
            name = signals.next() => tracing::warn!(signal = name, "second signal, stopping at once"),
        }
        let cut_off = self.names.values().cloned().collect();
        self.tasks.shutdown().await;
        Ok(Ended { outcome, cut_off })
    }

    /// Waits for a task to end for good. `None` when there is none left.
    async fn next_end(&mut self) -> Option<Outcome> {
        let (id, result) = match self.tasks.join_next_with_id().await? {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(describe(error))),
        };
        let task = self.names.remove(&id).unwrap_or_default();
        Some(match result {
            Ok(()) => Outcome::Finished,
            Err(reason) => Outcome::Fatal { task, reason },
        })
    }
}

/// A started task that is cut off when nobody waits for it any more.
struct Attempt(tokio::task::JoinHandle<Result<(), TaskError>>);

impl Future for Attempt {
    type Output = Result<Result<(), TaskError>, JoinError>;
    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}
impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the loop around a task knows.
struct Run {
    name: String,
    check: Check,
    backoff: Backoff,
    entropy: Arc<dyn Entropy>,
    stop: Stop,
}

impl Run {
    /// Decides what follows an attempt: the end of the task, or (after a wait) another attempt.
    async fn judge(
        &mut self,
        attempt: Result<Result<(), TaskError>, JoinError>,
        ran: Duration,
    ) -> Option<Result<(), String>> {
        let reason = match attempt {
            Ok(Ok(())) => {
                self.check.clone().remove();
                return Some(Ok(()));
            }
            // `stop.sleep(..).await?` is how a task is meant to leave its loop.
            Ok(Err(TaskError::Retry(error))) if error.is::<Stopped>() => return Some(Ok(())),
            Ok(Err(fatal @ TaskError::Fatal(_))) => return Some(Err(self.give_up(&fatal.to_string()))),
            Ok(Err(retry @ TaskError::Retry(_))) => retry.to_string(),
            Err(join) => describe(join),
        };
        if self.stop.is_stopping() {
            tracing::warn!(task = self.name, reason, "task failed while stopping");
            return Some(Ok(()));
        }
        if ran >= HEALTHY_RUN {
            self.backoff.reset();
        }
        if self.backoff.is_exhausted() {
            return Some(Err(self.give_up(&format!("retries are used up, last: {reason}"))));
        }
        // Without randomness all waits are the longest ones; that is good enough to go on.
        let wait = self.backoff.next(self.entropy.next_u64().unwrap_or(0));
        tracing::warn!(
            task = self.name,
            reason,
            wait_ms = wait.as_millis(),
            "task failed, starting it again"
        );
        self.check.degraded(reason);
        match self.stop.sleep(wait).await {
            Ok(()) => None,
            Err(_) => Some(Ok(())),
        }
    }

    fn give_up(&self, reason: &str) -> String {
        tracing::error!(task = self.name, reason, "task cannot go on");
        self.check.failed(reason);
        reason.to_owned()
    }
}

fn describe(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("panicked: {}", text.as_deref().unwrap_or("without a message"))
        }
        Err(_) => "cut off".to_owned(),
    }
}
