//! Reads what the Go software left on disk: its database of signatures, its keyrings and its exported keys.
//!
//! Nothing here writes. Everything read is bounded and believed only as far as it can be recomputed: a key must give
//! the public key it is filed under, and a record the signature it holds.
//!
//! | file | reads |
//! |---|---|
//! | `bolt` | a bbolt database: pages, buckets, checksums |
//! | `eots_db` | `eots.db`: key names, sign records in both layouts |
//! | `provider_db` | `finality-provider.db`: the last heights voted for |
//! | `jwe` | one encrypted file of a keyring |
//! | `keyring` | the folder of such files, and the secret in one |
//! | `amino` | such a secret as older releases wrote it |
//! | `armor` | a key exported with a passphrase |
//! | `fields` | protocol buffers |
//!
//! Background: `finality-provider.md` 7.

mod amino;
pub mod armor;
pub mod bolt;
pub mod eots_db;
mod fields;
pub mod jwe;
pub mod keyring;
pub mod provider_db;

pub use fields::FieldError;
