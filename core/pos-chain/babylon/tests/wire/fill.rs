//! Writes protobuf from the tables by hand: tag, wire type, payload.

use super::table::{Ascii, Field, Kind, Tables};

/// Where values come from.
pub trait Source {
    /// A number for a field; the caller cuts it to the field's width.
    fn number(&mut self, field: &str, width: Width) -> u64;
    /// Bytes for a field, which are text as well.
    fn bytes(&mut self, field: &str, length: Option<usize>) -> Vec<u8>;
    /// How many of a list, at most one for maps.
    fn count(&mut self, field: &str) -> usize;
    /// Whether a nullable value is there.
    fn is_there(&mut self) -> bool;
    /// Which of so many alternatives.
    fn choose(&mut self, alternatives: usize) -> usize;
}

/// What a number is for.
#[derive(Clone, Copy, PartialEq)]
pub enum Width {
    Bits32,
    Bits64,
    Bool,
    Enum,
    Decimal,
    Seconds,
    Nanos,
}

/// An encoded value and how the crate prints it.
pub struct Filled {
    pub bytes: Vec<u8>,
    pub text: String,
}

/// Encodes a value of a type.
pub fn encode(tables: &Tables, name: &'static str, source: &mut dyn Source) -> Filled {
    Encoder { tables, source }.message(name, name)
}

struct Encoder<'a> {
    tables: &'a Tables,
    source: &'a mut dyn Source,
}

