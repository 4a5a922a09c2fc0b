//! What of an answer does not depend on when it was given: which fields are there, and of what kind.

use crate::support::Refused;
use btc_staking_babylon::errors::{Failure, find_registered};

/// A debug text with every number, hash and list of bytes replaced by its kind. Zero stays, since it may mean "none".
pub fn of(shown: &str) -> String {
    // A second may have any fraction, and the first epoch may end before or after the first Bitcoin block.
    let shown = shown.replace("nanos: 0 ", "nanos: 1 ");
    let shown = &shown.replace("btc_light_client_height: 0 ", "btc_light_client_height: 1 ");
    let mut out = String::new();
    let mut rest = shown.as_str();
    while let Some(first) = rest.chars().next() {
        let token = if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |at| at + 2);
            let (text, after) = rest.split_at(end);
            rest = after;
            text_kind(text)
        } else if first == '[' && is_bytes(rest) {
            let end = rest.find(']').map_or(rest.len(), |at| at + 1);
            let length = rest[..end].split(',').count();
            rest = &rest[end..];
            format!("<{length} bytes>")
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            rest = after;
            if number == "0" { "0".to_owned() } else { "N".to_owned() }
        } else {
            rest = &rest[first.len_utf8()..];
            first.to_string()
        };
        out.push_str(&token);
    }
    out
}

fn text_kind(text: &str) -> String {
    let inner = text.trim_matches('"');
    let hex = inner.len() >= 8
        && inner.len().is_multiple_of(2)
        && inner.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        return if inner.len() == 64 { "<hash>".to_owned() } else { "<hex>".to_owned() };
    }
    if !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit()) {
        return "<number>".to_owned();
    }
    text.to_owned()
}

fn is_bytes(rest: &str) -> bool {
    let inner = rest[1..].split(']').next().unwrap_or_default();
    !inner.is_empty() && inner.split(", ").all(|part| part.parse::<u8>().is_ok())
}

/// Bytes in order of value: maps and sets are encoded in any order.
pub fn sorted(bytes: &[u8]) -> Vec<u8> {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted
}

/// The registered error a query was refused with, by its text; empty for others.
pub fn meaning_of_query(refused: &Refused) -> String {
    let failure = Failure { codespace: &refused.codespace, code: refused.code, log: &refused.log };
    find_registered(&failure).map_or_else(String::new, |entry| format!("{}/{}", entry.codespace, entry.code))
}
