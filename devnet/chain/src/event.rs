//! Events as clients see them: a type and attributes that are plain strings.
//!
//! Typed events of the modules follow `wire.md` 6.1: the type is the full protobuf name, each attribute is one
//! top-level field as JSON text, attributes are sorted by key, `msg_index` or `mode` comes last. [`json_text`] builds
//! those texts: fields of an object keep the order they are given in, and `&`, `<`, `>` inside strings are escaped as
//! the reference's encoder does.

use prost::Message;
use serde_json::{Value, json};

/// One ABCI event; stored with the block results as well.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Event {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) attributes: Vec<Attribute>,
}

/// One attribute of an event.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

impl Event {
    /// A plain SDK event; values stand as they are.
    pub(crate) fn plain(kind: &str, attributes: &[(&str, &str)]) -> Self {
        Self { kind: kind.to_owned(), attributes: vec![] }.with_all(attributes)
    }

    /// A typed event: `fields` are the top-level fields with their JSON texts, in any order.
    pub(crate) fn typed<const N: usize>(name: &str, mut fields: [(&str, String); N]) -> Self {
        fields.sort_by(|a, b| a.0.cmp(b.0));
        let attributes =
            fields.into_iter().map(|(key, value)| Attribute { key: key.to_owned(), value }).collect();
        Self { kind: name.to_owned(), attributes }
    }

    /// Appends an attribute behind the others.
    pub(crate) fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.attributes.push(Attribute { key: key.to_owned(), value: value.to_string() });
        self
    }

    fn with_all(self, attributes: &[(&str, &str)]) -> Self {
        attributes.iter().fold(self, |event, (key, value)| event.with(key, value))
    }

    /// The JSON form of CometBFT 0.38.
    pub(crate) fn to_json(&self) -> Value {
        let attributes: Vec<Value> =
            self.attributes.iter().map(|a| json!({"key": a.key, "value": a.value, "index": true})).collect();
        json!({"type": self.kind, "attributes": attributes})
    }
}

/// JSON texts of attribute values.
pub(crate) mod json_text {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::Value;
    use std::fmt::Display;

    /// A JSON string. 64-bit integers are strings as well.
    pub(crate) fn string(text: impl Display) -> String {
        let quoted = Value::String(text.to_string()).to_string();
        quoted.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
    }
    /// A bare number, for 32-bit integers.
    pub(crate) fn number(value: u32) -> String {
        value.to_string()
    }
    /// Plain bytes.
    pub(crate) fn base64(bytes: &[u8]) -> String {
        string(STANDARD.encode(bytes))
    }
    /// A list of JSON texts.
    pub(crate) fn list(items: &[String]) -> String {
        format!("[{}]", items.join(","))
    }
    /// An object of JSON texts, in the given order.
    pub(crate) fn object(fields: &[(&str, String)]) -> String {
        let fields: Vec<String> =
            fields.iter().map(|(key, value)| format!("{}:{value}", string(key))).collect();
        format!("{{{}}}", fields.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::{json_text::*, *};

    #[test]
    fn typed_attributes_are_sorted_json_texts() {
        let event = Event::typed(
            "a.B",
            [
                ("z", string(1)),
                ("a", number(3)),
                ("m", list(&[string("x")])),
                ("h", string("<&>")),
                ("o", object(&[("b", string("q\"")), ("a", base64(&[1]))])),
            ],
        )
        .with("msg_index", 0);
        let seen: Vec<(&str, &str)> =
            event.attributes.iter().map(|a| (a.key.as_str(), a.value.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("a", "3"),
                ("h", "\"\\u003c\\u0026\\u003e\""),
                ("m", "[\"x\"]"),
                ("o", "{\"b\":\"q\\\"\",\"a\":\"AQ==\"}"),
                ("z", "\"1\""),
                ("msg_index", "0")
            ]
        );
    }
}
