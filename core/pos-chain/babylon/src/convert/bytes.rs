//! Keys, signatures, hashes, transactions, accounts and amounts: the smallest conversions, each with a fixed form.
//!
//! Byte order (`wire.md` 1.2): hashes in `bytes` fields are internal, hashes in text are reversed, as explorers show
//! them. `bitcoin`'s hash types print reversed, which is the text form.

use super::{ACCOUNT_PREFIX, InvalidField, Problem, Result};
use bitcoin::{
    Amount, BlockHash, Transaction, TxOut, Txid,
    block::Header,
    consensus::{Decodable, Encodable, deserialize, deserialize_partial, serialize},
    hashes::Hash,
    secp256k1::schnorr,
};
use btc_staking_protocol::{
    delegation::AdaptorSignature,
    height::Timelock,
    keys::{AccountAddress, CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    tx::sanity::{TrailingBytes, parse_transaction},
};

/// Returns the sub-message of a field that must be there.
///
/// # Errors
/// [`Problem::Missing`].
pub fn required<'a, T>(field: &str, message: Option<&'a T>) -> Result<&'a T> {
    message.ok_or_else(|| InvalidField::new(field, Problem::Missing))
}

/// Returns the bytes as an array.
///
/// # Errors
/// [`Problem::Length`].
pub fn decode_array<const N: usize>(field: &str, bytes: &[u8]) -> Result<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| InvalidField::new(field, Problem::Length { found: bytes.len(), expected: N }))
}

/// Decodes hexadecimal text of any length.
///
/// # Errors
/// [`Problem::NotHex`].
pub fn decode_hex(field: &str, text: &str) -> Result<Vec<u8>> {
    hex::decode(text).map_err(|_| InvalidField::new(field, Problem::NotHex))
}

/// Decodes 32 bytes of a holder's key.
///
/// # Errors
/// [`Problem::Key`].
pub fn decode_staker_key(field: &str, bytes: &[u8]) -> Result<StakerPublicKey> {
    StakerPublicKey::from_slice(bytes).map_err(|error| InvalidField::new(field, error))
}

/// Decodes 32 bytes of a finality provider's key.
///
/// # Errors
/// [`Problem::Key`].
pub fn decode_provider_key(field: &str, bytes: &[u8]) -> Result<FinalityProviderPublicKey> {
    FinalityProviderPublicKey::from_slice(bytes).map_err(|error| InvalidField::new(field, error))
}

/// Decodes 64 hex characters of a finality provider's key.
///
/// # Errors
/// [`Problem::Key`].
pub fn decode_provider_key_text(field: &str, text: &str) -> Result<FinalityProviderPublicKey> {
    text.parse().map_err(|error: btc_staking_protocol::keys::InvalidKey| InvalidField::new(field, error))
}

/// Decodes 32 bytes of a committee member's key.
///
/// # Errors
/// [`Problem::Key`].
pub fn decode_covenant_key(field: &str, bytes: &[u8]) -> Result<CovenantPublicKey> {
    CovenantPublicKey::from_slice(bytes).map_err(|error| InvalidField::new(field, error))
}

/// Decodes a list of finality provider keys.
///
/// # Errors
/// [`Problem::Key`] with the index.
pub fn decode_provider_keys(field: &str, keys: &[Vec<u8>]) -> Result<Vec<FinalityProviderPublicKey>> {
    let decode = |(index, key): (usize, &Vec<u8>)| decode_provider_key(&format!("{field}[{index}]"), key);
    keys.iter().enumerate().map(decode).collect()
}

/// Decodes a 64-byte Schnorr signature.
///
/// # Errors
/// [`Problem::Length`] or [`Problem::Signature`].
pub fn decode_schnorr(field: &str, bytes: &[u8]) -> Result<schnorr::Signature> {
    let bytes: [u8; 64] = decode_array(field, bytes)?;
    schnorr::Signature::from_slice(&bytes)
        .map_err(|error| InvalidField::new(field, Problem::Signature(error.to_string())))
}

/// Decodes a Schnorr signature in hex.
///
/// # Errors
/// As [`decode_schnorr`], or [`Problem::NotHex`].
pub fn decode_schnorr_text(field: &str, text: &str) -> Result<schnorr::Signature> {
    decode_schnorr(field, &decode_hex(field, text)?)
}

/// Decodes adaptor signatures; the legacy form of 66 bytes is accepted as the chain does.
///
/// # Errors
/// [`Problem::Signature`] with the index.
pub fn decode_adaptors(field: &str, signatures: &[Vec<u8>]) -> Result<Vec<AdaptorSignature>> {
    let decode = |(index, bytes): (usize, &Vec<u8>)| {
        AdaptorSignature::from_slice(bytes).map_err(|error| {
            InvalidField::new(format!("{field}[{index}]"), Problem::Signature(error.to_string()))
        })
    };
    signatures.iter().enumerate().map(decode).collect()
}

/// Encodes adaptor signatures, 65 bytes each.
pub fn encode_adaptors(signatures: &[AdaptorSignature]) -> Vec<Vec<u8>> {
    signatures.iter().map(|signature| signature.to_bytes().to_vec()).collect()
}

/// Decodes 64 characters of a transaction id, reversed as everywhere in text.
///
/// # Errors
/// [`Problem::NotHex`] or [`Problem::Length`]. Shorter text, which the chain pads in places, is refused.
pub fn decode_txid_text(field: &str, text: &str) -> Result<Txid> {
    let mut bytes: [u8; 32] = decode_array(field, &decode_hex(field, text)?)?;
    bytes.reverse();
    Ok(Txid::from_byte_array(bytes))
}

