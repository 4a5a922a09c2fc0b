//! Every type and every query, as data: for printing bytes whose type is known by name, and for tests that must forget
//! none.

use super::{
    Query, btccheckpoint, btclightclient, btcstaking, checkpointing, costaking, epoching, finality,
    incentive, mint, monitor,
};
use prost::{DecodeError, Message, Name};
use std::fmt;

/// A type of the chain.
#[derive(Clone, Copy)]
pub struct WireType {
    package: &'static str,
    name: &'static str,
    decode: fn(&[u8]) -> Result<Decoded, DecodeError>,
}

/// What bytes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The same in the one encoding that this crate writes.
    pub encoded: Vec<u8>,
    /// For people, with secrets left out.
    pub text: String,
}

impl WireType {
    /// The entry of a type.
    pub const fn of<M: Message + Name + Default>() -> Self {
        Self { package: M::PACKAGE, name: M::NAME, decode: decode::<M> }
    }

    /// Its full name; with a slash in front it is the type URL.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }

    /// Decodes bytes of the type. Unknown fields are skipped.
    ///
    /// # Errors
    /// When they are no protobuf or a field has another wire type.
    pub fn decode(&self, bytes: &[u8]) -> Result<Decoded, DecodeError> {
        (self.decode)(bytes)
    }
}

impl fmt::Debug for WireType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_name())
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let message = M::decode(bytes)?;
    Ok(Decoded { encoded: message.encode_to_vec(), text: format!("{message:?}") })
}

/// A query: where it is asked, and the full names of its request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryType {
    /// ABCI query path.
    pub path: &'static str,
    request: (&'static str, &'static str),
    response: (&'static str, &'static str),
}

impl QueryType {
    /// The entry of a request.
    pub const fn of<Q>() -> Self
    where
        Q: Query + Name,
        Q::Response: Name,
    {
        Self {
            path: Q::PATH,
            request: (Q::PACKAGE, Q::NAME),
            response: (Q::Response::PACKAGE, Q::Response::NAME),
        }
    }
    /// Full name of the request.
    pub fn request(&self) -> String {
        format!("{}.{}", self.request.0, self.request.1)
    }
    /// Full name of the answer.
    pub fn response(&self) -> String {
        format!("{}.{}", self.response.0, self.response.1)
    }
}

/// Every type of the chain's own packages.
pub fn wire_types() -> impl Iterator<Item = &'static WireType> {
    let packages: [&'static [&'static [WireType]]; 10] = [
        btccheckpoint::TYPES,
        btclightclient::TYPES,
        btcstaking::TYPES,
        checkpointing::TYPES,
        costaking::TYPES,
        epoching::TYPES,
        finality::TYPES,
        incentive::TYPES,
        &[mint::TYPES],
        &[monitor::TYPES],
    ];
    packages.into_iter().flatten().copied().flatten()
}

/// Returns the type of a full name.
pub fn find_type(full_name: &str) -> Option<&'static WireType> {
    wire_types().find(|known| {
        let rest = full_name.strip_prefix(known.package).and_then(|rest| rest.strip_prefix('.'));
        rest == Some(known.name)
    })
}

/// Every query of the chain's own packages.
pub fn query_types() -> impl Iterator<Item = &'static QueryType> {
    let packages: [&'static [QueryType]; 10] = [
        btccheckpoint::QUERIES,
        btclightclient::QUERIES,
        btcstaking::QUERIES,
        checkpointing::QUERIES,
        costaking::QUERIES,
        epoching::QUERIES,
        finality::QUERIES,
        incentive::QUERIES,
        mint::QUERIES,
        monitor::QUERIES,
    ];
    packages.into_iter().flatten()
}
