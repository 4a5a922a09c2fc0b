//! The store: opening it, and the commit.

use crate::{
    batch::Batch,
    directory::Directory,
    error::{OpenError, StoreError},
    key::Key,
    layout::{self, Stored},
    table::{End, RawEntry, RawTable, Table},
    testing::{Crash, Cut},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    ops::Bound,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

/// Number of the layout this version reads and writes.
const FORMAT: u32 = 1;

/// Whose tables a directory holds. Written at creation, compared at every opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The program, such as `"slasher"`.
    pub name: &'static str,
    /// Goes up whenever the meaning of a stored record changes.
    pub version: u32,
}

/// Limits of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of memory for sled's page cache. Default 16 MiB.
    pub cache_bytes: u64,
    /// Longest encoded value. Default 4 MiB.
    pub max_value_bytes: usize,
    /// Largest sum of keys and values in one commit. Default 32 MiB.
    pub max_commit_bytes: usize,
}

/// A directory of durable tables. Cheap to clone; the directory is let go when the last clone, table and iterator
/// is dropped.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What tables, batches and the store share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    tree: sled::Db,
    database: File,
    /// Held for writing from the first change in sled until it is on disk; `Some` once a commit failed in between.
    gate: RwLock<Option<String>>,
    /// Held for a whole commit, closure included.
    writer: Mutex<()>,
    /// Who holds `writer`, to refuse what would be a deadlock.
    writing: Mutex<Option<ThreadId>>,
    commits: AtomicU64,
    crash: Option<Crash>,
    // Last, so that it is unlocked after sled has closed its files.
    directory: Directory,
}

/// The header record.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    schema: String,
    version: u32,
}

impl Schema {
    /// Names the program and the version of its tables.
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self { name, version }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 16 * 1024 * 1024,
            max_value_bytes: 4 * 1024 * 1024,
            max_commit_bytes: 32 * 1024 * 1024,
        }
    }
}

impl Store {
    /// Opens the store in `path`, creating it (and its directory) when there is none.
    ///
    /// # Errors
    /// [`OpenError`]: the directory is in use, belongs to another program or version, or cannot be read.
    pub fn open(path: &Path, schema: Schema) -> Result<Self, OpenError> {
        Self::open_with(path, schema, Options::default())
    }

