//! Messages of the chain's authority: new parameters, and resuming finality (`chain.md` 4, 10.8, 10.9).
//!
//! On a public network they come out of a vote and run at the end of a block. Here they are ordinary transactions, signed
//! by the account that genesis names as authority; what they check, change and answer is the same. Who else signs one is
//! refused with `gov/13`. Content that is not allowed is refused before (plain) where the reference looks at it in
//! ValidateBasic, and with `gov/12` where it looks at it in the handler.

mod checkpoints;
mod finality;
mod light_client;
mod rewards;
mod staking;

pub(crate) use checkpoints::{check_checkpoint_params, update_checkpoint_params, update_epoch_params};
pub(crate) use finality::{check_resume, resume_finality, update_finality_params};
pub(crate) use light_client::update_light_client_params;
pub(crate) use rewards::{update_costaking_params, update_incentive_params};
pub(crate) use staking::{check_staking_params, update_staking_params};

use super::context::Ctx;
use crate::error::{Failure, gov};
use std::fmt::Display;

/// Refuses everybody but the authority.
fn require_authority(ctx: &Ctx<'_, '_>, found: &str) -> Result<(), Failure> {
    let expected = &ctx.block.chain.authority;
    if **expected == *found {
        return Ok(());
    }
    Err(gov::INVALID_SIGNER.because(format!("invalid authority; expected {expected}, got {found}")))
}

/// A refusal of content, as handlers word it.
fn invalid(why: impl Display) -> Failure {
    gov::INVALID_MESSAGE.because(format!("invalid parameter: {why}"))
}

/// Refuses params for the first of some checks that fails.
fn require(checks: &[(bool, &str)]) -> Result<(), String> {
    match checks.iter().find(|(holds, _)| !holds) {
        Some((_, why)) => Err((*why).to_owned()),
        None => Ok(()),
    }
}
