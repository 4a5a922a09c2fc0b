//! Executing blocks that somebody else made, without a door: whoever has the blocks can hold their app hashes against
//! the rules.

use crate::{
    app::{App, BlockInput, BlockTime},
    error::Broken,
    genesis::Genesis,
    node::{LIMITS, StartError},
    state::{Writes, disk::DiskBackend},
};
use btc_staking_store::{Schema, Store};
use std::path::Path;

/// Name and version of the data directory's tables.
const SCHEMA: Schema = Schema::new("devnet-chain-replay", 1);

/// A chain that grows by given blocks.
pub struct Replay(App);

impl Replay {
    /// Starts from a genesis, or goes on where `data_dir` stands.
    ///
    /// # Errors
    /// [`StartError`] when the genesis or the data cannot be used.
    pub fn start(genesis: &Genesis, data_dir: &Path) -> Result<Self, StartError> {
        genesis.check()?;
        let store = Store::open_with(data_dir, SCHEMA, LIMITS)?;
        Ok(Self(App::open(Box::new(DiskBackend::new(store)?), genesis)?))
    }

    /// Height of the last block; 0 before the first.
    pub fn height(&self) -> u64 {
        self.0.height().to_u64()
    }
    /// Hash of the state after that block: what the header of the next one must hold.
    pub fn app_hash(&self) -> [u8; 32] {
        self.0.app_hash()
    }

    /// Executes the next block and makes it durable. `time` is its header's, in seconds and nanoseconds since 1970.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read or written or the rules stop the chain.
    pub fn execute(&mut self, (seconds, nanos): (i64, u32), txs: Vec<Vec<u8>>) -> Result<[u8; 32], Broken> {
        let (height, time) = (self.0.height().next(), BlockTime { seconds, nanos });
        // How many there were only shows in an event.
        let validators = usize::from(height.to_u64() > 1);
        let executed = self.0.finalize_block(&BlockInput { height, time, txs, validators })?;
        self.0.commit(executed, &Writes::new())?;
        Ok(self.app_hash())
    }
}
