//! The application: Babylon's rules as a deterministic state machine behind the calls of ABCI 2.0.
//!
//! | call | what it does | touches |
//! |---|---|---|
//! | [`App::check_tx`] | admits a transaction to the mempool | the pending layer |
//! | [`App::finalize_block`] | executes a block | nothing; returns what it would write |
//! | [`App::commit`] | makes an executed block durable with its height | the backend, in one piece |
//! | [`App::query`] | answers `abci_query`, simulation included | nothing |
//!
//! A door (the single-process node, or ABCI for a real CometBFT) drives it; the application knows no socket and no
//! clock. Block time and header app hash come with the block. Whoever executes the same blocks from the same genesis
//! has the same app hash at every height.

mod ante;
mod auth;
mod bank;
pub(crate) mod block;
mod context;
mod costaking;
#[cfg(test)]
mod crash_tests;
mod decimal;
mod distribution;
pub(crate) mod epochs;
mod execute;
mod feegrant;
pub(crate) mod finality;
mod founding;
mod governance;
pub(crate) mod incentive;
pub(crate) mod light_client;
mod mint;
#[cfg(test)]
mod noise_tests;
mod page;
mod query;
pub(crate) mod restore;
mod router;
pub(crate) mod staking;
mod tx;

pub(crate) use auth::module_address;
pub(crate) use context::{BlockTime, PREFIX, Purpose, parse_account};
pub(crate) use execute::{Checked, TxForm, TxResult, tx_form};
pub(crate) use founding::Founding;
pub(crate) use tx::tx_hash;

use crate::{
    error::{Broken, Failure, Refusal, sdk},
    event::Event,
    genesis::{Genesis, document},
    state::{Backend, KeyRange, Meter, Order, State, Table, Writes, app_hash},
};
use btc_staking_protocol::height::PosHeight;
use context::{BlockInfo, ChainInfo};
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Bytes that are no transaction the chain would look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bytes are no transaction: {0}")]
pub struct MalformedTransaction(String);

/// Checks that bytes are a transaction with messages of the form the chain asks for, as far as that needs no state. For
/// tools and fuzz targets.
///
/// # Errors
/// [`MalformedTransaction`] with the chain's own words.
pub fn check_transaction_form(bytes: &[u8]) -> Result<(), MalformedTransaction> {
    execute::decode(bytes).map(|_| ()).map_err(|failure| match failure {
        Failure::Refused(refusal) => MalformedTransaction(refusal.log),
        Failure::Broken(broken) => MalformedTransaction(broken.to_string()),
    })
}

/// Where the committed state stands. Written with every block, outside the hashed state.
#[derive(Clone, PartialEq, Message)]
struct Position {
    #[prost(uint64, tag = "1")]
    height: u64,
    #[prost(bytes = "vec", tag = "2")]
    app_hash: Vec<u8>,
    #[prost(int64, tag = "3")]
    seconds: i64,
    #[prost(uint32, tag = "4")]
    nanos: u32,
    /// SHA-256 of the genesis the chain started from.
    #[prost(bytes = "vec", tag = "5")]
    genesis: Vec<u8>,
}

const POSITION: Table<(), Position> = Table::new("00");

/// What the application calls itself.
pub(crate) const NAME: &str = "btc-staking devnet chain";
/// Path of the query that answers with the latest state as a genesis document, in JSON. Not one of the reference.
pub const EXPORT_PATH: &str = "/btc_staking.devnet.v1.Query/ExportGenesis";
/// Most delegations that such an answer holds.
const MAX_EXPORTED: u64 = 5_000;

/// How many past heights can be queried.
const KEPT_HEIGHTS: usize = 100;

/// The application over a backend.
pub(crate) struct App {
    backend: Box<dyn Backend>,
    chain: ChainInfo,
    genesis_hash: [u8; 32],
    height: PosHeight,
    app_hash: [u8; 32],
    time: BlockTime,
    pending: Writes,
    /// What recent blocks overwrote, newest last.
    overwritten: VecDeque<Writes>,
}

