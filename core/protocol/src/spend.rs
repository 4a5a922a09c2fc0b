//! Reading spends of our outputs off Bitcoin: which path was taken, and whether the staker agreed.
//!
//! Spec: `bitcoin.md` 10.3. Bitcoin has already executed the script when these functions look; they find out what the
//! spend means. The staker's signature is checked anew, since anyone may report a spend to the chain.

use crate::{
    output::{Leaf, SpendPath, StakingOutput},
    sighash::signature_is_valid,
};
use bitcoin::{
    OutPoint, Script, TapLeafHash, TapSighash, TapSighashType, Transaction, TxOut, Txid, Witness,
    secp256k1::{SECP256K1, schnorr},
    sighash::{Annex, Prevouts, SighashCache},
    taproot::{ControlBlock, LeafVersion},
};
use std::collections::HashMap;
use thiserror::Error;

/// Returns the index of the input that spends `outpoint`, if one does.
#[must_use]
pub fn find_spending_input(tx: &Transaction, outpoint: OutPoint) -> Option<usize> {
    tx.input.iter().position(|input| input.previous_output == outpoint)
}

/// Returns the path a witness takes through an output with these leaves, recognised by leaf hash; `None` when the
/// witness is no script spend of such an output.
#[must_use]
pub fn classify_spend(witness: &Witness, leaves: &[Leaf]) -> Option<SpendPath> {
    let parts = ScriptSpend::read(witness)?;
    let hash = TapLeafHash::from_script(parts.script, LeafVersion::TapScript);
    leaves.iter().find(|leaf| leaf.hash() == hash).map(Leaf::path)
}

/// Why a reported spend proves nothing about the staker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnprovenSpend {
    /// The transaction does not spend the stake.
    #[error("transaction does not spend staking output {0}")]
    NotSpent(OutPoint),
    /// One previous output is needed for every input.
    #[error("no funding transaction given for {0}, every input needs one")]
    FundingMissing(OutPoint),
    /// The funding transaction has fewer outputs.
    #[error("funding transaction of {0} has no such output")]
    FundingIndex(OutPoint),
    /// Fewer than signature, script and control block.
    #[error("witness has {0} elements besides an annex, a script spend has at least 3")]
    WitnessTooShort(usize),
    /// The last element is no control block.
    #[error("last witness element is no control block")]
    ControlBlock,
    /// The staking output does not commit to the script shown.
    #[error("script in the witness is not committed to by the staking output")]
    NotCommitted,
    /// Not 64 bytes, nor 65 with a valid sighash type other than default.
    #[error("signature element of {0} bytes is no taproot signature")]
    SignatureForm(usize),
    /// The sighash type asks for an output that does not exist.
    #[error("signature commits to an output that does not exist")]
    SighashSingle,
    /// Wrong key or wrong transaction.
    #[error("signature is not the staker's over this transaction")]
    SignatureInvalid,
}

/// Looks up the previous output of every input among the funding transactions.
///
/// # Errors
/// [`UnprovenSpend::FundingMissing`] or [`UnprovenSpend::FundingIndex`].
pub fn collect_prevouts(tx: &Transaction, funding_txs: &[Transaction]) -> Result<Vec<TxOut>, UnprovenSpend> {
    let by_txid: HashMap<Txid, &Transaction> =
        funding_txs.iter().map(|funding| (funding.compute_txid(), funding)).collect();
    let prevout = |outpoint: OutPoint| {
        let funding = by_txid.get(&outpoint.txid).ok_or(UnprovenSpend::FundingMissing(outpoint))?;
        let index = usize::try_from(outpoint.vout).map_err(|_| UnprovenSpend::FundingIndex(outpoint))?;
        funding.output.get(index).cloned().ok_or(UnprovenSpend::FundingIndex(outpoint))
    };
    tx.input.iter().map(|input| prevout(input.previous_output)).collect()
}

