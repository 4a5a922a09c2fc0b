//! ABCI events of the finality module (`wire.md` 6.3).

use crate::event::{
    Event,
    json_text::{base64, object, string},
};
use btc_staking_babylon::proto::finality::Evidence;
use btc_staking_protocol::keys::FinalityProviderPublicKey;

/// A finality provider signed two blocks at one height.
pub(super) fn slashed(evidence: &Evidence) -> Event {
    let canonical = evidence.canonical_finality_sig.as_deref().unwrap_or_default();
    let json = object(&[
        ("fp_btc_pk", string(hex::encode(&evidence.fp_btc_pk))),
        ("block_height", string(evidence.block_height)),
        ("pub_rand", base64(&evidence.pub_rand)),
        ("canonical_app_hash", base64(&evidence.canonical_app_hash)),
        ("fork_app_hash", base64(&evidence.fork_app_hash)),
        ("canonical_finality_sig", base64(canonical)),
        ("fork_finality_sig", base64(&evidence.fork_finality_sig)),
    ]);
    Event::typed("babylon.finality.v1.EventSlashedFinalityProvider", [("evidence", json)])
}

/// A finality provider missed too many votes.
pub(super) fn jailed(key: &FinalityProviderPublicKey) -> Event {
    Event::typed("babylon.finality.v1.EventJailedFinalityProvider", [("public_key", string(key))])
}
