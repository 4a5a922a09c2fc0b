//! Bitcoin staking: parameter versions, finality providers, delegations (`chain.md` 4 to 8).
//!
//! A delegation is facts: what was registered, who signed, where its transaction lies, how it was spent. Its status is
//! computed from them and the light client's tip ([`status`]) and never stored; queries by status walk an index that the
//! end of each block brings up to date ([`index`]). Whatever changes power leaves an event at
//! a Bitcoin height ([`power_events`]); the finality module consumes it one block later.

mod covenant;
pub(crate) mod events;
mod evidence;
mod expand;
pub(crate) mod genesis;
mod inclusion;
pub(crate) mod index;
pub(crate) mod lists;
pub(crate) mod params;
mod parse;
pub(crate) mod power_events;
pub(crate) mod provider;
pub(crate) mod queries;
pub(crate) mod records;
mod register;
pub(crate) mod status;
mod undelegate;

pub(crate) use covenant::{add_covenant_sigs, check_add_covenant_sigs};
pub(crate) use evidence::{check_selective_slashing, selective_slashing};
pub(crate) use expand::{check_expand, expand_stake};
pub(crate) use inclusion::{add_inclusion_proof, check_add_inclusion_proof};
pub(crate) use parse::check_create_delegation;
pub(crate) use register::create_delegation;
pub(crate) use undelegate::{check_undelegate, undelegate};
