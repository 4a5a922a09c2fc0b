//! Section 6.11: reports of spent staking outputs.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, bitcoin::unknown_hash, stake::funding_tx};
use bitcoin::consensus::serialize;
use btc_staking_babylon::{convert::proof::encode_inclusion, proto::btcstaking::MsgBTCUndelegate};

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &mut World, f: &Fixture) -> Option<Outcome> {
    let (spent_at, spend) = &f.spent;
    let proof = w.bitcoin.prove(*spent_at, spend);
    // The report of another stake's spend, right in form.
    let good = f.active.report(spend, &proof);
    let message = match case {
        "und_short_hash" => MsgBTCUndelegate { staking_tx_hash: "ab".into(), ..good },
        "und_no_proof" => MsgBTCUndelegate { stake_spending_tx_inclusion_proof: None, ..good },
        "und_no_block_hash" => {
            let mut message = good;
            let proof = message.stake_spending_tx_inclusion_proof.as_mut().unwrap();
            proof.key.as_mut().unwrap().hash.clear();
            message
        }
        "und_garbage_spend" => MsgBTCUndelegate { stake_spending_tx: vec![1, 2, 3], ..good },
        "und_insane_spend" => {
            let mut insane = spend.clone();
            insane.input.push(insane.input[0].clone());
            MsgBTCUndelegate { stake_spending_tx: serialize(&insane), ..good }
        }
        "und_expired" => f.expired.report(spend, &proof),
        "und_no_spend" => MsgBTCUndelegate { stake_spending_tx: vec![], ..good },
        "und_unknown_stake" => f.deep.report(spend, &proof),
        "und_already_unbonded" => f.unbonded.report(spend, &proof),
        "und_unknown_header" => {
            let mut unknown = proof.clone();
            unknown.block_hash = unknown_hash();
            f.active.report(spend, &unknown)
        }
        "und_wrong_path" => {
            let mut wrong = proof.clone();
            wrong.siblings[0][0] ^= 1;
            f.active.report(spend, &wrong)
        }
        "und_spends_nothing_of_it" => good,
        "und_no_funding" | "und_garbage_funding" | "und_foreign_funding" => {
            return Some(by_unbonding(case, w, f).await);
        }
        _ if case.starts_with("und_witness_") => return Some(by_unbonding(case, w, f).await),
        _ => return None,
    };
    Some(refuse(w, "watchtower", &message).await)
}

/// Reports of the active stake's true unbonding transaction, wrong in one thing.
async fn by_unbonding(case: &str, w: &mut World, f: &Fixture) -> Outcome {
    let mut spend = f.active.unbonding_tx();
    let mut elements = spend.input[0].witness.to_vec();
    let staker = elements.len() - 3;
    match case {
        "und_witness_unsigned" => elements[staker][10] ^= 1,
        "und_witness_short" => drop(elements.drain(..=staker)),
        "und_witness_annex_short" => {
            elements.drain(..=staker);
            elements.push(vec![0x50]);
        }
        "und_witness_control_block" => elements[staker + 2].truncate(32),
        "und_witness_other_script" => elements[staker + 1] = vec![0x51],
        "und_witness_long_signature" => elements[staker].extend([1, 1]),
        "und_witness_default_said" => elements[staker].push(0),
        "und_witness_sighash" => elements[staker].push(4),
        _ => {}
    }
    spend.input[0].witness = bitcoin::Witness::from_slice(&elements);
    let height = w.mine(1, &[&spend]).await;
    let mut report = f.active.report(&spend, &w.bitcoin.prove(height, &spend));
    match case {
        "und_no_funding" => report.funding_transactions.clear(),
        "und_garbage_funding" => report.funding_transactions.push(vec![1, 2, 3]),
        "und_foreign_funding" => {
            report.funding_transactions = vec![serialize(&funding_tx("foreign", vec![]))];
            report.stake_spending_tx_inclusion_proof =
                Some(encode_inclusion(&w.bitcoin.prove(height, &spend)));
        }
        _ => {}
    }
    refuse(w, "watchtower", &report).await
}
