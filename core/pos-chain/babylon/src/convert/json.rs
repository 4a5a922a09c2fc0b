//! JSON texts of single values, as events and REST answers carry them (`wire.md` 1.1 to 1.4, 6.1).
//!
//! A form says how a field of a wire type is printed and read. Reading is strict: an integer of 64 bits without its
//! quotes, a key in base64 or a time with an offset is an error, never a guess. Absent bytes print `null`, which the
//! wire types cannot tell from empty ones; `""` is read as well.

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_array, decode_hex},
    decimal::decode_integer,
};
use crate::proto::Coin;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

mod time;

pub use time::{Instant, Span};

/// How a field of a wire type stands in JSON.
pub trait Form {
    /// The field's type.
    type Field: Default;
    /// Prints the field.
    fn print(field: &Self::Field) -> String;
    /// Reads the field, named in errors by `name`.
    ///
    /// # Errors
    /// An [`InvalidField`] for a value of another form.
    fn read(name: &str, value: &Value) -> Result<Self::Field>;
}

/// A message as an object: its fields in the order of their numbers.
pub trait Object: Default {
    /// Names and JSON texts.
    fn print(&self) -> Vec<(&'static str, String)>;
    /// Reads the fields, which `find` looks up; those it does not ask for are ignored.
    ///
    /// # Errors
    /// An [`InvalidField`] for a field that is not there or of another form.
    fn read(find: &dyn Fn(&str) -> Result<Value>) -> Result<Self>;
}

/// Implements [`Object`] for messages from the forms of their fields.
macro_rules! objects {
    ($($message:ident { $($field:ident: $form:ty),* $(,)? })*) => {$(
        impl $crate::convert::json::Object for $message {
            fn print(&self) -> Vec<(&'static str, String)> {
                vec![$((
                    stringify!($field).trim_start_matches("r#"),
                    <$form as $crate::convert::json::Form>::print(&self.$field),
                )),*]
            }
            fn read(find: &dyn Fn(&str) -> $crate::convert::Result<serde_json::Value>) -> $crate::convert::Result<Self> {
                Ok(Self {$(
                    $field: {
                        let name = stringify!($field).trim_start_matches("r#");
                        <$form as $crate::convert::json::Form>::read(name, &find(name)?)?
                    }
                ),*})
            }
        }
    )*};
}
pub(super) use objects;

fn wrong(name: &str, what: &'static str, found: &Value) -> InvalidField {
    InvalidField::new(name, Problem::Json { what, found: kind_of(found) })
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn text<'a>(name: &str, what: &'static str, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| wrong(name, what, value))
}

/// A JSON string; the characters that HTML and JavaScript could take for their own are escaped.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    for character in Value::from(text).to_string().chars() {
        match character {
            '&' | '<' | '>' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => quoted.push(other),
        }
    }
    quoted
}

/// Text.
#[derive(Debug)]
pub struct Text;
impl Form for Text {
    type Field = String;
    fn print(field: &String) -> String {
        quote(field)
    }
    fn read(name: &str, value: &Value) -> Result<String> {
        text(name, "text", value).map(str::to_owned)
    }
}

/// An integer of 32 bits: a bare number.
#[derive(Debug)]
pub struct Bare;
impl Form for Bare {
    type Field = u32;
    fn print(field: &u32) -> String {
        field.to_string()
    }
    fn read(name: &str, value: &Value) -> Result<u32> {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| wrong(name, "a bare number of 32 bits", value))
    }
}

/// An unsigned integer of 64 bits: quoted.
#[derive(Debug)]
pub struct Quoted;
impl Form for Quoted {
    type Field = u64;
    fn print(field: &u64) -> String {
        quote(&field.to_string())
    }
    fn read(name: &str, value: &Value) -> Result<u64> {
        let digits = text(name, "a quoted number", value)?;
        let number = decode_integer(name, digits)?.try_into();
        number.map_err(|_| InvalidField::new(name, Problem::Integer(digits.to_owned())))
    }
}

/// A signed integer of 64 bits: quoted.
#[derive(Debug)]
pub struct QuotedSigned;
impl Form for QuotedSigned {
    type Field = i64;
    fn print(field: &i64) -> String {
        quote(&field.to_string())
    }
    fn read(name: &str, value: &Value) -> Result<i64> {
        let digits = text(name, "a quoted number", value)?;
        // The one text a number has: no plus, no padding, no minus zero.
        let number = digits.parse().ok().filter(|number: &i64| number.to_string() == digits);
        number.ok_or_else(|| InvalidField::new(name, Problem::SignedInteger(digits.to_owned())))
    }
}

