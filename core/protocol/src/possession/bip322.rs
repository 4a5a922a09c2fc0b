//! BIP-322 "simple" proofs for the two address kinds the chain accepts (`crypto.md` 4.3): P2WPKH and key-spend P2TR.
//!
//! The message is committed to by `to_spend`, a transaction that cannot exist; the proof is the witness of `to_sign`, which
//! spends it. The chain runs the address script on that witness under Bitcoin's standard rules. For these two scripts that
//! comes down to one signature, checked here with the same rules and without an interpreter: strict DER, low s,
//! compressed key, the key of the witness program. A test compares with Bitcoin Core's interpreter.

use super::is_high_s;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, VarInt, Witness, WitnessProgram,
    WitnessVersion, XOnlyPublicKey,
    absolute::LockTime,
    bech32::segwit,
    consensus::{Decodable, encode},
    hashes::{Hash, HashEngine, hash160, sha256},
    key::TapTweak,
    opcodes::all::OP_RETURN,
    script::{Builder, PushBytesBuf},
    secp256k1::{Message, PublicKey, SECP256K1, ecdsa, schnorr},
    sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType},
    transaction::Version,
};
use thiserror::Error;

/// Most witness items and most bytes of one, as the reference decodes them.
const MAX_WITNESS: u64 = 4_000_000;
/// Witness items that any supported form has; further ones are counted, not kept.
const KEPT_ITEMS: usize = 2;

/// Why a BIP-322 proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Bip322Error {
    /// Address or witness is empty.
    #[error("address or witness is empty")]
    Empty,
    /// The witness does not decode.
    #[error("witness is malformed")]
    Witness(#[from] WitnessError),
    /// The address does not decode, or is of no Bitcoin network.
    #[error("address {0:?} is no segwit address with prefix bc, tb, bcrt or sb")]
    Address(String),
    /// Neither a P2WPKH nor a key-spend P2TR proof.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedForm),
    /// The signature does not sign the whole transaction, or has a wrong length.
    #[error(
        "signature of {length} bytes with last byte {last:#04x} does not sign ALL (or DEFAULT in taproot)"
    )]
    Sighash {
        /// Bytes of the witness item.
        length: usize,
        /// Its last byte, 0 when empty.
        last: u8,
    },
    /// The witness holds another key than the address commits to.
    #[error("public key in the witness is not the key of the address")]
    ForeignKey,
    /// The key is not 33 bytes of a point on the curve.
    #[error("public key in the witness is not a compressed public key")]
    KeyEncoding,
    /// The signature is not strict DER, or its numbers are out of range.
    #[error("signature is not strictly DER encoded")]
    SignatureEncoding,
    /// `s` is in the upper half of the group order.
    #[error("signature has a high s, it must be in the lower half of the group order")]
    HighS,
    /// The signature is not by the address's key over this message.
    #[error("signature is not by the key of the address over this account")]
    Signature,
    /// The address belongs to another key.
    #[error("address is not of key {0}")]
    WrongKey(XOnlyPublicKey),
}

/// A combination of address and witness that is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a witness of {items} items for a version {version} program of {program} bytes is not supported, only P2WPKH with 2 \
     items and key-spend P2TR with 1"
)]
pub struct UnsupportedForm {
    /// Witness items.
    pub items: u64,
    /// Witness version of the address.
    pub version: u8,
    /// Bytes of the witness program.
    pub program: usize,
}

/// Why bytes are no witness stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WitnessError {
    /// The bytes end in the middle.
    #[error("it ends in the middle of an item")]
    Truncated,
    /// A length is encoded in more bytes than needed.
    #[error("a length is not minimally encoded")]
    NonMinimal,
    /// A count or length is beyond what the reference decodes.
    #[error("a count or length of {0} is above {MAX_WITNESS}")]
    TooLarge(u64),
}