impl Encoder<'_> {
    /// `of` is the name of the field that holds the message.
    fn message(&mut self, name: &'static str, of: &str) -> Filled {
        let (mut bytes, mut shown) = (vec![], vec![]);
        let fields = self.tables.fields(name);
        let alternatives: Vec<_> =
            fields.iter().filter(|field| matches!(field.kind, Kind::OneOf(..))).collect();
        let chosen = match alternatives.len() {
            0 => None,
            count => Some(alternatives[self.source.choose(count)].number),
        };
        for field in fields {
            let key = match name {
                // Times are filled by the name of the field they are in.
                "google.protobuf.Timestamp" | "google.protobuf.Duration" => of,
                _ => field.name,
            };
            match &field.kind {
                Kind::OneOf(common, kind) if chosen == Some(field.number) => {
                    let value = self.value(kind, key, name);
                    put(&mut bytes, field.number, &value);
                    shown.push(format!("{common}: Some({}({}))", pascal(field.name), value.text));
                }
                Kind::OneOf(..) => {}
                _ => shown.push(format!("{}: {}", field.name, self.field(&mut bytes, field, key, name))),
            }
        }
        Filled { bytes, text: show(name, &shown) }
    }

    /// Appends a field and returns how it prints.
    fn field(&mut self, bytes: &mut Vec<u8>, field: &Field, key: &str, inside: &'static str) -> String {
        match &field.kind {
            Kind::Repeated(kind) => {
                let items: Vec<_> =
                    (0..self.source.count(key)).map(|_| self.value(kind, key, inside)).collect();
                if matches!(**kind, Kind::U64) && !items.is_empty() {
                    let packed = items.iter().flat_map(|item| item.payload.clone()).collect();
                    put(
                        bytes,
                        field.number,
                        &Value { wire: Wire::Bytes, payload: packed, text: String::new() },
                    );
                } else {
                    items.iter().for_each(|item| put(bytes, field.number, item));
                }
                let texts: Vec<_> = items.iter().map(|item| item.text.as_str()).collect();
                format!("[{}]", texts.join(", "))
            }
            Kind::Map(key_kind, value_kind) => {
                let mut texts = vec![];
                for _ in 0..self.source.count(key).min(1) {
                    let entry = [self.value(key_kind, key, inside), self.value(value_kind, key, inside)];
                    let mut payload = vec![];
                    for (number, part) in (1..).zip(&entry) {
                        // prost leaves out what is zero or empty, also an empty message, which the chain writes.
                        if !part.is_default() {
                            put(&mut payload, number, part);
                        }
                    }
                    put(bytes, field.number, &Value { wire: Wire::Bytes, payload, text: String::new() });
                    texts.push(format!("{}: {}", entry[0].text, entry[1].text));
                }
                format!("{{{}}}", texts.join(", "))
            }
            Kind::Optional(kind) => {
                if !self.source.is_there() {
                    return "None".to_owned();
                }
                let value = self.value(kind, key, inside);
                put(bytes, field.number, &value);
                format!("Some({})", value.text)
            }
            kind @ Kind::Message(_) => {
                if !self.source.is_there() {
                    return "None".to_owned();
                }
                let value = self.value(kind, key, inside);
                put(bytes, field.number, &value);
                format!("Some({})", value.text)
            }
            kind => {
                let value = self.value(kind, key, inside);
                if !value.is_default() {
                    put(bytes, field.number, &value);
                }
                value.text
            }
        }
    }

    fn value(&mut self, kind: &Kind, key: &str, inside: &'static str) -> Value {
        match kind {
            Kind::Text => {
                let bytes = self.source.bytes(key, None);
                let text = format!("{:?}", String::from_utf8(bytes.clone()).unwrap());
                Value { wire: Wire::Bytes, payload: bytes, text }
            }
            Kind::Bytes(length) => {
                let bytes = self.source.bytes(key, *length);
                // CometBFT's types hold another kind of buffer.
                let text = if inside.starts_with("tendermint.abci.") {
                    format!("b\"{}\"", bytes.escape_ascii())
                } else {
                    format!("{bytes:?}")
                };
                Value { wire: Wire::Bytes, payload: bytes, text }
            }
            Kind::Decimal(ascii) => self.digits(key, Width::Decimal, *ascii),
            Kind::Integer(ascii) => self.digits(key, Width::Bits64, *ascii),
            Kind::Bool => {
                let number = self.source.number(key, Width::Bool);
                Value::varint(number, (number == 1).to_string())
            }
            Kind::U32 => {
                let number = self.source.number(key, Width::Bits32);
                Value::varint(number, number.to_string())
            }
            Kind::U64 => {
                let number = self.source.number(key, Width::Bits64);
                Value::varint(number, number.to_string())
            }
            Kind::I32 => {
                let width = if inside == "google.protobuf.Timestamp" { Width::Nanos } else { Width::Enum };
                let number =
                    if inside == "google.protobuf.Duration" { 0 } else { self.source.number(key, width) };
                Value::varint(number, number.to_string())
            }
            Kind::I64 => {
                let number = match inside {
                    "google.protobuf.Timestamp" => {
                        1_600_000_000 + self.source.number(key, Width::Seconds) % 100_000_000
                    }
                    "google.protobuf.Duration" => self.source.number(key, Width::Seconds) % 100_000,
                    _ => self.source.number(key, Width::Bits64),
                };
                Value::varint(number, number.cast_signed().to_string())
            }
            Kind::Enum(name) => {
                let number = self.source.number(key, Width::Enum);
                Value::varint(number, name.map_or(number.to_string(), str::to_owned))
            }
            Kind::Message(name) => {
                let filled = self.message(name, key);
                Value { wire: Wire::Bytes, payload: filled.bytes, text: filled.text }
            }
            Kind::Repeated(_) | Kind::Optional(_) | Kind::OneOf(..) | Kind::Map(..) => {
                panic!("{key} of {inside} is not a single value")
            }
        }
    }

    fn digits(&mut self, key: &str, width: Width, ascii: Ascii) -> Value {
        let digits = self.source.number(key, width).to_string();
        let text = match ascii {
            Ascii::Text => format!("{digits:?}"),
            Ascii::Bytes => format!("{:?}", digits.as_bytes()),
        };
        Value { wire: Wire::Bytes, payload: digits.into_bytes(), text }
    }
}

/// One encoded value without its tag.
struct Value {
    wire: Wire,
    payload: Vec<u8>,
    text: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Varint = 0,
    Bytes = 2,
}

