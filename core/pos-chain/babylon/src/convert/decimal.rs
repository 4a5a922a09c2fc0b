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

/// Digits only, without leading zeros: the one text a number has.
fn parse_integer(text: &str) -> Option<u128> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    (digits && !padded).then(|| text.parse().ok()).flatten()
}

/// Returns the amount of one denomination in a list of coins; 0 if it is not there.
///
/// # Errors
/// [`Problem::Integer`].
pub fn decode_coins(field: &str, coins: &[Coin], denom: &str) -> Result<u128> {
    let coin = coins.iter().find(|coin| coin.denom == denom);
    coin.map_or(Ok(0), |coin| decode_integer(field, &coin.amount))
}
