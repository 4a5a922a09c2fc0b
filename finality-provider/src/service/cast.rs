//! Votes on their way: signed, submitted, and what became of each.

use super::{NoAnswer, Provider, unless_fatal};
use crate::machine::{
    answer::{Verdict, verdict},
    voter::Ballot,
};
use btc_staking_daemon::tasks::TaskError;
use btc_staking_eots_manager::signer::{Refused, VoteAnswer};
use btc_staking_pos_chain::{message::ChainMessage, ports::StoredCommitment};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::SignedVote},
    height::PosHeight,
};

/// Signs and submits votes and returns what became of each of them.
///
/// # Errors
/// [`TaskError::Fatal`] when the signer must stop.
pub(super) async fn vote(
    provider: &Provider,
    ballots: Vec<Ballot>,
) -> Result<Vec<(PosHeight, Verdict)>, TaskError> {
    let signed = sign_all(provider, &ballots).await?;
    let mut verdicts = Vec::with_capacity(ballots.len());
    let mut votes = Vec::with_capacity(ballots.len());
    for (height, outcome) in signed {
        match outcome {
            Ok(vote) => votes.push(vote),
            Err(refused) => verdicts.push((height, refused)),
        }
    }
    verdicts.extend(submit(provider, votes).await);
    note(provider, &verdicts);
    Ok(verdicts)
}

async fn submit(provider: &Provider, votes: Vec<SignedVote>) -> Vec<(PosHeight, Verdict)> {
    if votes.is_empty() {
        return Vec::new();
    }
    let heights: Vec<_> = votes.iter().map(|vote| vote.message.height).collect();
    note_latency(provider, &heights);
    let messages = votes.into_iter().map(|vote| ChainMessage::AddFinalitySignature(Box::new(vote))).collect();
    let submission = provider.submitter.submit(messages);
    let lost =
        |text: String| heights.iter().map(|height| (*height, Verdict::FateUnknown(text.clone()))).collect();
    match tokio::time::timeout(provider.settings.submit_timeout, submission).await {
        Err(_) => lost("the chain did not say in time what became of it".to_owned()),
        Ok(Err(error)) => lost(error.to_string()),
        Ok(Ok(outcomes)) => {
            let verdicts = outcomes.iter().map(verdict);
            let missing = std::iter::repeat(Verdict::FateUnknown("the chain gave no outcome".to_owned()));
            heights.iter().copied().zip(verdicts.chain(missing)).collect()
        }
    }
}

/// Counts how long the vote for the latest block took from the moment the block was seen.
fn note_latency(provider: &Provider, heights: &[PosHeight]) {
    let Some(Ok(view)) = provider.watch.latest().view else { return };
    if heights.contains(&view.tip) {
        provider.meters.vote_handed_over(provider.clock.monotonic().saturating_sub(view.tip_since));
    }
}

/// Counts and logs what became of votes; those that are stored, which may be many, in one line.
fn note(provider: &Provider, verdicts: &[(PosHeight, Verdict)]) {
    let key = &provider.subject.finality_provider;
    let mut stored: Option<(PosHeight, PosHeight, u64)> = None;
    for (height, verdict) in verdicts {
        let pos_height = height.to_u64();
        match verdict {
            Verdict::Stored => {
                provider.meters.vote_stored();
                let (first, last, count) = stored.unwrap_or((*height, *height, 0));
                stored = Some((first.min(*height), last.max(*height), count.saturating_add(1)));
            }
            Verdict::GivenUp(reason) => {
                provider.meters.double_sign_refused();
                tracing::error!(finality_provider = %key, pos_height, reason, "height given up");
            }
            Verdict::Closed | Verdict::Void(_) => {
                tracing::info!(finality_provider = %key, pos_height, ?verdict, "a node takes no vote any more");
            }
            // What the chain says of a slashed or jailed provider is read with the next look.
            Verdict::Later(_)
            | Verdict::FateUnknown(_)
            | Verdict::SignerAway(_)
            | Verdict::Jailed
            | Verdict::Slashed => {
                provider.meters.vote_failed();
                tracing::warn!(finality_provider = %key, pos_height, ?verdict, "vote did not get through");
            }
        }
    }
    if let Some((first, last, count)) = stored {
        let (pos_height, last) = (first.to_u64(), last.to_u64());
        tracing::info!(finality_provider = %key, pos_height, last, count, "voted");
        provider.board.note_vote(&provider.subject, provider.clock.since_epoch().as_secs());
    }
}

type Signed = Vec<(PosHeight, Result<SignedVote, Verdict>)>;

/// Signs every ballot whose vote is safe, those of one commitment at a time; a refused one does not hold up the others.
async fn sign_all(provider: &Provider, ballots: &[Ballot]) -> Result<Signed, TaskError> {
    if !provider.guard.may_sign() {
        let refused = || Verdict::Later("the sign records were not compared with the chain yet".to_owned());
        return Ok(ballots.iter().map(|ballot| (ballot.message.height, Err(refused()))).collect());
    }
    let mut signed = Vec::with_capacity(ballots.len());
    for ballots in ballots.chunk_by(|one, next| one.commitment == next.commitment) {
        signed.extend(sign_some(provider, ballots).await?);
    }
    Ok(signed)
}

/// Signs ballots that are all proven by one commitment.
async fn sign_some(provider: &Provider, ballots: &[Ballot]) -> Result<Signed, TaskError> {
    let Some(StoredCommitment { start_height, count, root, .. }) =
        ballots.first().map(|first| first.commitment)
    else {
        return Ok(Vec::new());
    };
    let range = CommittedRandomness { start_height, count, root };
    let messages = ballots.iter().map(|ballot| ballot.message).collect();
    let answers = provider.signer.vote_batch(&provider.subject, messages, range).await;
    let for_all = |verdict: Verdict| {
        ballots.iter().map(|ballot| (ballot.message.height, Err(verdict.clone()))).collect()
    };
    Ok(match unless_fatal(answers)? {
        Ok(answers) => answers
            .into_iter()
            .map(|VoteAnswer { height, result }| (height, result.map_err(refusal)))
            .collect(),
        Err(NoAnswer::Refused(refused)) => for_all(refusal(refused)),
        Err(NoAnswer::Away(away)) => for_all(Verdict::SignerAway(away)),
    })
}

fn refusal(refused: Refused) -> Verdict {
    if refused.reason.gives_height_up() {
        Verdict::GivenUp(refused.text)
    } else {
        Verdict::Later(refused.text)
    }
}
