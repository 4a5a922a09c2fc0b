//! Parameters of a call, by name, from JSON or from a URI.
//!
//! | type | JSON | URI |
//! |---|---|---|
//! | integers | number or decimal text | digits, with or without quotes |
//! | text | string | `"text"` |
//! | bytes of a transaction or hash | base64 | `0x` and hex, or `"text"` |
//! | query data | hex | `0x` and hex |

use super::error::RpcError;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// Named parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Params {
    values: Map<String, Value>,
    origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Json,
    Uri,
}

impl Params {
    /// Parameters of a JSON-RPC request; absent ones are none.
    pub(crate) fn from_json(params: Value) -> Result<Self, RpcError> {
        let values = match params {
            Value::Object(values) => values,
            Value::Null => Map::new(),
            Value::Array(list) if list.is_empty() => Map::new(),
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(RpcError::invalid_params("parameters must be given by name"));
            }
        };
        Ok(Self { values, origin: Origin::Json })
    }

    /// Parameters of a URI's query part.
    pub(crate) fn from_uri(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let values = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(name), Value::String(percent_decoded(value)))
        });
        Self { values: values.collect(), origin: Origin::Uri }
    }

    fn present(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// A whole number; `None` when absent.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let number = match self.present(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => unquoted(text).parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| RpcError::invalid_params(format!("{name} must be a whole number")))
    }

    /// A whole number that may be negative; `None` when absent.
    pub(crate) fn signed(&self, name: &str) -> Result<Option<i64>, RpcError> {
        let number = match self.present(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => unquoted(text).parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| RpcError::invalid_params(format!("{name} must be a whole number")))
    }

    /// Yes or no; no when absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, RpcError> {
        match self.present(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(_) => Err(RpcError::invalid_params(format!("{name} must be true or false"))),
        }
    }

    /// A text; `None` when absent.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, RpcError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(unquoted(text).to_owned())),
            Some(_) => Err(RpcError::invalid_params(format!("{name} must be a string"))),
        }
    }

    /// Bytes of a transaction or a hash.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, RpcError> {
        let Some(Value::String(text)) = self.present(name) else {
            return Err(RpcError::invalid_params(format!("{name} is missing")));
        };
        let decoded = match self.origin {
            Origin::Json => STANDARD.decode(text).ok(),
            Origin::Uri => match text.strip_prefix("0x") {
                Some(digits) => hex::decode(digits).ok(),
                None => Some(unquoted(text).as_bytes().to_vec()),
            },
        };
        decoded.ok_or_else(|| RpcError::invalid_params(format!("{name} is not encoded as it must be")))
    }

    /// Data of a query, which is hex in both forms.
    pub(crate) fn hex(&self, name: &str) -> Result<Vec<u8>, RpcError> {
        let text = self.text(name)?.unwrap_or_default();
        hex::decode(text.strip_prefix("0x").unwrap_or(&text))
            .map_err(|_| RpcError::invalid_params(format!("{name} is not hex")))
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], escape) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn uri_and_json_forms_mean_the_same() {
        let uri = Params::from_uri("height=5&path=%22/a%20b%22&hash=0xff00&data=0x0a&q=tx.height%3D5");
        let json =
            Params::from_json(json!({"height": "5", "path": "/a b", "hash": "/wA=", "data": "0a"})).unwrap();
        for params in [&uri, &json] {
            assert_eq!(params.number("height"), Ok(Some(5)));
            assert_eq!(params.text("path"), Ok(Some("/a b".to_owned())));
            assert_eq!(params.bytes("hash"), Ok(vec![0xff, 0]));
            assert_eq!(params.hex("data"), Ok(vec![10]));
            assert_eq!(params.number("absent"), Ok(None));
        }
        assert_eq!(uri.text("q"), Ok(Some("tx.height=5".to_owned())));
    }

    #[test]
    fn malformed_values_are_refused_by_name() {
        let params = Params::from_json(json!({"height": "x", "hash": 5, "data": "0"})).unwrap();
        assert!(params.number("height").is_err());
        assert!(params.bytes("hash").is_err());
        assert!(params.hex("data").is_err());
        assert!(Params::from_json(json!([1])).is_err());
    }

    proptest! {
        #[test]
        fn no_uri_panics(query in "\\PC*") {
            let params = Params::from_uri(&query);
            let _ = (params.bytes("a"), params.number("a"), params.hex("a"));
        }
    }
}
