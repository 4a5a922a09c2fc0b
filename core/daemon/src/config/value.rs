//! Reads merged values into the configuration type, keeping track of the key and of text that came from the
//! environment, which has no types of its own.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::MapAccessDeserializer,
    },
    forward_to_deserialize_any,
};
use std::{collections::BTreeMap, fmt, str::FromStr};
use toml::{Table, Value};

/// A value that does not fit, and the key where it stands.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) path: Option<String>,
    pub(super) reason: String,
}

/// A value on its way into the configuration type.
pub(super) struct Node<'a> {
    value: Value,
    path: String,
    /// The value is text from the environment and may stand for another type.
    untyped: bool,
    /// Variables by key.
    variables: &'a BTreeMap<String, String>,
}

impl std::error::Error for Failure {}
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { path: None, reason: reason.to_string() }
    }
}

impl Failure {
    fn at(mut self, path: &str) -> Self {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl<'a> Node<'a> {
    pub(super) fn root(table: Table, variables: &'a BTreeMap<String, String>) -> Self {
        Self { value: Value::Table(table), path: String::new(), untyped: false, variables }
    }

    fn child(&self, path: String, value: Value) -> Self {
        let untyped = self.untyped || self.variables.contains_key(&path);
        Self { value, path, untyped, variables: self.variables }
    }

    /// The text to read another type from, if this is untyped text.
    fn untyped_text(&self) -> Option<&str> {
        self.value.as_str().filter(|_| self.untyped)
    }

    fn parsed<T: FromStr>(&self, wanted: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.untyped_text() else { return Ok(None) };
        let parsed = text.trim().parse().map(Some);
        parsed.map_err(|_| Failure::custom(format!("{text:?} is not {wanted}")).at(&self.path))
    }

    /// The elements of a list; text from the environment is cut at commas unless written as in TOML.
    fn elements(&self) -> Option<Vec<Value>> {
        let text = match (&self.value, self.untyped_text()) {
            (Value::Array(elements), _) => return Some(elements.clone()),
            (_, text) => text?.trim(),
        };
        if text.starts_with('[') {
            let mut table = format!("list = {text}").parse::<Table>().ok()?;
            return table.remove("list")?.try_into().ok();
        }
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Some(parts.map(|part| Value::String(part.to_owned())).collect())
    }
}

macro_rules! read_number {
    ($($method:ident: $int:ty, $visit:ident, $wanted:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            match self.parsed::<$int>($wanted)? {
                Some(number) => visitor.$visit(number).map_err(|failure: Failure| failure.at(&self.path)),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let path = self.path.clone();
        let result = match self.value {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(flag) => visitor.visit_bool(flag),
            Value::Datetime(moment) => visitor.visit_string(moment.to_string()),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Table(_) => self.deserialize_map(visitor),
        };
        result.map_err(|failure| failure.at(&path))
    }

    read_number! {
        deserialize_bool: bool, visit_bool, "true or false";
        deserialize_i8: i64, visit_i64, "a whole number";
        deserialize_i16: i64, visit_i64, "a whole number";
        deserialize_i32: i64, visit_i64, "a whole number";
        deserialize_i64: i64, visit_i64, "a whole number";
        deserialize_u8: u64, visit_u64, "a whole number from 0";
        deserialize_u16: u64, visit_u64, "a whole number from 0";
        deserialize_u32: u64, visit_u64, "a whole number from 0";
        deserialize_u64: u64, visit_u64, "a whole number from 0";
        deserialize_f32: f64, visit_f64, "a number";
        deserialize_f64: f64, visit_f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let path = self.path.clone();
        let result = match &self.value {
            Value::String(text) => visitor.visit_enum(text.clone().into_deserializer()),
            Value::Table(table) => {
                let map = Map::new(&self, table.clone());
                MapAccessDeserializer::new(map).deserialize_enum(name, variants, visitor)
            }
            _ => Err(Failure::custom(format!("expected one of {}", variants.join(", ")))),
        };
        result.map_err(|failure| failure.at(&path))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let Some(elements) = self.elements() else {
            return Err(Failure::custom("expected a list").at(&self.path));
        };
        let elements = elements.into_iter().enumerate();
        visitor.visit_seq(Seq { parent: &self, elements }).map_err(|failure| failure.at(&self.path))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let Value::Table(table) = &self.value else {
            return Err(Failure::custom("expected a section").at(&self.path));
        };
        let map = Map::new(&self, table.clone());
        visitor.visit_map(map).map_err(|failure| failure.at(&self.path))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.value {
            // A type of a library may want something else than a section (a date, a spanned value).
            Value::Table(_) => self.deserialize_map(visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct identifier ignored_any
    }
}

struct Seq<'n, 'a> {
    parent: &'n Node<'a>,
    elements: std::iter::Enumerate<std::vec::IntoIter<Value>>,
}

impl<'de> SeqAccess<'de> for Seq<'_, '_> {
    type Error = Failure;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let Some((number, value)) = self.elements.next() else { return Ok(None) };
        let path = format!("{}[{number}]", self.parent.path);
        seed.deserialize(self.parent.child(path, value)).map(Some)
    }
}

struct Map<'n, 'a> {
    parent: &'n Node<'a>,
    entries: toml::map::IntoIter<String, Value>,
    current: Option<(String, Value)>,
}

impl<'n, 'a> Map<'n, 'a> {
    fn new(parent: &'n Node<'a>, table: Table) -> Self {
        Self { parent, entries: table.into_iter(), current: None }
    }
}

impl<'de> MapAccess<'de> for Map<'_, '_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        let path = join(&self.parent.path, &key);
        self.current = Some((path.clone(), value));
        seed.deserialize(key.into_deserializer()).map(Some).map_err(|failure: Failure| failure.at(&path))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let (path, value) = self.current.take().ok_or_else(|| Failure::custom("a value without its key"))?;
        let at = path.clone();
        seed.deserialize(self.parent.child(path, value)).map_err(|failure| failure.at(&at))
    }
}