/// Verifies that `key` signed `message` by the address.
pub(super) fn verify(
    address: &str,
    witness: &[u8],
    message: &[u8],
    key: &XOnlyPublicKey,
) -> Result<(), Bip322Error> {
    if address.is_empty() || witness.is_empty() {
        return Err(Bip322Error::Empty);
    }
    let stack = Stack::decode(witness)?;
    let program = decode_address(address)?;
    match (program.version(), program.program().as_bytes(), stack.count, stack.items.as_slice()) {
        (WitnessVersion::V1, output_key, 1, [signature]) if output_key.len() == 32 => {
            verify_p2tr(signature, output_key, message, key)
        }
        (WitnessVersion::V0, key_hash, 2, [signature, public_key]) if key_hash.len() == 20 => {
            verify_p2wpkh(signature, public_key, key_hash, message, key)
        }
        (version, bytes, items, _) => {
            Err(UnsupportedForm { items, version: version.to_num(), program: bytes.len() }.into())
        }
    }
}

fn verify_p2tr(
    signature: &[u8],
    output_key: &[u8],
    message: &[u8],
    key: &XOnlyPublicKey,
) -> Result<(), Bip322Error> {
    let sighash_type = match signature {
        [_, ..] if signature.len() == 64 => TapSighashType::Default,
        [_, .., 0x01] if signature.len() == 65 => TapSighashType::All,
        other => return Err(wrong_sighash(other)),
    };
    let output_key = XOnlyPublicKey::from_slice(output_key).map_err(|_| Bip322Error::Signature)?;
    let rs = schnorr::Signature::from_slice(&signature[..64]).map_err(|_| Bip322Error::Signature)?;
    let digest = taproot_digest(&output_key, message, sighash_type);
    SECP256K1
        .verify_schnorr(&rs, &Message::from_digest(digest), &output_key)
        .map_err(|_| Bip322Error::Signature)?;
    let (of_key, _parity) = key.tap_tweak(SECP256K1, None);
    if of_key.to_x_only_public_key() != output_key {
        return Err(Bip322Error::WrongKey(*key));
    }
    Ok(())
}

fn verify_p2wpkh(
    signature: &[u8],
    public_key: &[u8],
    key_hash: &[u8],
    message: &[u8],
    key: &XOnlyPublicKey,
) -> Result<(), Bip322Error> {
    let der = match signature {
        [der @ .., 0x01] if signature.len() >= 9 => der,
        other => return Err(wrong_sighash(other)),
    };
    if hash160::Hash::hash(public_key).as_byte_array() != key_hash {
        return Err(Bip322Error::ForeignKey);
    }
    if public_key.len() != 33 {
        return Err(Bip322Error::KeyEncoding);
    }
    let public_key = PublicKey::from_slice(public_key).map_err(|_| Bip322Error::KeyEncoding)?;
    let parsed = strict_der(der)?;
    if is_high_s(&parsed) {
        return Err(Bip322Error::HighS);
    }
    let digest = segwit_digest(&public_key, message);
    SECP256K1
        .verify_ecdsa(&Message::from_digest(digest), &parsed, &public_key)
        .map_err(|_| Bip322Error::Signature)?;
    if public_key.x_only_public_key().0 != *key {
        return Err(Bip322Error::WrongKey(*key));
    }
    Ok(())
}

fn wrong_sighash(signature: &[u8]) -> Bip322Error {
    Bip322Error::Sighash { length: signature.len(), last: signature.last().copied().unwrap_or(0) }
}

/// Parses a DER signature. What does not encode back to the same bytes was not strict, or out of range.
fn strict_der(der: &[u8]) -> Result<ecdsa::Signature, Bip322Error> {
    let signature = ecdsa::Signature::from_der(der).map_err(|_| Bip322Error::SignatureEncoding)?;
    if &*signature.serialize_der() != der {
        return Err(Bip322Error::SignatureEncoding);
    }
    Ok(signature)
}

