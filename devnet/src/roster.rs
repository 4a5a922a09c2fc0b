//! Who takes part: names, keys and accounts, all from the seed.

use crate::{dev::place::DEVELOPER, keys::Seed, network::CHAIN_ID};
use bitcoin::{Address, Network, ScriptBuf};
use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_crypto::{eots::EotsSecretKey, key::InvalidSecretKey};
use btc_staking_devnet_chain::GenesisAccount;
use btc_staking_pos_chain::{
    ChainError,
    connect::{AccountSecret, ChainEndpoint, Connector as _},
};
use btc_staking_protocol::{
    committee::{CovenantCommittee, InvalidCommittee},
    keys::{AccountAddress, CovenantPublicKey, CovenantSecret, FinalityProviderPublicKey, InvalidSecret},
};
use btc_staking_staker::keys::{InvalidPhrase, Phrase};
use miniscript::{Descriptor, DescriptorPublicKey};
use std::collections::BTreeSet;
use thiserror::Error;
use zeroize::Zeroizing;

/// Members of the committee.
pub const MEMBERS: u8 = 5;
/// Signatures that are needed.
pub const QUORUM: u32 = 3;
/// What every account starts with, in the base denomination: a million coins.
const BALANCE: u64 = 1_000_000_000_000;
/// How many addresses of a wallet are told apart from foreign ones.
const KNOWN_ADDRESSES: u32 = 50;

/// Everybody.
pub struct Roster {
    /// What the keys follow from.
    pub seed: Seed,
    /// The committee's members.
    pub covenants: Vec<Covenant>,
    /// The finality providers.
    pub providers: Vec<Provider>,
    /// The holders.
    pub stakers: Vec<Staker>,
}

/// A member of the committee.
pub struct Covenant {
    /// `covenant-1` and so on.
    pub name: String,
    /// Its public key.
    pub key: CovenantPublicKey,
}

/// A finality provider.
pub struct Provider {
    /// `provider-1` and so on.
    pub name: String,
    /// Its EOTS key.
    pub key: FinalityProviderPublicKey,
}

/// A holder.
pub struct Staker {
    /// `staker-a` and so on.
    pub name: String,
    /// The phrase.
    pub phrase: Phrase,
    /// First address of the wallet.
    pub address: Address,
    /// Scripts of the wallet's first addresses.
    scripts: BTreeSet<ScriptBuf>,
}

