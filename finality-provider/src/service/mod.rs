//! The tasks of a daemon: one per chain looks at it, and of each provider one votes and one commits randomness ahead. They
//! await; the machines decide.
//!
//! | file | what it is for |
//! |---|---|
//! | `watch` | one look at a chain for all its providers |
//! | `heights` | what is known of single heights, asked for once for all of them |
//! | `own` | what one provider reads for itself, and its comparison with the sign records |
//! | `guard`, `brake` | whether a key may sign |
//! | `vote` | the voter's task |
//! | `cast` | votes on their way |
//! | `commit` | the planner's task |
//!
//! Every question to the chain has a deadline, and no failure of a node or of the network ends a task: it is shown as
//! the reason on the board and tried again after a backoff. One kind of failure stops the process: a record that could
//! not be made durable. A vote of a key that this signer did not make stops the signing of all keys, see [`Guard`] and [`Brake`].

mod brake;
mod cast;
mod commit;
mod guard;
mod heights;
mod own;
mod unjail;
mod vote;
mod watch;

pub use brake::Brake;
pub use commit::run_planner;
pub use guard::{Finding, ForeignVote, Guard};
pub use heights::Heights;
pub use unjail::{Warden, run_unjailer};
pub use vote::run_voter;
pub use watch::{ChainView, ChainWatch, Look, Pace, run_watch};

use crate::{machine::reason::SignerAway, meters::ProviderMeters, records::Records, status::Board};
use btc_staking_daemon::{backoff::Policy, clock::Clock, entropy::Entropy, health::Check, tasks::TaskError};
use btc_staking_eots_manager::{
    records::Subject,
    signer::{Refused, Signer, SignerError},
};
use btc_staking_pos_chain::ports::Submitter;
use btc_staking_store::StoreError;
use std::{sync::Arc, time::Duration};

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
    /// The chain, as all its providers see it.
    pub watch: Arc<ChainWatch>,
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

impl Settings {
    /// How often and how patiently the chain is asked.
    pub fn pace(&self) -> Pace {
        Pace { poll_interval: self.poll_interval, request_timeout: self.request_timeout }
    }
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
