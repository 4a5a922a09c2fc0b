//! A state goes out as a document and comes back the same, record for record.

use crate::{
    app::{App, BlockInput, TxResult, light_client},
    genesis::{Genesis, InvalidGenesis, presets::default_committee},
    load::{LoadKeys, LoadPlan, Mix, Signatures, generate},
    node,
    state::{KeyRange, Meter, Order, State, Writes, disk::DiskBackend, memory::MemoryBackend},
};
use bitcoin::{block::Header, consensus};
use btc_staking_babylon::{
    convert::finality::encode_vote,
    proto::{Any, btclightclient::MsgInsertHeaders, incentive::MsgSetWithdrawAddress},
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_crypto::{
    merkle::Tree,
    nonce::{Scheme, derive, public_randomness},
};
use btc_staking_protocol::{
    finality::vote::{SignedVote, VoteMessage},
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};
use btc_staking_store::Store;
use prost::{Message, Name};
use std::{collections::BTreeMap, num::NonZeroUsize};

const CHAIN: &str = "chain-load";
const PROVIDERS: u32 = 3;

/// A chain with stakes in every status, blocks that were voted for, and a finality provider that voted twice.
struct Lived {
    app: App,
    start: u64,
    sequences: BTreeMap<String, u64>,
    accounts: Vec<String>,
    _dir: tempfile::TempDir,
}

impl Lived {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let genesis = Genesis::fast(CHAIN, default_committee(), vec![]).unwrap();
        let mix = Mix { pending: 1, verified: 1, active: 3, unbonded: 1, expired: 1 };
        let plan =
            LoadPlan { stakers: 5, mix, signatures: Signatures::Copied, ..LoadPlan::new(PROVIDERS, 40, 3) };
        let generated = generate(&plan, genesis, dir.path(), &mut |_| {}).unwrap();
        let json = std::fs::read_to_string(dir.path().join("genesis.json")).unwrap();
        let genesis = Genesis::from_json(&json).unwrap();
        let store = Store::open_with(&dir.path().join("chain"), node::SCHEMA, node::LIMITS).unwrap();
        let app = App::open(Box::new(DiskBackend::new(store).unwrap()), &genesis).unwrap();
        let accounts = genesis.accounts.iter().map(|account| account.address.to_string()).collect();
        let mut lived =
            Self { app, start: generated.height + 1, sequences: BTreeMap::new(), accounts, _dir: dir };
        lived.live();
        lived
    }

    fn live(&mut self) {
        let keys = LoadKeys::new(3);
        let mut hashes = vec![self.app.app_hash()];
        self.block(vec![]);
        for round in 0..6u8 {
            let height = self.app.height().to_u64();
            let honest = *hashes.last().unwrap();
            // The third stays away from some blocks, so that something is missed.
            let voters = (0..PROVIDERS).filter(|number| match number {
                1 => round < 5,
                2 => round % 2 == 0,
                _ => true,
            });
            let mut txs: Vec<_> = voters.map(|number| self.vote(number, height, honest)).collect();
            if round == 4 {
                txs.push(self.vote(1, height, [7; 32]));
            }
            if round == 2 {
                let reporter = keys.reporter(0);
                let other = keys.reporter(1).account().bech32().to_owned();
                let me = reporter.account().bech32().to_owned();
                let message = MsgSetWithdrawAddress { delegator_address: me, withdraw_address: other };
                txs.push(self.sign(&reporter, &message));
            }
            if round == 3 {
                let reporter = keys.reporter(0);
                let signer = reporter.account().bech32().to_owned();
                let message = MsgInsertHeaders { signer, headers: self.reorg() };
                txs.push(self.sign(&reporter, &message));
            }
            hashes.push(self.app.app_hash());
            for result in self.block(txs) {
                assert_eq!(result.code, 0, "{}", result.log);
            }
        }
    }

    /// Two headers that take the place of the last one.
    fn reorg(&self) -> Vec<Vec<u8>> {
        let meter = Meter::unlimited();
        let state = State::new(self.app.backend(), &meter);
        let tip = light_client::tip_height(&state).unwrap().checked_sub(1).unwrap();
        let first = header_on(&light_client::at(&state, tip).unwrap().unwrap().header, 601);
        let second = header_on(&first, 600);
        [first, second].iter().map(consensus::serialize).collect()
    }

    fn vote(&mut self, number: u32, height: u64, app_hash: [u8; 32]) -> Vec<u8> {
        let keys = LoadKeys::new(3);
        let key = keys.provider(number);
        let values =
            public_randomness(&key, Scheme::V1, CHAIN.as_bytes(), self.start, 1000, NonZeroUsize::MIN);
        let values = values.unwrap();
        let index = usize::try_from(height - self.start).unwrap();
        let message = VoteMessage { height: PosHeight::new(height), app_hash };
        let nonce = derive(&key, Scheme::V1, CHAIN.as_bytes(), height);
        let vote = SignedVote {
            finality_provider: FinalityProviderPublicKey::new(*key.public_key()),
            message,
            public_randomness: values[index],
            proof: Tree::build(&values).proof(index).unwrap(),
            signature: key.sign(nonce, &message.to_bytes()).unwrap(),
        };
        let account = keys.provider_account(number);
        let message = encode_vote(&vote, account.account().bech32()).unwrap();
        self.sign(&account, &message)
    }

    fn sign<M: Message + Name>(&mut self, key: &AccountKey, message: &M) -> Vec<u8> {
        let address = key.account().to_string();
        let number = self.accounts.iter().position(|known| *known == address).unwrap();
        let sequence = self.sequences.entry(address).or_default();
        let state = AccountState { number: u64::try_from(number).unwrap(), sequence: *sequence };
        *sequence += 1;
        let any = Any { type_url: M::type_url(), value: message.encode_to_vec() };
        sign_tx(key, CHAIN, state, vec![any], GasAndFee { limit: 500_000, fee: 1_000 }).unwrap().bytes
    }

    fn block(&mut self, txs: Vec<Vec<u8>>) -> Vec<TxResult> {
        next_block(&mut self.app, txs)
    }
}

