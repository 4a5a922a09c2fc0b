//! What is known about single heights of a chain, asked for once for all its providers.
//!
//! A height's power table and block never change once they are there, so an answer that says something is kept. One that
//! says nothing (no table, no block yet, no answer) holds for the look it belongs to: whoever asks in the same look is
//! told the same, and the next look asks again. So a node that is silent is waited for once, not once per provider.

use super::watch::within;
use btc_staking_pos_chain::ports::{ChainError, IndexedBlock, PosChain, VotingPower};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use futures::{StreamExt, stream};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

/// Heights whose power tables are asked for at once.
const AT_ONCE: usize = 64;
/// Heights remembered. Of each: the block, and the powers of this process's providers only.
const MOST: usize = 20_000;
/// Blocks asked for at once.
const PAGE: usize = 1_000;

/// What a chain tells about a height, as far as one provider is concerned.
pub type AtHeight = Result<(VotingPower, Option<IndexedBlock>), ChainError>;

/// See the module.
pub struct Heights {
    chain: Arc<dyn PosChain>,
    limit: Duration,
    known: Mutex<Known>,
    /// Held by who reads pages of blocks, with the last failure and the look it belongs to.
    pages: AsyncMutex<Option<(u64, ChainError)>>,
    at_once: Semaphore,
}

#[derive(Default)]
struct Known {
    keys: Vec<FinalityProviderPublicKey>,
    blocks: Remembered<IndexedBlock>,
    powers: Remembered<Arc<AsyncMutex<Powers>>>,
}

/// The powers of a height, once asked for.
#[derive(Default)]
struct Powers {
    look: u64,
    answer: Option<Result<BTreeMap<FinalityProviderPublicKey, VotingPower>, ChainError>>,
}

/// A bounded map: what came first is forgotten first.
struct Remembered<T> {
    values: BTreeMap<PosHeight, T>,
    order: VecDeque<PosHeight>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<T> Remembered<T> {
    fn insert(&mut self, height: PosHeight, value: T) {
        if self.values.insert(height, value).is_none() {
            self.order.push_back(height);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }
}

impl Heights {
    pub(super) fn new(chain: Arc<dyn PosChain>, limit: Duration) -> Self {
        let (known, pages) = (Mutex::default(), AsyncMutex::default());
        Self { chain, limit, known, pages, at_once: Semaphore::new(AT_ONCE) }
    }

    /// Lets what is asked from now on be asked for this provider too.
    pub fn join(&self, key: FinalityProviderPublicKey) {
        let mut known = self.known();
        if !known.keys.contains(&key) {
            known.keys.push(key);
        }
    }

    /// What the chain tells about heights, in their order, for a provider that joined. `look` is the look the question
    /// belongs to.
    pub async fn ask(
        &self,
        key: FinalityProviderPublicKey,
        heights: &[PosHeight],
        look: u64,
    ) -> Vec<(PosHeight, AtHeight)> {
        let powers = stream::iter(heights.to_vec()).map(|height| self.power(key, height, look));
        let powers = powers.buffered(AT_ONCE).collect::<Vec<_>>();
        let (powers, missing) = tokio::join!(powers, self.read_blocks(heights, look));
        let known = self.known();
        let join = |(height, power): (&PosHeight, Result<VotingPower, ChainError>)| {
            let block = known.blocks.values.get(height).copied();
            let answer = match (power, &missing) {
                (Err(error), _) => Err(error),
                (Ok(VotingPower::Has(_)), Err(error)) if block.is_none() => Err(error.clone()),
                (Ok(power), _) => Ok((power, block)),
            };
            (*height, answer)
        };
        heights.iter().zip(powers).map(join).collect()
    }

    async fn power(
        &self,
        key: FinalityProviderPublicKey,
        height: PosHeight,
        look: u64,
    ) -> Result<VotingPower, ChainError> {
        let cell = self.cell(height);
        let mut powers = cell.lock().await;
        if let Some(told) = powers.told(&key, look) {
            return told;
        }
        let keys = self.known().keys.clone();
        // The semaphore is never closed, and without its permit the question is merely one more at once.
        let permit = self.at_once.acquire().await;
        let answer = within(self.limit, "voting power", self.chain.fetch_voting_powers(&keys, height)).await;
        drop(permit);
        powers.look = look;
        powers.answer = Some(answer.map(|told| keys.into_iter().zip(told).collect()));
        powers.told(&key, look).unwrap_or(Ok(VotingPower::NoTable))
    }

    fn cell(&self, height: PosHeight) -> Arc<AsyncMutex<Powers>> {
        let mut known = self.known();
        if let Some(cell) = known.powers.values.get(&height) {
            return Arc::clone(cell);
        }
        let cell = Arc::<AsyncMutex<Powers>>::default();
        known.powers.insert(height, Arc::clone(&cell));
        cell
    }

    /// Reads the blocks of heights that are not known yet, page by page.
    async fn read_blocks(&self, heights: &[PosHeight], look: u64) -> Result<(), ChainError> {
        let Some(last) = heights.iter().max().copied() else { return Ok(()) };
        let mut from = PosHeight::new(0);
        let mut failure = self.pages.lock().await;
        if let Some((_, error)) = failure.as_ref().filter(|(failed, _)| *failed >= look) {
            return Err(error.clone());
        }
        while let Some(next) = self.lowest_without_block(heights, from) {
            let span = last.to_u64().saturating_sub(next.to_u64()).saturating_add(1);
            let most = usize::try_from(span).unwrap_or(PAGE).min(PAGE);
            let page = within(self.limit, "blocks", self.chain.fetch_indexed_blocks(next, most)).await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    *failure = Some((look, error.clone()));
                    return Err(error);
                }
            };
            // Every height up to the last one told was asked for with it, those without a block too.
            let Some(end) = page.last().map(|block| block.height.next()) else { break };
            from = end.max(next.next());
            let mut known = self.known();
            for block in page {
                known.blocks.insert(block.height, block);
            }
        }
        Ok(())
    }

    fn lowest_without_block(&self, heights: &[PosHeight], from: PosHeight) -> Option<PosHeight> {
        let known = self.known();
        let without = |height: &&PosHeight| **height >= from && !known.blocks.values.contains_key(height);
        heights.iter().filter(without).min().copied()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it holds the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Powers {
    /// What is told of a provider already, if that holds in this look.
    fn told(&self, key: &FinalityProviderPublicKey, look: u64) -> Option<Result<VotingPower, ChainError>> {
        let of_this_look = self.look >= look;
        match self.answer.as_ref()? {
            Err(error) => of_this_look.then(|| Err(error.clone())),
            Ok(powers) => {
                let power = *powers.get(key)?;
                (power != VotingPower::NoTable || of_this_look).then_some(Ok(power))
            }
        }
    }
}

#[cfg(test)]
mod tests;
