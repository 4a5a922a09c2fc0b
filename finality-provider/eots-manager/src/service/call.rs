//! A call: which method, with which request.

use super::{
    own::{OWN_SERVICE, OwnCall, OwnMethod},
    proto::{
        BackupRequest, CreateRandomnessPairListRequest, Empty, SaveEotsKeyNameRequest, SignBatchEotsRequest,
        SignEotsRequest, SignSchnorrSigRequest, UnlockKeyRequest,
    },
    refusal::Refusal,
};
use prost::{DecodeError, Message};
use tonic::Code;

/// The established service's full name.
pub const SERVICE: &str = "proto.EOTSManager";

/// A method of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Whether anybody answers.
    Ping,
    /// Public randomness of a range.
    CreateRandomnessPairList,
    /// One EOTS signature.
    SignEots,
    /// Never granted.
    UnsafeSignEots,
    /// EOTS signatures at different heights.
    SignBatchEots,
    /// A BIP-340 signature.
    SignSchnorrSig,
    /// A name for a key.
    SaveEotsKeyName,
    /// A passphrase for a key.
    UnlockKey,
    /// A copy of the sign records.
    Backup,
    /// What our own daemon asks.
    Own(OwnMethod),
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 17] = [
        Self::Ping,
        Self::CreateRandomnessPairList,
        Self::SignEots,
        Self::UnsafeSignEots,
        Self::SignBatchEots,
        Self::SignSchnorrSig,
        Self::SaveEotsKeyName,
        Self::UnlockKey,
        Self::Backup,
        Self::Own(OwnMethod::PublicKeys),
        Self::Own(OwnMethod::History),
        Self::Own(OwnMethod::RaiseWatermark),
        Self::Own(OwnMethod::RecordSignedElsewhere),
        Self::Own(OwnMethod::VoteBatch),
        Self::Own(OwnMethod::SignCommitment),
        Self::Own(OwnMethod::CheckCommitment),
        Self::Own(OwnMethod::SignPossession),
    ];

    /// Its path in HTTP/2.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Ping => "/proto.EOTSManager/Ping",
            Self::CreateRandomnessPairList => "/proto.EOTSManager/CreateRandomnessPairList",
            Self::SignEots => "/proto.EOTSManager/SignEOTS",
            Self::UnsafeSignEots => "/proto.EOTSManager/UnsafeSignEOTS",
            Self::SignBatchEots => "/proto.EOTSManager/SignBatchEOTS",
            Self::SignSchnorrSig => "/proto.EOTSManager/SignSchnorrSig",
            Self::SaveEotsKeyName => "/proto.EOTSManager/SaveEOTSKeyName",
            Self::UnlockKey => "/proto.EOTSManager/UnlockKey",
            Self::Backup => "/proto.EOTSManager/Backup",
            Self::Own(method) => method.path(),
        }
    }

    /// The method of a path.
    ///
    /// # Errors
    /// Unimplemented for any other path.
    pub fn of_path(path: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|method| method.path() == path).ok_or_else(|| {
            let (service, method) = path.trim_start_matches('/').rsplit_once('/').unwrap_or((path, ""));
            let text = if [SERVICE, OWN_SERVICE].contains(&service) {
                format!("unknown method {method} for service {service}")
            } else {
                format!("unknown service {service}")
            };
            Refusal::new(Code::Unimplemented, text)
        })
    }
}

/// A decoded request.
#[derive(Debug)]
pub enum Call {
    /// [`Method::Ping`].
    Ping(Empty),
    /// [`Method::CreateRandomnessPairList`].
    CreateRandomnessPairList(CreateRandomnessPairListRequest),
    /// [`Method::SignEots`].
    SignEots(SignEotsRequest),
    /// [`Method::UnsafeSignEots`].
    UnsafeSignEots(SignEotsRequest),
    /// [`Method::SignBatchEots`].
    SignBatchEots(SignBatchEotsRequest),
    /// [`Method::SignSchnorrSig`].
    SignSchnorrSig(SignSchnorrSigRequest),
    /// [`Method::SaveEotsKeyName`].
    SaveEotsKeyName(SaveEotsKeyNameRequest),
    /// [`Method::UnlockKey`].
    UnlockKey(UnlockKeyRequest),
    /// [`Method::Backup`].
    Backup(BackupRequest),
    /// [`Method::Own`].
    Own(OwnCall),
}

impl Call {
    /// Decodes the request of a method.
    ///
    /// # Errors
    /// Internal, which is what the established server answers to bytes that are no message.
    pub fn decode(method: Method, bytes: &[u8]) -> Result<Self, Refusal> {
        Ok(match method {
            Method::Ping => Self::Ping(message(bytes)?),
            Method::CreateRandomnessPairList => Self::CreateRandomnessPairList(message(bytes)?),
            Method::SignEots => Self::SignEots(message(bytes)?),
            Method::UnsafeSignEots => Self::UnsafeSignEots(message(bytes)?),
            Method::SignBatchEots => Self::SignBatchEots(message(bytes)?),
            Method::SignSchnorrSig => Self::SignSchnorrSig(message(bytes)?),
            Method::SaveEotsKeyName => Self::SaveEotsKeyName(message(bytes)?),
            Method::UnlockKey => Self::UnlockKey(message(bytes)?),
            Method::Backup => Self::Backup(message(bytes)?),
            Method::Own(method) => Self::Own(OwnCall::decode(method, bytes).map_err(unreadable)?),
        })
    }

    /// Encodes the request with its fields in number order, which is what a header MAC is computed over: what is
    /// authenticated is then what is acted upon.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ping(request) => request.encode_to_vec(),
            Self::CreateRandomnessPairList(request) => request.encode_to_vec(),
            Self::SignEots(request) | Self::UnsafeSignEots(request) => request.encode_to_vec(),
            Self::SignBatchEots(request) => request.encode_to_vec(),
            Self::SignSchnorrSig(request) => request.encode_to_vec(),
            Self::SaveEotsKeyName(request) => request.encode_to_vec(),
            Self::UnlockKey(request) => request.encode_to_vec(),
            Self::Backup(request) => request.encode_to_vec(),
            Self::Own(call) => call.to_canonical_bytes(),
        }
    }
}

fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, Refusal> {
    M::decode(bytes).map_err(unreadable)
}

fn unreadable(error: DecodeError) -> Refusal {
    Refusal::new(Code::Internal, format!("grpc: error unmarshalling request: {error}"))
}
