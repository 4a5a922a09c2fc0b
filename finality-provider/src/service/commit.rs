//! The task that commits randomness ahead.

use super::{
    NoAnswer, Provider, retry_policy, store_failed, unless_fatal,
    watch::{ChainView, within},
};
use crate::machine::planner::{Action, Delays, Ending, Event, Observation, Outlook, Planner, Range};
use btc_staking_daemon::{
    backoff::Backoff,
    tasks::{Stop, TaskError},
};
use btc_staking_pos_chain::{
    message::{ChainMessage, MessageOutcome, RefusalKind},
    ports::{ChainError, StoredCommitment},
};
use btc_staking_protocol::height::PosHeight;
use std::sync::Arc;

/// Commits randomness ahead until told to stop.
///
/// # Errors
/// [`TaskError::Fatal`] when a record could not be made durable.
pub async fn run_planner(provider: Arc<Provider>, mut stop: Stop) -> Result<(), TaskError> {
    let announced = provider.records.last_announcement(&provider.subject).map_err(store_failed)?;
    if let Some(at) = provider.records.last_commitment(&provider.subject).map_err(store_failed)? {
        provider.board.note_randomness(&provider.subject, at);
    }
    let mut planner = Planner::new(provider.settings.plan, announced);
    let mut seen = Seen::default();
    let mut backoff = Backoff::new(retry_policy(&provider.settings));
    while !stop.is_stopping() {
        let wait = match run_round(&provider, &mut planner, &mut seen).await? {
            Round::Quiet => {
                backoff.reset();
                provider.settings.poll_interval
            }
            Round::Failed => backoff.next(provider.entropy.next_u64().unwrap_or(0)),
        };
        provider.board.show_planner(&provider.subject, &planner);
        if stop.sleep(wait).await.is_err() {
            break;
        }
    }
    Ok(())
}

enum Round {
    Quiet,
    Failed,
}

/// What was seen before.
#[derive(Default)]
struct Seen {
    /// The state of the chain in which there was nothing more to do.
    quiet: Option<u64>,
    /// Whether it was said that randomness runs short.
    short: bool,
}

async fn run_round(
    provider: &Arc<Provider>,
    planner: &mut Planner,
    seen: &mut Seen,
) -> Result<Round, TaskError> {
    if provider.guard.stopped_by().is_some() {
        return Ok(Round::Quiet);
    }
    // A node that does not answer is shown by the voter, which asks more often.
    let view = match provider.watch.latest().view {
        Some(Ok(view)) => view,
        Some(Err(_)) => return Ok(Round::Failed),
        None => return Ok(Round::Quiet),
    };
    // The chain only changes with a block.
    if seen.quiet == Some(view.state) {
        return Ok(Round::Quiet);
    }
    let Ok(observation) = observe(provider, view).await else { return Ok(Round::Failed) };
    let Some(observation) = observation else { return Ok(Round::Quiet) };
    let key = &provider.subject.finality_provider;
    if !provider.guard.may_sign() {
        return Ok(Round::Quiet);
    }
    let mut round = Round::Quiet;
    let actions = planner.on_event(Event::Observed(observation));
    seen.quiet = actions.is_empty().then_some(view.state);
    for Action::Announce(range) in actions {
        let ending = announce(provider, range).await?;
        if ending != Ending::Accepted {
            provider.meters.commitment_failed();
            tracing::warn!(finality_provider = %key, start = range.start.to_u64(), ?ending, "commitment failed");
            round = Round::Failed;
        }
        planner.on_event(Event::Ended(range, ending));
    }
    seen.tell(provider, planner);
    Ok(round)
}

impl Seen {
    /// Says once that randomness runs short, and once that it does not any more.
    fn tell(&mut self, provider: &Provider, planner: &Planner) {
        let key = &provider.subject.finality_provider;
        let was_short = self.short;
        match planner.outlook() {
            Outlook::Unknown => {}
            Outlook::Ample => {
                self.short = false;
                if was_short {
                    tracing::info!(finality_provider = %key, "enough randomness is committed again");
                }
            }
            Outlook::Short { runway, needed } => {
                self.short = true;
                if !was_short {
                    tracing::error!(
                        finality_provider = %key, runway, needed,
                        "less randomness is committed than a commitment takes to become usable: there may be blocks without \
                         a vote"
                    );
                }
            }
        }
    }
}

/// How the chain looks; `None` while nothing can be committed to: not registered, or slashed.
async fn observe(provider: &Provider, view: ChainView) -> Result<Option<Observation>, ChainError> {
    let (chain, key) = (provider.watch.chain(), &provider.subject.finality_provider);
    let limit = provider.settings.request_timeout;
    let (record, commitments) = tokio::try_join!(
        within(limit, "the finality provider", chain.fetch_finality_provider(key)),
        within(limit, "randomness commitments", chain.fetch_randomness_commitments(key)),
    )?;
    if view.syncing || record.is_none_or(|record| record.slashed.is_some()) {
        return Ok(None);
    }
    Ok(Some(Observation {
        tip: view.tip,
        activation: view.params.activation_height,
        min_count: view.params.min_pub_rand,
        committed_until: commitments.iter().filter_map(end).max(),
        delays: Delays {
            epoch_interval: view.epoch_interval,
            finalization_timeout: view.depths.finalization_timeout,
            block_time: view.block_time,
        },
    }))
}

fn end(commitment: &StoredCommitment) -> Option<PosHeight> {
    commitment.start_height.checked_add(commitment.count.checked_sub(1)?)
}

/// Records, signs and submits a commitment.
async fn announce(provider: &Arc<Provider>, range: Range) -> Result<Ending, TaskError> {
    provider.records.record_announcement(&provider.subject, range).map_err(store_failed)?;
    let signed = provider.signer.sign_commitment(&provider.subject, range.start, range.count).await;
    let commitment = match unless_fatal(signed)? {
        Ok(commitment) => commitment,
        Err(NoAnswer::Refused(refused)) => return Ok(Ending::Refused(refused.text)),
        // It may have been signed and recorded all the same, so these bounds stay.
        Err(NoAnswer::Away(away)) => return Ok(Ending::Unknown(away.to_string())),
    };
    let submission = provider.submitter.submit(vec![ChainMessage::CommitRandomness(commitment)]);
    let outcome = match tokio::time::timeout(provider.settings.submit_timeout, submission).await {
        Err(_) => return Ok(Ending::Unknown("the chain did not say in time what became of it".to_owned())),
        Ok(Err(error)) => return Ok(Ending::Unknown(error.to_string())),
        Ok(Ok(outcomes)) => outcomes.into_iter().next(),
    };
    Ok(match outcome {
        Some(MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_)) => {
            provider.meters.committed(range.count);
            let at = provider.clock.since_epoch().as_secs();
            provider.board.note_randomness(&provider.subject, at);
            provider.records.record_commitment(&provider.subject, at).map_err(store_failed)?;
            tracing::info!(
                finality_provider = %provider.subject.finality_provider,
                start = range.start.to_u64(),
                count = range.count,
                "randomness committed"
            );
            Ending::Accepted
        }
        Some(MessageOutcome::Refused(refusal)) if refusal.kind == RefusalKind::InsufficientFunds => {
            Ending::NoFunds(refusal.to_string())
        }
        Some(MessageOutcome::Refused(refusal)) => Ending::Refused(refusal.to_string()),
        Some(MessageOutcome::Unknown(error)) => Ending::Unknown(error.to_string()),
        None => Ending::Unknown("the chain gave no outcome".to_owned()),
    })
}
