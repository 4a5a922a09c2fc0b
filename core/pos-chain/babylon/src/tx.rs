//! Transactions of the chain: fees, signing, simulation (`wire.md` 2.5, 4.1, 4.2).

use crate::{
    convert::ACCOUNT_PREFIX,
    proto::{
        Any, AuthInfo, Coin, Fee, ModeInfo, PubKey, SignDoc, SignerInfo, SimulateRequest, TxBody, TxRaw,
        mode_info::{Single, Sum},
    },
};
use btc_staking_protocol::{
    height::PosHeight,
    keys::{AccountAddress, InvalidAddress},
    rate::Decimal,
};
use cosmrs::crypto::secp256k1::SigningKey;
use prost::{Message, Name};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Base denomination of fees and balances.
pub const DENOM: &str = "ubbn";
/// `SIGN_MODE_DIRECT`
const SIGN_MODE_DIRECT: i32 = 1;

/// The key an account signs its transactions with. No `Debug`, no `Clone`; wiped on drop.
///
/// It is not a Bitcoin key of any role: those are bound to the account by proofs of possession.
pub struct AccountKey {
    signer: SigningKey,
    public: Vec<u8>,
    account: AccountAddress,
}

/// Why bytes are no account key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidAccountKey {
    /// Zero or above the order of the curve.
    #[error("account key is no secp256k1 secret key")]
    OutOfRange,
    /// The address could not be formed.
    #[error("account key has no address")]
    Address(#[source] InvalidAddress),
}

impl AccountKey {
    /// Takes the secret key, 32 bytes big-endian, as derived from a mnemonic under coin type 118.
    ///
    /// # Errors
    /// [`InvalidAccountKey::OutOfRange`] for zero and for numbers above the order of the curve.
    pub fn from_secret(secret: &[u8; 32]) -> Result<Self, InvalidAccountKey> {
        let signer = SigningKey::from_slice(secret).map_err(|_| InvalidAccountKey::OutOfRange)?;
        let public = signer.public_key().to_bytes();
        let id = signer.public_key().account_id(ACCOUNT_PREFIX).map_err(|_| InvalidAccountKey::OutOfRange)?;
        let account =
            AccountAddress::from_bytes(ACCOUNT_PREFIX, &id.to_bytes()).map_err(InvalidAccountKey::Address)?;
        Ok(Self { signer, public, account })
    }

    /// The account: RIPEMD-160 of SHA-256 of the public key.
    pub const fn account(&self) -> &AccountAddress {
        &self.account
    }
    /// The compressed public key, 33 bytes.
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, document: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let signature = self.signer.sign(document).map_err(|error| CannotSign(error.to_string()))?;
        Ok(signature.to_bytes().to_vec())
    }
}

/// The key did not sign.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("transaction could not be signed: {0}")]
pub struct CannotSign(String);

/// Price of a unit of gas in the base denomination, at least [`GasPrice::FLOOR`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GasPrice(Decimal);

/// A gas price below what blocks accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("gas price {0} is below the floor of {floor}", floor = GasPrice::FLOOR)]
pub struct GasPriceTooLow(pub Decimal);

impl GasPrice {
    /// 0.002, enforced by the chain in every block.
    pub const FLOOR: Decimal = Decimal::from_scaled(2_000_000_000_000_000);

    /// Takes a price.
    ///
    /// # Errors
    /// [`GasPriceTooLow`] below the floor.
    pub fn new(price: Decimal) -> Result<Self, GasPriceTooLow> {
        if price < Self::FLOOR { Err(GasPriceTooLow(price)) } else { Ok(Self(price)) }
    }

    /// Returns the fee of `gas`: rounded up, and never below what blocks accept. Saturates far above every balance.
    pub fn fee(self, gas: u64) -> u128 {
        let (one, units) = (Decimal::ONE.scaled(), u128::from(gas));
        let (whole, fraction) = (self.0.scaled() / one, self.0.scaled() % one);
        // A fraction has less than 60 bits, so its product with 64 bits fits.
        let fee = units.saturating_mul(whole).saturating_add((units * fraction).div_ceil(one));
        fee.max(Self::lowest_fee(gas))
    }

    /// Returns the lowest fee a block accepts for `gas`: the floor's, rounded half to even (`chain.md` 12).
    pub const fn lowest_fee(gas: u64) -> u128 {
        // 0.002 is one in 500. Widening is lossless.
        let (whole, rest) = ((gas / 500) as u128, gas % 500);
        let up = rest > 250 || (rest == 250 && whole % 2 == 1);
        if up { whole + 1 } else { whole }
    }
}

impl Default for GasPrice {
    /// 0.01, what the reference client pays.
    fn default() -> Self {
        Self(Decimal::from_scaled(10_000_000_000_000_000))
    }
}

/// An account's number and the sequence of its next transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountState {
    /// Number, given by the chain once.
    pub number: u64,
    /// Sequence of the next transaction.
    pub sequence: u64,
}

/// Gas a transaction may use and what is paid for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GasAndFee {
    /// Limit; must be above zero.
    pub limit: u64,
    /// Fee in the base denomination.
    pub fee: u128,
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTx {
    /// What is broadcast.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub hash: [u8; 32],
}

