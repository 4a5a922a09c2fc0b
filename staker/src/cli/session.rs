//! What commands that touch a chain share: opening records, nodes and keys, and which exit code an error gets.

use super::{Context, keys::open_keys};
use crate::{
    config::Config,
    keys::Keys,
    records::{Identity, Records},
    service::{
        Bitcoin, CannotStake, CannotTakeBack, CannotUnbond, ChainAccess, Service, ServiceError, Surroundings,
    },
    wallet::CannotFund,
};
use btc_staking_bitcoin_node::{NodeError, NodeErrorKind, RefusalKind, follower::FollowError};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure},
    clock::SystemClock,
    entropy::OsEntropy,
};
use btc_staking_pos_chain::{ChainError, PosChain};
use btc_staking_protocol::height::BtcHeight;
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Records that are not those of this configuration and phrase.
#[derive(Debug, Error)]
#[error(
    "the records in this folder are of {found}, the configuration and the phrase are of {expected}: use another data_dir"
)]
struct OtherIdentity {
    found: String,
    expected: String,
}

impl Context {
    /// Opens records and Bitcoin node. The key file is opened only when `keys` is absent and the records are new.
    pub(super) async fn open_service(
        &self,
        config: &Config,
        keys: Option<&Keys>,
    ) -> Result<Service, Failure> {
        let records = Records::open(&config.data_dir).map_err(|error| {
            let exit = if error.is_locked() { Exit::Locked } else { Exit::Failure };
            Failure::new(exit, error)
        })?;
        let identity = self.identify(config, &records, keys)?;
        let bitcoin: Arc<dyn Bitcoin> = Arc::new(config.bitcoin.connect().await.map_err(node_failure)?);
        let surroundings = Surroundings {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(OsEntropy),
            birthday: BtcHeight::new(config.birthday_height),
            poll: Duration::from_millis(config.poll_interval_ms.max(50)),
        };
        Service::open(bitcoin, records, identity, surroundings).map_err(service_failure)
    }

    fn identify(&self, config: &Config, records: &Records, keys: Option<&Keys>) -> Result<Identity, Failure> {
        let recorded = records.identity()?;
        let expected = match (keys, &recorded) {
            (Some(keys), _) => self.identity_of(config, keys)?,
            (None, None) => self.identity_of(config, &open_keys(self, config)?)?,
            (None, Some(recorded)) => Identity {
                network: config.bitcoin.network,
                chain_id: config.chain.id.clone(),
                ..recorded.clone()
            },
        };
        match recorded {
            Some(found) if found != expected => {
                let describe = |identity: &Identity| {
                    format!("{} on {} and {}", identity.account, identity.chain_id, identity.network)
                };
                let error = OtherIdentity { found: describe(&found), expected: describe(&expected) };
                Err(Failure::new(Exit::Refused, error))
            }
            _ => Ok(expected),
        }
    }

    fn identity_of(&self, config: &Config, keys: &Keys) -> Result<Identity, Failure> {
        let account = self.connector.account_address(&config.chain, &keys.account());
        Ok(Identity {
            network: config.bitcoin.network,
            chain_id: config.chain.id.clone(),
            staker: keys.staker_public_key(),
            account: account.fail_with(Exit::Usage)?,
            descriptors: keys.wallet_descriptors(),
        })
    }

    /// A reader where the chain answers; looking at stakes must not depend on it.
    pub(super) async fn open_reader_if_up(
        &self,
        config: &Config,
    ) -> Result<Option<Arc<dyn PosChain>>, Failure> {
        match self.connector.connect(&config.chain).await {
            Ok(reader) => Ok(Some(reader)),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the staking chain is not asked");
                Ok(None)
            }
            Err(error) => Err(chain_failure(error)),
        }
    }

    pub(super) async fn open_chain(&self, config: &Config, keys: &Keys) -> Result<ChainAccess, Failure> {
        let reader = self.connector.connect(&config.chain).await.map_err(chain_failure)?;
        let submitter = self.connector.open_account(&config.chain, keys.account()).await;
        Ok(ChainAccess { reader, submitter: submitter.map_err(chain_failure)? })
    }
}

fn node_exit(error: &NodeError) -> Exit {
    match error.kind {
        NodeErrorKind::Transient => Exit::Unreachable,
        NodeErrorKind::Misconfigured => Exit::Usage,
        NodeErrorKind::Broken => Exit::Failure,
    }
}

