//! Every type of the chain against an encoder that shares nothing with prost, and against the chain's own bytes.
//!
//! [`tables.txt`](tables.txt) holds the tables of `wire.md`; [`table`] reads them, [`fill`] writes protobuf from them by
//! hand. [`node.txt`](node.txt) holds bytes that Babylon's own code made. The three must agree, and what the crate
//! decodes must show each value under the name it was made for.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod events;
mod fill;
mod sdk;
mod table;
mod traps;
mod worked;

use btc_staking_babylon::proto::registry::{find_type, query_types, wire_types};
use fill::{ByName, Random, encode};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use table::Tables;

/// Bytes the chain's own code made, by full name; several for a type with alternatives.
fn node() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let mut node = BTreeMap::<_, Vec<_>>::new();
    for line in include_str!("node.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, hex) = line.split_once(' ').unwrap_or((line, ""));
        node.entry(name).or_default().push(hex::decode(hex).unwrap());
    }
    node
}

#[test]
fn the_tables_and_the_crate_define_the_same_types_and_the_chain_has_made_one_of_each() {
    let defined: BTreeSet<String> = wire_types().map(|known| known.full_name()).collect();
    assert_eq!(defined.len(), wire_types().count(), "no name twice");
    let tables = Tables::read();
    let listed: BTreeSet<String> = tables.chain_types().map(str::to_owned).collect();
    assert_eq!(defined, listed);
    assert_eq!(node().keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn every_type_encodes_as_the_chain_does_and_shows_each_value_under_its_name() {
    let (tables, node) = (Tables::read(), node());
    for name in tables.chain_types() {
        for (alternative, made) in node[name].iter().enumerate() {
            let expected = encode(tables, name, &mut ByName { alternative });
            assert_eq!(hex::encode(&expected.bytes), hex::encode(made), "{name}: by hand, by the chain");
            let decoded = find_type(name).unwrap().decode(made).unwrap();
            assert_eq!(hex::encode(&decoded.encoded), hex::encode(made), "{name}: decoded and encoded again");
            assert_eq!(decoded.text.replace("r#", ""), expected.text, "{name}");
        }
    }
}

#[test]
fn every_query_has_the_request_and_the_answer_of_its_method() {
    for query in query_types() {
        let (package, method) = query.path.strip_prefix('/').unwrap().split_once(".Query/").unwrap();
        assert_eq!(query.request(), format!("{package}.Query{method}Request"));
        assert_eq!(query.response(), format!("{package}.Query{method}Response"));
    }
    let requests: BTreeSet<String> = query_types().map(|query| query.request()).collect();
    let tables = Tables::read();
    let listed = tables.chain_types().filter(|name| name.contains(".Query") && name.ends_with("Request"));
    assert_eq!(requests, listed.map(str::to_owned).collect());
}

#[test]
fn every_message_has_an_answer_of_its_own() {
    let tables = Tables::read();
    let message = |name: &str| name.split('.').next_back().unwrap().starts_with("Msg");
    for name in tables.chain_types().filter(|name| message(name) && !name.ends_with("Response")) {
        // The injected one has no handler.
        let answered = find_type(&format!("{name}Response")).is_some();
        assert_eq!(answered, !name.ends_with("MsgInjectedCheckpoint"), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn values_of_every_type_survive_decoding_to_the_byte(seed: u64) {
        let tables = Tables::read();
        for name in tables.chain_types() {
            let value = encode(tables, name, &mut Random::new(seed));
            let decoded = find_type(name).unwrap().decode(&value.bytes).unwrap();
            prop_assert_eq!(hex::encode(decoded.encoded), hex::encode(value.bytes), "{}", name);
        }
    }

    #[test]
    fn bytes_of_any_kind_decode_or_are_refused_and_what_decodes_has_one_form(bytes: Vec<u8>) {
        for known in wire_types() {
            if let Ok(decoded) = known.decode(&bytes) {
                let again = known.decode(&decoded.encoded).unwrap();
                prop_assert_eq!(again, decoded);
            }
        }
    }
}
