//! JSON-RPC errors in CometBFT's form: the message is general, the data says what happened.

use crate::{error::Broken, node::core::NotTaken};
use serde_json::{Value, json};

/// An error of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RpcError {
    code: i32,
    message: &'static str,
    data: String,
}

impl RpcError {
    /// The body is not JSON.
    pub(crate) fn parse(why: impl ToString) -> Self {
        Self { code: -32700, message: "Parse error. Invalid JSON", data: why.to_string() }
    }
    /// The body is no request.
    pub(crate) fn invalid_request(why: impl ToString) -> Self {
        Self { code: -32600, message: "Invalid Request", data: why.to_string() }
    }
    /// There is no such method.
    pub(crate) fn method_not_found() -> Self {
        Self { code: -32601, message: "Method not found", data: String::new() }
    }
    /// A parameter is missing or malformed.
    pub(crate) fn invalid_params(why: impl ToString) -> Self {
        Self { code: -32602, message: "Invalid params", data: why.to_string() }
    }
    /// The call itself failed.
    pub(crate) fn internal(why: impl ToString) -> Self {
        Self { code: -32603, message: "Internal error", data: why.to_string() }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({"code": self.code, "message": self.message});
        if !self.data.is_empty() {
            json["data"] = self.data.as_str().into();
        }
        json
    }
}

impl From<Broken> for RpcError {
    fn from(broken: Broken) -> Self {
        Self::internal(broken)
    }
}
impl From<NotTaken> for RpcError {
    fn from(why: NotTaken) -> Self {
        Self::internal(why)
    }
}
impl From<serde_json::Error> for RpcError {
    fn from(err: serde_json::Error) -> Self {
        Self::internal(err)
    }
}
