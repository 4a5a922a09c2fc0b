//! Who misses votes, and jail (`chain.md` 10.6).

use super::{
    events,
    records::{MISSED, POWER, SIGNING_INFO, VOTES, corrupt, params},
};
use crate::{
    app::{
        context::{BlockTime, Ctx},
        light_client,
        staking::{
            power_events::{self, PowerEvent},
            provider::is_slashed,
            records::{PROVIDERS, provider},
        },
    },
    error::{Failure, plain},
    state::Order,
};
use btc_staking_babylon::{
    convert::decimal::decode_decimal_bytes,
    proto::finality::{FinalityProviderSigningInfo, Params},
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey, rate::Decimal};

/// Judges the votes for the block whose last chance for them was this one.
pub(super) fn judge(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let params = params(ctx.state)?;
    let timeout = u64::try_from(params.finality_sig_timeout).map_err(corrupt)?;
    let Some(height) = ctx.block.height.to_u64().checked_sub(timeout).filter(|height| *height >= 1) else {
        return Ok(());
    };
    let height = PosHeight::new(height);
    let table = POWER.scan_under(ctx.state, &height, Order::Ascending);
    let mut table =
        table.map(|entry| entry.map(|((_, key), power)| (key, power))).collect::<Result<Vec<_>, _>>()?;
    if ctx.head_rules() {
        // A stable sort keeps the key order of equal powers.
        table.sort_by_key(|(_, power)| std::cmp::Reverse(*power));
    }
    table.iter().try_for_each(|(key, _)| judge_one(ctx, &params, height, key))
}

fn judge_one(
    ctx: &mut Ctx<'_, '_>,
    params: &Params,
    height: PosHeight,
    key: &FinalityProviderPublicKey,
) -> Result<(), Failure> {
    let record = provider(ctx.state, key)?;
    if is_slashed(&record) || record.jailed {
        return Ok(());
    }
    let Some(mut info) = SIGNING_INFO.get(ctx.state, key)? else { return Ok(()) };
    let examined = i64::try_from(height.to_u64()).map_err(corrupt)?;
    if examined < info.start_height {
        return Ok(());
    }
    let missed = !VOTES.has(ctx.state, &(height, *key))?;
    note(ctx, params, key, &mut info, examined, missed)?;
    let window = params.signed_blocks_window;
    let past_grace = examined > info.start_height.saturating_add(window);
    if past_grace && info.missed_blocks_counter > max_missed(params)? {
        return jail(ctx, params, key, info);
    }
    SIGNING_INFO.put(ctx.state, key, &info)
}

/// Sets the bit of a height; the counter follows changes of bits.
fn note(
    ctx: &mut Ctx<'_, '_>,
    params: &Params,
    key: &FinalityProviderPublicKey,
    info: &mut FinalityProviderSigningInfo,
    examined: i64,
    missed: bool,
) -> Result<(), Failure> {
    let position = (examined - info.start_height).rem_euclid(params.signed_blocks_window.max(1));
    let position = usize::try_from(position).map_err(corrupt)?;
    let mut bits = MISSED.get(ctx.state, key)?.unwrap_or_default();
    let (byte, mask) = (position / 8, 1u8 << (position % 8));
    if bits.len() <= byte {
        bits.resize(byte + 1, 0);
    }
    let was_missed = bits[byte] & mask != 0;
    if was_missed == missed {
        return Ok(());
    }
    bits[byte] ^= mask;
    info.missed_blocks_counter += if missed { 1 } else { -1 };
    MISSED.put(ctx.state, key, &bits)
}

/// `window - round(window * min_signed_per_window)`, rounded half to even.
fn max_missed(params: &Params) -> Result<i64, Failure> {
    let fraction = decode_decimal_bytes("min_signed_per_window", &params.min_signed_per_window);
    let window = u64::try_from(params.signed_blocks_window).map_err(corrupt)?;
    let min_signed = rounded_share(window, fraction.map_err(corrupt)?);
    Ok(params.signed_blocks_window - i64::try_from(min_signed).map_err(corrupt)?)
}

fn rounded_share(window: u64, fraction: Decimal) -> u64 {
    let one = Decimal::ONE.scaled();
    let product = u128::from(window).saturating_mul(fraction.scaled());
    let (whole, rest) = (product / one, product % one);
    let up = rest > one / 2 || (rest == one / 2 && whole % 2 == 1);
    u64::try_from(whole + u128::from(up)).unwrap_or(u64::MAX)
}

/// Jails a finality provider because the authority decided so.
///
/// # Errors
/// A plain error when it was never active.
pub(super) fn jail_by_decision(
    ctx: &mut Ctx<'_, '_>,
    key: &FinalityProviderPublicKey,
) -> Result<(), Failure> {
    let params = params(ctx.state)?;
    let info = SIGNING_INFO.get(ctx.state, key)?;
    let info =
        info.ok_or_else(|| plain(format!("the signing info of finality provider {key} is not created")))?;
    jail(ctx, &params, key, info)
}

fn jail(
    ctx: &mut Ctx<'_, '_>,
    params: &Params,
    key: &FinalityProviderPublicKey,
    mut info: FinalityProviderSigningInfo,
) -> Result<(), Failure> {
    let mut record = provider(ctx.state, key)?;
    record.jailed = true;
    PROVIDERS.put(ctx.state, key, &record)?;
    let tip = light_client::tip_height(ctx.state)?;
    power_events::record(ctx.state, tip, PowerEvent::Jailed(*key))?;
    ctx.emit(events::jailed(key));
    let (seconds, nanos) = params.jail_duration.as_ref().map_or((0, 0), |time| (time.seconds, time.nanos));
    let until: BlockTime = ctx.block.time.plus_seconds(seconds).plus_nanos(nanos.into());
    info.jailed_until = Some(until.to_proto());
    info.missed_blocks_counter = 0;
    MISSED.delete(ctx.state, key)?;
    SIGNING_INFO.put(ctx.state, key, &info)
}

#[cfg(test)]
mod tests {
    use super::rounded_share;

    #[test]
    fn shares_of_the_window_are_rounded_half_to_even() {
        for (window, fraction, share) in
            [(100, "0.5", 50), (5, "0.5", 2), (7, "0.5", 4), (10, "0.25", 2), (3, "0", 0), (3, "1", 3)]
        {
            assert_eq!(rounded_share(window, fraction.parse().unwrap()), share, "{window} at {fraction}");
        }
    }
}
