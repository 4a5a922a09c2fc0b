//! How tables and values lie in sled's single key space.
//!
//! | what | key | value |
//! |---|---|---|
//! | record | length of the table's name, name, key | `00` and the value, or `01` and its length (u32 big-endian) |
//! | piece of a long value | `00 63`, record key, number of the piece (u32 big-endian) | up to 4 KiB of the value |
//! | header | `00 6d` | JSON |
//!
//! A leaf of sled holds at most about two dozen records and an inner node about 256 keys; with pieces of 4 KiB and
//! keys of 256 bytes every page stays below a quarter of sled's 512 KiB segment, beyond which sled would move the
//! page to a separate file that no commit of ours syncs.

use crate::error::StoreError;

/// Longest value kept in one piece.
pub(crate) const PIECE: usize = 4096;
/// Longest encoded key.
pub(crate) const MAX_KEY: usize = 256;
/// Longest table name.
pub(crate) const MAX_NAME: usize = 64;
/// Where the store's header lies.
pub(crate) const HEADER_KEY: [u8; 2] = [0, b'm'];

const INLINE: u8 = 0;
const CUT: u8 = 1;

/// What the value of a record says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    /// The value itself.
    Whole(&'a [u8]),
    /// The value has this length and lies in pieces.
    Cut(usize),
}

/// The bytes every record key of a table starts with.
pub(crate) fn table_prefix(name: &str) -> Result<Vec<u8>, StoreError> {
    let valid = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    match u8::try_from(name.len()) {
        Ok(length) if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(valid) => {
            Ok([&[length], name.as_bytes()].concat())
        }
        _ => Err(StoreError::TableName(name.to_owned())),
    }
}

/// Reads the value of a record, or `None` if it is malformed.
pub(crate) fn read_stored(bytes: &[u8]) -> Option<Stored<'_>> {
    match bytes.split_first()? {
        (&INLINE, value) => Some(Stored::Whole(value)),
        (&CUT, length) => {
            let length = u32::from_be_bytes(length.try_into().ok()?);
            usize::try_from(length).ok().map(Stored::Cut)
        }
        _ => None,
    }
}

/// The value of a record, and the pieces that go with it.
///
/// `value` is no longer than `u32::MAX`; the batch has checked it against the store's limit.
pub(crate) fn cut(value: &[u8]) -> (Vec<u8>, std::slice::Chunks<'_, u8>) {
    match u32::try_from(value.len()) {
        Ok(length) if value.len() > PIECE => {
            ([&[CUT], &length.to_be_bytes()[..]].concat(), value.chunks(PIECE))
        }
        _ => ([&[INLINE], value].concat(), [].chunks(PIECE)),
    }
}

/// How many pieces a value of `length` bytes is cut into.
pub(crate) fn piece_count(length: usize) -> u32 {
    u32::try_from(length.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

/// Where piece `number` of a record lies.
pub(crate) fn piece_key(record_key: &[u8], number: u32) -> Vec<u8> {
    [&[0, b'c'], record_key, &number.to_be_bytes()].concat()
}

/// The first byte string after all that start with `prefix`, or `None` if there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1; // it is not 0xff
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_short_ones_are_not() {
        for (length, pieces) in [(0, 0), (1, 0), (PIECE, 0), (PIECE + 1, 2), (3 * PIECE, 3)] {
            let value = vec![7; length];
            let (stored, cut) = cut(&value);
            assert_eq!(cut.len(), pieces, "{length}");
            let expected = if pieces == 0 { Stored::Whole(&value) } else { Stored::Cut(length) };
            assert_eq!(read_stored(&stored), Some(expected));
        }
    }

    #[test]
    fn the_end_of_a_prefix_follows_everything_that_starts_with_it() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 0xff]), Some(vec![2]));
        assert_eq!(after_prefix(&[0xff, 0xff]), None);
        assert_eq!(after_prefix(&[]), None);
    }

    #[test]
    fn malformed_records_and_names_are_refused() {
        for bytes in [&[][..], &[2], &[1, 0, 0], &[1, 0, 0, 0, 0, 0]] {
            assert_eq!(read_stored(bytes), None);
        }
        for name in ["", "Votes", "a b", &"x".repeat(65)] {
            assert!(matches!(table_prefix(name), Err(StoreError::TableName(_))), "{name}");
        }
    }
}
