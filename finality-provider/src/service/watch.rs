//! One look at a chain for all its providers.
//!
//! One task per chain reads what is the same for everybody: the tip, what is final, the parameters. Ten providers wait for
//! its word instead of asking ten times. A hint of the node or the clock makes it look; a failed look is told like any
//! other, and tried again after a backoff. What is known about single heights is shared as well, see [`Heights`].

use super::heights::Heights;
use btc_staking_daemon::{
    backoff::{Backoff, Policy},
    clock::Clock,
    entropy::Entropy,
    tasks::{Stop, TaskError},
};
use btc_staking_pos_chain::ports::{
    ChainError, ChainHead, CheckpointParams, ErrorKind, FinalityParams, PosChain,
};
use btc_staking_protocol::height::{Epoch, PosHeight};
use std::{future::Future, num::NonZeroU64, sync::Arc, time::Duration};
use tokio::sync::watch;

/// States between two looks at what changes rarely.
const RARE_LOOKS: u64 = 100;
/// Longest wait after a failed look; less than a vote counts for liveness.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Looks that may find the same tip until everything is read anew all the same.
const SAME_LOOKS: u32 = 4;

/// How a chain looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainView {
    /// Counts the states that were read: two views of one state differ in nothing.
    pub state: u64,
    /// Latest block.
    pub tip: PosHeight,
    /// When it was seen first, by the monotonic clock.
    pub tip_since: Duration,
    /// Whether the node is still syncing.
    pub syncing: bool,
    /// First height with a power table; `None` before there is one.
    pub activated: Option<PosHeight>,
    /// Newest final block.
    pub last_finalised: Option<PosHeight>,
    /// Last epoch that is final on Bitcoin.
    pub last_finalised_epoch: Epoch,
    /// Blocks in an epoch; `None` on a chain without epochs.
    pub epoch_interval: Option<NonZeroU64>,
    /// Parameters of finality.
    pub params: FinalityParams,
    /// Depths on Bitcoin.
    pub depths: CheckpointParams,
    /// Mean time between blocks, once some were seen.
    pub block_time: Option<Duration>,
}

/// One look at a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Counts looks from 1; 0 is none yet.
    pub number: u64,
    /// How the chain looked, or why it could not be looked at. `None` before the first look.
    pub view: Option<Result<ChainView, ChainError>>,
}

/// A chain and what is known of it, shared by its providers.
pub struct ChainWatch {
    chain: Arc<dyn PosChain>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    looks: watch::Sender<Look>,
    /// What is known of single heights.
    pub heights: Heights,
}

/// How often and how patiently a chain is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two looks, when no hint comes.
    pub poll_interval: Duration,
    /// Longest wait for an answer.
    pub request_timeout: Duration,
}

impl ChainWatch {
    /// A chain that was not looked at yet. [`run_watch`] looks.
    pub fn new(
        chain: Arc<dyn PosChain>,
        pace: Pace,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        let looks = watch::Sender::new(Look { number: 0, view: None });
        let heights = Heights::new(Arc::clone(&chain), pace.request_timeout);
        Arc::new(Self { chain, pace, clock, entropy, looks, heights })
    }

    /// The chain itself, for what concerns one provider alone.
    pub fn chain(&self) -> &Arc<dyn PosChain> {
        &self.chain
    }

    /// Looks from now on, the latest included.
    pub fn looks(&self) -> watch::Receiver<Look> {
        let mut looks = self.looks.subscribe();
        if looks.borrow().view.is_some() {
            looks.mark_changed();
        }
        looks
    }

    /// The latest look.
    pub fn latest(&self) -> Look {
        self.looks.borrow().clone()
    }

    fn tell(&self, view: Result<ChainView, ChainError>) {
        self.looks.send_modify(|look| {
            look.number = look.number.saturating_add(1);
            look.view = Some(view);
        });
    }
}

