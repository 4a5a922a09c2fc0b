//! Randomness trees, recomputed from the key instead of stored.
//!
//! A commitment of 50,000 heights takes most of a second to derive and 3 MB to hold, and a daemon votes with one or two
//! of them at a time; so the last ones used are kept, up to a bounded number of leaves. Nothing has to survive a
//! restart, and no stored proof can ever disagree with a commitment.

use crate::{
    keys::EotsKey,
    records::{ChainId, Subject},
};
use btc_staking_crypto::{
    merkle::{MerkleProof, Tree},
    nonce::{self, RangeError, Scheme},
};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::PublicRandomness},
    height::PosHeight,
};
use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use thiserror::Error;

/// Most leaves kept over all trees: 32 MB.
const MAX_LEAVES: usize = 500_000;
/// Most entries kept, foreign commitments included.
const MAX_ENTRIES: usize = 64;

/// Why a range of heights gives no tree or proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TreeError {
    /// The range cannot be derived.
    #[error("public randomness cannot be derived for this range")]
    Range(#[from] RangeError),
    /// The range is empty.
    #[error("a randomness commitment must cover at least one height")]
    Empty,
    /// The commitment was not made with this key and chain id, by any derivation known.
    #[error(
        "the commitment to {} heights from {} was not made with this key and chain id {chain_id}: \
         its root is not the one this key gives",
        range.count, range.start_height.to_u64()
    )]
    ForeignCommitment {
        /// Chain id used.
        chain_id: ChainId,
        /// The commitment.
        range: Box<CommittedRandomness>,
    },
    /// The height is outside the commitment.
    #[error(
        "height {} is outside the commitment to {} heights from {}",
        height.to_u64(), range.count, range.start_height.to_u64()
    )]
    OutsideRange {
        /// The height.
        height: PosHeight,
        /// The commitment.
        range: Box<CommittedRandomness>,
    },
}

/// A tree and the derivation that reproduces the committed root.
#[derive(Clone)]
pub struct KnownTree {
    tree: Arc<Tree>,
    pub scheme: Scheme,
}

struct Entry {
    subject: Subject,
    range: CommittedRandomness,
    /// `None`: recomputed, and the root is not ours.
    tree: Option<KnownTree>,
}

/// The trees used last.
#[derive(Default)]
pub struct Trees {
    entries: Mutex<VecDeque<Entry>>,
}

impl Trees {
    /// Derives the values and the root of a range that is about to be committed to, and keeps its tree.
    pub fn plan(
        &self,
        key: &EotsKey,
        chain_id: &ChainId,
        start: PosHeight,
        count: u64,
    ) -> Result<CommittedRandomness, TreeError> {
        let tree = build(key, chain_id, Scheme::V1, start, count)?;
        let range = CommittedRandomness { start_height: start, count, root: tree.root() };
        let subject = Subject { finality_provider: key.public_key(), chain_id: chain_id.clone() };
        self.keep(Entry {
            subject,
            range,
            tree: Some(KnownTree { tree: Arc::new(tree), scheme: Scheme::V1 }),
        });
        Ok(range)
    }

    /// Returns the tree of a commitment, after checking that its root is the committed one.
    pub fn of(
        &self,
        key: &EotsKey,
        subject: &Subject,
        range: &CommittedRandomness,
    ) -> Result<KnownTree, TreeError> {
        let foreign =
            || TreeError::ForeignCommitment { chain_id: subject.chain_id.clone(), range: Box::new(*range) };
        if let Some(known) = self.find(subject, range) {
            return known.ok_or_else(foreign);
        }
        let found = recompute(key, &subject.chain_id, range)?;
        self.keep(Entry { subject: subject.clone(), range: *range, tree: found.clone() });
        found.ok_or_else(foreign)
    }

    /// Entry for a commitment; inside, `None` for a foreign one.
    fn find(&self, subject: &Subject, range: &CommittedRandomness) -> Option<Option<KnownTree>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let position = entries.iter().position(|entry| entry.subject == *subject && entry.range == *range)?;
        let entry = entries.remove(position)?;
        let tree = entry.tree.clone();
        entries.push_front(entry);
        Some(tree)
    }

    fn keep(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|kept| kept.subject != entry.subject || kept.range != entry.range);
        entries.push_front(entry);
        while entries.len() > 1 && (entries.len() > MAX_ENTRIES || leaves(&entries) > MAX_LEAVES) {
            entries.pop_back();
        }
    }
}

impl KnownTree {
    /// The proof for a height of the range the tree was built over.
    pub fn proof(&self, range: &CommittedRandomness, height: PosHeight) -> Result<MerkleProof, TreeError> {
        index_in(range, height)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| self.tree.proof(index))
            .ok_or_else(|| TreeError::OutsideRange { height, range: Box::new(*range) })
    }
}

/// Position of a height in a commitment, `None` outside it.
fn index_in(range: &CommittedRandomness, height: PosHeight) -> Option<u64> {
    height.to_u64().checked_sub(range.start_height.to_u64()).filter(|index| *index < range.count)
}

fn leaves(entries: &VecDeque<Entry>) -> usize {
    entries.iter().filter_map(|entry| entry.tree.as_ref()).map(|known| known.tree.len()).sum()
}

/// Tries the derivations in the order of their age; the committed root tells which one it was made with.
fn recompute(
    key: &EotsKey,
    chain_id: &ChainId,
    range: &CommittedRandomness,
) -> Result<Option<KnownTree>, TreeError> {
    for scheme in [Scheme::V1, Scheme::V0] {
        let tree = build(key, chain_id, scheme, range.start_height, range.count)?;
        if tree.root() == range.root {
            return Ok(Some(KnownTree { tree: Arc::new(tree), scheme }));
        }
    }
    Ok(None)
}

/// Whether a commitment was made with this key and chain id, by recomputing its root; needs no records.
///
/// # Errors
/// [`TreeError`] when the range cannot be derived.
pub fn made_with(key: &EotsKey, chain_id: &ChainId, range: &CommittedRandomness) -> Result<bool, TreeError> {
    Ok(recompute(key, chain_id, range)?.is_some())
}

fn build(
    key: &EotsKey,
    chain_id: &ChainId,
    scheme: Scheme,
    start: PosHeight,
    count: u64,
) -> Result<Tree, TreeError> {
    let values = derive_range(key, chain_id, scheme, start, count)?;
    if values.is_empty() { Err(TreeError::Empty) } else { Ok(Tree::build(&values)) }
}

/// Derives the public randomness of consecutive heights on all cores.
pub fn derive_range(
    key: &EotsKey,
    chain_id: &ChainId,
    scheme: Scheme,
    start: PosHeight,
    count: u64,
) -> Result<Vec<PublicRandomness>, TreeError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let chain_id = chain_id.as_str().as_bytes();
    Ok(nonce::public_randomness(key.secret(), scheme, chain_id, start.to_u64(), count, threads)?)
}
