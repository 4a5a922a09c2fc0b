//! EOTS signatures, single and in batches.

use super::{
    Service,
    proto::{
        SignBatchEotsRequest, SignBatchEotsResponse, SignDataRequest, SignDataResponse, SignEotsRequest,
        SignEotsResponse,
    },
    refusal::{Refusal, gives_height_up},
};
use crate::manager::{BatchAnswer, SigningError};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use prost::Message;
use std::collections::BTreeSet;

/// Most votes in one batch; the established client sends up to 1,000.
pub const MAX_BATCH: usize = 10_000;

impl Service {
    pub(super) fn sign_vote(&self, request: &SignEotsRequest) -> Result<Vec<u8>, Refusal> {
        let subject = self.subject(&request.uid, &request.chain_id)?;
        let message = vote_message(&request.msg, request.height)?;
        let signature = self.manager.sign_vote(&subject, message)?;
        Ok(SignEotsResponse { sig: signature.to_bytes().to_vec() }.encode_to_vec())
    }

    /// Signs what may be signed; a height that may not be is left out of the answer and is no error.
    pub(super) fn sign_votes(&self, request: &SignBatchEotsRequest) -> Result<Vec<u8>, Refusal> {
        check_heights(&request.sign_requests)?;
        let subject = self.subject(&request.uid, &request.chain_id)?;
        let messages: Vec<_> = request
            .sign_requests
            .iter()
            .map(|vote| vote_message(&vote.msg, vote.height))
            .collect::<Result<_, _>>()?;
        let mut responses = Vec::with_capacity(messages.len());
        for BatchAnswer { height, result } in self.manager.sign_batch(&subject, &messages)? {
            let height = height.to_u64();
            match result {
                Ok(signature) => {
                    responses.push(SignDataResponse { sig: signature.to_bytes().to_vec(), height });
                }
                Err(SigningError::NotSafe(reason)) if gives_height_up(&reason) => {
                    tracing::error!(finality_provider = %subject.finality_provider, pos_height = height, %reason,
                        "height left out of a batch");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(SignBatchEotsResponse { responses }.encode_to_vec())
    }
}

fn check_heights(votes: &[SignDataRequest]) -> Result<(), Refusal> {
    if votes.len() > MAX_BATCH {
        return Err(Refusal::invalid(format!("{} votes in one batch, at most {MAX_BATCH} are", votes.len())));
    }
    let mut seen = BTreeSet::new();
    match votes.iter().find(|vote| !seen.insert(vote.height)) {
        None => Ok(()),
        Some(vote) => Err(Refusal::invalid(format!("duplicate height in batch: {}", vote.height))),
    }
}

/// Takes a vote apart. Anything else is not signed with the nonce of a height: only votes are, so that what is recorded
/// is what can be compared.
fn vote_message(bytes: &[u8], height: u64) -> Result<VoteMessage, Refusal> {
    let wrong = || {
        Refusal::invalid(format!(
            "the message of height {height} is no vote: it must be the height in 8 bytes big-endian and a 32-byte app \
             hash, it has {} bytes",
            bytes.len()
        ))
    };
    let (first, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let app_hash = rest.try_into().map_err(|_| wrong())?;
    if u64::from_be_bytes(*first) != height {
        return Err(wrong());
    }
    Ok(VoteMessage { height: PosHeight::new(height), app_hash })
}
