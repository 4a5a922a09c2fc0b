//! The errands themselves, for one provider on one chain, wherever they are done: in the daemon or without one.
//!
//! What is as it was asked to be already is no failure, and costs no transaction.

use super::{
    Action, Amount, Answer, CommissionRefusal, Done, Edit, Registration, Reward, Rewards, commission,
};
use btc_staking_daemon::{
    cli::{Exit, Failure},
    clock::{Clock, SystemClock},
};
use btc_staking_eots_manager::{
    keys::EotsKey,
    records::Subject,
    signer::{Signer, SignerError},
};
use btc_staking_pos_chain::{
    message::{ChainMessage, FinalityProviderRegistration, MessageOutcome, Refusal, RefusalKind},
    ports::{ChainError, FinalityProvider, PosChain, Submitter},
};
use btc_staking_protocol::{
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
    rate::Decimal,
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// One provider on one chain, and who can act for it.
pub struct Place {
    /// Key and chain.
    pub subject: Subject,
    /// Reads the chain.
    pub chain: Arc<dyn PosChain>,
    /// The one sender of the paying account.
    pub submitter: Arc<dyn Submitter>,
    /// The sender of the account that registered the provider, if the configuration names one; it only unjails.
    pub registrar: Option<Arc<dyn Submitter>>,
    /// Whoever proves that the key agrees to the account.
    pub prover: Prover,
    /// The coin that pays fees.
    pub denom: String,
    /// Longest wait for the fate of a message.
    pub patience: Duration,
}

/// Whoever proves that a key agrees to an account.
pub enum Prover {
    /// The daemon's signer.
    Signer(Arc<dyn Signer>),
    /// The key itself, opened for this.
    Key(Box<EotsKey>),
    /// Nobody: the errand needs no proof.
    Nobody,
}

/// Why an errand was not done.
#[derive(Debug, Error)]
pub enum CannotDo {
    /// The chain could not be asked.
    #[error(transparent)]
    Unreachable(#[from] ChainError),
    /// The daemon has no connection to the chain.
    #[error("the daemon is not connected to chain {0} yet; its status says why")]
    NotConnected(String),
    /// The chain is not one of the daemon's.
    #[error("chain {asked} is not one of this daemon's, which are {}", .known.join(", "))]
    NoSuchChain {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// There are several chains.
    #[error("there are several chains, choose one with --chain: {}", .0.join(", "))]
    WhichChain(Vec<String>),
    /// The key is not one of those that vote there.
    #[error("{0} is not one of the finality providers here")]
    NoSuchKey(FinalityProviderPublicKey),
    /// There are several keys.
    #[error("there are several finality providers, choose one with --key: {}", list(.0))]
    WhichKey(Vec<FinalityProviderPublicKey>),
    /// The chain does not know the provider.
    #[error("finality provider {0} is not registered on {1}; run the register command")]
    NotRegistered(FinalityProviderPublicKey, String),
    /// Another account registered it.
    #[error(
        "finality provider {key} was registered by account {registered_by}, and only that account can do this; this one is \
         {ours}. To do it, use a configuration of its own with that account's key and another data_dir"
    )]
    NotOurs {
        /// The provider.
        key: FinalityProviderPublicKey,
        /// Who can.
        registered_by: String,
        /// Who was asked to.
        ours: String,
    },
    /// Another account registered it, and unjailing was asked for.
    #[error(
        "finality provider {key} was registered by account {registered_by}, and only that account can unjail it; name its \
         key file in [unjail] account_key_file"
    )]
    NotOursToUnjail {
        /// The provider.
        key: FinalityProviderPublicKey,
        /// Who can.
        registered_by: String,
    },
    /// The account has another provider already.
    #[error(
        "account {0} belongs to another finality provider already; register each one with an account of its own"
    )]
    AccountTaken(AccountAddress),
    /// Slashed for good.
    #[error("finality provider {0} is slashed, it can never be unjailed")]
    Slashed(FinalityProviderPublicKey),
    /// The jail time is not over.
    #[error("the jail time is over in {}; run the command again then", commission::span(*.0))]
    StillJailed(u64),
    /// The chain would not take this commission.
    #[error(transparent)]
    Commission(#[from] CommissionRefusal),
    /// The signer gave no proof of possession.
    #[error("the signer gave no proof that the key agrees to the account")]
    Signer(#[from] SignerError),
    /// The chain refused.
    #[error("the chain refused: {0}")]
    Refused(Refusal),
    /// What became of the message is not known.
    #[error("what became of it is not known, look before asking again: {0}")]
    FateUnknown(String),
}

impl CannotDo {
    /// How a program ends that could not do the errand.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreachable(_) | Self::FateUnknown(_) => Exit::Unreachable,
            Self::NotConnected(_) | Self::NotRegistered(..) | Self::StillJailed(_) => Exit::NotReady,
            Self::NoSuchChain { .. } | Self::WhichChain(_) | Self::NoSuchKey(_) | Self::WhichKey(_) => {
                Exit::Usage
            }
            Self::Commission(CommissionRefusal::TooSoon(_)) => Exit::NotReady,
            Self::Refused(refusal) if refusal.kind == RefusalKind::WaitingTime => Exit::NotReady,
            Self::Refused(_) | Self::AccountTaken(_) => Exit::Rejected,
            Self::NotOurs { .. }
            | Self::NotOursToUnjail { .. }
            | Self::Slashed(_)
            | Self::Commission(_)
            | Self::Signer(_) => Exit::Refused,
        }
    }

    /// The same as the end of a program.
    pub fn into_failure(self) -> Failure {
        Failure::new(self.exit(), self)
    }
}

