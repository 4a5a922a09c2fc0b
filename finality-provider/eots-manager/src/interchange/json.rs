//! The text of an interchange file. Of a content there is one text that is written; more than one is read, because
//! white space and the order of keys are free. Everything else is refused: unknown, missing and repeated keys, numbers
//! where text belongs, upper-case hex, leading zeros.

use super::{Answer, Interchange, InterchangeError, MAX_SIGNED, Signed, Watermarks, conflict};
use crate::records::Subject;
use btc_staking_protocol::{finality::vote::PublicRandomness, height::PosHeight};
use serde::{Deserialize, Deserializer, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, Read},
};

/// Value of `metadata.format`.
pub const FORMAT: &str = "eots-interchange";
/// Value of `metadata.version`.
pub const VERSION: &str = "1";
/// Longest text that is read.
pub const MAX_BYTES: usize = 96 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    metadata: TextMetadata,
    watermarks: TextWatermarks,
    signed: Vec<TextSigned>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextMetadata {
    format: String,
    version: String,
    chain_id: String,
    public_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextWatermarks {
    #[serde(deserialize_with = "nullable")]
    low: Option<String>,
    #[serde(deserialize_with = "nullable")]
    high: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextSigned {
    height: String,
    message_hash: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    signature_hash: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    answer: Option<TextAnswer>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextAnswer {
    app_hash: String,
    public_randomness: String,
}

/// A key that must be there, though its value may be null.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

/// A key that may be absent, but whose value may not be null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Interchange {
    /// Reads a file, at most [`MAX_BYTES`] of it.
    ///
    /// # Errors
    /// What the reader says; otherwise the content, or why it is refused.
    pub fn read(reader: impl Read) -> io::Result<Result<Self, InterchangeError>> {
        let mut text = Vec::new();
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        reader.take(limit).read_to_end(&mut text)?;
        Ok(Self::parse(&text))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`InterchangeError`].
    pub fn parse(text: &[u8]) -> Result<Self, InterchangeError> {
        if text.len() > MAX_BYTES {
            return Err(InterchangeError::TooLarge);
        }
        let text: Text = serde_json::from_slice(text).map_err(|error| InterchangeError::Json {
            line: error.line(),
            column: error.column(),
            what: shortened(&error),
        })?;
        let subject = parse_metadata(&text.metadata)?;
        if text.signed.len() > MAX_SIGNED {
            return Err(InterchangeError::TooLarge);
        }
        let watermarks = parse_watermarks(&text.watermarks)?;
        let signed = parse_signed(&text.signed)?;
        Self::new(subject, watermarks, signed)
    }

    /// Writes the text: the keys in the order of the documentation, two spaces for each level, a line end at the end.
    pub fn to_json(&self) -> String {
        let height =
            |of: fn(Watermarks) -> PosHeight| self.watermarks.map(|marks| of(marks).to_u64().to_string());
        let text = Text {
            metadata: TextMetadata {
                format: FORMAT.to_owned(),
                version: VERSION.to_owned(),
                chain_id: self.subject.chain_id.to_string(),
                public_key: self.subject.finality_provider.to_string(),
            },
            watermarks: TextWatermarks { low: height(|marks| marks.low), high: height(|marks| marks.high) },
            signed: self.signed.iter().map(|(height, entry)| write_signed(*height, entry)).collect(),
        };
        let mut json =
            serde_json::to_string_pretty(&text).expect("maps with text keys and text values are JSON");
        json.push('\n');
        json
    }
}

/// The parser's words without its own account of the place, and not at any length that a file may choose.
fn shortened(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.chars().take(end.min(200)).collect()
}

fn parse_metadata(metadata: &TextMetadata) -> Result<Subject, InterchangeError> {
    for (path, found, expected) in
        [("metadata.format", &metadata.format, FORMAT), ("metadata.version", &metadata.version, VERSION)]
    {
        if found != expected {
            let found = found.chars().take(64).collect();
            return Err(InterchangeError::Format { path, found, expected });
        }
    }
    let value = |path: &str, what| InterchangeError::Value { path: path.to_owned(), what };
    let key = "metadata.public_key";
    let bytes: [u8; 32] = parse_hex(&metadata.public_key).ok_or(value(key, NOT_HEX))?;
    Ok(Subject {
        chain_id: metadata
            .chain_id
            .parse()
            .map_err(|_| value("metadata.chain_id", "it must have 1 to 62 bytes"))?,
        finality_provider: btc_staking_protocol::keys::FinalityProviderPublicKey::from_slice(&bytes)
            .map_err(|_| value(key, "it is no x-only public key"))?,
    })
}

fn parse_watermarks(text: &TextWatermarks) -> Result<Option<Watermarks>, InterchangeError> {
    match (&text.low, &text.high) {
        (None, None) => Ok(None),
        (Some(low), Some(high)) => Ok(Some(Watermarks {
            low: parse_height("watermarks.low", low)?,
            high: parse_height("watermarks.high", high)?,
        })),
        (Some(_), None) | (None, Some(_)) => {
            Err(InterchangeError::Watermarks("low and high must both be heights or both be null"))
        }
    }
}

fn parse_signed(entries: &[TextSigned]) -> Result<BTreeMap<PosHeight, Signed>, InterchangeError> {
    let mut signed: BTreeMap<PosHeight, Signed> = BTreeMap::new();
    for (index, text) in entries.iter().enumerate() {
        let path = |key: &str| format!("signed[{index}].{key}");
        let height = parse_height(&path("height"), &text.height)?;
        let entry = parse_entry(text, path)?;
        if let Some(before) = signed.get(&height) {
            return Err(if *before == entry {
                InterchangeError::Duplicate { path: path("height"), height: height.to_u64() }
            } else {
                conflict(index, height, before, &entry)
            });
        }
        if signed.last_key_value().is_some_and(|(last, _)| *last > height) {
            return Err(InterchangeError::Order { path: path("height"), height: height.to_u64() });
        }
        signed.insert(height, entry);
    }
    Ok(signed)
}

fn parse_entry(text: &TextSigned, path: impl Fn(&str) -> String) -> Result<Signed, InterchangeError> {
    let hash = |key: &str, text: &str| {
        parse_hex(text).ok_or_else(|| InterchangeError::Value { path: path(key), what: NOT_HEX })
    };
    let answer = match &text.answer {
        None => None,
        Some(answer) => Some(Answer {
            app_hash: hash("answer.app_hash", &answer.app_hash)?,
            public_randomness: PublicRandomness::from_bytes(hash(
                "answer.public_randomness",
                &answer.public_randomness,
            )?),
        }),
    };
    Ok(Signed {
        message_hash: hash("message_hash", &text.message_hash)?,
        signature_hash: text
            .signature_hash
            .as_deref()
            .map(|text| hash("signature_hash", text))
            .transpose()?,
        answer,
    })
}

fn write_signed(height: PosHeight, entry: &Signed) -> TextSigned {
    TextSigned {
        height: height.to_u64().to_string(),
        message_hash: hex::encode(entry.message_hash),
        signature_hash: entry.signature_hash.map(hex::encode),
        answer: entry.answer.map(|answer| TextAnswer {
            app_hash: hex::encode(answer.app_hash),
            public_randomness: hex::encode(answer.public_randomness.to_bytes()),
        }),
    }
}

const NOT_HEX: &str = "it must be 64 lower-case hexadecimal digits";

/// One text for each value: lower case only.
fn parse_hex(text: &str) -> Option<[u8; 32]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// One text for each height: digits only, no leading zero.
fn parse_height(path: &str, text: &str) -> Result<PosHeight, InterchangeError> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_canonical).map(PosHeight::new).ok_or_else(|| InterchangeError::Value {
        path: path.to_owned(),
        what: "it must be a decimal height below 2^64 without leading zeros",
    })
}
