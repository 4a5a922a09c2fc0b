//! The chains of one process. Each connects on its own and goes on trying: a chain that is unreachable, or that is not
//! the one configured, is a reason on the board of its providers and never holds up another chain.
//!
//! [`ChainSeat::spawn`] is the assembly of one chain: a task that connects, and for the connection wait those that look at
//! the chain for all and two of each provider.

use crate::{
    config::{ChainPlan, UnjailPolicy},
    control::{Place, Prover},
    machine::reason::Reason,
    meters::Meters,
    records::Records,
    service::{Brake, ChainWatch, Guard, Provider, Warden, run_planner, run_unjailer, run_voter, run_watch},
    status::{
        Board,
        survey::{self, Survey, run_survey},
    },
};
use btc_staking_daemon::{
    backoff::{Backoff, Policy},
    clock::Clock,
    entropy::Entropy,
    health::Health,
    tasks::{Stop, Supervisor, TaskError},
};
use btc_staking_eots_manager::{records::Subject, signer::Signer};
use btc_staking_pos_chain::{
    Outbox,
    connect::{AccountSecret, ChainEndpoint, Connector},
    ports::{ChainError, ErrorKind, PosChain, Submitter},
};
use btc_staking_protocol::keys::{AccountAddress, FinalityProviderPublicKey};
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::watch;

/// Shortest time between two looks whether a provider is jailed.
const LOOK_FOR_JAIL: Duration = Duration::from_millis(500);

/// What all chains of a process share. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// Whoever holds the keys.
    pub signer: Arc<dyn Signer>,
    /// The daemon's store.
    pub records: Records,
    /// Stops every key when another signer is seen.
    pub brake: Arc<Brake>,
    /// Where it is shown what happens.
    pub board: Board,
    /// What is counted.
    pub meters: Meters,
    /// The health board.
    pub health: Health,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of backoffs.
    pub entropy: Arc<dyn Entropy>,
    /// Makes the ports.
    pub connector: Arc<dyn Connector>,
}

/// One chain of the process, connected or not.
pub struct ChainSeat {
    plan: ChainPlan,
    keys: Vec<FinalityProviderPublicKey>,
    account: AccountAddress,
    secrets: Secrets,
    outbox: Arc<dyn Outbox>,
    shared: Shared,
    link: watch::Sender<Option<Arc<Link>>>,
}

/// Keys of the accounts on one chain.
pub struct Secrets {
    /// Of the one that pays.
    pub account: AccountSecret,
    /// Of the one that registered the providers, if it is another.
    pub registrar: Option<AccountSecret>,
}

impl From<AccountSecret> for Secrets {
    fn from(account: AccountSecret) -> Self {
        Self { account, registrar: None }
    }
}

/// A chain that is connected.
pub struct Link {
    /// Reads it.
    pub chain: Arc<dyn PosChain>,
    /// The one sender of the paying account.
    pub submitter: Arc<dyn Submitter>,
    watch: Arc<ChainWatch>,
    /// The sender of the account that registered the providers, if one is configured for unjailing.
    pub registrar: Option<Arc<dyn Submitter>>,
    providers: BTreeMap<FinalityProviderPublicKey, Arc<Provider>>,
    survey: Arc<Survey>,
}

/// Why a chain cannot have its seat: what an operator must mend before the daemon starts.
#[derive(Debug, Error)]
pub enum CannotSeat {
    /// A key is named that nobody holds.
    #[error("chain {chain}: keys names {key}, and the signer does not hold it")]
    UnknownKey {
        /// The chain.
        chain: String,
        /// The key.
        key: FinalityProviderPublicKey,
    },
    /// The paying account is none.
    #[error("chain {chain}: the paying account is not usable")]
    Account {
        /// The chain.
        chain: String,
        /// Why.
        source: ChainError,
    },
    /// The store cannot be read.
    #[error("chain {chain}: the store of transactions on their way cannot be opened")]
    Store {
        /// The chain.
        chain: String,
        /// Why.
        source: btc_staking_store::StoreError,
    },
}

impl ChainSeat {
    /// Prepares a chain and shows its providers on the board; asks no node. `held` are the keys that can sign.
    ///
    /// # Errors
    /// [`CannotSeat`], when trying again would not help.
    pub fn new(
        plan: ChainPlan,
        secrets: impl Into<Secrets>,
        held: &[FinalityProviderPublicKey],
        shared: Shared,
    ) -> Result<Self, CannotSeat> {
        let (secrets, chain) = (secrets.into(), || plan.id.to_string());
        let keys = plan.keys.clone().unwrap_or_else(|| held.to_vec());
        if let Some(key) = keys.iter().find(|key| !held.contains(key)) {
            return Err(CannotSeat::UnknownKey { chain: chain(), key: *key });
        }
        let account = shared.connector.account_address(&plan.endpoint, &secrets.account);
        let account = account.map_err(|source| CannotSeat::Account { chain: chain(), source })?;
        let outbox = shared.records.outbox(plan.id.as_str(), &account);
        let outbox = Arc::new(outbox.map_err(|source| CannotSeat::Store { chain: chain(), source })?);
        let seat = Self { plan, keys, account, secrets, outbox, shared, link: watch::Sender::new(None) };
        for subject in seat.subjects() {
            seat.shared.board.add(&subject);
            // From the beginning, so that nobody is ready before every provider is.
            seat.shared.health.check(&seat.check_name(&subject.finality_provider));
        }
        Ok(seat)
    }

