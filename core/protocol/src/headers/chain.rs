//! Fork choice by work: which headers may replace the tip of a chain of Bitcoin headers (`chain.md` 2.2 and 2.3).
//!
//! There is one main chain, from a base header at a retarget height to the tip; losing branches are not kept. New
//! headers extend the tip, or fork off a known header and then need strictly more work than the tip. Nothing here
//! stores: [`check_insertion`] reads a [`MainChain`] wherever it is kept and says what would change.
//! [`HeaderChain`] keeps one in memory.

use super::{HeaderFault, HeaderRules, is_retarget_height};
use crate::height::{BtcDepth, BtcHeight};
use bitcoin::{BlockHash, Work, block::Header};
use std::collections::HashMap;
use thiserror::Error;

/// A header in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainedHeader {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: BtcHeight,
    /// Work of the chain up to and including it.
    pub work: Work,
}

/// Read access to the main chain, wherever it is stored.
pub trait MainChain {
    /// The header at the end.
    fn tip(&self) -> ChainedHeader;
    /// The header at a height; `None` below the base and above the tip.
    fn at(&self, height: BtcHeight) -> Option<ChainedHeader>;
    /// The header with a hash; `None` when it is not on the main chain.
    fn find(&self, hash: &BlockHash) -> Option<ChainedHeader>;
}

/// What inserting headers changes. Only [`check_insertion`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    rollback: Option<Rollback>,
    headers: Vec<ChainedHeader>,
}

/// The part of the main chain that a better branch replaces: every header above `fork_parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollback {
    /// Last header that both branches share.
    pub fork_parent: ChainedHeader,
    /// Tip before the insertion.
    pub previous_tip: ChainedHeader,
}

/// Why headers are not inserted. `position` counts them from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadersRefused {
    /// There is nothing to insert.
    #[error("there are no headers")]
    Empty,
    /// A header names another parent than the header before it.
    #[error("header at position {position} is not the child of the one before it")]
    NotLinked {
        /// Its position.
        position: usize,
    },
    /// The first header is on the main chain already.
    #[error("header {hash} is already known at height {height}")]
    AlreadyKnown {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: BtcHeight,
    },
    /// The parent of the first header is not on the main chain.
    #[error("parent {parent} is not on the main chain")]
    UnknownParent {
        /// Hash of the parent.
        parent: BlockHash,
    },
    /// A header breaks a rule by itself.
    #[error("header at position {position} is invalid")]
    Alone {
        /// Its position.
        position: usize,
        /// The rule.
        #[source]
        fault: HeaderFault,
    },
    /// A header breaks a rule in its place.
    #[error("header at position {position} is invalid at height {height}")]
    InContext {
        /// Its position.
        position: usize,
        /// Its height.
        height: BtcHeight,
        /// The rule.
        #[source]
        fault: HeaderFault,
    },
    /// The branch does not have more work than the main chain.
    #[error("branch has work {branch}, it must be above the main chain's {tip}")]
    NotMoreWork {
        /// Work of the branch.
        branch: Work,
        /// Work of the main chain.
        tip: Work,
    },
    /// Heights or work leave their range; no chain gets there.
    #[error("header at position {position} has no place: height or work overflows")]
    Overflow {
        /// Its position.
        position: usize,
    },
}

/// A header that is no base of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("base header has height {0}, it must be a multiple of 2016")]
pub struct InvalidBase(pub BtcHeight);

impl ChainedHeader {
    /// Places a header at `height`, with the work of the chain up to and including it.
    pub fn new(header: Header, height: BtcHeight, work: Work) -> Self {
        Self { header, hash: header.block_hash(), height, work }
    }

    /// Places a child on top; `None` when height or work overflows.
    fn child(&self, header: Header) -> Option<Self> {
        let work = checked_sum(self.work, header.work())?;
        Some(Self::new(header, self.height.checked_add(1)?, work))
    }
}

impl Insertion {
    /// What must be removed first; `None` when the headers extend the tip.
    pub fn rollback(&self) -> Option<&Rollback> {
        self.rollback.as_ref()
    }
    /// The headers to append, in ascending order, at least one.
    pub fn headers(&self) -> &[ChainedHeader] {
        &self.headers
    }
}

impl Rollback {
    /// Number of headers removed: the depth that is compared with `k` (`chain.md` 2.3).
    pub fn depth(&self) -> BtcDepth {
        self.fork_parent.height.depth_under(self.previous_tip.height).unwrap_or(BtcDepth::new(0))
    }
}

/// Checks each header by itself, which needs no chain (rows 2 and 3).
///
/// # Errors
/// [`HeadersRefused::Empty`] or [`HeadersRefused::Alone`].
pub fn check_alone(rules: HeaderRules, headers: &[Header]) -> Result<(), HeadersRefused> {
    if headers.is_empty() {
        return Err(HeadersRefused::Empty);
    }
    headers.iter().enumerate().try_for_each(|(position, header)| {
        rules.check_alone(header).map_err(|fault| HeadersRefused::Alone { position, fault })
    })
}

/// Checks whether headers may be inserted (rows 5 to 10) and returns what that changes.
///
/// Time and memory are linear in the number of headers, which the caller bounds.
///
/// # Errors
/// The first broken row as [`HeadersRefused`].
pub fn check_insertion(
    rules: HeaderRules,
    chain: &impl MainChain,
    headers: &[Header],
) -> Result<Insertion, HeadersRefused> {
    let first = headers.first().ok_or(HeadersRefused::Empty)?;
    check_linked(headers)?;
    let tip = chain.tip();
    if first.prev_blockhash == tip.hash {
        let headers = check_branch(rules, chain, tip, headers)?;
        return Ok(Insertion { rollback: None, headers });
    }
    check_unknown(chain, first)?;
    let fork_parent = find_parent(chain, first)?;
    let headers = check_branch(rules, chain, fork_parent, headers)?;
    check_more_work(&headers, &tip)?;
    Ok(Insertion { rollback: Some(Rollback { fork_parent, previous_tip: tip }), headers })
}

