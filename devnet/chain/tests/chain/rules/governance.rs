//! Sections 2.1, 3.2, 4, 10.8, 10.9 and 11.1: what the authority may decide, and nobody else.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, address, provider::Provider};
use btc_staking_babylon::{
    convert::params::encode_staking_params,
    proto::{Duration, btccheckpoint, btclightclient, btcstaking, costaking, epoching, finality, incentive},
};

const HALF: &str = "500000000000000000";
const ONE: &str = "1000000000000000000";

fn authority() -> String {
    address("authority")
}

/// A next version that would be accepted.
fn next_version(w: &World) -> btcstaking::Params {
    btcstaking::Params { btc_activation_height: 1_000_000, ..encode_staking_params(&w.params).unwrap() }
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    if let Some(params) = staking(case, w) {
        let message = btcstaking::MsgUpdateParams { authority: authority(), params: Some(params) };
        return Some(refuse(w, "authority", &message).await);
    }
    if let Some(params) = finality(case) {
        let message = finality::MsgUpdateParams { authority: authority(), params: Some(params) };
        return Some(refuse(w, "authority", &message).await);
    }
    if let Some(params) = checkpoint(case) {
        let message = btccheckpoint::MsgUpdateParams { authority: authority(), params: Some(params) };
        return Some(refuse(w, "authority", &message).await);
    }
    if let Some(message) = resume(case, w, f) {
        return Some(refuse(w, "authority", &message).await);
    }
    others(case, w).await
}

fn staking(case: &str, w: &World) -> Option<btcstaking::Params> {
    let good = next_version(w);
    let members = good.covenant_pks.len();
    let key = || good.covenant_pks[0].clone();
    Some(match case {
        "gov_no_quorum" => btcstaking::Params { covenant_quorum: 0, ..good },
        "gov_minority" => btcstaking::Params { covenant_quorum: u32::try_from(members / 2).unwrap(), ..good },
        "gov_no_minimum" => btcstaking::Params { min_staking_value_sat: 0, ..good },
        "gov_no_maximum" => btcstaking::Params { max_staking_value_sat: -1, ..good },
        "gov_value_order" => btcstaking::Params { max_staking_value_sat: 9_999, ..good },
        "gov_no_time" => btcstaking::Params { min_staking_time_blocks: 0, ..good },
        "gov_long_time" => btcstaking::Params { max_staking_time_blocks: 65_536, ..good },
        "gov_time_order" => {
            btcstaking::Params { min_staking_time_blocks: 20, max_staking_time_blocks: 19, ..good }
        }
        "gov_same_member" => {
            let mut covenant_pks = good.covenant_pks.clone();
            covenant_pks[1] = key();
            btcstaking::Params { covenant_pks, ..good }
        }
        "gov_member_off_curve" => {
            let mut covenant_pks = good.covenant_pks.clone();
            covenant_pks[1] = vec![0xff; 32];
            btcstaking::Params { covenant_pks, ..good }
        }
        "gov_no_slashing_fee" => btcstaking::Params { min_slashing_tx_fee_sat: 0, ..good },
        "gov_commission_unset" => btcstaking::Params { min_commission_rate: String::new(), ..good },
        "gov_commission_negative" => btcstaking::Params { min_commission_rate: "-1".into(), ..good },
        "gov_commission_above_one" => {
            btcstaking::Params { min_commission_rate: "1000000000000000001".into(), ..good }
        }
        "gov_rate_zero" => btcstaking::Params { slashing_rate: "0".into(), ..good },
        "gov_rate_one" => btcstaking::Params { slashing_rate: ONE.into(), ..good },
        "gov_rate_too_fine" => btcstaking::Params { slashing_rate: "100010000000000000".into(), ..good },
        "gov_rate_unset" => btcstaking::Params { slashing_rate: String::new(), ..good },
        "gov_no_unbonding_fee" => btcstaking::Params { unbonding_fee_sat: 0, ..good },
        "gov_unbonding_fee" => btcstaking::Params { unbonding_fee_sat: good.min_staking_value_sat, ..good },
        "gov_dust" => btcstaking::Params { min_staking_value_sat: 2_000, ..good },
        "gov_long_unbonding" => btcstaking::Params { unbonding_time_blocks: 65_536, ..good },
        "gov_short_unbonding" => btcstaking::Params { unbonding_time_blocks: 3, ..good },
        "gov_activation_order" => btcstaking::Params { btc_activation_height: 2, ..good },
        _ => return None,
    })
}