impl SignedTx {
    /// The hash as nodes show it: upper-case hex.
    pub fn hash_text(&self) -> String {
        hex::encode_upper(self.hash)
    }
}

/// Builds and signs a transaction of `messages` in `SIGN_MODE_DIRECT`, valid until its sequence is used.
///
/// # Errors
/// [`CannotSign`], which does not happen with a valid key.
pub fn sign_tx(
    key: &AccountKey,
    chain_id: &str,
    state: AccountState,
    messages: Vec<Any>,
    gas: GasAndFee,
) -> Result<SignedTx, CannotSign> {
    sign_body(key, chain_id, state, TxBody { messages, ..TxBody::default() }, gas)
}

/// Like [`sign_tx`], but no block above `last_height` takes it.
///
/// # Errors
/// As [`sign_tx`].
pub fn sign_tx_until(
    key: &AccountKey,
    chain_id: &str,
    state: AccountState,
    messages: Vec<Any>,
    gas: GasAndFee,
    last_height: PosHeight,
) -> Result<SignedTx, CannotSign> {
    let body = TxBody { messages, timeout_height: last_height.to_u64(), ..TxBody::default() };
    sign_body(key, chain_id, state, body, gas)
}

fn sign_body(
    key: &AccountKey,
    chain_id: &str,
    state: AccountState,
    body: TxBody,
    gas: GasAndFee,
) -> Result<SignedTx, CannotSign> {
    let body_bytes = body.encode_to_vec();
    let auth_info_bytes = auth_info(key, state.sequence, gas).encode_to_vec();
    let document = SignDoc {
        body_bytes: body_bytes.clone(),
        auth_info_bytes: auth_info_bytes.clone(),
        chain_id: chain_id.to_owned(),
        account_number: state.number,
    };
    let signature = key.sign(&document.encode_to_vec())?;
    let bytes = TxRaw { body_bytes, auth_info_bytes, signatures: vec![signature] }.encode_to_vec();
    Ok(SignedTx { hash: Sha256::digest(&bytes).into(), bytes })
}

/// Builds the request that simulates `messages`: the same transaction with one empty signature and the smallest fee.
///
/// Without any fee the node would not meter deducting and refunding it, which for small messages is more than a usual
/// factor covers; the transaction would then run out of gas in its block.
pub fn build_simulation(key: &AccountKey, state: AccountState, messages: Vec<Any>) -> SimulateRequest {
    let gas = GasAndFee { limit: 0, fee: 1 };
    let tx = TxRaw {
        body_bytes: TxBody { messages, ..TxBody::default() }.encode_to_vec(),
        auth_info_bytes: auth_info(key, state.sequence, gas).encode_to_vec(),
        signatures: vec![Vec::new()],
    };
    SimulateRequest { tx_bytes: tx.encode_to_vec(), ..SimulateRequest::default() }
}

/// What a signed transaction holds, read back from its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadTx {
    /// Its messages.
    pub messages: Vec<Any>,
    /// Compressed public key of its one signer, 33 bytes.
    pub public_key: Vec<u8>,
    /// The sequence it uses.
    pub sequence: u64,
}

/// Reads a transaction that [`sign_tx`] made. The signature is not verified.
///
/// # Errors
/// What is wrong with the bytes.
pub fn read_tx(bytes: &[u8]) -> Result<ReadTx, &'static str> {
    let raw = TxRaw::decode(bytes).map_err(|_| "bytes are no transaction")?;
    match raw.signatures.as_slice() {
        [signature] if signature.len() == 64 => {}
        _ => return Err("transaction has not one signature of 64 bytes"),
    }
    let body = TxBody::decode(raw.body_bytes.as_slice()).map_err(|_| "transaction has no body")?;
    let auth = AuthInfo::decode(raw.auth_info_bytes.as_slice()).map_err(|_| "transaction has no signers")?;
    let [signer] = auth.signer_infos.as_slice() else { return Err("transaction has not one signer") };
    let key = signer.public_key.as_ref().ok_or("signer has no key")?;
    let key = PubKey::decode(key.value.as_slice()).map_err(|_| "signer's key does not decode")?;
    Ok(ReadTx { messages: body.messages, public_key: key.key, sequence: signer.sequence })
}

fn auth_info(key: &AccountKey, sequence: u64, gas: GasAndFee) -> AuthInfo {
    let public = PubKey { key: key.public.clone() };
    let signer = SignerInfo {
        public_key: Some(Any { type_url: PubKey::type_url(), value: public.encode_to_vec() }),
        mode_info: Some(ModeInfo { sum: Some(Sum::Single(Single { mode: SIGN_MODE_DIRECT })) }),
        sequence,
    };
    let coin = (gas.fee > 0).then(|| Coin { denom: DENOM.to_owned(), amount: gas.fee.to_string() });
    let fee = Fee { amount: coin.into_iter().collect(), gas_limit: gas.limit, ..Fee::default() };
    AuthInfo { signer_infos: vec![signer], fee: Some(fee), ..AuthInfo::default() }
}

#[cfg(test)]
mod tests;
