//! What a chain's authority may do, as messages to sign and send: new parameters, and resuming finality.
//!
//! The account that [`Genesis::authority`](crate::Genesis::authority) names signs them like any transaction, through
//! either door. [`AuthorityCommand::build`] is pure; signing and sending is the caller's. Parameters are replaced as a
//! whole, so a caller who wants to change one field asks the chain for the present ones first.

use btc_staking_babylon::{
    convert::{InvalidField, params::encode_staking_params},
    proto::{Any, btccheckpoint, btclightclient, btcstaking, costaking, epoching, finality, incentive},
};
use btc_staking_protocol::{
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::StakingParams,
};
use prost::{Message, Name};
use thiserror::Error;

/// Something the authority decides.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthorityCommand {
    /// Appends a version of the staking parameters. The chain numbers it; its activation height must be above the last's.
    StakingParams(Box<StakingParams>),
    /// Replaces the parameters of finality.
    FinalityParams(finality::Params),
    /// Replaces `k` and the tag of checkpoints; `w` must be the chain's.
    CheckpointParams(btccheckpoint::Params),
    /// Replaces the accounts that may report Bitcoin headers; empty for everyone.
    HeaderReporters(Vec<AccountAddress>),
    /// Replaces the epoch interval.
    EpochParams(epoching::Params),
    /// Replaces the shares of fees that finality providers and stakers get.
    IncentiveParams(incentive::Params),
    /// Replaces the shares of those who stake both coins.
    CostakingParams(costaking::Params),
    /// Jails finality providers that stopped voting, and takes their power back to where finality halted.
    ResumeFinality {
        /// Who stopped voting.
        absent: Vec<FinalityProviderPublicKey>,
        /// The first height that is not final.
        halted_at: PosHeight,
    },
}

/// Why a command has no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidCommand {
    /// A value that the chain's form cannot hold.
    #[error(transparent)]
    Params(#[from] InvalidField),
    /// The message holds heights of 32 bits.
    #[error("halting height {0} does not fit 32 bits")]
    Height(PosHeight),
}

impl AuthorityCommand {
    /// Builds the message by which `authority` decides it.
    ///
    /// # Errors
    /// [`InvalidCommand`] for values that the message cannot hold. Whether the chain accepts them it says itself.
    pub fn build(self, authority: &AccountAddress) -> Result<Any, InvalidCommand> {
        let authority = authority.bech32().to_owned();
        Ok(match self {
            Self::StakingParams(params) => {
                let params = Some(encode_staking_params(&params)?);
                any(&btcstaking::MsgUpdateParams { authority, params })
            }
            Self::FinalityParams(params) => {
                any(&finality::MsgUpdateParams { authority, params: Some(params) })
            }
            Self::CheckpointParams(params) => {
                any(&btccheckpoint::MsgUpdateParams { authority, params: Some(params) })
            }
            Self::HeaderReporters(reporters) => {
                let insert_headers_allow_list = reporters.into_iter().map(String::from).collect();
                let params = Some(btclightclient::Params { insert_headers_allow_list });
                any(&btclightclient::MsgUpdateParams { authority, params })
            }
            Self::EpochParams(params) => any(&epoching::MsgUpdateParams { authority, params: Some(params) }),
            Self::IncentiveParams(params) => {
                any(&incentive::MsgUpdateParams { authority, params: Some(params) })
            }
            Self::CostakingParams(params) => {
                any(&costaking::MsgUpdateParams { authority, params: Some(params) })
            }
            Self::ResumeFinality { absent, halted_at } => {
                let fp_pks_hex = absent.iter().map(ToString::to_string).collect();
                let halting_height =
                    u32::try_from(halted_at.to_u64()).map_err(|_| InvalidCommand::Height(halted_at))?;
                any(&finality::MsgResumeFinalityProposal { authority, fp_pks_hex, halting_height })
            }
        })
    }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}
