//! Public keys tagged with the role they play, and the account that pays on the proof-of-stake chain.
//!
//! Every key is x-only and stands for its even-Y point (`crypto.md` 1). A staker's key cannot be passed where a
//! finality provider's is wanted; the compiler refuses.

pub use crate::secret::{CovenantSecret, InvalidSecret, StakerSecret};
use bitcoin::XOnlyPublicKey;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Bytes or text that are no x-only public key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidKey {
    /// Wrong number of bytes.
    #[error("public key has {0} bytes, an x-only key has 32")]
    Length(usize),
    /// The text is not hexadecimal.
    #[error("public key is not hexadecimal")]
    NotHex,
    /// No point of the curve has this x-coordinate.
    #[error("public key {0} is not the x-coordinate of a point on secp256k1")]
    NotOnCurve(String),
}

macro_rules! role_key {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// Serialized as 32 bytes big-endian; displayed and serialized for people as 64 lower-case hex digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(XOnlyPublicKey);

        impl $name {
            /// Tags a key with its role.
            pub const fn new(key: XOnlyPublicKey) -> Self {
                Self(key)
            }
            /// Parses 32 bytes.
            ///
            /// # Errors
            /// [`InvalidKey`] on a wrong length or a value that is not on the curve.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidKey> {
                parse_x_only(bytes).map(Self)
            }
            /// The key without its role.
            pub const fn x_only(&self) -> &XOnlyPublicKey {
                &self.0
            }
            /// The 32 bytes.
            pub fn to_bytes(self) -> [u8; 32] {
                self.0.serialize()
            }
        }

        impl FromStr for $name {
            type Err = InvalidKey;
            fn from_str(text: &str) -> Result<Self, InvalidKey> {
                let bytes = hex::decode(text).map_err(|_| InvalidKey::NotHex)?;
                Self::from_slice(&bytes)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidKey;
            fn try_from(text: String) -> Result<Self, InvalidKey> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(key: $name) -> String {
                key.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

role_key!(StakerPublicKey, "The key of the holder whose coins are locked.");
role_key!(FinalityProviderPublicKey, "The EOTS key by which a finality provider is known everywhere.");
role_key!(CovenantPublicKey, "The key of one member of the covenant committee.");

fn parse_x_only(bytes: &[u8]) -> Result<XOnlyPublicKey, InvalidKey> {
    if bytes.len() != 32 {
        return Err(InvalidKey::Length(bytes.len()));
    }
    XOnlyPublicKey::from_slice(bytes).map_err(|_| InvalidKey::NotOnCurve(hex::encode(bytes)))
}

/// An account of the proof-of-stake chain: its raw bytes and its bech32 form.
///
/// Both forms are signed by proofs of possession, one by the BIP-340 kind (raw bytes), one by the others (text),
/// so both are kept (`crypto.md` 4.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountAddress {
    bytes: Vec<u8>,
    bech32: String,
}

/// Text or bytes that are no account address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidAddress {
    /// Not bech32, or a wrong checksum.
    #[error("account address {0:?} is not valid bech32")]
    NotBech32(String),
    /// Accounts have 20 bytes, contracts 32.
    #[error("account address has {0} bytes, it must have 20 (or 32 for a contract)")]
    Length(usize),
    /// The prefix belongs to another network.
    #[error("account address has prefix {found:?}, this network uses {expected:?}")]
    Prefix {
        /// Prefix of the address.
        found: String,
        /// Prefix of the network.
        expected: String,
    },
    /// The human-readable part itself is malformed.
    #[error("account prefix {0:?} is not valid")]
    InvalidPrefix(String),
}

impl AccountAddress {
    /// Builds the address of `bytes` under the network's prefix (`bbn` on Babylon Genesis).
    ///
    /// # Errors
    /// [`InvalidAddress`] when the prefix or the length is wrong.
    pub fn from_bytes(prefix: &str, bytes: &[u8]) -> Result<Self, InvalidAddress> {
        use bitcoin::bech32::{self, Bech32, Hrp};
        if bytes.len() != 20 && bytes.len() != 32 {
            return Err(InvalidAddress::Length(bytes.len()));
        }
        let hrp = Hrp::parse(prefix).map_err(|_| InvalidAddress::InvalidPrefix(prefix.to_owned()))?;
        let bech32 = bech32::encode::<Bech32>(hrp, bytes)
            .map_err(|_| InvalidAddress::InvalidPrefix(prefix.to_owned()))?;
        Ok(Self { bytes: bytes.to_vec(), bech32 })
    }

    /// Refuses an address of another network.
    ///
    /// # Errors
    /// [`InvalidAddress::Prefix`] with both prefixes.
    pub fn require_prefix(self, expected: &str) -> Result<Self, InvalidAddress> {
        if self.prefix() == expected {
            return Ok(self);
        }
        Err(InvalidAddress::Prefix { found: self.prefix().to_owned(), expected: expected.to_owned() })
    }

    /// The raw account bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The bech32 text, lower case.
    pub fn bech32(&self) -> &str {
        &self.bech32
    }
    /// The human-readable part.
    pub fn prefix(&self) -> &str {
        self.bech32.rsplit_once('1').map_or("", |(prefix, _)| prefix)
    }
}

impl FromStr for AccountAddress {
    type Err = InvalidAddress;
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        use bitcoin::bech32::{self, Bech32, primitives::decode::CheckedHrpstring};
        let checked =
            CheckedHrpstring::new::<Bech32>(text).map_err(|_| InvalidAddress::NotBech32(text.to_owned()))?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        // Decoding accepts non-zero padding; encoding again does not reproduce it.
        let again = bech32::encode_lower::<Bech32>(checked.hrp(), &bytes)
            .map_err(|_| InvalidAddress::NotBech32(text.to_owned()))?;
        if !again.eq_ignore_ascii_case(text) {
            return Err(InvalidAddress::NotBech32(text.to_owned()));
        }
        if bytes.len() != 20 && bytes.len() != 32 {
            return Err(InvalidAddress::Length(bytes.len()));
        }
        Ok(Self { bytes, bech32: again })
    }
}
impl TryFrom<String> for AccountAddress {
    type Error = InvalidAddress;
    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}
