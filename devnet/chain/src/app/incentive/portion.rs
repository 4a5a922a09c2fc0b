//! The integers of rewards (`chain.md` 11): every result is truncated, so what is handed out never exceeds what came in.

use crate::error::Broken;
use btc_staking_protocol::rate::Decimal;

/// `10^10`; rewards per satoshi are scaled by its square.
const HALF_SCALE: u128 = 10_000_000_000;
const SCALE: u128 = HALF_SCALE * HALF_SCALE;

/// Rewards per satoshi since a finality provider was first known, times `10^20`.
pub(super) type PerSat = u128;

/// Returns `portion` of an amount; a portion above one counts as one.
pub(crate) fn portion_of(amount: u64, portion: Decimal) -> u64 {
    // 64 bits times 60 bits.
    let product = u128::from(amount) * portion.min(Decimal::ONE).scaled();
    u64::try_from(product / Decimal::ONE.scaled()).unwrap_or(amount)
}

/// Returns the share of `part` in `whole` with 18 decimals; zero of nothing.
pub(super) fn share(part: u64, whole: u128) -> Decimal {
    let scaled = u128::from(part) * Decimal::ONE.scaled();
    Decimal::from_scaled(scaled.checked_div(whole).unwrap_or(0))
}

/// Returns `rewards * 10^20 / sats`; zero for no satoshis.
///
/// # Errors
/// [`Broken::Halt`] when the result has more than 128 bits, as the reference stops beyond its 256.
pub(super) fn per_sat(rewards: u64, sats: u64) -> Result<PerSat, Broken> {
    // Long division in two steps of ten digits, since the plain product may have 131 bits.
    let scaled = u128::from(rewards) * HALF_SCALE;
    let sats = u128::from(sats);
    let (Some(whole), Some(rest)) = (scaled.checked_div(sats), scaled.checked_rem(sats)) else {
        return Ok(0);
    };
    let too_much = || Broken::Halt(format!("rewards of {rewards} ubbn for {sats} sat are out of range"));
    whole.checked_mul(HALF_SCALE).and_then(|n| n.checked_add(rest * HALF_SCALE / sats)).ok_or_else(too_much)
}

/// Returns `difference * sats / 10^20`.
///
/// # Errors
/// [`Broken::Halt`] when that is no amount of coins.
pub(super) fn payout(difference: PerSat, sats: u64) -> Result<u64, Broken> {
    let sats_wide = u128::from(sats);
    let whole = (difference / SCALE).checked_mul(sats_wide);
    let rest = (difference % SCALE).checked_mul(sats_wide).map(|product| product / SCALE);
    let sum = whole.zip(rest).and_then(|(whole, rest)| whole.checked_add(rest));
    let too_much = || Broken::Halt(format!("a payout to {sats} sat is out of range"));
    sum.and_then(|sum| u64::try_from(sum).ok()).ok_or_else(too_much)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COINS: u64 = 21_000_000 * 100_000_000;

    #[test]
    fn portions_and_shares_are_truncated() {
        let launch = "0.181818182".parse().unwrap();
        assert_eq!(portion_of(1_000_000, launch), 181_818);
        assert_eq!(portion_of(u64::MAX, Decimal::ONE), u64::MAX);
        assert_eq!(portion_of(0, launch), 0);
        assert_eq!(share(1, 3).to_string(), "0.333333333333333333");
        assert_eq!((share(7, 7), share(0, 7), share(7, 0)), (Decimal::ONE, Decimal::ZERO, Decimal::ZERO));
    }

    #[test]
    fn the_formulas_are_those_of_the_spec() {
        // 1000 ubbn over 3 sat, then 2 of the 3.
        let each = per_sat(1_000, 3).unwrap();
        assert_eq!(each, 33_333_333_333_333_333_333_333);
        assert_eq!((payout(each, 2).unwrap(), payout(each, 3).unwrap()), (666, 999));
        assert_eq!(per_sat(5, 0), Ok(0));
        assert!(per_sat(u64::MAX, 1).is_err(), "1.8e39 has 131 bits");
        assert!(payout(u128::MAX, u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn both_steps_equal_the_plain_division_where_it_fits(
            rewards in 0..10u64.pow(18), sats in 1..COINS, own in 0..COINS,
        ) {
            let each = per_sat(rewards, sats).unwrap();
            prop_assert_eq!(each, u128::from(rewards) * SCALE / u128::from(sats));
            let own = own.min(sats);
            let paid = payout(each, own).unwrap();
            prop_assert!(paid <= rewards);
            if let Some(product) = each.checked_mul(u128::from(own)) {
                prop_assert_eq!(u128::from(paid), product / SCALE);
            }
        }

        #[test]
        fn shares_of_all_voters_never_exceed_the_gauge(
            gauge in any::<u64>(), sats in proptest::collection::vec(1..COINS, 1..20),
        ) {
            let total: u128 = sats.iter().map(|sats| u128::from(*sats)).sum();
            let paid: u128 = sats.iter().map(|s| u128::from(portion_of(gauge, share(*s, total)))).sum();
            prop_assert!(paid <= u128::from(gauge));
        }
    }
}