/// Looks at a chain until told to stop. Nothing the chain does ends it.
///
/// # Errors
/// None; the type is that of a task.
pub async fn run_watch(watch: Arc<ChainWatch>, mut stop: Stop) -> Result<(), TaskError> {
    let initial = watch.pace.poll_interval;
    let policy = Policy { initial, max: LONGEST_WAIT.max(initial), deadline: None };
    let mut backoff = Backoff::new(policy);
    let mut hints = watch.chain.block_hints();
    let mut eye = Eye::default();
    while !stop.is_stopping() {
        let Ok(view) = stop.race(eye.look(&watch)).await else { break };
        let failed = view.is_err();
        watch.tell(view);
        let waited = if failed {
            stop.sleep(backoff.next(watch.entropy.next_u64().unwrap_or(0))).await
        } else {
            backoff.reset();
            // Word of a new block is a reason to look sooner; without any the interval passes.
            stop.race(tokio::time::timeout(watch.pace.poll_interval, hints.next())).await.map(|_| ())
        };
        if waited.is_err() {
            break;
        }
    }
    Ok(())
}

/// What was seen before, and is not asked for every time.
#[derive(Default)]
struct Eye {
    states: u64,
    rare: Option<Rare>,
    last: Option<ChainView>,
    same: u32,
    finalised: Finalised,
    tip: Option<(PosHeight, Duration)>,
    pace: BlockPace,
}

#[derive(Clone, Copy)]
struct Rare {
    params: FinalityParams,
    depths: CheckpointParams,
    epoch_interval: Option<NonZeroU64>,
}

/// The newest final block. While many blocks wait to be final a node may search long for it, so no more than a tenth of
/// the time is spent on that question.
#[derive(Default)]
struct Finalised {
    height: Option<PosHeight>,
    next_at: Duration,
}

impl Eye {
    /// Looks whether there is a new block, and if so, or if that was not done for a while, at everything.
    async fn look(&mut self, watch: &ChainWatch) -> Result<ChainView, ChainError> {
        let limit = watch.pace.request_timeout;
        let head = within(limit, "the tip", watch.chain.fetch_head()).await?;
        let is_same = |last: &ChainView| last.tip == head.height && last.syncing == head.catching_up;
        if let Some(last) = self.last.filter(|last| is_same(last) && self.same < SAME_LOOKS) {
            self.same += 1;
            return Ok(last);
        }
        let view = self.look_closely(watch, &head).await?;
        (self.last, self.same) = (Some(view), 0);
        Ok(view)
    }

    async fn look_closely(&mut self, watch: &ChainWatch, head: &ChainHead) -> Result<ChainView, ChainError> {
        let chain = watch.chain.as_ref();
        let limit = watch.pace.request_timeout;
        let rare = async {
            match self.rare.filter(|_| !self.states.is_multiple_of(RARE_LOOKS)) {
                Some(rare) => Ok(rare),
                None => fetch_rare(chain, limit).await,
            }
        };
        let (activated, finalised, epoch, rare) = tokio::try_join!(
            within(limit, "the activated height", chain.fetch_activated_height()),
            self.finalised.look(chain, limit, watch.clock.as_ref()),
            within(limit, "the last final epoch", chain.fetch_last_finalised_epoch()),
            rare,
        )?;
        let now = watch.clock.monotonic();
        let since = self.tip.filter(|(tip, _)| *tip >= head.height).map_or(now, |(_, since)| since);
        self.pace.see(head.height, now);
        (self.rare, self.tip) = (Some(rare), Some((head.height, since)));
        self.states = self.states.wrapping_add(1);
        Ok(ChainView {
            state: self.states,
            tip: head.height,
            tip_since: since,
            syncing: head.catching_up,
            activated,
            last_finalised: finalised,
            last_finalised_epoch: epoch,
            epoch_interval: rare.epoch_interval,
            params: rare.params,
            depths: rare.depths,
            block_time: self.pace.mean(),
        })
    }
}