/// A block to execute.
#[derive(Debug, Clone)]
pub(crate) struct BlockInput {
    pub(crate) height: PosHeight,
    pub(crate) time: BlockTime,
    pub(crate) txs: Vec<Vec<u8>>,
    /// Validators of the commit in this block; none in the first.
    pub(crate) validators: usize,
}

/// A block that was executed but not committed.
#[derive(Debug, Clone)]
pub(crate) struct Executed {
    pub(crate) height: PosHeight,
    pub(crate) time: BlockTime,
    pub(crate) results: Vec<TxResult>,
    pub(crate) events: Vec<Event>,
    /// Hash of the state after this block.
    pub(crate) app_hash: [u8; 32],
    writes: Writes,
}

/// What a query was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryOutput {
    /// Encoded response, or why there is none.
    pub(crate) answer: query::Answer,
    /// Height of the state that was read.
    pub(crate) height: u64,
}

/// A query and the height it asks about; 0 for the latest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryInput<'a> {
    pub(crate) path: &'a str,
    pub(crate) data: &'a [u8],
    pub(crate) height: u64,
}

impl App {
    /// Opens the application where the backend stands, writing the genesis state into an empty one.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read, or was started from another genesis.
    pub(crate) fn open(backend: Box<dyn Backend>, genesis: &Genesis) -> Result<Self, Broken> {
        let mut app = Self {
            backend,
            chain: ChainInfo {
                chain_id: genesis.chain_id.as_str().into(),
                network: genesis.bitcoin.network,
                rules: genesis.rules,
                authority: genesis.authority.bech32().into(),
            },
            genesis_hash: hash_genesis(genesis)?,
            height: PosHeight::new(0),
            app_hash: [0; 32],
            time: BlockTime { seconds: genesis.genesis_time, nanos: 0 },
            pending: Writes::new(),
            overwritten: VecDeque::new(),
        };
        let position = app.position()?;
        match position {
            Some(position) => app.resume(&position)?,
            None => {
                check_empty(&*app.backend)?;
                app.init(genesis)?;
            }
        }
        Ok(app)
    }

    /// Height of the last committed block; 0 before the first.
    pub(crate) fn height(&self) -> PosHeight {
        self.height
    }
    /// Hash of the state after that block.
    pub(crate) fn app_hash(&self) -> [u8; 32] {
        self.app_hash
    }
    /// Time of that block.
    pub(crate) fn time(&self) -> BlockTime {
        self.time
    }
    /// The backend, for the door's own records.
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    fn position(&self) -> Result<Option<Position>, Broken> {
        let meter = Meter::unlimited();
        only_broken(POSITION.get(&State::new(&*self.backend, &meter), &()))
    }

    fn resume(&mut self, position: &Position) -> Result<(), Broken> {
        if position.genesis != self.genesis_hash {
            return Err(Broken::OtherGenesis);
        }
        let corrupt = || Broken::Corrupt { table: "00", reason: "app hash has not 32 bytes".into() };
        self.height = PosHeight::new(position.height);
        self.app_hash = position.app_hash.as_slice().try_into().map_err(|_| corrupt())?;
        self.time = BlockTime { seconds: position.seconds, nanos: position.nanos };
        Ok(())
    }

    fn init(&mut self, genesis: &Genesis) -> Result<(), Broken> {
        let meter = Meter::unlimited();
        let mut state = State::new(&*self.backend, &meter);
        only_broken(block::init(&mut state, genesis))?;
        let writes = state.into_writes();
        let (height, time) = match &genesis.imported {
            Some(imported) => (imported.initial_height.saturating_sub(1), imported.time),
            None => (0, self.time),
        };
        let app_hash = app_hash::next(&self.genesis_hash, height, &writes);
        self.write(writes, &Writes::new(), PosHeight::new(height), time, app_hash)
    }

    fn block_info(&self, height: PosHeight, time: BlockTime) -> BlockInfo {
        BlockInfo { chain: self.chain.clone(), height, time, app_hash: self.app_hash, validators: 0 }
    }

    /// The block that comes next, at the time of the last one: what the mempool and simulation assume.
    fn next_block(&self) -> BlockInfo {
        self.block_info(self.height.next(), self.time)
    }

