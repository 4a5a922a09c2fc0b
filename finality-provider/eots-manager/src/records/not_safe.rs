//! Why a signature is not given.

use super::subject::Subject;
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a signature is refused. None of these goes away by asking again.
#[derive(Debug, Error)]
pub enum NotSafe {
    /// Nothing is known of what this key signed on this chain, not even that it is new.
    #[error(
        "there is no sign history of {key} on {chain}: if the key signed anywhere before, import what it signed; \
         if it never signed on this chain, say so with `init --key {key} --chain {chain}`; nothing is signed until then",
        key = subject.finality_provider, chain = subject.chain_id
    )]
    NoHistory {
        /// Which key on which chain.
        subject: Box<Subject>,
    },
    /// Another block was signed at this height. Signing this one too would reveal the key.
    #[error(
        "double sign refused for {key} on {chain} at height {height}: signed already for app hash {recorded}, \
         asked to sign {requested}",
        key = subject.finality_provider, chain = subject.chain_id, height = recorded.height.to_u64(),
        recorded = hex::encode(recorded.app_hash), requested = hex::encode(requested.app_hash)
    )]
    DoubleSign {
        /// Which key on which chain.
        subject: Box<Subject>,
        /// What was signed.
        recorded: VoteMessage,
        /// What was asked for.
        requested: VoteMessage,
    },
    /// This very vote was signed, with other randomness; a second signature would differ from the first.
    #[error(
        "the vote at height {} was signed with other public randomness, the same is not available",
        height.to_u64()
    )]
    OtherRandomness {
        /// The height.
        height: PosHeight,
    },
    /// The height is at or below the watermark and its record is gone.
    #[error(
        "height {} is not above the watermark {}, below which this key signs nothing any more",
        height.to_u64(), watermark.to_u64()
    )]
    BelowWatermark {
        /// What was asked for.
        height: PosHeight,
        /// Lowest height that is still refused from above.
        watermark: PosHeight,
    },
    /// The height is above the one up to which this key signs here.
    #[error(
        "height {} is above the high watermark {}, from which on this key signs elsewhere; \
         lift it here once it is known what was signed there",
        height.to_u64(), watermark.to_u64()
    )]
    AboveWatermark {
        /// What was asked for.
        height: PosHeight,
        /// Highest height that is signed.
        watermark: PosHeight,
    },
    /// The record could not be made durable. The process must stop; restart it once the disk is well.
    #[error(
        "the sign record could not be made durable, stop this process and mend the disk before starting again"
    )]
    NotDurable(#[source] io::Error),
    /// An earlier record could not be made durable, so nothing is signed any more by this process.
    #[error("an earlier sign record could not be made durable, this process signs nothing any more")]
    Poisoned,
}

impl NotSafe {
    /// Whether the process must stop: what it has in memory may no longer be what is on disk.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::NotDurable(_) | Self::Poisoned => true,
            Self::NoHistory { .. }
            | Self::DoubleSign { .. }
            | Self::OtherRandomness { .. }
            | Self::BelowWatermark { .. }
            | Self::AboveWatermark { .. } => false,
        }
    }
}

/// Why the sign records were not opened. Every message says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There are none.
    #[error(
        "there are no sign records at {0}; put them back if these keys ever signed, \
         or create them if every key is new"
    )]
    Missing(PathBuf),
    /// There are some already.
    #[error("there are sign records at {0} already; they are never replaced")]
    Exists(PathBuf),
    /// Another process has them open.
    #[error(
        "the sign records at {0} are in use by another process; two signers with one key would be slashed"
    )]
    InUse(PathBuf),
    /// Bytes are wrong.
    #[error(
        "the sign records at {path} are damaged at record {record}: {what}; do not start with them: \
         put back the newest whole copy together with its anchor file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Number of the record from 0.
        record: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Records that were acted upon are missing at the end, or the file is another one.
    #[error(
        "the sign records at {path} hold {found} records but {expected} were written: the file was truncated, \
         replaced or restored from a backup; put back the newest copy of it together with its anchor"
    )]
    RolledBack {
        /// The file.
        path: PathBuf,
        /// Records known to have been written.
        expected: u64,
        /// Records found.
        found: u64,
    },
    /// The anchor beside the records is gone or unreadable.
    #[error(
        "the anchor {0} beside the sign records is missing or unreadable, so their end cannot be trusted; \
         put back the newest copy of both files together"
    )]
    AnchorLost(PathBuf),
    /// The file could not be read or written.
    #[error("the sign records at {path} cannot be opened")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
