//! Section 6.9: covenant signatures.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::World;
use btc_staking_babylon::proto::btcstaking::MsgAddCovenantSigs;

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    let good = f.pending.covenant_sigs(1);
    let other = f.verified.covenant_sigs(1);
    let message = match case {
        "cov_key_off_curve" => MsgAddCovenantSigs { pk: vec![0xff; 32], ..good },
        "cov_key_of_33_bytes" => MsgAddCovenantSigs { pk: vec![2; 33], ..good },
        "cov_no_slashing_sigs" => MsgAddCovenantSigs { slashing_tx_sigs: vec![], ..good },
        "cov_short_hash" => MsgAddCovenantSigs { staking_tx_hash: "ab".into(), ..good },
        "cov_unbonding_sig_form" => MsgAddCovenantSigs { unbonding_tx_sig: vec![1; 63], ..good },
        "cov_no_unbonding_slashing_sigs" => MsgAddCovenantSigs { slashing_unbonding_tx_sigs: vec![], ..good },
        "cov_unknown_stake" => MsgAddCovenantSigs { staking_tx_hash: "00".repeat(32), ..good },
        "cov_stranger" => {
            let pk = f.one.public().to_bytes().to_vec();
            MsgAddCovenantSigs { pk, ..good }
        }
        "cov_twice" => f.pending.covenant_sigs(0),
        "cov_expired" => f.expired.covenant_sigs(4),
        "cov_unbonded" => f.unbonded.covenant_sigs(4),
        "cov_two_slashing_sigs" => {
            let twice = [good.slashing_tx_sigs.clone(), good.slashing_tx_sigs.clone()].concat();
            MsgAddCovenantSigs { slashing_tx_sigs: twice, ..good }
        }
        "cov_wrong_slashing_sig" => MsgAddCovenantSigs { slashing_tx_sigs: other.slashing_tx_sigs, ..good },
        "cov_two_unbonding_slashing_sigs" => {
            let list = &good.slashing_unbonding_tx_sigs;
            let twice = [list.clone(), list.clone()].concat();
            MsgAddCovenantSigs { slashing_unbonding_tx_sigs: twice, ..good }
        }
        "cov_wrong_unbonding_sig" => MsgAddCovenantSigs { unbonding_tx_sig: other.unbonding_tx_sig, ..good },
        "cov_wrong_unbonding_slashing_sig" => {
            let list = other.slashing_unbonding_tx_sigs;
            MsgAddCovenantSigs { slashing_unbonding_tx_sigs: list, ..good }
        }
        "cov_expansion_sig" => {
            let sig = Some(good.unbonding_tx_sig.clone());
            MsgAddCovenantSigs { stake_expansion_tx_sig: sig, ..good }
        }
        _ => return None,
    };
    Some(refuse(w, "covenant", &message).await)
}
