//! Decimals, big integers and coins (`wire.md` 1.3).
//!
//! On the wire a decimal is the ASCII text of its value times 10^18; in JSON it is a point number. Mixing them up is off
//! by 10^18, so each form has its own functions and refuses the other.

use super::{InvalidField, Problem, Result};
use crate::proto::Coin;
use btc_staking_protocol::rate::Decimal;

/// Encodes the wire form: `30000000000000000` for 0.03, `0` for zero.
pub fn encode_decimal(value: Decimal) -> String {
    value.scaled().to_string()
}

/// Decodes the wire form.
///
/// # Errors
/// [`Problem::Missing`] for empty text, [`Problem::ScaledDecimal`] for a point number, a sign, or more than fits.
pub fn decode_decimal(field: &str, text: &str) -> Result<Decimal> {
    if text.is_empty() {
        return Err(InvalidField::new(field, Problem::Missing));
    }
    let scaled = parse_integer(text);
    let invalid = || InvalidField::new(field, Problem::ScaledDecimal(text.to_owned()));
    scaled.map(Decimal::from_scaled).ok_or_else(invalid)
}

/// Decodes the wire form in a bytes field.
///
/// # Errors
/// As [`decode_decimal`], or [`Problem::NotText`].
pub fn decode_decimal_bytes(field: &str, bytes: &[u8]) -> Result<Decimal> {
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidField::new(field, Problem::NotText))?;
    decode_decimal(field, text)
}

/// Decodes a big integer's decimal text.
///
/// # Errors
/// [`Problem::Integer`].
pub fn decode_integer(field: &str, text: &str) -> Result<u128> {
    parse_integer(text).ok_or_else(|| InvalidField::new(field, Problem::Integer(text.to_owned())))
}

/// Decodes the decimal text of an unsigned integer of 64 bits.
///
/// # Errors
/// [`Problem::Integer`].
pub fn decode_u64(field: &str, text: &str) -> Result<u64> {
    let number = parse_integer(text).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| InvalidField::new(field, Problem::Integer(text.to_owned())))
}

/// Holds text to the form of a non-negative integer of any size.
///
/// # Errors
/// [`Problem::Integer`].
pub fn check_integer(field: &str, text: &str) -> Result<()> {
    if is_integer(text) { Ok(()) } else { Err(InvalidField::new(field, Problem::Integer(text.to_owned()))) }
}

/// Encodes the JSON form: `0.030000000000000000` for 0.03.
pub fn encode_point_decimal(value: Decimal) -> String {
    let (whole, rest) = (value.scaled() / SCALE, value.scaled() % SCALE);
    format!("{whole}.{rest:018}")
}

/// Decodes the JSON form, which always has 18 digits behind the point.
///
/// # Errors
/// [`Problem::PointDecimal`] for the wire form, a sign, other digits, or more than fits.
pub fn decode_point_decimal(field: &str, text: &str) -> Result<Decimal> {
    let scaled = || {
        let (whole, rest) = text.split_once('.')?;
        let rest = (rest.len() == 18 && rest.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest)?;
        parse_integer(whole)?.checked_mul(SCALE)?.checked_add(rest.parse().ok()?)
    };
    let invalid = || InvalidField::new(field, Problem::PointDecimal(text.to_owned()));
    scaled().map(Decimal::from_scaled).ok_or_else(invalid)
}

/// What a decimal is scaled by.
const SCALE: u128 = 1_000_000_000_000_000_000;

/// Digits only, without leading zeros: the one text a number has.
fn parse_integer(text: &str) -> Option<u128> {
    is_integer(text).then(|| text.parse().ok()).flatten()
}

fn is_integer(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    digits && !padded
}

/// Returns the amount of one denomination in a list of coins; 0 if it is not there. The list must be one the chain
/// makes: sorted by denomination, each there once and none of them zero.
///
/// # Errors
/// [`Problem::Integer`] or [`Problem::CoinList`].
pub fn decode_coins(field: &str, coins: &[Coin], denom: &str) -> Result<u128> {
    let mut found = 0;
    for (index, coin) in coins.iter().enumerate() {
        let amount = decode_integer(&format!("{field}[{index}].amount"), &coin.amount)?;
        if amount == 0 || coin.denom.is_empty() {
            return Err(InvalidField::new(format!("{field}[{index}]"), Problem::CoinList));
        }
        if coin.denom == denom {
            found = amount;
        }
    }
    let sorted = coins.is_sorted_by(|one, next| one.denom < next.denom);
    if sorted { Ok(found) } else { Err(InvalidField::new(field, Problem::CoinList)) }
}
