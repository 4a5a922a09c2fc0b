//! The registered errors, as the tables of `wire.md` 4.6 list them.

use btc_staking_pos_chain::message::RefusalKind::{
    self, BlockAlreadyFinalised, BlockNotFound, DelegationNotFound, FinalityNotActive,
    FinalityProviderJailed, FinalityProviderNotFound, FinalityProviderSlashed, HeaderUnknown,
    HeadersRejected, IncludedTooEarly, InsufficientFunds, InvalidCovenantSignature, InvalidRandomness,
    NoVotingPower, NotACommitteeMember, NotNow, Other, RandomnessNotUsable,
};

/// What an error means for the message that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The chain already has what the message would have added.
    Done,
    /// Refused for this reason.
    Refused(RefusalKind),
    /// One code for several facts, told by any of these words in the log.
    ByWords {
        /// Words, in lower case.
        words: &'static [&'static str],
        /// With one of them.
        then: RefusalKind,
        /// Without.
        otherwise: RefusalKind,
    },
    /// Says nothing by itself.
    Generic,
}

/// A registered error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Module, or `sdk`.
    pub codespace: &'static str,
    /// Code within it.
    pub code: u32,
    /// Text that ends a log.
    pub text: &'static str,
    /// What it means.
    pub meaning: Meaning,
}

const fn entry(codespace: &'static str, code: u32, text: &'static str, meaning: Meaning) -> Registered {
    Registered { codespace, code, text, meaning }
}

use Meaning::{ByWords, Done, Refused};
const OTHER: Meaning = Refused(Other);

