//! Finality votes: randomness commitments, votes, the tally and the evidence of a double sign.
//!
//! Spec: `crypto.md` 5 and 6, `chain.md` 10.

pub mod evidence;
pub mod randomness;
pub mod tally;
pub mod vote;

#[cfg(test)]
mod tests;
