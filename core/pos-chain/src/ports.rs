//! The ports: small traits, one per need.

use crate::event::HintReader;
use crate::message::{ChainMessage, CommissionRates, Description, MessageOutcome};
use crate::watch::{LivenessReader, NodeReader};
use async_trait::async_trait;
use bitcoin::{BlockHash, Txid, block::Header};
use btc_staking_protocol::{
    delegation::{Delegation, DelegationStatus},
    finality::evidence::Evidence,
    height::{BtcDepth, BtcHeight, Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::{ParamsVersion, StakingParams},
    rate::Decimal,
};
use std::{fmt, num::NonZeroU64};

/// Result of a port call.
pub type Result<T> = std::result::Result<T, ChainError>;

/// Why a port call failed. Refusals of messages are not errors; see [`MessageOutcome::Refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainError {
    /// What callers decide by.
    pub kind: ErrorKind,
    /// For people: what was asked, of whom, and what came back.
    pub detail: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Network or node trouble; trying again may help.
    Transient,
    /// The node does not know yet (height not reached, not indexed). Never a "no".
    NotYet,
    /// The node pruned what was asked for.
    Pruned,
    /// The answer is malformed or contradicts itself; a person must look.
    Broken,
}

impl ChainError {
    /// Builds an error of `kind`.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient | ErrorKind::NotYet)
    }
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ErrorKind::Transient => "chain not reachable",
            ErrorKind::NotYet => "chain does not know yet",
            ErrorKind::Pruned => "node has pruned this",
            ErrorKind::Broken => "chain gave a malformed answer",
        };
        write!(f, "{kind}: {}", self.detail)
    }
}
impl std::error::Error for ChainError {}

/// The tip of the staking chain as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// Chain id.
    pub chain_id: String,
    /// Latest block.
    pub height: PosHeight,
    /// Whether the node is still syncing.
    pub catching_up: bool,
}

/// Depths the chain works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointParams {
    /// `k`: depth at which a Bitcoin transaction counts.
    pub confirmation_depth: BtcDepth,
    /// `w`: depth at which an epoch's checkpoint is final.
    pub finalization_timeout: BtcDepth,
}

/// Finality parameters (`chain.md` 10.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalityParams {
    /// Size of the active set.
    pub max_active_finality_providers: u32,
    /// Sliding window of liveness, in blocks.
    pub signed_blocks_window: u64,
    /// Blocks before a miss is final.
    pub finality_sig_timeout: u64,
    /// Share of the window that must be signed.
    pub min_signed_per_window: Decimal,
    /// Smallest randomness commitment.
    pub min_pub_rand: u64,
    /// Seconds in jail.
    pub jail_duration_s: u64,
    /// First height with votes.
    pub activation_height: PosHeight,
}

/// A Bitcoin header on the chain's light client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LightClientHeader {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: BtcHeight,
}

/// A finality provider as the chain reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalityProvider {
    /// EOTS key.
    pub key: FinalityProviderPublicKey,
    /// Account that registered it.
    pub account: AccountAddress,
    /// Description.
    pub description: Description,
    /// Commission.
    pub commission: CommissionRates,
    /// When the commission was last set, in seconds since 1970; registering counts. `None` if the chain does not tell.
    pub commission_set_at: Option<u64>,
    /// Set once slashed.
    pub slashed: Option<SlashedAt>,
    /// Whether in jail.
    pub jailed: bool,
    /// Highest height it voted for; 0 for none.
    pub highest_voted_height: PosHeight,
}

/// When a finality provider was slashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlashedAt {
    /// Height of the staking chain.
    pub pos_height: PosHeight,
    /// Bitcoin tip known to the chain then.
    pub btc_height: BtcHeight,
}

/// Power of a provider at a height: three answers, because "unknown" must never be read as "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VotingPower {
    /// In the power table with this many satoshis.
    Has(u64),
    /// Provably without power at that height.
    None,
    /// No table at that height: nobody is active, or the height lies ahead. A reader that cannot rule out that its node is
    /// behind fails with [`ErrorKind::NotYet`] instead.
    NoTable,
}

