//! Walks protobuf bytes field by field and checks them against a schema.

use super::schema::{Kind, Schema};
use thiserror::Error;

/// Nesting deeper than this is refused; the deepest message we know has five levels.
const MAX_DEPTH: usize = 16;

/// Why bytes do not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Misfit {
    #[error("bytes end within a field")]
    Truncated,
    #[error("varint is longer than 10 bytes or not in shortest form")]
    Varint,
    #[error("field number {0} is out of range")]
    FieldNumber(u64),
    #[error("errUnknownField \"{message}\": {{TagNum: {number}, WireType: {wire_type}}}")]
    UnknownField { message: &'static str, number: u32, wire_type: u8 },
    #[error("field {number} of {message} has wire type {found}, expected {expected}")]
    WireType { message: &'static str, number: u32, found: u8, expected: u8 },
    #[error("field {number} of {message} has {found} bytes, expected {expected}")]
    Length { message: &'static str, number: u32, found: usize, expected: usize },
    #[error("field {number} of {message} is not a decimal integer: {text:?}")]
    Decimal { message: &'static str, number: u32, text: String },
    #[error("unable to resolve type URL {0}")]
    TypeUrl(String),
    #[error("messages are nested deeper than {MAX_DEPTH}")]
    Depth,
}

/// Which unknown fields pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// None.
    Refused,
    /// Those with bit 11 of the field number set, as inside transaction bodies.
    NonCriticalTolerated,
}

/// One field as it lies on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) wire_type: u8,
    /// Content of a length-delimited field; empty for the others.
    pub(crate) bytes: &'a [u8],
}

/// Takes one field off the front of `from`.
pub(crate) fn take_field<'a>(from: &mut &'a [u8]) -> Result<Field<'a>, Misfit> {
    let tag = take_varint(from)?;
    let number = u32::try_from(tag >> 3).ok().filter(|n| (1..1 << 29).contains(n));
    let number = number.ok_or(Misfit::FieldNumber(tag >> 3))?;
    let wire_type = tag.to_le_bytes()[0] & 7;
    let bytes = match wire_type {
        0 => {
            take_varint(from)?;
            &[]
        }
        1 => take(from, 8).map(|_| -> &[u8] { &[] })?,
        2 => {
            let len = take_varint(from)?;
            take(from, usize::try_from(len).map_err(|_| Misfit::Truncated)?)?
        }
        5 => take(from, 4).map(|_| -> &[u8] { &[] })?,
        _ => return Err(Misfit::UnknownField { message: "group", number, wire_type }),
    };
    Ok(Field { number, wire_type, bytes })
}

fn take<'a>(from: &mut &'a [u8], len: usize) -> Result<&'a [u8], Misfit> {
    let (head, rest) = from.split_at_checked(len).ok_or(Misfit::Truncated)?;
    *from = rest;
    Ok(head)
}

fn take_varint(from: &mut &[u8]) -> Result<u64, Misfit> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = take(from, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && byte > 1 {
            return Err(Misfit::Varint);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            // A final zero byte behind others is not the shortest form.
            return if byte == 0 && shift > 0 { Err(Misfit::Varint) } else { Ok(value) };
        }
    }
    Err(Misfit::Varint)
}

/// Checks `bytes` against `schema`, including everything nested.
pub(crate) fn check_fields(schema: &Schema, bytes: &[u8], unknown: Unknown) -> Result<(), Misfit> {
    check_at_depth(schema, bytes, unknown, 0)
}

fn check_at_depth(schema: &Schema, bytes: &[u8], unknown: Unknown, depth: usize) -> Result<(), Misfit> {
    if depth > MAX_DEPTH {
        return Err(Misfit::Depth);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let field = take_field(&mut rest)?;
        match schema.field(field.number) {
            Some(kind) => check_field(schema.name, field, kind, unknown, depth)?,
            None if unknown == Unknown::NonCriticalTolerated && field.number & (1 << 10) != 0 => {}
            None => {
                let Field { number, wire_type, .. } = field;
                return Err(Misfit::UnknownField { message: schema.name, number, wire_type });
            }
        }
    }
    Ok(())
}