impl From<AccountAddress> for String {
    fn from(address: AccountAddress) -> String {
        address.bech32
    }
}
impl fmt::Display for AccountAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bech32)
    }
}
impl fmt::Debug for AccountAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountAddress({})", self.bech32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_round_trips_through_bech32() {
        let bytes: Vec<u8> = (1..=20).collect();
        let address = AccountAddress::from_bytes("bbn", &bytes).unwrap();
        assert_eq!(address.bech32(), "bbn1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5gua0e9"); // crypto.md 4.7
        assert_eq!("bbn1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5gua0e9".parse(), Ok(address));
    }

    #[test]
    fn a_foreign_prefix_a_wrong_length_and_a_broken_checksum_are_refused() {
        let address = AccountAddress::from_bytes("cosmos", &[7; 20]).unwrap();
        assert!(matches!(address.require_prefix("bbn"), Err(InvalidAddress::Prefix { .. })));
        assert_eq!(AccountAddress::from_bytes("bbn", &[7; 19]), Err(InvalidAddress::Length(19)));
        assert!(matches!(
            "bbn1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5gua0e8".parse::<AccountAddress>(),
            Err(InvalidAddress::NotBech32(_))
        ));
    }

    #[test]
    fn keys_are_refused_with_a_reason() {
        assert_eq!(StakerPublicKey::from_slice(&[1; 31]), Err(InvalidKey::Length(31)));
        assert!(matches!(StakerPublicKey::from_slice(&[0xff; 32]), Err(InvalidKey::NotOnCurve(_))));
        assert_eq!("zz".parse::<CovenantPublicKey>(), Err(InvalidKey::NotHex));
    }
}
