//! The calls of ABCI 2.0 on the application.
//!
//! | call | answer |
//! |---|---|
//! | Info | last committed height and app hash; none before InitChain |
//! | InitChain | starts the chain from `app_state`; again with the same one before the first block changes nothing |
//! | CheckTx | admission, also anew after a block |
//! | PrepareProposal, ProcessProposal | `proposal` |
//! | FinalizeBlock | executes; what it would write stays in memory |
//! | Commit | makes it durable in one piece |
//! | Query | as over the single-process node, without proofs |
//! | snapshots | none offered, all refused; vote extensions are empty and accepted |
//!
//! What cannot be answered is an exception with a message. CometBFT stops on one, which is what a halted chain, a failed
//! disk or a call out of order demand: nothing is written then, so no restart finds a state that other nodes would not
//! have. A failure of storage or a halt is kept, and consensus is refused from then on while reads go on.

use super::{form, proposal};
use crate::{
    app::{self, App, BlockInput, Executed, Purpose, QueryInput},
    error::{Broken, Refusal},
    genesis::Genesis,
    node::ledger,
    state::{Backend, Writes},
};
use btc_staking_protocol::height::PosHeight;
use cosmrs::proto::tendermint::v0_38::abci::{
    CheckTxType, Request, RequestCheckTx, RequestFinalizeBlock, RequestInitChain, RequestQuery, Response,
    ResponseApplySnapshotChunk, ResponseCheckTx, ResponseCommit, ResponseEcho, ResponseException,
    ResponseExtendVote, ResponseFinalizeBlock, ResponseFlush, ResponseInfo, ResponseInitChain,
    ResponseListSnapshots, ResponseLoadSnapshotChunk, ResponseOfferSnapshot, ResponseQuery,
    ResponseVerifyVoteExtension, request::Value as Asked, response::Value as Answer,
    response_apply_snapshot_chunk, response_offer_snapshot, response_verify_vote_extension::VerifyStatus,
};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thiserror::Error;
use tokio::sync::watch;

/// The application behind the door. Lock order: `executed`, then `stage`.
pub(super) struct Application {
    /// The block between FinalizeBlock and Commit. Held during every call of consensus, which orders them.
    executed: Mutex<Option<Executed>>,
    stage: RwLock<Stage>,
    broken: watch::Sender<Option<Broken>>,
}