    /// Starts the tasks of the chain: the one that connects, and those of each provider.
    pub fn spawn(self: &Arc<Self>, supervisor: &mut Supervisor) {
        let id = &self.plan.id;
        let seat = Arc::clone(self);
        supervisor.spawn(&format!("connect.{id}"), move |stop| connect(Arc::clone(&seat), stop));
        let seat = Arc::clone(self);
        supervisor.spawn(&format!("watch.{id}"), move |stop| {
            seat.when_linked(|link| Some(Arc::clone(&link.watch)), stop, run_watch)
        });
        let seat = Arc::clone(self);
        supervisor.spawn(&format!("survey.{id}"), move |stop| {
            seat.when_linked(
                |link| Some(Arc::clone(&link.survey)),
                stop,
                |survey, stop| run_survey(survey, survey::INTERVAL, stop),
            )
        });
        for key in self.keys.clone() {
            let provider = move |link: &Link| link.providers.get(&key).cloned();
            let seat = Arc::clone(self);
            supervisor
                .spawn(&format!("vote.{id}.{key}"), move |stop| seat.when_linked(provider, stop, run_voter));
            let seat = Arc::clone(self);
            supervisor.spawn(&format!("commit.{id}.{key}"), move |stop| {
                seat.when_linked(provider, stop, run_planner)
            });
            match self.plan.unjail.policy {
                UnjailPolicy::Manual => {}
                UnjailPolicy::Automatic => {
                    let seat = Arc::clone(self);
                    supervisor.spawn(&format!("unjail.{id}.{key}"), move |stop| {
                        let warden = {
                            let seat = Arc::clone(&seat);
                            move |link: &Link| Some(Arc::new(seat.warden(key, link)))
                        };
                        seat.when_linked(warden, stop, run_unjailer)
                    });
                }
            }
        }
    }

    /// The chain's configuration.
    pub fn plan(&self) -> &ChainPlan {
        &self.plan
    }

    /// The account that pays.
    pub fn account(&self) -> &AccountAddress {
        &self.account
    }

    /// The providers that vote there.
    pub fn keys(&self) -> &[FinalityProviderPublicKey] {
        &self.keys
    }

    /// The connection, once there is one.
    pub fn link(&self) -> Option<Arc<Link>> {
        self.link.borrow().clone()
    }

    /// Where errands about a provider are done, over a connection.
    pub fn place(&self, key: FinalityProviderPublicKey, link: &Link) -> Place {
        Place {
            subject: Subject { finality_provider: key, chain_id: self.plan.id.clone() },
            chain: Arc::clone(&link.chain),
            submitter: Arc::clone(&link.submitter),
            registrar: link.registrar.clone(),
            prover: Prover::Signer(Arc::clone(&self.shared.signer)),
            denom: self.plan.endpoint.fee_denom.clone(),
            patience: self.plan.settings.submit_timeout,
        }
    }

    fn warden(&self, key: FinalityProviderPublicKey, link: &Link) -> Warden {
        let shared = self.shared.clone();
        Warden {
            place: self.place(key, link),
            max_per_day: self.plan.unjail.max_per_day,
            interval: self.plan.settings.poll_interval.max(LOOK_FOR_JAIL),
            records: shared.records,
            brake: shared.brake,
            board: shared.board,
            clock: shared.clock,
        }
    }

    fn subjects(&self) -> impl Iterator<Item = Subject> {
        let subject = |key: &FinalityProviderPublicKey| Subject {
            finality_provider: *key,
            chain_id: self.plan.id.clone(),
        };
        self.keys.iter().map(subject)
    }

