//! The types of the SDK around the chain's own (`wire.md` 2.5), which others define: against the tables, too.

use super::{
    fill::{ByName, Random, encode},
    table::Tables,
};
use btc_staking_babylon::proto::{self, registry::WireType};
use prost::Message;
use std::collections::BTreeSet;

const TYPES: [WireType; 23] = [
    WireType::of::<proto::TxRaw>(),
    WireType::of::<proto::TxBody>(),
    WireType::of::<proto::AuthInfo>(),
    WireType::of::<proto::SignerInfo>(),
    WireType::of::<proto::ModeInfo>(),
    WireType::of::<proto::Fee>(),
    WireType::of::<proto::SignDoc>(),
    WireType::of::<proto::SimulateRequest>(),
    WireType::of::<proto::SimulateResponse>(),
    WireType::of::<proto::GasInfo>(),
    WireType::of::<proto::SimulationResult>(),
    WireType::of::<proto::TxMsgData>(),
    WireType::of::<proto::PubKey>(),
    WireType::of::<proto::Ed25519PubKey>(),
    WireType::of::<proto::QueryAccountRequest>(),
    WireType::of::<proto::QueryAccountResponse>(),
    WireType::of::<proto::BaseAccount>(),
    WireType::of::<proto::QueryBalanceRequest>(),
    WireType::of::<proto::QueryBalanceResponse>(),
    WireType::of::<proto::Coin>(),
    WireType::of::<proto::PageRequest>(),
    WireType::of::<proto::PageResponse>(),
    WireType::of::<proto::Description>(),
];

#[test]
fn every_type_of_the_sdk_is_as_the_tables_have_it() {
    let tables = Tables::read();
    let listed: BTreeSet<String> = tables.section("2.5").map(str::to_owned).collect();
    let here: BTreeSet<String> = TYPES.iter().map(WireType::full_name).collect();
    assert!(listed.is_subset(&here), "not here: {:?}", listed.difference(&here));
    for known in TYPES {
        let name: &'static str = known.full_name().leak();
        let expected = encode(tables, name, &mut ByName { alternative: 0 });
        let decoded = known.decode(&expected.bytes).unwrap();
        assert_eq!(hex::encode(decoded.encoded), hex::encode(&expected.bytes), "{name}");
        // The field of SimulateRequest that nobody fills any more is not in the tables.
        assert_eq!(decoded.text.replace("tx: None, ", "").replace("r#", ""), expected.text, "{name}");
        for seed in 0..50 {
            let value = encode(tables, name, &mut Random::new(seed)).bytes;
            assert_eq!(known.decode(&value).unwrap().encoded, value, "{name}");
        }
    }
}

#[test]
fn a_signature_covers_the_document_in_the_order_of_its_numbers() {
    let document = proto::SignDoc {
        body_bytes: vec![1],
        auth_info_bytes: vec![2],
        chain_id: "bbn-1".to_owned(),
        account_number: 300,
    };
    assert_eq!(
        hex::encode(document.encode_to_vec()),
        "0a0101120102".to_owned() + "1a0562626e2d31" + "20ac02"
    );
    // Account 0 is left off the wire, as the node leaves it.
    let first = proto::SignDoc { account_number: 0, ..document };
    assert!(first.encode_to_vec().ends_with(b"bbn-1"));
}

#[test]
fn the_direct_mode_is_1_and_a_body_has_the_timeouts_of_sdk_0_53() {
    let mode = proto::mode_info::Single { mode: 1 };
    let info = proto::SignerInfo {
        mode_info: Some(proto::ModeInfo { sum: Some(proto::mode_info::Sum::Single(mode)) }),
        ..proto::SignerInfo::default()
    };
    assert_eq!(hex::encode(info.encode_to_vec()), "1204".to_owned() + "0a02" + "0801");
    let body = proto::TxBody {
        timeout_height: 9,
        unordered: true,
        timeout_timestamp: Some(proto::Timestamp { seconds: 5, nanos: 0 }),
        ..proto::TxBody::default()
    };
    assert_eq!(hex::encode(body.encode_to_vec()), "1809".to_owned() + "2001" + "2a020805");
}
