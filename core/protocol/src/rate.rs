//! The slashing rate and the one place where a slashed amount is rounded.
//!
//! Spec: `bitcoin.md` 7.2. The chain computes the amount in IEEE-754 double arithmetic:
//! `trunc(value as f64 * rate as f64 + 0.5)`, so exact decimal arithmetic is *not* equivalent in half-way cases
//! (2500 sat at 0.0006 gives 1, not 2). [`SlashingRate::amount_of`] is the only function of the workspace in which a
//! float meets a satoshi; it reproduces that formula and nothing else. No satoshi is lost either way: the slashed
//! amount is rounded once, here, and the change is computed from it by integer subtraction.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Share of a stake that a slashing takes: 0.0001 to 0.9999 in steps of one basis point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlashingRate(u16);

/// A value that is no slashing rate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("slashing rate {0} is invalid, it must lie strictly between 0 and 1 with at most 4 decimals")]
pub struct InvalidSlashingRate(pub String);

impl SlashingRate {
    /// Returns the rate of `points` hundredths of a percent.
    ///
    /// # Errors
    /// [`InvalidSlashingRate`] outside 1 to 9,999.
    pub fn from_basis_points(points: u16) -> Result<Self, InvalidSlashingRate> {
        if (1..10_000).contains(&points) {
            return Ok(Self(points));
        }
        Err(InvalidSlashingRate(Decimal::from_scaled(u128::from(points) * 10u128.pow(14)).to_string()))
    }

    /// Returns the rate equal to `value`.
    ///
    /// # Errors
    /// [`InvalidSlashingRate`] when `value` is 0, 1 or more, or has more than 4 decimals.
    pub fn from_decimal(value: Decimal) -> Result<Self, InvalidSlashingRate> {
        const POINT: u128 = 10u128.pow(14);
        let invalid = || InvalidSlashingRate(value.to_string());
        if !value.scaled().is_multiple_of(POINT) {
            return Err(invalid());
        }
        let points = u16::try_from(value.scaled() / POINT).map_err(|_| invalid())?;
        Self::from_basis_points(points).map_err(|_| invalid())
    }

    /// Hundredths of a percent.
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// The rate as an 18-digit decimal.
    pub fn to_decimal(self) -> Decimal {
        Decimal::from_scaled(u128::from(self.0) * 10u128.pow(14))
    }

    /// Returns the amount slashed from an output of `value`, rounded half up in double arithmetic exactly as the
    /// chain does (`bitcoin.md` 7.2).
    ///
    /// The reference formats the rate as `0.` and 18 digits and parses that text to a double. Parsing the exact
    /// decimal `points / 10000` rounds to the same nearest double as the division of the two exactly
    /// representable integers, since IEEE-754 division is correctly rounded.
    pub fn amount_of(self, value: Amount) -> Amount {
        let rate = f64::from(self.0) / 10_000.0;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // Values of a transaction are below 2^51 sat and exact in a double; the product is below them and positive.
        let sat = (value.to_sat() as f64 * rate + 0.5) as u64;
        Amount::from_sat(sat)
    }
}

impl fmt::Display for SlashingRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}
impl FromStr for SlashingRate {
    type Err = InvalidSlashingRate;
    fn from_str(text: &str) -> Result<Self, InvalidSlashingRate> {
        let value: Decimal = text.parse().map_err(|_| InvalidSlashingRate(text.to_owned()))?;
        Self::from_decimal(value)
    }
}
impl Serialize for SlashingRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for SlashingRate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A non-negative decimal number with 18 fraction digits, the chain's number format for rates and commissions.
///
/// Two texts exist for it and mixing them up is off by 10^18 (`wire.md` 1.3): the wire carries the scaled integer
/// (`100000000000000000` for 0.1), people and JSON see `0.100000000000000000`. [`Decimal::scaled`] is the first form.
/// [`Display`](fmt::Display) and [`FromStr`] are the second; parsing also takes fewer fraction digits, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(u128);

/// Text that is no decimal number of this format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a non-negative decimal number with at most 18 fraction digits")]
pub struct InvalidDecimal(pub String);

impl Decimal {
    /// Fraction digits.
    pub const PRECISION: usize = 18;
    /// The number one.
    pub const ONE: Decimal = Decimal(10u128.pow(18));
    /// The number zero.
    pub const ZERO: Decimal = Decimal(0);

    /// Wraps `value * 10^18`.
    pub const fn from_scaled(scaled: u128) -> Self {
        Self(scaled)
    }
    /// The value times 10^18.
    pub const fn scaled(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = Self::ONE.0;
        write!(f, "{}.{:018}", self.0 / one, self.0 % one)
    }
}
impl FromStr for Decimal {
    type Err = InvalidDecimal;
    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        let invalid = || InvalidDecimal(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > Self::PRECISION {
            return Err(invalid());
        }
        let whole: u128 = whole.parse().map_err(|_| invalid())?;
        let fraction: u128 = format!("{fraction:0<18}").parse().map_err(|_| invalid())?;
        let scaled = whole.checked_mul(Self::ONE.0).and_then(|n| n.checked_add(fraction));
        scaled.map(Self).ok_or_else(invalid)
    }
}
impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_way_cases_follow_double_arithmetic() {
        // bitcoin.md 7.2
        for (value, rate, amount) in
            [(2500, "0.0006", 1), (15_000, "0.0001", 2), (5000, "0.0003", 1), (12_345, "0.1", 1235)]
        {
            let rate: SlashingRate = rate.parse().unwrap();
            assert_eq!(rate.amount_of(Amount::from_sat(value)).to_sat(), amount, "{value} at {rate}");
        }
    }

    #[test]
    fn every_rate_equals_the_double_its_text_parses_to() {
        for points in 1..10_000u16 {
            let rate = SlashingRate::from_basis_points(points).unwrap();
            let parsed: f64 = rate.to_string().parse().unwrap();
            assert_eq!((f64::from(points) / 10_000.0).to_bits(), parsed.to_bits(), "{rate}");
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        for text in ["0", "1", "1.5", "0.00001", "-0.1", "", ".5", "0.5.5", "1e-3"] {
            assert!(text.parse::<SlashingRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_are_parsed_exactly_or_refused() {
        for (text, scaled) in [
            ("0", 0),
            ("1", 10u128.pow(18)),
            ("0.1", 10u128.pow(17)),
            ("0.000000000000000001", 1),
            ("12.50", 125 * 10u128.pow(17)),
            ("340282366920938463463.374607431768211455", u128::MAX),
        ] {
            let decimal = Decimal::from_scaled(scaled);
            assert_eq!(text.parse(), Ok(decimal), "{text}");
            assert_eq!(decimal.to_string().parse(), Ok(decimal), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "-1",
            "+1",
            "1e3",
            " 1",
            "0.0000000000000000001",
            "340282366920938463463.374607431768211456",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(InvalidDecimal(text.to_owned())));
        }
    }

    #[test]
    fn basis_points_and_decimals_name_the_same_rates() {
        for points in [1, 10, 1_000, 9_999] {
            let rate = SlashingRate::from_basis_points(points).unwrap();
            assert_eq!(SlashingRate::from_decimal(rate.to_decimal()), Ok(rate));
            assert_eq!(rate.basis_points(), points);
        }
        for points in [0, 10_000, u16::MAX] {
            assert!(SlashingRate::from_basis_points(points).is_err(), "{points}");
        }
        assert!(SlashingRate::from_decimal(Decimal::from_scaled(u128::MAX)).is_err());
    }
}
