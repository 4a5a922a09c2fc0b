//! Where committed state lies.

use super::layer::{Entries, KeyRange, ReadState, Writes};
use crate::error::Broken;

/// A committed state that takes a block's writes in one piece.
///
/// Beside the state there is room for the door's own records: blocks, results, indexes. They are no part of the
/// application and of no app hash, but must never be ahead of it or behind it, so they travel in the same commit.
pub(crate) trait Backend: ReadState + Send + Sync {
    /// Applies all writes or none, durably when it returns.
    fn commit(&mut self, state: &Writes, door: &Writes) -> Result<(), Broken>;
    /// A record of the door.
    fn door_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken>;
    /// Records of the door with keys in a range, ascending.
    fn door_scan<'a>(&'a self, range: &KeyRange) -> Entries<'a>;
}
