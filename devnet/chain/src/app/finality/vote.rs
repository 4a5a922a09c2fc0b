//! Votes, and the evidence that two of them make (`chain.md` 10.2, 10.3).

use super::{
    events, power, randomness,
    records::{BLOCKS, EVIDENCE, RANDOMNESS, VOTES, array, params},
};
use crate::{
    app::{
        context::{Ctx, parse_account},
        epochs,
        staking::{lists::is_soft_deleted, provider as staking_provider, records as staking},
    },
    error::{Failure, btcstaking, finality as err, plain, sdk, with_sources},
};
use btc_staking_babylon::{
    convert::finality::decode_vote,
    proto::finality::{Evidence as EvidenceRecord, IndexedBlock, MsgAddFinalitySig},
};
use btc_staking_protocol::{
    finality::{
        evidence::{Evidence, IncompleteEvidence, VoteEffect, judge_vote},
        vote::{EotsSignature, InvalidVote, PublicRandomness, SignedVote},
    },
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};

/// Rows 1 and 2.
pub(crate) fn check_vote(msg: &MsgAddFinalitySig) -> Result<(), Failure> {
    parse_account(&msg.signer).map_err(|_| sdk::INVALID_ADDRESS.because(&msg.signer))?;
    for (name, absent) in [
        ("FP BTC PubKey", msg.fp_btc_pk.is_empty()),
        ("public randomness", msg.pub_rand.is_empty()),
        ("inclusion proof", msg.proof.is_none()),
        ("finality signature", msg.finality_sig.is_empty()),
    ] {
        if absent {
            return Err(err::INVALID_SIGNATURE.because(format!("empty {name}")));
        }
    }
    if msg.block_app_hash.len() != 32 {
        let found = msg.block_app_hash.len();
        return Err(err::INVALID_SIGNATURE.because(format!("app hash must be 32 bytes, got {found}")));
    }
    Ok(())
}

/// Rows 3 to 14, and what follows.
pub(crate) fn add_vote(ctx: &mut Ctx<'_, '_>, msg: &MsgAddFinalitySig) -> Result<(), Failure> {
    let height = PosHeight::new(msg.block_height);
    let block = check_block(ctx, height)?;
    let key = check_voter(ctx, msg, height)?;
    let stored = VOTES.get(ctx.state, &(height, key))?;
    if stored.as_deref() == Some(msg.finality_sig.as_slice()) {
        return Err(err::DUPLICATED_VOTE.because(format!("vote of {key} for {height}")));
    }
    let commitment = randomness::require_usable(ctx.state, &key, height)?;
    // Only now: neither a repeated vote nor one without randomness is looked at any further.
    let vote = decode_vote(msg).map_err(|malformed| err::INVALID_SIGNATURE.because(malformed))?;
    vote.check(&commitment).map_err(|refused| refusal(&refused))?;
    RANDOMNESS.put(ctx.state, &(vote.finality_provider, height), &msg.pub_rand)?;
    let stored = stored.as_deref().map(array).transpose()?.map(EotsSignature::from_bytes);
    let evidence = stored_evidence(ctx, &vote)?;
    let effect = judge_vote(&vote, array(&block.app_hash)?, stored, evidence);
    apply(ctx, msg, &vote, effect)
}

/// Rows 3 to 5.
fn check_block(ctx: &Ctx<'_, '_>, height: PosHeight) -> Result<IndexedBlock, Failure> {
    let activation = params(ctx.state)?.finality_activation_height;
    if height.to_u64() < activation {
        let why = format!("finality block height: {height} is lower than activation height {activation}");
        return Err(err::NOT_ACTIVE.because(why));
    }
    let block = BLOCKS.get(ctx.state, &height)?.ok_or_else(|| err::BLOCK_NOT_FOUND.bare())?;
    let epoch = epochs::params(ctx.state)?.epoch_of(height);
    if block.finalized && epoch <= epochs::last_finalised(ctx.state)? {
        return Err(err::ALREADY_FINALISED.because(format!("height {height}")));
    }
    Ok(block)
}

/// Rows 6 to 10.
fn check_voter(
    ctx: &Ctx<'_, '_>,
    msg: &MsgAddFinalitySig,
    height: PosHeight,
) -> Result<FinalityProviderPublicKey, Failure> {
    let key =
        FinalityProviderPublicKey::from_slice(&msg.fp_btc_pk).map_err(|_| btcstaking::FP_NOT_FOUND.bare())?;
    if is_soft_deleted(ctx.state, &key)? {
        return Err(err::FP_DELETED.because(format!("fp_btc_pk_hex: {key}")));
    }
    let provider = staking::provider(ctx.state, &key)?;
    if staking_provider::is_slashed(&provider) {
        return Err(btcstaking::FP_ALREADY_SLASHED.because(format!("finality provider {key}")));
    }
    if provider.jailed {
        return Err(btcstaking::FP_ALREADY_JAILED.because(format!("finality provider {key}")));
    }
    if power::power_at(ctx.state, height, &key)?.unwrap_or(0) == 0 {
        return Err(err::INVALID_SIGNATURE
            .because(format!("the finality provider {key} does not have voting power at height {height}")));
    }
    Ok(key)
}

