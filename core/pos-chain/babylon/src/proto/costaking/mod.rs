//! `babylon.costaking.v1`: rewards for accounts that stake Bitcoin and the native coin.

mod genesis;
mod messages;
mod records;

pub use genesis::*;
pub use messages::*;
pub use records::*;
