//! Proving to the chain that a stake is on Bitcoin, should nobody else do it.
//!
//! A watchtower usually does; it may be stuck. The holder's own proof is sent two blocks after the first moment the chain
//! would take it. Being second is no failure.

use super::{ChainAccess, Service, ServiceError};
use bitcoin::Txid;
use btc_staking_pos_chain::{ChainMessage, MessageOutcome};
use btc_staking_protocol::{
    delegation::DelegationStatus,
    height::{BtcDepth, BtcHeight},
};

/// Blocks left to a watchtower to be first.
const GRACE: u32 = 2;

/// Whether the proof should come from us.
fn is_due(
    status: DelegationStatus,
    included: BtcHeight,
    light_client_tip: BtcHeight,
    required: BtcDepth,
) -> bool {
    let depth = included.depth_under(light_client_tip).map_or(0, BtcDepth::to_u32);
    status == DelegationStatus::Verified && depth >= required.to_u32().saturating_add(GRACE)
}

impl Service {
    /// Sends the proof of inclusion if the chain waits for it.
    ///
    /// # Errors
    /// [`ServiceError::Chain`].
    pub(super) async fn activate(&self, txid: &Txid, chain: &ChainAccess) -> Result<(), ServiceError> {
        let Some(confirmation) = self.watch.confirmation(txid) else { return Ok(()) };
        let Some(status) = self.fetch_status(txid, &*chain.reader).await? else { return Ok(()) };
        let required = chain.reader.fetch_checkpoint_params().await?.confirmation_depth;
        let tip = chain.reader.fetch_light_client_tip().await?;
        if !is_due(status, confirmation.block.height, tip.height, required) {
            return Ok(());
        }
        let message =
            ChainMessage::AddInclusionProof { staking_txid: *txid, proof: confirmation.inclusion_proof() };
        match chain.submitter.submit(vec![message]).await?.into_iter().next() {
            Some(MessageOutcome::Refused(refusal)) => {
                tracing::warn!(staking_txid = %txid, %refusal, "the chain does not take the proof of inclusion");
                Ok(())
            }
            Some(MessageOutcome::Unknown(error)) => Err(error.into()),
            Some(MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_)) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_due_two_blocks_after_the_chain_would_take_it() {
        let due = |status, included, tip| {
            is_due(status, BtcHeight::new(included), BtcHeight::new(tip), BtcDepth::new(10))
        };
        for (status, included, tip, expected) in [
            (DelegationStatus::Verified, 100, 111, false),
            (DelegationStatus::Verified, 100, 112, true),
            (DelegationStatus::Verified, 100, 90, false),
            (DelegationStatus::Pending, 100, 200, false),
            (DelegationStatus::Active, 100, 200, false),
            (DelegationStatus::Unbonded, 100, 200, false),
            (DelegationStatus::Expired, 100, 200, false),
        ] {
            assert_eq!(due(status, included, tip), expected, "{status:?} {included} {tip}");
        }
    }
}