fn finality(case: &str) -> Option<finality::Params> {
    let good = finality::Params {
        max_active_finality_providers: 100,
        signed_blocks_window: 100_000,
        finality_sig_timeout: 3,
        min_signed_per_window: HALF.into(),
        min_pub_rand: 10,
        jail_duration: Some(Duration { seconds: 5, nanos: 0 }),
        finality_activation_height: 2,
    };
    Some(match case {
        "gov_no_providers" => finality::Params { max_active_finality_providers: 0, ..good },
        "gov_no_window" => finality::Params { signed_blocks_window: 0, ..good },
        "gov_no_timeout" => finality::Params { finality_sig_timeout: -1, ..good },
        "gov_share_unset" => finality::Params { min_signed_per_window: vec![], ..good },
        "gov_share_negative" => finality::Params { min_signed_per_window: "-1".into(), ..good },
        "gov_share_above_one" => {
            finality::Params { min_signed_per_window: "1000000000000000001".into(), ..good }
        }
        "gov_no_randomness" => finality::Params { min_pub_rand: 0, ..good },
        _ => return None,
    })
}

fn checkpoint(case: &str) -> Option<btccheckpoint::Params> {
    let good = btccheckpoint::Params {
        btc_confirmation_depth: 2,
        checkpoint_finalization_timeout: 3,
        checkpoint_tag: "01020304".into(),
    };
    Some(match case {
        "gov_k_zero" => btccheckpoint::Params { btc_confirmation_depth: 0, ..good },
        "gov_k_is_w" => btccheckpoint::Params { btc_confirmation_depth: 3, ..good },
        "gov_w_changed" => btccheckpoint::Params { checkpoint_finalization_timeout: 4, ..good },
        "gov_tag_no_hex" => btccheckpoint::Params { checkpoint_tag: "xyz".into(), ..good },
        "gov_tag_short" => btccheckpoint::Params { checkpoint_tag: "010203".into(), ..good },
        _ => return None,
    })
}

fn resume(case: &str, w: &World, f: &Fixture) -> Option<finality::MsgResumeFinalityProposal> {
    let of = |keys: &[String], halting_height: u64| finality::MsgResumeFinalityProposal {
        authority: authority(),
        fp_pks_hex: keys.to_vec(),
        halting_height: u32::try_from(halting_height).unwrap(),
    };
    let (one, two) = (f.one.public().to_string(), f.two.public().to_string());
    let now = w.node.height();
    Some(match case {
        "resume_at_zero" => of(&[one], 0),
        "resume_nobody" => of(&[], now),
        "resume_twice_the_same" => of(&[one.clone(), one], now),
        "resume_short_key" => of(&[one[2..].to_owned()], now),
        "resume_before_activation" => of(&[one], 1),
        "resume_ahead" => of(&[one], now + 1_000),
        "resume_voted" => of(&[one], f.settled),
        "resume_unknown" => of(&[Provider::new("other", 2, 10).public().to_string()], now),
        "resume_never_active" => of(&[two], now),
        "resume_rewarded" => of(&[f.three.public().to_string()], f.settled),
        _ => return None,
    })
}

async fn others(case: &str, w: &World) -> Option<Outcome> {
    let me = address("other");
    Some(match case {
        "gov_staking_by_another" => {
            let params = Some(next_version(w));
            refuse(w, "other", &btcstaking::MsgUpdateParams { authority: me, params }).await
        }
        "gov_finality_by_another" => {
            refuse(w, "other", &finality::MsgUpdateParams { authority: me, params: None }).await
        }
        "gov_checkpoint_by_another" => {
            let params = Some(btccheckpoint::Params {
                btc_confirmation_depth: 2,
                checkpoint_finalization_timeout: 3,
                checkpoint_tag: "01020304".into(),
            });
            refuse(w, "other", &btccheckpoint::MsgUpdateParams { authority: me, params }).await
        }
        "gov_reporters_by_another" => {
            refuse(w, "other", &btclightclient::MsgUpdateParams { authority: me, params: None }).await
        }
        "gov_resume_by_another" => {
            let message = finality::MsgResumeFinalityProposal {
                authority: me,
                fp_pks_hex: vec!["00".repeat(32)],
                halting_height: 5,
            };
            refuse(w, "other", &message).await
        }
        "gov_reporter_no_account" => {
            let params = Some(btclightclient::Params { insert_headers_allow_list: vec!["bbn1".into()] });
            refuse(w, "authority", &btclightclient::MsgUpdateParams { authority: authority(), params }).await
        }
        "gov_epoch_interval" => {
            let params = Some(epoching::Params { epoch_interval: 1, ..Default::default() });
            refuse(w, "authority", &epoching::MsgUpdateParams { authority: authority(), params }).await
        }
        "gov_shares_of_everything" => {
            let params =
                Some(incentive::Params { btc_staking_portion: HALF.into(), fp_portion: HALF.into() });
            refuse(w, "authority", &incentive::MsgUpdateParams { authority: authority(), params }).await
        }
        "gov_share_of_costakers" => {
            let params = Some(costaking::Params {
                costaking_portion: ONE.into(),
                score_ratio_btc_by_baby: b"200".to_vec(),
                validators_portion: "0".into(),
            });
            refuse(w, "authority", &costaking::MsgUpdateParams { authority: authority(), params }).await
        }
        _ => return None,
    })
}
