//! Parameters of checkpoints and epochs (`chain.md` 3.1, 3.2).

use super::{invalid, require, require_authority};
use crate::{
    app::{context::Ctx, epochs},
    error::{Failure, gov, plain},
};
use btc_staking_babylon::proto::{
    btccheckpoint::{MsgUpdateParams as MsgUpdateCheckpointParams, Params as CheckpointParams},
    epoching::{MsgUpdateParams as MsgUpdateEpochParams, Params as EpochParams},
};

/// Content of the checkpoint params, looked at before the signer is.
pub(crate) fn check_checkpoint_params(msg: &MsgUpdateCheckpointParams) -> Result<(), Failure> {
    check(&msg.params.clone().unwrap_or_default()).map_err(plain)
}

fn check(params: &CheckpointParams) -> Result<(), String> {
    let (k, w) = (params.btc_confirmation_depth, params.checkpoint_finalization_timeout);
    let tag = hex::decode(&params.checkpoint_tag);
    require(&[
        (k > 0, "BtcConfirmationDepth must be positive: 0"),
        (w > 0, "CheckpointFinalizationTimeout must be positive: 0"),
        (tag.is_ok(), "checkpoint tag should be in valid hex format"),
        (tag.is_ok_and(|tag| tag.len() == 4), "checkpoint tag should have exactly 4 bytes"),
        (k < w, "BtcConfirmationDepth should be smaller than CheckpointFinalizationTimeout"),
    ])
}

/// Replaces `k` and the tag; `w` stays for good.
pub(crate) fn update_checkpoint_params(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgUpdateCheckpointParams,
) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let new = msg.params.clone().unwrap_or_default();
    check(&new).map_err(invalid)?;
    let mut params = epochs::params(ctx.state)?;
    if new.checkpoint_finalization_timeout != params.finalization_timeout {
        return Err(gov::INVALID_MESSAGE.because("the checkpoint finalization timeout cannot be changed"));
    }
    params.confirmation_depth = new.btc_confirmation_depth;
    params.checkpoint_tag = new.checkpoint_tag;
    epochs::set_params(ctx.state, &params)
}

/// Replaces the epoch interval. It applies to all heights, as in the reference: old heights are then in other epochs.
pub(crate) fn update_epoch_params(ctx: &mut Ctx<'_, '_>, msg: &MsgUpdateEpochParams) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let new = msg.params.clone().unwrap_or_default();
    check_epochs(&new).map_err(invalid)?;
    let mut params = epochs::params(ctx.state)?;
    params.interval = new.epoch_interval;
    params.execute_gas = new.execute_gas;
    params.min_amount = new.min_amount;
    epochs::set_params(ctx.state, &params)
}

fn check_epochs(params: &EpochParams) -> Result<(), String> {
    let gas = params.execute_gas.clone().unwrap_or_default();
    require(&[
        (params.epoch_interval >= 2, "epoch interval must be at least 2"),
        (gas.delegate > 0, "delegate gas fee must be positive"),
        (gas.undelegate > 0, "undelegate gas fee must be positive"),
        (gas.begin_redelegate > 0, "begin redelegate gas fee must be positive"),
        (gas.cancel_unbonding_delegation > 0, "cancel unbonding delegation gas fee must be positive"),
        (gas.edit_validator > 0, "edit validator gas fee must be positive"),
        (gas.create_validator > 0, "create validator gas fee must be positive"),
        (params.min_amount >= 1, "min amount must be at least 1: 0"),
    ])
}
