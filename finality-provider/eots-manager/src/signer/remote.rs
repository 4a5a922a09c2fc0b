//! Keys in another process: `eots-manager`, over its Unix socket or over mutual TLS.
//!
//! The other process alone holds the sign records and decides; this one only asks, and asks again when it got no answer.
//! Whatever goes wrong on the way is [`SignerError::Unreachable`], never fatal: if a record could not be made durable it
//! is the other process that must end.
//!
//! | asked | waits at most |
//! |---|---|
//! | keys, history, watermark, possession | 5 s |
//! | votes | 20 s: the first after a start derives the randomness of its commitment anew |
//! | a commitment | 60 s: it derives up to hundreds of thousands of values |

use super::{
    History, Refused, RefusedReason, Signer, SignerError, VoteAnswer,
    convert::{Malformed, answer, bytes, schnorr_signature},
    proto,
};
use crate::{
    grpc::client::Client,
    records::Subject,
    service::{MAX_BATCH, Method, OwnMethod},
};
use async_trait::async_trait;
use btc_staking_protocol::{
    finality::{
        randomness::{CommittedRandomness, RandomnessCommitment},
        vote::VoteMessage,
    },
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use prost::Message;
use std::time::Duration;
use tonic::{Code, Status};

const QUICK: Duration = Duration::from_secs(5);
const VOTES: Duration = Duration::from_secs(20);
const COMMITMENT: Duration = Duration::from_secs(60);

/// A signer in another process.
pub struct Remote(Client);

impl Remote {
    /// Asks over a connection, which is made when it is first used and again whenever it broke.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    async fn ask<A: Message + Default>(
        &self,
        method: OwnMethod,
        deadline: Duration,
        request: &impl Message,
    ) -> Result<A, SignerError> {
        let call = self.0.call(Method::Own(method), request.encode_to_vec());
        let answer = tokio::time::timeout(deadline, call).await.map_err(|_| {
            SignerError::Unreachable(format!("no answer within {} seconds", deadline.as_secs()))
        })?;
        A::decode(answer.map_err(why)?.as_slice())
            .map_err(|error| SignerError::Unreachable(format!("its answer is no message: {error}")))
    }
}

impl From<Malformed> for SignerError {
    fn from(malformed: Malformed) -> Self {
        Self::Unreachable(format!("its answer makes no sense: {malformed}"))
    }
}

/// What a status means: a refusal if the signer says so itself, otherwise that it could not be asked.
fn why(status: Status) -> SignerError {
    let refused = status.metadata().get_bin(proto::REFUSED_HEADER).and_then(|value| {
        let told = proto::Refused::decode(value.to_bytes().ok()?).ok()?;
        Refused::try_from(told).ok()
    });
    match (refused, status.code()) {
        (Some(refused), _) => SignerError::Refused(refused),
        (None, Code::InvalidArgument | Code::PermissionDenied | Code::ResourceExhausted) => {
            let text = status.message().to_owned();
            SignerError::Refused(Refused { reason: RefusedReason::Other, text })
        }
        (None, code) => SignerError::Unreachable(format!("{}: {}", code.description(), status.message())),
    }
}

#[async_trait]
impl Signer for Remote {
    async fn public_keys(&self) -> Result<Vec<FinalityProviderPublicKey>, SignerError> {
        let told: proto::PublicKeys = self.ask(OwnMethod::PublicKeys, QUICK, &proto::Empty {}).await?;
        let key = |bytes: &Vec<u8>| Ok(FinalityProviderPublicKey::from_slice(bytes)?);
        told.keys.iter().map(key).collect::<Result<_, Malformed>>().map_err(Into::into)
    }

    async fn history(&self, subject: &Subject) -> Result<History, SignerError> {
        let request = proto::HistoryRequest { subject: Some(subject.into()) };
        let told: proto::History = self.ask(OwnMethod::History, QUICK, &request).await?;
        Ok(told.into())
    }

    async fn raise_watermark(&self, subject: &Subject, height: PosHeight) -> Result<(), SignerError> {
        let request =
            proto::RaiseWatermarkRequest { subject: Some(subject.into()), height: Some(height.to_u64()) };
        let _: proto::Empty = self.ask(OwnMethod::RaiseWatermark, QUICK, &request).await?;
        Ok(())
    }

    async fn record_signed_elsewhere(
        &self,
        subject: &Subject,
        votes: Vec<VoteMessage>,
        watermark: PosHeight,
    ) -> Result<(), SignerError> {
        let request = proto::RecordSignedElsewhereRequest {
            subject: Some(subject.into()),
            votes: votes.iter().map(Into::into).collect(),
            watermark: Some(watermark.to_u64()),
        };
        let _: proto::Empty = self.ask(OwnMethod::RecordSignedElsewhere, VOTES, &request).await?;
        Ok(())
    }

    async fn vote_batch(
        &self,
        subject: &Subject,
        messages: Vec<VoteMessage>,
        range: CommittedRandomness,
    ) -> Result<Vec<VoteAnswer>, SignerError> {
        let mut answers = Vec::with_capacity(messages.len());
        for messages in messages.chunks(MAX_BATCH) {
            let request = proto::VoteBatchRequest {
                subject: Some(subject.into()),
                range: Some((&range).into()),
                votes: messages.iter().map(Into::into).collect(),
            };
            let told: proto::VoteBatchResponse = self.ask(OwnMethod::VoteBatch, VOTES, &request).await?;
            if told.answers.len() != messages.len() {
                return Err(Malformed::Missing("an answer to each vote").into());
            }
            for (asked, given) in messages.iter().zip(told.answers) {
                answers.push(answer(subject.finality_provider, *asked, given)?);
            }
        }
        Ok(answers)
    }

    async fn sign_commitment(
        &self,
        subject: &Subject,
        start: PosHeight,
        count: u64,
    ) -> Result<RandomnessCommitment, SignerError> {
        let request = proto::SignCommitmentRequest {
            subject: Some(subject.into()),
            start_height: start.to_u64(),
            count,
        };
        let told: proto::SignCommitmentResponse =
            self.ask(OwnMethod::SignCommitment, COMMITMENT, &request).await?;
        Ok(RandomnessCommitment {
            finality_provider: subject.finality_provider,
            start_height: start,
            count,
            root: bytes("a root", &told.root)?,
            signature: schnorr_signature(&told.signature)?,
        })
    }

    async fn check_commitment(
        &self,
        subject: &Subject,
        range: CommittedRandomness,
    ) -> Result<(), SignerError> {
        let request =
            proto::CheckCommitmentRequest { subject: Some(subject.into()), range: Some((&range).into()) };
        let _: proto::Empty = self.ask(OwnMethod::CheckCommitment, COMMITMENT, &request).await?;
        Ok(())
    }

    async fn sign_possession(
        &self,
        key: &FinalityProviderPublicKey,
        account: &AccountAddress,
    ) -> Result<ProofOfPossession, SignerError> {
        let request = proto::SignPossessionRequest {
            key: key.to_bytes().to_vec(),
            account: account.bech32().to_owned(),
        };
        let told: proto::SignPossessionResponse =
            self.ask(OwnMethod::SignPossession, QUICK, &request).await?;
        Ok(ProofOfPossession::Bip340(schnorr_signature(&told.signature)?))
    }
}
