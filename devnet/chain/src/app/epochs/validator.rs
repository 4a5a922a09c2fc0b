//! The one validator that the queries know.
//!
//! Its BLS key is public knowledge: the secret is 1, so the public key is the generator of the group. Who proposes blocks
//! (one process, or the validators of a CometBFT network) is none of the application's business.

use sha2::{Digest, Sha256};

/// Prefix of operator addresses.
const OPERATOR: &str = "bbnvaloper";

/// Voting power.
pub(super) const POWER: u32 = 1000;

/// Generator of G2 of BLS12-381, compressed: x of the point with the flags of compression.
pub(super) const BLS_KEY: [u8; 96] = [
    0x93, 0xe0, 0x2b, 0x60, 0x52, 0x71, 0x9f, 0x60, 0x7d, 0xac, 0xd3, 0xa0, 0x88, 0x27, 0x4f, 0x65, 0x59,
    0x6b, 0xd0, 0xd0, 0x99, 0x20, 0xb6, 0x1a, 0xb5, 0xda, 0x61, 0xbb, 0xdc, 0x7f, 0x50, 0x49, 0x33, 0x4c,
    0xf1, 0x12, 0x13, 0x94, 0x5d, 0x57, 0xe5, 0xac, 0x7d, 0x05, 0x5d, 0x04, 0x2b, 0x7e, 0x02, 0x4a, 0xa2,
    0xb2, 0xf0, 0x8f, 0x0a, 0x91, 0x26, 0x08, 0x05, 0x27, 0x2d, 0xc5, 0x10, 0x51, 0xc6, 0xe4, 0x7a, 0xd4,
    0xfa, 0x40, 0x3b, 0x02, 0xb4, 0x51, 0x0b, 0x64, 0x7a, 0xe3, 0xd1, 0x77, 0x0b, 0xac, 0x03, 0x26, 0xa8,
    0x05, 0xbb, 0xef, 0xd4, 0x80, 0x56, 0xc8, 0xc1, 0x21, 0xbd, 0xb8,
];

/// Operator address: 20 bytes.
pub(super) fn address() -> Vec<u8> {
    Sha256::digest("development validator")[..20].to_vec()
}

/// Operator address as text.
pub(super) fn operator() -> String {
    use bitcoin::bech32::{self, Bech32, Hrp};
    bech32::encode::<Bech32>(Hrp::parse_unchecked(OPERATOR), &address())
        .expect("20 bytes and a valid prefix are within the length of bech32")
}

/// Reads an operator address.
pub(super) fn parse_operator(text: &str) -> Result<Vec<u8>, String> {
    let (prefix, bytes) = bitcoin::bech32::decode(text).map_err(|err| err.to_string())?;
    if prefix.as_str() != OPERATOR {
        return Err(format!("invalid Bech32 prefix; expected {OPERATOR}, got {prefix}"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_the_same_on_every_chain() {
        assert!(operator().starts_with("bbnvaloper1"), "{}", operator());
        assert_eq!(parse_operator(&operator()), Ok(address()));
        assert!(parse_operator("bbn1yud4zvp9rlqyuus5fzch8yjfv08a8k983nsjncw").is_err());
        assert_eq!(BLS_KEY[0] & 0xe0, 0x80, "compressed, not infinity, the smaller y");
    }
}
