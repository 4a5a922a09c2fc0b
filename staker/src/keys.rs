//! One phrase, three keys: the Bitcoin wallet, the staking key and the account of the staking chain.
//!
//! | key | path | why there |
//! |---|---|---|
//! | wallet | `m/86'/coin'/0'` (BIP-86; coin 0 on mainnet, else 1) | any taproot wallet finds the coins |
//! | staking | `m/86'/coin'/1'/0/0` | first key of the second BIP-86 account: never an address of the wallet, still within reach of other wallets |
//! | account | `m/44'/118'/0'/0/0` | where wallets of Cosmos chains look |
//!
//! `docs/adr/0009-one-phrase.md` gives the reasons. The phrase is BIP-39 English without an extra passphrase. It is
//! sealed by `core/daemon`'s key file; nothing derived from it is stored except public keys.

use bip39::{Language, Mnemonic};
use bitcoin::{
    Network, NetworkKind, Psbt, Transaction, Witness,
    bip32::{ChildNumber, DerivationPath, Fingerprint, Xpriv, Xpub},
    secp256k1::SECP256K1,
};
use btc_staking_daemon::entropy::{Entropy, EntropyError};
use btc_staking_pos_chain::connect::AccountSecret;
use btc_staking_protocol::keys::{StakerPublicKey, StakerSecret};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Account of the wallet's coins.
const WALLET_ACCOUNT: u32 = 0;
/// Account of the staking key.
const STAKING_ACCOUNT: u32 = 1;

const HARDENED: &str = "index is below 2^31";
const DERIVES: &str = "a derived key out of range has probability 2^-127";

/// A BIP-39 phrase. Neither printable by accident nor clonable; wiped on drop.
pub struct Phrase(Mnemonic);

/// Text that is no phrase. The words are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPhrase {
    /// Too few or too many words.
    #[error("phrase has {0} words, it must have 12, 15, 18, 21 or 24")]
    WordCount(usize),
    /// A word that is not on the list.
    #[error("word {0} of the phrase is not on the English BIP-39 list")]
    UnknownWord(usize),
    /// The words are right, but not these or not in this order.
    #[error("checksum of the phrase is wrong: a word is mistyped or two are swapped")]
    Checksum,
    /// Something else.
    #[error("phrase is not a BIP-39 phrase")]
    Other,
}

/// Why no phrase could be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotCreate {
    /// BIP-39 has no phrase of this length.
    #[error("a phrase has 12, 15, 18, 21 or 24 words, not {0}")]
    WordCount(u8),
    /// No randomness.
    #[error("making a phrase")]
    Entropy(#[from] EntropyError),
}

impl Phrase {
    /// Draws a phrase of `words` words.
    ///
    /// # Errors
    /// [`CannotCreate`].
    pub fn create(words: u8, entropy: &dyn Entropy) -> Result<Self, CannotCreate> {
        if !matches!(words, 12 | 15 | 18 | 21 | 24) {
            return Err(CannotCreate::WordCount(words));
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(&mut *bytes)?;
        let used = &bytes[..usize::from(words) * 4 / 3];
        let mnemonic = Mnemonic::from_entropy(used).expect("16 to 32 bytes in steps of 4 are a phrase");
        Ok(Self(mnemonic))
    }

    /// Parses words; case and spacing do not matter.
    ///
    /// # Errors
    /// [`InvalidPhrase`].
    pub fn parse(text: &str) -> Result<Self, InvalidPhrase> {
        let lower = Zeroizing::new(text.to_lowercase());
        let words = Zeroizing::new(lower.split_whitespace().collect::<Vec<_>>().join(" "));
        Mnemonic::parse_in_normalized(Language::English, &words).map(Self).map_err(|error| match error {
            bip39::Error::BadWordCount(count) => InvalidPhrase::WordCount(count),
            bip39::Error::UnknownWord(index) => InvalidPhrase::UnknownWord(index.saturating_add(1)),
            bip39::Error::InvalidChecksum => InvalidPhrase::Checksum,
            _ => InvalidPhrase::Other,
        })
    }

    /// The words, separated by spaces.
    pub fn words(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(String::with_capacity(256));
        for word in self.0.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        words
    }

    /// Derives the keys for a Bitcoin network.
    pub fn keys(&self, network: Network) -> Keys {
        let seed = Zeroizing::new(self.0.to_seed_normalized(""));
        Keys { master: Master::new(network, &*seed), network }
    }
}

/// The master key; wiped on drop as far as its type allows.
struct Master(Xpriv);

impl Master {
    fn new(network: Network, seed: &[u8]) -> Self {
        let kind: NetworkKind = network.into();
        Self(Xpriv::new_master(kind, seed).expect(DERIVES))
    }