fn next_block(app: &mut App, txs: Vec<Vec<u8>>) -> Vec<TxResult> {
    let input =
        BlockInput { height: app.height().next(), time: app.time().plus_seconds(60), validators: 1, txs };
    let executed = app.finalize_block(&input).unwrap();
    let results = executed.results.clone();
    app.commit(executed, &Writes::new()).unwrap();
    results
}

/// Every record but the one that says where the state stands, whose hash is that of a way and not of a state.
fn records(app: &App) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let all = app.backend().scan(&KeyRange::prefix(&[]), Order::Ascending).map(Result::unwrap);
    all.filter(|(key, _)| key != b"00").collect()
}

/// The keys whose records differ, in hex behind the name of their table.
fn different(a: &BTreeMap<Vec<u8>, Vec<u8>>, b: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differ = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    let show = |key: &Vec<u8>| format!("{} {}", String::from_utf8_lossy(&key[..2]), hex::encode(&key[2..]));
    differ.map(show).collect()
}

fn reopened(document: &serde_json::Value) -> App {
    let genesis = Genesis::from_json(&document.to_string()).unwrap();
    App::open(Box::new(MemoryBackend::default()), &genesis).unwrap()
}

#[test]
fn an_exported_state_is_imported_record_for_record_and_goes_on_the_same_way() {
    let mut lived = Lived::new();
    let document = lived.app.export().unwrap();
    let mut again = reopened(&document);
    assert_eq!((again.height(), again.time()), (lived.app.height(), lived.app.time()));
    assert_eq!(different(&records(&again), &records(&lived.app)), Vec::<String>::new());
    assert_eq!(again.export().unwrap(), document);

    let keys = LoadKeys::new(3);
    let header = MsgInsertHeaders {
        signer: keys.reporter(0).account().bech32().to_owned(),
        headers: vec![next_header(&document)],
    };
    let txs = vec![lived.sign(&keys.reporter(0), &header)];
    for txs in [txs, vec![], vec![], vec![], vec![]] {
        let expected = next_block(&mut lived.app, txs.clone());
        assert!(expected.iter().all(|result| result.code == 0), "{expected:?}");
        assert_eq!(next_block(&mut again, txs), expected);
        // Indexed blocks, epochs and checkpoints hold app hashes, and that of an imported state is another.
        let (mut ours, mut theirs) = (records(&lived.app), records(&again));
        for records in [&mut ours, &mut theirs] {
            records.retain(|key, _| ![b"fb", b"ee", b"ek"].contains(&&[key[0], key[1]]));
        }
        assert_eq!(different(&theirs, &ours), Vec::<String>::new());
    }
}

fn header_on(parent: &Header, seconds: u32) -> Header {
    let (prev_blockhash, time) = (parent.block_hash(), parent.time + seconds);
    let mut header = Header { prev_blockhash, time, nonce: 0, ..*parent };
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce += 1;
    }
    header
}