impl Place {
    /// Does what is asked for and follows it to its end.
    ///
    /// # Errors
    /// [`CannotDo`].
    pub async fn perform(&self, action: Action) -> Result<Answer, CannotDo> {
        match action {
            Action::Register(registration) => self.register(registration).await.map(Answer::Done),
            Action::Edit(edit) => self.edit(&edit).await.map(Answer::Done),
            Action::Unjail => self.unjail().await.map(Answer::Done),
            Action::Rewards => self.rewards().await.map(Answer::Rewards),
            Action::WithdrawRewards(kind) => self.withdraw(kind).await.map(Answer::Done),
            Action::SetWithdrawAddress(to) => self.set_withdraw_address(to).await.map(Answer::Done),
        }
    }

    async fn register(&self, registration: Registration) -> Result<Done, CannotDo> {
        let key = self.subject.finality_provider;
        if self.chain.fetch_finality_provider(&key).await?.is_some() {
            return Ok(self.done("registered already", None));
        }
        let commission = registration.rates();
        commission::check_new(&commission, self.floor().await)?;
        let account = self.submitter.account().clone();
        let message = FinalityProviderRegistration {
            possession: self.prover.prove(&key, &account).await?,
            account: account.clone(),
            finality_provider: key,
            description: registration.description.into(),
            commission,
        };
        let message = ChainMessage::CreateFinalityProvider(Box::new(message));
        let sent = match self.send(&self.submitter, message).await? {
            Sent::Accepted(hash) => self.done("registered", Some(hash)),
            Sent::AlreadyDone(_) => self.done("registered already", None),
            Sent::Refused(refusal) if refusal.kind == RefusalKind::AccountTaken => {
                return Err(CannotDo::AccountTaken(account));
            }
            Sent::Refused(refusal) => return Err(CannotDo::Refused(refusal)),
        };
        // The chain says "registered already" of an account that has another provider, too.
        match self.chain.fetch_finality_provider(&key).await? {
            Some(_) => Ok(sent),
            None => Err(CannotDo::AccountTaken(account)),
        }
    }

    async fn edit(&self, edit: &Edit) -> Result<Done, CannotDo> {
        let record = self.own_record().await?;
        let description = edit.over(&record.description);
        let commission = edit.commission_rate.filter(|rate| *rate != record.commission.rate);
        if description == record.description && commission.is_none() {
            return Ok(self.done("nothing to change", None));
        }
        if let Some(rate) = commission {
            let now = SystemClock::new().since_epoch().as_secs();
            let floor = self.floor().await;
            commission::check_change(&record.commission, rate, floor, record.commission_set_at, now)?;
        }
        let finality_provider = self.subject.finality_provider;
        let message = ChainMessage::EditFinalityProvider { finality_provider, description, commission };
        self.send_or_refuse(&self.submitter, message, "changed").await
    }

    /// Ends a jailing. Nothing is sent while the chain would refuse.
    pub(crate) async fn unjail(&self) -> Result<Done, CannotDo> {
        let record = self.record().await?;
        if record.slashed.is_some() {
            return Err(CannotDo::Slashed(record.key));
        }
        if !record.jailed {
            return Ok(self.done("not jailed", None));
        }
        let by = self.sender_of(&record.account).ok_or_else(|| CannotDo::NotOursToUnjail {
            key: record.key,
            registered_by: record.account.to_string(),
        })?;
        let jailed_until =
            self.chain.fetch_signing_info(&record.key).await?.and_then(|info| info.jailed_until);
        let now = SystemClock::new().since_epoch().as_secs();
        if let Some(left) = jailed_until.and_then(|until| until.checked_sub(now)).filter(|left| *left > 0) {
            return Err(CannotDo::StillJailed(left));
        }
        self.send_or_refuse(&by, ChainMessage::UnjailFinalityProvider(record.key), "unjailed").await
    }

    async fn rewards(&self) -> Result<Rewards, CannotDo> {
        let record = self.record().await?;
        let rewards = self.chain.fetch_rewards(&record.account).await?;
        let paying = self.submitter.account();
        let balance = self.chain.fetch_balance(paying).await?;
        let amount =
            |(kind, amount): (_, u128)| Amount { kind: Reward::from(kind), amount: amount.to_string() };
        Ok(Rewards {
            finality_provider: record.key,
            chain_id: self.subject.chain_id.to_string(),
            account: record.account.to_string(),
            rewards: rewards.into_iter().filter(|(_, amount)| *amount > 0).map(amount).collect(),
            paying_account: paying.to_string(),
            balance: balance.to_string(),
            denom: self.denom.clone(),
        })
    }

