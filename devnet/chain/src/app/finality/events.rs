//! ABCI events of the finality module (`wire.md` 6.3).

use crate::event::Event;
use btc_staking_babylon::proto::finality::{
    EventJailedFinalityProvider, EventSlashedFinalityProvider, Evidence,
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;

/// A finality provider signed two blocks at one height.
pub(super) fn slashed(evidence: Evidence) -> Event {
    Event::typed(&EventSlashedFinalityProvider { evidence: Some(evidence) })
}

/// A finality provider missed too many votes.
pub(super) fn jailed(key: &FinalityProviderPublicKey) -> Event {
    Event::typed(&EventJailedFinalityProvider { public_key: key.to_string() })
}
