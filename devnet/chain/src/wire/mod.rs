//! Bytes from outside: how strictly they are read before any rule looks at them.
//!
//! The reference refuses what prost would silently accept: unknown fields, wrong lengths of keys and hashes, decimals in
//! the wrong form, transactions that are not in canonical order. [`schema`] says what each message may hold and
//! [`walk`] checks bytes against it; a violation makes the whole transaction undecodable (`sdk/2`).

pub(crate) mod messages;
pub(crate) mod schema;
pub(crate) mod walk;