/// Decodes a segwit address of any Bitcoin network, in either case.
fn decode_address(address: &str) -> Result<WitnessProgram, Bip322Error> {
    let invalid = || Bip322Error::Address(address.to_owned());
    let (hrp, version, program) = segwit::decode(address).map_err(|_| invalid())?;
    if !["bc", "tb", "bcrt", "sb"].contains(&hrp.to_lowercase().as_str()) {
        return Err(invalid());
    }
    let version = WitnessVersion::try_from(version).map_err(|_| invalid())?;
    WitnessProgram::new(version, &program).map_err(|_| invalid())
}

/// A decoded witness stack: the first items and how many there are.
struct Stack<'a> {
    count: u64,
    items: Vec<&'a [u8]>,
}

impl<'a> Stack<'a> {
    /// Decodes every item; bytes after the last one are ignored, as the reference does.
    fn decode(mut bytes: &'a [u8]) -> Result<Self, WitnessError> {
        let count = take_size(&mut bytes)?;
        let mut items = Vec::with_capacity(KEPT_ITEMS);
        for _ in 0..count {
            let length = usize::try_from(take_size(&mut bytes)?).map_err(|_| WitnessError::Truncated)?;
            let (item, rest) = bytes.split_at_checked(length).ok_or(WitnessError::Truncated)?;
            bytes = rest;
            if items.len() < KEPT_ITEMS {
                items.push(item);
            }
        }
        Ok(Self { count, items })
    }
}

fn take_size(bytes: &mut &[u8]) -> Result<u64, WitnessError> {
    match VarInt::consensus_decode(bytes) {
        Ok(VarInt(size)) if size <= MAX_WITNESS => Ok(size),
        Ok(VarInt(size)) => Err(WitnessError::TooLarge(size)),
        Err(encode::Error::NonMinimalVarInt) => Err(WitnessError::NonMinimal),
        Err(_) => Err(WitnessError::Truncated),
    }
}

/// What a P2WPKH key signs: BIP-143 over `to_sign`.
pub(super) fn segwit_digest(key: &PublicKey, message: &[u8]) -> [u8; 32] {
    let script = ScriptBuf::new_p2wpkh(&bitcoin::CompressedPublicKey(*key).wpubkey_hash());
    let to_sign = to_sign(&to_spend(message, script.clone()), Witness::new());
    SighashCache::new(&to_sign)
        .p2wpkh_signature_hash(0, &script, Amount::ZERO, EcdsaSighashType::All)
        .expect("input 0 exists and the script is P2WPKH")
        .to_byte_array()
}

/// What a taproot output key signs: BIP-341, key path, over `to_sign`.
pub(super) fn taproot_digest(
    output_key: &XOnlyPublicKey,
    message: &[u8],
    sighash_type: TapSighashType,
) -> [u8; 32] {
    let script = ScriptBuf::new_p2tr_tweaked(output_key.dangerous_assume_tweaked());
    let to_spend = to_spend(message, script);
    let to_sign = to_sign(&to_spend, Witness::new());
    SighashCache::new(&to_sign)
        .taproot_key_spend_signature_hash(0, &Prevouts::All(&to_spend.output), sighash_type)
        .expect("input 0 exists and its prevout is given")
        .to_byte_array()
}

/// The transaction that commits to the message.
pub(super) fn to_spend(message: &[u8], script_pubkey: ScriptBuf) -> Transaction {
    let commitment = PushBytesBuf::from(tagged_message_hash(message));
    Transaction {
        version: Version(0),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: Txid::all_zeros(), vout: u32::MAX },
            script_sig: Builder::new().push_int(0).push_slice(commitment).into_script(),
            sequence: Sequence::ZERO,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey }],
    }
}

/// The transaction whose witness is the proof.
pub(super) fn to_sign(to_spend: &Transaction, witness: Witness) -> Transaction {
    Transaction {
        version: Version(0),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: to_spend.compute_txid(), vout: 0 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ZERO,
            witness,
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: Builder::new().push_opcode(OP_RETURN).into_script(),
        }],
    }
}

pub(super) fn tagged_message_hash(message: &[u8]) -> [u8; 32] {
    let tag = sha256::Hash::hash(b"BIP0322-signed-message");
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine.input(message);
    sha256::Hash::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests;
