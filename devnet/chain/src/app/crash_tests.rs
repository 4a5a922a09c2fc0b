//! The application killed between any two writes: it comes back at a height with the hash an undisturbed one has there,
//! and goes on to the same end.

use super::{App, BlockInput, BlockTime};
use crate::{
    genesis::{Genesis, GenesisAccount, presets::default_committee},
    load::write::mine,
    state::{Backend, Writes, disk::DiskBackend, memory::MemoryBackend},
};
use bitcoin::{
    consensus::serialize,
    hashes::{Hash, sha256},
};
use btc_staking_babylon::{
    convert::{finality::encode_commitment, possession::encode_possession},
    proto::{
        Any, Coin, Description,
        btclightclient::MsgInsertHeaders,
        btcstaking::{CommissionRates, MsgCreateFinalityProvider},
    },
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_crypto::key::SigningKey;
use btc_staking_protocol::{
    finality::randomness::CommittedRandomness, height::PosHeight, possession::ProofOfPossession,
};
use btc_staking_store::{
    Schema, Store,
    testing::{Cut, open_crashing, open_recorded},
};
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;
use prost::{Message, Name};
use std::path::Path;

const CHAIN: &str = "chain-test";
const SCHEMA: Schema = Schema::new("test", 1);

fn key() -> AccountKey {
    AccountKey::from_secret(&[7; 32]).unwrap()
}

fn me() -> String {
    key().account().bech32().to_owned()
}

fn genesis() -> Genesis {
    let rich = GenesisAccount { address: key().account().clone(), ubbn: 1_000_000_000 };
    Genesis::fast(CHAIN, default_committee(), vec![rich]).unwrap()
}

fn tx<M: Message + Name>(sequence: u64, message: &M) -> Vec<u8> {
    let any = Any { type_url: M::type_url(), value: message.encode_to_vec() };
    let gas = GasAndFee { limit: 5_000_000, fee: 50_000 };
    sign_tx(&key(), CHAIN, AccountState { number: 0, sequence }, vec![any], gas).unwrap().bytes
}

fn headers(count: u32) -> MsgInsertHeaders {
    let mut parent = genesis().bitcoin.header().unwrap();
    let mut mined = vec![];
    for number in 0..count {
        parent = mine(&parent, number, &[]);
        mined.push(serialize(&parent));
    }
    MsgInsertHeaders { signer: me(), headers: mined }
}

fn provider() -> (SigningKey, MsgCreateFinalityProvider) {
    let eots = SigningKey::from_bytes(&[9; 32]).unwrap();
    let digest = sha256::Hash::hash(key().account().bytes()).to_byte_array();
    let possession = ProofOfPossession::Bip340(eots.sign_schnorr(&digest, &[0; 32]));
    let tenth = || "100000000000000000".to_owned();
    let message = MsgCreateFinalityProvider {
        addr: me(),
        description: Some(Description { moniker: "one".into(), ..Default::default() }),
        btc_pk: eots.public_key().serialize().to_vec(),
        pop: Some(encode_possession(&possession)),
        commission: Some(CommissionRates { rate: tenth(), max_rate: tenth(), max_change_rate: tenth() }),
    };
    (eots, message)
}

/// Twelve blocks with something of everything, two of them empty and one transaction refused.
fn script() -> Vec<BlockInput> {
    let (eots, registration) = provider();
    let content = CommittedRandomness { start_height: PosHeight::new(1), count: 100, root: [3; 32] };
    let commitment = encode_commitment(&content.sign(&eots, &[0; 32]), &me());
    let send = |amount: u64| MsgSend {
        from_address: me(),
        to_address: AccountKey::from_secret(&[8; 32]).unwrap().account().bech32().to_owned(),
        amount: vec![Coin { denom: "ubbn".into(), amount: amount.to_string() }],
    };
    let blocks: Vec<Vec<Vec<u8>>> = vec![
        vec![],
        vec![tx(0, &send(1))],
        vec![tx(1, &headers(3)), tx(2, &send(2))],
        vec![tx(3, &registration)],
        vec![tx(4, &commitment), vec![1, 2, 3]],
        vec![tx(5, &send(u64::from(u32::MAX) * 1000))],
        vec![],
        vec![tx(6, &send(4)), tx(7, &send(5)), tx(8, &send(6))],
        vec![tx(9, &headers(3))],
        vec![tx(10, &send(7))],
    ];
    (1u64..)
        .zip(blocks)
        .map(|(height, txs)| BlockInput {
            height: PosHeight::new(height),
            time: BlockTime { seconds: 1_800_000_000 + i64::try_from(height).unwrap(), nanos: 5 },
            txs,
            validators: usize::from(height > 1),
        })
        .collect()
}

/// Executes the blocks above where the application stands; returns the hash after each height from there on.
fn run(app: &mut App, script: &[BlockInput]) -> Vec<(u64, [u8; 32])> {
    let mut hashes = vec![(app.height().to_u64(), app.app_hash())];
    for input in script.iter().filter(|input| input.height > app.height()).cloned().collect::<Vec<_>>() {
        let executed = app.finalize_block(&input).unwrap();
        app.commit(executed, &Writes::new()).unwrap();
        hashes.push((app.height().to_u64(), app.app_hash()));
    }
    hashes
}

fn open(store: Store) -> App {
    let backend: Box<dyn Backend> = Box::new(DiskBackend::new(store).unwrap());
    App::open(backend, &genesis()).unwrap()
}

fn undisturbed(script: &[BlockInput]) -> Vec<(u64, [u8; 32])> {
    run(&mut App::open(Box::new(MemoryBackend::default()), &genesis()).unwrap(), script)
}

fn store_at(path: &Path) -> Store {
    Store::open(path, SCHEMA).unwrap()
}

#[test]
fn memory_and_disk_agree_on_every_hash() {
    let (script, dir) = (script(), tempfile::tempdir().unwrap());
    let expected = undisturbed(&script);
    assert_eq!(run(&mut open(store_at(&dir.path().join("chain"))), &script), expected);
    let distinct: std::collections::BTreeSet<_> = expected.iter().map(|(_, hash)| hash).collect();
    assert_eq!(distinct.len(), script.len() + 1, "every block moves the hash");
}

#[test]
fn the_script_holds_what_succeeds_and_what_is_refused() {
    let mut app = App::open(Box::new(MemoryBackend::default()), &genesis()).unwrap();
    let mut codes = vec![];
    for input in &script() {
        let executed = app.finalize_block(input).unwrap();
        codes.extend(executed.results.iter().map(|result| result.code));
        app.commit(executed, &Writes::new()).unwrap();
    }
    // Garbage is sdk/2, the transfer of more than there is sdk/5, the same headers again btclightclient/1108.
    assert_eq!(codes, [0, 0, 0, 0, 0, 2, 5, 0, 0, 0, 1108, 0]);
}

#[test]
fn killed_at_any_point_of_any_commit_it_goes_on_to_the_same_hashes() {
    let (script, dir) = (script(), tempfile::tempdir().unwrap());
    let expected = undisturbed(&script);
    let (store, images) =
        open_recorded(&dir.path().join("chain"), SCHEMA, &dir.path().join("images")).unwrap();
    run(&mut open(store.clone()), &script);
    // The first commit is the store's own header, the second genesis.
    for commit in 2..=store.commit_count() {
        for cut in Cut::ALL {
            let mut app = open(store_at(&images.path(commit, cut)));
            let at = usize::try_from(app.height().to_u64()).unwrap();
            assert_eq!(run(&mut app, &script), expected[at..], "killed in commit {commit} at {cut:?}");
        }
    }
}

#[test]
fn a_commit_that_fails_stops_the_application_and_loses_nothing() {
    let (script, dir) = (script(), tempfile::tempdir().unwrap());
    let expected = undisturbed(&script);
    for cut in Cut::ALL {
        let path = dir.path().join(format!("{cut:?}"));
        let mut app = open(open_crashing(&path, SCHEMA, 5, cut).unwrap());
        let failed = script.iter().find_map(|input| {
            let executed = app.finalize_block(input).unwrap();
            app.commit(executed, &Writes::new()).err()
        });
        assert!(failed.is_some(), "the commit was to fail at {cut:?}");
        assert!(app.finalize_block(&script[5]).is_err(), "a stopped store answers nothing");
        drop(app);
        let mut again = open(store_at(&path));
        let at = usize::try_from(again.height().to_u64()).unwrap();
        assert_eq!(run(&mut again, &script), expected[at..], "{cut:?}");
    }
}

#[test]
fn data_of_another_genesis_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain");
    drop(open(store_at(&path)));
    let other = Genesis { epoch_interval: 7, ..genesis() };
    let backend = Box::new(DiskBackend::new(store_at(&path)).unwrap());
    assert!(App::open(backend, &other).is_err());
}

