//! Public randomness commitments (`chain.md` 10.1).

use super::records::{COMMITS, array, params};
use crate::{
    app::{
        context::{Ctx, parse_account},
        epochs,
        staking::{lists::is_soft_deleted, records::provider},
    },
    error::{Failure, finality as err, plain, sdk},
    state::{Order, State},
};
use bitcoin::secp256k1::schnorr;
use btc_staking_babylon::proto::finality::{MsgCommitPubRandList, PubRandCommit};
use btc_staking_protocol::{
    finality::randomness::{CommitmentRefused, CommittedRandomness, is_usable},
    height::{Epoch, PosHeight},
    keys::FinalityProviderPublicKey,
};

/// Rows 1 to 3.
pub(crate) fn check_commit(msg: &MsgCommitPubRandList) -> Result<(), Failure> {
    parse_account(&msg.signer).map_err(|_| sdk::INVALID_ADDRESS.because(&msg.signer))?;
    content(msg)?.check_range().map_err(refusal)
}

fn content(msg: &MsgCommitPubRandList) -> Result<CommittedRandomness, Failure> {
    let root = msg.commitment.as_slice().try_into().map_err(|_| {
        err::INVALID_RANDOMNESS.because(format!("commitment must be 32 bytes, got {}", msg.commitment.len()))
    })?;
    Ok(CommittedRandomness { start_height: PosHeight::new(msg.start_height), count: msg.num_pub_rand, root })
}

/// Rows 4 to 11.
pub(crate) fn commit_randomness(ctx: &mut Ctx<'_, '_>, msg: &MsgCommitPubRandList) -> Result<(), Failure> {
    let content = content(msg)?;
    let params = params(ctx.state)?;
    content.check_not_too_far_ahead(ctx.block.height).map_err(refusal)?;
    content.check_activated(PosHeight::new(params.finality_activation_height)).map_err(refusal)?;
    content.check_count(params.min_pub_rand).map_err(refusal)?;
    if msg.fp_btc_pk.is_empty() {
        return Err(err::INVALID_RANDOMNESS.because("empty FP BTC PubKey"));
    }
    let key = FinalityProviderPublicKey::from_slice(&msg.fp_btc_pk);
    let key = key.map_err(|_| crate::error::btcstaking::FP_NOT_FOUND.bare())?;
    provider(ctx.state, &key)?;
    if ctx.head_rules() && is_soft_deleted(ctx.state, &key)? {
        return Err(err::FP_DELETED.because(format!("fp_btc_pk_hex: {key}")));
    }
    let signature = schnorr::Signature::from_slice(&msg.sig)
        .map_err(|_| err::INVALID_RANDOMNESS.because("malformed signature"))?;
    content.signed(key, signature).verify_signature().map_err(refusal)?;
    content.check_follows(last_end(ctx.state, &key)?).map_err(refusal)?;
    let (epoch, _) = epochs::current(ctx.state)?;
    let record = PubRandCommit {
        start_height: msg.start_height,
        num_pub_rand: msg.num_pub_rand,
        commitment: msg.commitment.clone(),
        epoch_num: epoch.to_u64(),
    };
    COMMITS.put(ctx.state, &(key, content.start_height), &record)
}

fn refusal(refused: CommitmentRefused) -> Failure {
    let registered = match refused {
        CommitmentRefused::Range { .. } => err::HEIGHT_OVERFLOW,
        CommitmentRefused::TooFarAhead { .. }
        | CommitmentRefused::Signature(_)
        | CommitmentRefused::Overlap { .. } => err::INVALID_RANDOMNESS,
        CommitmentRefused::BeforeActivation { .. } => err::NOT_ACTIVE,
        CommitmentRefused::TooFew { .. } => err::TOO_FEW_RANDOMNESS,
    };
    registered.because(refused)
}

fn last_end(state: &State<'_>, key: &FinalityProviderPublicKey) -> Result<Option<PosHeight>, Failure> {
    match COMMITS.scan_under(state, key, Order::Descending).next() {
        Some(entry) => Ok(committed(&entry?.1)?.end_height()),
        None => Ok(None),
    }
}

fn committed(record: &PubRandCommit) -> Result<CommittedRandomness, Failure> {
    Ok(CommittedRandomness {
        start_height: PosHeight::new(record.start_height),
        count: record.num_pub_rand,
        root: array(&record.commitment)?,
    })
}

/// The commitment that covers a height: the one with the largest start at or below it.
fn covering(
    state: &State<'_>,
    key: &FinalityProviderPublicKey,
    height: PosHeight,
) -> Result<Option<(CommittedRandomness, Epoch)>, Failure> {
    let Some(entry) = COMMITS.scan_from(state, key, &(*key, height), Order::Descending).next() else {
        return Ok(None);
    };
    let (_, record) = entry?;
    let content = committed(&record)?;
    Ok(content.covers(height).then(|| (content, Epoch::new(record.epoch_num))))
}

/// The commitment by which a finality provider can vote at a height, as known now.
pub(super) fn usable_at(
    state: &State<'_>,
    key: &FinalityProviderPublicKey,
    height: PosHeight,
) -> Result<Option<CommittedRandomness>, Failure> {
    let Some((content, epoch)) = covering(state, key, height)? else { return Ok(None) };
    Ok(is_usable(epoch, epochs::last_finalised(state)?).then_some(content))
}

/// As [`usable_at`], with the reason when there is none.
pub(super) fn require_usable(
    state: &State<'_>,
    key: &FinalityProviderPublicKey,
    height: PosHeight,
) -> Result<CommittedRandomness, Failure> {
    if let Some(content) = usable_at(state, key, height)? {
        return Ok(content);
    }
    if covering(state, key, height)?.is_some() {
        return Err(err::NOT_TIMESTAMPED.because(format!("commitment for height {height}")));
    }
    if COMMITS.scan_under(state, key, Order::Ascending).next().is_none() {
        return Err(plain("collections: not found: no public randomness committed"));
    }
    Err(err::RANDOMNESS_NOT_FOUND.because(format!("no commitment covers height {height}")))
}
