//! The states of the SDK's modules `auth` and `bank`.

use super::{AccountState, AccountStates, wrong};
use crate::genesis::InvalidGenesis;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize)]
#[serde(tag = "@type", deny_unknown_fields)]
enum AnyAccount {
    #[serde(rename = "/cosmos.auth.v1beta1.BaseAccount")]
    Base(BaseAccount),
    #[serde(rename = "/cosmos.auth.v1beta1.ModuleAccount")]
    Module {
        base_account: BaseAccount,
        #[allow(dead_code)] // a module's account is known by its address
        name: String,
        #[allow(dead_code)] // what modules may do is fixed here
        permissions: Vec<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct BaseAccount {
    address: String,
    pub_key: Option<PubKey>,
    #[serde(with = "number")]
    account_number: u64,
    #[serde(with = "number")]
    sequence: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "@type")]
enum PubKey {
    #[serde(rename = "/cosmos.crypto.secp256k1.PubKey")]
    Secp256k1 { key: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Balance {
    address: String,
    coins: Vec<Coin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coin {
    denom: String,
    #[serde(with = "number")]
    amount: u64,
}

/// Numbers of 64 bits as text.
mod number {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

const DENOM: &str = "ubbn";

pub(super) fn read(auth: &Value, bank: &Value) -> Result<AccountStates, InvalidGenesis> {
    let mut states = AccountStates::default();
    for (index, value) in list(auth, "auth", "accounts")?.iter().enumerate() {
        let path = format!("auth.accounts[{index}]");
        let account = serde_json::from_value::<AnyAccount>(value.clone());
        let account = account.map_err(|err| malformed(&path, &err, "a base or module account"))?;
        let (AnyAccount::Base(base) | AnyAccount::Module { base_account: base, .. }) = account;
        states.accounts.push(base.read(&path)?);
    }
    for (index, value) in list(bank, "bank", "balances")?.iter().enumerate() {
        let path = format!("bank.balances[{index}]");
        let balance = serde_json::from_value::<Balance>(value.clone());
        let balance = balance.map_err(|err| malformed(&path, &err, "an address with coins"))?;
        let ubbn = match balance.coins.as_slice() {
            [] => 0,
            [coin] if coin.denom == DENOM => coin.amount,
            _ => return Err(wrong(&format!("{path}.coins"), &value["coins"], "one coin of ubbn at most")),
        };
        states.balances.push((balance.address, ubbn));
    }
    check_supply(bank, &states)?;
    Ok(states)
}

fn malformed(path: &str, err: &serde_json::Error, expected: &'static str) -> InvalidGenesis {
    InvalidGenesis::Value { path: path.to_owned(), found: err.to_string(), expected }
}

fn list<'a>(module: &'a Value, name: &str, field: &str) -> Result<&'a [Value], InvalidGenesis> {
    match module.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(wrong(&format!("{name}.{field}"), other, "a list")),
    }
}

/// A supply may be left out; one that is given is the sum of the balances.
fn check_supply(bank: &Value, states: &AccountStates) -> Result<(), InvalidGenesis> {
    let supply = list(bank, "bank", "supply")?;
    let sum: u128 = states.balances.iter().map(|(_, ubbn)| u128::from(*ubbn)).sum();
    let told = supply.iter().find(|coin| coin["denom"] == DENOM);
    match told.and_then(|coin| coin["amount"].as_str()) {
        None if supply.is_empty() => Ok(()),
        Some(amount) if amount == sum.to_string() => Ok(()),
        _ => Err(wrong("bank.supply", &Value::Array(supply.to_vec()), "the sum of all balances")),
    }
}

impl BaseAccount {
    fn read(self, path: &str) -> Result<AccountState, InvalidGenesis> {
        let public_key = match self.pub_key {
            None => vec![],
            Some(PubKey::Secp256k1 { key }) => {
                let bytes = STANDARD.decode(&key).ok().filter(|bytes| bytes.len() == 33);
                let path = format!("{path}.pub_key.key");
                bytes.ok_or_else(|| wrong(&path, &key.into(), "a compressed key of 33 bytes in base64"))?
            }
        };
        let (number, sequence) = (self.account_number, self.sequence);
        Ok(AccountState { address: self.address, number, sequence, public_key })
    }
}

pub(super) fn write(states: &AccountStates) -> (Value, Value) {
    let accounts = states.accounts.iter().map(|account| {
        let key = (!account.public_key.is_empty()).then(|| {
            json!({
                "@type": "/cosmos.crypto.secp256k1.PubKey",
                "key": STANDARD.encode(&account.public_key),
            })
        });
        json!({
            "@type": "/cosmos.auth.v1beta1.BaseAccount",
            "address": account.address,
            "pub_key": key,
            "account_number": account.number.to_string(),
            "sequence": account.sequence.to_string(),
        })
    });
    let coin = |amount: u128| json!({ "denom": DENOM, "amount": amount.to_string() });
    let balances = states.balances.iter().map(|(address, ubbn)| {
        let coins = if *ubbn == 0 { vec![] } else { vec![coin((*ubbn).into())] };
        json!({ "address": address, "coins": coins })
    });
    let supply: u128 = states.balances.iter().map(|(_, ubbn)| u128::from(*ubbn)).sum();
    let supply = if supply == 0 { vec![] } else { vec![coin(supply)] };
    (
        json!({ "accounts": accounts.collect::<Vec<_>>() }),
        json!({ "balances": balances.collect::<Vec<_>>(), "supply": supply }),
    )
}