/// A block that can be voted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedBlock {
    /// Height.
    pub height: PosHeight,
    /// App hash in its header.
    pub app_hash: [u8; 32],
    /// Whether votes made it final.
    pub finalised: bool,
}

/// A randomness commitment stored on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCommitment {
    /// First height.
    pub start_height: PosHeight,
    /// Number of values.
    pub count: u64,
    /// Merkle root.
    pub root: [u8; 32],
    /// Epoch it was committed in; usable once this epoch is final.
    pub epoch: Epoch,
}

/// Reads the head of the chain.
#[async_trait]
pub trait HeadReader: Send + Sync {
    /// Returns the latest block the node has.
    async fn fetch_head(&self) -> Result<ChainHead>;
}

/// Reads parameters.
#[async_trait]
pub trait ParamsReader: Send + Sync {
    /// Returns every version of the staking parameters, ascending.
    async fn fetch_staking_params(&self) -> Result<Vec<StakingParams>>;
    /// Returns one version.
    async fn fetch_staking_params_version(&self, version: ParamsVersion) -> Result<StakingParams>;
    /// Returns `k` and `w`.
    async fn fetch_checkpoint_params(&self) -> Result<CheckpointParams>;
    /// Returns the finality parameters.
    async fn fetch_finality_params(&self) -> Result<FinalityParams>;
    /// Returns the number of blocks in an epoch; `None` on a chain without epochs.
    async fn fetch_epoch_interval(&self) -> Result<Option<NonZeroU64>>;
}

/// Reads the chain's Bitcoin light client.
#[async_trait]
pub trait LightClientReader: Send + Sync {
    /// Returns the tip.
    async fn fetch_light_client_tip(&self) -> Result<LightClientHeader>;
    /// Returns the first header the light client holds.
    async fn fetch_light_client_base(&self) -> Result<LightClientHeader>;
    /// Whether a header is on the light client's main chain.
    async fn light_client_contains(&self, hash: &BlockHash) -> Result<bool>;
}

/// Reads delegations.
#[async_trait]
pub trait DelegationReader: Send + Sync {
    /// Returns one delegation, `None` if the chain says it does not exist.
    async fn fetch_delegation(&self, staking_txid: &Txid) -> Result<Option<Delegation>>;
    /// Returns all delegations with a status, following every page. Members that cannot be decoded are in
    /// [`Listing::malformed`], never a reason to fail the rest.
    async fn fetch_delegations(&self, status: Option<DelegationStatus>) -> Result<Listing<Delegation>>;
    /// Returns all delegations to one finality provider, every status.
    async fn fetch_delegations_to(
        &self,
        finality_provider: &FinalityProviderPublicKey,
    ) -> Result<Listing<Delegation>>;
}

/// A list in which bad members do not spoil the good ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Members that decoded.
    pub items: Vec<T>,
    /// What was wrong with the others.
    pub malformed: Vec<String>,
}

/// Reads finality providers and their power.
#[async_trait]
pub trait FinalityProviderReader: Send + Sync {
    /// Returns one provider, `None` if not registered.
    async fn fetch_finality_provider(
        &self,
        key: &FinalityProviderPublicKey,
    ) -> Result<Option<FinalityProvider>>;
    /// Returns all providers.
    async fn fetch_finality_providers(&self) -> Result<Listing<FinalityProvider>>;
    /// Returns the power at a height.
    async fn fetch_voting_power(
        &self,
        key: &FinalityProviderPublicKey,
        height: PosHeight,
    ) -> Result<VotingPower>;
    /// Returns the power of several providers at a height, in the order of `keys`, with one question where the chain
    /// allows. Each is what [`fetch_voting_power`](Self::fetch_voting_power) would tell, but that a table without power
    /// for anybody may pass for none.
    async fn fetch_voting_powers(
        &self,
        keys: &[FinalityProviderPublicKey],
        height: PosHeight,
    ) -> Result<Vec<VotingPower>>;
}

