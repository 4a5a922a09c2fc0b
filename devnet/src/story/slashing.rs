//! Provider 1 signs two blocks at one height; its key falls out; its stakes are slashed.
//!
//! No shipped daemon can be asked to sign twice. The devnet does it itself, with the test key it made: the daemon has
//! voted for the chain's block, and the devnet votes for another one with the same randomness.

use super::{Stage, StoryError, ask::btc, beginning, stake::Stake};
use crate::report::EquivocationReport;
use btc_staking_crypto::{
    eots::{EotsSecretKey, FinalityProviderSecret},
    merkle::Tree,
    nonce::{self, Scheme},
};
use btc_staking_pos_chain::{ChainMessage, MessageOutcome, StoredCommitment, VotingPower};
use btc_staking_protocol::{
    delegation::SlashedOutput,
    finality::{
        evidence::Evidence,
        vote::{SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};
use sha2::{Digest as _, Sha256};
use std::num::NonZeroUsize;

/// Signs twice, and checks that the chain holds the evidence and that the key falls out of it.
pub async fn equivocate(stage: &Stage<'_>, stake: &Stake) -> Result<EquivocationReport, StoryError> {
    let provider = stage.provider(stake);
    let name = provider.name.as_str();
    // The chain takes no votes on blocks whose epoch is final on Bitcoin. No Bitcoin block is mined now, so once the light
    // client has the tip, epochs that end from then on are not final.
    beginning::has_the_tip(stage, "while the miner rests").await?;
    let from = stage.network.chain.fetch_head().await?.height;
    let claim = stage.claim(name, format!("has voted up to height {from}"), &[name]);
    let height = stage.facts.wait(claim, || voted_height(stage, &provider.key, from)).await?;
    let secret = stage.network.roster.provider_secret(provider).map_err(devnet)?;
    let vote = fork_vote(stage, &provider.key, &secret, height).await?;
    stage
        .timeline
        .event("devnet", format_args!("signs another block at height {height} with the test key of {name}"));
    submit(stage, vote).await?;

    let claim =
        stage.claim("staking chain", format!("holds evidence against {name} at height {height}"), &[name]);
    let evidence = stage.facts.wait(claim, || evidence_at(stage, &provider.key, height)).await?;
    let claim = stage.claim(name, "secret key falls out of its two votes", &[]);
    let extracted = evidence.extract_secret().map_err(|error| error.to_string());
    let matches = extracted.is_ok_and(|extracted| is_same_key(&extracted, &secret));
    let outcome = if matches { Ok(()) } else { Err("another key, or none".to_owned()) };
    stage.facts.state(claim, outcome)?;
    let claim = stage.claim(name, "is slashed on the chain and has no power any more", &["slasher"]);
    stage.facts.wait(claim, || is_slashed(stage, &provider.key)).await?;
    Ok(EquivocationReport { provider: provider.key, height, extracted_key_matches: matches })
}

/// Both stakes are slashed on Bitcoin, each from the output that is unspent.
pub async fn are_slashed(stage: &mut Stage<'_>, [a, b]: [&Stake; 2]) -> Result<(), StoryError> {
    let slashed = [(a, SlashedOutput::Staking), (b, SlashedOutput::Unbonding)];
    for (stake, output) in slashed {
        let txid = stake.slashing_tx(output).compute_txid();
        let fact = format!("slashing transaction of its {} output is broadcast", name_of(output));
        let (who, here) = (stake.who(), &*stage);
        here.facts.wait(here.claim(&who, fact, &["slasher"]), || here.fetch_known(&txid)).await?;
        here.timeline.detail(format_args!("tx {txid}"));
    }
    stage.network.miner.start(stage.bitcoin_block_time);
    let here = &*stage;
    tokio::try_join!(
        is_slashed_from(here, a, SlashedOutput::Staking),
        is_slashed_from(here, b, SlashedOutput::Unbonding)
    )?;
    Ok(())
}

async fn is_slashed_from(stage: &Stage<'_>, stake: &Stake, output: SlashedOutput) -> Result<(), StoryError> {
    let who = stake.who();
    let depth = stage.network.chain.fetch_checkpoint_params().await?.confirmation_depth.to_u32();
    let (outpoint, expected) = (stake.slashed_outpoint(output), stake.slashing_tx(output).compute_txid());
    let claim = stage.claim(
        &who,
        format!("is slashed from its {} output, {depth} blocks deep", name_of(output)),
        &["slasher"],
    );
    let spender = stage
        .facts
        .wait(claim, || async {
            let spender = stage.fetch_spender(&outpoint, depth).await?;
            if spender.txid == expected { Ok(spender) } else { Err(format!("spent by {}", spender.txid)) }
        })
        .await?;
    let (params, funding) = (&stake.params, funding_value(stake, output));
    let due = params.slashing_rate.amount_of(funding);
    let paid = spender.tx.output.first().filter(|first| first.script_pubkey == params.slashing_script);
    let paid = paid.map(|first| first.value);
    let claim = stage.claim(&who, format!("loses {}", btc(due)), &[]);
    let outcome = if paid == Some(due) { Ok(()) } else { Err(format!("{paid:?} to the slashing script")) };
    stage.facts.state(claim, outcome)?;
    Ok(())
}

fn funding_value(stake: &Stake, output: SlashedOutput) -> bitcoin::Amount {
    match output {
        SlashedOutput::Staking => stake.checked.staking_prevout().value,
        SlashedOutput::Unbonding => stake.checked.unbonding_prevout().value,
    }
}

const fn name_of(output: SlashedOutput) -> &'static str {
    match output {
        SlashedOutput::Staking => "staking",
        SlashedOutput::Unbonding => "unbonding",
    }
}

/// The newest height the provider's daemon has voted at, once it is this one or above.
async fn voted_height(
    stage: &Stage<'_>,
    key: &FinalityProviderPublicKey,
    from: PosHeight,
) -> Result<PosHeight, String> {
    let provider =
        stage.network.chain.fetch_finality_provider(key).await.map_err(|error| error.to_string())?;
    let voted = provider.ok_or("the chain does not know it")?.highest_voted_height;
    if voted >= from { Ok(voted) } else { Err(format!("it voted up to {voted}")) }
}

/// A vote for a block that does not exist, with the randomness that was committed to for its height.
async fn fork_vote(
    stage: &Stage<'_>,
    key: &FinalityProviderPublicKey,
    secret: &EotsSecretKey,
    height: PosHeight,
) -> Result<SignedVote, StoryError> {
    let commitments = stage.network.chain.fetch_randomness_commitments(key).await?;
    let covering =
        commitments.iter().find_map(|commitment| Some((commitment, index_in(commitment, height)?)));
    let (commitment, index) =
        covering.ok_or_else(|| devnet(format!("no commitment covers height {height}")))?;
    let chain_id = crate::network::CHAIN_ID.as_bytes();
    let start = commitment.start_height.to_u64();
    let count = usize::try_from(commitment.count).map_err(devnet)?;
    let values = nonce::public_randomness(secret, Scheme::V1, chain_id, start, count, NonZeroUsize::MIN);
    let tree = Tree::build(&values.map_err(devnet)?);
    if tree.root() != commitment.root {
        return Err(devnet("the commitment was not made with the test key"));
    }
    let proof = tree.proof(index).ok_or_else(|| devnet("the height is not in the commitment"))?;
    let nonce = nonce::derive(secret, Scheme::V1, chain_id, height.to_u64());
    let message = VoteMessage { height, app_hash: Sha256::digest("a block that never was").into() };
    Ok(SignedVote {
        finality_provider: *key,
        message,
        public_randomness: nonce.public(),
        proof,
        signature: secret.sign(nonce, &message.to_bytes()).map_err(devnet)?,
    })
}

fn index_in(commitment: &StoredCommitment, height: PosHeight) -> Option<usize> {
    let index = height.to_u64().checked_sub(commitment.start_height.to_u64())?;
    usize::try_from(index).ok().filter(|_| index < commitment.count)
}

async fn submit(stage: &Stage<'_>, vote: SignedVote) -> Result<(), StoryError> {
    let outcomes =
        stage.network.submitter.submit(vec![ChainMessage::AddFinalitySignature(Box::new(vote))]).await?;
    match outcomes.into_iter().next() {
        Some(MessageOutcome::Accepted { tx_hash, height }) => {
            stage.timeline.detail(format_args!("height {height}, tx {tx_hash}"));
            Ok(())
        }
        Some(MessageOutcome::AlreadyDone(text)) => {
            Err(devnet(format!("the chain has the fork vote already: {text}")))
        }
        Some(MessageOutcome::Refused(refusal)) => {
            Err(devnet(format!("the chain refuses the fork vote: {refusal}")))
        }
        Some(MessageOutcome::Unknown(error)) => Err(error.into()),
        None => Err(devnet("the chain gave no outcome for the fork vote")),
    }
}

async fn evidence_at(
    stage: &Stage<'_>,
    key: &FinalityProviderPublicKey,
    height: PosHeight,
) -> Result<Evidence, String> {
    let all =
        stage.network.chain.fetch_evidences(PosHeight::new(0)).await.map_err(|error| error.to_string())?;
    let own = all.items.into_iter().find(|evidence| evidence.finality_provider == *key);
    let own = own.ok_or("no evidence against it")?;
    own.verify().map_err(|error| error.to_string())?;
    if own.height == height { Ok(own) } else { Err(format!("evidence at height {}", own.height)) }
}

async fn is_slashed(stage: &Stage<'_>, key: &FinalityProviderPublicKey) -> Result<(), String> {
    let chain = &stage.network.chain;
    let provider = chain.fetch_finality_provider(key).await.map_err(|error| error.to_string())?;
    provider.and_then(|provider| provider.slashed).ok_or("the chain has not slashed it")?;
    let height = stage.fetch_height().await?;
    match chain.fetch_voting_power(key, height).await.map_err(|error| error.to_string())? {
        VotingPower::Has(power) => Err(format!("it has {power} sat of power at height {height}")),
        VotingPower::None | VotingPower::NoTable => Ok(()),
    }
}

/// A key is known up to its sign: a public key of 32 bytes belongs to a secret and to its negation.
fn is_same_key(extracted: &FinalityProviderSecret, test_key: &EotsSecretKey) -> bool {
    let known = test_key.signing_key().to_secret_bytes();
    let found = extracted.to_evidence_bytes();
    let negated = bitcoin::secp256k1::SecretKey::from_slice(&*known).map(|key| key.negate().secret_bytes());
    *found == *known || negated.is_ok_and(|negated| *found == negated)
}

fn devnet(why: impl std::fmt::Display) -> StoryError {
    StoryError::Devnet(why.to_string())
}
