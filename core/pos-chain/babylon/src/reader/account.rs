//! Balances and rewards.

use super::{BabylonReader, query::malformed};
use crate::{
    convert::{
        InvalidField, Problem,
        decimal::{decode_coins, decode_integer},
        message::decode_reward_kind,
    },
    proto::{
        QueryBalanceRequest,
        incentive::{QueryRewardGaugesRequest, RewardGaugesResponse},
    },
    tx::DENOM,
};
use async_trait::async_trait;
use btc_staking_pos_chain::{AccountReader, Result, message::RewardKind};
use btc_staking_protocol::keys::AccountAddress;

#[async_trait]
impl AccountReader for BabylonReader {
    async fn fetch_balance(&self, account: &AccountAddress) -> Result<u128> {
        let request = QueryBalanceRequest { address: account.bech32().to_owned(), denom: DENOM.to_owned() };
        let Some(coin) = self.query(&request).await?.balance else { return Ok(0) };
        decode_integer("amount", &coin.amount).map_err(malformed::<QueryBalanceRequest>)
    }

    async fn fetch_rewards(&self, account: &AccountAddress) -> Result<Vec<(RewardKind, u128)>> {
        let request = QueryRewardGaugesRequest { address: account.bech32().to_owned() };
        let response = match self.ask(&request).await? {
            Ok(response) => response,
            Err(refused) if refused.is("incentive", 1101) || refused.is_key_not_found() => {
                return Ok(Vec::new());
            }
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let gauges = response.reward_gauges.iter();
        let rewards: std::result::Result<_, _> =
            gauges.map(|(name, gauge)| decode_gauge(name, gauge)).collect();
        rewards.map_err(malformed::<QueryRewardGaugesRequest>)
    }
}

fn decode_gauge(
    name: &str,
    gauge: &RewardGaugesResponse,
) -> std::result::Result<(RewardKind, u128), InvalidField> {
    let kind = decode_reward_kind("reward_gauges", name)?;
    let earned = decode_coins("coins", &gauge.coins, DENOM)?;
    let paid = decode_coins("withdrawn_coins", &gauge.withdrawn_coins, DENOM)?;
    let rest = earned.checked_sub(paid);
    rest.map(|rest| (kind, rest))
        .ok_or_else(|| InvalidField::new("withdrawn_coins", Problem::Contradicts("coins")))
}
