//! Everything the staking chain defines: its types by full name, its typed events, its errors and its texts.

use super::split;
use crate::example;
use btc_staking_babylon::{
    convert::{
        bytes::{decode_account, decode_provider_key_text, decode_txid_text},
        decimal::{
            decode_decimal, decode_integer, decode_point_decimal, decode_u64, encode_decimal,
            encode_point_decimal,
        },
        event::{PlainEvent, TypedEvent, decode_coin_text},
        finality::{decode_evidence, decode_stored_evidence, encode_evidence, encode_stored_evidence},
        headers::{decode_header_info, encode_header_info},
        params::{
            decode_checkpoint_params, decode_finality_params, encode_checkpoint_params,
            encode_finality_params,
        },
    },
    errors::{Failure, classify, expected_sequence, failed_message_index, find_registered, outcome},
    proto::registry::find_type,
    rpc::RawEvent,
};
use btc_staking_pos_chain::{CheckpointParams, FinalityParams, LightClientHeader};
use btc_staking_protocol::{
    height::{BtcDepth, BtcHeight, PosHeight},
    rate::Decimal,
};
use prost::Message;

/// One value of every type, made by the chain's own code.
const TYPES: &str = include_str!("../../../core/pos-chain/babylon/tests/wire/node.txt");
/// Every typed event, made by the chain's own code.
const EVENTS: &str = include_str!("../../../core/pos-chain/babylon/tests/wire/events.txt");

/// Valid examples.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "wire_type" => {
            let lines = TYPES.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| framed(line.split_once(' ').unwrap_or((line, "")))).collect()
        }
        "typed_event" => typed_events().iter().chain(&plain_events()).map(json).collect(),
        "finality_params" => encode_finality_params(&example_params())
            .map(|params| params.encode_to_vec())
            .into_iter()
            .collect(),
        "checkpoint_params" => {
            let params = CheckpointParams {
                confirmation_depth: BtcDepth::new(10),
                finalization_timeout: BtcDepth::new(100),
            };
            vec![encode_checkpoint_params(&params).encode_to_vec()]
        }
        "header_info" => {
            let header = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
            let told = LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(9) };
            vec![encode_header_info(&told, "2").encode_to_vec()]
        }
        "stored_evidence" => vec![encode_stored_evidence(&example::evidence()).encode_to_vec()],
        "chain_error" => errors().iter().map(|row| serde_json::json!(row).to_string().into_bytes()).collect(),
        "wire_text" => {
            let txid = example::checked().staking_txid().to_string();
            let (account, key) = (example::account().to_string(), example::provider_key().to_string());
            let texts =
                [&txid, &account, &key, "30000000000000000", "0.030000000000000000", "12ubbn,3uother"];
            texts.iter().map(|text| text.as_bytes().to_vec()).collect()
        }
        _ => Vec::new(),
    }
}

/// The name as a length and its text, then the bytes.
fn framed((name, digits): (&str, &str)) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
    bytes.extend(name.bytes());
    bytes.extend(hex::decode(digits).unwrap_or_default());
    bytes
}

fn json(event: &RawEvent) -> Vec<u8> {
    serde_json::json!([event.kind, event.attributes]).to_string().into_bytes()
}

fn typed_events() -> Vec<RawEvent> {
    let mut events: Vec<RawEvent> = vec![];
    for line in EVENTS.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ").and_then(|attribute| attribute.split_once(' ')) {
            Some((name, value)) => {
                if let Some(event) = events.last_mut() {
                    event.attributes.push((name.to_owned(), value.to_owned()));
                }
            }
            None => events.push(RawEvent { kind: line.to_owned(), attributes: vec![] }),
        }
    }
    events
}

fn plain_events() -> Vec<RawEvent> {
    let hash = example::checked().staking_txid().to_string();
    let rows: [(&str, &[(&str, &str)]); 5] = [
        ("btc_staking_reward", &[("amount", "12ubbn,3uother")]),
        ("fp_direct_rewards", &[("amount", "12ubbn")]),
        ("validator_direct_rewards", &[("amount", "12ubbn"), ("validator_count", "4")]),
        (
            "mint",
            &[
                ("inflation_rate", "0.055000000000000000"),
                ("annual_provisions", "550000.000000000000000000"),
                ("amount", "174"),
            ],
        ),
        (
            "phantom_stake_expansion_remediated",
            &[("parent_staking_tx_hash", &hash), ("child_staking_tx_hash", &hash)],
        ),
    ];
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let event = |(kind, attributes): &(&str, &[(&str, &str)])| RawEvent {
        kind: (*kind).to_owned(),
        attributes: attributes.iter().map(own).collect(),
    };
    rows.iter().map(event).collect()
}

fn example_params() -> FinalityParams {
    FinalityParams {
        max_active_finality_providers: 60,
        signed_blocks_window: 10_000,
        finality_sig_timeout: 3,
        min_signed_per_window: Decimal::ONE,
        min_pub_rand: 200,
        jail_duration_s: 86_400,
        activation_height: PosHeight::new(26_124),
    }
}

