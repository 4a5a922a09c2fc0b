//! The messages of `proto.EOTSManager`, field for field (`finality-provider.md` 4.1).

/// No field: the request and answer of Ping, and the answer of SaveEOTSKeyName and UnlockKey.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Empty {}

/// Asks for public randomness.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateRandomnessPairListRequest {
    /// x-only public key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub uid: Vec<u8>,
    /// Chain id as it enters the randomness.
    #[prost(bytes = "vec", tag = "2")]
    pub chain_id: Vec<u8>,
    /// First height.
    #[prost(uint64, tag = "3")]
    pub start_height: u64,
    /// How many heights.
    #[prost(uint32, tag = "4")]
    pub num: u32,
    /// Distance between two heights; absent or 0 for consecutive ones.
    #[prost(uint64, optional, tag = "5")]
    pub interval: Option<u64>,
}

/// Public randomness in height order.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateRandomnessPairListResponse {
    /// x-coordinates, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub pub_rand_list: Vec<Vec<u8>>,
}

/// Asks for one EOTS signature.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignEotsRequest {
    /// x-only public key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub uid: Vec<u8>,
    /// Chain id as it enters the randomness.
    #[prost(bytes = "vec", tag = "2")]
    pub chain_id: Vec<u8>,
    /// The vote: height in 8 bytes big-endian, then the app hash.
    #[prost(bytes = "vec", tag = "3")]
    pub msg: Vec<u8>,
    /// Height voted on.
    #[prost(uint64, tag = "4")]
    pub height: u64,
}

/// An EOTS signature.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignEotsResponse {
    /// The scalar, 32 bytes big-endian.
    #[prost(bytes = "vec", tag = "1")]
    pub sig: Vec<u8>,
}

/// One vote of a batch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignDataRequest {
    /// The vote, as in [`SignEotsRequest::msg`].
    #[prost(bytes = "vec", tag = "1")]
    pub msg: Vec<u8>,
    /// Height voted on.
    #[prost(uint64, tag = "2")]
    pub height: u64,
}

/// One signature of a batch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignDataResponse {
    /// The scalar, 32 bytes big-endian.
    #[prost(bytes = "vec", tag = "1")]
    pub sig: Vec<u8>,
    /// Height voted on.
    #[prost(uint64, tag = "2")]
    pub height: u64,
}

/// Asks for signatures at different heights.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignBatchEotsRequest {
    /// x-only public key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub uid: Vec<u8>,
    /// Chain id as it enters the randomness.
    #[prost(bytes = "vec", tag = "2")]
    pub chain_id: Vec<u8>,
    /// The votes.
    #[prost(message, repeated, tag = "3")]
    pub sign_requests: Vec<SignDataRequest>,
}

/// Signatures in the order of the requests, without the heights that may not be signed.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignBatchEotsResponse {
    /// The signatures.
    #[prost(message, repeated, tag = "1")]
    pub responses: Vec<SignDataResponse>,
}

/// Asks for a BIP-340 signature.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignSchnorrSigRequest {
    /// x-only public key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub uid: Vec<u8>,
    /// The 32 bytes to sign.
    #[prost(bytes = "vec", tag = "2")]
    pub msg: Vec<u8>,
}

/// A BIP-340 signature.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignSchnorrSigResponse {
    /// 64 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub sig: Vec<u8>,
}

/// Names a key.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SaveEotsKeyNameRequest {
    /// The name.
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// The public key, 33 bytes compressed or 65 uncompressed.
    #[prost(bytes = "vec", tag = "2")]
    pub eots_pk: Vec<u8>,
}

/// Unlocks a key. The passphrase is wiped on drop and not part of `Debug`.
#[derive(Clone, PartialEq, ::prost::Message)]
#[prost(skip_debug)]
pub struct UnlockKeyRequest {
    /// x-only public key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub uid: Vec<u8>,
    /// Passphrase of its key file.
    #[prost(string, tag = "2")]
    pub passphrase: String,
}

impl std::fmt::Debug for UnlockKeyRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnlockKeyRequest").field("uid", &self.uid).finish_non_exhaustive()
    }
}

impl Drop for UnlockKeyRequest {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.passphrase);
    }
}

/// Asks for a copy of the sign records.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BackupRequest {
    /// Path of the established manager's database; it means nothing here.
    #[prost(string, tag = "1")]
    pub db_path: String,
    /// Folder below the configured one.
    #[prost(string, tag = "2")]
    pub backup_dir: String,
}

/// Where the copy is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BackupResponse {
    /// Its name inside the folder asked for.
    #[prost(string, tag = "1")]
    pub backup_name: String,
}