fn refusal(refused: &InvalidVote) -> Failure {
    match refused {
        InvalidVote::Signature(_) => plain(with_sources(refused)),
        InvalidVote::WrongIndex { .. } | InvalidVote::WrongTotal { .. } | InvalidVote::Proof(_) => {
            err::INVALID_SIGNATURE.because(with_sources(refused))
        }
    }
}

fn stored_evidence(ctx: &Ctx<'_, '_>, vote: &SignedVote) -> Result<Option<IncompleteEvidence>, Failure> {
    let key = (vote.finality_provider, vote.message.height);
    let Some(record) = EVIDENCE.get(ctx.state, &key)? else { return Ok(None) };
    Ok(Some(IncompleteEvidence {
        finality_provider: vote.finality_provider,
        height: vote.message.height,
        public_randomness: PublicRandomness::from_bytes(array(&record.pub_rand)?),
        canonical_app_hash: array(&record.canonical_app_hash)?,
        fork_app_hash: array(&record.fork_app_hash)?,
        fork_signature: EotsSignature::from_bytes(array(&record.fork_finality_sig)?),
    }))
}

fn apply(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgAddFinalitySig,
    vote: &SignedVote,
    effect: VoteEffect,
) -> Result<(), Failure> {
    match effect {
        VoteEffect::Vote => {
            store_vote(ctx, msg, vote)?;
            ctx.mark_refundable();
            Ok(())
        }
        VoteEffect::Incomplete(evidence) => store_evidence(ctx, vote, &incomplete_record(&evidence)),
        VoteEffect::Equivocation(evidence) => slash(ctx, vote, &evidence),
        VoteEffect::VoteAndEquivocation(evidence) => {
            store_vote(ctx, msg, vote)?;
            slash(ctx, vote, &evidence)
        }
    }
}

fn store_vote(ctx: &mut Ctx<'_, '_>, msg: &MsgAddFinalitySig, vote: &SignedVote) -> Result<(), Failure> {
    let (height, key) = (vote.message.height, vote.finality_provider);
    VOTES.put(ctx.state, &(height, key), &msg.finality_sig)?;
    let mut provider = staking::provider(ctx.state, &key)?;
    // The record's field has 32 bits.
    let voted = u32::try_from(height.to_u64()).unwrap_or(u32::MAX);
    if voted > provider.highest_voted_height {
        provider.highest_voted_height = voted;
        staking::PROVIDERS.put(ctx.state, &key, &provider)?;
    }
    Ok(())
}

fn slash(ctx: &mut Ctx<'_, '_>, vote: &SignedVote, evidence: &Evidence) -> Result<(), Failure> {
    let record = complete_record(evidence);
    store_evidence(ctx, vote, &record)?;
    staking_provider::slash(ctx, &vote.finality_provider)?;
    ctx.emit(events::slashed(record));
    Ok(())
}

fn store_evidence(ctx: &mut Ctx<'_, '_>, vote: &SignedVote, record: &EvidenceRecord) -> Result<(), Failure> {
    EVIDENCE.put(ctx.state, &(vote.finality_provider, vote.message.height), record)
}

fn incomplete_record(evidence: &IncompleteEvidence) -> EvidenceRecord {
    EvidenceRecord {
        fp_btc_pk: evidence.finality_provider.to_bytes().to_vec(),
        block_height: evidence.height.to_u64(),
        pub_rand: evidence.public_randomness.to_bytes().to_vec(),
        canonical_app_hash: evidence.canonical_app_hash.to_vec(),
        fork_app_hash: evidence.fork_app_hash.to_vec(),
        canonical_finality_sig: None,
        fork_finality_sig: evidence.fork_signature.to_bytes().to_vec(),
    }
}

fn complete_record(evidence: &Evidence) -> EvidenceRecord {
    EvidenceRecord {
        fp_btc_pk: evidence.finality_provider.to_bytes().to_vec(),
        block_height: evidence.height.to_u64(),
        pub_rand: evidence.public_randomness.to_bytes().to_vec(),
        canonical_app_hash: evidence.canonical_app_hash.to_vec(),
        fork_app_hash: evidence.fork_app_hash.to_vec(),
        canonical_finality_sig: Some(evidence.canonical_signature.to_bytes().to_vec()),
        fork_finality_sig: evidence.fork_signature.to_bytes().to_vec(),
    }
}