enum Stage {
    /// Waits for InitChain.
    Empty(Box<dyn Backend>),
    Running(App),
    /// Starting the chain failed half-way.
    Lost,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Exception {
    #[error("request is empty")]
    Empty,
    #[error("chain has not been initialised")]
    NotInitialised,
    #[error("init chain: {0}")]
    Genesis(String),
    #[error("block {asked} was asked for, the next is {next}")]
    Height { asked: i64, next: u64 },
    #[error("block has no valid time")]
    Time,
    #[error("nothing to commit: no block was finalized")]
    NothingToCommit,
    #[error(transparent)]
    Broken(#[from] Broken),
}

type Answered = Result<Answer, Exception>;

impl Application {
    /// Opens the application where its data stand; empty data wait for InitChain.
    pub(super) fn open(backend: Box<dyn Backend>) -> Result<Self, Broken> {
        let stage = match ledger::genesis(&*backend)? {
            Some(genesis) => Stage::Running(App::open(backend, &genesis)?),
            None => Stage::Empty(backend),
        };
        Ok(Self { executed: Mutex::new(None), stage: RwLock::new(stage), broken: watch::channel(None).0 })
    }

    // A poisoned lock means a panic elsewhere; what the locks guard is replaced as a whole or not at all.
    fn stage(&self) -> RwLockReadGuard<'_, Stage> {
        self.stage.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn stage_mut(&self) -> RwLockWriteGuard<'_, Stage> {
        self.stage.write().unwrap_or_else(PoisonError::into_inner)
    }
    fn executed(&self) -> MutexGuard<'_, Option<Executed>> {
        self.executed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Height and app hash after the last committed block; `None` before InitChain.
    pub(super) fn position(&self) -> Option<(u64, [u8; 32])> {
        match &*self.stage() {
            Stage::Running(app) => Some((app.height().to_u64(), app.app_hash())),
            Stage::Empty(_) | Stage::Lost => None,
        }
    }
    /// Why consensus is refused, once it is.
    pub(super) fn broken(&self) -> watch::Receiver<Option<Broken>> {
        self.broken.subscribe()
    }

    fn check_running(&self) -> Result<(), Exception> {
        self.broken.borrow().clone().map_or(Ok(()), |broken| Err(broken.into()))
    }

    /// Keeps the first failure that is not the caller's.
    fn stop_on<T>(&self, result: Result<T, Exception>) -> Result<T, Exception> {
        if let Err(Exception::Broken(broken)) = &result {
            self.broken.send_if_modified(|kept| {
                let first = kept.is_none();
                kept.get_or_insert_with(|| broken.clone());
                first
            });
        }
        result
    }

    /// Answers a request. The second part is whether the connection may go on.
    pub(super) fn answer(&self, request: Request) -> (Response, bool) {
        let (value, go_on) = match self.stop_on(self.dispatch(request)) {
            Ok(answer) => (answer, true),
            Err(exception) => {
                tracing::error!(%exception, "abci call has no answer");
                (Answer::Exception(ResponseException { error: exception.to_string() }), false)
            }
        };
        (Response { value: Some(value) }, go_on)
    }

    fn dispatch(&self, request: Request) -> Answered {
        match request.value.ok_or(Exception::Empty)? {
            Asked::Echo(echo) => Ok(Answer::Echo(ResponseEcho { message: echo.message })),
            Asked::Flush(_) => Ok(Answer::Flush(ResponseFlush {})),
            Asked::Info(_) => Ok(Answer::Info(self.info())),
            Asked::Query(query) => self.query(&query).map(Answer::Query),
            Asked::CheckTx(tx) => self.check_tx(&tx).map(Answer::CheckTx),
            Asked::InitChain(chain) => self.init_chain(&chain).map(Answer::InitChain),
            Asked::PrepareProposal(asked) => Ok(Answer::PrepareProposal(proposal::prepare(asked))),
            Asked::ProcessProposal(asked) => Ok(Answer::ProcessProposal(proposal::process(&asked))),
            Asked::FinalizeBlock(block) => self.finalize_block(block).map(Answer::FinalizeBlock),
            Asked::Commit(_) => self.commit().map(Answer::Commit),
            Asked::ExtendVote(_) => Ok(Answer::ExtendVote(ResponseExtendVote::default())),
            Asked::VerifyVoteExtension(asked) => {
                let empty = asked.vote_extension.is_empty();
                let status = if empty { VerifyStatus::Accept } else { VerifyStatus::Reject };
                Ok(Answer::VerifyVoteExtension(ResponseVerifyVoteExtension { status: status.into() }))
            }
            Asked::ListSnapshots(_) => Ok(Answer::ListSnapshots(ResponseListSnapshots::default())),
            Asked::OfferSnapshot(_) => Ok(Answer::OfferSnapshot(ResponseOfferSnapshot {
                result: response_offer_snapshot::Result::Reject.into(),
            })),
            Asked::LoadSnapshotChunk(_) => {
                Ok(Answer::LoadSnapshotChunk(ResponseLoadSnapshotChunk::default()))
            }
            Asked::ApplySnapshotChunk(_) => Ok(Answer::ApplySnapshotChunk(ResponseApplySnapshotChunk {
                result: response_apply_snapshot_chunk::Result::Abort.into(),
                ..Default::default()
            })),
        }
    }

    fn info(&self) -> ResponseInfo {
        let position = self.position();
        // Before the first block CometBFT must start the chain by InitChain, also when that was done already.
        let committed = position.filter(|(height, _)| *height > 0);
        ResponseInfo {
            data: app::NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            app_version: 0,
            last_block_height: committed.map_or(0, |(height, _)| signed(height)),
            last_block_app_hash: committed.map_or_else(Default::default, |(_, hash)| hash.to_vec().into()),
        }
    }

    fn init_chain(&self, asked: &RequestInitChain) -> Result<ResponseInitChain, Exception> {
        self.check_running()?;
        let _ordered = self.executed();
        let genesis = check_genesis(asked)?;
        let mut stage = self.stage_mut();
        match &*stage {
            Stage::Running(app) => return check_same_start(app, &genesis).map(|()| initial(app)),
            Stage::Lost => return Err(Exception::NotInitialised),
            Stage::Empty(_) => {}
        }
        let Stage::Empty(mut backend) = std::mem::replace(&mut *stage, Stage::Lost) else {
            return Err(Exception::NotInitialised);
        };
        // First the genesis, then the state made from it: a crash between the two is repaired by opening.
        backend.commit(&Writes::new(), &ledger::genesis_writes(&genesis)?)?;
        let app = App::open(backend, &genesis)?;
        let response = initial(&app);
        *stage = Stage::Running(app);
        Ok(response)
    }

    fn check_tx(&self, asked: &RequestCheckTx) -> Result<ResponseCheckTx, Exception> {
        self.check_running()?;
        let purpose = match asked.r#type() {
            CheckTxType::New => Purpose::Check,
            CheckTxType::Recheck => Purpose::Recheck,
        };
        let mut stage = self.stage_mut();
        let Stage::Running(app) = &mut *stage else { return Err(Exception::NotInitialised) };
        Ok(form::check_tx(app.check_tx(&asked.tx, purpose)?.result))
    }

