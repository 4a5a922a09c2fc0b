//! Keys: encodings whose byte order is the order of the values.
//!
//! | type | bytes |
//! |---|---|
//! | `u8` to `u128` | big-endian, fixed length |
//! | `bool` | 0 or 1 |
//! | `[u8; N]` | themselves |
//! | `String`, `Vec<u8>` | each 0x00 as 0x00 0xff, ended by 0x00 0x00 |
//! | tuples | their parts one after another |
//!
//! Every encoding says itself where it ends, so tuples need no separators and all keys that start with the same
//! first parts are neighbours ([`HasPrefix`]).

use thiserror::Error;

/// A table's key.
///
/// `decode` inverts `encode`, and encodings compare as the values do.
pub trait Key: Sized {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);
    /// Takes one encoding off the front of `bytes`.
    ///
    /// # Errors
    /// [`InvalidKeyBytes`] when the bytes are no encoding of this type.
    fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes>;

    /// The encoding alone.
    fn to_key_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Reads a key that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`InvalidKeyBytes`] when the bytes are no encoding of this type or go on after it.
    fn from_key_bytes(mut bytes: &[u8]) -> Result<Self, InvalidKeyBytes> {
        let key = Self::decode(&mut bytes)?;
        if bytes.is_empty() { Ok(key) } else { Err(InvalidKeyBytes("bytes left over")) }
    }
}

/// A key type whose encoding starts with a `P`, so that [`Table::prefix`](crate::Table::prefix) can list the keys
/// under one `P`.
pub trait HasPrefix<P: Key>: Key {}

/// Bytes that are no key of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("invalid key: {0}")]
pub struct InvalidKeyBytes(pub &'static str);

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], InvalidKeyBytes> {
    let (head, tail) = bytes.split_at_checked(count).ok_or(InvalidKeyBytes("too short"))?;
    *bytes = tail;
    Ok(head)
}

macro_rules! integer_keys {
    ($($int:ty),*) => {$(
        impl Key for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
                <[u8; size_of::<$int>()]>::decode(bytes).map(<$int>::from_be_bytes)
            }
        }
    )*};
}
integer_keys!(u8, u16, u32, u64, u128);

impl Key for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
        match u8::decode(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(InvalidKeyBytes("a flag must be 0 or 1")),
        }
    }
}

impl<const N: usize> Key for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
        take(bytes, N)?.try_into().map_err(|_| InvalidKeyBytes("too short"))
    }
}

impl Key for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        for byte in self {
            out.push(*byte);
            if *byte == 0 {
                out.push(0xff);
            }
        }
        out.extend_from_slice(&[0, 0]);
    }
    fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
        let mut value = Vec::new();
        loop {
            match u8::decode(bytes)? {
                0 => match u8::decode(bytes)? {
                    0 => return Ok(value),
                    0xff => value.push(0),
                    _ => return Err(InvalidKeyBytes("0x00 must be followed by 0x00 or 0xff")),
                },
                byte => value.push(byte),
            }
        }
    }
}

impl Key for String {
    fn encode(&self, out: &mut Vec<u8>) {
        // UTF-8 compares as its code points do, and escaping only touches 0x00, so the order is kept.
        self.as_bytes().to_vec().encode(out);
    }
    fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
        Self::from_utf8(Vec::decode(bytes)?).map_err(|_| InvalidKeyBytes("text is not UTF-8"))
    }
}

impl Key for () {
    fn encode(&self, _: &mut Vec<u8>) {}
    fn decode(_: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
        Ok(())
    }
}

macro_rules! tuple_keys {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Key),+> Key for ($($part,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)+
            }
            fn decode(bytes: &mut &[u8]) -> Result<Self, InvalidKeyBytes> {
                Ok(($($part::decode(bytes)?,)+))
            }
        }
    };
}
tuple_keys!(A 0, B 1);
tuple_keys!(A 0, B 1, C 2);
tuple_keys!(A 0, B 1, C 2, D 3);

impl<A: Key, B: Key> HasPrefix<A> for (A, B) {}
impl<A: Key, B: Key, C: Key> HasPrefix<A> for (A, B, C) {}
impl<A: Key, B: Key, C: Key> HasPrefix<(A, B)> for (A, B, C) {}
impl<A: Key, B: Key, C: Key, D: Key> HasPrefix<A> for (A, B, C, D) {}
impl<A: Key, B: Key, C: Key, D: Key> HasPrefix<(A, B)> for (A, B, C, D) {}
impl<A: Key, B: Key, C: Key, D: Key> HasPrefix<(A, B, C)> for (A, B, C, D) {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Whole = (String, u64, Vec<u8>);

    proptest! {
        #[test]
        fn decoding_inverts_encoding_and_bytes_order_as_values_do(
            a: (String, u64, Vec<u8>), b: (String, u64, Vec<u8>)
        ) {
            prop_assert_eq!(Whole::from_key_bytes(&a.to_key_bytes()).unwrap(), a.clone());
            prop_assert_eq!(a.to_key_bytes().cmp(&b.to_key_bytes()), a.cmp(&b));
        }

        #[test]
        fn byte_strings_with_zeros_keep_their_order(
            a in prop::collection::vec(0u8..3, 0..6), b in prop::collection::vec(0u8..3, 0..6)
        ) {
            prop_assert_eq!(a.to_key_bytes().cmp(&b.to_key_bytes()), a.cmp(&b));
        }

        #[test]
        fn any_bytes_decode_to_a_key_or_an_error(bytes: Vec<u8>) {
            if let Ok(key) = Whole::from_key_bytes(&bytes) {
                prop_assert_eq!(key.to_key_bytes(), bytes);
            }
        }
    }

    #[test]
    fn encodings_are_fixed() {
        assert_eq!((7u8, 0x0102u16, [9u8; 2]).to_key_bytes(), [7, 1, 2, 9, 9]);
        assert_eq!(("a\0b".to_owned(), true).to_key_bytes(), [b'a', 0, 0xff, b'b', 0, 0, 1]);
    }

    #[test]
    fn short_long_and_malformed_bytes_are_refused() {
        assert_eq!(u32::from_key_bytes(&[1, 2, 3]), Err(InvalidKeyBytes("too short")));
        assert_eq!(u16::from_key_bytes(&[1, 2, 3]), Err(InvalidKeyBytes("bytes left over")));
        assert!(Vec::<u8>::from_key_bytes(&[0, 1]).is_err());
        assert!(String::from_key_bytes(&[0xff, 0, 0]).is_err());
        assert!(bool::from_key_bytes(&[2]).is_err());
    }
}
