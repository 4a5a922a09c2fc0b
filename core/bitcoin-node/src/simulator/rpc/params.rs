//! Reads the arguments of a call.

use super::RpcError;
use crate::bitcoind::code;
use bitcoin::Amount;
use serde_json::Value;
use std::str::FromStr;

/// The arguments of a call, by position.
pub(super) struct Params<'a>(&'a [Value]);

impl<'a> Params<'a> {
    /// The arguments of a JSON-RPC request.
    pub(super) fn of(call: &'a Value) -> Result<Self, RpcError> {
        match call.get("params") {
            None | Some(Value::Null) => Ok(Self(&[])),
            Some(Value::Array(params)) => Ok(Self(params)),
            Some(_) => Err(RpcError::new(code::INVALID_REQUEST, "Params must be an array")),
        }
    }

    /// An argument, unless it was left out or null.
    fn get(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index).filter(|value| !value.is_null())
    }

    fn required(&self, index: usize, name: &str) -> Result<&'a Value, RpcError> {
        self.get(index)
            .ok_or_else(|| RpcError::new(code::MISC, format!("argument {index} ({name}) is missing")))
    }

    /// Text.
    pub(super) fn text(&self, index: usize, name: &str) -> Result<&'a str, RpcError> {
        self.required(index, name)?.as_str().ok_or_else(|| wrong_type(name, "a string"))
    }

    /// A list of texts.
    pub(super) fn texts(&self, index: usize, name: &str) -> Result<Vec<&'a str>, RpcError> {
        let list = self.required(index, name)?.as_array().ok_or_else(|| wrong_type(name, "an array"))?;
        list.iter().map(|item| item.as_str().ok_or_else(|| wrong_type(name, "an array of strings"))).collect()
    }

    /// A whole number that fits 32 bits.
    pub(super) fn number(&self, index: usize, name: &str) -> Result<u32, RpcError> {
        let value = self.required(index, name)?;
        let number = value.as_i64().ok_or_else(|| wrong_type(name, "a number"))?;
        u32::try_from(number)
            .map_err(|_| RpcError::new(code::INVALID_PARAMETER, format!("{name} {number} out of range")))
    }

    /// A hash in hex.
    pub(super) fn hash<T: FromStr>(&self, index: usize, name: &str) -> Result<T, RpcError> {
        let text = self.text(index, name)?;
        T::from_str(text).map_err(|_| {
            RpcError::new(
                code::INVALID_PARAMETER,
                format!("{name} must be 64 hexadecimal digits (not '{text}')"),
            )
        })
    }

    /// A switch that may be given as a number, as old clients do.
    pub(super) fn level(&self, index: usize, name: &str, default: u64) -> Result<u64, RpcError> {
        match self.get(index) {
            None => Ok(default),
            Some(Value::Bool(on)) => Ok(u64::from(*on)),
            Some(value) => value.as_u64().ok_or_else(|| wrong_type(name, "a boolean or a number")),
        }
    }

    /// An amount in BTC, as number or text; `None` when left out.
    pub(super) fn amount(&self, index: usize, name: &str) -> Result<Option<Amount>, RpcError> {
        let invalid = || RpcError::new(code::WRONG_TYPE, format!("{name} is not an amount"));
        match self.get(index) {
            None => Ok(None),
            Some(Value::String(text)) => {
                Amount::from_str_in(text, bitcoin::Denomination::Bitcoin).map(Some).map_err(|_| invalid())
            }
            Some(value) => {
                value.as_f64().and_then(|btc| Amount::from_btc(btc).ok()).map(Some).ok_or_else(invalid)
            }
        }
    }
}

fn wrong_type(name: &str, expected: &str) -> RpcError {
    RpcError::new(code::WRONG_TYPE, format!("{name} must be {expected}"))
}
