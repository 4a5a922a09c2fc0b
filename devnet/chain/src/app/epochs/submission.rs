//! Reports that a checkpoint is on Bitcoin (`chain.md` 3.3).
//!
//! Every check of the reference is made, but one: a checkpoint that is not the sealed one would need the BLS signatures of
//! another two thirds, which nobody can give here, so it is invalid. What is accepted is kept while it is on the main chain
//! and can be asked for; finality does not wait for it.

use super::{checkpoint, corrupt, last_finalised, params, payload::Payload};
use crate::{
    app::{
        context::{Ctx, parse_account},
        light_client,
    },
    error::{Failure, btccheckpoint as err, checkpointing, with_sources},
    event::Event,
    state::{Order, State, Table},
};
use bitcoin::{BlockHash, Transaction, block::Header, consensus, hashes::Hash};
use btc_staking_babylon::proto::{
    btccheckpoint::{
        BTCSpvProof, CheckpointAddresses, EpochData, MsgInsertBTCSpvProof, SubmissionData, SubmissionKey,
        TransactionInfo, TransactionKey,
    },
    checkpointing::{
        CheckpointStatus, EventCheckpointForgotten, EventCheckpointSubmitted, RawCheckpoint,
        RawCheckpointWithMeta,
    },
};
use btc_staking_protocol::{
    headers::chain,
    height::Epoch,
    inclusion::InclusionProof,
    tx::sanity::{TrailingBytes, check_sanity, parse_transaction},
};
use prost::Message;
use sha2::{Digest, Sha256};

/// What was submitted for an epoch.
pub(super) const EPOCH_DATA: Table<Epoch, EpochData> = Table::new("ed");
/// Submissions by the hash of their keys.
pub(super) const SUBMISSIONS: Table<[u8; 32], SubmissionData> = Table::new("es");

/// A submission whose form is right.
struct Submission {
    key: SubmissionKey,
    payload: Payload,
    submitter: Vec<u8>,
}

/// Where a submission lies under the tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    oldest: u32,
    pub(super) youngest: u32,
    lowest_index: u32,
    pub(super) youngest_block: BlockHash,
}

impl Place {
    /// The deepest youngest block, then the lowest index in it.
    fn is_better_than(&self, other: &Self) -> bool {
        self.youngest > other.youngest
            || (self.youngest == other.youngest && self.lowest_index < other.lowest_index)
    }
    fn happened_after(&self, other: &Self) -> bool {
        self.oldest < other.youngest
    }
}

/// Rows 1 and 2, outside blocks.
pub(crate) fn check_form(ctx: &Ctx<'_, '_>, msg: &MsgInsertBTCSpvProof) -> Result<(), Failure> {
    parse(ctx, msg).map(|_| ())
}

fn parse(ctx: &Ctx<'_, '_>, msg: &MsgInsertBTCSpvProof) -> Result<Submission, Failure> {
    let refused = |why: String| err::INVALID_PROOF.because(why);
    let submitter = parse_account(&msg.submitter)?.bytes().to_vec();
    let [first, second] = msg.proofs.as_slice() else {
        return Err(refused("expected at exactly valid op return transactions".to_owned()));
    };
    let read = |proof: &BTCSpvProof| parse_proof(ctx, proof).map_err(refused);
    let ((first_tx, first_key), (second_tx, second_key)) = (read(first)?, read(second)?);
    let tag = hex::decode(params(ctx.state)?.checkpoint_tag).map_err(corrupt)?;
    let payload = Payload::read(&first_tx, &second_tx, &tag)
        .map_err(|no_checkpoint| refused(no_checkpoint.to_string()))?;
    Ok(Submission { key: SubmissionKey { key: vec![first_key, second_key] }, payload, submitter })
}

fn parse_proof(ctx: &Ctx<'_, '_>, proof: &BTCSpvProof) -> Result<(Transaction, TransactionKey), String> {
    let tx =
        parse_transaction(&proof.btc_transaction, TrailingBytes::Ignore).map_err(|err| err.to_string())?;
    check_sanity(&tx).map_err(|insane| insane.to_string())?;
    let header: Header =
        consensus::deserialize(&proof.confirming_btc_header).map_err(|err| err.to_string())?;
    chain::check_alone(ctx.block.chain.network.header_rules(), &[header])
        .map_err(|refused| with_sources(&refused))?;
    let (siblings, rest) = proof.merkle_nodes.as_chunks::<32>();
    let path = InclusionProof {
        block_hash: header.block_hash(),
        index: proof.btc_transaction_index,
        siblings: siblings.to_vec(),
    };
    let holds = rest.is_empty() && path.verify(&tx.compute_txid(), &header.merkle_root).is_ok();
    if !holds {
        return Err("header failed validation due to failed proof".to_owned());
    }
    let hash = header.block_hash().to_byte_array().to_vec();
    Ok((tx, TransactionKey { index: proof.btc_transaction_index, hash }))
}

