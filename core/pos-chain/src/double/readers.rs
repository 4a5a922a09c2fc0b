//! The reading ports of the double.

use super::{ChainState, ScriptedChain};
use crate::{
    event::{ChainEvent, EventReader, HintReader, Hints},
    message::RewardKind,
    ports::*,
    watch::{LivenessReader, NodeReader, NodeReport, SigningInfo},
};
use async_trait::async_trait;
use bitcoin::{BlockHash, Txid};
use btc_staking_protocol::{
    delegation::{Delegation, DelegationStatus},
    finality::evidence::Evidence,
    height::{Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::{ParamsVersion, StakingParams},
};
use std::{collections::BTreeSet, num::NonZeroU64, task::Poll};

#[async_trait]
impl HeadReader for ScriptedChain {
    async fn fetch_head(&self) -> Result<ChainHead> {
        self.read("head", |state| Ok(state.head.clone()))
    }
}

#[async_trait]
impl ParamsReader for ScriptedChain {
    async fn fetch_staking_params(&self) -> Result<Vec<StakingParams>> {
        self.read("params", |state| Ok(state.staking_params.clone()))
    }
    async fn fetch_staking_params_version(&self, version: ParamsVersion) -> Result<StakingParams> {
        self.read("params version", |state| {
            let found = state.staking_params.iter().find(|params| params.version == version);
            found.cloned().ok_or_else(|| {
                ChainError::new(ErrorKind::NotYet, format!("params version {} is not known", version.0))
            })
        })
    }
    async fn fetch_checkpoint_params(&self) -> Result<CheckpointParams> {
        self.read("checkpoint params", |state| Ok(state.checkpoint_params))
    }
    async fn fetch_finality_params(&self) -> Result<FinalityParams> {
        self.read("finality params", |state| Ok(state.finality_params))
    }
    async fn fetch_epoch_interval(&self) -> Result<Option<NonZeroU64>> {
        self.read("epoch interval", |state| Ok(state.epoch_interval))
    }
}

#[async_trait]
impl LightClientReader for ScriptedChain {
    async fn fetch_light_client_tip(&self) -> Result<LightClientHeader> {
        self.read("light client tip", |state| state.light_client.last().copied().ok_or_else(no_headers))
    }
    async fn fetch_light_client_base(&self) -> Result<LightClientHeader> {
        self.read("light client base", |state| state.light_client.first().copied().ok_or_else(no_headers))
    }
    async fn light_client_contains(&self, hash: &BlockHash) -> Result<bool> {
        self.read("light client", |state| Ok(state.light_client.iter().any(|header| header.hash == *hash)))
    }
}

fn no_headers() -> ChainError {
    ChainError::new(ErrorKind::NotYet, "light client holds no header")
}

#[async_trait]
impl DelegationReader for ScriptedChain {
    async fn fetch_delegation(&self, staking_txid: &Txid) -> Result<Option<Delegation>> {
        self.read("delegation", |state| Ok(state.delegations.get(staking_txid).cloned()))
    }
    async fn fetch_delegations(&self, status: Option<DelegationStatus>) -> Result<Listing<Delegation>> {
        if let Some(kind) = self.update(|state| state.listing_fault) {
            return Err(ChainError::new(kind, "delegations cannot be listed"));
        }
        self.list_delegations(|delegation| status.is_none_or(|status| delegation.status == status))
    }
    async fn fetch_delegations_to(
        &self,
        finality_provider: &FinalityProviderPublicKey,
    ) -> Result<Listing<Delegation>> {
        self.list_delegations(|delegation| delegation.terms.finality_providers.contains(finality_provider))
    }
}

impl ScriptedChain {
    fn list_delegations(&self, wanted: impl Fn(&Delegation) -> bool) -> Result<Listing<Delegation>> {
        self.read("delegations", |state| {
            let items = state.delegations.values().filter(|delegation| wanted(delegation)).cloned();
            Ok(Listing { items: items.collect(), malformed: state.malformed_delegations.clone() })
        })
    }
}

#[async_trait]
impl FinalityProviderReader for ScriptedChain {
    async fn fetch_finality_provider(
        &self,
        key: &FinalityProviderPublicKey,
    ) -> Result<Option<FinalityProvider>> {
        self.read("finality provider", |state| Ok(state.finality_providers.get(key).cloned()))
    }
    async fn fetch_finality_providers(&self) -> Result<Listing<FinalityProvider>> {
        self.read("finality providers", |state| {
            let items = state.finality_providers.values().cloned().collect();
            Ok(Listing { items, malformed: Vec::new() })
        })
    }
    async fn fetch_voting_power(
        &self,
        key: &FinalityProviderPublicKey,
        height: PosHeight,
    ) -> Result<VotingPower> {
        self.read("voting power", |state| Ok(power(state, key, height)))
    }
    async fn fetch_voting_powers(
        &self,
        keys: &[FinalityProviderPublicKey],
        height: PosHeight,
    ) -> Result<Vec<VotingPower>> {
        self.read("voting powers", |state| Ok(keys.iter().map(|key| power(state, key, height)).collect()))
    }
}

fn power(state: &ChainState, key: &FinalityProviderPublicKey, height: PosHeight) -> VotingPower {
    let Some(table) = state.power_tables.get(&height) else { return VotingPower::NoTable };
    match table.get(key) {
        None | Some(0) => VotingPower::None,
        Some(power) => VotingPower::Has(*power),
    }
}

/// Most members of a list the double gives at once, as chains have such a bound too.
const PAGE: usize = 1_000;

#[async_trait]
impl FinalityReader for ScriptedChain {
    async fn fetch_activated_height(&self) -> Result<Option<PosHeight>> {
        self.read("activated height", |state| Ok(state.activated_height))
    }
    async fn fetch_indexed_block(&self, height: PosHeight) -> Result<Option<IndexedBlock>> {
        self.read("indexed block", |state| Ok(state.blocks.get(&height).copied()))
    }
    async fn fetch_indexed_blocks(&self, from: PosHeight, most: usize) -> Result<Vec<IndexedBlock>> {
        self.read("indexed blocks", |state| {
            Ok(state.blocks.range(from..).map(|(_, block)| *block).take(most.min(PAGE)).collect())
        })
    }
    async fn fetch_last_finalised(&self) -> Result<Option<IndexedBlock>> {
        self.read("last finalised", |state| {
            Ok(state.blocks.values().rev().find(|block| block.finalised).copied())
        })
    }
    async fn fetch_votes(&self, height: PosHeight) -> Result<Vec<FinalityProviderPublicKey>> {
        self.read("votes", |state| {
            Ok(state.votes.get(&height).into_iter().flat_map(|votes| votes.keys()).copied().collect())
        })
    }
    async fn fetch_voted_heights(
        &self,
        key: &FinalityProviderPublicKey,
        from: PosHeight,
        most: usize,
    ) -> Result<Vec<PosHeight>> {
        self.read("voted heights", |state| {
            let own = state.votes.range(from..).filter(|(_, votes)| votes.contains_key(key));
            let own = own.map(|(height, _)| *height).take(most.min(PAGE));
            let forks = state.fork_votes.keys().filter(|(height, voter)| voter == key && *height >= from);
            let both: BTreeSet<_> = own.chain(forks.map(|(height, _)| *height)).collect();
            Ok(both.into_iter().take(most.min(PAGE)).collect())
        })
    }
    async fn fetch_randomness_commitments(
        &self,
        key: &FinalityProviderPublicKey,
    ) -> Result<Vec<StoredCommitment>> {
        self.read("commitments", |state| Ok(state.commitments.get(key).cloned().unwrap_or_default()))
    }
    async fn fetch_last_finalised_epoch(&self) -> Result<Epoch> {
        self.read("last finalised epoch", |state| Ok(state.last_finalised_epoch))
    }
}

#[async_trait]
impl EvidenceReader for ScriptedChain {
    async fn fetch_evidences(&self, from: PosHeight) -> Result<Listing<Evidence>> {
        self.read("evidences", |state| {
            let items = state.evidences.iter().filter(|evidence| evidence.height >= from).cloned();
            Ok(Listing { items: items.collect(), malformed: Vec::new() })
        })
    }
}

#[async_trait]
impl AccountReader for ScriptedChain {
    async fn fetch_balance(&self, account: &AccountAddress) -> Result<u128> {
        self.read("balance", |state| Ok(state.balances.get(account).copied().unwrap_or(0)))
    }
    async fn fetch_rewards(&self, account: &AccountAddress) -> Result<Vec<(RewardKind, u128)>> {
        self.read("rewards", |state| Ok(state.rewards.get(account).cloned().unwrap_or_default()))
    }
}

#[async_trait]
impl LivenessReader for ScriptedChain {
    async fn fetch_signing_info(&self, key: &FinalityProviderPublicKey) -> Result<Option<SigningInfo>> {
        self.read("signing info", |state| Ok(state.signing_infos.get(key).copied()))
    }
}

#[async_trait]
impl NodeReader for ScriptedChain {
    async fn fetch_nodes(&self) -> Vec<NodeReport> {
        self.update(|state| state.nodes.clone())
    }
    async fn fetch_block_time(&self, height: PosHeight) -> Result<u64> {
        self.read("block time", |state| {
            let unknown = || ChainError::new(ErrorKind::NotYet, format!("block {height} is not known"));
            state.block_times.get(&height).copied().ok_or_else(unknown)
        })
    }
}

#[async_trait]
impl EventReader for ScriptedChain {
    async fn fetch_events(&self, height: PosHeight) -> Result<Listing<ChainEvent>> {
        self.read("events", |state| {
            if height > state.head.height {
                return Err(ChainError::new(ErrorKind::NotYet, format!("block {height} lies ahead")));
            }
            let items = state.events.get(&height).cloned().unwrap_or_default();
            Ok(Listing { items, malformed: Vec::new() })
        })
    }
}

/// A scripted chain gives the hints that its test gives, and none otherwise: roles must do without.
impl HintReader for ScriptedChain {
    fn block_hints(&self) -> Box<dyn Hints> {
        let heard = self.lock().hints;
        Box::new(ScriptedHints { chain: self.clone(), heard })
    }
}

struct ScriptedHints {
    chain: ScriptedChain,
    heard: u64,
}

#[async_trait]
impl Hints for ScriptedHints {
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut shared = self.chain.lock();
            if shared.hints == self.heard {
                shared.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            self.heard = shared.hints;
            Poll::Ready(())
        })
        .await
    }
}
