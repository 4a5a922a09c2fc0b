//! Single values: from JSON to the wire and back.

use super::{Form, read, wrong};
use crate::genesis::InvalidGenesis;
use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_babylon::{
    convert::decimal::decode_decimal,
    proto::{Duration, Timestamp},
};
use btc_staking_protocol::rate::Decimal;
use prost::{
    Message,
    encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint},
};
use serde_json::Value;
use tendermint::Time;

/// What lies on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// Takes a field off the front of a message.
pub(super) fn take<'a>(from: &mut &'a [u8]) -> Option<(u32, Content<'a>)> {
    let (number, wire) = decode_key(from).ok()?;
    let content = match wire {
        WireType::Varint => Content::Varint(decode_varint(from).ok()?),
        WireType::LengthDelimited => {
            let len = usize::try_from(decode_varint(from).ok()?).ok()?;
            let (head, rest) = from.split_at_checked(len)?;
            *from = rest;
            Content::Bytes(head)
        }
        WireType::SixtyFourBit | WireType::ThirtyTwoBit | WireType::StartGroup | WireType::EndGroup => {
            return None;
        }
    };
    Some((number, content))
}

/// Appends a field. Zero values of single fields are left out, as protobuf does; those in lists are kept.
pub(super) fn push(
    to: &mut Vec<u8>,
    number: u32,
    form: Form,
    value: &Value,
    path: &str,
    in_list: bool,
) -> Result<(), InvalidGenesis> {
    let bytes = match form {
        Form::U32 | Form::U64 | Form::I64 | Form::Bool | Form::Enum(_) => {
            let varint = varint(form, value, path)?;
            if varint != 0 || in_list {
                encode_key(number, WireType::Varint, to);
                encode_varint(varint, to);
            }
            return Ok(());
        }
        Form::Text => text(value, path)?.as_bytes().to_vec(),
        Form::Base64 => {
            STANDARD.decode(text(value, path)?).map_err(|_| wrong(path, value, "bytes in base64"))?
        }
        Form::Hex(len) => hex_bytes(value, path, len)?,
        Form::HexReversed(len) => hex_bytes(value, path, len)?.into_iter().rev().collect(),
        Form::Decimal => decimal(value, path)?,
        Form::Integer => integer(value, path)?,
        Form::Time => time(value, path)?.encode_to_vec(),
        Form::Duration => duration(value, path)?.encode_to_vec(),
        Form::Message(shape) => read(shape, value, path)?,
        Form::Foreign => return Ok(()),
    };
    let always = in_list || matches!(form, Form::Message(_) | Form::Time | Form::Duration);
    if always || !bytes.is_empty() {
        encode_key(number, WireType::LengthDelimited, to);
        encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), to);
        to.extend(bytes);
    }
    Ok(())
}

fn varint(form: Form, value: &Value, path: &str) -> Result<u64, InvalidGenesis> {
    match form {
        Form::U32 => number(value).and_then(|n: u64| u32::try_from(n).ok()).map(u64::from),
        Form::U64 => number(value),
        // A negative number lies on the wire as its 64 bits.
        Form::I64 => number::<i64>(value).map(i64::cast_unsigned),
        Form::Bool => value.as_bool().map(u64::from),
        Form::Enum(names) => {
            let wanted = match value {
                Value::String(name) => names.iter().find(|(_, known)| known == name),
                other => names.iter().find(|(number, _)| other.as_i64() == Some(i64::from(*number))),
            };
            wanted.and_then(|(number, _)| u64::try_from(*number).ok())
        }
        _ => None,
    }
    .ok_or_else(|| wrong(path, value, expected(form)))
}

fn expected(form: Form) -> &'static str {
    match form {
        Form::U32 => "a number of 32 bits",
        Form::U64 => "a number of 64 bits",
        Form::I64 => "a number of 64 bits with sign",
        Form::Bool => "true or false",
        Form::Enum(_) => "the name of a value",
        Form::Text => "text",
        Form::Base64 => "bytes in base64",
        Form::Hex(_) | Form::HexReversed(_) => "bytes in hex",
        Form::Decimal => "a decimal",
        Form::Integer => "an integer",
        Form::Time => "a time as in RFC 3339",
        Form::Duration => "seconds such as \"600s\"",
        Form::Message(_) | Form::Foreign => "an object",
    }
}

/// A whole number, as number or as text without leading zeros or plus.
fn number<T: std::str::FromStr + ToString>(value: &Value) -> Option<T> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    text.parse::<T>().ok().filter(|number| number.to_string() == text)
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, InvalidGenesis> {
    value.as_str().ok_or_else(|| wrong(path, value, "text"))
}

fn hex_bytes(value: &Value, path: &str, len: usize) -> Result<Vec<u8>, InvalidGenesis> {
    let expected = match len {
        32 => "32 bytes in hex",
        80 => "80 bytes in hex",
        _ => "bytes in hex",
    };
    let bytes = hex::decode(text(value, path)?).ok().filter(|bytes| bytes.len() == len);
    bytes.ok_or_else(|| wrong(path, value, expected))
}

