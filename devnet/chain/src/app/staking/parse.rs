//! The stateless parse of a registration (`chain.md` 6.4).

use super::{provider::parse_possession, records::corrupt};
use crate::{
    app::context::parse_account,
    error::{Failure, btcstaking as err, panicked, plain},
};
use bitcoin::{Amount, BlockHash, Transaction, hashes::Hash, secp256k1::schnorr};
use btc_staking_babylon::proto::{
    btccheckpoint::TransactionKey,
    btcstaking::{InclusionProof as ProofMessage, MsgCreateBTCDelegation},
};
use btc_staking_protocol::{
    delegation::DelegationTerms,
    height::Timelock,
    inclusion::InclusionProof,
    keys::{AccountAddress, FinalityProviderPublicKey, StakerPublicKey},
    possession::ProofOfPossession,
    tx::sanity::{TrailingBytes, parse_transaction},
};
use std::collections::BTreeSet;

/// A registration whose parts are well formed.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub(super) account: AccountAddress,
    pub(super) possession: ProofOfPossession,
    pub(super) staker: StakerPublicKey,
    pub(super) provider: FinalityProviderPublicKey,
    pub(super) inclusion: Option<ParsedProof>,
    pub(super) staking_tx: Transaction,
    pub(super) staking_time: u32,
    pub(super) unbonding_time: u32,
    staking_value: Amount,
    unbonding_value: Amount,
    slashing_tx: Transaction,
    unbonding_tx: Transaction,
    unbonding_slashing_tx: Transaction,
    slashing_signature: schnorr::Signature,
    unbonding_slashing_signature: schnorr::Signature,
}

/// An inclusion proof as it came: siblings may be of any length, which the Merkle check refuses, not the parser.
#[derive(Debug, Clone)]
pub(super) struct ParsedProof {
    pub(super) block_hash: BlockHash,
    pub(super) index: u32,
    siblings: Vec<u8>,
}

impl ParsedProof {
    /// The proof with whole siblings; `None` when the bytes are not a multiple of 32.
    pub(super) fn whole(&self) -> Option<InclusionProof> {
        let (siblings, rest) = self.siblings.as_chunks::<32>();
        rest.is_empty().then(|| InclusionProof {
            block_hash: self.block_hash,
            index: self.index,
            siblings: siblings.to_vec(),
        })
    }
}

/// Rows 1 to 11.
pub(crate) fn check_create_delegation(msg: &MsgCreateBTCDelegation) -> Result<(), Failure> {
    parse(msg).map(|_| ())
}

/// Parses a registration in the order of the rows.
pub(super) fn parse(msg: &MsgCreateBTCDelegation) -> Result<Parsed, Failure> {
    let inclusion = msg.staking_tx_inclusion_proof.as_ref().map(parse_proof).transpose()?;
    let staking_tx = parse_tx("staking", &msg.staking_tx)?;
    let slashing_tx = parse_presigned("slashing", &msg.slashing_tx)?;
    let unbonding_tx = parse_tx("unbonding", &msg.unbonding_tx)?;
    let unbonding_slashing_tx = parse_presigned("unbonding slashing", &msg.unbonding_slashing_tx)?;
    check_time("unbonding", msg.unbonding_time)?;
    check_time("staking", msg.staking_time)?;
    let account = parse_account(&msg.staker_addr)?;
    let possession = parse_possession(msg.pop.as_ref())?;
    let slashing_signature = parse_signature("slashing", &msg.delegator_slashing_sig)?;
    let unbonding_slashing_signature =
        parse_signature("unbonding slashing", &msg.delegator_unbonding_slashing_sig)?;
    let provider = parse_provider(&msg.fp_btc_pk_list)?;
    let staker = StakerPublicKey::from_slice(&msg.btc_pk).map_err(plain)?;
    Ok(Parsed {
        account,
        possession,
        staker,
        provider,
        inclusion,
        staking_tx,
        staking_time: msg.staking_time,
        unbonding_time: msg.unbonding_time,
        staking_value: parse_value("staking", msg.staking_value)?,
        unbonding_value: parse_value("unbonding", msg.unbonding_value)?,
        slashing_tx,
        unbonding_tx,
        unbonding_slashing_tx,
        slashing_signature,
        unbonding_slashing_signature,
    })
}