fn chain_exit(error: &ChainError) -> Exit {
    if error.is_transient() { Exit::Unreachable } else { Exit::Failure }
}

fn node_failure(error: NodeError) -> Failure {
    Failure::new(node_exit(&error), error)
}

fn chain_failure(error: ChainError) -> Failure {
    Failure::new(chain_exit(&error), error)
}

fn service_exit(error: &ServiceError) -> Exit {
    match error {
        ServiceError::Follow(FollowError::Node(node)) | ServiceError::Node(node) => node_exit(node),
        ServiceError::Chain(chain) => chain_exit(chain),
        ServiceError::OtherKeys => Exit::Refused,
        ServiceError::UnknownStake(_) => Exit::Usage,
        ServiceError::Follow(FollowError::ReorgTooDeep { .. })
        | ServiceError::Records(_)
        | ServiceError::Damaged { .. }
        | ServiceError::Wallet(_)
        | ServiceError::Block(_)
        | ServiceError::Entropy(_)
        | ServiceError::Sign(_) => Exit::Failure,
    }
}

pub(super) fn service_failure(error: ServiceError) -> Failure {
    Failure::new(service_exit(&error), error)
}

pub(super) fn stake_failure(error: CannotStake) -> Failure {
    let exit = match &error {
        CannotStake::Service(service) => service_exit(service),
        CannotStake::NoParams(_) | CannotStake::CoinInUse(_) => Exit::NotReady,
        CannotStake::NoEstimate => Exit::Usage,
        CannotStake::Fund(CannotFund::Other(_)) => Exit::Failure,
        CannotStake::Params(_)
        | CannotStake::ForeignParams(_)
        | CannotStake::HiddenParams { .. }
        | CannotStake::UnknownParams { .. }
        | CannotStake::UnknownProvider(_)
        | CannotStake::SlashedProvider(_)
        | CannotStake::NoFunds { .. }
        | CannotStake::Plan(_)
        | CannotStake::Fund(CannotFund::TooFewCoins { .. } | CannotFund::FeeAbove { .. }) => Exit::Refused,
        CannotStake::Sign(_) | CannotStake::Possession(_) | CannotStake::Check(_) => Exit::Bug,
    };
    Failure::new(exit, error)
}

pub(super) fn unbond_failure(error: CannotUnbond) -> Failure {
    let exit = match &error {
        CannotUnbond::Service(service) => service_exit(service),
        CannotUnbond::NotConfirmed => Exit::NotReady,
        CannotUnbond::NotStaked | CannotUnbond::Gone(_) => Exit::Refused,
        CannotUnbond::Assemble(_) => Exit::Failure,
        CannotUnbond::Refused(refusal) => refusal_exit(refusal.kind),
    };
    Failure::new(exit, error)
}

pub(super) fn withdraw_failure(error: CannotTakeBack) -> Failure {
    let exit = match &error {
        CannotTakeBack::Service(service) => service_exit(service),
        CannotTakeBack::FeeRate(_) => Exit::Usage,
        CannotTakeBack::NotYet { .. } | CannotTakeBack::NothingAtAll | CannotTakeBack::BeingSpent(_) => {
            Exit::NotReady
        }
        CannotTakeBack::Nothing(_)
        | CannotTakeBack::Already { .. }
        | CannotTakeBack::Build(_)
        | CannotTakeBack::TooCheapToReplace { .. }
        | CannotTakeBack::FeeAbove { .. } => Exit::Refused,
        CannotTakeBack::Sign(_) => Exit::Bug,
        CannotTakeBack::Refused(refusal) => refusal_exit(refusal.kind),
    };
    Failure::new(exit, error)
}

/// A fee too low today or a lock not passed yet may do tomorrow; everything else stays refused.
pub(super) fn refusal_exit(kind: RefusalKind) -> Exit {
    match kind {
        RefusalKind::FeeTooLow | RefusalKind::TooManyRelatives | RefusalKind::NonFinal => Exit::NotReady,
        RefusalKind::MissingOrSpent
        | RefusalKind::MempoolConflict
        | RefusalKind::BurnExceeded
        | RefusalKind::ScriptFailed
        | RefusalKind::Other => Exit::Rejected,
    }
}