/// Rows 1 to 7.
pub(crate) fn insert(ctx: &mut Ctx<'_, '_>, msg: &MsgInsertBTCSpvProof) -> Result<(), Failure> {
    let submission = parse(ctx, msg)?;
    let id = id(&submission.key);
    if SUBMISSIONS.has(ctx.state, &id)? {
        return Err(err::DUPLICATED.bare());
    }
    let place = place(ctx.state, &submission.key)?
        .ok_or_else(|| err::INVALID_HEADER.because("one of the headers is not on the main chain"))?;
    let epoch = Epoch::new(submission.payload.epoch);
    if epoch > Epoch::new(0) && epoch <= last_finalised(ctx.state)? {
        return Err(err::EPOCH_FINALISED.bare());
    }
    let sealed = check_checkpoint(ctx.state, epoch, &submission.payload)?;
    let tip = light_client::tip_height(ctx.state)?.to_u32();
    checkpoint::report(ctx, &sealed, tip)?;
    check_ancestor(ctx.state, epoch, &place)?;
    store(ctx, msg, submission, id, checkpoint::status(&sealed)?)?;
    ctx.mark_refundable();
    Ok(())
}

/// Rows 6 and 6a.
fn check_checkpoint(
    state: &State<'_>,
    epoch: Epoch,
    payload: &Payload,
) -> Result<RawCheckpointWithMeta, Failure> {
    let claimed = RawCheckpoint {
        epoch_num: payload.epoch,
        block_hash: payload.block_hash.clone(),
        bitmap: payload.bitmap.clone(),
        bls_multi_sig: payload.signature.clone(),
    };
    let sealed = checkpoint::find(state, epoch)?.ok_or_else(|| {
        let why = format!("failed to fetch the raw checkpoint at epoch {epoch} from database");
        checkpointing::DOES_NOT_EXIST.lost(why)
    })?;
    let known = checkpoint::raw(&sealed)?;
    if *known == claimed {
        return Ok(sealed);
    }
    // Places behind the last validator, which is also the first here, are not looked at.
    if payload.bitmap.first().is_none_or(|byte| byte & 1 == 0) {
        return Err(checkpointing::INVALID.because("insufficient voting power"));
    }
    if (&known.block_hash, &known.bls_multi_sig) == (&claimed.block_hash, &claimed.bls_multi_sig) {
        return Ok(sealed);
    }
    Err(checkpointing::INVALID.because("invalid BLS multi-sig"))
}

/// Row 7.
fn check_ancestor(state: &State<'_>, epoch: Epoch, place_of_new: &Place) -> Result<(), Failure> {
    if epoch.to_u64() <= 1 {
        return Ok(());
    }
    let previous = Epoch::new(epoch.to_u64().saturating_sub(1));
    let keys = EPOCH_DATA.get(state, &previous)?.unwrap_or_default().keys;
    if keys.is_empty() {
        return Err(err::NO_PREVIOUS.bare());
    }
    for key in &keys {
        if place(state, key)?.is_some_and(|earlier| place_of_new.happened_after(&earlier)) {
            return Ok(());
        }
    }
    Err(err::NO_ANCESTOR.bare())
}

fn store(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgInsertBTCSpvProof,
    submission: Submission,
    id: [u8; 32],
    status: CheckpointStatus,
) -> Result<(), Failure> {
    let epoch = Epoch::new(submission.payload.epoch);
    let mut data = EPOCH_DATA.get(ctx.state, &epoch)?.unwrap_or_default();
    if data.keys.is_empty() && status == CheckpointStatus::Sealed {
        checkpoint::advance(ctx, epoch, CheckpointStatus::Submitted, |checkpoint| {
            Event::typed(&EventCheckpointSubmitted { checkpoint })
        })?;
    }
    let infos = submission.key.key.iter().zip(&msg.proofs).map(|(key, proof)| TransactionInfo {
        key: Some(key.clone()),
        transaction: proof.btc_transaction.clone(),
        proof: proof.merkle_nodes.clone(),
    });
    let record = SubmissionData {
        vigilante_addresses: Some(CheckpointAddresses {
            submitter: submission.payload.submitter,
            reporter: submission.submitter,
        }),
        txs_info: infos.collect(),
        epoch: epoch.to_u64(),
    };
    data.keys.push(submission.key);
    EPOCH_DATA.put(ctx.state, &epoch, &data)?;
    SUBMISSIONS.put(ctx.state, &id, &record)
}

