//! The versions of the staking parameters of one chain, and which of them applies (`bitcoin.md` 11.4).
//!
//! | Flow | Height that selects the version |
//! |---|---|
//! | registration with inclusion proof | height of the block with the staking transaction |
//! | registration without proof, expansion | Bitcoin tip known to the chain |
//! | anything later | the version stored with the delegation |

use super::{ParamsVersion, StakingParams};
use crate::height::BtcHeight;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// All versions of a chain's staking parameters: 0, 1, 2, … with strictly increasing activation heights, at least one.
///
/// The JSON form is the array of the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<StakingParams>", into = "Vec<StakingParams>")]
pub struct ParamsHistory {
    first: StakingParams,
    later: Vec<StakingParams>,
}

/// Why versions are no history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidHistory {
    /// A chain has at least version 0.
    #[error("there is no params version")]
    Empty,
    /// Versions are counted from 0 without gaps.
    #[error("params version {found} stands where version {expected} belongs")]
    Version {
        /// Version that belongs there.
        expected: ParamsVersion,
        /// Version that stands there.
        found: ParamsVersion,
    },
    /// Every version activates above the one before it.
    #[error("params version {version} activates at {found}, it must be above {previous}")]
    ActivationHeight {
        /// The later version.
        version: ParamsVersion,
        /// Its activation height.
        found: BtcHeight,
        /// Activation height of the version before.
        previous: BtcHeight,
    },
}

/// Text that is no history in JSON; says which field or version is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("staking params are malformed: {0}")]
pub struct InvalidParamsJson(pub String);

/// No version applies at a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no staking params apply at bitcoin height {height}, the first version activates at {first}")]
pub struct NoParams {
    /// The height asked for.
    pub height: BtcHeight,
    /// Activation height of version 0.
    pub first: BtcHeight,
}

impl ParamsHistory {
    /// Checks the order of the versions.
    ///
    /// # Errors
    /// [`InvalidHistory`] for an empty list, a gap in the versions or an activation height that does not increase.
    pub fn new(versions: Vec<StakingParams>) -> Result<Self, InvalidHistory> {
        let mut versions = versions.into_iter();
        let first = versions.next().ok_or(InvalidHistory::Empty)?;
        if first.version != ParamsVersion(0) {
            return Err(InvalidHistory::Version { expected: ParamsVersion(0), found: first.version });
        }
        let mut history = Self { first, later: Vec::new() };
        versions.try_for_each(|params| history.push(params))?;
        Ok(history)
    }

    /// Parses and checks the versions a user gives: a JSON array of [`ParamsFields`](super::ParamsFields).
    ///
    /// # Errors
    /// [`InvalidParamsJson`] for a field that is missing, unknown or wrong, and for versions that are no history.
    pub fn from_json(json: &str) -> Result<Self, InvalidParamsJson> {
        serde_json::from_str(json).map_err(|e| InvalidParamsJson(e.to_string()))
    }

    /// Appends a version.
    ///
    /// # Errors
    /// [`InvalidHistory`] unless it is the next version and activates above the last; the history is unchanged then.
    pub fn push(&mut self, params: StakingParams) -> Result<(), InvalidHistory> {
        let last = self.latest();
        let expected = ParamsVersion(last.version.0.saturating_add(1));
        if params.version != expected {
            return Err(InvalidHistory::Version { expected, found: params.version });
        }
        if params.btc_activation_height <= last.btc_activation_height {
            return Err(InvalidHistory::ActivationHeight {
                version: params.version,
                found: params.btc_activation_height,
                previous: last.btc_activation_height,
            });
        }
        self.later.push(params);
        Ok(())
    }

    /// Returns the version that applies at a Bitcoin height: the last whose activation height is not above it.
    ///
    /// # Errors
    /// [`NoParams`] below the first activation height.
    pub fn at(&self, height: BtcHeight) -> Result<&StakingParams, NoParams> {
        self.iter()
            .rev()
            .find(|params| params.btc_activation_height <= height)
            .ok_or(NoParams { height, first: self.first.btc_activation_height })
    }

    /// Returns a version by its number; `None` if the chain has not reached it.
    pub fn version(&self, version: ParamsVersion) -> Option<&StakingParams> {
        self.iter().find(|params| params.version == version)
    }

    /// Returns the newest version, even when its activation height lies ahead.
    pub fn latest(&self) -> &StakingParams {
        self.later.last().unwrap_or(&self.first)
    }

    /// All versions, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &StakingParams> {
        std::iter::once(&self.first).chain(&self.later)
    }
}

impl TryFrom<Vec<StakingParams>> for ParamsHistory {
    type Error = InvalidHistory;
    fn try_from(versions: Vec<StakingParams>) -> Result<Self, InvalidHistory> {
        Self::new(versions)
    }
}
impl From<ParamsHistory> for Vec<StakingParams> {
    fn from(history: ParamsHistory) -> Self {
        std::iter::once(history.first).chain(history.later).collect()
    }
}
