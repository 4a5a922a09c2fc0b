//! Accounts and balances, which the SDK's modules `auth` and `bank` hold.

use super::{NotImported, account, wrong};
use crate::{
    app::{
        auth::{ACCOUNTS, Account, NEXT_NUMBER, bech32},
        bank::{BALANCES, SUPPLY},
    },
    error::Failure,
    genesis::{AccountState, AccountStates},
    state::{Order, State},
};
use std::collections::BTreeSet;

pub(super) fn export(state: &State<'_>) -> Result<AccountStates, Failure> {
    let mut states = AccountStates::default();
    for entry in ACCOUNTS.scan(state, Order::Ascending) {
        let (address, account) = entry?;
        let Account { number, sequence, public_key } = account;
        states.accounts.push(AccountState { address: bech32(&address), number, sequence, public_key });
    }
    for entry in BALANCES.scan(state, Order::Ascending) {
        let (address, ubbn) = entry?;
        states.balances.push((bech32(&address), ubbn));
    }
    Ok(states)
}

/// Balances may belong to addresses without an account; the supply is their sum.
pub(super) fn import(state: &mut State<'_>, states: &AccountStates) -> Result<(), NotImported> {
    let (mut numbers, mut next) = (BTreeSet::new(), 0u64);
    for (index, record) in states.accounts.iter().enumerate() {
        let path = format!("auth.accounts[{index}]");
        let address = account(&format!("{path}.address"), &record.address)?;
        if !numbers.insert(record.number) {
            let path = format!("{path}.account_number");
            return Err(wrong(path, record.number, "a number of its own").into());
        }
        if ACCOUNTS.has(state, &address)? {
            return Err(wrong(format!("{path}.address"), &record.address, "listed once").into());
        }
        next = next.max(record.number.saturating_add(1));
        let AccountState { number, sequence, public_key, .. } = record.clone();
        ACCOUNTS.put(state, &address, &Account { number, sequence, public_key })?;
    }
    NEXT_NUMBER.put(state, &(), &next)?;
    let mut supply = 0u64;
    for (index, (address, ubbn)) in states.balances.iter().enumerate() {
        let path = format!("bank.balances[{index}]");
        let key = account(&format!("{path}.address"), address)?;
        if BALANCES.has(state, &key)? {
            return Err(wrong(format!("{path}.address"), address, "listed once").into());
        }
        BALANCES.put(state, &key, ubbn)?;
        let sum = supply.checked_add(*ubbn);
        supply =
            sum.ok_or_else(|| wrong(format!("{path}.coins"), ubbn, "small enough for 64 bits of supply"))?;
    }
    SUPPLY.put(state, &(), &supply)?;
    Ok(())
}
