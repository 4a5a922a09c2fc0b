//! The tables of `wire.md` as data.

use std::{collections::BTreeMap, sync::LazyLock};

/// Every type by full name.
pub struct Tables(BTreeMap<&'static str, Type>);

struct Type {
    section: &'static str,
    fields: Vec<Field>,
}

/// A field of a type.
pub struct Field {
    pub number: u32,
    pub name: &'static str,
    pub kind: Kind,
}

/// What a field holds.
pub enum Kind {
    Text,
    Bytes(Option<usize>),
    Bool,
    U32,
    U64,
    I32,
    I64,
    /// An enum; the name its first value but zero prints as, if the type is not ours.
    Enum(Option<&'static str>),
    /// A scaled decimal.
    Decimal(Ascii),
    /// A big integer.
    Integer(Ascii),
    Message(&'static str),
    Repeated(Box<Kind>),
    Optional(Box<Kind>),
    /// One of several under a common name.
    OneOf(&'static str, Box<Kind>),
    Map(Box<Kind>, Box<Kind>),
}

/// The type of a field that holds digits.
#[derive(Clone, Copy, PartialEq)]
pub enum Ascii {
    Text,
    Bytes,
}

impl Tables {
    /// The tables, read once.
    pub fn read() -> &'static Self {
        static TABLES: LazyLock<Tables> = LazyLock::new(Tables::parse);
        &TABLES
    }

    fn parse() -> Self {
        let mut types = BTreeMap::new();
        let (mut section, mut current) = ("", "");
        for line in include_str!("tables.txt").lines() {
            if let Some(title) = line.strip_prefix("# ") {
                section = title;
            } else if line.starts_with('#') {
                continue;
            } else if let Some(field) = line.strip_prefix("  ") {
                let words: Vec<_> = field.splitn(3, ' ').collect();
                let number = words[0].parse().unwrap();
                let Type { fields, .. } = types.get_mut(current).unwrap();
                assert!(fields.last().is_none_or(|last| last.number < number), "{line} is out of order");
                fields.push(Field { number, name: words[1], kind: Kind::read(words[2]) });
            } else {
                let table = Type { section, fields: vec![] };
                assert!(types.insert(line, table).is_none(), "{line} is there twice");
                current = line;
            }
        }
        Self(types)
    }

    /// Fields of a type.
    pub fn fields(&self, name: &str) -> &[Field] {
        &self.0.get(name).unwrap_or_else(|| panic!("no table of {name}")).fields
    }

    /// Types of the sections of `wire.md` whose number starts so.
    pub fn section(&self, start: &str) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter(move |(_, table)| table.section.starts_with(start)).map(|(name, _)| *name)
    }

    /// The chain's own types; the others are parts of them.
    pub fn chain_types(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied().filter(|name| name.starts_with("babylon."))
    }
}

impl Kind {
    fn read(text: &'static str) -> Self {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let ascii = || if rest == "bytes" { Ascii::Bytes } else { Ascii::Text };
        match first {
            "string" => Self::Text,
            "bytes" => Self::Bytes(None),
            "bool" => Self::Bool,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "i32" => Self::I32,
            "i64" => Self::I64,
            "enum" => Self::Enum((!rest.is_empty()).then_some(rest)),
            "dec" => Self::Decimal(ascii()),
            "int" => Self::Integer(ascii()),
            "R" => Self::Repeated(Box::new(Self::read(rest))),
            "opt" => Self::Optional(Box::new(Self::read(rest))),
            "one" => {
                let (name, kind) = rest.split_once(' ').unwrap();
                Self::OneOf(name, Box::new(Self::read(kind)))
            }
            "map" => {
                let (key, value) = rest.split_once(' ').unwrap();
                Self::Map(Box::new(Self::read(key)), Box::new(Self::read(value)))
            }
            sized if sized.starts_with("bytes") => Self::Bytes(Some(sized[5..].parse().unwrap())),
            name => Self::Message(name),
        }
    }
}
