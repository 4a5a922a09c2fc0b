//! What a rule gets to see: the state layer it may write, the block it runs in, and where its events go.

use crate::{
    error::{Failure, plain},
    event::Event,
    genesis::RuleSet,
    state::State,
};
use btc_staking_babylon::proto::Timestamp;
use btc_staking_protocol::{height::PosHeight, keys::AccountAddress};
use prost::Message;
use std::sync::Arc;

/// Account prefix of every network of this family.
pub(crate) const PREFIX: &str = "bbn";
/// Base denomination.
pub(crate) const DENOM: &str = "ubbn";

/// Facts fixed by the chain's configuration.
#[derive(Debug, Clone)]
pub(crate) struct ChainInfo {
    pub(crate) chain_id: Arc<str>,
    pub(crate) network: crate::genesis::BitcoinNetwork,
    pub(crate) rules: RuleSet,
    /// Account whose messages change parameters and resume finality.
    pub(crate) authority: Arc<str>,
}

/// The block being executed.
#[derive(Debug, Clone)]
pub(crate) struct BlockInfo {
    pub(crate) chain: ChainInfo,
    pub(crate) height: PosHeight,
    pub(crate) time: BlockTime,
    /// App hash in this block's header: the state after the block before.
    pub(crate) app_hash: [u8; 32],
    /// Validators of the commit in this block; none in the first.
    pub(crate) validators: usize,
}

/// Time of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockTime {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

impl BlockTime {
    /// 1970.
    pub(crate) const EPOCH: BlockTime = BlockTime { seconds: 0, nanos: 0 };

    /// The protobuf form.
    pub(crate) fn to_proto(self) -> Timestamp {
        Timestamp { seconds: self.seconds, nanos: i32::try_from(self.nanos).unwrap_or(i32::MAX) }
    }
    /// Reads the protobuf form.
    pub(crate) fn from_proto(time: &Timestamp) -> Self {
        Self { seconds: time.seconds, nanos: u32::try_from(time.nanos).unwrap_or(0) }
    }
    /// The time `nanos` later, for less than a second.
    pub(crate) fn plus_nanos(self, nanos: i64) -> Self {
        const SECOND: i64 = 1_000_000_000;
        let total = i64::from(self.nanos).saturating_add(nanos);
        let seconds = self.seconds.saturating_add(total.div_euclid(SECOND));
        Self { seconds, nanos: u32::try_from(total.rem_euclid(SECOND)).unwrap_or(0) }
    }
    /// The time `seconds` later, saturating.
    pub(crate) fn plus_seconds(self, seconds: i64) -> Self {
        Self { seconds: self.seconds.saturating_add(seconds), nanos: self.nanos }
    }
}

/// Why a transaction is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Admission to the mempool.
    Check,
    /// Another look after a block.
    Recheck,
    /// Gas estimation.
    Simulate,
    /// In a block.
    Deliver,
}

/// What a message handler or block hook works with.
pub(crate) struct Ctx<'c, 'p> {
    pub(crate) state: &'c mut State<'p>,
    pub(crate) block: &'c BlockInfo,
    pub(crate) events: Vec<Event>,
    refundable: bool,
    response: Vec<u8>,
}

impl<'c, 'p> Ctx<'c, 'p> {
    pub(crate) fn new(state: &'c mut State<'p>, block: &'c BlockInfo) -> Self {
        Self { state, block, events: vec![], refundable: false, response: vec![] }
    }

    /// Emits an event.
    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Answers the message; without it, the answer is empty.
    pub(crate) fn respond(&mut self, response: &impl Message) {
        self.response = response.encode_to_vec();
    }

    /// The answer of the message, encoded.
    pub(crate) fn take_response(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.response)
    }

    /// Marks the message as one whose fee comes back (`chain.md` 12).
    pub(crate) fn mark_refundable(&mut self) {
        self.refundable = true;
    }

    /// Whether the message was marked.
    pub(crate) fn is_refundable(&self) -> bool {
        self.refundable
    }

    /// Whether the rules of the head of the main branch apply.
    pub(crate) fn head_rules(&self) -> bool {
        match self.block.chain.rules {
            RuleSet::Head => true,
            RuleSet::Released => false,
        }
    }
}

/// Parses an account of this chain.
pub(crate) fn parse_account(text: &str) -> Result<AccountAddress, Failure> {
    text.parse::<AccountAddress>().and_then(|account| account.require_prefix(PREFIX)).map_err(plain)
}