impl Value {
    fn varint(number: u64, text: String) -> Self {
        Self { wire: Wire::Varint, payload: varint(number), text }
    }
    fn is_default(&self) -> bool {
        match self.wire {
            Wire::Varint => self.payload == [0],
            Wire::Bytes => self.payload.is_empty(),
        }
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = vec![];
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn put(bytes: &mut Vec<u8>, number: u32, value: &Value) {
    bytes.extend(varint(u64::from(number) << 3 | value.wire as u64));
    if value.wire == Wire::Bytes {
        bytes.extend(varint(value.payload.len() as u64));
    }
    bytes.extend(&value.payload);
}

/// How a type prints; secrets do not.
fn show(name: &str, fields: &[String]) -> String {
    let short = name.rsplit('.').next().unwrap();
    match (short, fields) {
        ("SelectiveSlashingEvidence", _) => format!("{short}(..)"),
        ("MsgSelectiveSlashingEvidence", [signer, _]) => format!("{short} {{ {signer}, .. }}"),
        (_, []) => short.to_owned(),
        _ => format!("{short} {{ {} }}", fields.join(", ")),
    }
}

fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(word).collect()
}

/// Values that depend on the name of their field alone: text and bytes are the name, numbers its FNV-1a hash.
pub struct ByName {
    /// Which alternative to take.
    pub alternative: usize,
}

impl Source for ByName {
    fn number(&mut self, field: &str, width: Width) -> u64 {
        let short = fnv(field, 0x811c_9dc5, 0x0100_0193, u64::from(u32::MAX));
        match width {
            Width::Bits32 | Width::Seconds => short,
            Width::Bits64 => fnv(field, 0xcbf2_9ce4_8422_2325, 0x0000_0100_0000_01b3, u64::MAX),
            Width::Bool | Width::Enum => 1,
            Width::Decimal => short * 1_000_000_000,
            Width::Nanos => short % 1_000_000_000,
        }
    }
    fn bytes(&mut self, field: &str, length: Option<usize>) -> Vec<u8> {
        field.bytes().cycle().take(length.unwrap_or(field.len())).collect()
    }
    fn count(&mut self, field: &str) -> usize {
        // The chain never fills this one, and its items are no plain bytes there.
        usize::from(field != "original_attributes")
    }
    fn is_there(&mut self) -> bool {
        true
    }
    fn choose(&mut self, alternatives: usize) -> usize {
        self.alternative % alternatives
    }
}

fn fnv(text: &str, start: u64, prime: u64, mask: u64) -> u64 {
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(prime) & mask)
}

/// Values by a seed, with zeros, empties and absences among them.
pub struct Random {
    state: u64,
    well_formed: bool,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, well_formed: false }
    }
    /// Lengths and enum values are those the tables allow.
    pub fn well_formed(seed: u64) -> Self {
        Self { state: seed, well_formed: true }
    }
    fn next(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state ^ self.state >> 33
    }
}

impl Source for Random {
    fn number(&mut self, _: &str, width: Width) -> u64 {
        let number = [0, 1, self.next(), self.next() % 300, u64::MAX][(self.next() % 5) as usize];
        match width {
            Width::Bits32 | Width::Seconds => number & u64::from(u32::MAX),
            Width::Bits64 => number,
            Width::Bool => number & 1,
            // Every enum has three values.
            Width::Enum if self.well_formed => number % 3,
            Width::Enum => number & 0x7f,
            Width::Decimal => number,
            Width::Nanos => number % 1_000_000_000,
        }
    }
    fn bytes(&mut self, _: &str, length: Option<usize>) -> Vec<u8> {
        let length = match (self.next() % 4, length) {
            (_, Some(length)) if self.well_formed => length,
            (0, _) => 0,
            (1, _) => 200,
            (_, length) => length.unwrap_or(5),
        };
        (0..length).map(|_| (self.next() % 0x80) as u8).collect()
    }
    fn count(&mut self, _: &str) -> usize {
        (self.next() % 3) as usize
    }
    fn is_there(&mut self) -> bool {
        !self.next().is_multiple_of(3)
    }
    fn choose(&mut self, alternatives: usize) -> usize {
        (self.next() % alternatives as u64) as usize
    }
}
