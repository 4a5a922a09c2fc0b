//! The minter as a genesis.

use super::{GENESIS_TIME, MINTER, minter, scaled};
use crate::{
    app::restore::{self, NotImported, required},
    error::Failure,
    state::State,
};
use btc_staking_babylon::proto::{
    Timestamp,
    mint::{GenesisState, GenesisTime},
};

pub(crate) fn export(state: &State<'_>) -> Result<GenesisState, Failure> {
    let seconds = GENESIS_TIME.get(state, &())?.unwrap_or(0);
    let time = GenesisTime { genesis_time: Some(Timestamp { seconds, nanos: 0 }) };
    Ok(GenesisState { minter: Some(minter(state)?), genesis_time: Some(time) })
}

pub(crate) fn import(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let minter = required("mint.minter", genesis.minter.as_ref())?;
    restore::scaled("mint.minter.inflation_rate", &minter.inflation_rate)?;
    restore::scaled("mint.minter.annual_provisions", &minter.annual_provisions)?;
    scaled(&minter.inflation_rate)?;
    MINTER.put(state, &(), minter)?;
    let time = genesis.genesis_time.as_ref().and_then(|time| time.genesis_time.as_ref());
    GENESIS_TIME.put(state, &(), &time.map_or(0, |time| time.seconds))?;
    Ok(())
}
