//! The two tasks of a provider: one votes, one commits randomness ahead. They await; the machines decide.
//!
//! Every question to the chain has a deadline, and no failure of a node or of the network ends a task: it is shown as
//! the reason on the board and tried again after a backoff. One kind of failure stops the process: a record that could
//! not be made durable. A vote of a key that this signer did not make stops the signing of all keys, see [`Guard`] and [`Brake`].

mod brake;
mod commit;
mod guard;
mod vote;

pub use brake::Brake;
pub use commit::run_planner;
pub use guard::{Finding, ForeignVote, Guard};
pub use vote::run_voter;

use crate::{machine::reason::SignerAway, meters::ProviderMeters, records::Records, status::Board};
use btc_staking_daemon::{backoff::Policy, clock::Clock, entropy::Entropy, health::Check, tasks::TaskError};
use btc_staking_eots_manager::{
    records::Subject,
    signer::{Refused, Signer, SignerError},
};
use btc_staking_pos_chain::ports::{ChainError, ErrorKind, PosChain, Submitter};
use btc_staking_store::StoreError;
use std::{future::Future, sync::Arc, time::Duration};

use crate::machine::planner::Plan;

/// How a provider's tasks behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How far ahead randomness is committed.
    pub plan: Plan,
    /// Most votes in one submission.
    pub batch: usize,
    /// Time between two looks at the chain.
    pub poll_interval: Duration,
    /// Longest wait for an answer.
    pub request_timeout: Duration,
    /// Longest wait for the fate of a submission.
    pub submit_timeout: Duration,
}

/// Everything the tasks of one provider on one chain use.
pub struct Provider {
    /// Key and chain.
    pub subject: Subject,
    /// Whoever holds the key.
    pub signer: Arc<dyn Signer>,
    /// Whether the key may sign.
    pub guard: Guard,
    /// The chain.
    pub chain: Arc<dyn PosChain>,
    /// The account that pays.
    pub submitter: Arc<dyn Submitter>,
    /// The daemon's store.
    pub records: Records,
    /// Behaviour.
    pub settings: Settings,
    /// Where it is shown what happens.
    pub board: Board,
    /// What is counted.
    pub meters: ProviderMeters,
    /// This provider's line on the health board.
    pub health: Check,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of backoffs.
    pub entropy: Arc<dyn Entropy>,
}

impl Provider {
    /// Waits for an answer of the chain, but not longer than the deadline.
    async fn ask<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, ChainError>>,
    ) -> Result<T, ChainError> {
        let deadline = self.settings.request_timeout;
        tokio::time::timeout(deadline, answer).await.unwrap_or_else(|_| {
            let detail = format!("no answer about {what} within {} s", deadline.as_secs_f32());
            Err(ChainError::new(ErrorKind::Transient, detail))
        })
    }
}

/// The wait after rounds that failed: from the poll interval up to five seconds, less than a vote counts for liveness.
fn retry_policy(settings: &Settings) -> Policy {
    let max = Duration::from_secs(5).max(settings.poll_interval);
    Policy { initial: settings.poll_interval, max, deadline: None }
}

fn store_failed(error: StoreError) -> TaskError {
    if error.must_stop() { TaskError::fatal(error) } else { TaskError::retry(error) }
}

/// Why a signer that need not stop the process gave no answer.
enum NoAnswer {
    Refused(Refused),
    Away(SignerAway),
}

impl From<NoAnswer> for SignerAway {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Refused(refused) => Self::Refuses(refused.text),
            NoAnswer::Away(away) => away,
        }
    }
}

/// Lets a fatal failure of the signer stop the process, and hands every other back.
fn unless_fatal<T>(result: Result<T, SignerError>) -> Result<Result<T, NoAnswer>, TaskError> {
    Ok(Err(match result {
        Ok(answer) => return Ok(Ok(answer)),
        Err(error @ SignerError::Fatal(_)) => return Err(TaskError::fatal(error)),
        Err(SignerError::Refused(refused)) => NoAnswer::Refused(refused),
        Err(SignerError::Unreachable(detail)) => NoAnswer::Away(SignerAway::Unreachable(detail)),
        Err(SignerError::Standby { holder }) => NoAnswer::Away(SignerAway::Standby { holder }),
    }))
}