/// All of them.
#[rustfmt::skip]
pub const REGISTRY: [Registered; 128] = [
    // btcstaking
    entry("btcstaking", 1100, "the finality provider is not found", Refused(FinalityProviderNotFound)),
    entry("btcstaking", 1101, "the BTC delegator is not found", OTHER),
    entry("btcstaking", 1102, "the BTC delegation is not found", Refused(DelegationNotFound)),
    entry("btcstaking", 1103, "the finality provider has already been registered", Done),
    entry("btcstaking", 1104, "the finality provider has already been slashed", Refused(FinalityProviderSlashed)),
    entry("btcstaking", 1105, "the BTC height is not found", OTHER),
    entry("btcstaking", 1106, "the BTC staking tx is already used", Done),
    entry("btcstaking", 1107, "the BTC staking tx specifies a wrong covenant PK", Refused(NotACommitteeMember)),
    entry("btcstaking", 1108, "the BTC staking tx is not valid", OTHER),
    entry("btcstaking", 1109, "the BTC slashing tx is not valid", OTHER),
    entry("btcstaking", 1110, "the covenant signature is not valid", ByWords { words: &["unbonded", "expired"], then: Other, otherwise: InvalidCovenantSignature }),
    entry("btcstaking", 1111, "commission cannot be less than min rate", OTHER),
    entry("btcstaking", 1112, "commission cannot be more than one", OTHER),
    entry("btcstaking", 1113, "Unexpected delegation state", OTHER),
    entry("btcstaking", 1114, "the BTC unbonding tx is not valid", OTHER),
    entry("btcstaking", 1115, "the finality provider list is empty", OTHER),
    entry("btcstaking", 1116, "the finality provider list contains too many public keys, it must contain exactly one", OTHER),
    entry("btcstaking", 1117, "the proof of possession is not valid", OTHER),
    entry("btcstaking", 1118, "the staking request contains duplicated finality provider public key", OTHER),
    entry("btcstaking", 1119, "invalid undelegation request", OTHER),
    entry("btcstaking", 1120, "the parameters are not found", OTHER),
    entry("btcstaking", 1121, "the finality provider has already been jailed", Refused(FinalityProviderJailed)),
    entry("btcstaking", 1122, "the finality provider is not jailed", Done),
    entry("btcstaking", 1123, "the covenant signature is already submitted", Done),
    entry("btcstaking", 1124, "the staking transaction is included too early in BTC chain", Refused(IncludedTooEarly)),
    entry("btcstaking", 1125, "empty commission", OTHER),
    entry("btcstaking", 1128, "there is no BTC reorg currently set", OTHER),
    entry("btcstaking", 1129, "invalid stake expansion", OTHER),
    entry("btcstaking", 1130, "the finality provider has been deleted", OTHER),
    // finality
    entry("finality", 1100, "Block is not found", Refused(BlockNotFound)),
    entry("finality", 1101, "vote is not found", OTHER),
    entry("finality", 1102, "the chain has not reached the given height yet", Refused(BlockNotFound)),
    entry("finality", 1103, "public randomness is not found", Refused(RandomnessNotUsable)),
    entry("finality", 1104, "the finality provider has not committed any public randomness yet", Refused(RandomnessNotUsable)),
    entry("finality", 1105, "the request contains too few public randomness", OTHER),
    entry("finality", 1106, "the public randomness list is invalid", Refused(InvalidRandomness)),
    entry("finality", 1107, "evidence is not found", OTHER),
    entry("finality", 1108, "finality signature is not valid", ByWords { words: &["power"], then: NoVotingPower, otherwise: Other }),
    entry("finality", 1109, "duplicated finality vote", Done),
    entry("finality", 1110, "there is no slashable evidence", OTHER),
    entry("finality", 1111, "the public randomness commit is not BTC timestamped yet", Refused(RandomnessNotUsable)),
    entry("finality", 1112, "the jailing period is not passed", OTHER),
    entry("finality", 1113, "voting power table has not been updated", OTHER),
    entry("finality", 1114, "the BTC staking protocol is not activated yet", Refused(FinalityNotActive)),
    entry("finality", 1115, "finality is not active yet", Refused(FinalityNotActive)),
    entry("finality", 1116, "the voting block is already finalized and timestamped", Refused(BlockAlreadyFinalised)),
    entry("finality", 1117, "overflow in block height calculation", OTHER),
    entry("finality", 1118, "the public randomness commitment is invalid", OTHER),
    entry("finality", 1121, "resume finality proposal message is not valid", OTHER),
    entry("finality", 1122, "finality provider is deleted", OTHER),
    entry("finality", 1123, "invalid satoshi amount", OTHER),
    entry("finality", 1124, "voting power table was not found", OTHER),
    // btclightclient
    entry("btclightclient", 1100, "header does not exist", Refused(HeaderUnknown)),
    entry("btclightclient", 1101, "parent for provided hash is not maintained", Refused(HeadersRejected)),
    entry("btclightclient", 1102, "empty message provided", OTHER),
    entry("btclightclient", 1103, "provided header has invalid proof of work", Refused(HeadersRejected)),
    entry("btclightclient", 1104, "provided header does not satisfy header validation rules", Refused(HeadersRejected)),
    entry("btclightclient", 1105, "provided chain has not enough work", Refused(HeadersRejected)),
    entry("btclightclient", 1106, "unauthorized reporter", OTHER),
    entry("btclightclient", 1107, "invalid message format", OTHER),
    entry("btclightclient", 1108, "fork start with known header", Done),
    // btccheckpoint
    entry("btccheckpoint", 1100, "Invalid checkpoint proof", OTHER),
    entry("btccheckpoint", 1101, "Duplicated submission", OTHER),
    entry("btccheckpoint", 1102, "No checkpoints for previous epoch", OTHER),
    entry("btccheckpoint", 1103, "Proof headers are invalid", OTHER),
    entry("btccheckpoint", 1104, "Proof header does not have ancestor in previous epoch", OTHER),
    entry("btccheckpoint", 1105, "Submission denied. Epoch already finalized", OTHER),
    // incentive
    entry("incentive", 1100, "BTC staking gauge not found", OTHER),
    entry("incentive", 1101, "reward gauge not found", OTHER),
    entry("incentive", 1102, "no coin is withdrawable", OTHER),
    entry("incentive", 1103, "finality provider current rewards not found", OTHER),
    entry("incentive", 1104, "finality provider historical rewards not found", OTHER),
    entry("incentive", 1105, "BTC delegation rewards tracker not found", OTHER),
    entry("incentive", 1108, "invalid amount", OTHER),
    // costaking
    entry("costaking", 1102, "score ratio of btc to baby is invalid", OTHER),
    entry("costaking", 1103, "score ratio of btc to baby should be higher or equal 1", OTHER),
    entry("costaking", 1104, "current rewards is invalid", OTHER),
    entry("costaking", 1105, "percentage should be less or equal 1", OTHER),
    entry("costaking", 1106, "percentage is invalid", OTHER),
    entry("costaking", 1107, "period is invalid", OTHER),
    entry("costaking", 1108, "negative rewards should not be possible", OTHER),
    entry("costaking", 1109, "costaker reward tracker is invalid", OTHER),
    // checkpointing
    entry("checkpointing", 1201, "raw checkpoint does not exist", OTHER),
    entry("checkpointing", 1202, "raw checkpoint already exists", OTHER),
    entry("checkpointing", 1203, "hash does not equal to raw checkpoint", OTHER),
    entry("checkpointing", 1204, "raw checkpoint is no longer accumulating BLS sigs", OTHER),
    entry("checkpointing", 1205, "raw checkpoint already accumulated the validator", OTHER),
    entry("checkpointing", 1206, "raw checkpoint is invalid", OTHER),
    entry("checkpointing", 1207, "raw checkpoint's status is invalid", OTHER),
    entry("checkpointing", 1208, "proof-of-possession is invalid", OTHER),
    entry("checkpointing", 1209, "BLS public key does not exist", OTHER),
    entry("checkpointing", 1210, "BLS public key already exists", OTHER),
    entry("checkpointing", 1211, "BLS private key does not exist", OTHER),
    entry("checkpointing", 1212, "BLS signature is invalid", OTHER),
    entry("checkpointing", 1213, "Conflicting checkpoint is found", OTHER),
    entry("checkpointing", 1214, "Provided app hash is Invalid", OTHER),
    entry("checkpointing", 1215, "Accumulated voting power is not greater than 2/3 of total power", OTHER),
    entry("checkpointing", 1216, "Validator address does not exist", OTHER),
    entry("checkpointing", 1217, "proof-of-possession is nil", OTHER),
    entry("checkpointing", 1218, "validator pub key is nil", OTHER),
    entry("checkpointing", 1219, "block time is nil", OTHER),
    entry("checkpointing", 1220, "block height is zero", OTHER),
    entry("checkpointing", 1221, "checkpoint is nil", OTHER),
    entry("checkpointing", 1222, "BLS aggregated pub key is nil", OTHER),
    entry("checkpointing", 1223, "invalid vote extension", OTHER),
    // monitor
    entry("monitor", 1100, "Epoch not ended yet", OTHER),
    entry("monitor", 1101, "Checkpoint not reported yet", OTHER),
    // sdk
    entry("sdk", 2, "tx parse error", OTHER),
    entry("sdk", 4, "unauthorized", OTHER),
    entry("sdk", 5, "insufficient funds", Refused(InsufficientFunds)),
    entry("sdk", 6, "unknown request", Meaning::Generic),
    entry("sdk", 7, "invalid address", OTHER),
    entry("sdk", 8, "invalid pubkey", OTHER),
    entry("sdk", 9, "unknown address", Refused(InsufficientFunds)),
    entry("sdk", 11, "out of gas", Refused(NotNow)),
    entry("sdk", 13, "insufficient fee", Refused(NotNow)),
    entry("sdk", 18, "invalid request", Meaning::Generic),
    entry("sdk", 19, "tx already in mempool", Refused(NotNow)),
    entry("sdk", 20, "mempool is full", Refused(NotNow)),
    entry("sdk", 21, "tx too large", OTHER),
    entry("sdk", 22, "key not found", Meaning::Generic),
    entry("sdk", 26, "invalid height", OTHER),
    entry("sdk", 30, "tx timeout height", OTHER),
    entry("sdk", 32, "incorrect account sequence", Refused(NotNow)),
    entry("sdk", 38, "not found", Meaning::Generic),
    entry("sdk", 41, "invalid gas limit", OTHER),
    entry("sdk", 42, "tx timeout", OTHER),
    // panics; not told by code in simulations
    entry("undefined", 111_222, "panic", OTHER),
];