#[test]
fn past_heights_answer_as_they_did() {
    use super::QueryInput;
    use btc_staking_babylon::proto::{QueryBalanceRequest, QueryBalanceResponse};
    let script = script();
    let mut app = App::open(Box::new(MemoryBackend::default()), &genesis()).unwrap();
    let to = AccountKey::from_secret(&[8; 32]).unwrap().account().bech32().to_owned();
    let data = QueryBalanceRequest { address: to, denom: "ubbn".into() }.encode_to_vec();
    let ask = |app: &App, height| {
        let path = "/cosmos.bank.v1beta1.Query/Balance";
        let output = app.query(QueryInput { path, data: &data, height }).unwrap();
        let coin = QueryBalanceResponse::decode(output.answer.ok()?.as_slice()).unwrap().balance.unwrap();
        Some(coin.amount.parse::<u64>().unwrap())
    };
    let mut seen = vec![ask(&app, 0)];
    for input in &script {
        let executed = app.finalize_block(input).unwrap();
        app.commit(executed, &Writes::new()).unwrap();
        seen.push(ask(&app, 0));
    }
    assert_eq!(seen.last(), Some(&Some(1 + 2 + 4 + 5 + 6 + 7)));
    for (height, seen) in (0..).zip(seen).skip(1) {
        assert_eq!(ask(&app, height), seen, "height {height}");
    }
    assert_eq!(ask(&app, 11), None, "the future is not known");
}