    /// Runs a task as soon as its chain is connected, with what it takes from the connection.
    fn when_linked<T, Take, Run, Fut>(
        &self,
        take: Take,
        mut stop: Stop,
        run: Run,
    ) -> impl Future<Output = Result<(), TaskError>> + Send + use<T, Take, Run, Fut>
    where
        T: Send,
        Take: FnOnce(&Link) -> Option<T> + Send + 'static,
        Run: FnOnce(T, Stop) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), TaskError>> + Send,
    {
        let mut link = self.link.subscribe();
        async move {
            let waiting = async {
                // The sender lives as long as the process.
                let linked = link.wait_for(Option::is_some).await.ok()?;
                linked.as_ref().and_then(|link| take(link))
            };
            match stop.race(waiting).await {
                Ok(Some(taken)) => run(taken, stop).await,
                Ok(None) | Err(_) => Ok(()),
            }
        }
    }

    async fn link_once(&self) -> Result<Link, ChainError> {
        let endpoint = &self.plan.endpoint;
        let connector = &self.shared.connector;
        let chain = connector.connect(endpoint).await?;
        let secret = AccountSecret(self.secrets.account.0.clone());
        let submitter = connector.open_account_with(endpoint, secret, Arc::clone(&self.outbox)).await?;
        let registrar = match &self.secrets.registrar {
            Some(secret) => {
                let records = &self.shared.records;
                Some(open_registrar(&**connector, endpoint, secret, &submitter, records).await?)
            }
            None => None,
        };
        let (pace, shared) = (self.plan.settings.pace(), &self.shared);
        let (clock, entropy) = (Arc::clone(&shared.clock), Arc::clone(&shared.entropy));
        let watch = ChainWatch::new(Arc::clone(&chain), pace, clock, entropy);
        let provider = |subject| self.assemble(subject, Arc::clone(&watch), Arc::clone(&submitter));
        let providers = self.subjects().map(provider).collect();
        let survey = Arc::new(self.survey(Arc::clone(&chain)));
        Ok(Link { chain, submitter, registrar, watch, providers, survey })
    }

    fn survey(&self, chain: Arc<dyn PosChain>) -> Survey {
        Survey {
            subjects: self.subjects().collect(),
            chain,
            account: self.account.clone(),
            endpoint: self.plan.endpoint.clone(),
            request_timeout: self.plan.settings.request_timeout,
            board: self.shared.board.clone(),
        }
    }

    fn assemble(
        &self,
        subject: Subject,
        watch: Arc<ChainWatch>,
        submitter: Arc<dyn Submitter>,
    ) -> (FinalityProviderPublicKey, Arc<Provider>) {
        let shared = self.shared.clone();
        let key = subject.finality_provider;
        let health = shared.health.check(&self.check_name(&key));
        let meters = shared.meters.provider(&subject);
        let guard = Guard::new(subject.clone(), shared.brake);
        let provider = Provider {
            subject,
            signer: shared.signer,
            guard,
            watch,
            submitter,
            records: shared.records,
            settings: self.plan.settings,
            board: shared.board,
            meters,
            health,
            clock: shared.clock,
            entropy: shared.entropy,
        };
        (key, Arc::new(provider))
    }

    fn check_name(&self, key: &FinalityProviderPublicKey) -> String {
        format!("voting.{}.{key}", self.plan.id)
    }

    fn show(&self, reason: Reason) {
        // Another signer stops the providers of every chain, connected or not.
        let reason = &self.shared.brake.pulled_by().map_or(reason, Reason::OtherSigner);
        for subject in self.subjects() {
            self.shared.board.show_reason(&subject, reason);
            self.shared
                .health
                .check(&self.check_name(&subject.finality_provider))
                .degraded(format!("{}: {reason}", reason.code()));
        }
    }
}

/// Opens the sender of the account that registered a provider; one and the same account never has two senders.
pub(crate) async fn open_registrar(
    connector: &dyn Connector,
    endpoint: &ChainEndpoint,
    secret: &AccountSecret,
    paying: &Arc<dyn Submitter>,
    records: &Records,
) -> Result<Arc<dyn Submitter>, ChainError> {
    let account = connector.account_address(endpoint, secret)?;
    if account == *paying.account() {
        return Ok(Arc::clone(paying));
    }
    let outbox = records.outbox(&endpoint.id, &account);
    let outbox = outbox.map_err(|error| ChainError::new(ErrorKind::Transient, error.to_string()))?;
    let secret = AccountSecret(secret.0.clone());
    connector.open_account_with(endpoint, secret, Arc::new(outbox)).await
}

/// Connects, and goes on trying while that fails: a daemon that starts before its node is no failure, and a node of
/// another network may be replaced.
async fn connect(seat: Arc<ChainSeat>, mut stop: Stop) -> Result<(), TaskError> {
    let mut backoff = Backoff::new(Policy::default());
    let chain_id = &seat.plan.id;
    loop {
        let Ok(linked) = stop.race(seat.link_once()).await else { return Ok(()) };
        match linked {
            Ok(link) => {
                tracing::info!(%chain_id, account = %seat.account, "connected");
                seat.link.send_replace(Some(Arc::new(link)));
                return Ok(());
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%chain_id, %error, "the chain is not reachable yet");
                seat.show(Reason::Unreachable(error.to_string()));
            }
            Err(error) => {
                tracing::error!(%chain_id, %error, "the chain cannot be used as it is configured");
                seat.show(Reason::ChainRefused(error.detail));
            }
        }
        let wait = backoff.next(seat.shared.entropy.next_u64().unwrap_or(0));
        if stop.sleep(wait).await.is_err() {
            return Ok(());
        }
    }
}
