//! `randomness.lead`: a number of blocks, or `"auto"`.

use crate::machine::planner::Lead;
use serde::{Deserializer, Serializer, de};
use std::fmt;

const AUTO: &str = "auto";

pub(super) fn serialize<S: Serializer>(lead: &Lead, serializer: S) -> Result<S::Ok, S::Error> {
    match lead {
        Lead::Auto => serializer.serialize_str(AUTO),
        Lead::Blocks(blocks) => serializer.serialize_u64(*blocks),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lead, D::Error> {
    struct BlocksOrAuto;
    impl de::Visitor<'_> for BlocksOrAuto {
        type Value = Lead;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of blocks, or \"auto\"")
        }
        fn visit_u64<E: de::Error>(self, blocks: u64) -> Result<Lead, E> {
            Ok(Lead::Blocks(blocks))
        }
        fn visit_i64<E: de::Error>(self, blocks: i64) -> Result<Lead, E> {
            let wrong = |_| de::Error::invalid_value(de::Unexpected::Signed(blocks), &self);
            u64::try_from(blocks).map(Lead::Blocks).map_err(wrong)
        }
        // Values of the environment are texts.
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Lead, E> {
            if text == AUTO {
                return Ok(Lead::Auto);
            }
            let wrong = |_| de::Error::invalid_value(de::Unexpected::Str(text), &self);
            text.parse().map(Lead::Blocks).map_err(wrong)
        }
    }
    deserializer.deserialize_any(BlocksOrAuto)
}