    fn derive(&self, path: &DerivationPath) -> Master {
        // Step by step, so that every key on the way is wiped too.
        path.into_iter()
            .fold(Self(self.0), |key, step| Self(key.0.derive_priv(SECP256K1, &[*step]).expect(DERIVES)))
    }

    fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.private_key.secret_bytes())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.0.private_key.non_secure_erase();
        AsMut::<[u8; 32]>::as_mut(&mut self.0.chain_code).zeroize();
    }
}

/// The keys of one holder. Neither printable nor clonable; wiped on drop.
pub struct Keys {
    master: Master,
    network: Network,
}

/// Why a transaction of the wallet could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotSign {
    /// An input belongs to another wallet.
    #[error("input {0} of the transaction is not the wallet's")]
    NotOurs(usize),
    /// The PSBT lacks what a signature needs.
    #[error("transaction cannot be signed: {0}")]
    Malformed(String),
}

impl Keys {
    /// The network they are for.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The holder's staking key.
    pub fn staker(&self) -> StakerSecret {
        let path = self.bip86_account(STAKING_ACCOUNT).extend([normal(0), normal(0)]);
        StakerSecret::from_bytes(&self.master.derive(&path).secret_bytes())
            .expect("a derived key is in range")
    }

    /// The public half of the staking key.
    pub fn staker_public_key(&self) -> StakerPublicKey {
        self.staker().public_key()
    }

    /// The secret of the account on the staking chain.
    pub fn account(&self) -> AccountSecret {
        let path =
            DerivationPath::from_iter([hardened(44), hardened(118), hardened(0), normal(0), normal(0)]);
        AccountSecret(self.master.derive(&path).secret_bytes())
    }

    /// Public descriptors of the wallet: addresses to receive at, and addresses for change.
    pub fn wallet_descriptors(&self) -> WalletDescriptors {
        let path = self.bip86_account(WALLET_ACCOUNT);
        let account = Xpub::from_priv(SECP256K1, &self.master.derive(&path).0);
        let fingerprint: Fingerprint = self.master.0.fingerprint(SECP256K1);
        let descriptor = |keychain: u32| format!("tr([{fingerprint}/{path}]{account}/{keychain}/*)");
        WalletDescriptors { receive: with_checksum(&descriptor(0)), change: with_checksum(&descriptor(1)) }
    }

    /// Signs every input of a transaction of the wallet and returns it complete.
    ///
    /// # Errors
    /// [`CannotSign`] when an input is not the wallet's.
    pub fn sign_wallet_tx(&self, psbt: &Psbt) -> Result<Transaction, CannotSign> {
        let mut psbt = psbt.clone();
        if let Err((_, errors)) = psbt.sign(&self.master.0, SECP256K1) {
            let first = errors.values().next().map_or_else(String::new, ToString::to_string);
            return Err(CannotSign::Malformed(first));
        }
        for (index, input) in psbt.inputs.iter_mut().enumerate() {
            let signature = input.tap_key_sig.ok_or(CannotSign::NotOurs(index))?;
            input.final_script_witness = Some(Witness::p2tr_key_spend(&signature));
        }
        let mut tx = psbt.unsigned_tx;
        for (txin, input) in tx.input.iter_mut().zip(psbt.inputs) {
            txin.witness = input.final_script_witness.unwrap_or_default();
        }
        Ok(tx)
    }