    async fn withdraw(&self, kind: Reward) -> Result<Done, CannotDo> {
        self.own_record().await?;
        match self.send(&self.submitter, ChainMessage::WithdrawReward(kind.into())).await? {
            Sent::Accepted(hash) => Ok(self.done("rewards withdrawn", Some(hash))),
            Sent::AlreadyDone(text) => Ok(self.done(&text, None)),
            Sent::Refused(refusal) if refusal.kind == RefusalKind::NothingToWithdraw => {
                Ok(self.done("nothing to withdraw", None))
            }
            Sent::Refused(refusal) => Err(CannotDo::Refused(refusal)),
        }
    }

    async fn set_withdraw_address(&self, to: AccountAddress) -> Result<Done, CannotDo> {
        self.own_record().await?;
        let result = format!("rewards go to {to} from now on");
        self.send_or_refuse(&self.submitter, ChainMessage::SetWithdrawAddress(to), &result).await
    }

    /// The provider's record.
    async fn record(&self) -> Result<FinalityProvider, CannotDo> {
        let Subject { finality_provider, chain_id } = &self.subject;
        let record = self.chain.fetch_finality_provider(finality_provider).await?;
        record.ok_or_else(|| CannotDo::NotRegistered(*finality_provider, chain_id.to_string()))
    }

    /// The record, if the paying account is the one that registered the provider.
    async fn own_record(&self) -> Result<FinalityProvider, CannotDo> {
        let record = self.record().await?;
        let ours = self.submitter.account();
        if record.account == *ours {
            return Ok(record);
        }
        let (registered_by, ours) = (record.account.to_string(), ours.to_string());
        Err(CannotDo::NotOurs { key: record.key, registered_by, ours })
    }

    fn sender_of(&self, account: &AccountAddress) -> Option<Arc<dyn Submitter>> {
        let all = std::iter::once(&self.submitter).chain(&self.registrar);
        all.into_iter().find(|sender| sender.account() == account).cloned()
    }

    /// The least commission; a chain that does not answer tells it with its refusal.
    async fn floor(&self) -> Option<Decimal> {
        let params = self.chain.fetch_staking_params().await.ok()?;
        params.last().map(|params| params.min_commission_rate)
    }

    async fn send_or_refuse(
        &self,
        by: &Arc<dyn Submitter>,
        message: ChainMessage,
        result: &str,
    ) -> Result<Done, CannotDo> {
        match self.send(by, message).await? {
            Sent::Accepted(hash) => Ok(self.done(result, Some(hash))),
            Sent::AlreadyDone(text) => Ok(self.done(&text, None)),
            Sent::Refused(refusal) => Err(CannotDo::Refused(refusal)),
        }
    }

    async fn send(&self, by: &Arc<dyn Submitter>, message: ChainMessage) -> Result<Sent, CannotDo> {
        let submission = tokio::time::timeout(self.patience, by.submit(vec![message])).await;
        let late = |_| CannotDo::FateUnknown("the chain did not say in time".to_owned());
        match submission.map_err(late)??.into_iter().next() {
            Some(MessageOutcome::Accepted { tx_hash, .. }) => Ok(Sent::Accepted(tx_hash)),
            Some(MessageOutcome::AlreadyDone(text)) => Ok(Sent::AlreadyDone(text)),
            Some(MessageOutcome::Refused(refusal)) => Ok(Sent::Refused(refusal)),
            Some(MessageOutcome::Unknown(error)) => Err(CannotDo::FateUnknown(error.to_string())),
            None => Err(CannotDo::FateUnknown("the chain gave no outcome".to_owned())),
        }
    }

    fn done(&self, result: &str, tx_hash: Option<String>) -> Done {
        let Subject { finality_provider, chain_id } = &self.subject;
        let (finality_provider, chain_id) = (*finality_provider, chain_id.to_string());
        Done { finality_provider, chain_id, result: result.to_owned(), tx_hash }
    }
}

enum Sent {
    Accepted(String),
    AlreadyDone(String),
    Refused(Refusal),
}

impl Prover {
    async fn prove(
        &self,
        key: &FinalityProviderPublicKey,
        account: &AccountAddress,
    ) -> Result<ProofOfPossession, CannotDo> {
        match self {
            Self::Signer(signer) => Ok(signer.sign_possession(key, account).await?),
            Self::Key(secret) if secret.public_key() == *key => Ok(secret.sign_possession(account)),
            Self::Key(_) | Self::Nobody => Err(CannotDo::NoSuchKey(*key)),
        }
    }
}

fn list(keys: &[FinalityProviderPublicKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Chooses one of several by what was asked for, or the only one.
pub(super) fn choose_key(
    asked: Option<FinalityProviderPublicKey>,
    keys: &[FinalityProviderPublicKey],
) -> Result<FinalityProviderPublicKey, CannotDo> {
    match (asked, keys) {
        (Some(key), keys) if keys.contains(&key) => Ok(key),
        (Some(key), _) => Err(CannotDo::NoSuchKey(key)),
        (None, [only]) => Ok(*only),
        (None, keys) => Err(CannotDo::WhichKey(keys.to_vec())),
    }
}
