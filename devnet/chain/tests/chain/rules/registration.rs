//! Sections 6.4 and 6.5: registering a delegation.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{GAS, World, account, address, any, provider::Provider, stake::Stake};
use btc_staking_babylon::{
    convert::proof::encode_inclusion,
    proto::btcstaking::{InclusionProof as ProofMessage, MsgCreateBTCDelegation, ProofOfPossessionBTC},
    tx::{AccountState, GasAndFee, sign_tx},
};
use btc_staking_protocol::inclusion::InclusionProof;

/// A registration that would be accepted.
fn good(w: &World, f: &Fixture) -> MsgCreateBTCDelegation {
    Stake::new(&w.params, "fresh", f.one.public(), 1000).registration(None)
}

async fn register(w: &World, message: MsgCreateBTCDelegation) -> Outcome {
    refuse(w, "staker", &message).await
}

fn deep_proof(w: &World, f: &Fixture) -> InclusionProof {
    w.bitcoin.prove(f.deep_height, f.deep.tx())
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &mut World, f: &Fixture) -> Option<Outcome> {
    if let Some(message) = malformed(case, w, f) {
        return Some(register(w, message).await);
    }
    Some(match case {
        "reg_foreign_possession" => {
            let pop = Stake::new(&w.params, "another key", f.one.public(), 1000).registration(None).pop;
            register(w, MsgCreateBTCDelegation { pop, ..good(w, f) }).await
        }
        "reg_reused" => register(w, f.pending.registration(None)).await,
        "reg_unknown_provider" => {
            let unknown = Provider::new("other", 2, 10);
            register(w, Stake::new(&w.params, "fresh", unknown.public(), 1000).registration(None)).await
        }
        "reg_slashed_provider" => {
            register(w, Stake::new(&w.params, "fresh", f.three.public(), 1000).registration(None)).await
        }
        "reg_unknown_header" => {
            let mut proof = deep_proof(w, f);
            proof.block_hash = crate::support::bitcoin::unknown_hash();
            register(w, f.deep.registration(Some(proof))).await
        }
        "reg_wrong_path" => {
            let mut proof = deep_proof(w, f);
            proof.siblings[0][0] ^= 1;
            register(w, f.deep.registration(Some(proof))).await
        }
        "reg_ragged_path" => {
            let mut message = f.deep.registration(Some(deep_proof(w, f)));
            message.staking_tx_inclusion_proof.as_mut().unwrap().proof.push(0);
            register(w, message).await
        }
        "reg_coinbase" => {
            let proof = w.bitcoin.prove(f.coinbase_height, f.coinbase.tx());
            register(w, f.coinbase.registration(Some(proof))).await
        }
        "reg_not_deep" => {
            let stake = Stake::new(&w.params, "not deep", f.one.public(), 1000);
            let height = w.mine(1, &[stake.tx()]).await;
            let proof = w.bitcoin.prove(height, stake.tx());
            register(w, stake.registration(Some(proof))).await
        }
        "reg_no_time_left" => {
            let stake = Stake::new(&w.params, "no time left", f.one.public(), 10);
            let height = w.mine(6, &[stake.tx()]).await;
            let proof = w.bitcoin.prove(height, stake.tx());
            register(w, stake.registration(Some(proof))).await
        }
        "reg_before_params" => {
            let proof = w.bitcoin.prove(1, f.early.tx());
            register(w, f.early.registration(Some(proof))).await
        }
        "reg_out_of_gas" => {
            let state = w.state("staker").await;
            let gas = GasAndFee { limit: 900_000, fee: 50_000 };
            let signed =
                sign_tx(&account("staker"), crate::support::CHAIN, state, vec![any(&good(w, f))], gas);
            let included = match w.broadcast(signed.unwrap().bytes).await {
                Ok(included) => included,
                Err(refused) => return Some(Err(refused)),
            };
            w.set_state("staker", AccountState { sequence: state.sequence + 1, ..state });
            assert!(included.tx_result.gas_wanted < i64::try_from(GAS).unwrap());
            Err(crate::support::Refused::of(&included.tx_result))
        }
        _ => return None,
    })
}

fn malformed(case: &str, w: &World, f: &Fixture) -> Option<MsgCreateBTCDelegation> {
    let good = good(w, f);
    let proof = encode_inclusion(&deep_proof(w, f));
    let with_proof = |proof: ProofMessage| MsgCreateBTCDelegation {
        staking_tx_inclusion_proof: Some(proof),
        ..good.clone()
    };
    let key = good.fp_btc_pk_list[0].clone();
    Some(match case {
        "parse_proof_without_key" => with_proof(ProofMessage { key: None, ..proof }),
        "parse_proof_without_bytes" => with_proof(ProofMessage { proof: vec![], ..proof }),
        "parse_staking_tx" => MsgCreateBTCDelegation { staking_tx: vec![1, 2, 3], ..good },
        "parse_unbonding_tx" => MsgCreateBTCDelegation { unbonding_tx: vec![], ..good },
        "parse_slashing_tx" => MsgCreateBTCDelegation { slashing_tx: vec![1, 2, 3], ..good },
        "parse_unbonding_slashing_tx" => {
            MsgCreateBTCDelegation { unbonding_slashing_tx: vec![1, 2, 3], ..good }
        }
        "parse_no_slashing_tx" => MsgCreateBTCDelegation { slashing_tx: vec![], ..good },
        "parse_unbonding_time" => MsgCreateBTCDelegation { unbonding_time: 65_536, ..good },
        "parse_staking_time" => MsgCreateBTCDelegation { staking_time: 65_536, ..good },
        "parse_possession" => {
            let pop = good.pop.clone().map(|pop| ProofOfPossessionBTC { btc_sig: vec![1; 63], ..pop });
            MsgCreateBTCDelegation { pop, ..good }
        }
        "parse_staker_off_curve" => MsgCreateBTCDelegation { btc_pk: vec![0xff; 32], ..good },
        "parse_no_possession" => MsgCreateBTCDelegation { pop: None, ..good },
        "parse_slashing_signature" => MsgCreateBTCDelegation { delegator_slashing_sig: vec![1; 63], ..good },
        "parse_unbonding_signature" => {
            MsgCreateBTCDelegation { delegator_unbonding_slashing_sig: vec![0xff; 64], ..good }
        }
        "parse_no_provider" => MsgCreateBTCDelegation { fp_btc_pk_list: vec![], ..good },
        "parse_provider_off_curve" => MsgCreateBTCDelegation { fp_btc_pk_list: vec![vec![0xff; 32]], ..good },
        "parse_provider_twice" => MsgCreateBTCDelegation { fp_btc_pk_list: vec![key.clone(), key], ..good },
        "parse_two_providers" => {
            let other = f.two.public().to_bytes().to_vec();
            MsgCreateBTCDelegation { fp_btc_pk_list: vec![key, other], ..good }
        }
        "parse_no_staker_key" => MsgCreateBTCDelegation { btc_pk: vec![], ..good },
        "parse_short_staker_key" => MsgCreateBTCDelegation { btc_pk: vec![1; 33], ..good },
        "parse_negative_value" => MsgCreateBTCDelegation { staking_value: -1, ..good },
        "parse_negative_unbonding_value" => MsgCreateBTCDelegation { unbonding_value: -1, ..good },
        "parse_address" => {
            let broken = format!("{}x", address("staker"));
            MsgCreateBTCDelegation { staker_addr: broken, ..good }
        }
        _ => return None,
    })
}
