//! Accounts: numbers, sequences and public keys.

use super::context::PREFIX;
use crate::{
    error::{Failure, Status, status},
    state::{State, Table},
};
use btc_staking_babylon::proto::{Any, BaseAccount, PubKey, QueryAccountRequest, QueryAccountResponse};
use btc_staking_protocol::keys::AccountAddress;
use prost::{Message, Name};

/// One account, by address.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Account {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) sequence: u64,
    /// Compressed secp256k1 key; empty before the first transaction.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) public_key: Vec<u8>,
}

pub(crate) const ACCOUNTS: Table<Vec<u8>, Account> = Table::new("aa");
pub(crate) const NEXT_NUMBER: Table<(), u64> = Table::new("an");

/// Address of a module account: the first 20 bytes of the SHA-256 of its name.
pub(crate) fn module_address(name: &str) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest(name)[..20].to_vec()
}

/// Creates the account if there is none.
pub(crate) fn ensure_account(state: &mut State<'_>, address: &[u8]) -> Result<(), Failure> {
    let key = address.to_vec();
    if ACCOUNTS.has(state, &key)? {
        return Ok(());
    }
    let number = NEXT_NUMBER.get(state, &())?.unwrap_or(0);
    NEXT_NUMBER.put(state, &(), &number.saturating_add(1))?;
    ACCOUNTS.put(state, &key, &Account { number, sequence: 0, public_key: vec![] })
}

/// Bech32 text of an address of this chain.
pub(crate) fn bech32(address: &[u8]) -> String {
    AccountAddress::from_bytes(PREFIX, address).map_or_else(|_| hex::encode(address), String::from)
}

/// Answers `/cosmos.auth.v1beta1.Query/Account`.
pub(crate) fn query_account(
    state: &State<'_>,
    request: QueryAccountRequest,
) -> Result<QueryAccountResponse, Failure> {
    let address: AccountAddress = request
        .address
        .parse()
        .map_err(|err: btc_staking_protocol::keys::InvalidAddress| status(Status::InvalidArgument, err))?;
    let Some(account) = ACCOUNTS.get(state, &address.bytes().to_vec())? else {
        return Err(status(Status::NotFound, format!("account {} not found", request.address)));
    };
    let base = BaseAccount {
        address: request.address,
        pub_key: (!account.public_key.is_empty()).then(|| public_key_any(account.public_key)),
        account_number: account.number,
        sequence: account.sequence,
    };
    let any = Any { type_url: "/cosmos.auth.v1beta1.BaseAccount".to_owned(), value: base.encode_to_vec() };
    Ok(QueryAccountResponse { account: Some(any) })
}

fn public_key_any(key: Vec<u8>) -> Any {
    Any { type_url: PubKey::type_url(), value: PubKey { key }.encode_to_vec() }
}
