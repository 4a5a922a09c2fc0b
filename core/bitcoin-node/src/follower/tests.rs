use super::*;
use crate::ports::Result as PortResult;
use async_trait::async_trait;
use bitcoin::{Network, block::Header, constants::genesis_block};
use proptest::prelude::*;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
};

/// Deepest reorg the properties run through; the follower's window holds a few more.
const DEEPEST: u32 = 50;
const WINDOW: u32 = 64;

/// A chain of empty blocks that can change between any two questions.
struct FakeChain(Mutex<FakeState>);

struct FakeState {
    best: Vec<BlockHash>,
    blocks: HashMap<BlockHash, (Block, BtcHeight)>,
    made: u32,
    /// What happens at the questions to come, one entry per question.
    surprises: VecDeque<Surprise>,
}

#[derive(Debug, Clone, Copy)]
enum Surprise {
    Nothing,
    Mine,
    Reorg(u32),
    /// The node is gone for this question.
    Fail,
    /// The question is never answered.
    Hang,
}

impl FakeChain {
    fn new() -> Self {
        let genesis = genesis_block(Network::Regtest);
        let hash = genesis.block_hash();
        Self(Mutex::new(FakeState {
            best: vec![hash],
            blocks: HashMap::from([(hash, (genesis, BtcHeight::new(0)))]),
            made: 0,
            surprises: VecDeque::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().unwrap()
    }

    async fn surprise(&self) -> PortResult<()> {
        let surprise = self.state().surprises.pop_front().unwrap_or(Surprise::Nothing);
        match surprise {
            Surprise::Nothing => Ok(()),
            Surprise::Mine => {
                self.state().mine(1);
                Ok(())
            }
            Surprise::Reorg(depth) => {
                self.state().reorg(depth);
                Ok(())
            }
            Surprise::Fail => Err(NodeError::new(NodeErrorKind::Transient, "gone")),
            Surprise::Hang => std::future::pending().await,
        }
    }
}

impl FakeState {
    fn mine(&mut self, blocks: u32) {
        for _ in 0..blocks {
            self.made += 1;
            let mut block = genesis_block(Network::Regtest);
            block.header.prev_blockhash = *self.best.last().unwrap();
            block.header.nonce = self.made;
            let hash = block.block_hash();
            let height = BtcHeight::new(u32::try_from(self.best.len()).unwrap());
            self.blocks.insert(hash, (block, height));
            self.best.push(hash);
        }
    }

    /// Replaces up to `depth` blocks, never the genesis block, by one more.
    fn reorg(&mut self, depth: u32) {
        let depth = usize::try_from(depth).unwrap().min(self.best.len() - 1);
        self.best.truncate(self.best.len() - depth);
        self.mine(u32::try_from(depth).unwrap() + 1);
    }
}

#[async_trait]
impl BlockSource for FakeChain {
    async fn fetch_tip(&self) -> PortResult<BlockRef> {
        self.surprise().await?;
        let state = self.state();
        let hash = *state.best.last().unwrap();
        Ok(BlockRef { height: state.blocks[&hash].1, hash })
    }

    async fn fetch_block_hash(&self, height: BtcHeight) -> PortResult<Option<BlockHash>> {
        self.surprise().await?;
        Ok(self.state().best.get(usize::try_from(height.to_u32()).unwrap()).copied())
    }

    async fn fetch_header(&self, hash: &BlockHash) -> PortResult<Option<(Header, BtcHeight)>> {
        self.surprise().await?;
        Ok(self.state().blocks.get(hash).map(|(block, height)| (block.header, *height)))
    }

    async fn fetch_block(&self, hash: &BlockHash) -> PortResult<Option<Block>> {
        self.surprise().await?;
        Ok(self.state().blocks.get(hash).map(|(block, _)| block.clone()))
    }

    async fn fetch_network(&self) -> PortResult<Network> {
        Ok(Network::Regtest)
    }
}

/// The naive model: a stack of the blocks connected, stored together with the cursor as a role would.
#[derive(Debug, Clone, Default)]
struct Model {
    stack: Vec<BlockRef>,
}

impl Model {
    fn play(&mut self, start: BtcHeight, event: &ChainEvent) {
        match event {
            ChainEvent::Connected { block_ref, block } => {
                assert_eq!(block.block_hash(), block_ref.hash);
                match self.stack.last() {
                    Some(last) => {
                        assert_eq!(block.header.prev_blockhash, last.hash, "a block was skipped or repeated");
                        assert_eq!(last.height.checked_add(1), Some(block_ref.height));
                    }
                    None => assert_eq!(block_ref.height, start),
                }
                self.stack.push(*block_ref);
            }
            ChainEvent::Disconnected { block_ref } => assert_eq!(self.stack.pop(), Some(*block_ref)),
        }
    }
}

/// What happens to the follower.
#[derive(Debug, Clone)]
enum Delivery {
    Mine(u32),
    Reorg(u32),
    Surprise(Surprise),
    /// Poll and commit.
    Poll,
    /// Poll twice before anything else happens.
    PollTwice,
    /// Poll, then crash before the commit, and come back from what was stored.
    Crash,
    /// Stop and come back from what was stored.
    Restart,
    /// Give a poll up half way.
    GiveUp(u8),
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let surprise = prop_oneof![
        3 => Just(Surprise::Nothing),
        2 => Just(Surprise::Mine),
        2 => (1..=DEEPEST).prop_map(Surprise::Reorg),
        1 => Just(Surprise::Fail),
    ];
    let delivery = prop_oneof![
        2 => Just(Delivery::Mine(1)),
        2 => (2..=DEEPEST).prop_map(Delivery::Mine),
        3 => (1..=DEEPEST).prop_map(Delivery::Reorg),
        4 => surprise.prop_map(Delivery::Surprise),
        4 => Just(Delivery::Poll),
        1 => Just(Delivery::PollTwice),
        1 => Just(Delivery::Crash),
        1 => Just(Delivery::Restart),
        1 => (0..8_u8).prop_map(Delivery::GiveUp),
    ];
    proptest::collection::vec(delivery, 1..40)
}

/// A role in small: a follower, its model, and what of both is stored.
struct Role {
    chain: Arc<FakeChain>,
    follower: Follower<FakeChain>,
    model: Model,
    stored: (String, Model),
    start: BtcHeight,
    batch: usize,
}

impl Role {
    fn new(start: u32, batch: usize) -> Self {
        let chain = Arc::new(FakeChain::new());
        let start = BtcHeight::new(start);
        let cursor = Cursor::starting_at(start, WINDOW);
        let stored = (serde_json::to_string(&cursor).unwrap(), Model::default());
        let follower = Follower::resume(chain.clone(), cursor).with_batch(batch);
        Self { chain, follower, model: Model::default(), stored, start, batch }
    }

    /// Polls once; returns whether the follower has caught up.
    async fn poll(&mut self) -> bool {
        match self.follower.poll().await {
            Ok(polled) => {
                assert!(polled.events.len() <= self.batch, "a poll is bounded");
                for event in &polled.events {
                    self.model.play(self.start, event);
                }
                polled.caught_up
            }
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                false
            }
        }
    }

    fn commit(&mut self) {
        self.stored = (serde_json::to_string(self.follower.cursor()).unwrap(), self.model.clone());
    }

    fn restart(&mut self) {
        let cursor = serde_json::from_str(&self.stored.0).unwrap();
        self.follower = Follower::resume(self.chain.clone(), cursor).with_batch(self.batch);
        self.model = self.stored.1.clone();
    }

    async fn deliver(&mut self, delivery: &Delivery) {
        match *delivery {
            Delivery::Mine(blocks) => self.chain.state().mine(blocks),
            Delivery::Reorg(depth) => self.chain.state().reorg(depth),
            Delivery::Surprise(surprise) => self.chain.state().surprises.push_back(surprise),
            Delivery::Poll => {
                self.poll().await;
                self.commit();
            }
            Delivery::PollTwice => {
                self.poll().await;
                self.poll().await;
                self.commit();
            }
            Delivery::Crash => {
                self.poll().await;
                self.restart();
            }
            Delivery::Restart => self.restart(),
            Delivery::GiveUp(questions) => {
                let mut surprises = vec![Surprise::Nothing; usize::from(questions)];
                surprises.push(Surprise::Hang);
                self.chain.state().surprises = surprises.into();
                let before = self.follower.cursor().clone();
                tokio::select! {
                    biased;
                    polled = self.follower.poll() => {
                        for event in polled.unwrap().events {
                            self.model.play(self.start, &event);
                        }
                    }
                    () = tokio::task::yield_now() => assert_eq!(*self.follower.cursor(), before),
                }
                self.chain.state().surprises.clear();
                self.commit();
            }
        }
    }

    /// Lets the chain rest and follows it to the end.
    async fn settle(&mut self) {
        self.chain.state().surprises.clear();
        let mut polls = 0;
        while !self.poll().await {
            polls += 1;
            assert!(polls < 10_000, "a chain at rest is caught up with");
        }
        self.commit();
        let from = usize::try_from(self.start.to_u32()).unwrap();
        let followed: Vec<BlockHash> = self.model.stack.iter().map(|block| block.hash).collect();
        assert_eq!(followed, self.chain.state().best.get(from..).unwrap_or_default());
        let polled = self.follower.poll().await.unwrap();
        assert_eq!(polled, Polled { events: Vec::new(), caught_up: true }, "nothing comes twice");
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the order of mining, reorgs, polls, crashes and failures, the events play back to the best chain.
    #[test]
    fn every_delivery_leads_to_the_best_chain(
        start in 0_u32..60,
        batch in 1_usize..70,
        steps in deliveries(),
    ) {
        run(async {
            let mut role = Role::new(start, batch);
            for step in &steps {
                role.deliver(step).await;
                // Reorgs add up while nobody polls: beyond the window they are another test's business.
                if let Delivery::Mine(_) | Delivery::Reorg(_) | Delivery::Surprise(_) = step {
                    continue;
                }
                role.settle().await;
            }
            role.settle().await;
        });
    }

    /// Any text is a cursor or a typed refusal, and what is accepted comes back unchanged.
    #[test]
    fn stored_cursors_are_checked(
        start in any::<u32>(),
        window in 0_u32..6,
        first in any::<u32>(),
        hashes in 0_usize..6,
    ) {
        let hash = "00".repeat(32);
        let text = serde_json::json!({
            "start": start, "window": window, "first": first, "recent": vec![hash; hashes],
        })
        .to_string();
        if let Ok(cursor) = serde_json::from_str::<Cursor>(&text) {
            let again: Cursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap();
            prop_assert_eq!(&again, &cursor);
            prop_assert_eq!(cursor.tip().is_some(), hashes > 0);
        }
    }
}

#[test]
fn every_depth_of_reorg_up_to_fifty_is_followed() {
    run(async {
        for depth in 1..=DEEPEST {
            for (batch, polls_between) in [(1, 0), (1, 7), (16, 1), (1_000, 0)] {
                let mut role = Role::new(0, batch);
                role.chain.state().mine(DEEPEST + 5);
                role.settle().await;
                role.chain.state().reorg(depth);
                for _ in 0..polls_between {
                    role.poll().await;
                    role.commit();
                    role.restart();
                }
                role.chain.state().reorg(depth);
                role.settle().await;
            }
        }
    });
}

#[test]
fn a_reorg_below_the_window_waits_for_a_decision() {
    run(async {
        let chain = Arc::new(FakeChain::new());
        chain.state().mine(20);
        let mut follower =
            Follower::resume(chain.clone(), Cursor::starting_at(BtcHeight::new(1), 5)).with_batch(100);
        assert_eq!(follower.poll().await.unwrap().events.len(), 20);
        chain.state().reorg(4);
        assert_eq!(
            follower.poll().await.unwrap().events.len(),
            4 + 5,
            "one less than the window is followed"
        );
        let oldest = BlockRef { height: BtcHeight::new(17), hash: chain.state().best[17] };
        chain.state().reorg(5);
        assert_eq!(follower.poll().await.unwrap().events.len(), 4, "what is known to be gone is told first");
        for _ in 0..2 {
            let stored = serde_json::to_string(follower.cursor()).unwrap();
            follower =
                Follower::resume(chain.clone(), serde_json::from_str(&stored).unwrap()).with_batch(100);
            let error = follower.poll().await.unwrap_err();
            assert_eq!(error, FollowError::ReorgTooDeep { oldest });
            assert!(!error.is_transient());
        }
        follower.restart_from(BtcHeight::new(10));
        let events = follower.poll().await.unwrap().events;
        assert_eq!(events.first().unwrap().block_ref().hash, chain.state().best[10]);
        assert_eq!(events.len(), chain.state().best.len() - 10);
    });
}

#[test]
fn a_follower_whose_start_lies_ahead_waits_for_it() {
    run(async {
        let mut role = Role::new(10, 4);
        role.chain.state().mine(9);
        role.settle().await;
        assert!(role.model.stack.is_empty());
        role.chain.state().mine(1);
        role.settle().await;
        assert_eq!(role.model.stack.len(), 1);
        role.chain.state().reorg(8);
        role.settle().await;
        assert_eq!(role.model.stack.len(), 2, "a reorg below the start replaces everything");
    });
}

#[test]
fn a_tip_that_never_rests_does_not_keep_a_poll_for_ever() {
    run(async {
        let mut role = Role::new(0, 3);
        role.chain.state().mine(5);
        role.settle().await;
        role.chain.state().surprises = vec![Surprise::Reorg(1); 1_000].into();
        assert!(!role.poll().await);
        assert!(role.chain.state().surprises.len() > 900, "the work of one poll is bounded");
    });
}

#[test]
fn a_failure_does_not_swallow_what_was_found_before() {
    run(async {
        let mut role = Role::new(0, 100);
        role.chain.state().mine(5);
        let mut surprises = vec![Surprise::Nothing; 6];
        surprises.extend([Surprise::Fail, Surprise::Fail]);
        role.chain.state().surprises = surprises.into();
        assert!(!role.poll().await);
        assert_eq!(role.model.stack.len(), 3);
        assert!(matches!(role.follower.poll().await, Err(FollowError::Node(error)) if error.is_transient()));
        role.settle().await;
    });
}

#[test]
fn a_source_that_answers_with_another_block_is_broken() {
    struct Liar(FakeChain);
    #[async_trait]
    impl BlockSource for Liar {
        async fn fetch_tip(&self) -> PortResult<BlockRef> {
            self.0.fetch_tip().await
        }
        async fn fetch_block_hash(&self, height: BtcHeight) -> PortResult<Option<BlockHash>> {
            self.0.fetch_block_hash(height).await
        }
        async fn fetch_header(&self, hash: &BlockHash) -> PortResult<Option<(Header, BtcHeight)>> {
            self.0.fetch_header(hash).await
        }
        async fn fetch_block(&self, _: &BlockHash) -> PortResult<Option<Block>> {
            Ok(Some(genesis_block(Network::Bitcoin)))
        }
        async fn fetch_network(&self) -> PortResult<Network> {
            Ok(Network::Regtest)
        }
    }
    run(async {
        let mut follower =
            Follower::resume(Arc::new(Liar(FakeChain::new())), Cursor::starting_at(BtcHeight::new(0), 1));
        let Err(FollowError::Node(error)) = follower.poll().await else { panic!("the lie was believed") };
        assert_eq!(error.kind, NodeErrorKind::Broken);
    });
}

#[test]
fn impossible_cursors_are_refused() {
    let hash = "00".repeat(32);
    for (stored, why) in [
        (serde_json::json!({"start": 0, "window": 0, "first": 0, "recent": []}), "at least one"),
        (serde_json::json!({"start": 0, "window": 1, "first": 0, "recent": [hash, hash]}), "window holds 1"),
        (serde_json::json!({"start": 5, "window": 9, "first": 4, "recent": [hash]}), "start at 5"),
        (serde_json::json!({"start": 5, "window": 9, "first": 6, "recent": []}), "start at 5"),
        (serde_json::json!({"start": 0, "window": 9, "first": u32::MAX, "recent": [hash]}), "largest height"),
        (serde_json::json!({"start": 0, "window": 9, "first": 0, "recent": [], "more": 1}), "unknown field"),
    ] {
        let error = serde_json::from_value::<Cursor>(stored).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
