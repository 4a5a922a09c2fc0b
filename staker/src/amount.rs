//! Amounts and feerates as people type them.
//!
//! A bare number is satoshis and must be whole: `0.005` could be meant in either unit, so it is refused, never guessed.
//! Feerates are sat/vB with up to three decimals, which is as fine as a virtual kilobyte.

use bitcoin::{Amount, FeeRate, amount::Denomination};
use std::str::FromStr;
use thiserror::Error;

/// An amount on the command line: `500000`, `500000sat` or `0.005btc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountArg(pub Amount);

/// A feerate on the command line: `12`, `1.5` or `12sat/vb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeRateArg(pub FeeRate);

/// Text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidAmount {
    /// Not one of the three forms.
    #[error("amount {0:?} must look like 500000, 500000sat or 0.005btc")]
    Form(String),
    /// A decimal number without a unit.
    #[error("amount {0:?} has decimals but no unit, write {0}btc if bitcoins are meant")]
    Ambiguous(String),
    /// Nothing is no amount.
    #[error("amount is zero")]
    Zero,
    /// More than there can be.
    #[error("amount {0:?} is more than the 21 million bitcoins there can be")]
    TooMuch(String),
}

/// Text that is no feerate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidFeeRate {
    /// Not a decimal number.
    #[error("feerate {0:?} must be a number of sat/vB with at most three decimals, such as 12 or 1.5")]
    Form(String),
    /// A transaction without fee is not relayed.
    #[error("feerate is zero")]
    Zero,
    /// So large that it can only be a mistake.
    #[error("feerate {0:?} is above {MAX_FEERATE_SAT_VB} sat/vB, which can only be a mistake")]
    Absurd(String),
}

/// Highest feerate that is accepted.
pub const MAX_FEERATE_SAT_VB: u64 = 10_000;

impl FromStr for AmountArg {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let lower = text.trim().to_ascii_lowercase();
        let (number, denomination) = match (lower.strip_suffix("sat"), lower.strip_suffix("btc")) {
            (Some(number), _) => (number, Denomination::Satoshi),
            (None, Some(number)) => (number, Denomination::Bitcoin),
            (None, None) if lower.contains('.') && is_decimal(&lower) => {
                return Err(InvalidAmount::Ambiguous(lower));
            }
            (None, None) => (lower.as_str(), Denomination::Satoshi),
        };
        let number = number.trim_end();
        let whole_needed = denomination == Denomination::Satoshi;
        if !is_decimal(number) || (whole_needed && number.contains('.')) {
            return Err(InvalidAmount::Form(text.to_owned()));
        }
        let amount = Amount::from_str_in(number, denomination).map_err(|_| refuse(text, number))?;
        if amount > Amount::MAX_MONEY {
            return Err(InvalidAmount::TooMuch(text.to_owned()));
        }
        if amount == Amount::ZERO {
            return Err(InvalidAmount::Zero);
        }
        Ok(Self(amount))
    }
}

/// A number that is written well but is no amount has too many decimals or is too large.
fn refuse(text: &str, number: &str) -> InvalidAmount {
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals > 8 { InvalidAmount::Form(text.to_owned()) } else { InvalidAmount::TooMuch(text.to_owned()) }
}

/// Digits, and at most one point between digits.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        None => digits(text),
        Some((whole, decimals)) => digits(whole) && digits(decimals),
    }
}

impl FromStr for FeeRateArg {
    type Err = InvalidFeeRate;

