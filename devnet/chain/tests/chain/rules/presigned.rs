//! Section 6.6's tables of pre-signed transactions: the form of both, and what a slashing transaction pays.
//!
//! A changed transaction also makes the staker's signature wrong, which is looked at later.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{
    World,
    stake::{AMOUNT, Stake},
};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, Txid, absolute::LockTime, consensus::serialize,
    hashes::Hash, transaction::Version,
};
use btc_staking_babylon::proto::btcstaking::MsgCreateBTCDelegation;

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    let (tx, fault) = case.split_once("_presigned_")?;
    let stake = Stake::new(&w.params, "presigned", f.one.public(), 1000);
    let good = stake.registration(None);
    let message = match tx {
        "slashing" => {
            let slashing_tx = broken(fault, &stake.terms.slashing_tx)?;
            MsgCreateBTCDelegation { slashing_tx, ..good }
        }
        "unbonding" => {
            let unbonding_tx = broken(fault, &stake.terms.unbonding_tx)?;
            MsgCreateBTCDelegation { unbonding_tx, ..good }
        }
        "unbonding_slashing" => {
            let unbonding_slashing_tx = broken(fault, &stake.terms.unbonding_slashing_tx)?;
            MsgCreateBTCDelegation { unbonding_slashing_tx, ..good }
        }
        _ => return None,
    };
    Some(refuse(w, "staker", &message).await)
}

fn broken(fault: &str, good: &Transaction) -> Option<Vec<u8>> {
    let mut tx = good.clone();
    match fault {
        "insane" => tx.output[0].value = Amount::MAX_MONEY + Amount::from_sat(1),
        "two_inputs" => {
            let previous_output = OutPoint::new(Txid::hash(b"another input"), 0);
            tx.input.push(bitcoin::TxIn { previous_output, ..tx.input[0].clone() });
        }
        "one_output_more" => tx.output.push(tx.output[0].clone()),
        "version" => tx.version = Version(3),
        "lock_time" => tx.lock_time = LockTime::from_consensus(1),
        "sequence" => tx.input[0].sequence = Sequence::ZERO,
        "script_sig" => tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0x51]),
        "heavy" => tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51; 100_001]),
        "change_script" => tx.output[1].script_pubkey = ScriptBuf::from_bytes(vec![0x51]),
        "dust" => tx.output[1].value = Amount::from_sat(1),
        "pays_all" => tx.output[0].value = Amount::from_sat(AMOUNT) - tx.output[1].value,
        _ => return None,
    }
    Some(serialize(&tx))
}
