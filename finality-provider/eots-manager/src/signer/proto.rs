//! The messages of `btc_staking.signer.v1.Signer`: what our daemon asks of a signer in another process.
//!
//! Keys, hashes and scalars are raw bytes of their one length, numbers are unsigned, chain ids are text. A refusal of the
//! whole call travels as its status, with [`Refused`] in the metadata `x-eots-refused-bin`; one of a single vote in its
//! place in the batch.

/// No field.
pub use crate::service::proto::Empty;

/// Metadata that carries a [`Refused`].
pub const REFUSED_HEADER: &str = "x-eots-refused-bin";

/// Keys that can sign.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PublicKeys {
    /// x-only, 32 bytes each, ascending.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: Vec<Vec<u8>>,
}

/// A key on a chain.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Subject {
    /// x-only, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// As it enters the randomness.
    #[prost(string, tag = "2")]
    pub chain_id: String,
}

/// Asks for the history of a key on a chain.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct HistoryRequest {
    /// Of whom.
    #[prost(message, optional, tag = "1")]
    pub subject: Option<Subject>,
}

/// What the sign records say.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct History {
    /// Whether they hold anything.
    #[prost(bool, tag = "1")]
    pub initialised: bool,
    /// Highest height signed or barred from below.
    #[prost(uint64, optional, tag = "2")]
    pub highest: Option<u64>,
    /// At or below it nothing new is signed.
    #[prost(uint64, optional, tag = "3")]
    pub low_watermark: Option<u64>,
    /// Above it nothing is signed.
    #[prost(uint64, optional, tag = "4")]
    pub high_watermark: Option<u64>,
}

/// Asks to bar heights.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RaiseWatermarkRequest {
    /// Of whom.
    #[prost(message, optional, tag = "1")]
    pub subject: Option<Subject>,
    /// At or below it nothing new is signed. Never left out: it cannot be taken back.
    #[prost(uint64, optional, tag = "2")]
    pub height: Option<u64>,
}

/// Tells what another instance with the same key signed or may have signed.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RecordSignedElsewhereRequest {
    /// With which key.
    #[prost(message, optional, tag = "1")]
    pub subject: Option<Subject>,
    /// Votes.
    #[prost(message, repeated, tag = "2")]
    pub votes: Vec<Vote>,
    /// At or below it nothing new is signed. Never left out: it cannot be taken back.
    #[prost(uint64, optional, tag = "3")]
    pub watermark: Option<u64>,
}

/// Consecutive heights and the root over their public randomness.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Range {
    /// First height.
    #[prost(uint64, tag = "1")]
    pub start_height: u64,
    /// Number of heights.
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// Merkle root, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub root: Vec<u8>,
}

/// What is voted for.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Vote {
    /// Height.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// App hash in its header, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub app_hash: Vec<u8>,
}

/// Asks for signatures on votes whose randomness one commitment covers.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct VoteBatchRequest {
    /// By whom.
    #[prost(message, optional, tag = "1")]
    pub subject: Option<Subject>,
    /// The commitment.
    #[prost(message, optional, tag = "2")]
    pub range: Option<Range>,
    /// For what.
    #[prost(message, repeated, tag = "3")]
    pub votes: Vec<Vote>,
}

/// Answers in the order of the votes.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct VoteBatchResponse {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub answers: Vec<VoteAnswer>,
}

/// A signature or why there is none: exactly one of the two.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct VoteAnswer {
    /// The height asked for.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// The signature.
    #[prost(message, optional, tag = "2")]
    pub signed: Option<Signed>,
    /// Why not.
    #[prost(message, optional, tag = "3")]
    pub refused: Option<Refused>,
}

/// An EOTS signature with the proof of its randomness.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Signed {
    /// x-coordinate, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub public_randomness: Vec<u8>,
    /// Scalar, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
    /// Number of values committed to.
    #[prost(uint64, tag = "3")]
    pub proof_total: u64,
    /// Position of this one.
    #[prost(uint64, tag = "4")]
    pub proof_index: u64,
    /// Hash of the leaf, 32 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub proof_leaf: Vec<u8>,
    /// From the leaf to the root, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub proof_aunts: Vec<Vec<u8>>,
}

/// A refusal with its evidence.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Refused {
    /// See [`reason`].
    #[prost(uint32, tag = "1")]
    pub reason: u32,
    /// In words.
    #[prost(string, tag = "2")]
    pub text: String,
    /// What was signed; of a double sign.
    #[prost(message, optional, tag = "3")]
    pub recorded: Option<Vote>,
    /// What was asked for; of a double sign.
    #[prost(message, optional, tag = "4")]
    pub requested: Option<Vote>,
    /// The watermark in the way.
    #[prost(uint64, optional, tag = "5")]
    pub watermark: Option<u64>,
}

/// Values of [`Refused::reason`]; every other is read as [`OTHER`](reason::OTHER).
pub mod reason {
    /// Nothing of the below.
    pub const OTHER: u32 = 0;
    /// Another vote was signed at the height.
    pub const DOUBLE_SIGN: u32 = 1;
    /// The vote was signed with other randomness.
    pub const OTHER_RANDOMNESS: u32 = 2;
    /// At or below the low watermark.
    pub const BELOW_WATERMARK: u32 = 3;
    /// Above the high watermark.
    pub const ABOVE_WATERMARK: u32 = 4;
    /// The key is not held, or locked.
    pub const UNKNOWN_KEY: u32 = 5;
    /// The commitment is not this key's, or does not cover the height.
    pub const RANDOMNESS: u32 = 6;
    /// Nothing is known of the key on the chain.
    pub const NO_HISTORY: u32 = 7;
}

/// Asks for a commitment.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignCommitmentRequest {
    /// By whom.
    #[prost(message, optional, tag = "1")]
    pub subject: Option<Subject>,
    /// First height.
    #[prost(uint64, tag = "2")]
    pub start_height: u64,
    /// Number of heights.
    #[prost(uint64, tag = "3")]
    pub count: u64,
}

/// A signed commitment to the heights asked for.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignCommitmentResponse {
    /// Merkle root, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub root: Vec<u8>,
    /// BIP-340, 64 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// Asks whether a commitment is this key's.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CheckCommitmentRequest {
    /// Whose.
    #[prost(message, optional, tag = "1")]
    pub subject: Option<Subject>,
    /// The commitment.
    #[prost(message, optional, tag = "2")]
    pub range: Option<Range>,
}

/// Asks for a proof of possession.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignPossessionRequest {
    /// x-only, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The account in bech32.
    #[prost(string, tag = "2")]
    pub account: String,
}

/// A proof of possession.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignPossessionResponse {
    /// BIP-340, 64 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub signature: Vec<u8>,
}
