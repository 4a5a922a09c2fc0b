//! From a message to the module that handles it.

use super::{bank, context::Ctx, epochs, feegrant, finality, governance, incentive, light_client, staking};
use crate::{
    error::{Failure, sdk},
    wire::messages::Msg,
};

/// Stateless checks of a message (ValidateBasic), before anything is charged.
pub(crate) fn check_message(msg: &Msg) -> Result<(), Failure> {
    match msg {
        Msg::Send(msg) => bank::check_send(msg),
        Msg::CreateFinalityProvider(msg) => staking::provider::check_create(msg),
        Msg::EditFinalityProvider(msg) => staking::provider::check_edit(msg),
        Msg::CreateDelegation(msg) => staking::check_create_delegation(msg),
        Msg::ExpandStake(msg) => staking::check_expand(msg),
        Msg::AddInclusionProof(msg) => staking::check_add_inclusion_proof(msg),
        Msg::AddCovenantSigs(msg) => staking::check_add_covenant_sigs(msg),
        Msg::Undelegate(msg) => staking::check_undelegate(msg),
        Msg::SelectiveSlashing(msg) => staking::check_selective_slashing(msg),
        Msg::CommitRandomness(msg) => finality::check_commit(msg),
        Msg::AddFinalitySig(msg) => finality::check_vote(msg),
        Msg::Unjail(msg) => finality::check_unjail(msg),
        Msg::InsertHeaders(msg) => light_client::check_insert_headers(msg),
        // The reference checks these in the handler.
        Msg::RevokeAllowance(_) | Msg::WithdrawReward(_) | Msg::SetWithdrawAddress(_) => Ok(()),
        Msg::GrantAllowance(msg) => feegrant::check_grant(msg),
        Msg::UpdateStakingParams(msg) => governance::check_staking_params(msg),
        Msg::UpdateCheckpointParams(msg) => governance::check_checkpoint_params(msg),
        Msg::ResumeFinality(msg) => governance::check_resume(msg),
        Msg::InsertSpvProof(_)
        | Msg::UpdateFinalityParams(_)
        | Msg::UpdateLightClientParams(_)
        | Msg::UpdateEpochParams(_)
        | Msg::UpdateIncentiveParams(_)
        | Msg::UpdateCostakingParams(_) => Ok(()),
        Msg::WithoutHandler(_) => Ok(()),
    }
}

/// That somebody handles a message.
///
/// # Errors
/// `sdk/6`.
pub(crate) fn check_handled(msg: &Msg) -> Result<(), Failure> {
    if let Msg::WithoutHandler(unhandled) = msg {
        let why = format!("no message handler found for {}", unhandled.go_type());
        return Err(sdk::UNKNOWN_REQUEST.because(why));
    }
    Ok(())
}

/// Checks of a message that run in the mempool and in simulation but not in blocks.
pub(crate) fn check_outside_blocks(ctx: &Ctx<'_, '_>, msg: &Msg) -> Result<(), Failure> {
    match msg {
        Msg::InsertHeaders(msg) => light_client::check_work(ctx, msg),
        Msg::InsertSpvProof(msg) => epochs::submission::check_form(ctx, msg),
        Msg::Send(_)
        | Msg::GrantAllowance(_)
        | Msg::RevokeAllowance(_)
        | Msg::CreateFinalityProvider(_)
        | Msg::EditFinalityProvider(_)
        | Msg::CreateDelegation(_)
        | Msg::ExpandStake(_)
        | Msg::AddInclusionProof(_)
        | Msg::AddCovenantSigs(_)
        | Msg::Undelegate(_)
        | Msg::SelectiveSlashing(_)
        | Msg::CommitRandomness(_)
        | Msg::AddFinalitySig(_)
        | Msg::Unjail(_)
        | Msg::WithdrawReward(_)
        | Msg::SetWithdrawAddress(_)
        | Msg::UpdateStakingParams(_)
        | Msg::UpdateFinalityParams(_)
        | Msg::UpdateCheckpointParams(_)
        | Msg::UpdateLightClientParams(_)
        | Msg::UpdateEpochParams(_)
        | Msg::ResumeFinality(_)
        | Msg::UpdateIncentiveParams(_)
        | Msg::UpdateCostakingParams(_)
        | Msg::WithoutHandler(_) => Ok(()),
    }
}

/// Runs a message.
pub(crate) fn execute(ctx: &mut Ctx<'_, '_>, msg: &Msg) -> Result<(), Failure> {
    match msg {
        Msg::Send(msg) => bank::send(ctx, msg),
        Msg::GrantAllowance(msg) => feegrant::grant(ctx, msg),
        Msg::RevokeAllowance(msg) => feegrant::revoke(ctx, msg),
        Msg::CreateFinalityProvider(msg) => staking::provider::create(ctx, msg),
        Msg::EditFinalityProvider(msg) => staking::provider::edit(ctx, msg),
        Msg::CreateDelegation(msg) => staking::create_delegation(ctx, msg),
        Msg::ExpandStake(msg) => staking::expand_stake(ctx, msg),
        Msg::AddInclusionProof(msg) => staking::add_inclusion_proof(ctx, msg),
        Msg::AddCovenantSigs(msg) => staking::add_covenant_sigs(ctx, msg),
        Msg::Undelegate(msg) => staking::undelegate(ctx, msg),
        Msg::SelectiveSlashing(msg) => staking::selective_slashing(ctx, msg),
        Msg::CommitRandomness(msg) => finality::commit_randomness(ctx, msg),
        Msg::AddFinalitySig(msg) => finality::add_vote(ctx, msg),
        Msg::Unjail(msg) => finality::unjail(ctx, msg),
        Msg::InsertHeaders(msg) => light_client::insert_headers(ctx, msg),
        Msg::WithdrawReward(msg) => incentive::withdraw(ctx, msg),
        Msg::SetWithdrawAddress(msg) => incentive::set_withdraw_address(ctx, msg),
        Msg::InsertSpvProof(msg) => epochs::submission::insert(ctx, msg),
        Msg::UpdateStakingParams(msg) => governance::update_staking_params(ctx, msg),
        Msg::UpdateFinalityParams(msg) => governance::update_finality_params(ctx, msg),
        Msg::UpdateCheckpointParams(msg) => governance::update_checkpoint_params(ctx, msg),
        Msg::UpdateLightClientParams(msg) => governance::update_light_client_params(ctx, msg),
        Msg::UpdateEpochParams(msg) => governance::update_epoch_params(ctx, msg),
        Msg::UpdateIncentiveParams(msg) => governance::update_incentive_params(ctx, msg),
        Msg::UpdateCostakingParams(msg) => governance::update_costaking_params(ctx, msg),
        Msg::ResumeFinality(msg) => governance::resume_finality(ctx, msg),
        Msg::WithoutHandler(_) => check_handled(msg),
    }
}
