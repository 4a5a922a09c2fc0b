//! `[chain]`: one table, or a list of tables (`[[chain]]`), one for each chain voted on.
//!
//! A table holds the keys of [`ChainEndpoint`] and a few of ours. They are read side by side by hand, because serde's
//! `flatten` would take unknown keys.

use super::{Randomness, Unjail, Voting};
use btc_staking_pos_chain::connect::ChainEndpoint;
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
    },
};
use std::{fmt, path::PathBuf};

/// A chain and how its providers behave there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chain {
    /// Where it is and how to pay on it.
    #[serde(flatten)]
    pub endpoint: ChainEndpoint,
    /// Sealed key of the account that pays there, if not the one for all chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_key_file: Option<PathBuf>,
    /// The providers that vote there, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<FinalityProviderPublicKey>>,
    /// Takes the place of the table for all chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub randomness: Option<Randomness>,
    /// Takes the place of the table for all chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voting: Option<Voting>,
    /// Takes the place of the table for all chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjail: Option<Unjail>,
}

/// Every chain, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Chains(pub Vec<Chain>);

impl From<ChainEndpoint> for Chain {
    fn from(endpoint: ChainEndpoint) -> Self {
        Self { endpoint, account_key_file: None, keys: None, randomness: None, voting: None, unjail: None }
    }
}

impl From<ChainEndpoint> for Chains {
    fn from(endpoint: ChainEndpoint) -> Self {
        Self(vec![endpoint.into()])
    }
}

impl Serialize for Chains {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => only.serialize(serializer),
            chains => chains.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Chains {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Chains;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table [chain], or a list of tables [[chain]]")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Chains, A::Error> {
                Ok(Chains(vec![Chain::deserialize(MapAccessDeserializer::new(map))?]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Chains, A::Error> {
                let mut chains = Vec::new();
                while let Some(chain) = list.next_element()? {
                    chains.push(chain);
                }
                Ok(Chains(chains))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Chain;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table about a chain")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Chain, A::Error> {
                let mut ours = Ours::default();
                let rest = MapAccessDeserializer::new(WithoutOurs { map, ours: &mut ours });
                let endpoint = ChainEndpoint::deserialize(rest)?;
                let Ours { account_key_file, keys, randomness, voting, unjail } = ours;
                Ok(Chain { endpoint, account_key_file, keys, randomness, voting, unjail })
            }
        }
        deserializer.deserialize_map(Table)
    }
}

#[derive(Default)]
struct Ours {
    account_key_file: Option<PathBuf>,
    keys: Option<Vec<FinalityProviderPublicKey>>,
    randomness: Option<Randomness>,
    voting: Option<Voting>,
    unjail: Option<Unjail>,
}

#[derive(Clone, Copy)]
enum OurKey {
    AccountKeyFile,
    Keys,
    Randomness,
    Voting,
    Unjail,
}

/// A map whose keys of ours are taken out on the way.
struct WithoutOurs<'a, A> {
    map: A,
    ours: &'a mut Ours,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutOurs<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        loop {
            let (ours, unused) = match self.map.next_key_seed(Sorted(seed))? {
                None => return Ok(None),
                Some(Key::Theirs(key)) => return Ok(Some(key)),
                Some(Key::Ours(ours, seed)) => (ours, seed),
            };
            match ours {
                OurKey::AccountKeyFile => self.ours.account_key_file = Some(self.map.next_value()?),
                OurKey::Keys => self.ours.keys = Some(self.map.next_value()?),
                OurKey::Randomness => self.ours.randomness = Some(self.map.next_value()?),
                OurKey::Voting => self.ours.voting = Some(self.map.next_value()?),
                OurKey::Unjail => self.ours.unjail = Some(self.map.next_value()?),
            }
            seed = unused;
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Reads a key: one of ours, or what `K` makes of it.
struct Sorted<K>(K);

enum Key<V, K> {
    Theirs(V),
    Ours(OurKey, K),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Sorted<K> {
    type Value = Key<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(deserializer)?;
        let ours = match name.as_str() {
            "account_key_file" => OurKey::AccountKeyFile,
            "keys" => OurKey::Keys,
            "randomness" => OurKey::Randomness,
            "voting" => OurKey::Voting,
            "unjail" => OurKey::Unjail,
            _ => {
                let theirs: de::value::StringDeserializer<D::Error> = name.into_deserializer();
                return self.0.deserialize(theirs).map(Key::Theirs);
            }
        };
        Ok(Key::Ours(ours, self.0))
    }
}