impl Finalised {
    async fn look(
        &mut self,
        chain: &dyn PosChain,
        limit: Duration,
        clock: &dyn Clock,
    ) -> Result<Option<PosHeight>, ChainError> {
        let begun = clock.monotonic();
        if begun < self.next_at {
            return Ok(self.height);
        }
        let block = within(limit, "the last final block", chain.fetch_last_finalised()).await?;
        let took = clock.monotonic().saturating_sub(begun);
        // An answer within a few milliseconds may be had at every look.
        let rest = if took > Duration::from_millis(20) { took.saturating_mul(9) } else { Duration::ZERO };
        self.next_at = clock.monotonic().saturating_add(rest);
        self.height = block.map(|block| block.height);
        Ok(self.height)
    }
}

async fn fetch_rare(chain: &dyn PosChain, limit: Duration) -> Result<Rare, ChainError> {
    let (params, depths, epoch_interval) = tokio::try_join!(
        within(limit, "parameters", chain.fetch_finality_params()),
        within(limit, "depths", chain.fetch_checkpoint_params()),
        within(limit, "the length of an epoch", chain.fetch_epoch_interval()),
    )?;
    Ok(Rare { params, depths, epoch_interval })
}

/// Mean time between blocks as they were seen, over the last hundreds of them.
#[derive(Debug, Default)]
struct BlockPace {
    first: Option<(PosHeight, Duration)>,
    middle: Option<(PosHeight, Duration)>,
    last: Option<(PosHeight, Duration)>,
}

/// Blocks after which the older half is forgotten.
const PACE_BLOCKS: u64 = 200;
/// Fewest blocks that make a mean.
const PACE_LEAST: u64 = 3;

impl BlockPace {
    fn see(&mut self, tip: PosHeight, now: Duration) {
        if self.last.is_some_and(|(last, _)| tip <= last) {
            return;
        }
        let since = |then: Option<(PosHeight, Duration)>| {
            then.map_or(0, |(then, _)| tip.to_u64().saturating_sub(then.to_u64()))
        };
        self.last = Some((tip, now));
        if self.first.is_none() {
            self.first = self.last;
        }
        if since(self.middle.or(self.first)) >= PACE_BLOCKS {
            self.first = self.middle.or(self.first);
            self.middle = self.last;
        }
    }

    fn mean(&self) -> Option<Duration> {
        let ((first, then), (last, now)) = (self.first?, self.last?);
        let blocks = last.to_u64().checked_sub(first.to_u64()).filter(|blocks| *blocks >= PACE_LEAST)?;
        now.saturating_sub(then).checked_div(u32::try_from(blocks).ok()?)
    }
}

/// Waits for an answer of the chain, but not longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    answer: impl Future<Output = Result<T, ChainError>>,
) -> Result<T, ChainError> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        let detail = format!("no answer about {what} within {} s", limit.as_secs_f32());
        Err(ChainError::new(ErrorKind::Transient, detail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_blocks_follows_the_chain() {
        let mut pace = BlockPace::default();
        let at = |height: u64, seconds: u64| (PosHeight::new(height), Duration::from_secs(seconds));
        for height in 0..3 {
            let (tip, now) = at(height, height * 10);
            pace.see(tip, now);
            assert_eq!(pace.mean(), None, "two intervals are no mean");
        }
        for height in 3..1_000 {
            let (tip, now) = at(height, height * 10);
            pace.see(tip, now);
            assert_eq!(pace.mean(), Some(Duration::from_secs(10)), "{height}");
        }
        for height in 1_000..1_500 {
            let (tip, now) = at(height, 10_000 + (height - 1_000) * 2);
            pace.see(tip, now);
        }
        assert_eq!(pace.mean(), Some(Duration::from_secs(2)), "what was long ago is forgotten");
        let (tip, now) = at(1_400, 99_999);
        pace.see(tip, now);
        assert_eq!(pace.mean(), Some(Duration::from_secs(2)), "a node that is behind changes nothing");
    }
}
