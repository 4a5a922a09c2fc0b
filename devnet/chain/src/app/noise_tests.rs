//! Bytes that nobody meant: as transactions, as messages properly signed, as queries. Nothing panics, and a block that
//! holds them leaves the same state whoever executes it.

use super::{App, BlockInput, BlockTime, QueryInput, bank, check_transaction_form, query::tests::LIST_PATHS};
use crate::{
    genesis::{Genesis, GenesisAccount, presets::default_committee},
    state::{Meter, Order, State, Writes, memory::MemoryBackend},
    wire::schema,
};
use btc_staking_babylon::{
    proto::{Any, BaseAccount, Query, QueryAccountRequest, QueryAccountResponse},
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_protocol::height::PosHeight;
use proptest::prelude::*;
use prost::Message;

const CHAIN: &str = "chain-test";

fn key() -> AccountKey {
    AccountKey::from_secret(&[7; 32]).unwrap()
}

fn app() -> App {
    let rich = GenesisAccount { address: key().account().clone(), ubbn: 1_000_000_000_000 };
    let genesis = Genesis::fast(CHAIN, default_committee(), vec![rich]).unwrap();
    App::open(Box::new(MemoryBackend::default()), &genesis).unwrap()
}

/// Executes transactions in a block of their own, twice; both must agree.
fn execute(app: &mut App, txs: Vec<Vec<u8>>) {
    let input = BlockInput {
        height: app.height().next(),
        time: BlockTime { seconds: 1_900_000_000, nanos: 0 },
        txs,
        validators: 1,
    };
    let (first, second) = (app.finalize_block(&input).unwrap(), app.finalize_block(&input).unwrap());
    assert_eq!((first.app_hash, &first.results), (second.app_hash, &second.results));
    app.commit(first, &Writes::new()).unwrap();
    assert_no_coin_is_lost(app);
}

/// The balances add up to the supply, which never shrinks.
fn assert_no_coin_is_lost(app: &App) {
    let meter = Meter::unlimited();
    let state = State::new(app.backend(), &meter);
    let balances = bank::BALANCES.scan(&state, Order::Ascending).map(|entry| entry.unwrap().1);
    let (sum, supply) = (balances.sum::<u64>(), bank::supply(&state).unwrap());
    assert_eq!(sum, supply);
    assert!(supply >= 1_000_000_000_000);
}

fn state(app: &App) -> AccountState {
    let request = QueryAccountRequest { address: key().account().bech32().to_owned() };
    let data = request.encode_to_vec();
    let output = app.query(QueryInput { path: QueryAccountRequest::PATH, data: &data, height: 0 }).unwrap();
    let answer = QueryAccountResponse::decode(output.answer.unwrap().as_slice()).unwrap();
    let base = BaseAccount::decode(answer.account.unwrap().value.as_slice()).unwrap();
    AccountState { number: base.account_number, sequence: base.sequence }
}

/// A field of a message: its number, and bytes or a number for content.
#[derive(Debug, Clone)]
enum Content {
    Bytes(Vec<u8>),
    Number(u64),
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Content::Bytes(key().account().bech32().as_bytes().to_vec())),
        Just(Content::Bytes("00".repeat(32).into_bytes())),
        Just(Content::Bytes(vec![7; 32])),
        Just(Content::Bytes(vec![1; 64])),
        Just(Content::Bytes(vec![2; 65])),
        Just(Content::Bytes(vec![0; 80])),
        proptest::collection::vec(any::<u8>(), 0..90).prop_map(Content::Bytes),
        any::<u64>().prop_map(Content::Number),
    ]
}

fn encode(fields: &[(u32, Content)]) -> Vec<u8> {
    let mut bytes = vec![];
    for (number, content) in fields {
        match content {
            Content::Bytes(content) => prost::encoding::bytes::encode(*number, content, &mut bytes),
            Content::Number(value) => prost::encoding::uint64::encode(*number, value, &mut bytes),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_transaction_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = check_transaction_form(&bytes);
        execute(&mut app(), vec![bytes]);
    }

    #[test]
    fn signed_messages_of_random_fields_are_executed_or_refused(
        kind in 0..schema::messages().count(),
        fields in proptest::collection::vec((1u32..18, content()), 0..16),
    ) {
        let mut app = app();
        let name = schema::messages().nth(kind).unwrap().name;
        let message = Any { type_url: format!("/{name}"), value: encode(&fields) };
        let gas = GasAndFee { limit: 5_000_000, fee: 50_000 };
        let signed = sign_tx(&key(), CHAIN, state(&app), vec![message], gas).unwrap();
        execute(&mut app, vec![signed.bytes]);
        execute(&mut app, vec![]);
    }

    #[test]
    fn any_request_of_any_query_is_answered(
        fields in proptest::collection::vec((1u32..4, content()), 0..4),
        noise in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut app = app();
        execute(&mut app, vec![]);
        let listed = app.query(QueryInput { path: LIST_PATHS, data: &[], height: 0 }).unwrap().answer.unwrap();
        let paths = String::from_utf8(listed).unwrap();
        prop_assert!(paths.split(' ').count() > 40);
        for path in paths.split(' ').chain(["/cosmos.tx.v1beta1.Service/Simulate"]) {
            for data in [encode(&fields), noise.clone(), vec![]] {
                app.query(QueryInput { path, data: &data, height: 0 }).unwrap();
            }
        }
        prop_assert_eq!(app.height(), PosHeight::new(1));
    }
}
