//! The registered errors, as the tables of `wire.md` 4.6 list them.

use btc_staking_pos_chain::message::RefusalKind::{
    self, BlockAlreadyFinalised, BlockNotFound, Broken, DelegationNotFound, FinalityNotActive,
    FinalityProviderDeleted, FinalityProviderJailed, FinalityProviderNotFound, FinalityProviderSlashed,
    HeaderUnknown, HeadersRejected, IncludedTooEarly, InsufficientFunds, InvalidCovenantSignature,
    InvalidRandomness, NotACommitteeMember, NotAuthorised, NotNow, NothingToWithdraw, Other,
    RandomnessNotUsable, WaitingTime,
};

/// What an error means for the message that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The chain already has what the message would have added.
    Done,
    /// Refused for this reason.
    Refused(RefusalKind),
    /// Says nothing by itself: what other errors are wrapped into.
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
    /// What it means, unless words of the log say more.
    pub meaning: Meaning,
}

const fn entry(codespace: &'static str, code: u32, text: &'static str, meaning: Meaning) -> Registered {
    Registered { codespace, code, text, meaning }
}

use Meaning::{Done, Generic, Refused};
const OTHER: Meaning = Refused(Other);

/// All of them.
#[rustfmt::skip]
pub const REGISTRY: [Registered; 169] = [
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
    entry("btcstaking", 1110, "the covenant signature is not valid", Refused(InvalidCovenantSignature)),
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
    entry("btcstaking", 1130, "the finality provider has been deleted", Refused(FinalityProviderDeleted)),
    // finality
    entry("finality", 1100, "Block is not found", Refused(BlockNotFound)),
    entry("finality", 1101, "vote is not found", OTHER),
    entry("finality", 1102, "the chain has not reached the given height yet", Refused(BlockNotFound)),
    entry("finality", 1103, "public randomness is not found", Refused(RandomnessNotUsable)),
    entry("finality", 1104, "the finality provider has not committed any public randomness yet", Refused(RandomnessNotUsable)),
    entry("finality", 1105, "the request contains too few public randomness", OTHER),
    entry("finality", 1106, "the public randomness list is invalid", Refused(InvalidRandomness)),
    entry("finality", 1107, "evidence is not found", OTHER),
    entry("finality", 1108, "finality signature is not valid", OTHER),
    entry("finality", 1109, "duplicated finality vote", Done),
    entry("finality", 1110, "there is no slashable evidence", OTHER),
    entry("finality", 1111, "the public randomness commit is not BTC timestamped yet", Refused(RandomnessNotUsable)),
    entry("finality", 1112, "the jailing period is not passed", Refused(WaitingTime)),
    entry("finality", 1113, "voting power table has not been updated", OTHER),
    entry("finality", 1114, "the BTC staking protocol is not activated yet", Refused(FinalityNotActive)),
    entry("finality", 1115, "finality is not active yet", Refused(FinalityNotActive)),
    entry("finality", 1116, "the voting block is already finalized and timestamped", Refused(BlockAlreadyFinalised)),
    entry("finality", 1117, "overflow in block height calculation", OTHER),
    entry("finality", 1118, "the public randomness commitment is invalid", OTHER),
    entry("finality", 1121, "resume finality proposal message is not valid", OTHER),
    entry("finality", 1122, "finality provider is deleted", Refused(FinalityProviderDeleted)),
    entry("finality", 1123, "invalid satoshi amount", Refused(Broken)),
    entry("finality", 1124, "voting power table was not found", OTHER),
    // btclightclient
    entry("btclightclient", 1100, "header does not exist", Refused(HeaderUnknown)),
    entry("btclightclient", 1101, "parent for provided hash is not maintained", Refused(HeadersRejected)),
    entry("btclightclient", 1102, "empty message provided", OTHER),
    entry("btclightclient", 1103, "provided header has invalid proof of work", Refused(HeadersRejected)),
    entry("btclightclient", 1104, "provided header does not satisfy header validation rules", Refused(HeadersRejected)),
    entry("btclightclient", 1105, "provided chain has not enough work", Refused(HeadersRejected)),
    entry("btclightclient", 1106, "unauthorized reporter", Refused(NotAuthorised)),
    entry("btclightclient", 1107, "invalid message format", OTHER),
    entry("btclightclient", 1108, "fork start with known header", Done),
    // btccheckpoint
    entry("btccheckpoint", 1100, "Invalid checkpoint proof", OTHER),
    entry("btccheckpoint", 1101, "Duplicated submission", Done),
    entry("btccheckpoint", 1102, "No checkpoints for previous epoch", OTHER),
    entry("btccheckpoint", 1103, "Proof headers are invalid", Refused(HeaderUnknown)),
    entry("btccheckpoint", 1104, "Proof header does not have ancestor in previous epoch", OTHER),
    entry("btccheckpoint", 1105, "Submission denied. Epoch already finalized", OTHER),
    // incentive
    entry("incentive", 1100, "BTC staking gauge not found", OTHER),
    entry("incentive", 1101, "reward gauge not found", Refused(NothingToWithdraw)),
    entry("incentive", 1102, "no coin is withdrawable", Refused(NothingToWithdraw)),
    entry("incentive", 1103, "finality provider current rewards not found", OTHER),
    entry("incentive", 1104, "finality provider historical rewards not found", OTHER),
    entry("incentive", 1105, "BTC delegation rewards tracker not found", OTHER),
    entry("incentive", 1106, "BTC delegation rewards tracker has a negative amount of TotalActiveSat", Refused(Broken)),
    entry("incentive", 1107, "FP current rewards tracker has a negative amount of TotalActiveSat", Refused(Broken)),
    entry("incentive", 1108, "invalid amount", OTHER),
    // costaking
    entry("costaking", 1102, "score ratio of btc to baby is invalid", OTHER),
    entry("costaking", 1103, "score ratio of btc to baby should be higher or equal 1", OTHER),
    entry("costaking", 1104, "current rewards is invalid", OTHER),
    entry("costaking", 1105, "percentage should be less or equal 1", OTHER),
    entry("costaking", 1106, "percentage is invalid", OTHER),
    entry("costaking", 1107, "period is invalid", OTHER),
    entry("costaking", 1108, "negative rewards should not be possible", Refused(Broken)),
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
    // epoching
    entry("epoching", 1, UNWRAPPED, OTHER),
    entry("epoching", 2, "invalid message type of a QueuedMessage", OTHER),
    entry("epoching", 3, "the epoch number is not known in DB", OTHER),
    entry("epoching", 5, "the slashed voting power is not known in DB. Maybe the epoch has been checkpointed?", OTHER),
    entry("epoching", 6, "the validator is not known in the validator set.", OTHER),
    entry("epoching", 7, "the total voting power is not known in DB.", OTHER),
    entry("epoching", 8, "marshal error.", Refused(Broken)),
    entry("epoching", 9, "unmarshal error.", Refused(Broken)),
    entry("epoching", 10, "the wrapped msg contains no msg inside.", OTHER),
    entry("epoching", 11, "the 0-th epoch does not handle messages", Refused(WaitingTime)),
    entry("epoching", 12, "the epoch is invalid", OTHER),
    entry("epoching", 13, "the height is invalid", OTHER),
    entry("epoching", 14, "the delegator has insufficient balance to perform delegate", Refused(InsufficientFunds)),
    // monitor
    entry("monitor", 1100, "Epoch not ended yet", OTHER),
    entry("monitor", 1101, "Checkpoint not reported yet", OTHER),
    // gov, staking: those that this chain's messages meet
    entry("gov", 12, "invalid proposal message", OTHER),
    entry("gov", 13, "expected gov account as only signer for proposal message", Refused(NotAuthorised)),
    entry("staking", 9, "commission must be positive", OTHER),
    entry("staking", 10, "commission cannot be more than 100%", OTHER),
    entry("staking", 11, "commission cannot be more than the max rate", OTHER),
    entry("staking", 12, "commission cannot be changed more than once in 24h", Refused(WaitingTime)),
    entry("staking", 13, "commission change rate must be positive", OTHER),
    entry("staking", 14, "commission change rate cannot be more than the max rate", OTHER),
    entry("staking", 15, "commission cannot be changed more than max change rate", OTHER),
    // sdk
    entry("sdk", 2, "tx parse error", Refused(Broken)),
    entry("sdk", 3, "invalid sequence", Refused(NotNow)),
    entry("sdk", 4, "unauthorized", Refused(Broken)),
    entry("sdk", 5, "insufficient funds", Refused(InsufficientFunds)),
    entry("sdk", 6, "unknown request", Generic),
    entry("sdk", 7, "invalid address", OTHER),
    entry("sdk", 8, "invalid pubkey", Refused(Broken)),
    entry("sdk", 9, "unknown address", Refused(InsufficientFunds)),
    entry("sdk", 10, "invalid coins", OTHER),
    entry("sdk", 11, "out of gas", Refused(NotNow)),
    entry("sdk", 12, "memo too large", OTHER),
    entry("sdk", 13, "insufficient fee", Refused(NotNow)),
    entry("sdk", 14, "maximum number of signatures exceeded", Refused(Broken)),
    entry("sdk", 15, "no signatures supplied", Refused(Broken)),
    entry("sdk", 18, "invalid request", Generic),
    entry("sdk", 19, "tx already in mempool", Refused(NotNow)),
    entry("sdk", 20, "mempool is full", Refused(NotNow)),
    entry("sdk", 21, "tx too large", OTHER),
    entry("sdk", 22, "key not found", Generic),
    entry("sdk", 24, "tx intended signer does not match the given signer", Refused(Broken)),
    entry("sdk", 26, "invalid height", Refused(NotNow)),
    entry("sdk", 27, "invalid version", Refused(Broken)),
    entry("sdk", 28, "invalid chain-id", Refused(Broken)),
    entry("sdk", 29, "invalid type", Refused(Broken)),
    entry("sdk", 30, "tx timeout height", Refused(NotNow)),
    entry("sdk", 31, "unknown extension options", Refused(Broken)),
    entry("sdk", 32, "incorrect account sequence", Refused(NotNow)),
    entry("sdk", 33, "failed packing protobuf message to Any", Refused(Broken)),
    entry("sdk", 34, "failed unpacking protobuf message from Any", Refused(Broken)),
    entry("sdk", 35, "internal logic error", Refused(Broken)),
    entry("sdk", 36, "conflict", OTHER),
    entry("sdk", 37, "feature not supported", OTHER),
    entry("sdk", 38, "not found", Generic),
    entry("sdk", 39, "internal IO error", Refused(NotNow)),
    entry("sdk", 40, "error in app.toml", Refused(Broken)),
    entry("sdk", 41, "invalid gas limit", Refused(Broken)),
    entry("sdk", 42, "tx timeout", Refused(NotNow)),
    // panics; not told by code in simulations
    entry("undefined", 111_222, "panic", Refused(Broken)),
];

/// The registered text goes on over several lines; this is how it starts.
const UNWRAPPED: &str = "invalid message type in {MsgCreateValidator";
