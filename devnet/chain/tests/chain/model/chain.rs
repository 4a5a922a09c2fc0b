//! The embedded chain without a node, and its blocks once more on a second one.

use super::super::support::{CHAIN, GAS, account, address};
use btc_staking_babylon::{
    proto::{Any, BaseAccount, Query, QueryAccountRequest},
    tx::{AccountState, GasAndFee, sign_tx},
};
use btc_staking_devnet_chain::{Driver, Genesis, TxOutcome};
use prost::Message;
use std::collections::BTreeSet;

/// A chain that grows when told to.
pub struct Chain {
    genesis: Genesis,
    driver: Driver,
    /// Transactions of every block, and the hash of the state after it.
    blocks: Vec<(Vec<Vec<u8>>, [u8; 32])>,
    waiting: Vec<Vec<u8>>,
    /// Accounts that send one of those.
    busy: BTreeSet<String>,
    _dir: tempfile::TempDir,
}

impl Chain {
    pub fn start(genesis: Genesis) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let driver = Driver::open(dir.path(), &genesis).unwrap();
        Self { genesis, driver, blocks: vec![], waiting: vec![], busy: BTreeSet::new(), _dir: dir }
    }

    pub fn query<Q: Query>(&self, request: Q) -> Result<Q::Response, TxOutcome> {
        let answer = self.driver.query(Q::PATH, &request.encode_to_vec()).unwrap()?;
        Ok(Q::Response::decode(answer.as_slice()).unwrap())
    }

    /// Whether an account sends nothing in this block yet.
    pub fn is_free(&self, label: &str) -> bool {
        !self.busy.contains(label)
    }

    /// Puts a transaction into the next block. An account sends one of them.
    pub fn send(&mut self, label: &str, message: Any) {
        assert!(self.busy.insert(label.to_owned()), "{label} sends two transactions");
        let found = self.query(QueryAccountRequest { address: address(label) }).unwrap();
        let base = BaseAccount::decode(found.account.unwrap().value.as_slice()).unwrap();
        let state = AccountState { number: base.account_number, sequence: base.sequence };
        let gas = GasAndFee { limit: GAS, fee: 50_000 };
        self.waiting.push(sign_tx(&account(label), CHAIN, state, vec![message], gas).unwrap().bytes);
    }

    /// Puts bytes into the next block.
    pub fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.waiting.push(bytes);
    }

    /// Executes the next block; returns what became of its transactions.
    pub fn execute(&mut self) -> Vec<TxOutcome> {
        self.busy.clear();
        let txs = std::mem::take(&mut self.waiting);
        let block = self.driver.execute(txs.clone()).unwrap();
        let outcomes = block.outcomes();
        self.driver.commit(block).unwrap();
        self.blocks.push((txs, self.driver.app_hash()));
        outcomes
    }

    /// Hash of the state: what the header of the next block carries.
    pub fn app_hash(&self) -> [u8; 32] {
        self.driver.app_hash()
    }

    /// The same blocks on another machine, which is restarted half-way, lead to the same states.
    pub fn assert_others_agree(&self) {
        let dir = tempfile::tempdir().unwrap();
        let mut other = Driver::open(dir.path(), &self.genesis).unwrap();
        for (number, (txs, app_hash)) in self.blocks.iter().enumerate() {
            if number == self.blocks.len() / 2 {
                drop(other);
                other = Driver::open(dir.path(), &self.genesis).unwrap();
            }
            let block = other.execute(txs.clone()).unwrap();
            other.commit(block).unwrap();
            assert_eq!(other.app_hash(), *app_hash, "height {}", number + 1);
        }
    }
}