    /// Opens the store with other limits than the default ones.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(path: &Path, schema: Schema, options: Options) -> Result<Self, OpenError> {
        Self::open_with_crash(path, schema, options, None)
    }

    pub(crate) fn open_with_crash(
        path: &Path,
        schema: Schema,
        options: Options,
        crash: Option<Crash>,
    ) -> Result<Self, OpenError> {
        let directory = Directory::open(path)?;
        let config = sled::Config::new()
            .path(directory.sled_path())
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(None);
        let tree =
            open_sled(&config).map_err(|source| OpenError::Backend { path: path.to_owned(), source })?;
        let database = directory.sync_after_open()?;
        let inner = Inner {
            options,
            tree,
            database,
            gate: RwLock::new(None),
            writer: Mutex::new(()),
            writing: Mutex::new(None),
            commits: AtomicU64::new(0),
            crash,
            directory,
        };
        let store = Self { inner: Arc::new(inner) };
        store.check_header(path, schema)?;
        Ok(store)
    }

    /// Returns the table called `name`. Tables need no creation; one without records is empty.
    ///
    /// # Errors
    /// [`StoreError::TableName`].
    pub fn table<K: Key, V>(&self, name: &str) -> Result<Table<K, V>, StoreError> {
        self.raw_table(name).map(Table::new)
    }

    /// Returns the table called `name` as a map of bytes.
    ///
    /// # Errors
    /// [`StoreError::TableName`].
    pub fn raw_table(&self, name: &str) -> Result<RawTable, StoreError> {
        RawTable::new(Arc::clone(&self.inner), name)
    }

    /// Runs `fill` and makes its changes durable, all or none. They are on disk when this returns.
    ///
    /// Commits run one at a time, `fill` included, so what `fill` reads stays true until its changes are in. An error
    /// of `fill` drops the batch. Blocks for one or two disk writes: call it from a blocking thread in async code
    /// where that matters.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the commit becomes visible to this process. After an error for which
    /// [`StoreError::must_stop`] holds, the process has to stop.
    pub fn commit<T>(&self, fill: impl FnOnce(&mut Batch) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.try_commit(fill)
    }

    /// [`Store::commit`] for closures with an error type of their own.
    ///
    /// # Errors
    /// Those of `fill` and of [`Store::commit`].
    pub fn try_commit<T, E: From<StoreError>>(
        &self,
        fill: impl FnOnce(&mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.inner.begin_commit()?;
        let mut batch = Batch::new(Arc::clone(&self.inner));
        let value = fill(&mut batch)?;
        self.inner.apply(batch)?;
        Ok(value)
    }

    /// The directory of this store.
    pub fn path(&self) -> &Path {
        self.inner.directory.path()
    }

    /// Number of commits since the store was opened that changed something.
    pub fn commit_count(&self) -> u64 {
        self.inner.commits.load(Ordering::SeqCst)
    }

    fn check_header(&self, path: &Path, schema: Schema) -> Result<(), OpenError> {
        let backend = |source| OpenError::Backend { path: path.to_owned(), source };
        let Some(bytes) = self.inner.tree.get(layout::HEADER_KEY).map_err(backend)? else {
            if !self.inner.tree.is_empty() {
                return Err(OpenError::Header("records without a header".to_owned()));
            }
            return self.write_header(schema).map_err(OpenError::Create);
        };
        let header: Header =
            serde_json::from_slice(&bytes).map_err(|error| OpenError::Header(error.to_string()))?;
        if header.format != FORMAT {
            return Err(OpenError::Format { found: header.format, known: FORMAT });
        }
        if header.schema != schema.name {
            return Err(OpenError::ForeignSchema { found: header.schema, expected: schema.name });
        }
        if header.version != schema.version {
            return Err(OpenError::SchemaVersion { found: header.version, expected: schema.version });
        }
        Ok(())
    }

    fn write_header(&self, schema: Schema) -> Result<(), StoreError> {
        let header = Header { format: FORMAT, schema: schema.name.to_owned(), version: schema.version };
        let bytes = serde_json::to_vec(&header)
            .map_err(|source| StoreError::Encode { table: "header".to_owned(), source })?;
        self.inner.tree.insert(layout::HEADER_KEY, bytes).map_err(StoreError::Backend)?;
        self.inner.make_durable()
    }
}

/// A commit's turn; the next one starts when it is dropped.
struct Turn<'a> {
    store: &'a Inner,
    _writer: MutexGuard<'a, ()>,
}

