//! The state as a genesis, and a genesis as the state (`wire.md` 10).
//!
//! Every module writes down what it stores in the form of the reference's genesis state ([`export`]) and takes it back
//! ([`import`]). What follows from the rest (indexes, counters, the tip) is not written down but made again, so that an
//! imported state equals the exported one record for record; a test compares them. Fee grants are left out.
//!
//! Importing checks what it reads: keys are keys, transactions parse, headers link, records refer to what exists. The
//! first thing that is wrong is named by its path.

mod accounts;
#[cfg(test)]
mod tests;

use super::{costaking, epochs, finality, incentive, light_client, mint, staking};
use crate::{
    error::{Broken, Failure},
    genesis::{InvalidGenesis, ModuleStates},
    state::State,
};
use btc_staking_protocol::keys::{AccountAddress, FinalityProviderPublicKey};

/// Why a module's state cannot be taken over.
#[derive(Debug)]
pub(crate) enum NotImported {
    /// The genesis is wrong.
    Invalid(InvalidGenesis),
    /// The state cannot be read.
    Failed(Failure),
}

impl From<InvalidGenesis> for NotImported {
    fn from(invalid: InvalidGenesis) -> Self {
        Self::Invalid(invalid)
    }
}
/// For a state that was tried out when its document was read.
impl From<NotImported> for Failure {
    fn from(not: NotImported) -> Self {
        match not {
            NotImported::Invalid(invalid) => Broken::Halt(invalid.to_string()).into(),
            NotImported::Failed(failure) => failure,
        }
    }
}
impl From<Failure> for NotImported {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
impl From<Broken> for NotImported {
    fn from(broken: Broken) -> Self {
        Self::Failed(broken.into())
    }
}

/// Writes down the state of every module.
pub(crate) fn export(state: &State<'_>) -> Result<ModuleStates, Failure> {
    let (btccheckpoint, checkpointing, epoching, monitor) = epochs::genesis::export(state)?;
    Ok(ModuleStates {
        accounts: accounts::export(state)?,
        btclightclient: light_client::genesis::export(state)?,
        btccheckpoint,
        checkpointing,
        epoching,
        monitor,
        btcstaking: staking::genesis::export(state)?,
        finality: finality::genesis::export(state)?,
        incentive: incentive::genesis::export(state)?,
        costaking: costaking::genesis::export(state)?,
        mint: mint::genesis::export(state)?,
    })
}

/// Takes over the state of every module into an empty state.
pub(crate) fn import(state: &mut State<'_>, modules: &ModuleStates) -> Result<(), NotImported> {
    accounts::import(state, &modules.accounts)?;
    mint::genesis::import(state, &modules.mint)?;
    incentive::genesis::import(state, &modules.incentive)?;
    costaking::genesis::import(state, &modules.costaking)?;
    light_client::genesis::import(state, &modules.btclightclient)?;
    epochs::genesis::import(state, modules)?;
    staking::genesis::import(state, &modules.btcstaking)?;
    finality::genesis::import(state, &modules.finality)?;
    staking::index::update(state)?;
    Ok(())
}

/// The error for a value in a module's state.
pub(crate) fn wrong(path: impl Into<String>, found: impl ToString, expected: &'static str) -> InvalidGenesis {
    InvalidGenesis::Value { path: path.into(), found: found.to_string(), expected }
}

/// A message that must be there.
pub(crate) fn required<'a, T>(path: &str, part: Option<&'a T>) -> Result<&'a T, InvalidGenesis> {
    part.ok_or_else(|| wrong(path, "null", "present"))
}

/// A finality provider's key.
pub(crate) fn provider_key(path: &str, bytes: &[u8]) -> Result<FinalityProviderPublicKey, InvalidGenesis> {
    FinalityProviderPublicKey::from_slice(bytes)
        .map_err(|_| wrong(path, hex::encode(bytes), "a public key of 32 bytes"))
}

/// An account's bytes.
pub(crate) fn account(path: &str, text: &str) -> Result<Vec<u8>, InvalidGenesis> {
    let parsed = text.parse::<AccountAddress>().and_then(|account| account.require_prefix(super::PREFIX));
    Ok(parsed.map_err(|_| wrong(path, text, "an address that begins with bbn1"))?.bytes().to_vec())
}

/// 32 bytes.
pub(crate) fn array(path: &str, bytes: &[u8]) -> Result<[u8; 32], InvalidGenesis> {
    bytes.try_into().map_err(|_| wrong(path, hex::encode(bytes), "32 bytes"))
}

/// A decimal scaled by 10^18, as it lies on the wire.
pub(crate) fn scaled(path: &str, text: &str) -> Result<btc_staking_protocol::rate::Decimal, InvalidGenesis> {
    btc_staking_babylon::convert::decimal::decode_decimal(path, text)
        .map_err(|_| wrong(path, format!("{text:?}"), "a decimal"))
}

/// A number of satoshis or ubbn in ASCII.
pub(crate) fn number(path: &str, text: &[u8]) -> Result<u64, InvalidGenesis> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| wrong(path, String::from_utf8_lossy(text), "a number of 64 bits"))
}
