//! Every error row of `chain.md`, as a node prints it, with what it means.

use super::*;
use RefusalClass::{Broken as Fault, Reasoned, Transient};

/// How the chain gives an error (`chain.md` 0).
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// Codespace and code are in the result.
    Code(&'static str, u32),
    /// `~`, `plain` and `status`: `undefined/1`, and the log is all there is.
    Lost,
    /// `panic`
    Panic,
}
use Seen::{Code, Lost, Panic};

/// What it means: nothing is left to do, or a refusal with its class.
type Means = Option<(RefusalKind, RefusalClass)>;
const DONE: Means = None;
const fn no(kind: RefusalKind) -> Means {
    Some((kind, Reasoned))
}
const fn later(kind: RefusalKind) -> Means {
    Some((kind, Transient))
}
const FAULT: Means = Some((Broken, Fault));

const BTC: &str = "btcstaking";
const FIN: &str = "finality";
const LC: &str = "btclightclient";

/// Section, row, how it is seen, its log, what it means.
#[rustfmt::skip]
const ROWS: &[(&str, &str, Seen, &str, Means)] = &[
    ("0", "decoding", Code("sdk", 2), "errUnknownField: tx parse error", FAULT),
    ("0", "panic", Panic, "recovered: runtime error: invalid memory address\nstack:\ngoroutine 1 [running]: main.go: panic", FAULT),
    ("0", "place", Lost, "not k-deep: k=10; depth=2: the BTC staking tx is not valid [cosmossdk.io/errors@v1.0.2/errors.go:155]", later(NotDeepEnough)),
    // 2.2 MsgInsertHeaders
    ("2.2", "1", Lost, "empty headers list", no(Other)),
    ("2.2", "2", Code(LC, 1103), "provided header has invalid proof of work", no(HeadersRejected)),
    ("2.2", "3", Code(LC, 1107), "empty headers: invalid message format", no(Other)),
    ("2.2", "4", Code(LC, 1106), "reporter bbn1x is not authorized: unauthorized reporter", no(NotAuthorised)),
    ("2.2", "5", Lost, "headers do not form a chain", no(Other)),
    ("2.2", "6", Lost, "bad time: provided header does not satisfy header validation rules", no(HeadersRejected)),
    ("2.2", "7", Code(LC, 1108), "fork start with known header", DONE),
    ("2.2", "8", Lost, "parent for provided hash is not maintained", no(HeadersRejected)),
    ("2.2", "9", Lost, "provided header does not satisfy header validation rules", no(HeadersRejected)),
    ("2.2", "10", Lost, "provided chain has not enough work", no(HeadersRejected)),
    // 3.3 MsgInsertBTCSpvProof
    ("3.3", "1", Code("btccheckpoint", 1100), "two proofs are needed: Invalid checkpoint proof", no(Other)),
    ("3.3", "2", Code("btccheckpoint", 1100), "parts do not match: Invalid checkpoint proof", no(Other)),
    ("3.3", "3", Code("btccheckpoint", 1101), "Duplicated submission", DONE),
    ("3.3", "4", Code("btccheckpoint", 1103), "Proof headers are invalid", later(HeaderUnknown)),
    ("3.3", "5", Code("btccheckpoint", 1105), "Submission denied. Epoch already finalized", no(Other)),
    ("3.3", "6", Lost, "raw checkpoint does not exist", no(Other)),
    ("3.3", "6a", Code("checkpointing", 1206), "bad signature: raw checkpoint is invalid", no(Other)),
    ("3.3", "6a", Lost, "bitmap has 12 bytes", no(Other)),
    ("3.3", "7", Code("btccheckpoint", 1102), "No checkpoints for previous epoch", no(Other)),
    ("3.3", "7", Code("btccheckpoint", 1104), "Proof header does not have ancestor in previous epoch", no(Other)),
    // 4 parameters
    ("4", "below", Lost, "no params version for BTC height 5", no(Other)),
    ("4", "below", Code(BTC, 1120), "the parameters are not found", no(Other)),
    ("4", "order", Lost, "btc activation height must be above that of the last version", no(Other)),
    ("4", "authority", Code("gov", 13), "invalid authority; expected a, got b: expected gov account as only signer for proposal message", no(NotAuthorised)),
    ("4", "unbonding", Code("gov", 12), "the unbonding time 5 must be larger than 10: invalid proposal message", no(Other)),
    ("4", "content", Lost, "covenant quorum size has to be more than half of the committee", no(Other)),
    // 5.2 MsgCreateFinalityProvider
    ("5.2", "1", Code(BTC, 1125), "empty commission", no(Other)),
    ("5.2", "2", Code("staking", 9), "commission must be positive", no(Other)),
    ("5.2", "3", Code("staking", 10), "commission cannot be more than 100%", no(Other)),
    ("5.2", "4", Code("staking", 9), "commission must be positive", no(Other)),
    ("5.2", "5", Code(BTC, 1112), "commission cannot be more than one", no(Other)),
    ("5.2", "6", Code("staking", 13), "commission change rate must be positive", no(Other)),
    ("5.2", "6", Code("staking", 14), "commission change rate cannot be more than the max rate", no(Other)),
    ("5.2", "7", Lost, "empty moniker", no(Other)),
    ("5.2", "7", Code("sdk", 18), "invalid moniker length; got: 71, max: 70: invalid request", no(Other)),
    ("5.2", "8", Lost, "invalid BTC public key", no(Other)),
    ("5.2", "9", Lost, "empty proof of possession", no(Other)),
    ("5.2", "10", Lost, "rpc error: code = InvalidArgument desc = invalid proof of possession", no(Other)),
    ("5.2", "11", Code(BTC, 1103), "same babylon address: bbn1x: the finality provider has already been registered", no(AccountTaken)),
    ("5.2", "12", Code(BTC, 1111), "minimum rate of 0.03: commission cannot be less than min rate", no(Other)),
    ("5.2", "13", Code(BTC, 1112), "commission cannot be more than one", no(Other)),
    ("5.2", "14", Code(BTC, 1103), "the finality provider has already been registered", DONE),
    ("5.2", "trap", Panic, "recovered: nil decimal: panic", FAULT),
    // 5.3 MsgEditFinalityProvider
    ("5.3", "1", Code("sdk", 18), "commission rate must be between 0 and 1: invalid request", no(Other)),
    ("5.3", "1", Code(BTC, 1112), "commission cannot be more than one", no(Other)),
    ("5.3", "2", Lost, "malformed BTC PK", no(Other)),
    ("5.3", "2", Code("sdk", 18), "invalid details length: invalid request", no(Other)),
    ("5.3", "3", Code(BTC, 1100), "the finality provider is not found", no(FinalityProviderNotFound)),
    ("5.3", "4", Lost, "rpc error: code = PermissionDenied desc = the signer is not the provider", no(NotAuthorised)),
    ("5.3", "6", Lost, "no commission info defined", no(Other)),
    ("5.3", "7", Code("staking", 12), "commission cannot be changed more than once in 24h", later(WaitingTime)),
    ("5.3", "8", Code(BTC, 1111), "commission cannot be less than min rate", no(Other)),
    ("5.3", "9", Code("staking", 11), "commission cannot be more than the max rate", no(Other)),
    ("5.3", "10", Code("staking", 15), "commission cannot be changed more than max change rate", no(Other)),
    // 6.4 stateless parse of a registration
    ("6.4", "1", Lost, "staking tx proof of inclusion has no bytes", no(Other)),
    ("6.4", "2", Lost, "staking tx does not deserialize", no(Other)),
    ("6.4", "3", Lost, "unbonding time 65536 must be lower than 65535", no(Other)),
    ("6.4", "4", Lost, "invalid staker address", no(Other)),
    ("6.4", "5", Lost, "empty proof of possession", no(Other)),
    ("6.4", "6", Lost, "invalid slashing signature", no(Other)),
    ("6.4", "7", Lost, "empty list of keys", no(Other)),
    ("6.4", "8", Code(BTC, 1118), "the staking request contains duplicated finality provider public key", no(Other)),
    ("6.4", "9", Code(BTC, 1116), "the finality provider list contains too many public keys, it must contain exactly one", no(Other)),
    ("6.4", "10", Lost, "invalid staker public key", no(Other)),
    ("6.4", "11", Lost, "staking value must be positive", no(Other)),
    // 6.5 MsgCreateBTCDelegation
    ("6.5", "1", Code(BTC, 1117), "bad signature: the proof of possession is not valid", no(Other)),
    ("6.5", "2", Code(BTC, 1106), "duplicated tx hash: ab: the BTC staking tx is already used", DONE),
    ("6.5", "3", Code(BTC, 1100), "the finality provider is not found", no(FinalityProviderNotFound)),
    ("6.5", "4", Code(BTC, 1104), "finality key: ab: the finality provider has already been slashed", no(FinalityProviderSlashed)),
    ("6.5", "5", Code(BTC, 1130), "the finality provider has been deleted", no(FinalityProviderDeleted)),
    ("6.5", "6", Lost, "invalid inclusion proof: the header ab is not found", later(HeaderUnknown)),
    ("6.5", "7", Lost, "invalid inclusion proof: not included: the BTC staking tx is not valid", no(Other)),
    ("6.5", "8", Lost, "invalid inclusion proof: coinbase: the BTC staking tx is not valid", no(Other)),
    ("6.5", "9", Lost, "invalid inclusion proof: not k-deep: k=30; depth=2: the BTC staking tx is not valid", later(NotDeepEnough)),
    ("6.5", "10", Lost, "no more than unbonding(=200) blocks left: the BTC staking tx is not valid", no(Other)),
    ("6.5", "11", Lost, "no params version for BTC height 5", no(Other)),
    ("6.5", "13", Code(BTC, 1108), "is not in the allow list: the BTC staking tx is not valid", no(Other)),
    ("6.5", "14", Code("sdk", 11), "out of gas in location: x; gasWanted: 1, gasUsed: 2: out of gas", later(NotNow)),
    // 6.6 Bitcoin data against the params
    ("6.6", "1", Code(BTC, 1114), "unbonding time 5 must be equal to 6: the BTC unbonding tx is not valid", no(Other)),
    ("6.6", "2", Code(BTC, 1108), "the BTC staking tx is not valid", no(Other)),
    ("6.6", "3", Code(BTC, 1108), "no expected output: the BTC staking tx is not valid", no(Other)),
    ("6.6", "4", Code(BTC, 1108), "the BTC staking tx is not valid", no(Other)),
    ("6.6", "5", Code(BTC, 1108), "the BTC staking tx is not valid", no(Other)),
    ("6.6", "6", Code(BTC, 1108), "the BTC staking tx is not valid", no(Other)),
    ("6.6", "7", Code(BTC, 1108), "slashing tx: the BTC staking tx is not valid", no(Other)),
    ("6.6", "8", Code(BTC, 1109), "invalid delegator signature: the BTC slashing tx is not valid", no(Other)),
    ("6.6", "9", Code(BTC, 1114), "the BTC unbonding tx is not valid", no(Other)),
    ("6.6", "10", Code(BTC, 1114), "the BTC unbonding tx is not valid", no(Other)),
    ("6.6", "11", Code(BTC, 1114), "the BTC unbonding tx is not valid", no(Other)),
    ("6.6", "12", Code(BTC, 1109), "the BTC slashing tx is not valid", no(Other)),
    ("6.6", "13", Code(BTC, 1114), "the BTC unbonding tx is not valid", no(Other)),
    ("6.6", "14", Code(BTC, 1114), "the BTC unbonding tx is not valid", no(Other)),
    ("6.6", "15", Code(BTC, 1114), "the BTC unbonding tx is not valid", no(Other)),
    // 6.8 MsgBtcStakeExpand; rows 1 and 19 are 6.4 to 6.6
    ("6.8", "2", Lost, "funding tx does not deserialize", no(Other)),
    ("6.8", "3", Lost, "stake expansion must have 2 inputs", no(Other)),
    ("6.8", "4", Lost, "first input must be the previous staking transaction", no(Other)),
    ("6.8", "5", Lost, "second input must be the funding tx", no(Other)),
    ("6.8", "6", Lost, "funding tx has no output 3", no(Other)),
    ("6.8", "7", Lost, "funding output has no value", no(Other)),
    ("6.8", "8", Code(BTC, 1102), "the BTC delegation is not found", no(DelegationNotFound)),
    ("6.8", "9", Lost, "previous delegation is not active, current status is VERIFIED", no(Other)),
    ("6.8", "10", Lost, "rpc error: code = InvalidArgument desc = another staker address", no(Other)),
    ("6.8", "11", Lost, "rpc error: code = InvalidArgument desc = another finality provider", no(Other)),
    ("6.8", "12", Lost, "rpc error: code = InvalidArgument desc = another staker key", no(Other)),
    ("6.8", "13", Code(BTC, 1130), "the finality provider has been deleted", no(FinalityProviderDeleted)),
    ("6.8", "14", Lost, "rpc error: code = InvalidArgument desc = funding output is a staking output", no(Other)),
    ("6.8", "15", Lost, "rpc error: code = InvalidArgument desc = input index differs", no(Other)),
    ("6.8", "16", Lost, "rpc error: code = InvalidArgument desc = amount is less than before", no(Other)),
    ("6.8", "17", Lost, "rpc error: code = InvalidArgument desc = no fee", no(Other)),
    ("6.8", "18", Lost, "insufficient covenant committee overlap", no(Other)),
    // 6.9 MsgAddCovenantSigs
    ("6.9", "1", Lost, "empty covenant signatures on slashing tx", no(Other)),
    ("6.9", "2", Code(BTC, 1102), "the BTC delegation is not found", no(DelegationNotFound)),
    ("6.9", "3", Code(BTC, 1107), "covenant pk: ab: the BTC staking tx specifies a wrong covenant PK", no(NotACommitteeMember)),
    ("6.9", "4", Code(BTC, 1123), "the covenant signature is already submitted", DONE),
    ("6.9", "5", Code(BTC, 1110), "the BTC delegation is already unbonded: the covenant signature is not valid", no(DelegationEnded)),
    ("6.9", "6", Code(BTC, 1110), "the covenant signature is not valid", no(InvalidCovenantSignature)),
    ("6.9", "7", Code(BTC, 1110), "err: bad adaptor: the covenant signature is not valid", no(InvalidCovenantSignature)),
    ("6.9", "8", Code(BTC, 1110), "the covenant signature is not valid", no(InvalidCovenantSignature)),
    ("6.9", "9", Code(BTC, 1110), "the covenant signature is not valid", no(InvalidCovenantSignature)),
    ("6.9", "10", Code(BTC, 1110), "the covenant signature is not valid", no(InvalidCovenantSignature)),
    ("6.9", "11", Code(BTC, 1110), "not a stake expansion: the covenant signature is not valid", no(InvalidCovenantSignature)),
    ("6.9", "12", Code(BTC, 1110), "covenant with pk ab was not a member at params: the covenant signature is not valid", no(NotACommitteeMember)),
    ("6.9", "12", Code(BTC, 1110), "the covenant signature is already submitted: the covenant signature is not valid", DONE),
    // 6.10 MsgAddBTCDelegationInclusionProof
    ("6.10", "1", Lost, "empty inclusion proof", no(Other)),
    ("6.10", "2", Code(BTC, 1102), "the BTC delegation is not found", no(DelegationNotFound)),
    ("6.10", "3", Lost, "the BTC delegation ab is a stake expansion", no(Other)),
    ("6.10", "4", Lost, "the delegation ab already has inclusion proof", DONE),
    ("6.10", "5", Lost, "the delegation ab has not received a quorum of covenant signatures", later(QuorumMissing)),
    ("6.10", "6", Lost, "the delegation ab is already unbonded", no(DelegationEnded)),
    ("6.10", "7", Lost, "invalid inclusion proof: the header ab is not found", later(HeaderUnknown)),
    ("6.10", "7", Lost, "not k-deep: k=30; depth=2: the BTC staking tx is not valid", later(NotDeepEnough)),
    ("6.10", "7", Lost, "not included: the BTC staking tx is not valid", no(Other)),
    ("6.10", "8", Code(BTC, 1124), "the staking transaction is included too early in BTC chain", no(IncludedTooEarly)),
    // 6.11 MsgBTCUndelegate
    ("6.11", "1", Lost, "staking tx hash is not 64", no(Other)),
    ("6.11", "2", Code(BTC, 1102), "the BTC delegation is not found", no(DelegationNotFound)),
    ("6.11", "3", Code(BTC, 1119), "cannot unbond an unbonded BTC delegation: invalid undelegation request", DONE),
    ("6.11", "4", Code(BTC, 1119), "no transaction: invalid undelegation request", no(Other)),
    ("6.11", "5", Code(BTC, 1119), "not on BTC chain: header does not exist: invalid undelegation request", later(HeaderUnknown)),
    ("6.11", "6a", Code(BTC, 1119), "not k-deep: k=30; depth=2: the BTC staking tx is not valid: invalid undelegation request", later(NotDeepEnough)),
    ("6.11", "6a", Code(BTC, 1119), "has not received a quorum of covenant signatures: invalid undelegation request", later(QuorumMissing)),
    ("6.11", "6a", Code(BTC, 1119), "the delegation ab already has inclusion proof: invalid undelegation request", no(Other)),
    ("6.11", "6a", Code(BTC, 1119), "the staking transaction is included too early in BTC chain: invalid undelegation request", no(IncludedTooEarly)),
    ("6.11", "6b", Code(BTC, 1119), "invalid inclusion proof: invalid undelegation request", no(Other)),
    ("6.11", "7", Code(BTC, 1119), "does not spend: invalid undelegation request", no(Other)),
    ("6.11", "8", Code(BTC, 1119), "no funding transactions: invalid undelegation request", no(Other)),
    ("6.11", "9", Code(BTC, 1119), "signature: invalid undelegation request", no(Other)),
    // 7 MsgSelectiveSlashingEvidence
    ("7", "form", Lost, "malformed BTC SK", no(Other)),
    ("7", "missing", Code(BTC, 1100), "the finality provider is not found", no(FinalityProviderNotFound)),
    ("7", "slashed", Code(BTC, 1104), "the finality provider has already been slashed", no(FinalityProviderSlashed)),
    // 10.1 MsgCommitPubRandList
    ("10.1", "1", Code("sdk", 7), "invalid signer address: invalid address", no(Other)),
    ("10.1", "2", Code(FIN, 1106), "commitment must be 32 bytes: the public randomness list is invalid", no(InvalidRandomness)),
    ("10.1", "3", Code(FIN, 1117), "overflow in block height calculation", no(Other)),
    ("10.1", "4", Code(FIN, 1106), "too far into the future: the public randomness list is invalid", no(InvalidRandomness)),
    ("10.1", "5", Code(FIN, 1115), "finality is not active yet", later(FinalityNotActive)),
    ("10.1", "6", Code(FIN, 1105), "the request contains too few public randomness", no(Other)),
    ("10.1", "7", Code(FIN, 1106), "the public randomness list is invalid", no(InvalidRandomness)),
    ("10.1", "8", Code(BTC, 1100), "the finality provider is not found", no(FinalityProviderNotFound)),
    ("10.1", "9", Code(FIN, 1122), "finality provider is deleted", no(FinalityProviderDeleted)),
    ("10.1", "10", Code(FIN, 1106), "invalid signature: the public randomness list is invalid", no(InvalidRandomness)),
    ("10.1", "11", Code(FIN, 1106), "has overlap with: the public randomness list is invalid", no(InvalidRandomness)),
    ("10.1", "uncovered", Code(FIN, 1103), "public randomness is not found", later(RandomnessNotUsable)),
    ("10.1", "untimely", Code(FIN, 1111), "the public randomness commit is not BTC timestamped yet", later(RandomnessNotUsable)),
    ("10.1", "never", Lost, "collections: not found: key 'x'", later(RandomnessNotUsable)),
    // 10.2 MsgAddFinalitySig
    ("10.2", "1", Code("sdk", 7), "invalid address", no(Other)),
    ("10.2", "2", Code(FIN, 1108), "empty inclusion proof: finality signature is not valid", no(Other)),
    ("10.2", "3", Code(FIN, 1115), "is lower than activation height 5: finality is not active yet", later(FinalityNotActive)),
    ("10.2", "4", Code(FIN, 1100), "Block is not found", later(BlockNotFound)),
    ("10.2", "5", Code(FIN, 1116), "height: 5: the voting block is already finalized and timestamped", no(BlockAlreadyFinalised)),
    ("10.2", "6", Code(FIN, 1122), "finality provider is deleted", no(FinalityProviderDeleted)),
    ("10.2", "7", Code(BTC, 1100), "the finality provider is not found", no(FinalityProviderNotFound)),
    ("10.2", "8", Code(BTC, 1104), "the finality provider has already been slashed", no(FinalityProviderSlashed)),
    ("10.2", "9", Code(BTC, 1121), "the finality provider has already been jailed", later(FinalityProviderJailed)),
    ("10.2", "10", Code(FIN, 1108), "does not have voting power at height 5: finality signature is not valid", no(NoVotingPower)),
    ("10.2", "11", Code(FIN, 1109), "duplicated finality vote", DONE),
    ("10.2", "12", Code(FIN, 1103), "public randomness is not found", later(RandomnessNotUsable)),
    ("10.2", "12", Code(FIN, 1111), "the public randomness commit is not BTC timestamped yet", later(RandomnessNotUsable)),
    ("10.2", "13", Code(FIN, 1108), "proof is invalid: finality signature is not valid", no(Other)),
    ("10.2", "14", Lost, "failed to verify signature", no(Other)),
    // 10.7 MsgUnjailFinalityProvider
    ("10.7", "1", Lost, "failed to get finality provider ab: the finality provider is not found", no(FinalityProviderNotFound)),
    ("10.7", "2", Lost, "the fp's address a does not match the signer b", no(NotAuthorised)),
    ("10.7", "3", Code(BTC, 1122), "the finality provider is not jailed", DONE),
    ("10.7", "4", Lost, "failed to get the signing info of finality provider ab", no(Other)),
    ("10.7", "5", Code(FIN, 1112), "current block time: x, required y: the jailing period is not passed", later(WaitingTime)),
    ("10.7", "6", Lost, "failed to unjail: the finality provider has already been slashed", no(FinalityProviderSlashed)),
    // 10.8 MsgResumeFinalityProposal
    ("10.8", "address", Code("sdk", 7), "invalid authority address: invalid address", no(Other)),
    ("10.8", "form", Code(FIN, 1121), "halting height is zero: resume finality proposal message is not valid", no(Other)),
    ("10.8", "authority", Code("gov", 13), "expected gov account as only signer for proposal message", no(NotAuthorised)),
    ("10.8", "other", Code("gov", 12), "voted at that height: invalid proposal message", no(Other)),
    // 11.3, 11.4 rewards
    ("11.3", "kind", Lost, "rpc error: code = InvalidArgument desc = no such kind", no(Other)),
    ("11.3", "nothing", Code("incentive", 1102), "no coin is withdrawable", no(NothingToWithdraw)),
    ("11.3", "unknown", Lost, "rpc error: code = Internal desc = collections: not found: key 'x'", no(NothingToWithdraw)),
    ("11.3", "address", Lost, "rpc error: code = InvalidArgument desc = invalid address", no(Other)),
    ("11.3", "blocked", Code("sdk", 4), "bbn1x is not allowed to receive external funds: unauthorized", no(NotAuthorised)),
    // 12 transactions
    ("12", "decode", Code("sdk", 2), "tx parse error", FAULT),
    ("12", "handler", Code("sdk", 6), "no message handler found for *types.MsgDelegate: unknown request", FAULT),
    ("12", "sequence", Code("sdk", 32), "account sequence mismatch, expected 2, got 1: incorrect account sequence", later(NotNow)),
    ("12", "denomination", Lost, "invalid fee", FAULT),
    ("12", "floor", Code("sdk", 13), "insufficient fee", later(NotNow)),
    ("12", "cap", Code("sdk", 11), "gas limit above the node's: out of gas", later(NotNow)),
    ("12", "zero gas", Code("sdk", 41), "must provide positive gas: invalid gas limit", FAULT),
    ("12", "grant", Lost, "fee grants are not allowed", no(Other)),
    ("12", "timeout", Code("sdk", 30), "block height: 9, timeout height: 5: tx timeout height", later(NotNow)),
    ("12", "timeout", Code("sdk", 42), "tx timeout", later(NotNow)),
    ("12", "memo", Code("sdk", 12), "memo too large", no(Other)),
    ("12", "funds", Code("sdk", 5), "spendable balance 0ubbn is smaller than 400ubbn: insufficient funds", later(InsufficientFunds)),
    ("12", "signature", Code("sdk", 4), "signature verification failed: unauthorized", FAULT),
    ("12", "key", Code("sdk", 8), "pubkey does not match signer address: invalid pubkey", FAULT),
    ("12", "account", Code("sdk", 9), "account bbn1x does not exist: unknown address", later(InsufficientFunds)),
    ("12", "mempool", Code("sdk", 19), "tx already in mempool", later(NotNow)),
    ("12", "mempool", Code("sdk", 20), "mempool is full", later(NotNow)),
    ("12", "mempool", Code("sdk", 21), "tx too large", no(Other)),
];

