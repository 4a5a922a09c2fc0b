//! The application without a node: blocks are executed when told to, with no clock, mempool or socket. For benches, tools
//! and tests that need a state and its rules only.
//!
//! A driver keeps no blocks: a node that goes on from its folder serves none of those that it executed.

use crate::{
    app::{App, BlockInput, Executed, QueryInput},
    error::Broken,
    genesis::Genesis,
    node::{self, StartError},
    state::{Writes, disk::DiskBackend},
};
use btc_staking_store::Store;
use std::path::Path;

/// A chain that stands still between blocks.
pub struct Driver {
    app: App,
}

/// A block that was executed and not committed; dropping it undoes it.
pub struct ExecutedBlock {
    executed: Executed,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxOutcome {
    /// Where the error is registered; empty on success.
    pub codespace: String,
    /// 0 on success.
    pub code: u32,
    /// Why it was refused.
    pub log: String,
    /// Gas used.
    pub gas_used: u64,
}

impl Driver {
    /// Opens the chain in a data folder where it stands, or starts it.
    ///
    /// # Errors
    /// [`StartError`] as for a node.
    pub fn open(data_dir: &Path, genesis: &Genesis) -> Result<Self, StartError> {
        genesis.check()?;
        let store = Store::open_with(data_dir, node::SCHEMA, node::LIMITS)?;
        Ok(Self { app: App::open(Box::new(DiskBackend::new(store)?), genesis)? })
    }

    /// Height of the last committed block.
    pub fn height(&self) -> u64 {
        self.app.height().to_u64()
    }
    /// Hash of the state after it; what the header of the next block carries.
    pub fn app_hash(&self) -> [u8; 32] {
        self.app.app_hash()
    }

    /// Executes the next block, one second after the last.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read or the rules stop the chain.
    pub fn execute(&self, txs: Vec<Vec<u8>>) -> Result<ExecutedBlock, Broken> {
        let height = self.app.height().next();
        let validators = usize::from(height.to_u64() > 1);
        let input = BlockInput { height, time: self.app.time().plus_seconds(1), txs, validators };
        Ok(ExecutedBlock { executed: self.app.finalize_block(&input)? })
    }

    /// Makes an executed block durable.
    ///
    /// # Errors
    /// [`Broken`] when it could not be made durable; the driver is of no use then.
    pub fn commit(&mut self, block: ExecutedBlock) -> Result<(), Broken> {
        self.app.commit(block.executed, &Writes::new())
    }

    /// Writes the committed state down as a genesis document (`wire.md` 10) from which a chain goes on.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read.
    pub fn export(&self) -> Result<serde_json::Value, Broken> {
        self.app.export()
    }

    /// Answers a query about the committed state: the encoded response, or why there is none.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read.
    pub fn query(&self, path: &str, data: &[u8]) -> Result<Result<Vec<u8>, TxOutcome>, Broken> {
        let output = self.app.query(QueryInput { path, data, height: 0 })?;
        Ok(output.answer.map_err(|refusal| TxOutcome {
            codespace: refusal.codespace.to_owned(),
            code: refusal.code,
            log: refusal.log,
            gas_used: 0,
        }))
    }
}

impl ExecutedBlock {
    /// What became of the transactions, in order.
    pub fn outcomes(&self) -> Vec<TxOutcome> {
        let results = self.executed.results.iter();
        results
            .map(|result| TxOutcome {
                codespace: result.codespace.clone(),
                code: result.code,
                log: result.log.clone(),
                gas_used: result.gas_used,
            })
            .collect()
    }
}