fn check_field(
    message: &'static str,
    field: Field<'_>,
    kind: Kind,
    unknown: Unknown,
    depth: usize,
) -> Result<(), Misfit> {
    let Field { number, wire_type: found, bytes } = field;
    let expected = match kind {
        Kind::Varint => 0,
        Kind::Bytes | Kind::Fixed(_) | Kind::Decimal | Kind::Message(_) | Kind::Any => 2,
    };
    // Packed repeated integers travel as bytes; none of our messages has any.
    if found != expected {
        return Err(Misfit::WireType { message, number, found, expected });
    }
    match kind {
        Kind::Varint | Kind::Bytes => Ok(()),
        Kind::Fixed(expected) if bytes.len() != expected => {
            Err(Misfit::Length { message, number, found: bytes.len(), expected })
        }
        Kind::Fixed(_) => Ok(()),
        Kind::Decimal => check_decimal(message, number, bytes),
        Kind::Message(schema) => check_at_depth(schema, bytes, unknown, depth + 1),
        Kind::Any => check_any(bytes, unknown, depth + 1),
    }
}

fn check_decimal(message: &'static str, number: u32, bytes: &[u8]) -> Result<(), Misfit> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let integer =
        digits.iter().all(u8::is_ascii_digit) && (digits.len() == bytes.len() || !digits.is_empty());
    if integer && digits.len() <= 95 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
    Err(Misfit::Decimal { message, number, text })
}

fn check_any(bytes: &[u8], unknown: Unknown, depth: usize) -> Result<(), Misfit> {
    check_at_depth(&super::schema::ANY, bytes, unknown, depth)?;
    let (mut type_url, mut value) = (&[][..], &[][..]);
    let mut rest = bytes;
    while !rest.is_empty() {
        let field = take_field(&mut rest)?;
        match field.number {
            1 => type_url = field.bytes,
            2 => value = field.bytes,
            _ => {}
        }
    }
    let type_url = String::from_utf8_lossy(type_url);
    let schema =
        super::schema::of_type_url(&type_url).ok_or_else(|| Misfit::TypeUrl(type_url.into_owned()))?;
    check_at_depth(schema, value, unknown, depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::schema;
    use proptest::prelude::*;

    fn check(schema: &Schema, bytes: &[u8]) -> Result<(), Misfit> {
        check_fields(schema, bytes, Unknown::Refused)
    }

    #[test]
    fn unknown_fields_wrong_lengths_and_wrong_types_are_refused() {
        let unjail = schema::of_type_url("/babylon.finality.v1.MsgUnjailFinalityProvider").unwrap();
        let mut good = vec![0x0a, 1, b'a', 0x12, 32];
        good.extend([7; 32]);
        assert_eq!(check(unjail, &good), Ok(()));
        let mut short = vec![0x12, 31];
        short.extend([7; 31]);
        assert!(matches!(check(unjail, &short), Err(Misfit::Length { found: 31, expected: 32, .. })));
        assert!(matches!(check(unjail, &[0x12, 0]), Err(Misfit::Length { found: 0, .. })));
        assert!(matches!(check(unjail, &[0x1a, 0]), Err(Misfit::UnknownField { number: 3, .. })));
        assert!(matches!(check(unjail, &[0x08, 0]), Err(Misfit::WireType { number: 1, .. })));
        assert_eq!(check(unjail, &[0x12, 33, 1]), Err(Misfit::Truncated));
    }

    #[test]
    fn non_critical_unknown_fields_pass_only_where_tolerated() {
        let unjail = schema::of_type_url("/babylon.finality.v1.MsgUnjailFinalityProvider").unwrap();
        let bytes = [0x80, 0x40, 0x00]; // field 1024, varint 0
        assert!(check(unjail, &bytes).is_err());
        assert_eq!(check_fields(unjail, &bytes, Unknown::NonCriticalTolerated), Ok(()));
    }

    #[test]
    fn decimals_are_scaled_integers() {
        let edit = schema::of_type_url("/babylon.btcstaking.v1.MsgEditFinalityProvider").unwrap();
        let with = |text: &str| {
            let mut bytes = vec![0x22, u8::try_from(text.len()).unwrap()];
            bytes.extend(text.as_bytes());
            bytes
        };
        for good in ["30000000000000000", "0", "-1", ""] {
            assert_eq!(check(edit, &with(good)), Ok(()), "{good:?}");
        }
        for bad in ["0.03", "-", "1e5", "+1"] {
            assert!(check(edit, &with(bad)).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for schema in schema::all() {
                let _ = check(schema, &bytes);
            }
        }
    }
}
