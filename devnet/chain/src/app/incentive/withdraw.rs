//! Paying out rewards, and to whom (`chain.md` 11.3).

use super::{
    accounting,
    gauge::{self, kind_name},
    parse_address,
};
use crate::{
    app::{
        auth::module_address,
        bank::{self, INCENTIVE},
        context::Ctx,
        costaking,
    },
    error::{Failure, Status, incentive as err, sdk, status},
    state::{State, Table},
};
use btc_staking_babylon::proto::incentive::{
    MsgSetWithdrawAddress, MsgWithdrawReward, MsgWithdrawRewardResponse, StakeholderType,
};

/// Where an account's rewards go, if not to itself.
pub(super) const WITHDRAW_TO: Table<Vec<u8>, Vec<u8>> = Table::new("iw");

/// Where the rewards of an account go.
pub(super) fn withdraw_address(state: &State<'_>, owner: &[u8]) -> Result<Vec<u8>, Failure> {
    Ok(WITHDRAW_TO.get(state, &owner.to_vec())?.unwrap_or_else(|| owner.to_vec()))
}

fn parse_kind(text: &str) -> Result<StakeholderType, Failure> {
    let name = text.to_uppercase();
    let kind = gauge::KINDS.into_iter().find(|kind| kind_name(*kind) == name);
    kind.ok_or_else(|| status(Status::InvalidArgument, format!("invalid stStr: {name}")))
}

/// Withdraws rewards of one kind; a Bitcoin staker's come with those of staking both coins.
pub(crate) fn withdraw(ctx: &mut Ctx<'_, '_>, msg: &MsgWithdrawReward) -> Result<(), Failure> {
    let kind = parse_kind(&msg.r#type)?;
    let owner = parse_address(&msg.address)?.bytes().to_vec();
    let paid = match kind {
        StakeholderType::FinalityProvider => pay(ctx, kind, &owner)?,
        StakeholderType::BtcStaker => {
            accounting::settle_all(ctx.state, &owner)?;
            let paid = pay(ctx, kind, &owner)?;
            costaking::close_period_for(ctx.state, &owner)?;
            paid.saturating_add(pay(ctx, StakeholderType::Costaker, &owner)?)
        }
        StakeholderType::Costaker => {
            if !costaking::close_period_for(ctx.state, &owner)? {
                return Err(status(Status::Internal, costaking::unknown(&owner)));
            }
            pay(ctx, kind, &owner)?
        }
    };
    if paid == 0 {
        return Err(err::NOT_WITHDRAWABLE.bare());
    }
    ctx.respond(&MsgWithdrawRewardResponse { coins: bank::coins(paid) });
    Ok(())
}

/// Pays what one gauge holds; returns how much that was.
fn pay(ctx: &mut Ctx<'_, '_>, kind: StakeholderType, owner: &[u8]) -> Result<u64, Failure> {
    let amount = gauge::take(ctx.state, kind, owner)?;
    if amount > 0 {
        let to = withdraw_address(ctx.state, owner)?;
        bank::transfer(ctx, &module_address(INCENTIVE), &to, amount)?;
    }
    Ok(amount)
}

/// Sets where an account's rewards go.
pub(crate) fn set_withdraw_address(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgSetWithdrawAddress,
) -> Result<(), Failure> {
    let (owner, to) = (parse_address(&msg.delegator_address)?, parse_address(&msg.withdraw_address)?);
    if bank::is_blocked(to.bytes()) {
        return Err(sdk::UNAUTHORIZED.because(format!("{to} is not allowed to receive external funds")));
    }
    WITHDRAW_TO.put(ctx.state, &owner.bytes().to_vec(), &to.bytes().to_vec())
}