/// A big integer that the wire has as ASCII digits in bytes: quoted. Unset prints as zero.
#[derive(Debug)]
pub struct BigInteger;
impl Form for BigInteger {
    type Field = Vec<u8>;
    fn print(field: &Vec<u8>) -> String {
        if field.is_empty() { quote("0") } else { quote(&String::from_utf8_lossy(field)) }
    }
    fn read(name: &str, value: &Value) -> Result<Vec<u8>> {
        let digits = text(name, "a quoted number", value)?;
        super::decimal::check_integer(name, digits)?;
        Ok(digits.as_bytes().to_vec())
    }
}

/// A big integer as [`BigInteger`], absent if unset.
#[derive(Debug)]
pub struct NullableBigInteger;
impl Form for NullableBigInteger {
    type Field = Vec<u8>;
    fn print(field: &Vec<u8>) -> String {
        if field.is_empty() { "null".to_owned() } else { BigInteger::print(field) }
    }
    fn read(name: &str, value: &Value) -> Result<Vec<u8>> {
        if value.is_null() { Ok(Vec::new()) } else { BigInteger::read(name, value) }
    }
}

/// Plain bytes: base64.
#[derive(Debug)]
pub struct Base64;
impl Form for Base64 {
    type Field = Vec<u8>;
    fn print(field: &Vec<u8>) -> String {
        if field.is_empty() { "null".to_owned() } else { quote(&STANDARD.encode(field)) }
    }
    fn read(name: &str, value: &Value) -> Result<Vec<u8>> {
        if value.is_null() {
            return Ok(Vec::new());
        }
        let encoded = text(name, "base64 text", value)?;
        STANDARD.decode(encoded).map_err(|error| {
            InvalidField::new(name, Problem::Consensus { what: "base64 text", reason: error.to_string() })
        })
    }
}

/// Bytes that may be absent: base64.
#[derive(Debug)]
pub struct NullableBase64;
impl Form for NullableBase64 {
    type Field = Option<Vec<u8>>;
    fn print(field: &Option<Vec<u8>>) -> String {
        field.as_ref().map_or_else(|| "null".to_owned(), |bytes| quote(&STANDARD.encode(bytes)))
    }
    fn read(name: &str, value: &Value) -> Result<Option<Vec<u8>>> {
        if value.is_null() { Ok(None) } else { Base64::read(name, value).map(Some) }
    }
}

/// A key, 32 bytes: lower-case hex.
#[derive(Debug)]
pub struct HexKey;
impl Form for HexKey {
    type Field = Vec<u8>;
    fn print(field: &Vec<u8>) -> String {
        print_hex(field)
    }
    fn read(name: &str, value: &Value) -> Result<Vec<u8>> {
        read_hex::<32>(name, value)
    }
}

/// A Bitcoin header, 80 bytes: lower-case hex.
#[derive(Debug)]
pub struct HexHeader;
impl Form for HexHeader {
    type Field = Vec<u8>;
    fn print(field: &Vec<u8>) -> String {
        print_hex(field)
    }
    fn read(name: &str, value: &Value) -> Result<Vec<u8>> {
        read_hex::<80>(name, value)
    }
}

/// A block hash, 32 bytes in internal order: lower-case hex, reversed.
#[derive(Debug)]
pub struct ReversedHash;
impl Form for ReversedHash {
    type Field = Vec<u8>;
    fn print(field: &Vec<u8>) -> String {
        print_hex(&field.iter().rev().copied().collect::<Vec<_>>())
    }
    fn read(name: &str, value: &Value) -> Result<Vec<u8>> {
        let mut bytes = read_hex::<32>(name, value)?;
        bytes.reverse();
        Ok(bytes)
    }
}

fn print_hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "null".to_owned() } else { quote(&hex::encode(bytes)) }
}

fn read_hex<const N: usize>(name: &str, value: &Value) -> Result<Vec<u8>> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let digits = text(name, "hexadecimal text", value)?;
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(InvalidField::new(name, Problem::NotHex));
    }
    let bytes: [u8; N] = decode_array(name, &decode_hex(name, digits)?)?;
    Ok(bytes.to_vec())
}

