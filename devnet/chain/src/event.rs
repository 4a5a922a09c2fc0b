//! Events as clients see them: a type and attributes that are plain strings.
//!
//! Typed events of the modules follow `wire.md` 6.1: the type is the full protobuf name, each attribute is one
//! top-level field as JSON text, attributes are sorted by key, `msg_index` or `mode` comes last. The texts are those of
//! the adapter's [`event`](btc_staking_babylon::convert::event), which are held to the reference's.

use btc_staking_babylon::convert::{event::encode_event, json::Object};
use prost::{Message, Name};
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

    /// A typed event.
    pub(crate) fn typed<E: Object + Name>(event: &E) -> Self {
        let encoded = encode_event(event);
        let attributes =
            encoded.attributes.into_iter().map(|(key, value)| Attribute { key, value }).collect();
        Self { kind: encoded.kind, attributes }
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

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_babylon::proto::btcstaking::EventFinalityProviderEdited;

    #[test]
    fn typed_attributes_are_sorted_json_texts_and_what_is_appended_comes_last() {
        let edited = EventFinalityProviderEdited {
            btc_pk_hex: "aa".into(),
            moniker: "<&>\u{2028}\"".into(),
            ..Default::default()
        };
        let event = Event::typed(&edited).with("msg_index", 0);
        assert_eq!(event.kind, "babylon.btcstaking.v1.EventFinalityProviderEdited");
        let seen: Vec<(&str, &str)> =
            event.attributes.iter().map(|a| (a.key.as_str(), a.value.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("btc_pk_hex", r#""aa""#),
                ("commission", r#""""#),
                ("details", r#""""#),
                ("identity", r#""""#),
                ("moniker", r#""\u003c\u0026\u003e\u2028\"""#),
                ("security_contact", r#""""#),
                ("website", r#""""#),
                ("msg_index", "0")
            ]
        );
    }
}
