//! Bitcoin headers as the light client answers them (`wire.md` 2.3).

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_array, decode_block_hash, decode_header, decode_hex, encode_text},
    decimal::decode_integer,
};
use crate::proto::btclightclient::{BTCHeaderInfo, BTCHeaderInfoResponse};
use bitcoin::{BlockHash, block::Header, consensus::serialize, hashes::Hash};
use btc_staking_pos_chain::LightClientHeader;
use btc_staking_protocol::height::BtcHeight;

/// Encodes a header with its cumulative work in decimal text.
pub fn encode_light_client_header(header: &LightClientHeader, work: &str) -> BTCHeaderInfoResponse {
    BTCHeaderInfoResponse {
        header_hex: encode_text(&header.header),
        hash_hex: header.hash.to_string(),
        height: header.height.to_u32(),
        work: work.to_owned(),
    }
}

/// Decodes a header and holds its hash to it. Its work is parsed and dropped.
///
/// # Errors
/// [`Problem::Reversed`] for the hash in internal order, [`Problem::Contradicts`] for another hash, or an
/// [`InvalidField`] for a field of the wrong form.
pub fn decode_light_client_header(info: &BTCHeaderInfoResponse) -> Result<LightClientHeader> {
    let header = decode_header("header_hex", &decode_hex("header_hex", &info.header_hex)?)?;
    let mut shown: [u8; 32] = decode_array("hash_hex", &decode_hex("hash_hex", &info.hash_hex)?)?;
    shown.reverse();
    check_hash("hash_hex", &header, BlockHash::from_byte_array(shown), "header_hex")?;
    check_work(&info.work)?;
    Ok(LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(info.height) })
}

/// Encodes a header as events and genesis files hold it, with its cumulative work in decimal text.
pub fn encode_header_info(header: &LightClientHeader, work: &str) -> BTCHeaderInfo {
    BTCHeaderInfo {
        header: serialize(&header.header),
        hash: header.hash.to_byte_array().to_vec(),
        height: header.height.to_u32(),
        work: work.as_bytes().to_vec(),
    }
}

/// Decodes a header as events and genesis files hold it. Its work is parsed and dropped.
///
/// # Errors
/// As [`decode_light_client_header`]; here [`Problem::Reversed`] is for the hash as explorers show it.
pub fn decode_header_info(info: &BTCHeaderInfo) -> Result<LightClientHeader> {
    let header = decode_header("header", &info.header)?;
    check_hash("hash", &header, decode_block_hash("hash", &info.hash)?, "header")?;
    check_work(std::str::from_utf8(&info.work).map_err(|_| InvalidField::new("work", Problem::NotText))?)?;
    Ok(LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(info.height) })
}

fn check_hash(field: &str, header: &Header, told: BlockHash, of: &'static str) -> Result<()> {
    let hash = header.block_hash();
    if told == hash {
        return Ok(());
    }
    let mut reversed = told.to_byte_array();
    reversed.reverse();
    let problem = if reversed == hash.to_byte_array() { Problem::Reversed } else { Problem::Contradicts(of) };
    Err(InvalidField::new(field, problem))
}

/// Work of Bitcoin mainnet has about 97 bits; 128 are enough for centuries.
fn check_work(text: &str) -> Result<()> {
    decode_integer("work", text).map(|_| ())
}