/// The digits of a decimal scaled by 10^18.
fn decimal(value: &Value, path: &str) -> Result<Vec<u8>, InvalidGenesis> {
    let invalid = || wrong(path, value, "a decimal of at most 18 digits behind the point");
    let decimal: Decimal = text(value, path)?.parse().map_err(|_| invalid())?;
    Ok(decimal.scaled().to_string().into_bytes())
}

fn integer(value: &Value, path: &str) -> Result<Vec<u8>, InvalidGenesis> {
    let digits = text(value, path)?;
    let canonical = digits == "0" || !digits.starts_with('0');
    if !digits.is_empty() && digits.len() <= 78 && canonical && digits.bytes().all(|c| c.is_ascii_digit()) {
        return Ok(digits.as_bytes().to_vec());
    }
    Err(wrong(path, value, "an integer in decimal digits"))
}

fn time(value: &Value, path: &str) -> Result<Timestamp, InvalidGenesis> {
    let invalid = || wrong(path, value, "a time as in RFC 3339");
    let time = Time::parse_from_rfc3339(text(value, path)?).map_err(|_| invalid())?;
    let nanos = time.unix_timestamp_nanos().rem_euclid(1_000_000_000);
    Ok(Timestamp { seconds: time.unix_timestamp(), nanos: i32::try_from(nanos).unwrap_or(0) })
}

fn duration(value: &Value, path: &str) -> Result<Duration, InvalidGenesis> {
    let invalid = || wrong(path, value, "seconds such as \"600s\"");
    let seconds = text(value, path)?.strip_suffix('s').and_then(|text| text.parse().ok());
    Ok(Duration { seconds: seconds.filter(|s: &i64| *s >= 0).ok_or_else(invalid)?, nanos: 0 })
}

/// What is written for a field that is not on the wire.
pub(super) fn absent(form: Form) -> Value {
    match form {
        Form::U32 => 0.into(),
        Form::U64 | Form::I64 | Form::Integer => "0".into(),
        Form::Bool => false.into(),
        Form::Text => "".into(),
        Form::Enum(names) => names.first().map_or(Value::Null, |(_, name)| (*name).into()),
        Form::Base64
        | Form::Hex(_)
        | Form::HexReversed(_)
        | Form::Decimal
        | Form::Time
        | Form::Duration
        | Form::Message(_)
        | Form::Foreign => Value::Null,
    }
}

/// Writes the values of a list field: one, or several packed ones.
pub(super) fn write_many(form: Form, content: Content<'_>, items: &mut Vec<Value>) -> Option<()> {
    if let (Form::U32 | Form::U64 | Form::I64 | Form::Bool | Form::Enum(_), Content::Bytes(mut packed)) =
        (form, content)
    {
        while !packed.is_empty() {
            items.push(write(form, Content::Varint(decode_varint(&mut packed).ok()?))?);
        }
        return Some(());
    }
    items.push(write(form, content)?);
    Some(())
}

/// Writes a value that is on the wire.
pub(super) fn write(form: Form, content: Content<'_>) -> Option<Value> {
    match (form, content) {
        (Form::U32, Content::Varint(n)) => Some(u32::try_from(n).ok()?.into()),
        (Form::U64, Content::Varint(n)) => Some(n.to_string().into()),
        (Form::I64, Content::Varint(n)) => Some(n.cast_signed().to_string().into()),
        (Form::Bool, Content::Varint(n)) => Some((n != 0).into()),
        (Form::Enum(names), Content::Varint(n)) => {
            let (_, name) = names.iter().find(|(number, _)| u64::try_from(*number) == Ok(n))?;
            Some((*name).into())
        }
        (Form::Text | Form::Integer, Content::Bytes(bytes)) => Some(std::str::from_utf8(bytes).ok()?.into()),
        (Form::Base64, Content::Bytes(bytes)) => Some(STANDARD.encode(bytes).into()),
        (Form::Hex(_), Content::Bytes(bytes)) => Some(hex::encode(bytes).into()),
        (Form::HexReversed(_), Content::Bytes(bytes)) => {
            Some(hex::encode(bytes.iter().rev().copied().collect::<Vec<_>>()).into())
        }
        (Form::Decimal, Content::Bytes(bytes)) => {
            let decimal = decode_decimal("", std::str::from_utf8(bytes).ok()?).ok()?;
            Some(eighteen_digits(decimal).into())
        }
        (Form::Time, Content::Bytes(bytes)) => {
            let time = Timestamp::decode(bytes).ok()?;
            let nanos = u32::try_from(time.nanos).ok()?;
            Some(Time::from_unix_timestamp(time.seconds, nanos).ok()?.to_rfc3339().into())
        }
        (Form::Duration, Content::Bytes(bytes)) => {
            Some(format!("{}s", Duration::decode(bytes).ok()?.seconds).into())
        }
        (Form::Message(shape), Content::Bytes(bytes)) => super::write(shape, bytes),
        _ => None,
    }
}

fn eighteen_digits(decimal: Decimal) -> String {
    let one = Decimal::ONE.scaled();
    format!("{}.{:018}", decimal.scaled() / one, decimal.scaled() % one)
}