    /// Looks at a transaction for the mempool.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read; refusals are results.
    pub(crate) fn check_tx(&mut self, bytes: &[u8], purpose: Purpose) -> Result<Checked, Broken> {
        let meter = Meter::unlimited();
        let block = self.next_block();
        let mut state = State::resume(&*self.backend, std::mem::take(&mut self.pending), &meter);
        let checked = execute::check(&mut state, &block, bytes, purpose);
        self.pending = state.into_writes();
        checked
    }

    /// Looks at a transaction as for the mempool, and keeps nothing of it.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read; refusals are results.
    pub(crate) fn look_at(&self, bytes: &[u8]) -> Result<Checked, Broken> {
        let meter = Meter::unlimited();
        let mut state = State::resume(&*self.backend, self.pending.clone(), &meter);
        execute::check(&mut state, &self.next_block(), bytes, Purpose::Check)
    }

    /// Executes a block on top of the committed state. Changes nothing.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read or the rules stop the chain.
    pub(crate) fn finalize_block(&self, input: &BlockInput) -> Result<Executed, Broken> {
        let meter = Meter::unlimited();
        let info = BlockInfo { validators: input.validators, ..self.block_info(input.height, input.time) };
        let mut state = State::new(&*self.backend, &meter);
        let mut events = only_broken(block::begin(&mut state, &info))?;
        let results = input.txs.iter().map(|tx| execute::deliver(&mut state, &info, tx));
        let results = results.collect::<Result<Vec<_>, _>>()?;
        events.extend(only_broken(block::end(&mut state, &info))?);
        let writes = state.into_writes();
        let app_hash = app_hash::next(&self.app_hash, input.height.to_u64(), &writes);
        Ok(Executed { height: input.height, time: input.time, results, events, app_hash, writes })
    }

    /// Makes an executed block durable, together with what the door wants to keep about it.
    ///
    /// # Errors
    /// [`Broken`] when it could not be made durable; the node has to stop then.
    pub(crate) fn commit(&mut self, executed: Executed, door: &Writes) -> Result<(), Broken> {
        let Executed { height, time, app_hash, writes, .. } = executed;
        let before = self.values_before(&writes)?;
        self.write(writes, door, height, time, app_hash)?;
        self.overwritten.push_back(before);
        if self.overwritten.len() > KEPT_HEIGHTS {
            self.overwritten.pop_front();
        }
        Ok(())
    }

    /// Makes what the door wants to keep durable without a block.
    ///
    /// # Errors
    /// [`Broken`] when it could not be made durable.
    pub(crate) fn keep(&mut self, door: &Writes) -> Result<(), Broken> {
        self.backend.commit(&Writes::new(), door)
    }

    fn write(
        &mut self,
        mut writes: Writes,
        door: &Writes,
        height: PosHeight,
        time: BlockTime,
        app_hash: [u8; 32],
    ) -> Result<(), Broken> {
        let (key, position) = position_write(height, time, app_hash, self.genesis_hash);
        writes.insert(key, Some(position));
        self.backend.commit(&writes, door)?;
        self.height = height;
        self.time = time;
        self.app_hash = app_hash;
        self.pending.clear();
        Ok(())
    }

    fn values_before(&self, writes: &Writes) -> Result<Writes, Broken> {
        writes.keys().map(|key| Ok((key.clone(), self.backend.get(key)?))).collect()
    }

    /// Answers a query; the height it was answered at comes with it.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read; refusals are answers.
    pub(crate) fn query(&self, input: QueryInput<'_>) -> Result<QueryOutput, Broken> {
        if input.path == EXPORT_PATH {
            return self.export_answer();
        }
        let latest = self.height.to_u64();
        let height = if input.height == 0 { latest } else { input.height };
        let back = match self.blocks_back(height) {
            Ok(back) => back,
            Err(refusal) => return Ok(QueryOutput { answer: Err(refusal), height }),
        };
        let meter = Meter::unlimited();
        let mut past = Writes::new();
        // Older values win: each block's former values cover those of the blocks after it.
        self.overwritten.iter().rev().take(back).for_each(|before| past.extend(before.clone()));
        let state = State::resume(&*self.backend, past, &meter);
        let pending = State::resume(&*self.backend, self.pending.clone(), &meter);
        let asked = query::Asked {
            state: &state,
            pending: &pending,
            next_block: &self.next_block(),
            height,
            path: input.path,
            data: input.data,
        };
        Ok(QueryOutput { answer: query::answer(&asked)?, height })
    }

