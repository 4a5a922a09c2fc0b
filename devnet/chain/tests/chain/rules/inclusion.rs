//! Section 6.10: inclusion proofs.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, bitcoin::unknown_hash, stake::Stake};
use btc_staking_babylon::proto::btcstaking::MsgAddBTCDelegationInclusionProof as Proof;

async fn prove(w: &World, message: Proof) -> Outcome {
    refuse(w, "watchtower", &message).await
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &mut World, f: &Fixture) -> Option<Outcome> {
    let some_proof = w.bitcoin.prove(f.deep_height, f.deep.tx());
    let good = f.verified.inclusion(&some_proof);
    Some(match case {
        "inc_short_hash" => prove(w, Proof { staking_tx_hash: "ab".into(), ..good }).await,
        "inc_no_proof" => prove(w, Proof { staking_tx_inclusion_proof: None, ..good }).await,
        "inc_no_block_hash" => {
            let mut message = good;
            let key = message.staking_tx_inclusion_proof.as_mut().unwrap().key.as_mut().unwrap();
            key.hash.clear();
            prove(w, message).await
        }
        "inc_unknown_stake" => prove(w, f.deep.inclusion(&some_proof)).await,
        "inc_already_proven" => prove(w, f.active.inclusion(&some_proof)).await,
        "inc_no_quorum" => prove(w, f.pending.inclusion(&some_proof)).await,
        "inc_unbonded" => {
            let stake = Stake::new(&w.params, "unbonded before proof", f.one.public(), 1000);
            w.verified(&stake).await;
            let spend = stake.unbonding_tx();
            let height = w.mine(1, &[&spend]).await;
            w.must("watchtower", &stake.report(&spend, &w.bitcoin.prove(height, &spend))).await;
            prove(w, stake.inclusion(&some_proof)).await
        }
        "inc_unknown_header" => {
            let mut proof = some_proof;
            proof.block_hash = unknown_hash();
            prove(w, f.verified.inclusion(&proof)).await
        }
        "inc_wrong_path" => prove(w, good).await,
        "inc_coinbase" => {
            let stake = Stake::new(&w.params, "proven in front", f.one.public(), 1000);
            w.verified(&stake).await;
            let header = w.bitcoin.mine_at_front(stake.tx());
            w.report(&[header]).await.unwrap();
            let height = w.bitcoin.tip_height();
            w.mine(2, &[]).await;
            prove(w, stake.inclusion(&w.bitcoin.prove(height, stake.tx()))).await
        }
        "inc_not_deep" => {
            let stake = Stake::new(&w.params, "shallow", f.one.public(), 1000);
            w.verified(&stake).await;
            let height = w.mine(2, &[stake.tx()]).await;
            prove(w, stake.inclusion(&w.bitcoin.prove(height, stake.tx()))).await
        }
        "inc_no_time_left" => {
            let stake = Stake::new(&w.params, "late", f.one.public(), 10);
            w.verified(&stake).await;
            let height = w.mine(6, &[stake.tx()]).await;
            prove(w, stake.inclusion(&w.bitcoin.prove(height, stake.tx()))).await
        }
        "inc_too_early" => {
            let stake = Stake::new(&w.params, "mined first", f.one.public(), 1000);
            let height = w.mine(3, &[stake.tx()]).await;
            w.verified(&stake).await;
            prove(w, stake.inclusion(&w.bitcoin.prove(height, stake.tx()))).await
        }
        _ => return None,
    })
}