/// Reads votes, blocks and randomness.
#[async_trait]
pub trait FinalityReader: Send + Sync {
    /// Returns the first height with a power table; `None` before activation.
    async fn fetch_activated_height(&self) -> Result<Option<PosHeight>>;
    /// Returns an indexed block; `None` if that height is not indexed (yet).
    async fn fetch_indexed_block(&self, height: PosHeight) -> Result<Option<IndexedBlock>>;
    /// Returns the indexed blocks at `from` and above, ascending, at most `most` of them and at most as many as the chain
    /// gives at once; none if there is none.
    async fn fetch_indexed_blocks(&self, from: PosHeight, most: usize) -> Result<Vec<IndexedBlock>>;
    /// Returns the newest finalised block; `None` if there is none.
    async fn fetch_last_finalised(&self) -> Result<Option<IndexedBlock>>;
    /// Returns the keys that voted for a height.
    async fn fetch_votes(&self, height: PosHeight) -> Result<Vec<FinalityProviderPublicKey>>;
    /// Returns heights at `from` and above for which the chain took a vote of a provider, for its own block or another,
    /// ascending, at most `most` of them and at most as many as the chain gives at once; none if there is none.
    async fn fetch_voted_heights(
        &self,
        key: &FinalityProviderPublicKey,
        from: PosHeight,
        most: usize,
    ) -> Result<Vec<PosHeight>>;
    /// Returns all randomness commitments of a provider, ascending by start height.
    async fn fetch_randomness_commitments(
        &self,
        key: &FinalityProviderPublicKey,
    ) -> Result<Vec<StoredCommitment>>;
    /// Returns the last epoch that is final on Bitcoin; epoch 0 when none is.
    async fn fetch_last_finalised_epoch(&self) -> Result<Epoch>;
}

/// Reads evidence of double signing.
#[async_trait]
pub trait EvidenceReader: Send + Sync {
    /// Returns the first complete evidence against each provider, for evidence at `from` or above.
    async fn fetch_evidences(&self, from: PosHeight) -> Result<Listing<Evidence>>;
}

/// Reads an account of the chain.
#[async_trait]
pub trait AccountReader: Send + Sync {
    /// Returns the spendable balance in the base denomination.
    async fn fetch_balance(&self, account: &AccountAddress) -> Result<u128>;
    /// Returns reward coins that can be withdrawn, in the base denomination, by gauge name.
    async fn fetch_rewards(
        &self,
        account: &AccountAddress,
    ) -> Result<Vec<(crate::message::RewardKind, u128)>>;
}

/// Sends messages from one account.
#[async_trait]
pub trait Submitter: Send + Sync {
    /// The account that pays and signs.
    fn account(&self) -> &AccountAddress;
    /// Submits messages and follows each to a final answer, in order: one outcome per message. A batch is split around
    /// the member that fails; refundable messages never share a transaction with others.
    ///
    /// What could not be learned in time is [`MessageOutcome::Unknown`] beside the outcomes of the others. After an
    /// unknown one nothing more of the same call is sent, so that order holds; those outcomes are unknown too. Dropping
    /// the future withdraws what has not left yet; what has left is followed all the same.
    ///
    /// # Errors
    /// [`ChainError`] when no message has an outcome; re-read the chain before sending again.
    async fn submit(&self, messages: Vec<ChainMessage>) -> Result<Vec<MessageOutcome>>;
}

/// Everything a daemon may need of one chain, for adapters that provide all of it.
pub trait PosChain:
    HeadReader
    + ParamsReader
    + LightClientReader
    + DelegationReader
    + FinalityProviderReader
    + FinalityReader
    + EvidenceReader
    + AccountReader
    + HintReader
    + LivenessReader
    + NodeReader
{
}
impl<T> PosChain for T where
    T: HeadReader
        + ParamsReader
        + LightClientReader
        + DelegationReader
        + FinalityProviderReader
        + FinalityReader
        + EvidenceReader
        + AccountReader
        + HintReader
        + LivenessReader
        + NodeReader
{
}
