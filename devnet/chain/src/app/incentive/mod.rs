//! Rewards of finality providers and Bitcoin stakers (`chain.md` 11).
//!
//! | file | what |
//! |---|---|
//! | this | the module's cut of what the fee collector holds, into gauges of the block |
//! | `power` | activations and unbondings, queued until their height is rewarded |
//! | `reward` | a final block's gauges go to its voters and their delegators' pools |
//! | `accounting` | pools and positions |
//! | `gauge` | what accounts have earned and been paid |
//! | `withdraw` | paying out |
//! | `portion` | the integers |

mod accounting;
mod gauge;
pub(crate) mod genesis;
pub(crate) mod portion;
pub(crate) mod power;
pub(crate) mod queries;
mod reward;
#[cfg(test)]
mod tests;
mod withdraw;

pub(crate) use reward::{Voter, reward_block};
pub(crate) use withdraw::{set_withdraw_address, withdraw};

use super::{
    bank::{self, FEE_COLLECTOR, INCENTIVE, coin_text},
    context::{Ctx, parse_account},
};
use crate::{
    error::{Broken, Failure, Status, status},
    event::Event,
    genesis::Genesis,
    state::{State, Table},
};
use btc_staking_babylon::{convert::decimal::encode_decimal, proto::incentive::Params};
use btc_staking_protocol::{keys::AccountAddress, rate::Decimal};
use gauge::{BTC_STAKING, FP_DIRECT};

const PARAMS: Table<(), Params> = Table::new("ip");

/// Stores the parameters of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let portions = &genesis.rewards.incentive;
    let params = Params {
        btc_staking_portion: encode_decimal(portions.btc_staking_portion),
        fp_portion: encode_decimal(portions.fp_portion),
    };
    set_params(state, &params)
}

/// The parameters.
pub(crate) fn params(state: &State<'_>) -> Result<Params, Failure> {
    let missing = || Broken::Corrupt { table: "ip", reason: "missing".to_owned() };
    Ok(PARAMS.get(state, &())?.ok_or_else(missing)?)
}

/// Replaces the parameters, which were checked.
pub(crate) fn set_params(state: &mut State<'_>, params: &Params) -> Result<(), Failure> {
    PARAMS.put(state, &(), params)
}

/// Gives a staker a position as an active delegation does, for states that begin with some.
pub(crate) fn add_position(state: &mut State<'_>, moved: &power::Moved) -> Result<(), Failure> {
    accounting::settle(state, &moved.provider, &moved.staker, accounting::Change::Added(moved.sats))
}

/// Puts the module's portions of what the fee collector holds into the gauges of this block. Without anything collected
/// the block has none.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let collected = bank::module_balance(ctx.state, FEE_COLLECTOR)?;
    if collected == 0 {
        return Ok(());
    }
    let params = params(ctx.state)?;
    let direct = portion::portion_of(collected, stored_decimal(&params.fp_portion)?);
    let staking = portion::portion_of(collected, stored_decimal(&params.btc_staking_portion)?);
    let height = ctx.block.height;
    BTC_STAKING.put(ctx.state, &height, &staking)?;
    if staking > 0 {
        ctx.emit(Event::plain("btc_staking_reward", &[("amount", &coin_text(staking))]));
    }
    if direct > 0 {
        FP_DIRECT.put(ctx.state, &height, &direct)?;
        ctx.emit(Event::plain("fp_direct_rewards", &[("amount", &coin_text(direct))]));
    }
    // Both are truncated portions whose sum is below one.
    bank::transfer_modules(ctx, FEE_COLLECTOR, INCENTIVE, staking.saturating_add(direct))
}

/// A stored decimal, checked before it was stored.
pub(crate) fn stored_decimal(text: &str) -> Result<Decimal, Broken> {
    let corrupt = |reason: String| Broken::Corrupt { table: "params", reason };
    text.parse().map(Decimal::from_scaled).map_err(|_| corrupt(format!("{text:?} is no scaled decimal")))
}

/// An address in a message or query of this module.
pub(crate) fn parse_address(text: &str) -> Result<AccountAddress, Failure> {
    parse_account(text).map_err(|_| status(Status::InvalidArgument, format!("invalid address {text}")))
}
