//! Versions of the staking parameters (`chain.md` 4).

use crate::{
    error::{Broken, Failure, btcstaking as err, plain},
    genesis::Genesis,
    state::{Order, State, Table},
};
use btc_staking_babylon::{
    convert::params::{decode_staking_params, encode_staking_params},
    proto::btcstaking::Params,
};
use btc_staking_protocol::{
    height::BtcHeight,
    params::{ParamsVersion, StakingParams},
};

/// The versions, oldest first. Nothing is ever overwritten.
pub(super) const VERSIONS: Table<ParamsVersion, Params> = Table::new("sv");

/// Stores the versions of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    for params in genesis.staking_params.iter() {
        let record = encode_staking_params(params).map_err(|err| Broken::Halt(err.to_string()))?;
        VERSIONS.put(state, &params.version, &record)?;
    }
    Ok(())
}

/// Appends a version. Its content must have been checked.
///
/// # Errors
/// A plain error unless it applies from a later Bitcoin height than the last one.
pub(crate) fn append(state: &mut State<'_>, params: &Params) -> Result<(), Failure> {
    let last = VERSIONS.scan(state, Order::Descending).next().transpose()?;
    let next = match last {
        Some((version, last)) if params.btc_activation_height > last.btc_activation_height => {
            ParamsVersion(version.0.saturating_add(1))
        }
        Some((version, last)) => {
            return Err(plain(format!(
                "btc activation height {} must be above {}, that of version {}",
                params.btc_activation_height, last.btc_activation_height, version.0
            )));
        }
        None => ParamsVersion(0),
    };
    VERSIONS.put(state, &next, params)
}

/// A version that a delegation was checked against.
pub(crate) fn stored(state: &State<'_>, version: ParamsVersion) -> Result<StakingParams, Failure> {
    let record = find(state, version)?;
    let record = record.ok_or_else(|| corrupt(format!("version {} is missing", version.0)))?;
    Ok(decode(version, &record)?)
}

/// The quorum of a version, without decoding the rest of it.
pub(super) fn stored_quorum(state: &State<'_>, version: ParamsVersion) -> Result<u32, Failure> {
    let record = VERSIONS.get(state, &version)?;
    let record = record.ok_or_else(|| corrupt(format!("version {} is missing", version.0)))?;
    Ok(record.covenant_quorum)
}

/// A version, if there is one of that number.
pub(crate) fn find(state: &State<'_>, version: ParamsVersion) -> Result<Option<Params>, Failure> {
    VERSIONS.get(state, &version)
}

/// The newest version, even when its activation height lies ahead.
pub(crate) fn latest(state: &State<'_>) -> Result<Params, Failure> {
    match VERSIONS.scan(state, Order::Descending).next() {
        Some(entry) => Ok(entry?.1),
        None => Err(err::PARAMS_NOT_FOUND.bare()),
    }
}

/// The version that applies at a Bitcoin height, if one does.
pub(crate) fn find_at(
    state: &State<'_>,
    height: BtcHeight,
) -> Result<Option<(ParamsVersion, Params)>, Failure> {
    for entry in VERSIONS.scan(state, Order::Descending) {
        let (version, record) = entry?;
        if record.btc_activation_height <= height.to_u32() {
            return Ok(Some((version, record)));
        }
    }
    Ok(None)
}

/// The version that applies at a Bitcoin height.
///
/// # Errors
/// A plain error below the first version, and `btcstaking/1108` for a version that passed the checks of governance but by
/// which no staking output can be built: one whose quorum is larger than its committee.
pub(crate) fn at(state: &State<'_>, height: BtcHeight) -> Result<StakingParams, Failure> {
    let found = find_at(state, height)?;
    let (version, record) =
        found.ok_or_else(|| plain(format!("no params version for btc height {height}")))?;
    decode_staking_params(version, &record).map_err(|invalid| {
        err::INVALID_STAKING_TX.because(format!("failed to build staking info: {invalid}"))
    })
}

fn decode(version: ParamsVersion, record: &Params) -> Result<StakingParams, Broken> {
    decode_staking_params(version, record).map_err(|err| corrupt(err.to_string()))
}

fn corrupt(reason: String) -> Broken {
    Broken::Corrupt { table: "params versions", reason }
}