/// Why a seed gives no keys. The chance is 2^-128 for each, so this is a bug.
#[derive(Debug, Error)]
pub enum NoRoster {
    /// A secret out of range.
    #[error(transparent)]
    Covenant(#[from] InvalidSecret),
    /// A secret out of range.
    #[error(transparent)]
    Provider(#[from] InvalidSecretKey),
    /// Keys that repeat.
    #[error(transparent)]
    Committee(#[from] InvalidCommittee),
    /// A phrase that is none.
    #[error(transparent)]
    Phrase(#[from] InvalidPhrase),
    /// A descriptor that gives no address.
    #[error("descriptor {descriptor} gives no address")]
    Address {
        /// The descriptor.
        descriptor: String,
    },
    /// A secret that gives no account.
    #[error(transparent)]
    Account(#[from] ChainError),
}

impl Roster {
    /// The people of the story: a committee of five, two finality providers, three stakers.
    ///
    /// # Errors
    /// [`NoRoster`].
    pub fn new(seed: Seed) -> Result<Self, NoRoster> {
        let covenants = (1..=MEMBERS).map(|number| Covenant::new(seed, format!("covenant-{number}")));
        let providers = ["provider-1", "provider-2"].map(|name| Provider::new(seed, name));
        let stakers = ["staker-a", "staker-b", "staker-c"].map(|name| Staker::new(seed, name));
        Ok(Self {
            seed,
            covenants: covenants.collect::<Result<_, _>>()?,
            providers: providers.into_iter().collect::<Result<_, _>>()?,
            stakers: stakers.into_iter().collect::<Result<_, _>>()?,
        })
    }

    /// The committee.
    ///
    /// # Errors
    /// [`NoRoster::Committee`].
    pub fn committee(&self) -> Result<CovenantCommittee, NoRoster> {
        let keys = self.covenants.iter().map(|member| member.key).collect();
        Ok(CovenantCommittee::new(QUORUM, keys)?)
    }

    /// An account with coins for everybody, the watchtower, the devnet itself and its developer.
    ///
    /// # Errors
    /// [`NoRoster::Account`].
    pub fn genesis_accounts(&self) -> Result<Vec<GenesisAccount>, NoRoster> {
        let daemons = self.covenants.iter().map(|member| member.name.as_str());
        let daemons = daemons.chain(self.providers.iter().map(|provider| provider.name.as_str()));
        let daemons = daemons.chain(["slasher", "devnet", DEVELOPER]).map(|name| self.seed.account(name));
        let stakers = self.stakers.iter().map(Staker::account);
        let nowhere = chain_endpoint(Vec::new());
        let account = |secret: AccountSecret| {
            let address = BabylonConnector.account_address(&nowhere, &secret)?;
            Ok(GenesisAccount { address, ubbn: BALANCE })
        };
        daemons.chain(stakers).map(account).collect()
    }

    /// The developer's account, which may change parameters.
    ///
    /// # Errors
    /// [`NoRoster::Account`].
    pub fn authority(&self) -> Result<AccountAddress, NoRoster> {
        let nowhere = chain_endpoint(Vec::new());
        Ok(BabylonConnector.account_address(&nowhere, &self.seed.account(DEVELOPER))?)
    }

    /// The EOTS secret of a finality provider, with which the devnet itself plays the double signer.
    ///
    /// # Errors
    /// [`NoRoster::Provider`].
    pub fn provider_secret(&self, provider: &Provider) -> Result<EotsSecretKey, NoRoster> {
        Ok(EotsSecretKey::from_bytes(&eots_secret(self.seed, &provider.name))?)
    }
}

impl Covenant {
    fn new(seed: Seed, name: String) -> Result<Self, NoRoster> {
        let secret = CovenantSecret::from_bytes(&covenant_secret(seed, &name))?;
        Ok(Self { key: secret.public_key(), name })
    }
}

impl Provider {
    fn new(seed: Seed, name: &str) -> Result<Self, NoRoster> {
        let secret = EotsSecretKey::from_bytes(&eots_secret(seed, name))?;
        let key = FinalityProviderPublicKey::new(*secret.public_key());
        Ok(Self { name: name.to_owned(), key })
    }
}

impl Staker {
    fn new(seed: Seed, name: &str) -> Result<Self, NoRoster> {
        let phrase = Phrase::parse(&seed.phrase(name).to_string())?;
        let descriptors = phrase.keys(Network::Regtest).wallet_descriptors();
        let address = address_at(&descriptors.receive, 0)?;
        let mut scripts = BTreeSet::new();
        for descriptor in [&descriptors.receive, &descriptors.change] {
            for index in 0..KNOWN_ADDRESSES {
                scripts.insert(address_at(descriptor, index)?.script_pubkey());
            }
        }
        Ok(Self { name: name.to_owned(), phrase, address, scripts })
    }

    /// The account on the staking chain.
    pub fn account(&self) -> AccountSecret {
        self.phrase.keys(Network::Regtest).account()
    }

    /// Whether coins at `script` are the holder's wallet's.
    pub fn owns(&self, script: &ScriptBuf) -> bool {
        self.scripts.contains(script)
    }
}

/// The member's secret.
pub fn covenant_secret(seed: Seed, name: &str) -> Zeroizing<[u8; 32]> {
    seed.secret(&format!("covenant key of {name}"))
}

/// The finality provider's secret.
pub fn eots_secret(seed: Seed, name: &str) -> Zeroizing<[u8; 32]> {
    seed.secret(&format!("EOTS key of {name}"))
}

/// How roles reach the devnet's chain at these RPC endpoints.
pub fn chain_endpoint(rpc: Vec<String>) -> ChainEndpoint {
    ChainEndpoint::new(CHAIN_ID, rpc)
}

fn address_at(descriptor: &str, index: u32) -> Result<Address, NoRoster> {
    let derive = || {
        let parsed: Descriptor<DescriptorPublicKey> = descriptor.parse().ok()?;
        parsed.at_derivation_index(index).ok()?.address(Network::Regtest).ok()
    };
    derive().ok_or_else(|| NoRoster::Address { descriptor: descriptor.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_account_and_a_wallet_of_their_own() {
        let roster = Roster::new(Seed(7)).unwrap();
        assert_eq!(roster.committee().unwrap().keys().len(), usize::from(MEMBERS));
        let accounts = roster.genesis_accounts().unwrap();
        let distinct: BTreeSet<_> = accounts.iter().map(|account| account.address.clone()).collect();
        assert_eq!((accounts.len(), distinct.len()), (13, 13));
        for (at, staker) in roster.stakers.iter().enumerate() {
            for (other, wallet) in roster.stakers.iter().enumerate() {
                assert_eq!(wallet.owns(&staker.address.script_pubkey()), at == other);
            }
        }
    }
}