/// Decodes 32 bytes of a block hash in internal order.
///
/// # Errors
/// [`Problem::Length`].
pub fn decode_block_hash(field: &str, bytes: &[u8]) -> Result<BlockHash> {
    decode_array(field, bytes).map(BlockHash::from_byte_array)
}

/// Decodes an 80-byte header.
///
/// # Errors
/// [`Problem::Length`] or [`Problem::Consensus`].
pub fn decode_header(field: &str, bytes: &[u8]) -> Result<Header> {
    let bytes: [u8; 80] = decode_array(field, bytes)?;
    decode_consensus(field, "block header", &bytes)
}

/// Decodes a transaction of a message, with or without witness, all bytes used. What the chain tells is read by
/// [`decode_told_tx_text`].
///
/// # Errors
/// [`Problem::Missing`] when empty, [`Problem::Consensus`], or [`Problem::NotCanonical`] when encoding it again would
/// give other bytes.
pub fn decode_tx(field: &str, bytes: &[u8]) -> Result<Transaction> {
    decode_consensus(field, "transaction", bytes)
}

/// Decodes a transaction in hex that the chain tells. Bytes behind it are ignored: the chain ignores them too and keeps
/// what it received (`bitcoin.md` 12.3), so refusing them would let a holder hide a stake from its watchers.
///
/// # Errors
/// [`Problem::NotHex`], [`Problem::Missing`] when empty, or [`Problem::Consensus`].
pub fn decode_told_tx_text(field: &str, text: &str) -> Result<Transaction> {
    let bytes = decode_hex(field, text)?;
    require_some(field, &bytes)?;
    parse_transaction(&bytes, TrailingBytes::Ignore)
        .map_err(|error| no_consensus(field, "transaction", &error))
}

/// Decodes a serialised output in hex that the chain tells; bytes behind it are ignored as with transactions.
///
/// # Errors
/// As [`decode_told_tx_text`].
pub fn decode_told_output_text(field: &str, text: &str) -> Result<TxOut> {
    let bytes = decode_hex(field, text)?;
    require_some(field, &bytes)?;
    let partial = deserialize_partial(&bytes);
    partial.map(|(output, _)| output).map_err(|error| no_consensus(field, "transaction output", &error))
}

fn require_some(field: &str, bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() { Err(InvalidField::new(field, Problem::Missing)) } else { Ok(()) }
}

fn no_consensus(field: &str, what: &'static str, error: &dyn std::fmt::Display) -> InvalidField {
    InvalidField::new(field, Problem::Consensus { what, reason: error.to_string() })
}

fn decode_consensus<T: Encodable + Decodable>(field: &str, what: &'static str, bytes: &[u8]) -> Result<T> {
    require_some(field, bytes)?;
    let value: T = deserialize(bytes).map_err(|error| no_consensus(field, what, &error))?;
    if serialize(&value) != bytes {
        return Err(InvalidField::new(field, Problem::NotCanonical));
    }
    Ok(value)
}

/// Encodes a header, a transaction or an output as hex.
pub fn encode_text(value: &impl Encodable) -> String {
    hex::encode(serialize(value))
}

/// Decodes an account of this network.
///
/// # Errors
/// [`Problem::Account`], also for an account of another network.
pub fn decode_account(field: &str, text: &str) -> Result<AccountAddress> {
    let account: std::result::Result<AccountAddress, _> = text.parse();
    account
        .and_then(|account| account.require_prefix(ACCOUNT_PREFIX))
        .map_err(|error| InvalidField::new(field, error))
}

/// Decodes a timelock in blocks.
///
/// # Errors
/// [`Problem::Timelock`].
pub fn decode_timelock(field: &str, blocks: u32) -> Result<Timelock> {
    Timelock::from_blocks(blocks).map_err(|error| InvalidField::new(field, error))
}

/// Decodes a signed number of satoshis.
///
/// # Errors
/// [`Problem::OutOfRange`] below zero and above all bitcoin.
pub fn decode_amount(field: &str, sat: i64) -> Result<Amount> {
    let invalid = || out_of_range(field, sat, Amount::MAX_MONEY.to_sat());
    decode_total(field, u64::try_from(sat).map_err(|_| invalid())?)
}

/// Decodes an unsigned number of satoshis.
///
/// # Errors
/// [`Problem::OutOfRange`] above all bitcoin.
pub fn decode_total(field: &str, sat: u64) -> Result<Amount> {
    let amount = Amount::from_sat(sat);
    if amount > Amount::MAX_MONEY {
        return Err(out_of_range(field, sat, Amount::MAX_MONEY.to_sat()));
    }
    Ok(amount)
}

/// Encodes an amount as the signed number of messages and params.
///
/// # Errors
/// [`Problem::OutOfRange`] above `i64::MAX`.
pub fn encode_amount(field: &str, amount: Amount) -> Result<i64> {
    i64::try_from(amount.to_sat()).map_err(|_| out_of_range(field, amount.to_sat(), i64::MAX))
}

/// Converts between integer types.
///
/// # Errors
/// [`Problem::OutOfRange`].
pub fn fit<T, U>(field: &str, number: T, most: U) -> Result<U>
where
    T: Copy + Into<i128>,
    U: TryFrom<T> + Into<i128>,
{
    U::try_from(number).map_err(|_| out_of_range(field, number, most))
}

fn out_of_range(field: &str, found: impl Into<i128>, most: impl Into<i128>) -> InvalidField {
    InvalidField::new(field, Problem::OutOfRange { found: found.into(), most: most.into() })
}
