//! The account's number and sequence, read from the chain.

use crate::{
    proto::{Any, BaseAccount, QueryAccountRequest},
    reader::query::{Refused, broken, read_at},
    rpc::Rpc,
    tx::AccountState,
};
use btc_staking_pos_chain::Result;
use btc_staking_protocol::keys::AccountAddress;
use prost::{Message, Name};

/// Field 1 of a vesting account, and of the account it holds (`wire.md` 4.1).
#[derive(Clone, PartialEq, prost::Message)]
struct VestingAccount {
    #[prost(message, optional, tag = "1")]
    base_vesting_account: Option<BaseVestingAccount>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct BaseVestingAccount {
    #[prost(message, optional, tag = "1")]
    base_account: Option<BaseAccount>,
}

const VESTING: [&str; 4] = [
    "/cosmos.vesting.v1beta1.ContinuousVestingAccount",
    "/cosmos.vesting.v1beta1.DelayedVestingAccount",
    "/cosmos.vesting.v1beta1.PeriodicVestingAccount",
    "/cosmos.vesting.v1beta1.PermanentLockedAccount",
];

/// An account as of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadAccount {
    pub(super) state: AccountState,
    /// The block whose state was read; 0 when the node does not say.
    pub(super) height: u64,
}

/// Asks for an account; the inner error is the chain's refusal, such as an account that was never funded.
pub(super) async fn fetch_account(
    rpc: &dyn Rpc,
    account: &AccountAddress,
) -> Result<std::result::Result<ReadAccount, Refused>> {
    const ASKED: &str = "account";
    let request = QueryAccountRequest { address: account.bech32().to_owned() };
    let (response, height) = match read_at(rpc, &request).await? {
        Ok(answered) => answered,
        Err(refused) if refused.is_trouble() => return Err(refused.into_chain_error()),
        Err(refused) => return Ok(Err(refused)),
    };
    let any = response.account.ok_or_else(|| broken(ASKED, "answer has no account"))?;
    let base = decode_base(&any).map_err(|why| broken(ASKED, why))?;
    if base.address != account.bech32() {
        return Err(broken(ASKED, format!("asked for {account}, got {}", base.address)));
    }
    let state = AccountState { number: base.account_number, sequence: base.sequence };
    Ok(Ok(ReadAccount { state, height }))
}

fn decode_base(any: &Any) -> std::result::Result<BaseAccount, String> {
    if any.type_url == BaseAccount::type_url() {
        return BaseAccount::decode(any.value.as_slice()).map_err(|error| error.to_string());
    }
    if VESTING.contains(&any.type_url.as_str()) {
        let vesting = VestingAccount::decode(any.value.as_slice()).map_err(|error| error.to_string())?;
        let base = vesting.base_vesting_account.and_then(|vesting| vesting.base_account);
        return base.ok_or_else(|| "vesting account holds no base account".to_owned());
    }
    Err(format!("account type {} cannot sign", any.type_url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vesting_account_is_read_by_the_account_it_holds() {
        let base =
            BaseAccount { address: "bbn1x".into(), account_number: 7, sequence: 9, ..BaseAccount::default() };
        let inner = BaseVestingAccount { base_account: Some(base.clone()) };
        let value = VestingAccount { base_vesting_account: Some(inner) }.encode_to_vec();
        for type_url in VESTING {
            let any = Any { type_url: type_url.into(), value: value.clone() };
            assert_eq!(decode_base(&any), Ok(base.clone()));
        }
        let module = Any { type_url: "/cosmos.auth.v1beta1.ModuleAccount".into(), value };
        assert!(decode_base(&module).is_err());
    }
}
