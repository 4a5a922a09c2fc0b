//! Sections 11.3 and 11.4: reward messages.

use super::{Outcome, refuse};
use crate::support::{World, address};
use btc_staking_babylon::proto::{
    Coin,
    incentive::{MsgSetWithdrawAddress, MsgWithdrawReward},
};
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;

/// Address of the fee collector: the first 20 bytes of the SHA-256 of its name.
const FEE_COLLECTOR: &str = "fee_collector";

fn module_address(name: &str) -> String {
    use bitcoin::hashes::{Hash, sha256};
    let bytes = sha256::Hash::hash(name.as_bytes()).to_byte_array();
    let account = btc_staking_protocol::keys::AccountAddress::from_bytes("bbn", &bytes[..20]).unwrap();
    account.bech32().to_owned()
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World) -> Option<Outcome> {
    let withdraw = |kind: &str| MsgWithdrawReward { r#type: kind.to_owned(), address: address("other") };
    Some(match case {
        "reward_kind" => refuse(w, "other", &withdraw("validator")).await,
        "reward_none" => refuse(w, "other", &withdraw("BTC_staker")).await,
        "reward_blocked_address" => {
            let message = MsgSetWithdrawAddress {
                delegator_address: address("other"),
                withdraw_address: module_address(FEE_COLLECTOR),
            };
            refuse(w, "other", &message).await
        }
        "reward_broken_withdraw_address" => {
            let message = MsgSetWithdrawAddress {
                delegator_address: address("other"),
                withdraw_address: "bbn1nobody".into(),
            };
            refuse(w, "other", &message).await
        }
        "reward_nothing_of_provider" => {
            let address = address("provider-3"); // it never had power
            let message = MsgWithdrawReward { r#type: "finality_provider".into(), address };
            refuse(w, "provider-3", &message).await
        }
        "reward_costaker_unknown" => refuse(w, "other", &withdraw("costaker")).await,
        "reward_costaker_without_score" => {
            let message = MsgWithdrawReward { r#type: "Costaker".into(), address: address("staker") };
            refuse(w, "staker", &message).await
        }
        "send_to_blocked_address" => {
            let message = MsgSend {
                from_address: address("other"),
                to_address: module_address("incentive"),
                amount: vec![Coin { denom: "ubbn".into(), amount: "1".into() }],
            };
            refuse(w, "other", &message).await
        }
        _ => return None,
    })
}
