//! The part of native staking (`chain.md` 11.1, step 5), on a chain without native staking: what the other modules left of
//! the fee collector is kept in the distribution module's account.

use super::{
    bank::{self, DISTRIBUTION, FEE_COLLECTOR},
    context::Ctx,
};
use crate::error::Failure;

/// Empties the fee collector, from the second block on.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    if ctx.block.height.to_u64() <= 1 {
        return Ok(());
    }
    let rest = bank::module_balance(ctx.state, FEE_COLLECTOR)?;
    bank::transfer_modules(ctx, FEE_COLLECTOR, DISTRIBUTION, rest)
}
