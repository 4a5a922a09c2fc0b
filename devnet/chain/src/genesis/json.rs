//! Module states as JSON, the way the chain's own tools write them (`wire.md` 1.1 to 1.6, 10).
//!
//! A [`Shape`] tells for every field of a message its number, name and JSON form. [`read`] turns JSON into the message's
//! protobuf bytes, [`write`] does the reverse; both know nothing else about the message. Readers accept snake_case and
//! lowerCamelCase names, and numbers as numbers or text; a name that is not in the shape, a value of the wrong form or a
//! wrong length is an error with the path of the field. Fields left out have their zero value; `null` is an absent one.

mod shapes;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use shapes::*;

use super::InvalidGenesis;
use serde_json::{Map, Value};

/// The JSON form of a message.
#[derive(Debug)]
pub(crate) struct Shape {
    fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
struct Field {
    number: u32,
    name: &'static str,
    many: bool,
    form: Form,
}

/// How a value is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// 32 bits: a number.
    U32,
    /// 64 bits: text.
    U64,
    /// 64 bits with a sign: text.
    I64,
    Bool,
    Text,
    Base64,
    /// Lower-case hex of this many bytes.
    Hex(usize),
    /// The same, last byte first.
    HexReversed(usize),
    /// A decimal with a point; scaled by 10^18 on the wire.
    Decimal,
    /// An integer of any size: ASCII on the wire, text in JSON.
    Integer,
    /// Name of a value.
    Enum(&'static [(i32, &'static str)]),
    /// RFC 3339.
    Time,
    /// Seconds with an `s`.
    Duration,
    Message(&'static Shape),
    /// Of a part of the reference that this chain does not have: read over, written empty.
    Foreign,
}

impl Shape {
    const fn new(fields: &'static [Field]) -> Self {
        Self { fields }
    }
}

const fn one(number: u32, name: &'static str, form: Form) -> Field {
    Field { number, name, many: false, form }
}
const fn many(number: u32, name: &'static str, form: Form) -> Field {
    Field { number, name, many: true, form }
}

/// Reads a message of a shape; `path` names it in errors.
///
/// # Errors
/// [`InvalidGenesis::Value`] with the path of the field.
pub(crate) fn read(shape: &Shape, value: &Value, path: &str) -> Result<Vec<u8>, InvalidGenesis> {
    let Value::Object(object) = value else { return Err(wrong(path, value, "an object")) };
    for name in object.keys() {
        if !shape.fields.iter().any(|field| field.is_called(name)) {
            return Err(wrong(&join(path, name), &Value::Null, "left out: no such field is known"));
        }
    }
    let mut bytes = vec![];
    for field in shape.fields {
        let found = object.get(field.name).or_else(|| object.get(&camel(field.name)));
        let path = join(path, field.name);
        match found {
            None | Some(Value::Null) => {}
            Some(_) if matches!(field.form, Form::Foreign) => {}
            Some(Value::Array(items)) if field.many => {
                for (index, item) in items.iter().enumerate() {
                    value::push(
                        &mut bytes,
                        field.number,
                        field.form,
                        item,
                        &format!("{path}[{index}]"),
                        true,
                    )?;
                }
            }
            Some(other) if field.many => return Err(wrong(&path, other, "a list")),
            Some(value) => value::push(&mut bytes, field.number, field.form, value, &path, false)?,
        }
    }
    Ok(bytes)
}

/// Names the fields of a message that hold something and were read over.
pub(crate) fn foreign(shape: &Shape, value: &Value) -> Vec<&'static str> {
    let foreign = shape.fields.iter().filter(|field| matches!(field.form, Form::Foreign));
    let found = |field: &&Field| {
        let value = value.get(field.name).or_else(|| value.get(camel(field.name)));
        value.is_some_and(|value| !value.is_null() && *value != Value::Array(vec![]))
    };
    foreign.filter(found).map(|field| field.name).collect()
}

/// Writes a message of a shape from its bytes. `None` when they are no such message.
pub(crate) fn write(shape: &Shape, bytes: &[u8]) -> Option<Value> {
    let mut object = Map::new();
    for field in shape.fields {
        let zero = if field.many { Value::Array(vec![]) } else { value::absent(field.form) };
        object.insert(field.name.to_owned(), zero);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, content) = value::take(&mut rest)?;
        let field = shape.fields.iter().find(|field| field.number == number)?;
        match object.get_mut(field.name) {
            Some(Value::Array(items)) if field.many => value::write_many(field.form, content, items)?,
            Some(slot) => *slot = value::write(field.form, content)?,
            None => return None,
        }
    }
    Some(Value::Object(object))
}

impl Field {
    fn is_called(&self, name: &str) -> bool {
        self.name == name || camel(self.name) == name
    }
}

/// The lowerCamelCase form of a snake_case name.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut text, part| {
        let mut letters = part.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Longest value shown in an error.
const SHOWN: usize = 80;

pub(super) fn wrong(path: &str, found: &Value, expected: &'static str) -> InvalidGenesis {
    let mut shown = found.to_string();
    if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
        shown.truncate(end);
        shown.push('…');
    }
    InvalidGenesis::Value { path: path.to_owned(), found: shown, expected }
}
