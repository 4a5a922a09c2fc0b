//! The Bitcoin light client: one main chain of headers, fork choice by work, the largest reorg ever (`chain.md` 2).
//!
//! The header rules and fork choice are `protocol::headers`; this module stores the chain, answers with the codes of
//! section 2.2, and emits the events. Inclusion proofs of other modules look headers up here.

pub(crate) mod genesis;
pub(crate) mod queries;

use super::context::{Ctx, parse_account};
use crate::{
    error::{Broken, Failure, lightclient as err, plain, with_sources},
    event::Event,
    genesis::Genesis,
    state::{Order, State, Table},
};
use bitcoin::{BlockHash, Work, block::Header, consensus, hashes::Hash};
use btc_staking_babylon::proto::btclightclient::{
    BTCHeaderInfo, EventBTCHeaderInserted, EventBTCRollBack, EventBTCRollForward, MsgInsertHeaders,
};
use btc_staking_protocol::{
    headers::{ChainedHeader, HeadersRefused, Insertion, MainChain, Rollback, chain, check_insertion},
    height::{BtcDepth, BtcHeight},
};
use prost::Message;
use std::cell::RefCell;

/// A header of the main chain.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeaderRecord {
    /// The 80 bytes.
    #[prost(bytes = "vec", tag = "1")]
    header: Vec<u8>,
    /// Work of the chain up to it, 32 bytes big-endian.
    #[prost(bytes = "vec", tag = "2")]
    work: Vec<u8>,
}

/// The deepest reorg ever seen.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LargestReorg {
    #[prost(uint32, tag = "1")]
    pub(crate) depth: u32,
    #[prost(uint32, tag = "2")]
    from_height: u32,
    #[prost(message, required, tag = "3")]
    from: HeaderRecord,
    #[prost(uint32, tag = "4")]
    to_height: u32,
    #[prost(message, required, tag = "5")]
    to: HeaderRecord,
}

#[derive(Clone, PartialEq, Message)]
struct AllowList {
    #[prost(string, repeated, tag = "1")]
    reporters: Vec<String>,
}

const HEADERS: Table<BtcHeight, HeaderRecord> = Table::new("lh");
const HEIGHTS: Table<BlockHash, u32> = Table::new("li");
const REORG: Table<(), LargestReorg> = Table::new("lr");
const ALLOW_LIST: Table<(), AllowList> = Table::new("la");

/// Stores the base header.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let header = genesis.bitcoin.header().map_err(|err| Broken::Halt(err.to_string()))?;
    let base = ChainedHeader::new(header, genesis.bitcoin.base_height, header.work());
    append(state, &base)?;
    let reporters = genesis.insert_headers_allow_list.iter().map(ToString::to_string).collect();
    ALLOW_LIST.put(state, &(), &AllowList { reporters })
}

/// The header at the end of the main chain.
pub(crate) fn tip(state: &State<'_>) -> Result<ChainedHeader, Failure> {
    edge(state, Order::Descending)
}

/// The first header.
pub(crate) fn base(state: &State<'_>) -> Result<ChainedHeader, Failure> {
    edge(state, Order::Ascending)
}

/// Height of the tip.
pub(crate) fn tip_height(state: &State<'_>) -> Result<BtcHeight, Failure> {
    Ok(tip(state)?.height)
}

/// The header with a hash, if it is on the main chain.
pub(crate) fn find(state: &State<'_>, hash: &BlockHash) -> Result<Option<ChainedHeader>, Failure> {
    match HEIGHTS.get(state, hash)? {
        Some(height) => at(state, BtcHeight::new(height)),
        None => Ok(None),
    }
}

/// The header at a height.
pub(crate) fn at(state: &State<'_>, height: BtcHeight) -> Result<Option<ChainedHeader>, Failure> {
    Ok(HEADERS.get(state, &height)?.map(|record| record.chained(height)).transpose()?)
}

/// The deepest reorg ever; never reset.
pub(crate) fn largest_reorg(state: &State<'_>) -> Result<Option<LargestReorg>, Failure> {
    REORG.get(state, &())
}

