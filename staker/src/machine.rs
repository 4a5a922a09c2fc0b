//! A stake's way to Bitcoin, as a synchronous machine: planned, registered, verified, signed.
//!
//! | step | next action | answer | next step |
//! |---|---|---|---|
//! | planned | read the chain | unknown there | register; accepted or already there: registered |
//! | registered | read the chain | a quorum that we verified | verified |
//! | verified | read the chain, look at the coins | provider not slashed, coins unspent | sign; the signed transaction: signed |
//! | signed, not on Bitcoin | read the chain | provider not slashed | broadcast; watched on Bitcoin from here on |
//!
//! Every [`Action::Record`] is durable before the action after it is performed. Whatever the last record is, a [`Event::Tick`]
//! computes the next action from it, so a kill anywhere only repeats questions. Coins move on nothing less than a quorum
//! verified here; a stake ends, and frees its coins, only while nothing was signed. Once the provider is slashed anybody
//! can slash the stake too, so its transaction is not sent any more, however far it is.

use crate::stake::{DamagedStake, EndReason, Stake, Step};
use bitcoin::{OutPoint, Transaction, secp256k1::schnorr};
use btc_staking_bitcoin_node::{BroadcastOutcome, BroadcastRefusal};
use btc_staking_pos_chain::{FinalityProvider, MessageOutcome};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, Delegation, DelegationRequest, QuorumMissing},
    keys::CovenantPublicKey,
    params::StakingParams,
    possession::ProofOfPossession,
    sighash::signature_is_valid,
};
use thiserror::Error;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time to look again; also the first event after a start.
    Tick,
    /// The chain was read.
    ChainRead(Box<ChainReading>),
    /// The chain answered the registration.
    Registered(MessageOutcome),
    /// The fate of the registration is not known; reading the chain will tell.
    RegistrationUnknown(String),
    /// The coins were looked at: the first that is spent elsewhere, if one is.
    CoinsChecked(Option<OutPoint>),
    /// The wallet signed the staking transaction.
    Signed(Transaction),
    /// A Bitcoin node answered the broadcast.
    Broadcast(BroadcastOutcome),
    /// The holder gives the stake up.
    Abandon,
}

/// What the chain tells about a stake.
#[derive(Debug)]
pub struct ChainReading {
    /// The delegation with the params of the version it names, if the chain has it.
    pub delegation: Option<(Delegation, StakingParams)>,
    /// The finality provider, if the chain has it.
    pub provider: Option<FinalityProvider>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Store the step durably, freeing the coins if the stake ended.
    Record(Step),
    /// Read delegation and finality provider; not needed when the stake is signed and on Bitcoin.
    ReadChain,
    /// Register the stake.
    Register(Box<DelegationRequest>),
    /// Ask a Bitcoin node whether these coins are unspent, mempool included.
    CheckCoins(Vec<OutPoint>),
    /// Let the wallet sign the staking transaction.
    Sign,
    /// Hand the staking transaction to the network.
    Broadcast(Transaction),
    /// Tell the holder.
    Report(Report),
}

/// What the holder is told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Report {
    /// The registration's fate is not known.
    #[error("it is not known whether the chain took the registration: {0}")]
    RegistrationUnknown(String),
    /// The chain does not take the registration now, and may later.
    #[error("the chain does not take the registration yet: {0}")]
    RegistrationRefused(String),
    /// The chain took the registration, but the node asked does not show it yet.
    #[error("the chain's node does not show the registration yet")]
    NotVisible,
    /// The node asked does not know the finality provider, so it cannot tell whether it is slashed.
    #[error("the chain's node does not know the finality provider")]
    ProviderNotVisible,
    /// The provider was slashed after the stake was signed.
    #[error(
        "the finality provider was slashed after the staking transaction was signed: it is not broadcast, because the \
         stake would be slashed too; its coins stay reserved, because an earlier broadcast may still confirm"
    )]
    ProviderSlashed,
    /// Signatures of the committee are missing.
    #[error("waiting for the covenant committee")]
    QuorumMissing(#[source] QuorumMissing),
    /// The signed transaction does not belong to this stake.
    #[error("the signed transaction is not this stake's")]
    WrongTransaction,
    /// The staking transaction is in a mempool.
    #[error("the staking transaction is broadcast")]
    Broadcast,
    /// A node does not take the staking transaction.
    #[error("the bitcoin node refuses the staking transaction: {} ({:?})", .0.text, .0.kind)]
    BroadcastRefused(BroadcastRefusal),
    /// The stake is signed: its transaction may be mined at any moment.
    #[error(
        "the staking transaction is signed already and may confirm at any moment, unbond the stake instead"
    )]
    TooLateToAbandon,
    /// The stake was over already.
    #[error("the stake is over: {0}")]
    Over(EndReason),
}

