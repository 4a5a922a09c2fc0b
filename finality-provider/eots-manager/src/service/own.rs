//! What our own daemon asks: `btc_staking.signer.v1.Signer`, the other end of [`Remote`](crate::signer::Remote).
//!
//! Refusals carry their evidence. Nothing is signed here that would not be signed for a daemon in this process, and no
//! method signs bytes.

use super::{MAX_BATCH, Origin, Refusal, Service};
use crate::{
    manager::SigningError,
    signer::{
        self, Refused,
        convert::{Malformed, range, subject},
        proto,
    },
};
use btc_staking_protocol::{
    finality::vote::VoteMessage,
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use prost::{DecodeError, Message};
use tonic::Code;

/// The service's full name.
pub const OWN_SERVICE: &str = "btc_staking.signer.v1.Signer";

/// A method of our own service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnMethod {
    /// The keys that can sign.
    PublicKeys,
    /// What the sign records say.
    History,
    /// Bars heights.
    RaiseWatermark,
    /// Takes in what another instance signed.
    RecordSignedElsewhere,
    /// Signs votes.
    VoteBatch,
    /// Signs a commitment.
    SignCommitment,
    /// Whether a commitment is a key's.
    CheckCommitment,
    /// Proves possession.
    SignPossession,
}

/// A decoded request.
#[derive(Debug)]
pub enum OwnCall {
    /// [`OwnMethod::PublicKeys`].
    PublicKeys(proto::Empty),
    /// [`OwnMethod::History`].
    History(proto::HistoryRequest),
    /// [`OwnMethod::RaiseWatermark`].
    RaiseWatermark(proto::RaiseWatermarkRequest),
    /// [`OwnMethod::RecordSignedElsewhere`].
    RecordSignedElsewhere(proto::RecordSignedElsewhereRequest),
    /// [`OwnMethod::VoteBatch`].
    VoteBatch(proto::VoteBatchRequest),
    /// [`OwnMethod::SignCommitment`].
    SignCommitment(proto::SignCommitmentRequest),
    /// [`OwnMethod::CheckCommitment`].
    CheckCommitment(proto::CheckCommitmentRequest),
    /// [`OwnMethod::SignPossession`].
    SignPossession(proto::SignPossessionRequest),
}

impl OwnMethod {
    /// Its path in HTTP/2.
    pub const fn path(self) -> &'static str {
        match self {
            Self::PublicKeys => "/btc_staking.signer.v1.Signer/PublicKeys",
            Self::History => "/btc_staking.signer.v1.Signer/History",
            Self::RaiseWatermark => "/btc_staking.signer.v1.Signer/RaiseWatermark",
            Self::RecordSignedElsewhere => "/btc_staking.signer.v1.Signer/RecordSignedElsewhere",
            Self::VoteBatch => "/btc_staking.signer.v1.Signer/VoteBatch",
            Self::SignCommitment => "/btc_staking.signer.v1.Signer/SignCommitment",
            Self::CheckCommitment => "/btc_staking.signer.v1.Signer/CheckCommitment",
            Self::SignPossession => "/btc_staking.signer.v1.Signer/SignPossession",
        }
    }
}

impl OwnCall {
    pub(super) fn decode(method: OwnMethod, bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(match method {
            OwnMethod::PublicKeys => Self::PublicKeys(Message::decode(bytes)?),
            OwnMethod::History => Self::History(Message::decode(bytes)?),
            OwnMethod::RaiseWatermark => Self::RaiseWatermark(Message::decode(bytes)?),
            OwnMethod::RecordSignedElsewhere => Self::RecordSignedElsewhere(Message::decode(bytes)?),
            OwnMethod::VoteBatch => Self::VoteBatch(Message::decode(bytes)?),
            OwnMethod::SignCommitment => Self::SignCommitment(Message::decode(bytes)?),
            OwnMethod::CheckCommitment => Self::CheckCommitment(Message::decode(bytes)?),
            OwnMethod::SignPossession => Self::SignPossession(Message::decode(bytes)?),
        })
    }

    pub(super) fn to_canonical_bytes(&self) -> Vec<u8> {
        match self {
            Self::PublicKeys(request) => request.encode_to_vec(),
            Self::History(request) => request.encode_to_vec(),
            Self::RaiseWatermark(request) => request.encode_to_vec(),
            Self::RecordSignedElsewhere(request) => request.encode_to_vec(),
            Self::VoteBatch(request) => request.encode_to_vec(),
            Self::SignCommitment(request) => request.encode_to_vec(),
            Self::CheckCommitment(request) => request.encode_to_vec(),
            Self::SignPossession(request) => request.encode_to_vec(),
        }
    }
}

