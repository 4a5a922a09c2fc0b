//! Bitcoin headers as the light client answers them (`wire.md` 2.3).

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_array, decode_header, decode_hex, encode_text},
    decimal::decode_integer,
};
use crate::proto::btclightclient::BTCHeaderInfoResponse;
use bitcoin::{block::Header, hashes::Hash};
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
    check_hash(&header, &info.hash_hex)?;
    check_work(&info.work)?;
    Ok(LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(info.height) })
}

fn check_hash(header: &Header, text: &str) -> Result<()> {
    let mut hash: [u8; 32] = decode_array("hash_hex", &decode_hex("hash_hex", text)?)?;
    let internal = header.block_hash().to_byte_array();
    if hash == internal {
        return Err(InvalidField::new("hash_hex", Problem::Reversed));
    }
    hash.reverse();
    if hash != internal {
        return Err(InvalidField::new("hash_hex", Problem::Contradicts("header_hex")));
    }
    Ok(())
}

/// Work of Bitcoin mainnet has about 97 bits; 128 are enough for centuries.
fn check_work(text: &str) -> Result<()> {
    decode_integer("work", text).map(|_| ())
}