    fn from_str(text: &str) -> Result<Self, InvalidFeeRate> {
        let malformed = || InvalidFeeRate::Form(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let number = lower.strip_suffix("sat/vb").unwrap_or(&lower).trim_end();
        if !is_decimal(number) {
            return Err(malformed());
        }
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        if decimals.len() > 3 {
            return Err(malformed());
        }
        let absurd = || InvalidFeeRate::Absurd(text.to_owned());
        let whole: u64 = whole.parse().map_err(|_| absurd())?;
        let thousandths: u64 = format!("{decimals:0<3}").parse().map_err(|_| malformed())?;
        if whole > MAX_FEERATE_SAT_VB {
            return Err(absurd());
        }
        // One vbyte is four weight units, so sat/kvB / 4 = sat/kwu, rounded up: never less than was asked for.
        let sat_per_kvb = whole * 1_000 + thousandths;
        if sat_per_kvb == 0 {
            return Err(InvalidFeeRate::Zero);
        }
        Ok(Self(FeeRate::from_sat_per_kwu(sat_per_kvb.div_ceil(4))))
    }
}

/// A feerate as people read it, in sat/vB.
pub fn display_feerate(feerate: FeeRate) -> String {
    let sat_per_kvb = feerate.to_sat_per_kwu().saturating_mul(4);
    let text = format!("{}.{:03}", sat_per_kvb / 1_000, sat_per_kvb % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_satoshis_unless_they_say_otherwise() {
        for (text, sat) in [
            ("500000", 500_000),
            ("500000sat", 500_000),
            ("500000 sat", 500_000),
            ("0.005btc", 500_000),
            ("0.005 BTC", 500_000),
            ("1btc", 100_000_000),
            ("0.00000001btc", 1),
            ("21000000btc", 2_100_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(AmountArg(Amount::from_sat(sat))), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_what_would_be_one() {
        let form = |text: &str| InvalidAmount::Form(text.to_owned());
        for (text, error) in [
            ("", form("")),
            ("sat", form("sat")),
            ("-5", form("-5")),
            ("+5", form("+5")),
            ("1e5", form("1e5")),
            ("0x10", form("0x10")),
            ("1.5sat", form("1.5sat")),
            (".5btc", form(".5btc")),
            ("5.btc", form("5.btc")),
            ("1_000", form("1_000")),
            ("0.123456789btc", form("0.123456789btc")),
            ("5 mbtc", form("5 mbtc")),
            ("0.005", InvalidAmount::Ambiguous("0.005".to_owned())),
            ("0", InvalidAmount::Zero),
            ("0btc", InvalidAmount::Zero),
            ("21000001btc", InvalidAmount::TooMuch("21000001btc".to_owned())),
            ("99999999999999999999999", InvalidAmount::TooMuch("99999999999999999999999".to_owned())),
        ] {
            assert_eq!(text.parse::<AmountArg>(), Err(error), "{text}");
        }
    }

    #[test]
    fn feerates_are_sat_per_vbyte_and_round_up() {
        for (text, sat_per_kwu) in
            [("1", 250), ("1.5", 375), ("12sat/vb", 3_000), ("0.001", 1), ("10000", 2_500_000)]
        {
            let feerate = FeeRate::from_sat_per_kwu(sat_per_kwu);
            assert_eq!(text.parse(), Ok(FeeRateArg(feerate)), "{text}");
        }
        for text in ["", "x", "-1", "1.2345", "1,5", "0", "0.000", "10001", "99999999999999999999"] {
            assert!(text.parse::<FeeRateArg>().is_err(), "{text}");
        }
        assert_eq!(display_feerate(FeeRate::from_sat_per_kwu(375)), "1.5");
        assert_eq!(display_feerate(FeeRate::from_sat_per_kwu(250)), "1");
    }

    proptest! {
        #[test]
        fn every_amount_parses_from_each_of_its_forms(sat in 1..=Amount::MAX_MONEY.to_sat()) {
            let amount = AmountArg(Amount::from_sat(sat));
            let btc = Amount::from_sat(sat).display_in(Denomination::Bitcoin);
            for text in [format!("{sat}"), format!("{sat}sat"), format!("{btc}btc")] {
                prop_assert_eq!(text.parse(), Ok(amount));
            }
        }

        #[test]
        fn any_text_is_an_amount_or_an_error(text in ".{0,24}") {
            if let Ok(AmountArg(amount)) = text.parse() {
                prop_assert!(amount > Amount::ZERO && amount <= Amount::MAX_MONEY);
            }
            let _ = text.parse::<FeeRateArg>();
        }
    }
}
