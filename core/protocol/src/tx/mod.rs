//! The transactions of a stake: what each must look like, built and checked by the same rules.
//!
//! Spec: `bitcoin.md` 5 to 9 and 12.
//!
//! | module | transaction |
//! |---|---|
//! | [`staking`] | creates the staking output |
//! | [`unbonding`] | staking output to unbonding output, with a covenant quorum |
//! | [`slashing`] | staking or unbonding output to the slashing script and a refund |
//! | [`withdrawal`] | any of the three outputs to its owner, after its timelock |
//! | [`expansion`] | staking output and one more to a larger staking output |
//! | [`sanity`] | rules that hold for all of them, and strict parsing |

pub mod expansion;
pub mod sanity;
pub mod slashing;
pub mod staking;
pub mod unbonding;
pub mod withdrawal;