/// Verifies that the staker signed the spend of a staking output, and returns the index of the spending input.
///
/// Only the staker's signature is examined. Prevouts of all inputs come from `funding_txs`.
///
/// # Errors
/// [`UnprovenSpend`].
pub fn verify_staker_spend(
    tx: &Transaction,
    outpoint: OutPoint,
    staking_output: &StakingOutput,
    funding_txs: &[Transaction],
) -> Result<usize, UnprovenSpend> {
    let index = find_spending_input(tx, outpoint).ok_or(UnprovenSpend::NotSpent(outpoint))?;
    let prevouts = collect_prevouts(tx, funding_txs)?;
    let witness = &tx.input[index].witness;
    let parts =
        ScriptSpend::read(witness).ok_or_else(|| UnprovenSpend::WitnessTooShort(elements(witness)))?;
    check_commitment(&parts, staking_output)?;
    let (signature, sighash_type) = parse_signature(parts.signature)?;
    let sighash = spend_sighash(tx, index, &prevouts, &parts, sighash_type)?;
    if !signature_is_valid(&signature, staking_output.keys().staker().x_only(), sighash) {
        return Err(UnprovenSpend::SignatureInvalid);
    }
    Ok(index)
}

/// The elements of a script spend that matter here.
struct ScriptSpend<'a> {
    /// Third from the end: the staker's, in every path of ours.
    signature: &'a [u8],
    script: &'a Script,
    control_block: &'a [u8],
    annex: Option<Annex<'a>>,
}

impl<'a> ScriptSpend<'a> {
    fn read(witness: &'a Witness) -> Option<Self> {
        let (length, annex) = split_annex(witness);
        if length < 3 {
            return None;
        }
        Some(Self {
            signature: witness.nth(length - 3)?,
            script: Script::from_bytes(witness.nth(length - 2)?),
            control_block: witness.nth(length - 1)?,
            annex,
        })
    }
}

/// Returns the number of elements without annex, and the annex (BIP-341: last of at least two, starts with 0x50).
fn split_annex(witness: &Witness) -> (usize, Option<Annex<'_>>) {
    let annex = witness.last().filter(|_| witness.len() >= 2).and_then(|last| Annex::new(last).ok());
    (witness.len() - usize::from(annex.is_some()), annex)
}

fn elements(witness: &Witness) -> usize {
    split_annex(witness).0
}

fn check_commitment(parts: &ScriptSpend<'_>, output: &StakingOutput) -> Result<(), UnprovenSpend> {
    let control_block = ControlBlock::decode(parts.control_block).map_err(|_| UnprovenSpend::ControlBlock)?;
    let output_key = output.output_key().to_x_only_public_key();
    if !control_block.verify_taproot_commitment(SECP256K1, output_key, parts.script) {
        return Err(UnprovenSpend::NotCommitted);
    }
    Ok(())
}

fn parse_signature(element: &[u8]) -> Result<(schnorr::Signature, TapSighashType), UnprovenSpend> {
    let malformed = || UnprovenSpend::SignatureForm(element.len());
    let sighash_type = match element.get(64) {
        None => TapSighashType::Default,
        // An explicit default type is malleable and refused by Bitcoin.
        Some(0) => return Err(malformed()),
        Some(byte) => TapSighashType::from_consensus_u8(*byte).map_err(|_| malformed())?,
    };
    if element.len() > 65 {
        return Err(malformed());
    }
    let signature = element.get(..64).ok_or_else(malformed)?;
    Ok((schnorr::Signature::from_slice(signature).map_err(|_| malformed())?, sighash_type))
}

fn spend_sighash(
    tx: &Transaction,
    index: usize,
    prevouts: &[TxOut],
    parts: &ScriptSpend<'_>,
    sighash_type: TapSighashType,
) -> Result<TapSighash, UnprovenSpend> {
    const NO_CODE_SEPARATOR: u32 = 0xffff_ffff;
    let leaf = TapLeafHash::from_script(parts.script, LeafVersion::TapScript);
    // Index and number of prevouts fit; what is left to fail is SIGHASH_SINGLE without its output.
    SighashCache::new(tx)
        .taproot_signature_hash(
            index,
            &Prevouts::All(prevouts),
            parts.annex.clone(),
            Some((leaf, NO_CODE_SEPARATOR)),
            sighash_type,
        )
        .map_err(|_| UnprovenSpend::SighashSingle)
}
