//! What one provider reads for itself at every look at its chain: its record and its commitments, and whether they fit
//! its sign records.

use super::{
    Finding, ForeignVote, Provider, unless_fatal,
    watch::{ChainView, within},
};
use crate::machine::{
    reason::SignerAway,
    voter::{Event, Observation, Standing},
};
use btc_staking_daemon::tasks::TaskError;
use btc_staking_pos_chain::ports::{ChainError, StoredCommitment};
use btc_staking_protocol::height::PosHeight;
use std::time::Duration;

/// Commitments are read anew after so long, and whenever a height waits for one.
const COMMITMENTS_AGE: Duration = Duration::from_secs(10);

/// What was read before.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    commitments: Vec<StoredCommitment>,
    commitments_at: Option<Duration>,
    /// The provider's record, and of which state of the chain.
    standing: Option<(u64, Option<Standing>)>,
}

/// Completes a look with what concerns the provider alone, and compares it with the sign records. Returns what to tell
/// the voter.
///
/// # Errors
/// [`TaskError::Fatal`] when the signer must stop.
pub(super) async fn observe(
    provider: &Provider,
    view: ChainView,
    known: &mut Known,
    waits_for_randomness: bool,
) -> Result<Event, TaskError> {
    if let Some(other) = provider.guard.stopped_by() {
        return Ok(Event::OtherSigner(other));
    }
    let observation = match read(provider, view, known, waits_for_randomness).await {
        Ok(observation) => observation,
        Err(error) => return Ok(Event::Unreachable(error.to_string())),
    };
    if let Some(event) = compare(provider, &observation).await? {
        return Ok(event);
    }
    if let Some(other) = provider.guard.stopped_by() {
        return Ok(Event::OtherSigner(other));
    }
    Ok(Event::Observed(Box::new(observation)))
}

async fn read(
    provider: &Provider,
    view: ChainView,
    known: &mut Known,
    waits_for_randomness: bool,
) -> Result<Observation, ChainError> {
    // The chain only changes with a block, so what was read of this state holds.
    let standing = match known.standing {
        Some((state, standing)) if state == view.state => standing,
        Some(_) | None => {
            let standing = read_new(provider, known, waits_for_randomness).await?;
            known.standing = Some((view.state, standing));
            standing
        }
    };
    Ok(Observation {
        tip: view.tip,
        syncing: view.syncing,
        activated: view.activated,
        last_finalised: view.last_finalised,
        last_finalised_epoch: view.last_finalised_epoch,
        epoch_interval: view.epoch_interval,
        params: view.params,
        standing,
        commitments: known.commitments.clone(),
    })
}

async fn read_new(
    provider: &Provider,
    known: &mut Known,
    waits_for_randomness: bool,
) -> Result<Option<Standing>, ChainError> {
    let (chain, key) = (provider.watch.chain(), &provider.subject.finality_provider);
    let limit = provider.settings.request_timeout;
    let now = provider.clock.monotonic();
    let is_fresh = known.commitments_at.is_some_and(|at| now.saturating_sub(at) < COMMITMENTS_AGE);
    let commitments = async {
        if is_fresh && !waits_for_randomness {
            return Ok(None);
        }
        within(limit, "randomness commitments", chain.fetch_randomness_commitments(key)).await.map(Some)
    };
    let record = within(limit, "the finality provider", chain.fetch_finality_provider(key));
    let (record, commitments) = tokio::try_join!(record, commitments)?;
    if let Some(commitments) = commitments {
        (known.commitments, known.commitments_at) = (commitments, Some(now));
    }
    Ok(record.map(|record| Standing {
        slashed: record.slashed.is_some(),
        jailed: record.jailed,
        highest_voted: record.highest_voted_height,
    }))
}

/// Compares the chain's votes of this key with the sign records, unless the node is syncing and so cannot know them.
/// Returns what to tell the voter instead of the look, if it cannot be used.
async fn compare(provider: &Provider, observation: &Observation) -> Result<Option<Event>, TaskError> {
    let Some(standing) = observation.standing.filter(|_| !observation.syncing) else { return Ok(None) };
    let tip = observation.tip;
    // Asked for after the node answered: our own votes are recorded before the chain can have them.
    let history = match unless_fatal(provider.signer.history(&provider.subject).await)? {
        Ok(history) => history,
        Err(none) => return Ok(Some(Event::SignerAway(SignerAway::from(none)))),
    };
    let recorded = history.highest.unwrap_or(PosHeight::new(0));
    let finality_provider = provider.subject.finality_provider;
    match provider.guard.compare(standing.highest_voted, recorded, tip) {
        Finding::Nothing => {}
        Finding::Implausible => {
            let voted = standing.highest_voted;
            tracing::warn!(
                %finality_provider,
                pos_height = voted.to_u64(),
                tip = tip.to_u64(),
                "the node tells of a vote above its own latest block; its answers are not used"
            );
            return Ok(Some(Event::Implausible { voted, tip }));
        }
        Finding::Raise(ForeignVote { voted, recorded }) => {
            tracing::error!(
                %finality_provider,
                pos_height = voted.to_u64(),
                recorded = recorded.to_u64(),
                "the chain has a vote that is not in the sign records; nothing is signed up to its height"
            );
            let raised = provider.signer.raise_watermark(&provider.subject, voted).await;
            if let Err(none) = unless_fatal(raised)? {
                return Ok(Some(Event::SignerAway(SignerAway::from(none))));
            }
            return Ok(Some(watching(provider.guard.watch(tip))));
        }
        Finding::Watch(until) => return Ok(Some(watching(until))),
        Finding::Stop(foreign) => {
            tracing::error!(
                %finality_provider,
                chain_id = %provider.subject.chain_id,
                pos_height = foreign.voted.to_u64(),
                recorded = foreign.recorded.to_u64(),
                "another signer holds this key: the chain has a vote this signer did not make; all keys are stopped"
            );
            // Not even a passing failure is waited out: a restart compares with the chain anew.
            provider.guard.stop(foreign).map_err(TaskError::fatal)?;
        }
    }
    Ok(None)
}

/// Nothing is signed yet, in case another signer is at work.
fn watching(until: PosHeight) -> Event {
    Event::SignerAway(SignerAway::Watching { until })
}
