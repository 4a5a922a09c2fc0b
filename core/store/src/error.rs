//! Why a store could not be opened, and why a read or a commit failed.

use std::{io, path::PathBuf};
use thiserror::Error;

/// Why [`Store::open`](crate::Store::open) failed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process (or another `Store` of this one) has the directory.
    #[error("data directory {} is in use by another process, stop it first", .path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// sled could not recover the database.
    #[error("cannot recover the database in {}", .path.display())]
    Backend {
        /// The store's directory.
        path: PathBuf,
        /// What sled reports.
        source: sled::Error,
    },
    /// The directory was written in a format this version does not read.
    #[error("store format {found} is not known, this version reads format {known}")]
    Format {
        /// Format number on disk.
        found: u32,
        /// Format number of this version.
        known: u32,
    },
    /// The directory belongs to another program.
    #[error("data directory belongs to {found:?}, this program is {expected:?}")]
    ForeignSchema {
        /// Name on disk.
        found: String,
        /// Name asked for.
        expected: &'static str,
    },
    /// The tables were written by another version of the program.
    #[error("data directory has version {found} of its tables, this program needs version {expected}")]
    SchemaVersion {
        /// Version on disk.
        found: u32,
        /// Version asked for.
        expected: u32,
    },
    /// There are records but no readable header, so this is no store of ours or it is damaged.
    #[error("data directory has no valid header: {0}")]
    Header(String),
    /// The first commit of a new store failed.
    #[error("cannot write the header of a new store")]
    Create(#[source] StoreError),
}

/// Why a read or a commit failed.
///
/// Before a commit's changes reach sled, an error leaves the store as it was. Errors for which
/// [`must_stop`](StoreError::must_stop) holds come later: the process has to end, and the next
/// [`Store::open`](crate::Store::open) finds the commit either whole or not at all.
#[derive(Debug, Error)]
pub enum StoreError {
    /// An earlier commit failed on its way to the disk, so what is on disk is unknown.
    #[error("store has stopped because an earlier commit failed ({reason}), restart to recover")]
    Stopped {
        /// How that commit failed.
        reason: String,
    },
    /// The commit could not be made durable.
    #[error("commit could not be made durable")]
    NotDurable(#[source] io::Error),
    /// sled failed.
    #[error("database failed")]
    Backend(#[source] sled::Error),
    /// Bytes on disk are not what this table holds.
    #[error("record {key} of table {table:?} is damaged or of another type: {reason}")]
    Damaged {
        /// The table.
        table: String,
        /// The record's key in hexadecimal.
        key: String,
        /// What does not fit.
        reason: String,
    },
    /// The value cannot be written as JSON.
    #[error("value for table {table:?} cannot be encoded")]
    Encode {
        /// The table.
        table: String,
        /// What serde reports.
        source: serde_json::Error,
    },
    /// The encoded value is longer than [`Options::max_value_bytes`](crate::Options::max_value_bytes).
    #[error("value for table {table:?} has {size} bytes, at most {limit} are allowed")]
    ValueTooLarge {
        /// The table.
        table: String,
        /// Encoded length.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The encoded key is longer than 256 bytes.
    #[error("key for table {table:?} has {size} bytes, at most {limit} are allowed")]
    KeyTooLarge {
        /// The table.
        table: String,
        /// Encoded length.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The commit holds more than [`Options::max_commit_bytes`](crate::Options::max_commit_bytes).
    #[error("commit exceeds {limit} bytes, split it")]
    CommitTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Table names have 1 to 64 characters of `a-z 0-9 - _ .`.
    #[error("table name {0:?} is invalid, it must have 1 to 64 characters of a-z, 0-9, '-', '_' and '.'")]
    TableName(String),
    /// The table belongs to another store.
    #[error("table {0:?} belongs to another store")]
    ForeignTable(String),
    /// `commit` was called from inside a commit's closure.
    #[error("a commit cannot run inside another commit")]
    Nested,
    /// A test's crash point was reached.
    #[error("crash point reached")]
    Crash,
}

impl StoreError {
    /// Whether what is on disk is unknown, so that the process has to stop and recover by opening the store again.
    pub fn must_stop(&self) -> bool {
        match self {
            Self::Stopped { .. } | Self::NotDurable(_) | Self::Backend(_) | Self::Crash => true,
            Self::Damaged { .. }
            | Self::Encode { .. }
            | Self::ValueTooLarge { .. }
            | Self::KeyTooLarge { .. }
            | Self::CommitTooLarge { .. }
            | Self::TableName(_)
            | Self::ForeignTable(_)
            | Self::Nested => false,
        }
    }
}