/// A header on top of the document's last one.
fn next_header(document: &serde_json::Value) -> Vec<u8> {
    let headers = document["app_state"]["btclightclient"]["btc_headers"].as_array().unwrap();
    let tip = hex::decode(headers.last().unwrap()["header"].as_str().unwrap()).unwrap();
    let tip: Header = consensus::deserialize(&tip).unwrap();
    consensus::serialize(&header_on(&tip, 600))
}

#[test]
fn the_state_that_is_compared_holds_something_of_every_table() {
    let lived = Lived::new();
    let tables: std::collections::BTreeSet<String> =
        records(&lived.app).keys().map(|key| String::from_utf8_lossy(&key[..2]).into_owned()).collect();
    for table in
        ["aa", "ba", "lh", "ee", "sf", "sd", "sp", "sc", "se", "fc", "fv", "fr", "fe", "fb", "fw", "fd"]
    {
        assert!(tables.contains(table), "nothing of {table} in {tables:?}");
    }
    for table in ["fs", "fm", "ic", "it", "ir", "iw", "lr", "et", "ek", "ct", "mm"] {
        assert!(tables.contains(table), "nothing of {table} in {tables:?}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_by_their_path() {
    let document = Lived::new().app.export().unwrap();
    let cases: Vec<(&str, serde_json::Value, &str)> = vec![
        (
            "/app_state/btcstaking/params/0/covenant_quorum",
            (-1).into(),
            "btcstaking.params[0].covenant_quorum",
        ),
        ("/app_state/btcstaking/params/0/slashing_rate", "2".into(), "btcstaking.params[0]"),
        (
            "/app_state/btcstaking/btc_delegations/1/staking_tx",
            "AAAA".into(),
            "btc_delegations[1].staking_tx",
        ),
        (
            "/app_state/btcstaking/btc_delegations/1/params_version",
            9.into(),
            "btc_delegations[1].params_version",
        ),
        ("/app_state/btcstaking/btc_delegations/1/btc_pk", "00".into(), "btc_delegations[1].btc_pk"),
        ("/app_state/btcstaking/btc_delegations/0/total_sat", "1.5".into(), "btc_delegations[0].total_sat"),
        ("/app_state/btcstaking/finality_providers/0/addr", "bbn1x".into(), "finality_providers[0].addr"),
        ("/app_state/btcstaking/finality_providers/0/jailed", "no".into(), "finality_providers[0].jailed"),
        ("/app_state/btclightclient/btc_headers/3/height", 9.into(), "btc_headers[3].height"),
        ("/app_state/btclightclient/btc_headers/3/work", "1".into(), "btc_headers[3].work"),
        ("/app_state/finality/params/finality_sig_timeout", "0".into(), "finality_sig_timeout"),
        ("/app_state/finality/vote_sigs/0/fp_btc_pk", "11".repeat(32).into(), "vote_sigs[0].fp_btc_pk"),
        ("/app_state/btccheckpoint/params/checkpoint_tag", "01".into(), "checkpoint_tag"),
        ("/app_state/bank/supply/0/amount", "1".into(), "bank.supply"),
        ("/app_state/auth/accounts/0/sequence", 5.into(), "auth.accounts[0]"),
        ("/app_state/mint/minter/inflation_rate", "five".into(), "mint.minter.inflation_rate"),
        (
            "/app_state/incentive/btc_delegation_rewards_trackers/0/tracker/start_period_cumulative_reward",
            "99".into(),
            "btc_delegation_rewards_trackers[0].tracker.start_period_cumulative_reward",
        ),
        ("/genesis_time", "yesterday".into(), "genesis_time"),
        ("/initial_height", "0".into(), "initial_height"),
        ("/devnet/bitcoin_network", "moonnet".into(), "devnet"),
    ];
    for (pointer, value, path) in cases {
        let mut changed = document.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        let refused = Genesis::from_json(&changed.to_string()).unwrap_err();
        assert!(refused.to_string().contains(path), "{pointer}: {refused}");
    }
    let mut unknown = document.clone();
    unknown["app_state"]["finality"]["params"]["colour"] = "red".into();
    let refused = Genesis::from_json(&unknown.to_string()).unwrap_err();
    assert!(
        matches!(&refused, InvalidGenesis::Value { path, .. } if path == "finality.params.colour"),
        "{refused}"
    );
    let mut missing = document;
    missing["app_state"].as_object_mut().unwrap().remove("mint");
    assert!(Genesis::from_json(&missing.to_string()).unwrap_err().to_string().contains("app_state.mint"));
}