pub(super) fn id(key: &SubmissionKey) -> [u8; 32] {
    Sha256::digest(key.encode_to_vec()).into()
}

/// A stored submission.
pub(super) fn find(state: &State<'_>, key: &SubmissionKey) -> Result<Option<SubmissionData>, Failure> {
    SUBMISSIONS.get(state, &id(key))
}

/// Where a submission lies; `None` when a block of it is not on the main chain.
pub(super) fn place(state: &State<'_>, key: &SubmissionKey) -> Result<Option<Place>, Failure> {
    let tip = light_client::tip_height(state)?;
    let mut found: Option<Place> = None;
    for tx in &key.key {
        let hash = BlockHash::from_slice(&tx.hash).map_err(corrupt)?;
        let Some(header) = light_client::find(state, &hash)? else { return Ok(None) };
        let depth = header.height.depth_under(tip).map_or(0, |depth| depth.to_u32());
        found = Some(match found {
            None => Place { oldest: depth, youngest: depth, lowest_index: tx.index, youngest_block: hash },
            Some(place) => place.with(depth, tx.index, hash),
        });
    }
    Ok(found)
}

impl Place {
    fn with(mut self, depth: u32, index: u32, block: BlockHash) -> Self {
        self.oldest = self.oldest.max(depth);
        match depth.cmp(&self.youngest) {
            std::cmp::Ordering::Less => {
                (self.youngest, self.lowest_index, self.youngest_block) = (depth, index, block);
            }
            std::cmp::Ordering::Equal => self.lowest_index = self.lowest_index.min(index),
            std::cmp::Ordering::Greater => {}
        }
        self
    }
}

/// The best submission of an epoch.
pub(super) fn best(
    state: &State<'_>,
    keys: &[SubmissionKey],
) -> Result<Option<(SubmissionKey, Place)>, Failure> {
    let mut best: Option<(SubmissionKey, Place)> = None;
    for key in keys {
        let Some(place) = place(state, key)? else { continue };
        if best.as_ref().is_none_or(|(_, other)| place.is_better_than(other)) {
            best = Some((key.clone(), place));
        }
    }
    Ok(best)
}

/// Forgets submissions that left the main chain, or are no younger than the best of the epoch before. An epoch that loses
/// its last one is sealed again, and so are those behind it.
pub(super) fn forget_lost(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let first = last_finalised(ctx.state)?;
    let open =
        EPOCH_DATA.scan_from(ctx.state, &(), &first, Order::Ascending).collect::<Result<Vec<_>, _>>()?;
    let mut before: Option<Option<Place>> = None;
    for (epoch, mut data) in open {
        let (keep, lost): (Vec<_>, Vec<_>) = split(ctx.state, &data.keys, before.as_ref())?;
        let best = best(ctx.state, &keep)?.map(|(_, place)| place);
        if epoch > first && !lost.is_empty() {
            for key in &lost {
                SUBMISSIONS.delete(ctx.state, &id(key))?;
            }
            data.keys = keep;
            EPOCH_DATA.put(ctx.state, &epoch, &data)?;
            seal_again(ctx, epoch, &data)?;
        }
        before = Some(best);
    }
    Ok(())
}

type Keys = Vec<SubmissionKey>;

fn split(
    state: &State<'_>,
    keys: &[SubmissionKey],
    before: Option<&Option<Place>>,
) -> Result<(Keys, Keys), Failure> {
    let (mut keep, mut lost) = (vec![], vec![]);
    for key in keys {
        let stays = match (place(state, key)?, before) {
            (None, _) | (Some(_), Some(None)) => false,
            (Some(_), None) => true,
            (Some(place), Some(Some(earlier))) => place.happened_after(earlier),
        };
        if stays { keep.push(key.clone()) } else { lost.push(key.clone()) }
    }
    Ok((keep, lost))
}

fn seal_again(ctx: &mut Ctx<'_, '_>, epoch: Epoch, data: &EpochData) -> Result<(), Failure> {
    if !data.keys.is_empty() {
        return Ok(());
    }
    let Some(found) = checkpoint::find(ctx.state, epoch)? else { return Ok(()) };
    if checkpoint::status(&found)? != CheckpointStatus::Submitted {
        return Ok(());
    }
    checkpoint::REPORTED_AT.delete(ctx.state, &checkpoint::hash(checkpoint::raw(&found)?))?;
    checkpoint::advance(ctx, epoch, CheckpointStatus::Sealed, |checkpoint| {
        Event::typed(&EventCheckpointForgotten { checkpoint })
    })
}