/// The numbered checks of `chain.md` that refuse: section, the first and the last of them, those among them that do not
/// refuse or only name another table, and those numbered in between.
#[rustfmt::skip]
const NUMBERED: [(&str, u32, &[u32], &[&str]); 14] = [
    ("2.2", 10, &[], &[]),
    ("3.3", 7, &[], &["6a"]),
    ("5.2", 14, &[], &[]),
    ("5.3", 10, &[5], &[]),
    ("6.4", 11, &[], &[]),
    ("6.5", 14, &[12], &[]),
    ("6.6", 15, &[], &[]),
    ("6.8", 18, &[1], &[]),
    ("6.9", 12, &[], &[]),
    ("6.10", 8, &[], &[]),
    ("6.11", 9, &[6], &["6a", "6b"]),
    ("10.1", 11, &[], &[]),
    ("10.2", 14, &[], &[]),
    ("10.7", 6, &[], &[]),
];

#[test]
fn no_numbered_check_of_the_chain_lacks_its_error() {
    let has = |section: &str, check: &str| ROWS.iter().any(|row| row.0 == section && row.1 == check);
    let mut count = 0;
    for (section, last, none, between) in NUMBERED {
        let numbers = (1..=last).filter(|number| !none.contains(number)).map(|number| number.to_string());
        for check in numbers.chain(between.iter().map(ToString::to_string)) {
            assert!(has(section, &check), "{section} {check}");
            count += 1;
        }
    }
    assert_eq!(count, 158);
    let numbered = |check: &str| check.starts_with(|c: char| c.is_ascii_digit());
    for row in ROWS.iter().filter(|row| numbered(row.1)) {
        let (_, last, none, between) = NUMBERED.iter().find(|known| known.0 == row.0).unwrap();
        let listed = row.1.parse().is_ok_and(|number: u32| number <= *last && !none.contains(&number));
        assert!(listed || between.contains(&row.1), "{} {} is no check", row.0, row.1);
    }
}