/// A list of values of one form.
#[derive(Debug)]
pub struct List<F>(std::marker::PhantomData<F>);
impl<F: Form> Form for List<F> {
    type Field = Vec<F::Field>;
    fn print(field: &Vec<F::Field>) -> String {
        let items: Vec<String> = field.iter().map(F::print).collect();
        format!("[{}]", items.join(","))
    }
    fn read(name: &str, value: &Value) -> Result<Vec<F::Field>> {
        let items = value.as_array().ok_or_else(|| wrong(name, "a list", value))?;
        let item = |(index, item)| F::read(&format!("{name}[{index}]"), item);
        items.iter().enumerate().map(item).collect()
    }
}

/// A message that may be absent.
#[derive(Debug)]
pub struct Message<M>(std::marker::PhantomData<M>);
impl<M: Object> Form for Message<M> {
    type Field = Option<M>;
    fn print(field: &Option<M>) -> String {
        field.as_ref().map_or_else(|| "null".to_owned(), print_object)
    }
    fn read(name: &str, value: &Value) -> Result<Option<M>> {
        if value.is_null() { Ok(None) } else { read_object(name, value).map(Some) }
    }
}

/// A message in a list, where none can be absent.
#[derive(Debug)]
pub struct Item<M>(std::marker::PhantomData<M>);
impl<M: Object> Form for Item<M> {
    type Field = M;
    fn print(field: &M) -> String {
        print_object(field)
    }
    fn read(name: &str, value: &Value) -> Result<M> {
        read_object(name, value)
    }
}

fn print_object<M: Object>(message: &M) -> String {
    let fields: Vec<String> =
        message.print().iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
    format!("{{{}}}", fields.join(","))
}

fn read_object<M: Object>(name: &str, value: &Value) -> Result<M> {
    let fields = value.as_object().ok_or_else(|| wrong(name, "an object", value))?;
    let find = |field: &str| {
        let found = fields.get(field).cloned();
        found.ok_or_else(|| InvalidField::new(field, Problem::Missing))
    };
    M::read(&find).map_err(|error| error.within(name))
}

/// A big integer that the wire has as text: quoted.
#[derive(Debug)]
pub struct Digits;
impl Form for Digits {
    type Field = String;
    fn print(field: &String) -> String {
        quote(field)
    }
    fn read(name: &str, value: &Value) -> Result<String> {
        let digits = text(name, "a quoted number", value)?;
        super::decimal::check_integer(name, digits).map(|()| digits.to_owned())
    }
}

objects! { Coin { denom: Text, amount: Digits } }

/// A field that holds an enum's number and prints its name.
macro_rules! enum_forms {
    ($($(#[$doc:meta])* $form:ident of $kind:ty { $($name:literal = $value:path),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $form;
        impl Form for $form {
            type Field = i32;
            fn print(field: &i32) -> String {
                match <$kind>::try_from(*field) {
                    $(Ok($value) => quote($name),)*
                    // The chain prints the number of a value without a name.
                    Err(_) => field.to_string(),
                }
            }
            fn read(name: &str, value: &Value) -> Result<i32> {
                match text(name, "the name of a value", value)? {
                    $($name => Ok($value.into()),)*
                    other => Err(InvalidField::new(name, Problem::UnknownName(other.to_owned()))),
                }
            }
        }
    )*};
}
use crate::proto::{btcstaking::BTCDelegationStatus, checkpointing::CheckpointStatus};
enum_forms! {
    /// Status of a checkpoint by its name.
    CheckpointStatusName of CheckpointStatus {
        "CKPT_STATUS_ACCUMULATING" = CheckpointStatus::Accumulating,
        "CKPT_STATUS_SEALED" = CheckpointStatus::Sealed,
        "CKPT_STATUS_SUBMITTED" = CheckpointStatus::Submitted,
        "CKPT_STATUS_CONFIRMED" = CheckpointStatus::Confirmed,
        "CKPT_STATUS_FINALIZED" = CheckpointStatus::Finalized,
    }
    /// Status of a delegation by its name.
    DelegationStatusName of BTCDelegationStatus {
        "PENDING" = BTCDelegationStatus::Pending,
        "VERIFIED" = BTCDelegationStatus::Verified,
        "ACTIVE" = BTCDelegationStatus::Active,
        "UNBONDED" = BTCDelegationStatus::Unbonded,
        "EXPIRED" = BTCDelegationStatus::Expired,
        "ANY" = BTCDelegationStatus::Any,
    }
}
