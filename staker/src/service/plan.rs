//! Planning a stake: everything that can be refused is refused here, before anybody hears of it.
//!
//! The params are those of the chain's light-client tip, as the chain itself will choose them; on a public network they
//! must also be the ones this program was built with, or a version the holder names after reading it, so that a lying
//! node cannot slip in a committee of its own. All four transactions are built and checked, then the stake is recorded
//! together with the locks on its coins.

use super::{ChainAccess, Service, ServiceError};
use crate::{
    amount::display_feerate,
    keys::Keys,
    stake::{DamagedStake, Stake, Step},
    wallet::CannotFund,
};
use bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid, Witness, secp256k1::schnorr};
use btc_staking_pos_chain::{FinalityProvider, PosChain};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, NotTheStaker, PlanRefusal, SlashedOutput, plan_stake},
    height::Timelock,
    keys::FinalityProviderPublicKey,
    network::{Network, NetworkProfile, UntrustedParams},
    params::{InvalidHistory, NoParams, ParamsHistory, ParamsVersion, StakingParams},
    possession::{PossessionError, ProofOfPossession},
};
use thiserror::Error;

/// Blocks within which a staking transaction should confirm, for the node's estimate.
const TARGET_BLOCKS: u16 = 6;

/// What a holder asks for.
#[derive(Debug, Clone)]
pub struct StakeOrder {
    /// Value of the staking output.
    pub amount: Amount,
    /// Who votes with it.
    pub finality_provider: FinalityProviderPublicKey,
    /// Timelock of the staking output.
    pub staking_time: Timelock,
    /// Feerate of the staking transaction; the node's estimate when absent.
    pub feerate: Option<FeeRate>,
    /// Largest fee of the staking transaction.
    pub max_fee: Amount,
    /// A params version of a public network that this program does not know, and the holder trusts.
    pub accepted_params: Option<ParamsVersion>,
}

/// A stake that can be made, not yet recorded.
pub struct PlannedStake {
    stake: Stake,
    checked: CheckedDelegation,
    feerate: FeeRate,
    trusts_params: bool,
    warnings: Vec<String>,
}