#[test]
fn every_registered_error_of_the_rows_is_in_the_registry() {
    for (section, check, seen, _, _) in ROWS {
        if let Code(codespace, code) = *seen {
            let known = REGISTRY.iter().any(|entry| entry.codespace == codespace && entry.code == code);
            assert!(known, "{section} {check}: {codespace}/{code}");
        }
    }
}

#[test]
fn every_error_of_the_chain_means_the_same_in_blocks_in_simulation_and_over_grpc() {
    for (section, check, seen, log, means) in ROWS {
        let (codespace, code) = match *seen {
            Code(codespace, code) => (codespace, code),
            Lost => ("undefined", 1),
            Panic => ("undefined", PANIC),
        };
        let in_block = format!("failed to execute message; message index: 3: {log}");
        let simulated = |desc: &str| {
            format!("rpc error: code = Unknown desc = {desc} with gas used: '57041': unknown request")
        };
        // Refused before a message is executed, in a block, and both in simulation, by ABCI and by gRPC.
        let carriers = [
            (codespace, code, (*log).to_owned()),
            (codespace, code, in_block.clone()),
            ("sdk", 6, simulated(log)),
            ("sdk", 6, simulated(&in_block)),
            ("", 2, format!("{in_block} with gas used: '57041'")),
        ];
        for (codespace, code, log) in &carriers {
            let failure = Failure { codespace, code: *code, log };
            let expected = match means {
                Some((kind, _)) => Meaning::Refused(*kind),
                None => Meaning::Done,
            };
            assert_eq!(classify(&failure), expected, "{section} {check}: {codespace}/{code} {log}");
            assert_eq!(class(&failure), means.map(|(_, class)| class), "{section} {check}");
        }
    }
}