fn check_linked(headers: &[Header]) -> Result<(), HeadersRefused> {
    match headers.windows(2).position(|pair| pair[1].prev_blockhash != pair[0].block_hash()) {
        None => Ok(()),
        Some(before) => Err(HeadersRefused::NotLinked { position: before + 1 }),
    }
}

fn check_unknown(chain: &impl MainChain, first: &Header) -> Result<(), HeadersRefused> {
    match chain.find(&first.block_hash()) {
        None => Ok(()),
        Some(known) => Err(HeadersRefused::AlreadyKnown { hash: known.hash, height: known.height }),
    }
}

fn find_parent(chain: &impl MainChain, first: &Header) -> Result<ChainedHeader, HeadersRefused> {
    chain.find(&first.prev_blockhash).ok_or(HeadersRefused::UnknownParent { parent: first.prev_blockhash })
}

/// Checks every header on top of `parent` and places it.
fn check_branch(
    rules: HeaderRules,
    chain: &impl MainChain,
    parent: ChainedHeader,
    headers: &[Header],
) -> Result<Vec<ChainedHeader>, HeadersRefused> {
    let mut branch: Vec<ChainedHeader> = Vec::with_capacity(headers.len());
    for (position, header) in headers.iter().enumerate() {
        let before = branch.last().unwrap_or(&parent);
        let height = before.height.checked_add(1).ok_or(HeadersRefused::Overflow { position })?;
        rules
            .check_in_context(header, height, |height| ancestor(chain, &parent, &branch, height))
            .map_err(|fault| HeadersRefused::InContext { position, height, fault })?;
        // Only now, with the proof of work checked, is the header's claim of work worth counting.
        let placed = before.child(*header).ok_or(HeadersRefused::Overflow { position })?;
        branch.push(placed);
    }
    Ok(branch)
}

/// The header at a height on the new branch: above `parent` its own headers, below the main chain's.
fn ancestor(
    chain: &impl MainChain,
    parent: &ChainedHeader,
    branch: &[ChainedHeader],
    height: BtcHeight,
) -> Option<Header> {
    match height.to_u32().checked_sub(parent.height.to_u32()) {
        Some(0) => Some(parent.header),
        Some(above) => branch.get(usize::try_from(above - 1).ok()?).map(|placed| placed.header),
        None => chain.at(height).map(|placed| placed.header),
    }
}

fn check_more_work(branch: &[ChainedHeader], tip: &ChainedHeader) -> Result<(), HeadersRefused> {
    match branch.last() {
        Some(end) if end.work > tip.work => Ok(()),
        Some(end) => Err(HeadersRefused::NotMoreWork { branch: end.work, tip: tip.work }),
        None => Err(HeadersRefused::Empty),
    }
}

fn checked_sum(a: Work, b: Work) -> Option<Work> {
    let left = Work::from_be_bytes([0xff; 32]) - a;
    (b <= left).then(|| a + b)
}

/// A main chain in memory, one entry per height.
#[derive(Debug, Clone)]
pub struct HeaderChain {
    rules: HeaderRules,
    base: ChainedHeader,
    above: Vec<ChainedHeader>,
    heights: HashMap<BlockHash, BtcHeight>,
}

impl HeaderChain {
    /// Starts a chain at its base header.
    ///
    /// # Errors
    /// [`InvalidBase`] when difficulty could not be recomputed from there.
    pub fn new(rules: HeaderRules, base: ChainedHeader) -> Result<Self, InvalidBase> {
        if !is_retarget_height(base.height) {
            return Err(InvalidBase(base.height));
        }
        Ok(Self { rules, base, above: Vec::new(), heights: HashMap::from([(base.hash, base.height)]) })
    }

    /// Inserts headers that extend the tip or form a branch with more work, and returns what changed.
    ///
    /// # Errors
    /// [`HeadersRefused`]; the chain is unchanged then.
    pub fn insert(&mut self, headers: &[Header]) -> Result<Insertion, HeadersRefused> {
        let insertion = check_insertion(self.rules, self, headers)?;
        if let Some(rollback) = insertion.rollback() {
            self.remove_above(rollback.fork_parent.height);
        }
        for header in insertion.headers() {
            self.heights.insert(header.hash, header.height);
            self.above.push(*header);
        }
        Ok(insertion)
    }

    /// The first header.
    pub fn base(&self) -> &ChainedHeader {
        &self.base
    }

    fn remove_above(&mut self, height: BtcHeight) {
        while self.above.last().is_some_and(|last| last.height > height) {
            if let Some(removed) = self.above.pop() {
                self.heights.remove(&removed.hash);
            }
        }
    }
}

impl MainChain for HeaderChain {
    fn tip(&self) -> ChainedHeader {
        *self.above.last().unwrap_or(&self.base)
    }
    fn at(&self, height: BtcHeight) -> Option<ChainedHeader> {
        match height.to_u32().checked_sub(self.base.height.to_u32())? {
            0 => Some(self.base),
            above => self.above.get(usize::try_from(above - 1).ok()?).copied(),
        }
    }
    fn find(&self, hash: &BlockHash) -> Option<ChainedHeader> {
        self.heights.get(hash).and_then(|height| self.at(*height))
    }
}
