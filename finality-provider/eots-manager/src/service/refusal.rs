//! Why a call is not answered, as a gRPC status.
//!
//! The established server answers FailedPrecondition to a double sign, InvalidArgument to a height twice in a batch,
//! PermissionDenied to the unsafe method, Unauthenticated to a wrong MAC, and Unknown to everything else that its
//! handlers refuse. Its client looks for the word FailedPrecondition and then gives the height up, so nothing that may
//! succeed later is answered with it.

use crate::{
    manager::SigningError,
    records::NotSafe,
    signer::{Refused, proto},
};
use prost::Message;
use std::fmt;
use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};

/// A call that is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub code: Code,
    /// Why.
    pub message: String,
    /// Whether the process must stop: a record may not be durable, or the machine computes wrongly.
    pub fatal: bool,
    /// What our own client is told beside the status.
    pub evidence: Option<Box<Refused>>,
}

impl Refusal {
    /// A refusal of one call.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fatal: false, evidence: None }
    }

    /// What the established server answers to everything that has no code of its own.
    pub fn unknown(message: impl fmt::Display) -> Self {
        Self::new(Code::Unknown, message.to_string())
    }

    /// A request that can never be granted as it is.
    pub fn invalid(message: impl fmt::Display) -> Self {
        Self::new(Code::InvalidArgument, message.to_string())
    }
}

impl From<SigningError> for Refusal {
    fn from(error: SigningError) -> Self {
        let code = match &error {
            error if error.is_fatal() => Code::Internal,
            SigningError::NotSafe(reason) if gives_height_up(reason) => Code::FailedPrecondition,
            SigningError::NotSafe(_) | SigningError::UnknownKey(_) => Code::Unknown,
            SigningError::Tree(_) => Code::InvalidArgument,
            SigningError::Sign(_) | SigningError::Faulty(_) => Code::Internal,
        };
        let fatal = error.is_fatal();
        Self { code, message: error.to_string(), fatal, evidence: None }
    }
}

/// Whether the height is not this signer's to sign as asked for: another vote is on record, or it is barred.
pub fn gives_height_up(reason: &NotSafe) -> bool {
    match reason {
        NotSafe::DoubleSign { .. }
        | NotSafe::OtherRandomness { .. }
        | NotSafe::BelowWatermark { .. }
        | NotSafe::AboveWatermark { .. } => true,
        NotSafe::NoHistory { .. } | NotSafe::NotDurable(_) | NotSafe::Poisoned => false,
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let Some(refused) = refusal.evidence else {
            return Self::new(refusal.code, refusal.message);
        };
        let told = proto::Refused::from(refused.as_ref()).encode_to_vec();
        let mut metadata = MetadataMap::new();
        metadata.insert_bin(proto::REFUSED_HEADER, MetadataValue::from_bytes(&told));
        Self::with_metadata(refusal.code, refusal.message, metadata)
    }
}