fn errors() -> [(&'static str, u32, &'static str); 4] {
    [
        ("btcstaking", 1110, "already unbonded: the covenant signature is not valid"),
        (
            "sdk",
            6,
            "rpc error: code = Unknown desc = failed to execute message; message index: 0: Block is not found \
             with gas used: '57041': unknown request",
        ),
        ("sdk", 32, "account sequence mismatch, expected 12, got 10: incorrect account sequence"),
        ("", 2, "codespace btcstaking code 1102: the BTC delegation is not found"),
    ]
}

/// A type by its full name: what decodes has one encoding, and prints.
pub fn wire_type(data: &[u8]) -> bool {
    let Some((name, bytes)) = split(data) else { return false };
    let Some(known) = std::str::from_utf8(name).ok().and_then(find_type) else { return false };
    let Ok(decoded) = known.decode(bytes) else { return false };
    assert_eq!(known.decode(&decoded.encoded).as_ref(), Ok(&decoded));
    true
}

/// An event, typed or plain: what decodes encodes to attributes that decode to the same.
pub fn typed_event(data: &[u8]) -> bool {
    let Ok((kind, attributes)) = serde_json::from_slice(data) else { return false };
    let event = RawEvent { kind, attributes };
    match (TypedEvent::decode(&event), PlainEvent::decode(&event)) {
        (Ok(Some(typed)), Ok(None)) => {
            assert_eq!(TypedEvent::decode(&typed.encode()).as_ref(), Ok(&Some(typed)));
            true
        }
        (typed, plain) => {
            assert!(!matches!((&typed, &plain), (Ok(Some(_)), _)), "an event is of one kind");
            matches!(plain, Ok(Some(_)))
        }
    }
}

/// Parameters of finality.
pub fn finality_params(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(params) = decode_finality_params(&wire) else { return false };
    let again = encode_finality_params(&params).and_then(|wire| decode_finality_params(&wire));
    assert_eq!(again.as_ref(), Ok(&params));
    true
}

/// Parameters of checkpoints.
pub fn checkpoint_params(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(params) = decode_checkpoint_params(&wire) else { return false };
    assert_eq!(decode_checkpoint_params(&encode_checkpoint_params(&params)).as_ref(), Ok(&params));
    true
}

/// A header as events and genesis files hold it.
pub fn header_info(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(told) = decode_header_info(&wire) else { return false };
    assert_eq!(told.header.block_hash(), told.hash);
    assert_eq!(decode_header_info(&encode_header_info(&told, "1")).as_ref(), Ok(&told));
    true
}

/// Evidence as events and genesis files hold it: the form of answers says the same.
pub fn stored_evidence(data: &[u8]) -> bool {
    let Ok(wire) = Message::decode(data) else { return false };
    let Ok(evidence) = decode_stored_evidence(&wire) else { return false };
    assert_eq!(decode_stored_evidence(&encode_stored_evidence(&evidence)).as_ref(), Ok(&evidence));
    assert_eq!(decode_evidence(&encode_evidence(&evidence)).as_ref(), Ok(&evidence));
    true
}

/// An error as JSON, `["codespace", code, "log"]`: whatever it says, it means something.
pub fn chain_error(data: &[u8]) -> bool {
    let Ok((codespace, code, log)) = serde_json::from_slice::<(String, u32, String)>(data) else {
        return false;
    };
    let failure = Failure { codespace: &codespace, code, log: &log };
    let _ = classify(&failure);
    let _ = outcome(&failure);
    let named = find_registered(&failure).is_some();
    named || failed_message_index(&log).is_some() || expected_sequence(&failure).is_some()
}

/// Texts of single values: each is read by at most the readers of its form, and printed as it was read.
pub fn wire_text(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut understood = false;
    let mut read = |printed: Option<String>, case: bool| {
        if let Some(printed) = printed {
            assert!(
                printed == text || case && printed.eq_ignore_ascii_case(text),
                "{text} is printed {printed}"
            );
            understood = true;
        }
    };
    read(decode_txid_text("f", text).ok().map(|txid| txid.to_string()), true);
    read(decode_provider_key_text("f", text).ok().map(|key| key.to_string()), true);
    read(decode_account("f", text).ok().map(|account| account.to_string()), true);
    read(decode_decimal("f", text).ok().map(encode_decimal), false);
    read(decode_point_decimal("f", text).ok().map(encode_point_decimal), false);
    read(decode_integer("f", text).ok().map(|number| number.to_string()), false);
    read(decode_u64("f", text).ok().map(|number| number.to_string()), false);
    if let Ok(coins) = decode_coin_text("f", text) {
        let coins: Vec<_> = coins.iter().map(|coin| format!("{}{}", coin.amount, coin.denom)).collect();
        read(Some(coins.join(",")), false);
    }
    understood
}