impl Parsed {
    /// The terms of the stake.
    ///
    /// # Errors
    /// `btcstaking/1108` for a staking time of 0, which no params allow. The unbonding time must have been compared with
    /// the params before, which excludes 0 there.
    pub(super) fn terms(&self) -> Result<DelegationTerms, Failure> {
        let staking_time =
            Timelock::from_blocks(self.staking_time).map_err(|zero| err::INVALID_STAKING_TX.because(zero))?;
        Ok(DelegationTerms {
            staker: self.staker,
            finality_providers: vec![self.provider],
            staking_time,
            staking_value: self.staking_value,
            staking_tx: self.staking_tx.clone(),
            slashing_tx: self.slashing_tx.clone(),
            staker_slashing_signature: self.slashing_signature,
            unbonding_time: Timelock::from_blocks(self.unbonding_time).map_err(corrupt)?,
            unbonding_tx: self.unbonding_tx.clone(),
            unbonding_value: self.unbonding_value,
            unbonding_slashing_tx: self.unbonding_slashing_tx.clone(),
            staker_unbonding_slashing_signature: self.unbonding_slashing_signature,
        })
    }
}

/// That an inclusion proof has key and bytes: all that is looked at before the handlers of 6.10 and 6.11.
pub(super) fn check_proof(proof: &ProofMessage) -> Result<(), Failure> {
    proof_key(proof).map(|_| ())
}

fn proof_key(proof: &ProofMessage) -> Result<&TransactionKey, Failure> {
    let key = proof.key.as_ref().ok_or_else(|| plain("inclusion proof has no key"))?;
    if proof.proof.is_empty() {
        return Err(plain("inclusion proof has no proof bytes"));
    }
    Ok(key)
}

/// An inclusion proof with key and bytes. One without a block hash crashes the reference.
pub(super) fn parse_proof(proof: &ProofMessage) -> Result<ParsedProof, Failure> {
    let key = proof_key(proof)?;
    let block_hash =
        BlockHash::from_slice(&key.hash).map_err(|_| panicked("inclusion proof has no block hash"))?;
    Ok(ParsedProof { block_hash, index: key.index, siblings: proof.proof.clone() })
}

/// A transaction as the reference reads it: whatever follows it is ignored.
pub(super) fn parse_tx(what: &str, bytes: &[u8]) -> Result<Transaction, Failure> {
    parse_transaction(bytes, TrailingBytes::Ignore)
        .map_err(|err| plain(format!("failed to deserialize {what} tx: {err}")))
}

/// A slashing transaction, whose absence nobody in the reference checks.
fn parse_presigned(what: &str, bytes: &[u8]) -> Result<Transaction, Failure> {
    if bytes.is_empty() {
        return Err(panicked(format!("{what} tx is absent")));
    }
    parse_tx(what, bytes)
}

fn check_time(what: &str, blocks: u32) -> Result<(), Failure> {
    if blocks > u32::from(u16::MAX) {
        return Err(plain(format!("{what} time {blocks} must be lower than {}", u16::MAX)));
    }
    Ok(())
}

fn parse_signature(what: &str, bytes: &[u8]) -> Result<schnorr::Signature, Failure> {
    super::covenant::parse_schnorr(bytes)
        .ok_or_else(|| plain(format!("invalid staker signature on {what} tx")))
}

fn parse_provider(keys: &[Vec<u8>]) -> Result<FinalityProviderPublicKey, Failure> {
    if keys.is_empty() {
        return Err(plain("empty list of finality provider public keys"));
    }
    let keys = keys.iter().map(|key| FinalityProviderPublicKey::from_slice(key));
    let keys = keys.collect::<Result<Vec<_>, _>>().map_err(plain)?;
    if keys.iter().collect::<BTreeSet<_>>().len() != keys.len() {
        return Err(err::DUPLICATED_FP.bare());
    }
    match keys.as_slice() {
        [provider] => Ok(*provider),
        _ => Err(err::TOO_MANY_FPS.bare()),
    }
}

fn parse_value(what: &str, sat: i64) -> Result<Amount, Failure> {
    u64::try_from(sat).map(Amount::from_sat).map_err(|_| plain(format!("{what} value {sat} is negative")))
}