/// The machine of one stake.
#[derive(Debug, Clone)]
pub struct Machine {
    stake: Stake,
    checked: CheckedDelegation,
}

impl Machine {
    /// Takes up a stake where its record stands.
    ///
    /// # Errors
    /// [`DamagedStake`].
    pub fn new(stake: Stake) -> Result<Self, DamagedStake> {
        let checked = stake.checked()?;
        Ok(Self { stake, checked })
    }

    /// The stake as it is to be recorded.
    pub fn stake(&self) -> &Stake {
        &self.stake
    }

    /// Its terms, checked.
    pub fn checked(&self) -> &CheckedDelegation {
        &self.checked
    }

    /// Notes the signed unbonding transaction, which its caller has recorded.
    pub fn note_unbonding(&mut self, unbonding: Transaction) {
        self.stake.unbonding = Some(unbonding);
    }

    /// Takes an event and returns what to do, in order.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Tick => self.next_actions(),
            Event::ChainRead(reading) => self.on_chain_read(*reading),
            Event::Registered(outcome) => self.on_registered(outcome),
            Event::RegistrationUnknown(why) => vec![Action::Report(Report::RegistrationUnknown(why))],
            Event::CoinsChecked(spent) => self.on_coins_checked(spent),
            Event::Signed(tx) => self.on_signed(tx),
            Event::Broadcast(outcome) => self.on_broadcast(outcome),
            Event::Abandon => self.on_abandon(),
        }
    }

    /// What the recorded step asks for.
    fn next_actions(&self) -> Vec<Action> {
        match &self.stake.step {
            // Time may have passed since the last step, and the provider may have been slashed in it.
            Step::Planned | Step::Registered | Step::Verified { .. } | Step::Signed { .. } => {
                vec![Action::ReadChain]
            }
            Step::Ended(_) => Vec::new(),
        }
    }

    fn on_chain_read(&mut self, reading: ChainReading) -> Vec<Action> {
        let is_unknown = reading.provider.is_none();
        let is_slashed = reading.provider.is_some_and(|provider| provider.slashed.is_some());
        match (&self.stake.step, reading.delegation) {
            (Step::Ended(_), _) => Vec::new(),
            (Step::Verified { .. } | Step::Signed { .. }, _) if is_unknown => {
                vec![Action::Report(Report::ProviderNotVisible)]
            }
            (Step::Signed { .. }, _) if is_slashed => vec![Action::Report(Report::ProviderSlashed)],
            (Step::Signed { staking_tx, .. }, _) => vec![Action::Broadcast(staking_tx.clone())],
            (Step::Planned | Step::Registered | Step::Verified { .. }, _) if is_slashed => {
                self.end(EndReason::ProviderSlashed)
            }
            (Step::Verified { .. }, _) => vec![self.check_coins()],
            (Step::Planned | Step::Registered, Some((delegation, params))) => {
                self.on_delegation(&delegation, &params)
            }
            (Step::Planned, None) => vec![Action::Register(Box::new(self.request()))],
            // Accepted once is accepted for good; the node asked now lags behind.
            (Step::Registered, None) => vec![Action::Report(Report::NotVisible)],
        }
    }

    fn on_delegation(&mut self, delegation: &Delegation, params: &StakingParams) -> Vec<Action> {
        if let Some(difference) = self.contradiction(delegation, params) {
            return self.end(EndReason::Contradicted(difference));
        }
        match self.checked.verified_quorum(&delegation.covenant) {
            Ok(_proof) => {
                let covenant = self.valid_unbonding_signatures(delegation);
                let mut actions = self.step_to(Step::Verified { covenant });
                actions.push(self.check_coins());
                actions
            }
            Err(missing) => {
                let is_news = self.stake.step == Step::Planned;
                let mut actions = if is_news { self.step_to(Step::Registered) } else { Vec::new() };
                actions.push(Action::Report(Report::QuorumMissing(missing)));
                actions
            }
        }
    }

    fn check_coins(&self) -> Action {
        Action::CheckCoins(self.stake.coins().collect())
    }

    fn request(&self) -> DelegationRequest {
        DelegationRequest {
            staker_account: self.stake.account.clone(),
            possession: ProofOfPossession::Bip340(self.stake.possession),
            terms: self.checked.terms().clone(),
            inclusion: None,
            expansion: None,
        }
    }

    /// What the chain tells must be our stake, under params that lead to the very same outputs.
    fn contradiction(&self, delegation: &Delegation, params: &StakingParams) -> Option<String> {
        if delegation.staker_account != self.stake.account {
            return Some(format!("it belongs to account {}", delegation.staker_account));
        }
        if delegation.terms != *self.checked.terms() {
            return Some("its terms are not ours".to_owned());
        }
        match delegation.rebuild(params) {
            Err(untrue) => Some(untrue.to_string()),
            Ok(told) if told.outputs() != self.checked.outputs() => {
                Some("its params lead to other outputs than ours".to_owned())
            }
            Ok(_) => None,
        }
    }

    /// The signatures that will let us leave. Strangers' and invalid ones would spoil the witness.
    fn valid_unbonding_signatures(
        &self,
        delegation: &Delegation,
    ) -> Vec<(CovenantPublicKey, schnorr::Signature)> {
        let committee = self.checked.outputs().keys().committee();
        let sighash = self.checked.sighashes().unbonding;
        let mut valid: Vec<(CovenantPublicKey, _)> = Vec::new();
        for (member, signature) in &delegation.covenant.unbonding {
            let is_new = valid.iter().all(|(other, _)| other != member);
            if is_new && committee.contains(member) && signature_is_valid(signature, member.x_only(), sighash)
            {
                valid.push((*member, *signature));
            }
        }
        valid
    }

    fn on_registered(&mut self, outcome: MessageOutcome) -> Vec<Action> {
        if self.stake.step != Step::Planned {
            return Vec::new();
        }
        match outcome {
            MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) => {
                let mut actions = self.step_to(Step::Registered);
                actions.push(Action::ReadChain);
                actions
            }
            MessageOutcome::Unknown(error) => {
                vec![Action::Report(Report::RegistrationUnknown(error.to_string()))]
            }
            MessageOutcome::Refused(refusal) if refusal.kind.is_transient() => {
                vec![Action::Report(Report::RegistrationRefused(refusal.to_string()))]
            }
            MessageOutcome::Refused(refusal) => self.end(EndReason::Refused(refusal.to_string())),
        }
    }

    fn on_coins_checked(&mut self, spent: Option<OutPoint>) -> Vec<Action> {
        match (&self.stake.step, spent) {
            (Step::Verified { .. }, Some(coin)) => self.end(EndReason::CoinSpent(coin)),
            (Step::Verified { .. }, None) => vec![Action::Sign],
            (Step::Planned | Step::Registered | Step::Signed { .. } | Step::Ended(_), _) => Vec::new(),
        }
    }

    fn on_signed(&mut self, tx: Transaction) -> Vec<Action> {
        let Step::Verified { covenant } = &self.stake.step else { return Vec::new() };
        if tx.compute_txid() != self.stake.txid() {
            return vec![Action::Report(Report::WrongTransaction)];
        }
        let step = Step::Signed { covenant: covenant.clone(), staking_tx: tx };
        let mut actions = self.step_to(step);
        actions.extend(self.next_actions());
        actions
    }

    fn on_broadcast(&mut self, outcome: BroadcastOutcome) -> Vec<Action> {
        let report = match outcome {
            BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => Report::Broadcast,
            BroadcastOutcome::Refused(refusal) => Report::BroadcastRefused(refusal),
        };
        vec![Action::Report(report)]
    }

    fn on_abandon(&mut self) -> Vec<Action> {
        match &self.stake.step {
            Step::Planned | Step::Registered | Step::Verified { .. } => self.end(EndReason::Abandoned),
            Step::Signed { .. } => vec![Action::Report(Report::TooLateToAbandon)],
            Step::Ended(reason) => vec![Action::Report(Report::Over(reason.clone()))],
        }
    }

    fn end(&mut self, reason: EndReason) -> Vec<Action> {
        let mut actions = self.step_to(Step::Ended(reason.clone()));
        actions.push(Action::Report(Report::Over(reason)));
        actions
    }

    fn step_to(&mut self, step: Step) -> Vec<Action> {
        self.stake.step = step.clone();
        vec![Action::Record(step)]
    }
}

#[cfg(test)]
mod tests;
