//! Reports of spent staking outputs (`chain.md` 6.11).

use super::{
    events,
    inclusion::{activate, known_header, parse_txid, verify_path},
    parse::{ParsedProof, check_proof, parse_proof, parse_tx},
    power_events::{self, PowerEvent},
    records::Stake,
    status,
};
use crate::{
    app::{
        context::{Ctx, parse_account},
        light_client,
    },
    error::{Failure, Registered, btcstaking as err, plain},
};
use bitcoin::Transaction;
use btc_staking_babylon::proto::btcstaking::{
    BTCDelegationStatus, DelegatorUnbondingInfo, InclusionProof as ProofMessage, MsgBTCUndelegate,
};
use btc_staking_protocol::{
    height::BtcHeight,
    inclusion::InclusionProof,
    spend::verify_staker_spend,
    tx::sanity::{TrailingBytes, check_sanity, parse_transaction},
};

const REFUSED: Registered = err::INVALID_UNDELEGATION;

/// How the staking output was spent.
enum Spend {
    /// By the registered unbonding transaction.
    Registered,
    /// By a registered expansion of the stake, which is active now.
    Expansion,
    /// By anything else.
    Unexpected,
}

/// Row 1.
pub(crate) fn check_undelegate(msg: &MsgBTCUndelegate) -> Result<(), Failure> {
    parse_account(&msg.signer)?;
    parse_txid(&msg.staking_tx_hash)?;
    let spending = parse_tx("stake spending", &msg.stake_spending_tx)?;
    check_sanity(&spending).map_err(plain)?;
    check_proof(required(msg)?)
}

fn required(msg: &MsgBTCUndelegate) -> Result<&ProofMessage, Failure> {
    msg.stake_spending_tx_inclusion_proof.as_ref().ok_or_else(|| plain("empty inclusion proof"))
}

/// Rows 2 to 9, and what follows.
pub(crate) fn undelegate(ctx: &mut Ctx<'_, '_>, msg: &MsgBTCUndelegate) -> Result<(), Failure> {
    let mut stake = Stake::load(ctx.state, &parse_txid(&msg.staking_tx_hash)?)?;
    check_open(ctx, &stake)?;
    let spending = parse_tx("stake spending", &msg.stake_spending_tx).map_err(in_undelegation)?;
    let proof = parse_proof(required(msg)?)?;
    let header = known_header(ctx.state, &proof).map_err(in_undelegation)?;
    let spend = classify(ctx, &stake, &spending, &proof)?;
    verify_spend(ctx, &stake, &spending, &msg.funding_transactions)?;
    conclude(ctx, &mut stake, msg, &spending, &proof, spend, header.height)
}

/// Row 3.
fn check_open(ctx: &Ctx<'_, '_>, stake: &Stake) -> Result<(), Failure> {
    let tip = light_client::tip_height(ctx.state)?;
    match status::status(ctx.state, &stake.record, tip)? {
        BTCDelegationStatus::Unbonded | BTCDelegationStatus::Expired => {
            Err(REFUSED.because("cannot unbond an unbonded BTC delegation"))
        }
        BTCDelegationStatus::Pending
        | BTCDelegationStatus::Verified
        | BTCDelegationStatus::Active
        | BTCDelegationStatus::Any => Ok(()),
    }
}

/// Row 6: a registered expansion is activated, everything else needs its Merkle path only.
fn classify(
    ctx: &mut Ctx<'_, '_>,
    stake: &Stake,
    spending: &Transaction,
    proof: &ParsedProof,
) -> Result<Spend, Failure> {
    let txid = spending.compute_txid();
    let child = Stake::find(ctx.state, &txid)?
        .filter(|child| child.record.stk_exp.is_some() && !status::is_unbonded_early(&child.record));
    if let Some(mut child) = child {
        activate(ctx, &mut child, proof).map_err(in_undelegation)?;
        return Ok(Spend::Expansion);
    }
    let header = known_header(ctx.state, proof).map_err(in_undelegation)?;
    verify_path(&txid, proof, &header).map_err(|why| REFUSED.because(why))?;
    Ok(if txid == stake.unbonding_txid()? { Spend::Registered } else { Spend::Unexpected })
}

/// Rows 7 to 9.
fn verify_spend(
    ctx: &Ctx<'_, '_>,
    stake: &Stake,
    spending: &Transaction,
    funding: &[Vec<u8>],
) -> Result<(), Failure> {
    let outpoint = stake.outpoint();
    if !spending.input.iter().any(|input| input.previous_output == outpoint) {
        return Err(REFUSED.because(format!("spending tx does not spend staking output {outpoint}")));
    }
    if funding.is_empty() {
        return Err(REFUSED.because("no funding transactions are given"));
    }
    let funding = funding.iter().map(|bytes| parse_transaction(bytes, TrailingBytes::Ignore));
    let funding = funding.collect::<Result<Vec<_>, _>>().map_err(|refused| REFUSED.because(refused))?;
    let outputs = stake.outputs(&stake.params(ctx.state)?)?;
    verify_staker_spend(spending, outpoint, &outputs.staking, &funding)
        .map(|_| ())
        .map_err(|refused| REFUSED.because(refused))
}

fn conclude(
    ctx: &mut Ctx<'_, '_>,
    stake: &mut Stake,
    msg: &MsgBTCUndelegate,
    spending: &Transaction,
    proof: &ParsedProof,
    spend: Spend,
    spent_at: BtcHeight,
) -> Result<(), Failure> {
    let spend_txid = spending.compute_txid();
    let (stored, event) = match spend {
        Spend::Registered => (vec![], events::unbonded_early(stake.txid, spent_at, None)),
        Spend::Expansion => {
            let event = events::unbonded_early(stake.txid, spent_at, Some(spend_txid));
            (msg.stake_spending_tx.clone(), event)
        }
        Spend::Unexpected => {
            let place = InclusionProof { block_hash: proof.block_hash, index: proof.index, siblings: vec![] };
            let event = events::unexpected_spend(stake.txid, spend_txid, &place);
            (msg.stake_spending_tx.clone(), event)
        }
    };
    stake.undelegation_mut().delegator_unbonding_info =
        Some(DelegatorUnbondingInfo { spend_stake_tx: stored });
    stake.save(ctx.state)?;
    ctx.emit(event);
    if status::has_proof(&stake.record) {
        let tip = light_client::tip_height(ctx.state)?;
        power_events::record(ctx.state, tip, PowerEvent::Unbonded(stake.txid))?;
    }
    ctx.mark_refundable();
    Ok(())
}

/// What another rule refused, as a refusal of the report. Running out of gas ends the transaction, whoever notices.
fn in_undelegation(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) if refusal.ends_transaction() => Failure::Refused(refusal),
        Failure::Refused(refusal) => REFUSED.because(refusal.log),
        Failure::Broken(broken) => broken.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::sdk;

    #[test]
    fn a_refusal_within_a_report_gets_its_code_but_running_out_of_gas_keeps_its_own() {
        for (failure, expected) in [
            (plain("no such header"), ("btcstaking", 1119)),
            (err::INCLUDED_TOO_EARLY.bare(), ("btcstaking", 1119)),
            (sdk::OUT_OF_GAS.because("out of gas in location: ReadPerByte"), ("sdk", 11)),
        ] {
            let Failure::Refused(refusal) = in_undelegation(failure.clone()) else { panic!("{failure:?}") };
            assert_eq!((refusal.codespace, refusal.code), expected, "{failure:?}");
        }
    }
}