/// Stops the chain once a reorg of `k` or more was seen (2.3).
pub(crate) fn check_halt(state: &State<'_>, k: BtcDepth) -> Result<(), Failure> {
    match largest_reorg(state)? {
        Some(reorg) if reorg.depth >= k.to_u32() => Err(Broken::Halt(format!(
            "bitcoin reorg of {} blocks reaches the confirmation depth of {k}",
            reorg.depth
        ))
        .into()),
        Some(_) | None => Ok(()),
    }
}

/// Row 1: stateless form.
pub(crate) fn check_insert_headers(msg: &MsgInsertHeaders) -> Result<(), Failure> {
    parse_account(&msg.signer)?;
    if msg.headers.is_empty() {
        return Err(plain("empty headers list"));
    }
    Ok(())
}

/// Row 2: proof of work of each header alone; outside block execution only.
pub(crate) fn check_work(ctx: &Ctx<'_, '_>, msg: &MsgInsertHeaders) -> Result<(), Failure> {
    chain::check_alone(ctx.block.chain.network.header_rules(), &decode_headers(msg)?)
        .map_err(|refused| err::INVALID_POW.because(with_sources(&refused)))
}

/// Rows 3 to 10, and what follows from acceptance.
pub(crate) fn insert_headers(ctx: &mut Ctx<'_, '_>, msg: &MsgInsertHeaders) -> Result<(), Failure> {
    check_reporter(ctx.state, &msg.signer)?;
    let headers = decode_headers(msg)?;
    let rules = ctx.block.chain.network.header_rules();
    let stored = StoredChain::new(ctx.state)?;
    let checked = check_insertion(rules, &stored, &headers);
    stored.finish()?;
    let insertion = checked.map_err(|refused| refusal(&refused))?;
    apply(ctx, &insertion)?;
    ctx.mark_refundable();
    Ok(())
}

/// Replaces the accounts that may report; empty for everyone.
pub(crate) fn set_allow_list(state: &mut State<'_>, reporters: Vec<String>) -> Result<(), Failure> {
    ALLOW_LIST.put(state, &(), &AllowList { reporters })
}

fn check_reporter(state: &State<'_>, signer: &str) -> Result<(), Failure> {
    let allowed = ALLOW_LIST.get(state, &())?.unwrap_or_default().reporters;
    if allowed.is_empty() || allowed.iter().any(|reporter| reporter == signer) {
        return Ok(());
    }
    Err(err::UNAUTHORIZED_REPORTER.because(format!("reporter {signer} is not authorized to insert headers")))
}

fn decode_headers(msg: &MsgInsertHeaders) -> Result<Vec<Header>, Failure> {
    let decode = |bytes: &Vec<u8>| consensus::deserialize(bytes).map_err(plain);
    msg.headers.iter().map(decode).collect()
}

fn refusal(refused: &HeadersRefused) -> Failure {
    let text = with_sources(refused);
    match refused {
        HeadersRefused::Empty | HeadersRefused::NotLinked { .. } => plain(text),
        HeadersRefused::AlreadyKnown { .. } => err::KNOWN_HEADER.because(text),
        HeadersRefused::UnknownParent { .. } => err::PARENT_NOT_FOUND.lost(text),
        HeadersRefused::Alone { .. } | HeadersRefused::InContext { .. } | HeadersRefused::Overflow { .. } => {
            err::INVALID_HEADER.lost(text)
        }
        HeadersRefused::NotMoreWork { .. } => err::NOT_ENOUGH_WORK.lost(text),
    }
}

fn apply(ctx: &mut Ctx<'_, '_>, insertion: &Insertion) -> Result<(), Failure> {
    if let Some(rollback) = insertion.rollback() {
        roll_back(ctx.state, rollback)?;
        ctx.emit(Event::typed(&EventBTCRollBack {
            header: Some(header_info(&rollback.fork_parent)),
            rollback_from: Some(header_info(&rollback.previous_tip)),
        }));
    }
    for header in insertion.headers() {
        append(ctx.state, header)?;
        ctx.emit(Event::typed(&EventBTCHeaderInserted { header: Some(header_info(header)) }));
        ctx.emit(Event::typed(&EventBTCRollForward { header: Some(header_info(header)) }));
    }
    Ok(())
}

