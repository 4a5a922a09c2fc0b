//! The decisions of one finality provider on one chain, as machines that know no clock, network or disk.
//!
//! | machine | decides |
//! |---|---|
//! | [`planner`] | which heights' public randomness to commit to |
//! | [`unjail`] | when to end a jailing without asking the operator |
//! | [`voter`] | which heights to ask about, to vote on, and to be done with |
//!
//! [`answer`] reads the chain's answers, [`reason`] names why there is no vote.

pub mod answer;
pub mod planner;
pub mod reason;
pub mod unjail;
pub mod voter;