    /// Answers with the state as a document, as long as that is no burden for the node.
    fn export_answer(&self) -> Result<QueryOutput, Broken> {
        let meter = Meter::unlimited();
        let delegations = only_broken(staking::index::total(&State::new(&*self.backend, &meter)))?;
        let answer = if delegations > MAX_EXPORTED {
            let why = format!(
                "{delegations} delegations are too many for one answer (max: {MAX_EXPORTED}); stop the node and export its folder"
            );
            Err(sdk::INVALID_REQUEST.refusal(why))
        } else {
            Ok(self.export()?.to_string().into_bytes())
        };
        Ok(QueryOutput { answer, height: self.height.to_u64() })
    }

    /// Writes the committed state down as a genesis document from which a chain goes on.
    ///
    /// # Errors
    /// [`Broken`] when the state cannot be read.
    pub(crate) fn export(&self) -> Result<serde_json::Value, Broken> {
        let meter = Meter::unlimited();
        let modules = only_broken(restore::export(&State::new(&*self.backend, &meter)))?;
        let head = document::Head {
            chain_id: &self.chain.chain_id,
            time: self.time,
            height: self.height.to_u64(),
            network: self.chain.network,
            rules: self.chain.rules,
            authority: &self.chain.authority,
        };
        document::write(&head, &modules)
    }

    /// How many blocks must be undone to see a height.
    fn blocks_back(&self, height: u64) -> Result<usize, Refusal> {
        let latest = self.height.to_u64();
        let Some(back) = latest.checked_sub(height) else {
            let why = "cannot query with height in the future; please provide a valid height";
            return Err(sdk::INVALID_HEIGHT.outright(format!("{why}: {}", sdk::INVALID_HEIGHT.text)));
        };
        usize::try_from(back).ok().filter(|back| *back <= self.overwritten.len()).ok_or_else(|| {
            let why =
                format!("failed to load state at height {height}; it is not kept (latest height: {latest})");
            sdk::NOT_FOUND.outright(why)
        })
    }
}

/// The write that says where the state stands.
fn position_write(
    height: PosHeight,
    time: BlockTime,
    app_hash: [u8; 32],
    genesis_hash: [u8; 32],
) -> (Vec<u8>, Vec<u8>) {
    let position = Position {
        height: height.to_u64(),
        app_hash: app_hash.to_vec(),
        seconds: time.seconds,
        nanos: time.nanos,
        genesis: genesis_hash.to_vec(),
    };
    (POSITION.key(&()), position.encode_to_vec())
}

/// A state without a position was left in the middle of being written piece by piece.
fn check_empty(backend: &dyn Backend) -> Result<(), Broken> {
    match backend.scan(&KeyRange::prefix(&[]), Order::Ascending).next().transpose()? {
        None => Ok(()),
        Some(_) => Err(Broken::Unfinished),
    }
}

/// Hooks of a block have no sender to refuse; a refusal there is a fault of the chain.
fn only_broken<T>(result: Result<T, Failure>) -> Result<T, Broken> {
    result.map_err(|failure| match failure {
        Failure::Broken(broken) => broken,
        Failure::Refused(refusal) => Broken::Halt(refusal.log),
    })
}

fn hash_genesis(genesis: &Genesis) -> Result<[u8; 32], Broken> {
    let json = serde_json::to_vec(genesis).map_err(|err| Broken::Halt(err.to_string()))?;
    let mut hash = Sha256::new_with_prefix(json);
    if let Some(imported) = &genesis.imported {
        hash.update(imported.hash);
    }
    Ok(hash.finalize().into())
}