/// Makes the light client one header at a height, for tests of what follows the tip.
#[cfg(test)]
pub(crate) fn pretend_tip(state: &mut State<'_>, height: BtcHeight) -> Result<(), Failure> {
    let headers = HEADERS.scan(state, Order::Ascending).collect::<Result<Vec<_>, _>>()?;
    headers.iter().try_for_each(|(height, _)| HEADERS.delete(state, height))?;
    let header = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
    append(state, &ChainedHeader::new(header, height, header.work()))
}

/// Stores a header behind the tip.
pub(crate) fn append(state: &mut State<'_>, header: &ChainedHeader) -> Result<(), Failure> {
    HEADERS.put(state, &header.height, &HeaderRecord::of(header))?;
    HEIGHTS.put(state, &header.hash, &header.height.to_u32())
}

fn roll_back(state: &mut State<'_>, rollback: &Rollback) -> Result<(), Failure> {
    let (parent, tip) = (&rollback.fork_parent, &rollback.previous_tip);
    for height in (parent.height.to_u32() + 1)..=tip.height.to_u32() {
        let height = BtcHeight::new(height);
        if let Some(removed) = at(state, height)? {
            HEADERS.delete(state, &height)?;
            HEIGHTS.delete(state, &removed.hash)?;
        }
    }
    let depth = rollback.depth().to_u32();
    if largest_reorg(state)?.is_some_and(|largest| largest.depth >= depth) {
        return Ok(());
    }
    let reorg = LargestReorg {
        depth,
        from_height: tip.height.to_u32(),
        from: HeaderRecord::of(tip),
        to_height: parent.height.to_u32(),
        to: HeaderRecord::of(parent),
    };
    REORG.put(state, &(), &reorg)
}

fn edge(state: &State<'_>, order: Order) -> Result<ChainedHeader, Failure> {
    match HEADERS.scan(state, order).next() {
        Some(entry) => {
            let (height, record) = entry?;
            Ok(record.chained(height)?)
        }
        None => Err(Broken::Halt("light client has no base header".to_owned()).into()),
    }
}

impl HeaderRecord {
    fn of(header: &ChainedHeader) -> Self {
        Self { header: consensus::serialize(&header.header), work: header.work.to_be_bytes().to_vec() }
    }

    fn chained(&self, height: BtcHeight) -> Result<ChainedHeader, Broken> {
        let corrupt = |reason: &str| Broken::Corrupt { table: "lh", reason: reason.to_owned() };
        let header = consensus::deserialize(&self.header).map_err(|_| corrupt("header"))?;
        let work = self.work.as_slice().try_into().map_err(|_| corrupt("work"))?;
        Ok(ChainedHeader::new(header, height, Work::from_be_bytes(work)))
    }
}

/// A header as events and genesis show it.
fn header_info(header: &ChainedHeader) -> BTCHeaderInfo {
    BTCHeaderInfo {
        header: consensus::serialize(&header.header),
        hash: hash_bytes(&header.hash),
        height: header.height.to_u32(),
        work: header.work.to_string().into_bytes(),
    }
}

/// Bytes of a hash in internal order.
pub(crate) fn hash_bytes(hash: &BlockHash) -> Vec<u8> {
    hash.to_byte_array().to_vec()
}

/// The stored main chain as the header rules read it. A failed read looks like a missing header to them and is kept for
/// [`StoredChain::finish`].
struct StoredChain<'s, 'p> {
    state: &'s State<'p>,
    tip: ChainedHeader,
    failure: RefCell<Option<Failure>>,
}

impl<'s, 'p> StoredChain<'s, 'p> {
    fn new(state: &'s State<'p>) -> Result<Self, Failure> {
        Ok(Self { state, tip: tip(state)?, failure: RefCell::new(None) })
    }

    fn finish(self) -> Result<(), Failure> {
        self.failure.into_inner().map_or(Ok(()), Err)
    }

    fn keep<T>(&self, read: Result<Option<T>, Failure>) -> Option<T> {
        read.unwrap_or_else(|failure| {
            self.failure.borrow_mut().get_or_insert(failure);
            None
        })
    }
}

impl MainChain for StoredChain<'_, '_> {
    fn tip(&self) -> ChainedHeader {
        self.tip
    }
    fn at(&self, height: BtcHeight) -> Option<ChainedHeader> {
        self.keep(at(self.state, height))
    }
    fn find(&self, hash: &BlockHash) -> Option<ChainedHeader> {
        self.keep(find(self.state, hash))
    }
}