    fn bip86_account(&self, account: u32) -> DerivationPath {
        let coin = if self.network == Network::Bitcoin { 0 } else { 1 };
        DerivationPath::from_iter([hardened(86), hardened(coin), hardened(account)])
    }
}

fn hardened(index: u32) -> ChildNumber {
    ChildNumber::from_hardened_idx(index).expect(HARDENED)
}
fn normal(index: u32) -> ChildNumber {
    ChildNumber::from_normal_idx(index).expect(HARDENED)
}

fn with_checksum(descriptor: &str) -> String {
    let checksum = miniscript::descriptor::checksum::desc_checksum(descriptor)
        .expect("a descriptor we wrote has only descriptor characters");
    format!("{descriptor}#{checksum}")
}

/// The wallet's public descriptors, importable by descriptor wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletDescriptors {
    /// Addresses to receive at.
    pub receive: String,
    /// Addresses for change.
    pub change: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_daemon::entropy::SeededEntropy;

    /// The phrase of BIP-86's own test vectors.
    const ABANDON: &str =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    #[test]
    fn phrases_have_24_words_or_what_was_asked_for_and_parse_again() {
        for words in [12, 15, 18, 21, 24] {
            let phrase = Phrase::create(words, &SeededEntropy::new(u64::from(words))).unwrap();
            let text = phrase.words();
            assert_eq!(text.split(' ').count(), usize::from(words));
            let again = Phrase::parse(&format!("  {}\n", text.to_uppercase().replace(' ', "  "))).unwrap();
            assert_eq!(*again.words(), *text);
        }
        let refused = Phrase::create(13, &SeededEntropy::new(1)).map(|_| ()).unwrap_err();
        assert_eq!(refused, CannotCreate::WordCount(13));
    }

    #[test]
    fn a_mistyped_phrase_says_what_is_wrong_without_the_words() {
        let typo = ABANDON.replacen("abandon", "abandom", 1);
        for (text, error) in [
            (typo.as_str(), InvalidPhrase::UnknownWord(1)),
            ("abandon abandon", InvalidPhrase::WordCount(2)),
            ("", InvalidPhrase::WordCount(0)),
            (&ABANDON.replace("about", "abandon"), InvalidPhrase::Checksum),
        ] {
            let found = Phrase::parse(text).map(|_| ()).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains("aband"));
        }
    }

    /// BIP-86's vectors: account xpub and first receiving and change address of its phrase on mainnet.
    #[test]
    fn the_wallet_is_bip_86s() {
        let descriptors = Phrase::parse(ABANDON).unwrap().keys(Network::Bitcoin).wallet_descriptors();
        let xpub = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";
        assert!(
            descriptors.receive.starts_with(&format!("tr([73c5da0a/86'/0'/0']{xpub}/0/*)#")),
            "{}",
            descriptors.receive
        );
        assert!(descriptors.change.starts_with(&format!("tr([73c5da0a/86'/0'/0']{xpub}/1/*)#")));
    }

    /// Computed by an independent derivation (BIP-32 in forty lines of Python); the account is the address other Cosmos
    /// wallets show for this phrase, `cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4`. A change strands every holder.
    #[test]
    fn staking_key_and_account_stay_where_they_are() {
        let phrase = Phrase::parse(ABANDON).unwrap();
        let staker = |network| phrase.keys(network).staker_public_key().to_string();
        let mainnet = "44becfe627731a2ad296f83d6a4e8ab44b7a98baf48217de8d77ad9fb8c9cb80";
        let testnets = "340404d6ca0d8a9b019d3ac3527ad2ac063c60446fdd13e76c0d2e5704c10163";
        assert_eq!(staker(Network::Bitcoin), mainnet);
        for network in [Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest] {
            assert_eq!(staker(network), testnets);
        }
        let account = phrase.keys(Network::Bitcoin).account();
        let expected = "c4a48e2fce1481cd3294b4490f6678090ea98d3d0e5cd984558ab0968741b104";
        assert_eq!(hex::encode(*account.0), expected);
    }
}