impl Service {
    pub(super) fn answer_own(&self, call: &OwnCall, origin: Origin) -> Result<Vec<u8>, Refusal> {
        if origin == Origin::Replayable {
            let why =
                "the header MAC does not say for which method it was made; use mac-v2 or the Unix socket";
            return Err(Refusal::new(Code::PermissionDenied, why));
        }
        match call {
            OwnCall::PublicKeys(_) => Ok(self.public_keys()),
            OwnCall::History(request) => self.history(request),
            OwnCall::RaiseWatermark(request) => self.raise_watermark(request),
            OwnCall::RecordSignedElsewhere(request) => self.record_signed_elsewhere(request),
            OwnCall::VoteBatch(request) => self.vote_batch(request),
            OwnCall::SignCommitment(request) => self.sign_commitment(request),
            OwnCall::CheckCommitment(request) => self.check_commitment(request),
            OwnCall::SignPossession(request) => self.sign_possession(request),
        }
    }

    fn public_keys(&self) -> Vec<u8> {
        let keys = self.manager().public_keys().iter().map(|key| key.to_bytes().to_vec()).collect();
        proto::PublicKeys { keys }.encode_to_vec()
    }

    fn history(&self, request: &proto::HistoryRequest) -> Result<Vec<u8>, Refusal> {
        let subject = subject(request.subject.as_ref())?;
        let history = signer::history(self.manager(), &subject);
        Ok(proto::History::from(history).encode_to_vec())
    }

    fn raise_watermark(&self, request: &proto::RaiseWatermarkRequest) -> Result<Vec<u8>, Refusal> {
        let subject = subject(request.subject.as_ref())?;
        let height = request.height.map(PosHeight::new).ok_or(Malformed::Missing("the height"))?;
        signer::raise_watermark(self.manager(), &subject, height).map_err(with_evidence)?;
        Ok(proto::Empty {}.encode_to_vec())
    }

    fn record_signed_elsewhere(
        &self,
        request: &proto::RecordSignedElsewhereRequest,
    ) -> Result<Vec<u8>, Refusal> {
        let votes = votes(&request.votes)?;
        let subject = subject(request.subject.as_ref())?;
        let watermark = request.watermark.map(PosHeight::new).ok_or(Malformed::Missing("the watermark"))?;
        self.manager().record_signed_elsewhere(&subject, &votes, watermark).map_err(with_evidence)?;
        Ok(proto::Empty {}.encode_to_vec())
    }

    fn vote_batch(&self, request: &proto::VoteBatchRequest) -> Result<Vec<u8>, Refusal> {
        let votes = votes(&request.votes)?;
        let subject = subject(request.subject.as_ref())?;
        let range = range(request.range.as_ref())?;
        let answers = self.manager().vote_batch(&subject, &votes, &range).map_err(with_evidence)?;
        let answers = answers.into_iter().map(|answer| signer::told(answer).into()).collect();
        Ok(proto::VoteBatchResponse { answers }.encode_to_vec())
    }

    fn sign_commitment(&self, request: &proto::SignCommitmentRequest) -> Result<Vec<u8>, Refusal> {
        let subject = subject(request.subject.as_ref())?;
        let start = PosHeight::new(request.start_height);
        let commitment =
            self.manager().sign_commitment(&subject, start, request.count).map_err(with_evidence)?;
        let signature = commitment.signature.serialize().to_vec();
        Ok(proto::SignCommitmentResponse { root: commitment.root.to_vec(), signature }.encode_to_vec())
    }

    fn check_commitment(&self, request: &proto::CheckCommitmentRequest) -> Result<Vec<u8>, Refusal> {
        let subject = subject(request.subject.as_ref())?;
        let range = range(request.range.as_ref())?;
        self.manager().check_commitment(&subject, &range).map_err(with_evidence)?;
        Ok(proto::Empty {}.encode_to_vec())
    }

    fn sign_possession(&self, request: &proto::SignPossessionRequest) -> Result<Vec<u8>, Refusal> {
        let key = FinalityProviderPublicKey::from_slice(&request.key).map_err(Refusal::invalid)?;
        let account: AccountAddress = request.account.parse().map_err(Refusal::invalid)?;
        match self.manager().sign_possession(&key, &account).map_err(with_evidence)? {
            ProofOfPossession::Bip340(signature) => {
                let signature = signature.serialize().to_vec();
                Ok(proto::SignPossessionResponse { signature }.encode_to_vec())
            }
            ProofOfPossession::Bip322 { .. } | ProofOfPossession::Ecdsa(_) => {
                Err(Refusal::new(Code::Internal, "the signer proves possession by BIP-340 only"))
            }
        }
    }
}

fn votes(votes: &[proto::Vote]) -> Result<Vec<VoteMessage>, Refusal> {
    let count = votes.len();
    if count > MAX_BATCH {
        return Err(Refusal::invalid(format!("{count} votes in one batch, at most {MAX_BATCH} are")));
    }
    Ok(votes.iter().map(VoteMessage::try_from).collect::<Result<_, _>>()?)
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::invalid(malformed)
    }
}

/// The status of an error, with what our own client reads beside it. After a fatal error there is nothing to read: the
/// client goes on asking until the signer is back.
fn with_evidence(error: SigningError) -> Refusal {
    if error.is_fatal() {
        return error.into();
    }
    let refused = Refused::from(&error);
    Refusal { evidence: Some(Box::new(refused)), ..error.into() }
}
