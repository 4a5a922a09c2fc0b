//! An instance of a pair inside the test: own sign records, own store, a keeper as a task.

use crate::oracle::Oracle;
use btc_staking_daemon::{
    entropy::OsEntropy,
    tasks::{StopSource, TaskError},
};
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
    signer::{Local, Signer, SignerError, VoteAnswer},
};
use btc_staking_finality_provider::{
    records::Records,
    standby::{
        Setup, Standby,
        engine::{Engine, EngineError},
        protocol::{build_initialise, names::Prefix},
        run_keeper,
        seat::Seat,
    },
};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::VoteMessage},
    height::PosHeight,
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Heights the key committed to.
const COMMITTED: u64 = 2_000;

pub fn key() -> EotsKey {
    EotsKey::from_secret_bytes(&[7; 32]).unwrap()
}

pub fn subject() -> Subject {
    Subject { finality_provider: key().public_key(), chain_id: "bbn-1".parse().unwrap() }
}

pub fn prefix() -> Prefix {
    "tests/fp".parse().unwrap()
}

pub fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

/// A block of somebody's own invention.
pub fn block(height: u64, by: u8) -> VoteMessage {
    VoteMessage { height: h(height), app_hash: [by; 32] }
}

/// Makes the subject known to an engine as one that never signed.
pub async fn initialise(engine: &dyn Engine) {
    let txn = build_initialise(&prefix().keys(&subject()), h(0));
    wait_until("the subject is initialised", async || engine.commit(txn.clone()).await.is_ok()).await;
}

/// Waits for a fact.
pub async fn wait_until(what: &str, mut fact: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !fact().await {
        assert!(start.elapsed() < Duration::from_secs(60), "not seen in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

pub struct Node {
    pub name: &'static str,
    pub directory: TempDir,
    pub manager: Arc<EotsManager>,
    pub standby: Arc<Standby>,
    pub range: CommittedRandomness,
    stop: StopSource,
    keeper: Option<JoinHandle<Result<(), TaskError>>>,
    oracle: Oracle,
}

/// Opens the sign records of a data directory, or makes new ones.
pub fn open_manager(directory: &Path) -> Arc<EotsManager> {
    if !directory.join("sign-records").exists() {
        SignRecords::create(directory).unwrap();
    }
    Arc::new(EotsManager::new(SignRecords::open(directory).unwrap(), [key()]))
}

/// The commitment that every height of the tests is in.
pub fn committed(directory: &Path) -> CommittedRandomness {
    std::fs::create_dir_all(directory).unwrap();
    let manager = open_manager(directory);
    manager.records().declare_new(&subject()).unwrap();
    let commitment = manager.sign_commitment(&subject(), h(1), COMMITTED).unwrap();
    let (start_height, count, root) = (commitment.start_height, commitment.count, commitment.root);
    CommittedRandomness { start_height, count, root }
}

pub fn standby(
    name: &str,
    inner: Arc<dyn Signer>,
    engine: Arc<dyn Engine>,
    records: Records,
    lease: Duration,
) -> Arc<Standby> {
    let setup = Setup {
        inner,
        engine,
        prefix: prefix(),
        name: name.parse().unwrap(),
        lease,
        subjects: vec![subject()],
        records,
        entropy: Arc::new(OsEntropy),
    };
    Arc::new(Standby::new(setup).unwrap())
}

impl Node {
    /// An instance with its own empty data directory, whose keeper runs.
    pub fn start(name: &'static str, engine: Arc<dyn Engine>, lease: Duration, oracle: &Oracle) -> Self {
        Self::start_in(name, tempfile::tempdir().unwrap(), engine, lease, oracle)
    }

    pub fn start_in(
        name: &'static str,
        directory: TempDir,
        engine: Arc<dyn Engine>,
        lease: Duration,
        oracle: &Oracle,
    ) -> Self {
        let range = committed(tempfile::tempdir().unwrap().path());
        let manager = open_manager(directory.path());
        let records = Records::open(directory.path()).unwrap();
        let inner = Arc::new(Local::new(Arc::clone(&manager)));
        let standby = standby(name, inner, engine, records, lease);
        let stop = StopSource::new();
        let keeper = tokio::spawn(run_keeper(Arc::clone(&standby), stop.stop()));
        Self { name, directory, manager, standby, range, stop, keeper: Some(keeper), oracle: oracle.clone() }
    }

    pub fn seat(&self) -> Seat {
        self.standby.seat(&subject())
    }

    pub async fn wait_until_holder(&self) -> Duration {
        wait_until(self.name, async || matches!(self.seat(), Seat::Held(_))).await
    }

    pub async fn wait_until_standing_by(&self) {
        wait_until(self.name, async || matches!(self.seat(), Seat::Taken(_))).await;
    }

    /// Asks for votes, and hands what was released to the oracle.
    pub async fn vote(&self, messages: &[VoteMessage]) -> Result<Vec<VoteAnswer>, SignerError> {
        let answers = self.standby.vote_batch(&subject(), messages.to_vec(), self.range).await?;
        for answer in &answers {
            if let Ok(vote) = &answer.result {
                self.oracle.released(self.name, vote.message, vote.signature.to_bytes());
            }
        }
        Ok(answers)
    }

    /// Whether this one vote was signed.
    pub async fn signs(&self, message: VoteMessage) -> bool {
        self.vote(&[message]).await.is_ok_and(|answers| answers[0].result.is_ok())
    }

    /// The keeper is gone as if the process had been killed: the lease is not ended.
    pub fn kill_keeper(&mut self) {
        self.keeper.take().unwrap().abort();
    }

    /// Gone as if the process had been killed; what is left is the data directory.
    pub fn kill(mut self) -> TempDir {
        self.kill_keeper();
        self.directory
    }

    /// Stops as a daemon does.
    pub async fn stop(mut self) -> TempDir {
        self.stop.trigger();
        self.keeper.take().unwrap().await.unwrap().unwrap();
        self.directory
    }
}

/// An error as text, for tables.
pub fn text(error: &SignerError) -> String {
    error.to_string()
}

/// An engine that cannot be reached.
pub fn is_unreachable(error: &EngineError) -> bool {
    matches!(error, EngineError::NoAnswer(_))
}
