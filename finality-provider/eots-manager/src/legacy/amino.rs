//! Keyring entries as releases before 0.46 of the SDK wrote them, in amino.
//!
//! ```text
//! length ‖ 0dad153d ‖ 1 name, 2 public key, 3 secret key, 4 "secp256k1"        the number of bytes that follow, as varint
//! public key   eb5ae987 21 ‖ 33 bytes
//! secret key   e1b0f79b 20 ‖ 32 bytes
//! ```
//!
//! Each name stands for the first bytes of its hash: `0dad153d` for `crypto/keys/localInfo`, the others for
//! `tendermint/PubKeySecp256k1` and `tendermint/PrivKeySecp256k1`. Entries of other kinds hold no secret.

use super::{
    fields::{FieldError, Fields, varint},
    keyring::SealedKeyError,
};
use crate::keys::EotsKey;
use btc_staking_protocol::keys::FinalityProviderPublicKey;

const LOCAL_INFO: [u8; 4] = [0x0d, 0xad, 0x15, 0x3d];
const PUBLIC_KEY: [u8; 5] = [0xeb, 0x5a, 0xe9, 0x87, 33];
const SECRET_KEY: [u8; 5] = [0xe1, 0xb0, 0xf7, 0x9b, 32];

/// Whether an entry is in amino: it begins with its own length, which no record of a later release does.
pub fn is_info(data: &[u8]) -> bool {
    content(data).is_some()
}

/// Decodes an entry, which must be of a local secp256k1 key.
///
/// # Errors
/// [`SealedKeyError`].
pub fn decode_info(data: &[u8]) -> Result<EotsKey, SealedKeyError> {
    let content = content(data).ok_or(FieldError::Malformed)?;
    let info = content.strip_prefix(&LOCAL_INFO).ok_or(SealedKeyError::NotALocalKey(
        "no secret: a ledger, multisig or offline key of a release before 0.46 of the SDK",
    ))?;
    let info = Fields::parse(info)?;
    if info.bytes(4)? != b"secp256k1" {
        return Err(SealedKeyError::NotALocalKey("a key that is not of the curve secp256k1"));
    }
    let secret = info.bytes(3)?.strip_prefix(&SECRET_KEY).and_then(|secret| secret.try_into().ok());
    let secret = secret.ok_or(SealedKeyError::NotALocalKey("a secret that has not 32 bytes"))?;
    let public = info.bytes(2)?.strip_prefix(&PUBLIC_KEY).and_then(<[u8]>::split_first);
    let expected = public.and_then(|(_, x)| FinalityProviderPublicKey::from_slice(x).ok());
    let expected = expected.ok_or(SealedKeyError::NotALocalKey("a public key that is none"))?;
    Ok(EotsKey::from_secret_bytes(secret)?.require(&expected)?)
}

fn content(mut data: &[u8]) -> Option<&[u8]> {
    let length = varint(&mut data).ok()?;
    (u64::try_from(data.len()) == Ok(length) && data.len() > LOCAL_INFO.len()).then_some(data)
}