/// Opens sled under our own lock on the directory.
///
/// sled lets go of its lock only when its background writers have ended, a moment after the last handle was dropped.
/// Nobody else can hold it, so a lock that is taken is one that is about to be given back.
fn open_sled(config: &sled::Config) -> sled::Result<sled::Db> {
    const TRIES: u32 = 200;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 1..TRIES {
        match config.open() {
            // sled keeps the reason in the text only.
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
    config.open()
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.store.writing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Inner {
    fn begin_commit(&self) -> Result<Turn<'_>, StoreError> {
        let me = Some(thread::current().id());
        if *self.writing.lock().unwrap_or_else(PoisonError::into_inner) == me {
            return Err(StoreError::Nested);
        }
        // A panic inside a closure drops its batch before anything changed, so the lock can be taken over.
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = me;
        Ok(Turn { store: self, _writer: writer })
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        drop(self.enter()?);
        if batch.is_empty() {
            return Ok(());
        }
        let changes = batch.into_sled()?;
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        // Set before and not after the attempt, so that a panic on the way leaves the store stopped.
        *gate = Some("it was interrupted".to_owned());
        let result = self.write_through(changes);
        *gate = result.as_ref().err().map(ToString::to_string);
        result
    }

    fn write_through(&self, changes: sled::Batch) -> Result<(), StoreError> {
        let number = self.commits.load(Ordering::SeqCst).saturating_add(1);
        self.cut(number, Cut::BeforeApply)?;
        self.tree.apply_batch(changes).map_err(StoreError::Backend)?;
        self.cut(number, Cut::BeforeSync)?;
        self.make_durable()?;
        self.commits.store(number, Ordering::SeqCst);
        self.cut(number, Cut::AfterSync)
    }

    /// Waits until everything written so far is on the disk and not only on its way there.
    fn make_durable(&self) -> Result<(), StoreError> {
        self.tree.flush().map_err(StoreError::Backend)?;
        self.database.sync_data().map_err(StoreError::NotDurable)
    }

    fn cut(&self, number: u64, cut: Cut) -> Result<(), StoreError> {
        match &self.crash {
            Some(crash) => crash.reached(number, cut, self.directory.path()),
            None => Ok(()),
        }
    }

    /// Waits for a commit on its way to the disk; refuses once one has failed.
    fn enter(&self) -> Result<RwLockReadGuard<'_, Option<String>>, StoreError> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        match gate.as_ref() {
            Some(reason) => Err(StoreError::Stopped { reason: reason.clone() }),
            None => Ok(gate),
        }
    }

    pub(crate) fn contains(&self, record_key: &[u8]) -> Result<bool, StoreError> {
        let _gate = self.enter()?;
        self.tree.contains_key(record_key).map_err(StoreError::Backend)
    }

    pub(crate) fn get(&self, table: &RawTable, record_key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let _gate = self.enter()?;
        match self.tree.get(record_key).map_err(StoreError::Backend)? {
            Some(stored) => self.assemble(table, record_key, &stored).map(Some),
            None => Ok(None),
        }
    }

    /// The first or the last record of a range.
    pub(crate) fn outermost(
        &self,
        table: &RawTable,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        end: End,
    ) -> Result<Option<RawEntry>, StoreError> {
        let _gate = self.enter()?;
        let mut entries = self.tree.range::<Vec<u8>, _>(range);
        let entry = match end {
            End::Low => entries.next(),
            End::High => entries.next_back(),
        };
        let Some((record_key, stored)) = entry.transpose().map_err(StoreError::Backend)? else {
            return Ok(None);
        };
        let value = self.assemble(table, &record_key, &stored)?;
        Ok(Some((record_key.to_vec(), value)))
    }

    /// How many pieces the value stored under a record key is cut into now.
    pub(crate) fn pieces_of(&self, record_key: &[u8]) -> Result<u32, StoreError> {
        let _gate = self.enter()?;
        let stored = self.tree.get(record_key).map_err(StoreError::Backend)?;
        Ok(match stored.as_deref().and_then(layout::read_stored) {
            Some(Stored::Cut(length)) => layout::piece_count(length),
            Some(Stored::Whole(_)) | None => 0,
        })
    }

    fn assemble(&self, table: &RawTable, record_key: &[u8], stored: &[u8]) -> Result<Vec<u8>, StoreError> {
        let damaged = |reason: &str| table.damaged(table.strip(record_key), reason.to_owned());
        let length = match layout::read_stored(stored) {
            Some(Stored::Whole(value)) => return Ok(value.to_vec()),
            Some(Stored::Cut(length)) => length,
            None => return Err(damaged("unknown form")),
        };
        let mut value = Vec::new(); // grows with what is there, not with what the length claims
        for number in 0..layout::piece_count(length) {
            let piece = self.tree.get(layout::piece_key(record_key, number)).map_err(StoreError::Backend)?;
            value.extend_from_slice(&piece.ok_or_else(|| damaged("a piece of the value is missing"))?);
        }
        if value.len() == length {
            Ok(value)
        } else {
            Err(damaged("the value has another length than noted"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_and_deleted_values_leave_no_pieces_behind() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Schema::new("test", 1)).unwrap();
        let table = store.raw_table("blocks").unwrap();
        let pieces = || store.inner.tree.scan_prefix([0, b'c']).count();
        for (length, expected) in [(20_000, 5), (9_000, 3), (30_000, 8), (10, 0), (20_000, 5)] {
            store.commit(|batch| batch.put_bytes(&table, b"tip", &vec![7; length])).unwrap();
            assert_eq!(pieces(), expected, "{length}");
        }
        store.commit(|batch| batch.delete_bytes(&table, b"tip")).unwrap();
        assert_eq!((pieces(), store.inner.tree.len()), (0, 1), "only the header is left");
    }

    #[test]
    fn a_value_with_a_missing_piece_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Schema::new("test", 1)).unwrap();
        let table = store.raw_table("blocks").unwrap();
        store.commit(|batch| batch.put_bytes(&table, b"tip", &[7; 20_000])).unwrap();
        store.inner.tree.remove(layout::piece_key(&table.record_key(b"tip"), 2)).unwrap();
        assert!(matches!(table.get(b"tip"), Err(StoreError::Damaged { .. })));
        assert!(table.iter().next().is_some_and(|entry| entry.is_err()));
    }
}
