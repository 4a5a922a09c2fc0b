//! Durable typed tables over sled: a commit that returned is on disk.
//!
//! One [`Store`] owns one directory, and one process at a time owns a store. It is cut into tables, each a sorted map
//! from a [`Key`] to a serde value. All writing goes through [`Store::commit`]: every change of a commit becomes
//! visible and durable together, or none of them does.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! use btc_staking_store::{Schema, Store};
//!
//! let store = Store::open(&dir.path().join("records"), Schema::new("example", 1))?;
//! let votes = store.table::<([u8; 32], u64), String>("votes")?;
//! store.commit(|batch| {
//!     batch.put(&votes, &([7; 32], 12), &"block a".to_owned())?;
//!     batch.put(&votes, &([7; 32], 13), &"block b".to_owned())
//! })?;
//! assert_eq!(votes.get(&([7; 32], 12))?.as_deref(), Some("block a"));
//! assert_eq!(votes.prefix(&[7; 32]).count(), 2);
//! # Ok(()) }
//! ```
//!
//! # What a commit does
//!
//! | step | what | a crash right after it leaves |
//! |---|---|---|
//! | 1 | the closure fills a batch in memory | the previous commit |
//! | 2 | `apply_batch`: sled logs the changes as one recovery unit | the previous commit, or this one whole |
//! | 3 | `flush`: sled writes its log to the file | the same; in the page cache, not safe from a power cut |
//! | 4 | `fdatasync` of the database file | this commit |
//!
//! sled's own flush calls `sync_file_range` on Linux, which orders neither the disk's cache nor the file's size;
//! step 4 is what makes the record durable. All data lives in that one file: values longer than 4 KiB are cut into
//! pieces (see [`batch`](crate::Batch)), because sled would otherwise put large pages into files of their own, which
//! it never syncs. Seen with `strace -f -e trace=fdatasync,fsync,sync_file_range` on a test: two `sync_file_range`
//! and then one `fdatasync` of `sled/db` for every commit, and at opening an `fsync` of that file and of each
//! directory. Readers wait for step 4, so nobody acts on a record that a power cut could take back.
//!
//! When step 2 to 4 fails, whether the commit survives is unknown until the store is opened again. The store then
//! refuses every further call with [`StoreError::Stopped`]; the process has to stop.
//!
//! # What it refuses
//!
//! A second process on the directory, a directory of another program or a newer version, keys above 256 bytes,
//! values and commits above the limits in [`Options`], and a commit inside a commit.
//!
//! # What it does not promise
//!
//! Records that must never roll back, whatever the disk does (the finality provider's sign records), are kept in
//! an append-only file of their own and not here. Nothing in this crate is secret-aware: keys are not stored in it.

mod batch;
mod directory;
mod error;
mod key;
mod layout;
mod store;
mod table;
pub mod testing;

pub use batch::Batch;
pub use error::{OpenError, StoreError};
pub use key::{HasPrefix, InvalidKeyBytes, Key};
pub use store::{Options, Schema, Store};
pub use table::{Entries, RawEntries, RawTable, Table};