    fn finalize_block(&self, asked: RequestFinalizeBlock) -> Result<ResponseFinalizeBlock, Exception> {
        self.check_running()?;
        let mut kept = self.executed();
        // Whatever was executed before is void: CometBFT asks again after it restarted.
        *kept = None;
        let stage = self.stage();
        let Stage::Running(app) = &*stage else { return Err(Exception::NotInitialised) };
        let next = app.height().next();
        if u64::try_from(asked.height) != Ok(next.to_u64()) {
            return Err(Exception::Height { asked: asked.height, next: next.to_u64() });
        }
        let time = form::block_time(asked.time.as_ref()).ok_or(Exception::Time)?;
        let txs = asked.txs.into_iter().map(Vec::from).collect();
        let validators = asked.decided_last_commit.map_or(0, |commit| commit.votes.len());
        let mut executed = app.finalize_block(&BlockInput { height: next, time, txs, validators })?;
        let results = std::mem::take(&mut executed.results);
        let response = ResponseFinalizeBlock {
            events: form::events(std::mem::take(&mut executed.events)),
            tx_results: results.into_iter().map(form::exec_tx_result).collect(),
            app_hash: executed.app_hash.to_vec().into(),
            ..Default::default()
        };
        *kept = Some(executed);
        Ok(response)
    }

    fn commit(&self) -> Result<ResponseCommit, Exception> {
        self.check_running()?;
        let executed = self.executed().take().ok_or(Exception::NothingToCommit)?;
        let mut stage = self.stage_mut();
        let Stage::Running(app) = &mut *stage else { return Err(Exception::NotInitialised) };
        let (height, hash) = (executed.height, executed.app_hash);
        app.commit(executed, &Writes::new())?;
        tracing::debug!(pos_height = height.to_u64(), app_hash = hex::encode(hash), "block committed");
        Ok(ResponseCommit { retain_height: 0 })
    }

    fn query(&self, asked: &RequestQuery) -> Result<ResponseQuery, Exception> {
        // Proofs are not offered; asking for one is no reason to refuse, as on the reference's own paths.
        let stage = self.stage();
        let Stage::Running(app) = &*stage else { return Err(Exception::NotInitialised) };
        // CometBFT refuses negative heights itself.
        let height = u64::try_from(asked.height).unwrap_or(0);
        let output = app.query(QueryInput { path: &asked.path, data: &asked.data, height })?;
        let (value, refusal) = match output.answer {
            Ok(value) => (value, Refusal::none()),
            Err(refusal) => (vec![], refusal.in_query()),
        };
        Ok(ResponseQuery {
            code: refusal.code,
            log: refusal.log,
            value: value.into(),
            height: signed(output.height),
            codespace: refusal.codespace.to_owned(),
            ..Default::default()
        })
    }
}

fn signed(height: u64) -> i64 {
    i64::try_from(height).unwrap_or(i64::MAX)
}

fn initial(app: &App) -> ResponseInitChain {
    ResponseInitChain { app_hash: app.app_hash().to_vec().into(), ..Default::default() }
}

/// InitChain comes again when CometBFT lost what it knew before the first block.
fn check_same_start(app: &App, genesis: &Genesis) -> Result<(), Exception> {
    let height = app.height();
    if height > PosHeight::new(0) {
        return Err(Exception::Genesis(format!("the chain is at height {height} already")));
    }
    if ledger::genesis(app.backend())?.as_ref() != Some(genesis) {
        return Err(Exception::Genesis("the data directory belongs to another chain".into()));
    }
    Ok(())
}

/// The genesis in InitChain's `app_state`, which must agree with CometBFT's own.
fn check_genesis(asked: &RequestInitChain) -> Result<Genesis, Exception> {
    let json = std::str::from_utf8(&asked.app_state_bytes)
        .map_err(|err| Exception::Genesis(format!("app_state is no text: {err}")))?;
    let genesis = Genesis::from_json(json).map_err(|err| Exception::Genesis(format!("app_state: {err}")))?;
    if genesis.chain_id != asked.chain_id {
        let why = format!("app_state is of chain {}, the chain is {}", genesis.chain_id, asked.chain_id);
        return Err(Exception::Genesis(why));
    }
    if !(0..=1).contains(&asked.initial_height) {
        let why = format!("initial height is {}, it must be 1", asked.initial_height);
        return Err(Exception::Genesis(why));
    }
    let time = form::block_time(asked.time.as_ref()).ok_or(Exception::Time)?;
    if (time.seconds, time.nanos) != (genesis.genesis_time, 0) {
        let why = format!(
            "genesis time is {}.{:09} s since 1970, app_state says {}",
            time.seconds, time.nanos, genesis.genesis_time
        );
        return Err(Exception::Genesis(why));
    }
    Ok(genesis)
}