/// Why a stake is not made. Nothing was recorded or locked.
#[derive(Debug, Error)]
pub enum CannotStake {
    /// Chains or records failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The chain's params versions contradict each other.
    #[error("the chain's params are no history")]
    Params(#[from] InvalidHistory),
    /// No params apply yet.
    #[error("the chain has no params for the bitcoin tip it knows")]
    NoParams(#[from] NoParams),
    /// A public network's node tells params that are not that network's.
    #[error("the node's params cannot be trusted")]
    ForeignParams(#[source] UntrustedParams),
    /// A public network's node hides params of that network.
    #[error("the node does not tell params version {} of {chain_id}: do not trust it", version.0)]
    HiddenParams {
        /// The network.
        chain_id: String,
        /// The version it does not tell.
        version: ParamsVersion,
    },
    /// The params that apply are newer than this program, or a node's invention.
    #[error(
        "the params that apply are not known to this program: update it, or read them elsewhere and add \
         --accept-params-version {}, which shows them before you agree",
        version.0
    )]
    UnknownParams {
        /// The version.
        version: ParamsVersion,
        /// Of which network.
        #[source]
        source: UntrustedParams,
    },
    /// The chain does not know the finality provider.
    #[error("finality provider {0} is not registered")]
    UnknownProvider(FinalityProviderPublicKey),
    /// The finality provider signed twice.
    #[error("finality provider {0} is slashed, a stake with it could never become active")]
    SlashedProvider(FinalityProviderPublicKey),
    /// The account cannot pay for the registration.
    #[error("account {account} has no {denom} to pay for the registration")]
    NoFunds {
        /// The account.
        account: String,
        /// The coin that pays fees.
        denom: String,
    },
    /// Amount, time or keys are refused, or the stake could not be unbonded or slashed.
    #[error("the stake cannot be made")]
    Plan(#[from] PlanRefusal),
    /// The wallet cannot fund it.
    #[error("the stake cannot be funded")]
    Fund(#[from] CannotFund),
    /// The node has no estimate.
    #[error("the bitcoin node has no fee estimate, give --fee-rate")]
    NoEstimate,
    /// A coin the wallet chose is being spent by a transaction in the mempool.
    #[error("coin {0} is being spent by another transaction, wait for it to confirm")]
    CoinInUse(OutPoint),
    /// The keys are another holder's.
    #[error("the stake cannot be signed")]
    Sign(#[source] Box<NotTheStaker>),
    /// The proof of possession we made does not verify.
    #[error("the proof of possession does not verify")]
    Possession(#[source] Box<PossessionError>),
    /// The stake we built does not pass its own check.
    #[error("the stake does not pass its own check")]
    Check(#[from] DamagedStake),
}

impl PlannedStake {
    /// What will be recorded.
    pub fn stake(&self) -> &Stake {
        &self.stake
    }
    /// Its terms.
    pub fn checked(&self) -> &CheckedDelegation {
        &self.checked
    }
    /// Whether the params are ones this program cannot vouch for, trusted by the holder alone.
    pub fn trusts_params(&self) -> bool {
        self.trusts_params
    }
    /// Feerate of the staking transaction.
    pub fn feerate(&self) -> FeeRate {
        self.feerate
    }
    /// What the holder should know before agreeing.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Service {
    /// Plans a stake. Nothing is recorded, nobody hears of it.
    ///
    /// # Errors
    /// [`CannotStake`].
    pub async fn plan(
        &mut self,
        order: &StakeOrder,
        chain: &ChainAccess,
        fee_denom: &str,
        keys: &Keys,
    ) -> Result<PlannedStake, CannotStake> {
        self.check_keys(keys)?;
        let reader = &*chain.reader;
        let (params, trusts_params) = self.fetch_params(reader, order.accepted_params).await?;
        let provider = fetch_provider(&order.finality_provider, reader).await?;
        self.check_account(reader, fee_denom).await?;
        let providers = std::slice::from_ref(&order.finality_provider);
        let staker = self.identity.staker;
        let plan = plan_stake(&params, staker, providers, order.amount, order.staking_time)?;
        self.sync().await?;
        let feerate = self.fetch_feerate(order.feerate).await?;
        let funded = self.wallet.fund(&plan.staking_output(), feerate, order.max_fee)?;
        let funding_tx = funded.psbt.unsigned_tx.clone();
        self.check_coins(&funding_tx).await?;
        let funded_stake = plan.with_funded(funding_tx)?;
        let terms = funded_stake
            .sign(&keys.staker(), &self.fresh_entropy()?)
            .map_err(|error| CannotStake::Sign(Box::new(error)))?;
        let stake = Stake {
            params,
            staker,
            account: self.identity.account.clone(),
            finality_provider: order.finality_provider,
            staking_time: order.staking_time,
            amount: order.amount,
            funding: funded.psbt,
            fee: funded.fee,
            slashing_signature: terms.staker_slashing_signature,
            unbonding_slashing_signature: terms.staker_unbonding_slashing_signature,
            possession: self.prove_possession(keys)?,
            step: Step::Planned,
            unbonding: None,
        };
        let checked = stake.checked()?;
        let warnings = self.warn(&stake, &checked, &provider).await?;
        Ok(PlannedStake { stake, checked, feerate, trusts_params, warnings })
    }

    /// Records a planned stake and reserves its coins. Durable on return; nobody has heard of it yet.
    ///
    /// # Errors
    /// [`ServiceError::Records`].
    pub fn record_plan(&mut self, plan: PlannedStake) -> Result<Txid, ServiceError> {
        let txid = plan.stake.txid();
        self.wallet.reserve(plan.stake.coins().collect::<Vec<_>>());
        self.records.record_stake(&plan.stake, self.wallet.take_changes())?;
        self.take_up(plan.stake)?;
        Ok(txid)
    }

    /// The params that apply, and whether only the holder's word stands for them.
    async fn fetch_params(
        &self,
        reader: &dyn PosChain,
        accepted: Option<ParamsVersion>,
    ) -> Result<(StakingParams, bool), CannotStake> {
        let versions = reader.fetch_staking_params().await.map_err(ServiceError::Chain)?;
        let history = ParamsHistory::new(versions)?;
        let profile = Network::with_chain_id(&self.identity.chain_id).map(Network::profile);
        if let Some(profile) = &profile {
            check_history(profile, &history)?;
        }
        let tip = reader.fetch_light_client_tip().await.map_err(ServiceError::Chain)?;
        let params = history.at(tip.height)?.clone();
        let version = params.version;
        let trusts = match profile.map_or(Ok(()), |profile| profile.check_told_params(&params)) {
            Ok(()) => false,
            Err(UntrustedParams::Unknown { .. }) if accepted == Some(version) => true,
            Err(source @ UntrustedParams::Unknown { .. }) => {
                return Err(CannotStake::UnknownParams { version, source });
            }
            Err(changed @ UntrustedParams::Changed { .. }) => {
                return Err(CannotStake::ForeignParams(changed));
            }
        };
        Ok((params, trusts))
    }

    async fn check_account(&self, reader: &dyn PosChain, denom: &str) -> Result<(), CannotStake> {
        let account = &self.identity.account;
        if reader.fetch_balance(account).await.map_err(ServiceError::Chain)? == 0 {
            return Err(CannotStake::NoFunds {
                account: account.bech32().to_owned(),
                denom: denom.to_owned(),
            });
        }
        Ok(())
    }

    /// The feerate asked for, or the node's estimate; never below what its mempool takes.
    pub(super) async fn fetch_feerate(&self, asked: Option<FeeRate>) -> Result<FeeRate, CannotStake> {
        if let Some(feerate) = asked {
            return Ok(feerate);
        }
        let floor = self.bitcoin.mempool_min_feerate().await.map_err(ServiceError::Node)?;
        let estimate = self.bitcoin.estimate_feerate(TARGET_BLOCKS).await.map_err(ServiceError::Node)?;
        match estimate {
            Some(estimate) => Ok(estimate.max(floor)),
            // Nothing competes for a regtest node's blocks, so it never has an estimate.
            None if self.identity.network == bitcoin::Network::Regtest => Ok(floor),
            None => Err(CannotStake::NoEstimate),
        }
    }

    async fn check_coins(&self, tx: &Transaction) -> Result<(), CannotStake> {
        let coins = tx.input.iter().map(|input| input.previous_output).collect();
        match self.fetch_spent(coins).await? {
            Some(coin) => Err(CannotStake::CoinInUse(coin)),
            None => Ok(()),
        }
    }

    /// The BIP-340 form: it signs the account's raw bytes, and needs no address of the staking key.
    fn prove_possession(&self, keys: &Keys) -> Result<schnorr::Signature, CannotStake> {
        let (secret, aux) = (keys.staker(), self.fresh_entropy()?);
        let proof = ProofOfPossession::sign_bip340(secret.signing_key(), &self.identity.account, &aux);
        proof
            .verify(self.identity.staker.x_only(), &self.identity.account)
            .map_err(|error| CannotStake::Possession(Box::new(error)))?;
        match proof {
            ProofOfPossession::Bip340(signature) => Ok(signature),
            ProofOfPossession::Bip322 { .. } | ProofOfPossession::Ecdsa(_) => {
                unreachable!("sign_bip340 makes the BIP-340 form")
            }
        }
    }

    async fn warn(
        &self,
        stake: &Stake,
        checked: &CheckedDelegation,
        provider: &FinalityProvider,
    ) -> Result<Vec<String>, CannotStake> {
        let mut warnings = Vec::new();
        if provider.jailed {
            warnings
                .push("the finality provider is jailed: the stake earns nothing until it is back".to_owned());
        }
        let floor = self.bitcoin.mempool_min_feerate().await.map_err(ServiceError::Node)?;
        let unbonding = unbonding_feerate(checked, stake.params.unbonding_fee);
        if unbonding < floor {
            warnings.push(format!(
                "the unbonding transaction pays {} sat/vB, which is fixed; nodes take {} sat/vB and more now, so leaving \
                 early would have to wait",
                display_feerate(unbonding),
                display_feerate(floor)
            ));
        }
        let refund = checked.slashing_tx(SlashedOutput::Unbonding).output[1].value;
        if refund < stake.amount / 2 {
            warnings.push(format!("a slashing would leave only {refund} of {}", stake.amount));
        }
        if stake.funding.unsigned_tx.output.len() < 2 {
            warnings.push(
                "the staking transaction has no change, so its fee cannot be raised later by spending it"
                    .to_owned(),
            );
        }
        Ok(warnings)
    }
}

async fn fetch_provider(
    key: &FinalityProviderPublicKey,
    reader: &dyn PosChain,
) -> Result<FinalityProvider, CannotStake> {
    let provider = reader.fetch_finality_provider(key).await.map_err(ServiceError::Chain)?;
    let provider = provider.ok_or(CannotStake::UnknownProvider(*key))?;
    match provider.slashed {
        Some(_) => Err(CannotStake::SlashedProvider(*key)),
        None => Ok(provider),
    }
}

/// Every version this program knows must be told, unchanged. Others matter only once they apply.
fn check_history(profile: &NetworkProfile, told: &ParamsHistory) -> Result<(), CannotStake> {
    for known in profile.params.iter() {
        let version = known.version;
        let Some(told) = told.version(version) else {
            return Err(CannotStake::HiddenParams { chain_id: profile.chain_id.clone(), version });
        };
        profile.check_told_params(told).map_err(CannotStake::ForeignParams)?;
    }
    Ok(())
}

/// The feerate that the fixed fee buys for an unbonding transaction with all its signatures.
fn unbonding_feerate(checked: &CheckedDelegation, fee: Amount) -> FeeRate {
    let leaf = checked.outputs().staking.unbonding_leaf();
    let committee = checked.outputs().keys().committee();
    let mut witness = Witness::new();
    for (slot, _) in (0_u32..).zip(committee.keys()) {
        witness.push(if slot < committee.quorum() { vec![0; 64] } else { Vec::new() });
    }
    witness.push([0; 64]);
    witness.push(leaf.script().as_bytes());
    witness.push(leaf.control_block().serialize());
    let mut tx = checked.terms().unbonding_tx.clone();
    if let Some(input) = tx.input.first_mut() {
        input.witness = witness;
    }
    fee / tx.weight()
}
