//! Every kind of event of both chains: the same attributes in the same order, with values of the same JSON form.

use crate::support::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tendermint::abci::Event;
use tendermint_rpc::Client as _;

/// Forms of an event kind: its attributes' names and JSON forms in order, as they were seen.
pub type Forms = BTreeMap<String, BTreeSet<String>>;

/// Collects all events of all blocks.
pub async fn forms(w: &World) -> Forms {
    let mut forms = Forms::new();
    for height in 1..=w.node.height() {
        let block = w.client.block_results(u32::try_from(height).unwrap()).await.unwrap();
        let of_txs = block.txs_results.into_iter().flatten().flat_map(|result| result.events);
        let all = of_txs.map(|event| ("tx", event));
        let of_block = block.finalize_block_events.into_iter().map(|event| ("block", event));
        for (place, event) in all.chain(of_block) {
            let kind = format!("{place} {}", event.kind);
            forms.entry(kind).or_default().insert(form(&event));
        }
    }
    forms
}

fn form(event: &Event) -> String {
    let typed = event.kind.starts_with("babylon.");
    let attribute = |attribute: &tendermint::abci::EventAttribute| {
        let (key, value) = (attribute.key_str().unwrap(), attribute.value_str().unwrap());
        match key {
            "mode" => format!("mode={value}"),
            _ if typed && key != "msg_index" => format!("{key}:{}", json_form(value)),
            _ => key.to_owned(),
        }
    };
    event.attributes.iter().map(attribute).collect::<Vec<_>>().join(" ")
}

fn json_form(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(value) => value_form(&value),
        Err(_) => format!("no JSON ({text})"),
    }
}

fn value_form(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) => text_form(text).to_owned(),
        Value::Array(items) => format!("[{}]", items.first().map_or_else(String::new, value_form)),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(key, value)| format!("{key}:{}", value_form(value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn text_form(text: &str) -> &'static str {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hex =
        text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match text {
        "" => "empty text",
        _ if digits => "digits",
        _ if hex => "hex",
        _ if text.ends_with('=') => "base64",
        _ if text.len() < 60 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => "name",
        _ => "text",
    }
}

/// Kinds that only a chain with validators has: their pay, and reports of the checkpoints they sign, which the embedded
/// chain takes but does not need.
fn is_of_validators(kind: &str) -> bool {
    !kind.contains("babylon.") || kind == "tx babylon.checkpointing.v1.EventCheckpointSubmitted"
}

/// What becomes of checkpoints on the embedded chain though nobody reports them. In the stories that report them both
/// chains say it.
const FINAL_WITHOUT_REPORTS: [&str; 2] = [
    "block babylon.checkpointing.v1.EventCheckpointConfirmed",
    "block babylon.checkpointing.v1.EventCheckpointFinalized",
];

/// What of the real node's events the embedded chain has not or has otherwise.
pub fn differences(real: &Forms, embedded: &Forms) -> Vec<String> {
    let mut wrong = vec![];
    for (kind, node) in real {
        match embedded.get(kind) {
            None if is_of_validators(kind) => println!("only the node has {kind}: {node:?}"),
            None => wrong.push(format!("the embedded chain never says {kind}: {node:?}")),
            Some(ours) if ours != node => {
                wrong.push(format!("{kind}\n  node: {node:#?}\n  ours: {ours:#?}"));
            }
            Some(_) => println!("alike: {kind}"),
        }
    }
    for (kind, ours) in embedded.iter().filter(|(kind, _)| !real.contains_key(*kind)) {
        if FINAL_WITHOUT_REPORTS.contains(&kind.as_str()) {
            println!("only the embedded chain says {kind}, since nobody reported to the node");
            continue;
        }
        wrong.push(format!("only the embedded chain says {kind}: {ours:?}"));
    }
    wrong
}
